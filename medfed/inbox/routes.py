"""Every activity this server understands: one line a kind. FEDERATION.md's table is made from this one."""

from dataclasses import dataclass
from typing import Final

from medfed.activitypub.wire import Activity
from medfed.domain.accounts import KINDS
from medfed.inbox import resolve
from medfed.inbox.handlers import actors, credentials, groups, interactions, posts, reactions, relations
from medfed.inbox.handling import Handler, Resolver
from medfed.inbox.passed_on import IN_GROUPS, passed_on

ACTORS: Final = KINDS
CREDENTIALS: Final = frozenset({"VerifiableCredential"})
ANY: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Receives:
    """An activity, the kinds of embedded object it is for (ANY: all, and none), and what is done about it."""

    activity: str
    object: frozenset[str]
    apply: Handler
    resolve: Resolver = resolve.nothing


def _receives(activity: str, kinds: frozenset[str], apply: Handler, fetch: Resolver = resolve.nothing) -> Receives:
    return Receives(activity=activity, object=kinds, apply=apply, resolve=fetch)


ROUTES: Final = (
    _receives("Create", ANY, posts.create, resolve.post),
    _receives("Update", ACTORS, credentials.update_actor, resolve.actor),
    _receives("Update", CREDENTIALS, credentials.update_list),
    _receives("Update", ANY, posts.update, resolve.post),
    _receives("Delete", ANY, credentials.delete),
    _receives("Add", ANY, credentials.add, resolve.added),
    _receives("Remove", ANY, credentials.remove),
    _receives("Follow", ANY, relations.follow),
    _receives("Offer", ANY, credentials.offer),
    _receives("CredentialRequest", ANY, credentials.request),
    _receives("Accept", ANY, interactions.accept),
    _receives("Reject", ANY, interactions.reject),
    _receives("Block", ANY, relations.block),
    _receives("Move", ANY, relations.move, resolve.destination),
    _receives("Like", ANY, reactions.like),
    _receives("EmojiReact", ANY, reactions.like),
    _receives("Dislike", ANY, reactions.dislike),
    _receives("PollVote", ANY, posts.poll_vote),
    _receives("Announce", IN_GROUPS, groups.passed_on, passed_on),
    _receives("Announce", ANY, reactions.announce, resolve.boosted),
    _receives("QuoteRequest", ANY, interactions.request),
    _receives("LikeRequest", ANY, interactions.request),
    _receives("ReplyRequest", ANY, interactions.request),
    _receives("AnnounceRequest", ANY, interactions.request),
    _receives("Undo", frozenset({"Follow"}), relations.undo_follow),
    _receives("Undo", frozenset({"Block"}), relations.undo_block),
    _receives("Undo", frozenset({"Accept"}), relations.undo_accept),
    _receives("Undo", frozenset({"Like", "EmojiReact"}), reactions.undo_like),
    _receives("Undo", frozenset({"Dislike"}), reactions.undo_dislike),
    _receives("Undo", frozenset({"Announce"}), reactions.undo_announce),
    _receives("Undo", ANY, reactions.undo_by_id),
    _receives("Flag", ANY, actors.flag),
)


def route(activity: Activity) -> Receives | None:
    """The line for an activity: the first that names its kind of object, else one that takes any."""
    kind = activity.object_kind
    return next(
        (line for line in ROUTES if line.activity == activity.kind and (kind in line.object or not line.object)),
        None,
    )
