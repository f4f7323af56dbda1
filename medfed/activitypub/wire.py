"""What arrives, read once into types: activities, actors, posts. Nothing here is verified or sanitised yet.

Every reference goes through `reference` and every list through `listed`, so that what is checked is what is
stored (D04).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias

from medfed.activitypub import keys
from medfed.activitypub.strictjson import parse_object
from medfed.activitypub.uris import authority_of, same_origin
from medfed.domain.accounts import KINDS
from medfed.domain.interactions import EVERYBODY, SILENT, Policy, Rule
from medfed.domain.posts import PUBLIC_ALIASES, Requirement
from medfed.kernel import limits
from medfed.kernel.blurhash import is_blurhash
from medfed.kernel.clock import DAY, HOUR, Millis, parse_iso
from medfed.kernel.errors import BadSignature, Malformed, OriginMismatch

Document: TypeAlias = Mapping[str, Any]

_OLDEST: Final = 0
_LONGEST_URI: Final = 2_048


# ── the parts ────────────────────────────────────────────────────────────────────────────────────────────────


def reference(value: object) -> str:
    """The id that a property refers to: a string, an object with an id, or one of them alone in a list.

    '' when there is none, or when it could not be an https or http URI.
    """
    if isinstance(value, list):
        if len(value) != 1:
            return ""
        value = value[0]
    if isinstance(value, dict):
        value = value.get("id")
    return value if isinstance(value, str) and _is_uri(value) else ""


def _is_uri(text: str) -> bool:
    """An http(s) URI of a length, in bytes, that every database can keep an index of."""
    return 0 < len(text) <= _LONGEST_URI and _is_plain_uri(text)


@lru_cache(maxsize=1_024)
def _is_plain_uri(text: str) -> bool:
    if not text.isprintable() or " " in text or not authority_of(text):
        return False
    return text.isascii() or len(text.encode()) <= _LONGEST_URI


def author_of(document: Document) -> str:
    """Who an object is by; '' when it does not say, or names people of several hosts (D04).

    Of several on one host the first person, else the first: PeerTube names an account and its channel, Plume an
    account and its blog.
    """
    named = document.get("attributedTo")
    if not isinstance(named, list):
        return reference(named)
    uris = [reference(item) for item in named[: limits.AUTHORS]]
    if len(uris) != len(named) or not uris or not all(uri and same_origin(uri, uris[0]) for uri in uris):
        return ""
    whole = (item for item in named if isinstance(item, dict) and type_of(item) == "Person")
    return next(map(reference, whole), uris[0])


def listed(value: object, most: int) -> list[Any]:
    """A property that may stand alone or in a list, as a list. Raises Malformed when it is longer than `most`."""
    if value is None:
        return []
    items = value if isinstance(value, list) else [value]
    if len(items) > most:
        raise Malformed("a list is too long")
    return items


def addressees(document: Document, *names: str) -> tuple[str, ...]:
    """The ids under to, cc or audience; the short forms of Public stay as they are."""
    found: list[str] = []
    for name in names:
        for item in listed(document.get(name), limits.ADDRESSEES):
            text = item if isinstance(item, str) and item in ("as:Public", "Public") else reference(item)
            if text:
                found.append(text)
    if len(found) > limits.ADDRESSEES:
        raise Malformed("too many addressees")
    return tuple(dict.fromkeys(found))


def type_of(document: Document) -> str:
    """The type, or the first of several; '' when there is none."""
    kinds = document.get("type")
    first = kinds[0] if isinstance(kinds, list) and kinds else kinds
    return first if isinstance(first, str) and len(first) <= 100 else ""


def text_of(document: Document, name: str, most: int) -> str:
    """A string, or the first language of its map; cut at `most` characters."""
    value = document.get(name)
    if not isinstance(value, str):
        in_languages = document.get(f"{name}Map")
        value = next(iter(in_languages.values()), "") if isinstance(in_languages, dict) else ""
    return value[:most] if isinstance(value, str) else ""


def language_of(document: Document, name: str = "content") -> str:
    """The language that the map of `name` has the plain text in, else its only one; '' when nothing says."""
    in_languages = document.get(f"{name}Map")
    if not isinstance(in_languages, dict) or not in_languages:
        return ""
    plain = document.get(name)
    for tag, text in in_languages.items():
        if text == plain and tag != "und":
            return str(tag)[:35]
    only = next(iter(in_languages))
    return str(only)[:35] if len(in_languages) == 1 and only != "und" else ""


def moment_of(document: Document, name: str, now: Millis) -> Millis | None:
    """A time; None when absent or unreadable. What lies more than an hour ahead is now (A19)."""
    at = _time_of(document, name)
    return now if at is not None and at > now + HOUR else at


def later_moment_of(document: Document, name: str) -> Millis | None:
    """A time that may lie ahead (the end of a poll)."""
    at = _time_of(document, name)
    return at if at is not None and at < 100 * 366 * DAY * 3 else None


def _time_of(document: Document, name: str) -> Millis | None:
    value = document.get(name)
    if not isinstance(value, str):
        return None
    try:
        at = parse_iso(value)
    except (ValueError, OverflowError):
        return None
    return at if at >= _OLDEST else None


def flag_of(document: Document, name: str) -> bool:
    """A boolean; anything else is False."""
    return document.get(name) is True


def count_of(document: Document, name: str) -> int:
    """A count; anything that is not a plain, non-negative integer is 0 (D09)."""
    value = document.get(name)
    return value if type(value) is int and 0 <= value <= limits.JSON_INT else 0


def link_of(value: object) -> str:
    """The first usable http(s) URL of a url property: a string, a Link, or a list of them."""
    for item in listed(value, limits.JSON_ARRAY):
        href = item.get("href") if isinstance(item, dict) else item
        if isinstance(href, str) and _is_uri(href):
            return href
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerEmoji:
    """A custom emoji that a document names, and where its picture is."""

    shortcode: str
    url: str


_SHORTCODE: Final = re.compile(r":?([A-Za-z0-9_+-]{1,64}):?")


def emojis_of(document: Document) -> tuple[PeerEmoji, ...]:
    """The custom emojis among the tags of a document, each name once; what has no usable picture is left out."""
    found: dict[str, PeerEmoji] = {}
    for tag in listed(document.get("tag"), limits.JSON_ARRAY):
        if not isinstance(tag, dict) or type_of(tag) not in ("Emoji", "toot:Emoji"):
            continue
        named, url = _SHORTCODE.fullmatch(text_of(tag, "name", 66)), _picture(tag.get("icon"))
        if named is not None and url and len(found) < limits.TAGS:
            found.setdefault(named[1], PeerEmoji(shortcode=named[1], url=url))
    return tuple(found.values())


# ── activities ───────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """An activity that was read. `object` is the embedded object, if one is embedded."""

    id: str
    kind: str
    actor: str
    object_id: str
    object: Document | None
    target_id: str
    to: tuple[str, ...]
    cc: tuple[str, ...]
    document: Document

    @property
    def object_kind(self) -> str:
        """The type of the embedded object; '' when there is only an id."""
        return type_of(self.object) if self.object is not None else ""

    @property
    def what(self) -> str:
        """What it is, in a word or two: Create Note."""
        return f"{self.kind} {self.object_kind}".strip()


def parse_activity(body: bytes) -> Activity:
    """Read the body of an inbox POST. Raises Malformed."""
    return read_activity(parse_object(body))


def read_activity(document: Document) -> Activity:
    """Read an activity. Raises Malformed, or OriginMismatch when its id is not on its actor's host."""
    kind = type_of(document)
    if not kind:
        raise Malformed("the activity has no type")
    actor = reference(document.get("actor"))
    if not actor:
        raise Malformed("the activity has no actor")
    id_ = document.get("id")
    if not isinstance(id_, str) or not reference(id_):
        raise Malformed("the activity has no id")
    if not same_origin(id_, actor):
        raise OriginMismatch("the activity's id is not on its actor's host")
    embedded = document.get("object")
    if isinstance(embedded, list) and len(embedded) == 1:
        embedded = embedded[0]
    return Activity(
        id=id_,
        kind=kind,
        actor=actor,
        object_id=reference(embedded),
        object=embedded if isinstance(embedded, dict) else None,
        target_id=reference(document.get("target")),
        to=addressees(document, "to"),
        cc=addressees(document, "cc", "audience"),
        document=document,
    )


