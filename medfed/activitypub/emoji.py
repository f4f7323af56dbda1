"""What a reaction says: an EmojiReact (FEP-c0e0), or a Like with content, as Misskey sends it."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from medfed.activitypub.wire import Document, emojis_of

_LONGEST: Final = 32
_CUSTOM: Final = re.compile(r":([A-Za-z0-9_+-]{1,64})(?:@[^:@\s]{1,255})?:")
_PICTURED: Final = frozenset({"So", "Sk", "Sm", "Po", "Pd", "Me"})
_JOINING: Final = frozenset({"Mn", "Nd"})
_JOINER: Final = "\u200d"


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerReaction:
    """An emoji, or `:shortcode:` with the address of its picture; '' is a plain like."""

    emoji: str = ""
    url: str = ""


def reaction_of(document: Document) -> PeerReaction:
    """What an activity reacts with. What is no emoji, or has no picture here, is a plain like."""
    said = document.get("content") or document.get("_misskey_reaction")
    if not isinstance(said, str):
        return PeerReaction()
    text = said.strip()
    custom = _CUSTOM.fullmatch(text)
    if custom is not None:
        pictured = {each.shortcode: each.url for each in emojis_of(document)}
        name = custom[1]
        return PeerReaction(emoji=f":{name}:", url=pictured[name]) if name in pictured else PeerReaction()
    return PeerReaction(emoji=text) if _is_emoji(text) else PeerReaction()


def _is_emoji(text: str) -> bool:
    """Whether this is made of pictures alone: no letters, no spaces, nothing that turns the direction of writing."""
    if not 0 < len(text) <= _LONGEST or text.isascii():
        return False
    kinds = [unicodedata.category(each) for each in text if each != _JOINER and not _is_tag(each)]
    return all(kind in _PICTURED | _JOINING for kind in kinds) and any(kind in _PICTURED for kind in kinds)


def _is_tag(each: str) -> bool:
    """The invisible letters that name a region behind a flag."""
    return "\U000e0020" <= each <= "\U000e007f"
