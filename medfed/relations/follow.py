"""Follow and unfollow, accept and reject, block and mute: what a member does, and what a peer's actor does to us."""

from dataclasses import replace

from medfed.accounts.promise import inbox_of, promise
from medfed.activitypub import render
from medfed.activitypub.here import Here
from medfed.domain.accounts import Account
from medfed.domain.relations import Follow
from medfed.kernel.clock import Millis
from medfed.kernel.errors import Forbidden, Invalid
from medfed.notifications.notify import notify
from medfed.storage import accounts, groups, notifications, relations, timelines
from medfed.storage.database import Transaction


async def follow(
    tx: Transaction, here: Here, member: Account, target: Account, *, boosts: bool = True, alert: bool = False
) -> Follow:
    """A member follows an account, or asks to. Raises Forbidden when either blocks the other."""
    if member.id == target.id:
        raise Invalid("one cannot follow oneself")
    blocking, blocked_by = await relations.blocks_between(tx, member.id, [target.id])
    if blocking or blocked_by or not target.active or target.moved_to:
        raise Forbidden("this account cannot be followed")
    known = await relations.find(tx, member.id, target.id)
    if known is not None:
        changed = replace(known, boosts=boosts, notify=alert)
        await relations.put(tx, changed)
        return changed
    id_ = here.ids.new()
    asked = Follow(
        id=id_,
        uri=here.uris.follow(member.uri, id_),
        follower_id=member.id,
        target_id=target.id,
        state="accepted" if target.local and not target.locked else "pending",
        boosts=boosts,
        notify=alert,
        created_at=here.now(),
    )
    await relations.put(tx, asked)
    if target.local:
        await _asked(tx, here, member, target, asked)
    else:
        await promise(tx, here, member, _follow_activity(asked.uri, member, target), [inbox_of(target)])
    return asked


async def receive(tx: Transaction, here: Here, follower: Account, target: Account, uri: str) -> str:
    """A peer's actor follows a member: accepted at once unless the member wants to be asked. What came of it."""
    _, blocked_by = await relations.blocks_between(tx, follower.id, [target.id])
    asked = Follow(
        id=here.ids.new(),
        uri=uri,
        follower_id=follower.id,
        target_id=target.id,
        state="pending" if target.locked else "accepted",
        created_at=here.now(),
    )
    if blocked_by or not target.active or target.moved_to:
        await _answer(tx, here, target, follower, uri, "Reject")
        return "rejected"
    known = await relations.find(tx, follower.id, target.id)
    if known is not None and known.state == "accepted":
        await relations.put(tx, replace(known, uri=uri))
        await _answer(tx, here, target, follower, uri, "Accept")
        return "was following already"
    await relations.put(tx, asked)
    await _asked(tx, here, follower, target, asked)
    return asked.state


async def refuse(tx: Transaction, here: Here, target: Account, follower: Account, uri: str) -> None:
    """A peer's actor may not even ask: it is told, and nothing is kept."""
    await _answer(tx, here, target, follower, uri, "Reject")


async def _asked(tx: Transaction, here: Here, follower: Account, target: Account, asked: Follow) -> None:
    """What happens on the followed side, once, for local and peer followers alike."""
    if asked.state == "pending":
        await _tell_of_request(tx, here, follower, target)
        return
    await notify(tx, here, to=target.id, kind="follow", from_id=follower.id)
    await _took_effect(tx, follower, target)
    if not follower.local:
        await _answer(tx, here, target, follower, asked.uri, "Accept")


async def _tell_of_request(tx: Transaction, here: Here, follower: Account, target: Account) -> None:
    """Who decides hears that somebody asks: the member, or whoever moderates a group."""
    if target.kind != "Group":
        await notify(tx, here, to=target.id, kind="follow_request", from_id=follower.id)
        return
    for moderator_id in await groups.moderators(tx, target.id):
        await notify(tx, here, to=moderator_id, kind="group_request", from_id=follower.id, group_id=target.id)


async def _withdraw_request(tx: Transaction, follower: Account, target: Account) -> None:
    if target.kind == "Group":
        await notifications.withdraw_request(tx, group_id=target.id, from_id=follower.id)
    else:
        await notifications.withdraw(tx, account_id=target.id, kind="follow_request", from_id=follower.id)


async def _took_effect(tx: Transaction, follower: Account, target: Account) -> None:
    await accounts.recount_follows(tx, follower.id, target.id)
    if follower.local:
        await timelines.fill_home(tx, follower.id, target.id)


async def authorize(tx: Transaction, here: Here, member: Account, follower: Account) -> bool:
    """A member lets somebody follow; False if nobody asked."""
    asked = await relations.find(tx, follower.id, member.id)
    if asked is None or not await relations.accept(tx, follower.id, member.id):
        return False
    await _withdraw_request(tx, follower, member)
    await notify(tx, here, to=member.id, kind="follow", from_id=follower.id)
    await _took_effect(tx, follower, member)
    if not follower.local:
        await _answer(tx, here, member, follower, asked.uri, "Accept")
    return True