# ── actors ───────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerKey:
    """A public key that an actor lists: PEM for RSA, Multikey for Ed25519."""

    id: str
    kind: str
    public: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerActor:
    """An actor document that was read; text is not sanitised yet."""

    id: str
    kind: str
    username: str
    name: str
    summary: str
    url: str
    inbox: str
    shared_inbox: str
    outbox: str
    followers: str
    following: str
    attestations: str
    icon: str
    image: str
    fields: tuple[tuple[str, str], ...]
    emojis: tuple[PeerEmoji, ...]
    featured: str
    also_known_as: tuple[str, ...]
    moved_to: str
    locked: bool
    discoverable: bool
    published: Millis | None
    updated: Millis | None
    keys: tuple[PeerKey, ...]


def read_actor(document: Document, now: Millis) -> PeerActor:
    """Read an actor. Raises Malformed. Collections and inboxes on another host are not taken (D14)."""
    id_ = reference(document.get("id"))
    kind = type_of(document)
    if not id_ or kind not in KINDS:
        raise Malformed("this is not an actor")
    inbox = _own(id_, document.get("inbox"))
    if not inbox:
        raise Malformed("the actor has no inbox on its own host")
    username = document.get("preferredUsername")
    if not isinstance(username, str) or not 0 < len(username) <= 255 or "@" in username or not username.isprintable():
        raise Malformed("the actor has no preferredUsername")
    endpoints = document.get("endpoints")
    shared = endpoints.get("sharedInbox") if isinstance(endpoints, dict) else None
    return PeerActor(
        id=id_,
        kind=kind,
        username=username,
        name=text_of(document, "name", limits.NAME),
        summary=text_of(document, "summary", limits.SUMMARY),
        url=_page(id_, document),
        inbox=inbox,
        shared_inbox=_own(id_, shared),
        outbox=_own(id_, document.get("outbox")),
        followers=_own(id_, document.get("followers")),
        following=_own(id_, document.get("following")),
        attestations=_own(id_, document.get("attestations")),
        icon=_picture(document.get("icon")),
        image=_picture(document.get("image")),
        fields=_fields(document),
        emojis=emojis_of(document),
        featured=_own(id_, document.get("featured")),
        also_known_as=addressees({"to": document.get("alsoKnownAs")}, "to")[: limits.ALSO_KNOWN_AS],
        moved_to=reference(document.get("movedTo")),
        locked=flag_of(document, "manuallyApprovesFollowers"),
        discoverable=document.get("discoverable") is not False,
        published=moment_of(document, "published", now),
        updated=moment_of(document, "updated", now),
        keys=_keys(id_, document, now),
    )


