"""Mastodon's entities as JSON objects, each made from facts that were gathered beforehand. No storage here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Final, Literal, TypeAlias

from medfed.activitypub.here import Here
from medfed.domain.accounts import Account, Member, ProfileField
from medfed.domain.cases import Case
from medfed.domain.codes import PROFESSIONS, SPECIALTIES, Language
from medfed.domain.credentials import Credential, CredentialState
from medfed.domain.emoji import Emoji
from medfed.domain.interactions import QUOTE_CHOICES, Leave, QuoteChoice, Rule, known_as
from medfed.domain.notifications import GROUPED, Notification
from medfed.domain.posts import AS_PUBLIC, Attachment, Mention, Poll, Post, Requirement, Visibility
from medfed.domain.relations import Relationship
from medfed.kernel.clock import iso, iso_millis
from medfed.kernel.html import from_text, neutralise, safe_url
from medfed.kernel.ids import minted_at
from medfed.media.links import link, picture
from medfed.storage.moderation import Report
from medfed.storage.oauth import App

Entity: TypeAlias = dict[str, object]

ClientVisibility: TypeAlias = Literal["public", "unlisted", "private", "direct"]
VISIBILITIES: Final[Mapping[Visibility, ClientVisibility]] = {
    "public": "public",
    "unlisted": "unlisted",
    "followers": "private",
    "verified": "private",
    "group": "private",
    "direct": "direct",
}
"""Our words for audiences, in the words that clients know; `medfed.visibility` says which it really is."""
FROM_CLIENTS: Final[Mapping[str, Visibility]] = {
    "public": "public",
    "unlisted": "unlisted",
    "private": "followers",
    "followers": "followers",
    "direct": "direct",
    "verified": "verified",
}

_ROLES: Final[Mapping[str, str]] = {"moderator": "1048576", "admin": "1"}
_NAME: Final = 80


# ── accounts ─────────────────────────────────────────────────────────────────────────────────────────────────


def account(here: Here, account: Account, held: Sequence[Credential] = ()) -> Entity:
    """An account, with the attestations it shows; `held` is in the state it has now."""
    avatar = picture(here, account.id, account.avatar, local=account.local) or missing(here, "avatars")
    header = picture(here, account.id, account.header, local=account.local)
    if header and not account.local:
        header += "?header"
    header = header or missing(here, "headers")
    return {
        "id": str(account.id),
        "username": account.username,
        "acct": account.acct,
        "display_name": account.display_name,
        "locked": account.locked,
        "bot": account.kind in ("Service", "Application"),
        "discoverable": account.discoverable,
        "indexable": False,
        "noindex": True,
        "group": account.kind == "Group",
        "created_at": iso_millis(account.created_at),
        "note": account.summary,
        "url": account.url or account.uri,
        "uri": account.uri,
        "avatar": avatar,
        "avatar_static": avatar,
        "avatar_description": "",
        "header": header,
        "header_static": header,
        "header_description": "",
        "followers_count": account.followers_count,
        "following_count": account.following_count,
        "statuses_count": account.posts_count,
        "last_status_at": _day(account.last_post_at),
        "hide_collections": False,
        "emojis": custom_emojis(here, account.emojis),
        "roles": [],
        "fields": [*_attested(here, held), *(_field(here, account, one) for one in account.fields)],
        "medfed": {"kind": account.kind.lower(), "attestations": [attestation(one) for one in held]},
    } | ({"suspended": True} if account.suspended_at is not None else {})


def custom_emojis(here: Here, named: Sequence[Emoji]) -> list[Entity]:
    """Pictures that a peer's text names, through us."""
    return [
        {
            "shortcode": each.shortcode,
            "url": here.uris.media(f"emoji/{each.id}"),
            "static_url": here.uris.media(f"emoji/{each.id}"),
            "visible_in_picker": False,
        }
        for each in named
    ]


def missing(here: Here, what: str) -> str:
    """What stands in for a picture that there is not: clients want a URL."""
    return f"{here.uris.base}/{what}/original/missing.png"


