"""What is said, who it is for, and who may read it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from medfed.domain import interactions
from medfed.domain.emoji import Emoji
from medfed.domain.interactions import SILENT, AnswerChoice, Policy, QuoteChoice
from medfed.kernel.clock import Millis

AS_PUBLIC: Final = interactions.EVERYBODY
PUBLIC_ALIASES: Final = frozenset({AS_PUBLIC, "as:Public", "Public"})

Visibility: TypeAlias = Literal["public", "unlisted", "followers", "direct", "verified", "group"]
"""`group`: for the members of a closed group, whose actor `audience_uri` names, once that has the post."""
OPEN: Final[frozenset[str]] = frozenset({"public", "unlisted"})
WAITING, REFUSED = "waiting", "refused"
HELD: Final[frozenset[str]] = frozenset({WAITING, REFUSED})

RESTRICTED: Final[frozenset[str]] = frozenset({"verified", "group"})
"""What leaves for trusted peers only."""

_WIDTH: Final[Mapping[str, int]] = {"direct": 0, "verified": 1, "group": 1, "followers": 1, "unlisted": 2, "public": 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """What a reader of a verified-only post must be attested as; an empty tuple means any."""

    professions: tuple[str, ...] = ()
    specialties: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    min_assurance: str = "low"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file of a post. Local files are named by `file_key`, a peer's by `remote_url`."""

    id: int
    account_id: int
    post_id: int | None = None
    position: int = 0
    kind: str = "image"
    mime: str = ""
    file_key: str = ""
    preview_key: str = ""
    remote_url: str = ""
    description: str = ""
    blurhash: str = ""
    focus_x: float = 0.0
    focus_y: float = 0.0
    width: int = 0
    height: int = 0
    bytes: int = 0
    sha256: str = ""
    created_at: Millis = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PollOption:
    """One answer and how often it was given."""

    title: str
    votes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """A question with answers to choose from."""

    post_id: int = 0
    multiple: bool = False
    closes_at: Millis | None = None
    closed: bool = False
    voters_count: int = 0
    options: tuple[PollOption, ...] = ()

    def is_closed(self, now: Millis) -> bool:
        """Closed by its author, or by time."""
        return self.closed or (self.closes_at is not None and self.closes_at <= now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """Our record of a Note, Question or Article, or (kind Announce) of a boost."""

    id: int
    uri: str
    local: bool
    account_id: int
    kind: str = "Note"
    url: str = ""
    content: str = ""
    source: str = ""
    title: str = ""
    spoiler: str = ""
    sensitive: bool = False
    language: str = ""
    visibility: Visibility = "direct"
    requires: Requirement | None = None
    audience_uri: str = ""
    in_reply_to_uri: str = ""
    in_reply_to_id: int | None = None
    in_reply_to_account_id: int | None = None
    boost_of_id: int | None = None
    conversation_id: int = 0
    tags: tuple[str, ...] = ()
    emojis: tuple[Emoji, ...] = ()
    policy: Policy = SILENT
    permit: str = ""
    """For a member's answer whose parent's author has to agree: waiting, refused, or where they did (canReply)."""
    published_at: Millis = 0
    edited_at: Millis | None = None
    stored_at: Millis = 0
    replies_count: int = 0
    boosts_count: int = 0
    likes_count: int = 0

    @property
    def is_boost(self) -> bool:
        """Whether this only passes on another post."""
        return self.boost_of_id is not None

    @property
    def is_held(self) -> bool:
        """Whether nobody but its author sees it, until whoever it answers agrees."""
        return self.permit in HELD

    @property
    def is_open(self) -> bool:
        """Readable by anybody."""
        return self.visibility in OPEN and self.permit not in HELD


QuoteState: TypeAlias = Literal["pending", "accepted", "rejected", "revoked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """That a post quotes another. It is shown when that one's author agrees (accepted), and says so in `stamp_uri`."""

    post_id: int
    quoted_uri: str
    quoted_id: int | None = None
    stamp_uri: str = ""
    state: QuoteState = "pending"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """Somebody addressed by a post; `silent` when the text does not name them."""

    account_id: int
    uri: str
    handle: str
    url: str = ""
    silent: bool = False
    group: bool = False
    """Whether it is a group that is addressed: then the post is written into it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a member wants to say, checked for shape but not yet for permission."""

    text: str
    visibility: Visibility = "public"
    spoiler: str = ""
    sensitive: bool = False
    language: str = ""
    in_reply_to_id: int | None = None
    media_ids: tuple[int, ...] = ()
    poll: Poll | None = None
    requires: Requirement | None = None
    title: str = ""
    content: str | None = None
    """Ready-made HTML (a rendered case); None: rendered from `text`."""
    quoted_id: int | None = None
    quotable_by: QuoteChoice | None = None
    """None: as it was, or, for a new post, nobody."""
    answerable_by: AnswerChoice | None = None
    """None: as it was, or, for a new post, whoever may read it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What decides whether somebody may read a post, gathered beforehand."""

    viewer_id: int | None
    follows_author: bool = False
    mentioned: bool = False
    blocked: bool = False
    """The author blocks the viewer."""
    recognised: bool = False
    """Holds, here and now, attestations that satisfy the post's requirement."""
    in_group: bool = False
    """Is, here and now, a member of the closed group that has the post."""


def may_read(post: Post, standing: Standing) -> bool:
    """The one rule of who reads what. Whoever asks has gathered the standing for this post."""
    if standing.viewer_id is not None and standing.viewer_id == post.account_id:
        return True
    if standing.blocked or post.is_held:
        return False
    match post.visibility:
        case "public" | "unlisted":
            return True
        case "followers":
            return standing.follows_author or standing.mentioned
        case "direct":
            return standing.mentioned
        case "verified":
            return standing.viewer_id is not None and standing.recognised
        case "group":
            return standing.viewer_id is not None and standing.in_group


def narrower(wanted: Visibility, parent: Visibility) -> Visibility:
    """The audience of a reply: never wider than its parent's (M14)."""
    if parent in ("verified", "group"):
        return "direct" if wanted == "direct" else parent
    return wanted if _WIDTH[wanted] <= _WIDTH[parent] else parent


def visibility_of(to: Iterable[str], cc: Iterable[str], *, followers_uri: str, restricted: bool) -> Visibility:
    """Read the audience of a peer's object. What is not plainly open is direct (A14).

    `restricted` says that the object carries an audiencePolicy: then nothing else counts.
    """
    if restricted:
        return "verified"
    primary, secondary = set(to), set(cc)
    if primary & PUBLIC_ALIASES:
        return "public"
    if secondary & PUBLIC_ALIASES:
        return "unlisted"
    if followers_uri and followers_uri in primary | secondary:
        return "followers"
    return "direct"


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressing:
    """The to and cc of what we send."""

    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()


def addressing(visibility: Visibility, *, followers_uri: str, mentions: Sequence[str], audience_uri: str) -> Addressing:
    """Who an object is addressed to on the wire, by its visibility."""
    named = tuple(dict.fromkeys(mentions))
    match visibility:
        case "public":
            return Addressing(to=(AS_PUBLIC,), cc=(followers_uri, *named))
        case "unlisted":
            return Addressing(to=(followers_uri,), cc=(AS_PUBLIC, *named))
        case "followers":
            return Addressing(to=(followers_uri,), cc=named)
        case "direct":
            return Addressing(to=named)
        case "verified" | "group":
            return Addressing(to=(audience_uri,), cc=named)


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """A post with everything that belongs to it, ready to be stored."""

    post: Post
    mentions: tuple[Mention, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    poll: Poll | None = None
    case: Mapping[str, object] | None = field(default=None)