def owner_of(document: Document) -> str:
    """The id of the actor whose document this is, whole or not, or whose key it describes; '' for anything else."""
    if type_of(document) in KINDS:
        return reference(document.get("id"))
    return reference(document.get("owner")) or reference(document.get("controller"))


def _own(actor_id: str, value: object) -> str:
    uri = reference(value)
    return uri if uri and same_origin(uri, actor_id) else ""


def _picture(value: object) -> str:
    for item in listed(value, limits.JSON_ARRAY):
        found = link_of(item.get("url")) if isinstance(item, dict) else link_of(item)
        if found:
            return found
    return ""


def _fields(document: Document) -> tuple[tuple[str, str], ...]:
    return tuple(
        (text_of(item, "name", limits.FIELD), text_of(item, "value", limits.FIELD))
        for item in listed(document.get("attachment"), limits.JSON_ARRAY)[: limits.FIELDS]
        if isinstance(item, dict) and type_of(item) == "PropertyValue"
    )


def _keys(actor_id: str, document: Document, now: Millis) -> tuple[PeerKey, ...]:
    """The keys an actor lists as its own; one that cannot be read is left out, the others stay usable (A20)."""
    found: list[PeerKey] = []
    for item in listed(document.get("publicKey"), limits.KEYS_PER_ACTOR):
        if isinstance(item, dict) and reference(item.get("owner")) == actor_id:
            found += _key(actor_id, item, "publicKeyPem", now)
    for item in listed(document.get("assertionMethod"), limits.KEYS_PER_ACTOR):
        if isinstance(item, dict) and reference(item.get("controller")) == actor_id:
            found += _key(actor_id, item, "publicKeyMultibase", now)
    return tuple(found[: limits.KEYS_PER_ACTOR])


