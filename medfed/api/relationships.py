"""What there is between the member and other accounts: follows, requests, blocks, mutes."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from starlette.responses import Response

from medfed.activitypub.here import Here
from medfed.api import entities, present
from medfed.api.accounts import MANY, account_page, get_account
from medfed.api.calls import Call
from medfed.api.paging import page_of
from medfed.domain.accounts import Account
from medfed.edge import Json
from medfed.kernel.errors import NotFound
from medfed.relations import follow as relating
from medfed.storage import accounts, groups, relations
from medfed.storage.database import Transaction

RELATIONSHIPS: Final = 200


async def show(call: Call) -> Response:
    """What there is between the member and accounts."""
    ids = call.params.ids("id")[:RELATIONSHIPS]
    async with call.store.view() as view:
        known = await accounts.find_many(view, ids)
        wanted = [id_ for id_ in ids if id_ in known]
        found = await relations.relationships(view, call.account.id, wanted, call.here.now())
    return Json([entities.relationship(one) for one in found])


async def familiar_followers(call: Call) -> Response:
    """Who among those whom the member follows follows an account, too."""
    ids = call.params.ids("id")[:MANY]
    async with call.store.view() as view:
        open_ = await groups.without_closed(view, ids, but_of=call.account.id)
        familiar = await relations.familiar_followers(view, call.account.id, open_)
        known = {
            str(one["id"]): one
            for one in await present.accounts_by_id(
                view, call.here, {id_ for some in familiar.values() for id_ in some}
            )
        }
    return Json(
        [
            {"id": str(id_), "accounts": [known[str(one)] for one in familiar.get(id_, ()) if str(one) in known]}
            for id_ in ids
        ]
    )


_Act = Callable[[Transaction, Here, Account, Account], Awaitable[object]]


async def _done(call: Call, name: str, act: _Act) -> Response:
    """Do something about an account, and say what there is to it afterwards."""
    async with call.store.transaction(name) as tx:
        target = await get_account(tx, call)
        await act(tx, call.here, call.account, target)
        found = await relations.relationships(tx, call.account.id, [target.id], call.here.now())
    return Json(entities.relationship(found[0]))


async def follow(call: Call) -> Response:
    """Follow an account, or ask to; of a follow that there is, only what is given changes."""
    boosts, alert = call.params.optional_flag("reblogs"), call.params.optional_flag("notify")

    async def act(tx: Transaction, here: Here, member: Account, target: Account) -> None:
        known = await relations.find(tx, member.id, target.id)
        await relating.follow(
            tx,
            here,
            member,
            target,
            boosts=(known is None or known.boosts) if boosts is None else boosts,
            alert=(known is not None and known.notify) if alert is None else alert,
        )

    return await _done(call, "follow", act)


async def unfollow(call: Call) -> Response:
    """Follow no more, or withdraw the request."""
    return await _done(call, "unfollow", relating.unfollow)


async def remove_follower(call: Call) -> Response:
    """Make an account follow no more."""
    return await _done(call, "remove follower", relating.reject)


async def block(call: Call) -> Response:
    """Neither sees the other any more."""
    return await _done(call, "block", relating.block)


async def unblock(call: Call) -> Response:
    """End a block."""
    return await _done(call, "unblock", relating.unblock)


async def mute(call: Call) -> Response:
    """See no more of an account, which does not learn of it."""
    notifications = call.params.flag("notifications", default=True)
    seconds = call.params.number("duration", 0, most=10 * 366 * 24 * 60 * 60)

    mute = partial(relating.mute, notifications=notifications, duration=seconds * 1000 or None)
    return await _done(call, "mute", mute)


async def unmute(call: Call) -> Response:
    """End a mute."""
    return await _done(call, "unmute", lambda tx, _, member, it: relations.unmute(tx, member.id, it.id))


async def unchanged(call: Call) -> Response:
    """What there is to an account, after something that is not kept here: a note, an endorsement."""

    async def nothing(*_: object) -> None:
        return None

    return await _done(call, "unchanged", nothing)


async def blocks(call: Call) -> Response:
    """Whom the member blocks."""
    async with call.store.view() as view:
        return await account_page(
            view, call, await relations.blocked(view, call.account.id, page_of(call.params, default=40, most=80))
        )


async def mutes(call: Call) -> Response:
    """Whom the member mutes."""
    page = page_of(call.params, default=40, most=80)
    async with call.store.view() as view:
        found = await relations.muted(view, call.account.id, page, now=call.here.now())
        return await account_page(view, call, found)


async def follow_requests(call: Call) -> Response:
    """Who asks to follow the member."""
    async with call.store.view() as view:
        return await account_page(
            view, call, await relations.requests(view, call.account.id, page_of(call.params, default=40, most=80))
        )


async def authorize(call: Call) -> Response:
    """Let somebody follow who asked."""

    async def let(tx: Transaction, here: Here, member: Account, follower: Account) -> None:
        if not await relating.authorize(tx, here, member, follower):
            raise NotFound("nobody of this id asks to follow you")

    return await _done(call, "authorize follow", let)


async def refuse(call: Call) -> Response:
    """Do not let somebody follow who asked."""

    async def reject(tx: Transaction, here: Here, member: Account, follower: Account) -> None:
        asked = await relations.find(tx, follower.id, member.id)
        if asked is None or asked.state != "pending":
            raise NotFound("nobody of this id asks to follow you")
        await relating.reject(tx, here, member, follower)

    return await _done(call, "reject follow", reject)