def _day(at: int | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d")


def _field(here: Here, owner: Account, one: ProfileField) -> Entity:
    value = linked(here, one.value) if owner.local else one.value
    return {"name": one.name, "value": value, "verified_at": None}


def linked(here: Here, typed: str) -> str:
    """What a member typed into a profile as HTML: its URLs and hashtags become links."""
    return from_text(typed, mention=lambda _name, _domain: None, hashtag=here.uris.tag)


def _attested(here: Here, held: Sequence[Credential]) -> list[Entity]:
    """Recognised attestations as verified fields, which every client shows with a tick and a date."""
    language: Language = "fr" if here.languages[:1] == ("fr",) else "en"
    return [
        {
            "name": _claimed(one, language),
            "value": _issued_by(here, one, language),
            "verified_at": iso_millis(one.claim.valid_from),
        }
        for one in held
        if one.state is CredentialState.TRUSTED
    ]


def _claimed(one: Credential, language: Language) -> str:
    known = [SPECIALTIES[code].holder(language) for code in one.claim.specialties if code in SPECIALTIES]
    if known:
        return known[0]
    profession = PROFESSIONS.get(one.claim.profession)
    return profession.label(language) if profession else one.claim.types[-1]


def _issued_by(here: Here, one: Credential, language: Language) -> str:
    words = "attesté par" if language == "fr" else "attested by"
    name = escape(neutralise(one.claim.issuer_name, _NAME) or one.claim.issuer)
    href = escape(safe_url(one.claim.uri) or here.uris.base)
    return f'{words} <a href="{href}" rel="nofollow noopener noreferrer" target="_blank">{name}</a>'


def attestation(one: Credential) -> Entity:
    """An attestation whole: what it says, where it stands here, and why."""
    claim = one.claim
    return {
        "id": str(one.id),
        "uri": claim.uri,
        "issuer": claim.issuer,
        "issuer_name": neutralise(claim.issuer_name, _NAME),
        "types": list(claim.types),
        "profession": claim.profession or None,
        "specialty": claim.specialties[0] if claim.specialties else None,
        "specialties": list(claim.specialties),
        "country": claim.country or None,
        "assurance": one.assurance if one.state is CredentialState.TRUSTED else claim.supported_assurance,
        "valid_from": iso(claim.valid_from),
        "valid_until": iso(claim.valid_until),
        "state": one.state.value,
        "reason": one.reason.text,
        "reason_code": one.reason.code,
        "path": [{"did": step.did, "name": neutralise(step.name, _NAME), "role": step.role} for step in one.path],
    }


def own_account(here: Here, member: Member, held: Sequence[Credential], *, requests: int) -> Entity:
    """The account of the member who asks, with what only they see."""
    own = member.account
    return account(here, own, held) | {
        "source": {
            "privacy": default_visibility(member),
            "sensitive": bool(member.preferences.get("sensitive", False)),
            "language": default_language(member),
            "note": own.summary_source,
            "fields": [{"name": one.name, "value": one.value, "verified_at": None} for one in own.fields],
            "follow_requests_count": requests,
            "hide_collections": False,
            "discoverable": own.discoverable,
            "indexable": False,
            "attribution_domains": [],
            "quote_policy": default_quotes(member),
        },
        "role": role(member),
    }


def role(member: Member) -> Entity:
    """A member's role, in Mastodon's terms; the name is ours."""
    permissions = _ROLES.get(member.role, "0")
    return {
        "id": "-99" if permissions == "0" else permissions,
        "name": member.role if member.role != "member" else "",
        "permissions": permissions,
        "color": "",
        "highlighted": False,
    }


def default_visibility(member: Member) -> str:
    """How a member's posts are addressed unless they say otherwise."""
    wanted = str(member.preferences.get("visibility", "public"))
    return VISIBILITIES[FROM_CLIENTS.get(wanted, "public")]


def default_quotes(member: Member) -> QuoteChoice:
    """Who may quote a member's posts unless they say otherwise: nobody, until the member says so."""
    wanted = member.preferences.get("quotes")
    return next((choice for choice in QUOTE_CHOICES if choice == wanted), "nobody")


def default_language(member: Member) -> str | None:
    """The language that a member writes in."""
    return str(member.preferences.get("language") or member.language) or None


def preferences(member: Member) -> Entity:
    """What clients start from."""
    return {
        "posting:default:visibility": default_visibility(member),
        "posting:default:sensitive": bool(member.preferences.get("sensitive", False)),
        "posting:default:language": default_language(member),
        "posting:default:quote_policy": default_quotes(member),
        "reading:expand:media": "default",
        "reading:expand:spoilers": False,
        "reading:autoplay:gifs": False,
    }


def relationship(one: Relationship) -> Entity:
    """What there is between the member and an account."""
    return {
        "id": str(one.account_id),
        "following": one.following,
        "showing_reblogs": one.showing_boosts,
        "notifying": one.notifying,
        "languages": None,
        "followed_by": one.followed_by,
        "blocking": one.blocking,
        "blocked_by": one.blocked_by,
        "muting": one.muting,
        "muting_notifications": one.muting_notifications,
        "muting_expires_at": None,
        "requested": one.requested,
        "requested_by": one.requested_by,
        "domain_blocking": False,
        "endorsed": False,
        "note": "",
    }


# ── statuses ─────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What belongs to one post, as the viewer sees it."""

    author: Entity
    mentions: Sequence[Mention] = ()
    attachments: Sequence[Attachment] = ()
    poll: Poll | None = None
    own_votes: Sequence[int] = ()
    case: Case | None = None
    liked: bool = False
    boosted: bool = False
    kept: bool = False
    pinned: bool = False
    mine: bool = False
    viewer_id: int | None = None
    reblog: Entity | None = None
    quote: Entity | None = None
    quotes: int = 0
    quote_leave: Leave = "none"
    followers_uri: str = ""
    following_uri: str = ""


def status(here: Here, post: Post, parts: Parts) -> Entity:
    """A post, or a boost, as a status."""
    shown: Entity = {
        "id": str(post.id),
        "created_at": iso_millis(post.published_at),
        "in_reply_to_id": _id(post.in_reply_to_id),
        "in_reply_to_account_id": _id(post.in_reply_to_account_id),
        "sensitive": post.sensitive,
        "spoiler_text": post.spoiler,
        "visibility": VISIBILITIES[post.visibility],
        "language": post.language or None,
        "uri": post.uri,
        "url": post.url or post.uri,
        "replies_count": post.replies_count,
        "reblogs_count": post.boosts_count,
        "favourites_count": post.likes_count,
        "quotes_count": parts.quotes,
        "edited_at": iso_millis(post.edited_at) if post.edited_at is not None else None,
        "content": post.content,
        "reblog": parts.reblog,
        "application": None,
        "account": parts.author,
        "media_attachments": [
            media(here, one, restricted_to=None if post.is_open else parts.viewer_id) for one in parts.attachments
        ],
        "mentions": [_mention(here, one) for one in parts.mentions if not one.silent],
        "tags": [{"name": tag, "url": here.uris.tag(tag)} for tag in post.tags],
        "emojis": custom_emojis(here, post.emojis),
        "card": None,
        "quote": parts.quote,
        "quote_approval": quote_approval(post, parts),
        "interaction_policy": interaction_policy(post, parts),
        "poll": poll(here, parts.poll, post, parts) if parts.poll is not None else None,
        "medfed": {
            "visibility": post.visibility,
            "requires": requirement(post.requires),
            "held": post.permit if post.is_held else None,
            "case": case_summary(parts.case) if parts.case is not None else None,
        },
    }
    if parts.viewer_id is not None:
        shown |= {
            "favourited": parts.liked,
            "reblogged": parts.boosted,
            "bookmarked": parts.kept,
            "muted": False,
            "filtered": [],
        }
    if parts.mine:
        shown["pinned"] = parts.pinned
    return shown


_MAY_QUOTE: Final[Mapping[Leave, str]] = {
    "free": "automatic",
    "known": "automatic",
    "asked": "manual",
    "none": "denied",
}


def quote_approval(post: Post, parts: Parts) -> Entity:
    """Who may quote a post, and whether the viewer may."""
    rule = post.policy.quote if post.is_open else None
    named = _named(rule or Rule(), parts)
    return {"automatic": named[0], "manual": named[1], "current_user": _MAY_QUOTE[parts.quote_leave]}


def interaction_policy(post: Post, parts: Parts) -> Entity:
    """Who may do the rest, as GoToSocial says it."""
    shown: Entity = {}
    for name, rule in (
        ("can_favourite", post.policy.like),
        ("can_reply", post.policy.reply),
        ("can_reblog", post.policy.boost),
    ):
        automatic, manual = _named(rule or Rule(automatic=(AS_PUBLIC,)), parts)
        shown[name] = {"automatic_approval": automatic, "manual_approval": manual}
    return shown


def _named(rule: Rule, parts: Parts) -> tuple[list[str], list[str]]:
    """A rule in words; that the author may goes without saying."""
    said = [
        known_as(
            [uri for uri in uris if uri != parts.author["uri"]],
            followers=parts.followers_uri,
            following=parts.following_uri,
        )
        for uris in (rule.automatic, rule.manual)
    ]
    return said[0], said[1]


def _id(id_: int | None) -> str | None:
    return None if id_ is None else str(id_)


def _mention(here: Here, one: Mention) -> Entity:
    username, _, domain = one.handle.partition("@")
    return {
        "id": str(one.account_id),
        "username": username,
        "url": one.url or one.uri,
        "acct": username if domain == here.domain else one.handle,
    }


def requirement(one: Requirement | None) -> Entity | None:
    """What a reader must be attested as."""
    if one is None:
        return None
    return {
        "professions": list(one.professions),
        "specialties": list(one.specialties),
        "countries": list(one.countries),
        "min_assurance": one.min_assurance,
    }


def case_summary(case: Case) -> Entity:
    """What a list shows of a case."""
    return {
        "id": str(case.id),
        "title": case.title,
        "stage": case.stage,
        "specialties": list(case.specialties),
        "audience": case.audience,
        "accepted_status_id": _id(case.accepted_post_id),
    }


def media(here: Here, one: Attachment, *, restricted_to: int | None) -> Entity:
    """A file; links to what is not for everybody are for one account, and expire."""
    url, preview = link(here, one, restricted_to=restricted_to)
    meta: Entity = {}
    if one.width and one.height:
        original = {
            "width": one.width,
            "height": one.height,
            "size": f"{one.width}x{one.height}",
            "aspect": one.width / one.height,
        }
        meta = {"original": original, "small": original}
    meta["focus"] = {"x": one.focus_x, "y": one.focus_y}
    return {
        "id": str(one.id),
        "type": one.kind,
        "url": url,
        "preview_url": preview,
        "remote_url": one.remote_url or None,
        "preview_remote_url": None,
        "text_url": None,
        "meta": meta,
        "description": one.description or None,
        "blurhash": one.blurhash or None,
    }


def poll(here: Here, one: Poll, post: Post, parts: Parts) -> Entity:
    """A question with its answers; its id is that of its post."""
    shown: Entity = {
        "id": str(post.id),
        "expires_at": iso_millis(one.closes_at) if one.closes_at is not None else None,
        "expired": one.is_closed(here.now()),
        "multiple": one.multiple,
        "votes_count": sum(option.votes for option in one.options),
        "voters_count": one.voters_count,
        "options": [{"title": option.title, "votes_count": option.votes} for option in one.options],
        "emojis": custom_emojis(here, post.emojis),
    }
    if parts.viewer_id is not None:
        shown |= {"voted": bool(parts.own_votes) or parts.mine, "own_votes": list(parts.own_votes)}
    return shown


# ── the rest ─────────────────────────────────────────────────────────────────────────────────────────────────


def notification(one: Notification, sender: Entity, shown: Entity | None, group: Entity | None = None) -> Entity:
    """One thing that happened."""
    entity: Entity = {
        "id": str(one.id),
        "type": one.kind,
        "created_at": iso_millis(one.created_at),
        "group_key": group_key(one),
        "account": sender,
    }
    if shown is not None:
        entity["status"] = shown
    if group is not None:
        entity["medfed"] = {"group": group}
    return entity


def group_key(one: Notification) -> str:
    """Likes and boosts of one post belong together; everything else stands alone."""
    if one.kind in GROUPED and one.post_id is not None:
        return f"{one.kind}-{one.post_id}"
    return f"ungrouped-{one.id}"


def marker(row: Mapping[str, object]) -> Entity:
    """How far a member has read."""
    return {
        "last_read_id": str(row["last_read"]),
        "version": row["version"],
        "updated_at": iso_millis(int(str(row["updated_at"]))),
    }


def tag(here: Here, name: str) -> Entity:
    """A hashtag; who used it when is not counted."""
    return {"id": name, "name": name, "url": here.uris.tag(name), "history": [], "following": False, "featuring": False}


def report(one: Report, target: Entity, status_ids: Sequence[int]) -> Entity:
    """A report, as whoever made it sees it."""
    return {
        "id": str(one.id),
        "action_taken": one.resolved_at is not None,
        "action_taken_at": iso_millis(one.resolved_at) if one.resolved_at is not None else None,
        "category": one.category,
        "comment": one.comment,
        "forwarded": one.forwarded,
        "created_at": iso_millis(one.created_at),
        "status_ids": [str(id_) for id_ in status_ids],
        "rule_ids": [],
        "collection_ids": None,
        "target_account": target,
    }


def app(one: App, secret: str | None = None) -> Entity:
    """A client application; its secret is shown once, when it is registered."""
    shown: Entity = {
        "id": str(one.id),
        "name": one.name,
        "website": one.website or None,
        "scopes": one.scopes.split(),
        "redirect_uris": list(one.redirect_uris),
        "redirect_uri": "\n".join(one.redirect_uris),
        "vapid_key": "",
        "created_at": iso_millis(minted_at(one.id)),
    }
    if secret is not None:
        shown |= {"client_id": one.client_id, "client_secret": secret, "client_secret_expires_at": 0}
    return shown