def _key(actor_id: str, item: Document, member: str, now: Millis) -> list[PeerKey]:
    id_, text = reference(item.get("id")), item.get(member)
    if not id_ or not isinstance(text, str) or not same_origin(id_, actor_id):
        return []
    # Controlled Identifiers 1.0 § 2.2: not valid at or after these; a date that nobody can read has passed.
    if any(end in item and (later_moment_of(item, end) or 0) <= now for end in ("expires", "revoked")):
        return []
    try:
        read = keys.parse_public_pem(text) if member == "publicKeyPem" else keys.parse_multikey(text)
    except (BadSignature, Malformed):
        return []
    public = read.pem if read.kind == "rsa" else read.multikey
    return [PeerKey(id=id_, kind=read.kind, public=public)]


# ── posts ────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerAttachment:
    """A file that a peer's post refers to."""

    url: str
    mime: str
    kind: str
    description: str
    blurhash: str
    width: int
    height: int
    focus: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerPoll:
    """The answers of a Question."""

    multiple: bool
    options: tuple[tuple[str, int], ...]
    closes: Millis | None
    closed: bool
    voters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerPost:
    """An object that was read as a post; text is not sanitised yet."""

    id: str
    kind: str
    author: str
    content: str
    source: str
    title: str
    summary: str
    sensitive: bool
    language: str
    in_reply_to: str
    url: str
    published: Millis | None
    updated: Millis | None
    to: tuple[str, ...]
    cc: tuple[str, ...]
    hashtags: tuple[str, ...]
    emojis: tuple[PeerEmoji, ...]
    mentions: tuple[str, ...]
    attachments: tuple[PeerAttachment, ...]
    poll: PeerPoll | None
    context: str
    replies: str
    quote: str
    quote_stamp: str
    """Where the author of the quoted post is said to have agreed (FEP-044f); worth nothing until it was looked at."""
    policy: Policy
    requires: Requirement | None
    case: Document | None

    @property
    def is_vote(self) -> bool:
        """A Note that only names an answer of somebody's poll."""
        return bool(self.kind == "Note" and self.title and self.in_reply_to and not self.content)


POST_KINDS: Final = frozenset(
    {"Note", "Question", "Article", "Page", "Image", "Video", "Audio", "Event", "Document", "ChatMessage"}
)


NO_POSTS: Final = KINDS | frozenset({
    "Accept", "Add", "Announce", "Arrive", "Block", "Create", "Delete", "Dislike", "Flag", "Follow", "Ignore", "Invite",
    "Join", "Leave", "Like", "Listen", "Move", "Offer", "Read", "Reject", "Remove", "TentativeAccept",
    "TentativeReject", "Travel", "Undo", "Update", "View", "Activity", "IntransitiveActivity", "EmojiReact",
    "CredentialRequest", "Collection", "OrderedCollection", "CollectionPage", "OrderedCollectionPage", "Link",
    "Mention", "Hashtag", "Emoji", "PropertyValue", "Tombstone", "Relationship", "Key", "Multikey",
    "VerifiableCredential", "VerifiablePresentation", "DataIntegrityProof",
})  # fmt: skip
"""What is no post, whoever calls it one: activities, collections, actors, links, keys and proofs (A16)."""

_LONGEST_KIND: Final = 60


def read_post(document: Document, now: Millis) -> PeerPost:
    """Read an object as a post. Raises Malformed, or OriginMismatch when its author lives on another host (D01).

    An activity, a collection or an actor is no post, whoever calls it one (A16).
    """
    kind = _post_kind(document)
    if not kind:
        raise Malformed("the object is not a post")
    id_ = document.get("id")
    if not isinstance(id_, str) or not reference(id_):
        raise Malformed("the object has no id")
    author = author_of(document) or reference(document.get("actor"))
    if not author:
        raise Malformed("the object has no author")
    if not same_origin(id_, author):
        raise OriginMismatch("the object's id is not on its author's host")
    tags = listed(document.get("tag"), limits.TAGS)
    return PeerPost(
        id=id_,
        kind=kind,
        author=author,
        content=_content(document, kind),
        source=_source(document),
        title=text_of(document, "name", limits.NAME),
        summary=text_of(document, "summary", limits.SUMMARY),
        sensitive=flag_of(document, "sensitive"),
        language=language_of(document),
        in_reply_to=reference(document.get("inReplyTo")),
        url=_page(id_, document),
        published=moment_of(document, "published", now),
        updated=moment_of(document, "updated", now),
        to=addressees(document, "to"),
        cc=addressees(document, "cc", "audience"),
        hashtags=_names(tags, "Hashtag"),
        emojis=emojis_of(document),
        mentions=_mentions(tags),
        attachments=_attachments(document),
        poll=_poll(document, now) if kind == "Question" else None,
        context=reference(document.get("context")),
        quote=quoted_by(document),
        policy=_policy(document),
        quote_stamp=reference(document.get("quoteAuthorization")),
        replies=_own(id_, document.get("replies")),
        requires=_requirement(document),
        case=_case(document),
    )


