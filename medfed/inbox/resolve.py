"""Fetches the strangers and threads that an activity refers to, before any transaction is open."""

from dataclasses import dataclass, field

from medfed.accounts.identify import Identifier
from medfed.accounts.lookup import Lookup
from medfed.activitypub.here import Here
from medfed.activitypub.uris import same_origin
from medfed.activitypub.wire import Activity, PeerPost, read_post
from medfed.domain.accounts import Account
from medfed.domain.posts import Post
from medfed.inbox.admit import Admitted
from medfed.instance import Instance
from medfed.kernel.errors import Malformed, NotFound, OriginMismatch, RemoteFailure
from medfed.posts.fetch import Budget, PostFetcher
from medfed.posts.receive import Around
from medfed.storage.database import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetchers:
    """What resolving may use."""

    here: Here
    store: Store
    lookup: Lookup
    posts: PostFetcher
    identifier: Identifier

    @classmethod
    def of(cls, instance: Instance) -> "Fetchers":
        """Those that ask other servers."""
        return cls(
            here=instance.here,
            store=instance.store,
            lookup=instance.lookup,
            posts=instance.posts,
            identifier=instance.identifier,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Evidence, made by `passed_on` alone: `actor` said the activity that a group passed on."""

    actor: Account
    activity: Activity


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """What was fetched for a handler."""

    said: PeerPost | None = None
    around: Around = field(default_factory=Around)
    post: Post | None = None
    account: Account | None = None
    said_by: Said | None = None


async def nothing(_fetchers: Fetchers, _admitted: Admitted) -> Resolved:
    """Most activities speak of what we already have."""
    return Resolved()


async def post(fetchers: Fetchers, admitted: Admitted) -> Resolved:
    """Read the object of a Create or Update, with the accounts it addresses and what it answers.

    An object given by id alone is fetched. Raises Malformed, OriginMismatch, RemoteFailure, NotFound.
    """
    activity, budget = admitted.activity, Budget()
    if activity.object is None:
        if not same_origin(activity.object_id, activity.actor):
            raise OriginMismatch("the object is not on its author's host")
        said = await fetchers.posts.read(activity.object_id, budget)
    else:
        said = read_post(activity.object, fetchers.here.now())
    if said.author != activity.actor:
        raise OriginMismatch("the object is not by the activity's actor")
    is_new = activity.kind == "Create" or await fetchers.posts.known(said.id) is None
    if is_new and not said.is_vote:
        await fetchers.posts.ancestors(said.in_reply_to, budget)
    return Resolved(said=said, around=await fetchers.posts.around(said, budget))


async def boosted(fetchers: Fetchers, admitted: Admitted) -> Resolved:
    """The post that an Announce passes on, from its own server; an embedded copy is never believed (D10)."""
    return Resolved(post=await fetchers.posts.post(admitted.activity.object_id))


async def added(fetchers: Fetchers, admitted: Admitted) -> Resolved:
    """An answer that the author's instance tells us of, from the server it was written on; or what was pinned."""
    activity = admitted.activity
    if activity.target_id and activity.target_id == admitted.actor.featured_uri:
        return await _pinned(fetchers, admitted)
    root = await fetchers.posts.known(activity.target_id.removesuffix("/replies"))
    if root is None or root.local or root.account_id != admitted.actor.id:
        return Resolved()
    try:
        return Resolved(post=await fetchers.posts.post(activity.object_id))
    except (NotFound, Malformed, OriginMismatch):
        return Resolved()


async def _pinned(fetchers: Fetchers, admitted: Admitted) -> Resolved:
    """What an actor has pinned, from its own server. A hashtag that it features is no post."""
    activity = admitted.activity
    if activity.object_kind == "Hashtag" or not same_origin(activity.object_id, activity.actor):
        return Resolved()
    try:
        return Resolved(post=await fetchers.posts.post(activity.object_id, quiet=True))
    except (NotFound, Malformed, OriginMismatch):
        return Resolved()


async def actor(fetchers: Fetchers, admitted: Admitted) -> Resolved:
    """An actor that says it has changed is fetched anew: what it sent is a hint (C10)."""
    try:
        await fetchers.lookup.refresh(admitted.actor.uri)
    except RemoteFailure:
        if admitted.actor.gone_at is None:
            raise
    return Resolved()


async def destination(fetchers: Fetchers, admitted: Admitted) -> Resolved:
    """The account that an actor says it has moved to: both are fetched anew, for each has to name the other (A10)."""
    target = admitted.activity.target_id
    if not target or target == admitted.actor.uri:
        return Resolved()
    await fetchers.lookup.refresh(admitted.actor.uri)
    if fetchers.here.uris.is_ours(target):
        return Resolved(account=await fetchers.lookup.known(target))
    return Resolved(account=await fetchers.lookup.refresh(target))
