"""Announce of an activity: a peer's group passes on what its members do (FEP-1b12)."""

from typing import Final

from medfed.activitypub.wire import Activity, read_activity
from medfed.domain.accounts import Account
from medfed.domain.peers import Level
from medfed.domain.posts import Post, visibility_of
from medfed.inbox.admit import Admitted, again, check_object
from medfed.inbox.handlers import posts as about_posts
from medfed.inbox.handlers import reactions as about_reactions
from medfed.inbox.handling import Handler, Handling
from medfed.inbox.passed_on import is_restored
from medfed.inbox.resolve import Resolved
from medfed.kernel.errors import PolicyRefusal
from medfed.posts import react
from medfed.posts.closed import tell_members
from medfed.storage import groups, posts, relations
from medfed.storage.database import Transaction, View

_APPLIED: Final[dict[str, Handler]] = {
    "Update": about_posts.update,
    "Like": about_reactions.like,
    "EmojiReact": about_reactions.like,
    "Dislike": about_reactions.dislike,
    "PollVote": about_posts.poll_vote,
    "Undo": about_reactions.undo_by_id,
}


async def passed_on(tx: Transaction, use: Handling, admitted: Admitted, resolved: Resolved) -> str:
    """What a member of a peer's group did takes effect as if they had told us; and the group has what it passes on."""
    activity = read_activity(admitted.activity.object or {})
    if activity.kind == "Create" or is_restored(activity):
        return await _brought(tx, use, admitted, resolved)
    if activity.kind == "Delete":
        return await _let_go(tx, use, admitted, resolved)
    apply = _APPLIED.get(activity.kind)
    if apply is None or resolved.said_by is None:
        return f"nothing to do: passed on {activity.what}"
    if admitted.level is Level.LIMITED and not await relations.has_local_follower(tx, admitted.actor.id):
        raise PolicyRefusal("a limited peer, and nobody here follows")
    said = _by(use, resolved.said_by.actor, resolved.said_by.activity)
    if apply is about_reactions.like and resolved.post is not None and await _is_its_own(tx, admitted, resolved.post):
        # Whether they may read it is for the group to know: we are not told who is in it elsewhere.
        return await about_reactions.like_of(tx, use, said, resolved.post)
    return await apply(tx, use, said, resolved)


async def _is_its_own(view: View, admitted: Admitted, post: Post) -> bool:
    """Whether a post is for the members of this closed group, which has it; its server may know who they are."""
    group = admitted.actor
    is_for_members = post.visibility == "group" and post.audience_uri == group.uri
    return is_for_members and admitted.level is Level.TRUSTED and group.id in await groups.of_post(view, post.id)


async def _brought(tx: Transaction, use: Handling, admitted: Admitted, resolved: Resolved) -> str:
    group, post = admitted.actor, resolved.post
    if post is None:
        return "no such post"
    is_for_members = post.visibility == "group" and post.audience_uri == group.uri
    if (not post.is_open and not is_for_members) or post.is_boost:
        raise PolicyRefusal("that post is not for everybody (M13)")
    if is_for_members and admitted.level is not Level.TRUSTED:
        raise PolicyRefusal("a closed group of a peer that is not trusted")
    followed = await relations.has_local_follower(tx, group.id)
    if admitted.level is Level.LIMITED and not followed and not post.local:
        raise PolicyRefusal("a limited peer, and nobody here follows")
    if is_for_members:
        if not followed:
            raise PolicyRefusal("a closed group without a member here")
        await groups.passed_on(tx, group.id, post.id, use.here.now())
        await tell_members(tx, use.here, group, post)
        return "passed on to the members"
    answers = post.in_reply_to_id is not None and group.id in await groups.of_post(tx, post.in_reply_to_id)
    await groups.passed_on(tx, group.id, post.id, use.here.now())
    if answers:
        return "has come into the discussion"
    stored = await _boost(tx, use, admitted, post)
    return "passed on" if stored else "was passed on already"


async def _boost(tx: Transaction, use: Handling, admitted: Admitted, post: Post) -> bool:
    activity, group = admitted.activity, admitted.actor
    visibility = visibility_of(activity.to, activity.cc, followers_uri=group.followers_uri, restricted=False)
    return await react.receive_boost(
        tx,
        use.here,
        group,
        post,
        uri=activity.id,
        visibility="followers" if visibility == "direct" else visibility,
        at=None,
    )


async def _let_go(tx: Transaction, use: Handling, admitted: Admitted, resolved: Resolved) -> str:
    """Its author has deleted a post, or a moderator has taken it out of the group: elsewhere it stays then."""
    post, said_by = resolved.post, resolved.said_by
    if post is None:
        return "no such post"
    if said_by is not None and said_by.actor.id == post.account_id:
        return await about_posts.delete(tx, use, _by(use, said_by.actor, said_by.activity), resolved)
    if not await groups.taken_out(tx, admitted.actor.id, post.id):
        return "the group has no such post"
    passed = await posts.find_boost(tx, post.id, admitted.actor.id)
    if passed is not None:
        await react.unboosted(tx, use.here, admitted.actor, post, passed)
    return "taken out of the group"


def _by(use: Handling, actor: Account, activity: Activity) -> Admitted:
    """A member's activity, let in as though it had come from them. Raises PolicyRefusal, OriginMismatch."""
    check_object(activity)
    return again(actor, activity, use.levels.of(actor.host))