def _post_kind(document: Document) -> str:
    """The first of the types that is one of a post; '' when none is.

    Any other kind of object is one, too, if it says something: whatever servers will think of is shown as text.
    """
    kinds = document.get("type")
    named = [kind for kind in (kinds if isinstance(kinds, list) else [kinds]) if isinstance(kind, str)]
    known = next((kind for kind in named if kind in POST_KINDS), "")
    if known or not named or any(kind in NO_POSTS for kind in named):
        return known
    says = any(text_of(document, name, 1) for name in ("content", "summary", "name"))
    return named[0] if says and 0 < len(named[0]) <= _LONGEST_KIND and named[0].isprintable() else ""


def _content(document: Document, kind: str) -> str:
    content = text_of(document, "content", limits.CONTENT_IN)
    if content or kind in ("Note", "Question", "ChatMessage"):
        return content
    return text_of(document, "summary", limits.CONTENT_IN)


def _source(document: Document) -> str:
    source = document.get("source")
    return text_of(source, "content", limits.CONTENT_IN) if isinstance(source, dict) else ""


def _page(id_: str, document: Document) -> str:
    """The page of a post; one on another host is not taken (D15)."""
    url = link_of(document.get("url"))
    return url if url and same_origin(url, id_) else id_


def quoted_by(document: Document) -> str:
    """The post that a post quotes: as FEP-044f says it, or as Fedibird and Misskey said it before."""
    for name in ("quote", "quoteUrl", "quoteUri", "_misskey_quote"):
        if name in document and (uri := reference(document[name])):
            return uri
    return ""


def _policy(document: Document) -> Policy:
    """Who may do what, as GoToSocial says it (interactionPolicy); Mastodon says canQuote alone."""
    said = document.get("interactionPolicy")
    if not isinstance(said, dict):
        return SILENT
    return Policy(
        like=_rule(said.get("canLike"), default=_ANYBODY),
        reply=_rule(said.get("canReply"), default=_ANYBODY),
        boost=_rule(said.get("canAnnounce"), default=_ANYBODY),
        quote=_rule(said.get("canQuote")),
    )


_ANYBODY: Final = Rule(automatic=(EVERYBODY,))


def _rule(said: object, default: Rule | None = None) -> Rule | None:
    """One part of a policy; None when it says nothing, or no more than what holds anyway.

    Before 0.20 GoToSocial called the two lists `always` and `approvalRequired`. What is beyond the limit is left
    out: then fewer may.
    """
    if not isinstance(said, dict):
        return None
    automatic = said.get("automaticApproval", said.get("always"))
    manual = said.get("manualApproval", said.get("approvalRequired"))
    if automatic is None and manual is None:
        return None
    rule = Rule(automatic=_who(automatic), manual=_who(manual))
    return None if rule == default else rule


def _who(value: object) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    found = (
        EVERYBODY if isinstance(item, str) and item in PUBLIC_ALIASES else reference(item)
        for item in items[: limits.POLICY_ENTRIES]
    )
    return tuple(dict.fromkeys(uri for uri in found if uri))


def _names(tags: list[Any], kind: str) -> tuple[str, ...]:
    names = (text_of(tag, "name", 200) for tag in tags if isinstance(tag, dict) and type_of(tag) == kind)
    return tuple(dict.fromkeys(name for name in names if name))


def _mentions(tags: list[Any]) -> tuple[str, ...]:
    hrefs = (reference(tag.get("href")) for tag in tags if isinstance(tag, dict) and type_of(tag) == "Mention")
    return tuple(dict.fromkeys(href for href in hrefs if href))[: limits.MENTIONS]


