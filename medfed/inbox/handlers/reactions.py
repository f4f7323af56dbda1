"""Like, EmojiReact and Announce, and their Undo."""

from medfed.activitypub.emoji import reaction_of
from medfed.activitypub.wire import PeerEmoji, reference
from medfed.domain.interactions import Deed
from medfed.domain.peers import Level
from medfed.domain.posts import Post, visibility_of
from medfed.inbox.admit import Admitted
from medfed.inbox.handlers import relations as relating
from medfed.inbox.handling import Handling
from medfed.inbox.resolve import Resolved
from medfed.kernel.errors import PolicyRefusal
from medfed.posts import closed, consents, react
from medfed.posts.pass_on import pass_on_about
from medfed.storage import emojis, groups, posts, reactions, relations
from medfed.storage.database import Transaction, View


async def like(tx: Transaction, use: Handling, admitted: Admitted, _resolved: Resolved) -> str:
    """A peer's actor finds a post useful, or reacts to it with an emoji."""
    post = await _reachable(tx, use, admitted)
    return await like_of(tx, use, admitted, post) if post is not None else "no such post"


async def like_of(tx: Transaction, use: Handling, admitted: Admitted, post: Post) -> str:
    """An actor, who may read a post, finds it useful, or reacts to it with an emoji."""
    if await posts.tombstone(tx, admitted.activity.id, admitted.actor.uri) is not None:
        return "was undone already"
    if not await _is_let(tx, use, admitted, post, "like"):
        return "its author does not let it be reacted to"
    said = reaction_of(admitted.activity.document)
    emoji_id = None
    if said.url:
        named = (PeerEmoji(shortcode=said.emoji.strip(":"), url=said.url),)
        (pictured,) = await emojis.put(tx, admitted.actor.host, named, use.here.ids.new)
        emoji_id = pictured.id
    added = await react.liked(
        tx, use.here, admitted.actor, post, admitted.activity.id, emoji=said.emoji, emoji_id=emoji_id
    )
    if not added:
        return "was liked already"
    await pass_on_about(tx, use.here, use.levels, post, admitted.actor, admitted.activity.document)
    return "liked"


async def dislike(tx: Transaction, use: Handling, admitted: Admitted, _resolved: Resolved) -> str:
    """A peer's actor votes a post down: nothing that is counted here, but they like it no longer."""
    return await _voted_down(tx, use, admitted, await _reachable(tx, use, admitted))


async def undo_dislike(tx: Transaction, use: Handling, admitted: Admitted, _resolved: Resolved) -> str:
    """A vote against a post is taken back: nothing here, but the hosts of a group's members count it."""
    undone = await posts.find_by_uri(tx, reference((admitted.activity.object or {}).get("object")))
    may = undone is not None and await closed.may_act(tx, use.here, use.levels, admitted.actor, undone)
    return await _voted_down(tx, use, admitted, undone if may else None)


async def announce(tx: Transaction, use: Handling, admitted: Admitted, resolved: Resolved) -> str:
    """A peer's actor passes a post on."""
    post, activity = resolved.post, admitted.activity
    if post is None:
        return "no such post"
    if not post.is_open or post.is_boost:
        raise PolicyRefusal("that post is not for everybody (M13)")
    if await posts.tombstone(tx, activity.id, admitted.actor.uri) is not None:
        return "was undone already"
    if not await _is_let(tx, use, admitted, post, "boost"):
        return "its author does not let it be passed on"
    followed = await relations.has_local_follower(tx, admitted.actor.id)
    if admitted.level is Level.LIMITED and not followed and not post.local:
        raise PolicyRefusal("a limited peer, and nobody here follows")
    visibility = visibility_of(activity.to, activity.cc, followers_uri=admitted.actor.followers_uri, restricted=False)
    stored = await react.receive_boost(
        tx,
        use.here,
        admitted.actor,
        post,
        uri=activity.id,
        visibility="followers" if visibility == "direct" else visibility,
        at=None,
    )
    return "passed on" if stored else "was passed on already"