async def reject(tx: Transaction, here: Here, member: Account, follower: Account) -> bool:
    """A member refuses a request, or removes a follower; False if there was neither."""
    asked = await relations.find(tx, follower.id, member.id)
    if asked is None:
        return False
    await relations.delete(tx, follower.id, member.id)
    await accounts.recount_follows(tx, follower.id, member.id)
    await _withdraw_request(tx, follower, member)
    if follower.local:
        await timelines.empty_home(tx, follower.id, member.id)
    else:
        await _answer(tx, here, member, follower, asked.uri, "Reject")
    return True


async def accepted(tx: Transaction, follower: Account, target: Account) -> bool:
    """A peer's actor accepted our member's request; False if none was pending (A11)."""
    if not await relations.accept(tx, follower.id, target.id):
        return False
    await _took_effect(tx, follower, target)
    return True


async def rejected(tx: Transaction, follower: Account, target: Account) -> bool:
    """A peer's actor refused our member's request, or ended the follow; False if there was none (A11)."""
    if not await relations.delete(tx, follower.id, target.id):
        return False
    await accounts.recount_follows(tx, follower.id, target.id)
    await timelines.empty_home(tx, follower.id, target.id)
    return True


async def unfollow(tx: Transaction, here: Here, member: Account, target: Account) -> bool:
    """A member stops following, or withdraws a request; False if there was neither."""
    known = await relations.find(tx, member.id, target.id)
    if known is None:
        return False
    await ended(tx, member, target)
    if not target.local:
        await _undo(tx, here, member, target, known.uri)
    return True


async def disown(tx: Transaction, here: Here, member: Account, target: Account) -> None:
    """A peer's actor takes a member for a follower, who is none: say that it is over.

    Which Follow that was nobody here knows any more; the Undo says who followed whom.
    """
    await _undo(tx, here, member, target, here.uris.follow(member.uri, here.ids.new()))


async def _undo(tx: Transaction, here: Here, member: Account, target: Account, uri: str) -> None:
    undone = render.activity(
        "Undo",
        id_=here.uris.activity(member.uri, here.ids.new()),
        actor_uri=member.uri,
        object_=_follow_activity(uri, member, target),
        to=[target.uri],
    )
    await promise(tx, here, member, undone, [inbox_of(target)])


async def ended(tx: Transaction, follower: Account, target: Account) -> None:
    """The follow is over on this side."""
    await relations.delete(tx, follower.id, target.id)
    await accounts.recount_follows(tx, follower.id, target.id)
    await _withdraw_request(tx, follower, target)
    if follower.local:
        await timelines.empty_home(tx, follower.id, target.id)


async def block(tx: Transaction, here: Here, member: Account, target: Account) -> None:
    """A member blocks an account: both stop following, and the peer is told."""
    if member.id == target.id:
        raise Invalid("one cannot block oneself")
    id_ = here.ids.new()
    uri = here.uris.activity(member.uri, id_)
    await blocked(tx, here, member, target, uri)
    if not target.local:
        told = render.activity("Block", id_=uri, actor_uri=member.uri, object_=target.uri, to=[target.uri])
        await promise(tx, here, member, told, [inbox_of(target)])


async def blocked(tx: Transaction, here: Here, blocker: Account, target: Account, uri: str) -> None:
    """A block takes effect here, whoever's it is."""
    await relations.block(tx, id_=here.ids.new(), uri=uri, account_id=blocker.id, target_id=target.id, at=here.now())
    await ended(tx, blocker, target)
    await ended(tx, target, blocker)


async def unblock(tx: Transaction, here: Here, member: Account, target: Account) -> None:
    """A member ends a block."""
    uri = await relations.unblock(tx, member.id, target.id)
    if uri is None or target.local:
        return
    undone = render.activity(
        "Undo",
        id_=here.uris.activity(member.uri, here.ids.new()),
        actor_uri=member.uri,
        object_=render.activity("Block", id_=uri, actor_uri=member.uri, object_=target.uri),
        to=[target.uri],
    )
    await promise(tx, here, member, undone, [inbox_of(target)])


async def mute(
    tx: Transaction,
    here: Here,
    member: Account,
    target: Account,
    *,
    notifications: bool = True,
    duration: Millis | None = None,
) -> None:
    """A member no longer wants to see an account; nobody is told. `duration` in milliseconds, None for ever."""
    if member.id == target.id:
        raise Invalid("one cannot mute oneself")
    now = here.now()
    await relations.mute(
        tx,
        id_=here.ids.new(),
        account_id=member.id,
        target_id=target.id,
        notifications=notifications,
        expires_at=now + duration if duration else None,
        at=now,
    )


def _follow_activity(uri: str, follower: Account, target: Account) -> render.Rendered:
    return render.activity("Follow", id_=uri, actor_uri=follower.uri, object_=target.uri, to=[target.uri])


async def _answer(tx: Transaction, here: Here, member: Account, follower: Account, uri: str, kind: str) -> None:
    answer = render.activity(
        kind,
        id_=here.uris.activity(member.uri, here.ids.new()),
        actor_uri=member.uri,
        object_=render.activity("Follow", id_=uri, actor_uri=follower.uri, object_=member.uri),
        to=[follower.uri],
    )
    await promise(tx, here, member, answer, [inbox_of(follower)])