def _attachments(document: Document) -> tuple[PeerAttachment, ...]:
    found = []
    for item in listed(document.get("attachment"), limits.JSON_ARRAY)[: limits.ATTACHMENTS_IN]:
        if not isinstance(item, dict):
            continue
        url = link_of(item.get("url")) or link_of(item.get("href"))
        if url:
            found.append(_attachment(item, url))
    return tuple(found)


def _attachment(item: Document, url: str) -> PeerAttachment:
    mime = text_of(item, "mediaType", 100)
    family = mime.partition("/")[0]
    blurhash = text_of(item, "blurhash", 128)
    return PeerAttachment(
        url=url,
        mime=mime,
        kind=family if family in ("image", "video", "audio") else _KIND_OF_TYPE.get(type_of(item), "unknown"),
        description=text_of(item, "name", limits.ALT_TEXT) or text_of(item, "summary", limits.ALT_TEXT),
        blurhash=blurhash if is_blurhash(blurhash) else "",
        width=_pixels(item, "width"),
        height=_pixels(item, "height"),
        focus=_focus(item.get("focalPoint")),
    )


_KIND_OF_TYPE: Final = {"Image": "image", "Video": "video", "Audio": "audio"}


def _pixels(item: Document, name: str) -> int:
    size = count_of(item, name)
    return size if size <= 20_000 else 0


def _focus(value: object) -> tuple[float, float]:
    if not isinstance(value, list) or len(value) != 2:
        return (0.0, 0.0)
    if not all(type(number) in (int, float) and -1 <= number <= 1 for number in value):
        return (0.0, 0.0)
    return (float(value[0]), float(value[1]))


def _poll(document: Document, now: Millis) -> PeerPoll | None:
    multiple = "anyOf" in document
    options = []
    for item in listed(document.get("anyOf" if multiple else "oneOf"), limits.JSON_ARRAY)[: limits.POLL_OPTIONS_KEPT]:
        if isinstance(item, dict):
            replies = item.get("replies")
            votes = count_of(replies, "totalItems") if isinstance(replies, dict) else 0
            options.append((text_of(item, "name", 500), votes))
    if not options:
        return None
    closed = document.get("closed")
    return PeerPoll(
        multiple=multiple,
        options=tuple(options),
        closes=later_moment_of(document, "endTime") or moment_of(document, "closed", now),
        closed=closed is True or (isinstance(closed, str) and (moment_of(document, "closed", now) or now + 1) <= now),
        voters=count_of(document, "votersCount"),
    )


# ── what only medfed says ────────────────────────────────────────────────────────────────────────────────────

_TOKEN: Final = "medfed:"  # noqa: S105
_NEVER: Final = "?"
"""No assurance is this."""


def _requirement(document: Document) -> Requirement | None:
    """The audiencePolicy of a restricted object. One that we cannot read is met by nobody: it fails closed."""
    policy = document.get("audiencePolicy")
    if policy is None:
        for name in document:
            if name.endswith((":audiencePolicy", "#audiencePolicy")):
                return Requirement(min_assurance=_NEVER)
        return None
    if not isinstance(policy, dict):
        return Requirement(min_assurance=_NEVER)
    least = policy.get("minAssurance", "low")
    return Requirement(
        professions=_tokens(policy, "profession"),
        specialties=_tokens(policy, "specialty"),
        # Whole, never cut: "AUT" is not Australia.
        countries=tuple(str(item)[:60] for item in listed(policy.get("jurisdictions"), 300)),
        min_assurance=least[:20] if isinstance(least, str) else _NEVER,
    )


def _tokens(policy: Document, name: str) -> tuple[str, ...]:
    """The codes of a property. An empty list, like an absent one, is any; what is in it and makes no sense, none."""
    return tuple(str(item)[:60].removeprefix(_TOKEN) for item in listed(policy.get(name), 300))


def requirement_document(requires: Requirement) -> dict[str, object]:
    """The audiencePolicy of a restricted object of ours."""
    policy: dict[str, object] = {"minAssurance": requires.min_assurance}
    if requires.professions:
        policy["profession"] = [_TOKEN + code for code in requires.professions]
    if requires.specialties:
        policy["specialty"] = [_TOKEN + code for code in requires.specialties]
    if requires.countries:
        policy["jurisdictions"] = list(requires.countries)
    return policy


def _case(document: Document) -> Document | None:
    case = document.get("case")
    return case if isinstance(case, dict) else None
