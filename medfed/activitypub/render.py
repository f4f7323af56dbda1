"""Our records as the documents that we send."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from medfed.activitypub import contexts
from medfed.activitypub.keys import stored_key
from medfed.activitypub.uris import NAMESPACE, Uris
from medfed.activitypub.wire import requirement_document
from medfed.domain.accounts import Account, AccountKey
from medfed.domain.cases import Case
from medfed.domain.groups import Group
from medfed.domain.interactions import Rule
from medfed.domain.posts import AS_PUBLIC, Addressing, Attachment, Mention, Poll, Post, Quote, addressing
from medfed.kernel.clock import Millis, iso
from medfed.kernel.html import line_from_text, quote_line

Rendered: TypeAlias = dict[str, object]

_IMPLEMENTS: Final = (
    ("https://datatracker.ietf.org/doc/html/rfc9421", "RFC-9421: HTTP Message Signatures"),
    (f"{NAMESPACE}attestations-v1", "Practitioner attestations v1"),
)


def with_context(document: Mapping[str, object], context: Sequence[object] = contexts.ACTIVITY) -> Rendered:
    """A document that stands alone."""
    return {"@context": list(context), **document}


# ── actors ───────────────────────────────────────────────────────────────────────────────────────────────────


def actor(
    uris: Uris,
    account: Account,
    keys: Sequence[AccountKey],
    *,
    now: Millis,
    summary: str = "",
    group: Group | None = None,
) -> Rendered:
    """A local account's actor document; `keys` in the order in which they were made.

    `group`: what it has besides when it is a group's (FEP-1b12).
    """
    document: Rendered = {
        "id": account.uri,
        "type": account.kind,
        "preferredUsername": uris.domain if account.uri == uris.instance_actor else account.username,
        "name": account.name,
        "summary": account.summary or summary,
        "url": account.url,
        "inbox": account.inbox,
        "outbox": account.outbox,
        "followers": account.followers_uri,
        "following": account.following_uri,
        "endpoints": {"sharedInbox": account.shared_inbox},
        "manuallyApprovesFollowers": account.locked,
        "discoverable": account.discoverable,
        "published": iso(account.created_at),
        "updated": iso(account.updated_at),
        **_keys(account, keys, now),
        "generator": {
            "type": "Application",
            "implements": [{"href": href, "name": name} for href, name in _IMPLEMENTS],
        },
    }
    if account.kind != "Application":
        document["featured"] = f"{account.uri}/featured"
        document["attestations"] = account.attestations_uri
    else:
        document["alsoKnownAs"] = [uris.did]
    if group is not None:
        if not group.closed:
            document["attributedTo"] = uris.moderators(account.uri)
        document["postingRestrictedToMods"] = group.moderated
    return with_context(document | _optional(uris, account), contexts.ACTOR)


def _optional(uris: Uris, account: Account) -> Rendered:
    found: Rendered = {}
    if account.avatar:
        found["icon"] = {"type": "Image", "url": uris.media(account.avatar)}
    if account.header:
        found["image"] = {"type": "Image", "url": uris.media(account.header)}
    if account.fields:
        found["attachment"] = [
            {"type": "PropertyValue", "name": field.name, "value": line_from_text(field.value)}
            for field in account.fields
        ]
    if account.also_known_as:
        found["alsoKnownAs"] = list(account.also_known_as)
    if account.moved_to:
        found["movedTo"] = account.moved_to
    return found


def _keys(account: Account, keys: Sequence[AccountKey], now: Millis) -> Rendered:
    """The newest RSA key is the `publicKey`: one object, for many peers read no list there.

    What else is still valid is listed as a Multikey (FEP-521a), newest first; what was stolen is named outside any
    purpose, with when (Controlled Identifiers 1.0, 2.2): who reads no `revoked` must not take it for good.
    """
    newest_first = [key for key in reversed(keys) if key.is_shown(now)]
    rsa = [key for key in newest_first if key.kind == "rsa"]
    others = [key for key in newest_first if key.kind == "ed25519"] + rsa[1:]
    document: Rendered = {"assertionMethod": [_multikey(account, key) for key in others]}
    if rsa:
        document["publicKey"] = {"id": rsa[0].uri, "owner": account.uri, "publicKeyPem": rsa[0].public}
    revoked = [_multikey(account, key) | {"revoked": iso(key.revoked_at)} for key in keys if key.revoked_at is not None]
    if revoked:
        document["verificationMethod"] = revoked
    return document


def _multikey(account: Account, key: AccountKey) -> Rendered:
    multikey = stored_key(key).multikey
    return {"id": key.uri, "type": "Multikey", "controller": account.uri, "publicKeyMultibase": multikey}


# ── posts ────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A post with all that is needed to show it to a peer."""

    post: Post
    author: Account
    mentions: Sequence[Mention] = ()
    attachments: Sequence[Attachment] = ()
    poll: Poll | None = None
    case: Case | None = None
    accepted_uri: str = ""
    members_uri: str = ""
    """The followers of the closed group that it is for."""
    context_uri: str = ""
    """The collection of the conversation, on the server of its first post (FEP-7888)."""
    quote: Quote | None = None
    quoted_url: str = ""
    """The page of what is quoted."""


