"""What a peer's group passes on: each activity is read as what its own actor said, once that is proven (FEP-1b12).

A group's signature proves what the group does: which posts it has, and which no longer. What its members say needs
a proof of their own: that they live on the group's server, whose word it is then; their proof on the activity
(FEP-8b32); or that their own server shows the same when it is asked. What is merely embedded is never believed (D10).
"""

from typing import Final

from medfed.activitypub.uris import same_origin
from medfed.activitypub.wire import Activity, read_activity, read_post, reference
from medfed.domain.accounts import Account
from medfed.domain.posts import Post
from medfed.inbox.admit import Admitted
from medfed.inbox.resolve import Fetchers, Resolved, Said
from medfed.kernel.errors import BadProof, OriginMismatch, PolicyRefusal
from medfed.posts.fetch import Budget

ABOUT_POSTS: Final = frozenset({"Create", "Update", "Delete", "Like", "EmojiReact", "Dislike", "PollVote", "Undo"})
"""What of all that members do is taken from a group."""

IN_GROUPS: Final = ABOUT_POSTS | frozenset({"Add", "Remove", "Block", "Lock", "Flag", "Announce", "Follow"})
"""What groups of peers are known to pass on."""


async def passed_on(fetchers: Fetchers, admitted: Admitted) -> Resolved:
    """Read what a group passes on, and find the proof of it.

    Raises PolicyRefusal, Malformed, OriginMismatch, RemoteFailure, NotFound.
    """
    group = admitted.actor
    if group.kind != "Group":
        raise PolicyRefusal("only a group passes on what others do")
    activity = read_activity(admitted.activity.object or {})
    if activity.kind not in ABOUT_POSTS:
        return Resolved()
    if activity.kind == "Create":
        return await _brought(fetchers, group, activity)
    if is_restored(activity):
        undone = reference((activity.object or {}).get("object"))
        return Resolved(post=await fetchers.posts.known(undone))
    known = await fetchers.posts.known(activity.object_id)
    if fetchers.here.uris.is_ours(activity.actor):
        return Resolved(post=known)
    if activity.kind == "Update":
        return await _changed(fetchers, group, activity) if known is not None else Resolved()
    if activity.kind == "Delete":
        return Resolved(post=known, said_by=await _withdrawn(fetchers, group, activity, known) if known else None)
    return Resolved(post=known, said_by=await _said(fetchers, group, activity))


def is_restored(activity: Activity) -> bool:
    """Whether a group has a post again that a moderator had taken out of it; who wrote it is not asked."""
    return activity.kind == "Undo" and activity.object_kind == "Delete"


async def _brought(fetchers: Fetchers, group: Account, activity: Activity) -> Resolved:
    """The post that a Create is about: as it arrived if that proves itself, else from its own server."""
    uri = activity.object_id
    known = await fetchers.posts.known(uri)
    if known is not None or fetchers.here.uris.is_ours(uri):
        return Resolved(post=known)
    author = await _proven(fetchers, group, activity)
    if author is None or activity.object is None:
        return Resolved(post=await fetchers.posts.post(uri))
    said, budget = read_post(activity.object, fetchers.here.now()), Budget()
    if said.author != author.uri:
        raise OriginMismatch("the object is not by the activity's actor")
    if said.is_vote:
        return Resolved()
    await fetchers.posts.ancestors(said.in_reply_to, budget)
    return Resolved(post=await fetchers.posts.keep(said, budget) or await fetchers.posts.known(uri))


async def _changed(fetchers: Fetchers, group: Account, activity: Activity) -> Resolved:
    """New words of a post that we have: as they arrived if they prove themselves, else from its own server."""
    author, budget = await _proven(fetchers, group, activity), Budget()
    if author is None or activity.object is None:
        author = await fetchers.lookup.actor(activity.actor)
        said = await fetchers.posts.read(activity.object_id, budget)
    else:
        said = read_post(activity.object, fetchers.here.now())
    if said.author != author.uri or said.id != activity.object_id:
        raise OriginMismatch("the object is not by the activity's actor")
    around = await fetchers.posts.around(said, budget)
    return Resolved(said=said, around=around, said_by=Said(actor=author, activity=activity))


async def _withdrawn(fetchers: Fetchers, group: Account, activity: Activity, known: Post) -> Said | None:
    """Who deletes a post; None when it is still where it was written: then only the group has let go of it."""
    actor = await _proven(fetchers, group, activity)
    if actor is not None:
        return Said(actor=actor, activity=activity)
    actor = await fetchers.lookup.known(activity.actor)
    if actor is None or not same_origin(activity.object_id, activity.actor):
        return None
    gone = await fetchers.posts.is_gone(activity.object_id, certain=not known.is_open)
    return Said(actor=actor, activity=activity) if gone else None


async def _said(fetchers: Fetchers, group: Account, activity: Activity) -> Said:
    """Who did what was passed on, and what they did, as their own server shows it if nothing else proves it."""
    actor = await _proven(fetchers, group, activity)
    if actor is not None:
        return Said(actor=actor, activity=activity)
    if await _is_undone(fetchers, activity):
        return Said(actor=await fetchers.lookup.actor(activity.actor), activity=activity)
    shown = await fetchers.posts.activity(activity.id)
    if (shown.kind, shown.actor, shown.object_id) != (activity.kind, activity.actor, activity.object_id):
        raise OriginMismatch("its own server shows another activity")
    return Said(actor=await fetchers.lookup.actor(shown.actor), activity=shown)


async def _is_undone(fetchers: Fetchers, activity: Activity) -> bool:
    """Whether what is undone is gone, says the server of who did it: what has no proof, its Undo has none either."""
    if activity.kind != "Undo" or not same_origin(activity.object_id, activity.actor):
        return False
    return await fetchers.posts.is_gone(activity.object_id, certain=True)


async def _proven(fetchers: Fetchers, group: Account, activity: Activity) -> Account | None:
    """The actor of an activity that proves itself as it arrived; None when its own server has to be asked."""
    if same_origin(activity.actor, group.uri):
        return await fetchers.lookup.actor(activity.actor)
    if "proof" not in activity.document:
        return None
    try:
        return await fetchers.identifier.proven(activity)
    except BadProof:
        return None
