"""Follow, Accept, Reject and Block, and their Undo; Move."""

from medfed.activitypub.wire import reference, type_of
from medfed.domain.accounts import Account
from medfed.domain.peers import Level
from medfed.domain.relations import Follow
from medfed.inbox.admit import Admitted
from medfed.inbox.handling import Handling
from medfed.inbox.resolve import Resolved
from medfed.kernel.errors import PolicyRefusal
from medfed.relations import follow as relating
from medfed.relations import move as moving
from medfed.storage import accounts, groups, posts, relations
from medfed.storage.database import Transaction, View


async def follow(tx: Transaction, use: Handling, admitted: Admitted, _resolved: Resolved) -> str:
    """A peer's actor wants to follow a member."""
    target = await _member(tx, admitted.activity.object_id)
    if target is None:
        return "no such member"
    if await posts.tombstone(tx, admitted.activity.id, admitted.actor.uri) is not None:
        return "was undone already"
    group = await groups.of_account(tx, target)
    if group is not None and group.closed and admitted.level is not Level.TRUSTED:
        await relating.refuse(tx, use.here, target, admitted.actor, admitted.activity.id)
        return "rejected: a closed group, and a peer that is not trusted"
    return await relating.receive(tx, use.here, admitted.actor, target, admitted.activity.id)


async def accept(tx: Transaction, _use: Handling, admitted: Admitted, _resolved: Resolved) -> str:
    """A peer's actor lets a member follow. Only for a follow that we sent, by the one it asks (A11)."""
    asked = await _own_follow(tx, admitted)
    if asked is None:
        return "no such request"
    follower = await accounts.get(tx, asked.follower_id)
    done = await relating.accepted(tx, follower, admitted.actor)
    return "accepted" if done else "was accepted already"


async def reject(tx: Transaction, _use: Handling, admitted: Admitted, _resolved: Resolved) -> str:
    """A peer's actor refuses a member, or no longer wants to be followed (A11)."""
    asked = await _own_follow(tx, admitted)
    if asked is None:
        return "no such request"
    follower = await accounts.get(tx, asked.follower_id)
    done = await relating.rejected(tx, follower, admitted.actor)
    return "rejected" if done else "was over already"


async def undo_accept(tx: Transaction, _use: Handling, admitted: Admitted, _resolved: Resolved) -> str:
    """A peer's actor no longer lets a member follow."""
    accepted = (admitted.activity.object or {}).get("object")
    asked = await _followed(tx, admitted.actor, reference(accepted), accepted)
    if asked is None:
        return "no such follow"
    follower = await accounts.get(tx, asked.follower_id)
    done = await relating.rejected(tx, follower, admitted.actor)
    return "no longer accepted" if done else "was over already"


async def block(tx: Transaction, use: Handling, admitted: Admitted, _resolved: Resolved) -> str:
    """A peer's actor blocks a member."""
    target = await _member(tx, admitted.activity.object_id)
    if target is None:
        return "no such member"
    if await posts.tombstone(tx, admitted.activity.id, admitted.actor.uri) is not None:
        return "was undone already"
    await relating.blocked(tx, use.here, admitted.actor, target, admitted.activity.id)
    return "blocked"


async def move(tx: Transaction, use: Handling, admitted: Admitted, resolved: Resolved) -> str:
    """A peer's actor has moved: members who follow it follow the new account, if that one names the old."""
    target = resolved.account
    if target is None:
        return "moved nowhere"
    if use.levels.is_blocked(target.host):
        raise PolicyRefusal("this instance does not federate with the new host")
    old = await accounts.get(tx, admitted.actor.id)
    moving.check(old, target, use.here.now())
    taken = await moving.moved(tx, use.here, old, target)
    return f"moved, with {taken} followers"


async def undo_follow(tx: Transaction, use: Handling, admitted: Admitted, _resolved: Resolved) -> str:
    """A peer's actor stops following. The Follow's id is remembered: it may be slower than its Undo."""
    await posts.bury(tx, admitted.activity.object_id, actor_uri=admitted.actor.uri, at=use.here.now())
    undone = admitted.activity.object or {}
    target = await _member(tx, reference(undone.get("object")))
    if target is None:
        known = await relations.find_by_uri(tx, admitted.activity.object_id)
        if known is None or known.follower_id != admitted.actor.id:
            return "no such follow"
        target = await accounts.get(tx, known.target_id)
    await relating.ended(tx, admitted.actor, target)
    return "unfollowed"


async def undo_block(tx: Transaction, use: Handling, admitted: Admitted, _resolved: Resolved) -> str:
    """A peer's actor ends a block. The Block's id is remembered: it may be slower than its Undo."""
    await posts.bury(tx, admitted.activity.object_id, actor_uri=admitted.actor.uri, at=use.here.now())
    undone = admitted.activity.object or {}
    target = await _member(tx, reference(undone.get("object")))
    if target is None:
        return "no such member"
    await relations.unblock(tx, admitted.actor.id, target.id)
    return "unblocked"


async def undo_by_id(tx: Transaction, admitted: Admitted) -> str:
    """An Undo that names a Follow or a Block of the actor's by its id alone."""
    uri, actor = admitted.activity.object_id, admitted.actor
    followed = await relations.find_by_uri(tx, uri)
    if followed is not None and followed.follower_id == actor.id:
        await relating.ended(tx, actor, await accounts.get(tx, followed.target_id))
        return "unfollowed"
    if await relations.unblock_by_uri(tx, actor.id, uri):
        return "unblocked"
    return "nothing to undo"


async def _member(view: View, uri: str) -> Account | None:
    account = await accounts.find_by_uri(view, uri) if uri else None
    return account if account is not None and account.local and account.active else None


async def _own_follow(view: View, admitted: Admitted) -> Follow | None:
    """The follow of ours that an Accept or Reject speaks of, by its id or by who follows whom."""
    return await _followed(view, admitted.actor, admitted.activity.object_id, admitted.activity.object)


async def _followed(view: View, target: Account, uri: str, embedded: object) -> Follow | None:
    asked = await relations.find_by_uri(view, uri) if uri else None
    if asked is None and isinstance(embedded, dict) and type_of(embedded) == "Follow":
        member = await _member(view, reference(embedded.get("actor")))
        asked = await relations.find(view, member.id, target.id) if member else None
    if asked is None or asked.target_id != target.id:
        return None
    follower = await accounts.find(view, asked.follower_id)
    return asked if follower is not None and follower.local else None