async def undo_like(tx: Transaction, use: Handling, admitted: Admitted, _resolved: Resolved) -> str:
    """A like or a reaction is taken back. The like's id is remembered, so that its replay does not revive it (A04)."""
    undone = admitted.activity.object or {}
    await posts.bury(tx, admitted.activity.object_id, actor_uri=admitted.actor.uri, at=use.here.now())
    known = await reactions.by_uri(tx, admitted.activity.object_id, admitted.actor.id)
    if known is not None:
        return await _unliked(tx, use, admitted, *known)
    post = await posts.find_by_uri(tx, reference(undone.get("object")))
    if post is None:
        return "no such post"
    done = await react.unliked(tx, admitted.actor, post, reaction_of(undone).emoji)
    return "unliked" if done is not None else "was not liked"


async def undo_announce(tx: Transaction, use: Handling, admitted: Admitted, _resolved: Resolved) -> str:
    """A boost is taken back (A04)."""
    passed = await posts.find_by_uri(tx, admitted.activity.object_id)
    undone = admitted.activity.object or {}
    post = await posts.find_by_uri(tx, reference(undone.get("object")))
    if passed is None and post is not None:
        passed = await posts.find_boost(tx, post.id, admitted.actor.id)
    if passed is None or passed.account_id != admitted.actor.id or passed.boost_of_id is None:
        await posts.bury(tx, admitted.activity.object_id, actor_uri=admitted.actor.uri, at=use.here.now())
        return "no such boost"
    await react.unboosted(tx, use.here, admitted.actor, await posts.get(tx, passed.boost_of_id), passed)
    if admitted.actor.kind == "Group":
        await groups.taken_out(tx, admitted.actor.id, passed.boost_of_id)
    return "no longer passed on"


async def undo_by_id(tx: Transaction, use: Handling, admitted: Admitted, resolved: Resolved) -> str:
    """An Undo that names only an id: whatever that id was."""
    activity = admitted.activity
    passed = await posts.find_by_uri(tx, activity.object_id)
    if passed is not None and passed.is_boost:
        return await undo_announce(tx, use, admitted, resolved)
    await posts.bury(tx, activity.object_id, actor_uri=admitted.actor.uri, at=use.here.now())
    known = await reactions.by_uri(tx, activity.object_id, admitted.actor.id)
    if known is not None:
        return await _unliked(tx, use, admitted, *known)
    return await relating.undo_by_id(tx, admitted)


async def _is_let(tx: Transaction, use: Handling, admitted: Admitted, post: Post, deed: Deed) -> bool:
    """Whether the author of a post of ours lets this actor do it; who may not is told."""
    if not post.local:
        return True
    uri = admitted.activity.id
    return await consents.may_now(tx, use.here, use.levels, post, admitted.actor, deed=deed, object_uri=uri)


async def _voted_down(tx: Transaction, use: Handling, admitted: Admitted, post: Post | None) -> str:
    if post is None:
        return "no such post"
    liked = await react.unliked(tx, admitted.actor, post) if admitted.activity.kind == "Dislike" else None
    await pass_on_about(tx, use.here, use.levels, post, admitted.actor, admitted.activity.document)
    return "votes against it are not counted" if liked is None else "unliked"


async def _unliked(tx: Transaction, use: Handling, admitted: Admitted, post_id: int, emoji: str) -> str:
    post = await posts.get(tx, post_id)
    await react.unliked(tx, admitted.actor, post, emoji)
    await pass_on_about(tx, use.here, use.levels, post, admitted.actor, admitted.activity.document)
    return "unliked"


async def _reachable(view: View, use: Handling, admitted: Admitted) -> Post | None:
    """The post, if the actor may read it: nobody likes what they were not given."""
    post = await posts.find_by_uri(view, admitted.activity.object_id)
    if post is None or post.is_boost:
        return None
    return post if await closed.may_act(view, use.here, use.levels, admitted.actor, post) else None