def addressees(whole: Whole) -> Addressing:
    """Whom a post of ours is addressed to."""
    return addressing(
        whole.post.visibility,
        followers_uri=whole.author.followers_uri,
        mentions=[mention.uri for mention in whole.mentions],
        audience_uri=whole.members_uri or whole.post.audience_uri,
    )


def post(uris: Uris, whole: Whole) -> Rendered:
    """A local post as an object, without a context of its own."""
    said, to = whole.post, addressees(whole)
    content = quote_line(whole.quoted_url, said.content) + said.content
    document: Rendered = {
        "id": said.uri,
        "type": said.kind,
        "attributedTo": whole.author.uri,
        "content": content,
        "url": said.url,
        "published": iso(said.published_at),
        "to": list(to.to),
        "cc": list(to.cc),
        "sensitive": said.sensitive,
        "tag": [*_mention_tags(whole.mentions), *_hashtags(uris, said.tags)],
        "attachment": [_attachment(uris, item) for item in whole.attachments],
        "replies": uris.replies(said.uri),
    }
    document["interactionPolicy"] = _interactions(whole, to)
    document |= audience(whole.mentions)
    optional = {
        "contentMap": {said.language: content} if said.language else None,
        "summary": said.spoiler,
        "inReplyTo": said.in_reply_to_uri,
        "context": whole.context_uri,
        "updated": iso(said.edited_at) if said.edited_at is not None else None,
        "name": said.title,
        "audiencePolicy": requirement_document(said.requires) if said.requires is not None else None,
        "replyAuthorization": "" if said.is_held else said.permit,
    }
    document |= {name: value for name, value in optional.items() if value}
    if whole.poll is not None:
        document |= _poll(whole.poll)
    if whole.case is not None:
        document["case"] = case(whole.case, whole.accepted_uri)
    if whole.quote is not None:
        document |= _quote(whole.quote)
    return document


def _quote(quote: Quote) -> Rendered:
    """What is quoted. Servers that show a quote without asking are told only when its author has agreed (FEP-044f)."""
    document: Rendered = {"quote": quote.quoted_uri}
    if quote.state == "accepted":
        document |= {"quoteUri": quote.quoted_uri, "_misskey_quote": quote.quoted_uri}
        if quote.stamp_uri:
            document["quoteAuthorization"] = quote.stamp_uri
    return document


def audience(mentions: Sequence[Mention]) -> Rendered:
    """The groups that something is written into: Lemmy and its kin look for them here (FEP-1b12)."""
    groups = [mention.uri for mention in mentions if mention.group]
    return {"audience": groups[0] if len(groups) == 1 else groups} if groups else {}


def _interactions(whole: Whole, to: Addressing) -> Rendered:
    """Who may do what with a post: what its author says, else whoever may read it may like and answer it.

    What is open is passed on by anybody, what is closed by nobody else, and that is never quoted (D17). The author, and
    for answers who is mentioned, may in any case; GoToSocial wants them named. Who is in a closed group only the group
    knows: what the author of a post in one does not narrow is not said.
    """
    policy, author, is_open = whole.post.policy, whole.author.uri, whole.post.is_open
    readers = Rule(automatic=(AS_PUBLIC,) if is_open else (*to.to, *to.cc))
    mentioned = [mention.uri for mention in whole.mentions]
    said = {
        "canLike": _rule(policy.like or readers, author),
        "canReply": _rule(policy.reply or readers, author, *mentioned),
        "canAnnounce": _rule(policy.boost or readers if is_open else Rule(), author),
        "canQuote": _rule(policy.quote or Rule() if is_open else Rule(), author),
    }
    unsaid = {"canLike": policy.like, "canReply": policy.reply} if whole.post.visibility == "group" else {}
    return {name: rule for name, rule in said.items() if unsaid.get(name, Rule()) is not None}


