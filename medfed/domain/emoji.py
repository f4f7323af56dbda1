"""Small pictures that a peer names in its texts, and how people react to posts with one."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Emoji:
    """A custom emoji of a peer that we know: `:shortcode:` in a text stands for its picture."""

    id: int
    shortcode: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EmojiCount:
    """How many reacted to a post with one emoji; `emoji_id` is that of the picture, if it is a custom one."""

    emoji: str
    emoji_id: int | None
    count: int