def _rule(rule: Rule, *always: str) -> Rendered:
    automatic = rule.automatic if AS_PUBLIC in rule.automatic else dict.fromkeys((*always, *rule.automatic))
    return {"automaticApproval": list(automatic), "manualApproval": list(rule.manual)}


def case(record: Case, accepted_uri: str) -> Rendered:
    """The structure of a case, for peers that understand it; everybody else reads the content."""
    document: Rendered = {
        "stage": record.stage,
        "specialty": list(record.specialties),
        "presentation": record.presentation,
    }
    optional = {
        "ageBand": record.age_band,
        "sex": record.sex,
        "history": record.history,
        "examination": record.examination,
        "investigations": record.investigations,
        "question": record.question,
        "outcome": record.outcome,
        "consent": record.consent_basis,
        "accepted": accepted_uri,
    }
    return document | {name: value for name, value in optional.items() if value}


def _mention_tags(mentions: Sequence[Mention]) -> list[Rendered]:
    return [
        {"type": "Mention", "href": mention.uri, "name": f"@{mention.handle}"}
        for mention in mentions
        if not mention.silent
    ]


def _hashtags(uris: Uris, tags: Sequence[str]) -> list[Rendered]:
    return [{"type": "Hashtag", "href": uris.tag(tag), "name": f"#{tag}"} for tag in tags]


def _attachment(uris: Uris, item: Attachment) -> Rendered:
    document: Rendered = {
        "type": "Image" if item.kind == "image" else "Document",
        "mediaType": item.mime,
        "url": item.remote_url or uris.media(item.file_key),
        "name": item.description,
    }
    if item.width and item.height:
        document |= {"width": item.width, "height": item.height}
    if item.blurhash:
        document["blurhash"] = item.blurhash
    if (item.focus_x, item.focus_y) != (0.0, 0.0):
        document["focalPoint"] = [item.focus_x, item.focus_y]
    return document


def _poll(poll: Poll) -> Rendered:
    document: Rendered = {
        "anyOf" if poll.multiple else "oneOf": [
            {"type": "Note", "name": option.title, "replies": {"type": "Collection", "totalItems": option.votes}}
            for option in poll.options
        ],
        "votersCount": poll.voters_count,
    }
    if poll.closes_at is not None:
        document["endTime"] = iso(poll.closes_at)
        if poll.closed:
            document["closed"] = iso(poll.closes_at)
    return document


def tombstone(uri: str, deleted_at: int) -> Rendered:
    """What is left of a deleted object."""
    return with_context({"id": uri, "type": "Tombstone", "deleted": iso(deleted_at)})


# ── activities ───────────────────────────────────────────────────────────────────────────────────────────────


def activity(
    kind: str,
    *,
    id_: str,
    actor_uri: str,
    object_: object,
    to: Sequence[str] = (),
    cc: Sequence[str] = (),
    **more: Any,
) -> Rendered:
    """An activity. Without a context: `with_context` gives it one when it is sent."""
    document: Rendered = {"id": id_, "type": kind, "actor": actor_uri, "object": object_}
    if to:
        document["to"] = list(to)
    if cc:
        document["cc"] = list(cc)
    return document | more


def collection(
    id_: str, *, total: int, first: str = "", ordered: bool = True, items: Sequence[object] = ()
) -> Rendered:
    """A collection that says how much it holds and where to begin; `items` for a short one."""
    document: Rendered = {"id": id_, "type": "OrderedCollection" if ordered else "Collection", "totalItems": total}
    if first:
        document["first"] = first
    if items:
        document["orderedItems" if ordered else "items"] = list(items)
    return with_context(document)


def page(
    id_: str, *, part_of: str, items: Sequence[object], next_: str = "", prev: str = "", ordered: bool = True
) -> Rendered:
    """One page of a collection."""
    document: Rendered = {
        "id": id_,
        "type": "OrderedCollectionPage" if ordered else "CollectionPage",
        "partOf": part_of,
        "orderedItems" if ordered else "items": list(items),
    }
    if next_:
        document["next"] = next_
    if prev:
        document["prev"] = prev
    return with_context(document)
