"""Members hear what concerns them, and not from those they do not want to hear."""

import pytest

from medfed.activitypub.here import Here
from medfed.domain.accounts import Member
from medfed.kernel.paging import Page
from medfed.notifications.notify import notify
from medfed.storage import notifications, relations
from medfed.storage.database import Store
from tests.accounts.conftest import People, clock, here, keys, password_hash, people

__all__ = ["clock", "here", "keys", "password_hash", "people"]


async def told(store: Store, here: Here, to: Member, by: Member, kind: str = "follow") -> bool:
    async with store.transaction("test") as tx:
        return await notify(tx, here, to=to.account.id, kind=kind, from_id=by.account.id)  # type: ignore[arg-type]


async def test_the_same_thing_is_said_once(store: Store, here: Here, people: People) -> None:
    one, other = await people.member(), await people.member()
    assert await told(store, here, one, other)
    assert not await told(store, here, one, other)
    async with store.view() as view:
        assert len(await notifications.page(view, one.account.id, Page(), kinds=["follow"])) == 1


async def test_nobody_hears_of_what_they_did_themselves_but_for_their_own_poll(
    store: Store, here: Here, people: People
) -> None:
    one = await people.member()
    assert not await told(store, here, one, one)
    assert await told(store, here, one, one, "poll")


@pytest.mark.parametrize("how", ["block", "mute", "mute quietly"])
async def test_blocks_and_mutes_are_respected(store: Store, here: Here, people: People, how: str) -> None:
    one, other = await people.member(), await people.member()
    async with store.transaction("test") as tx:
        common = {"id_": here.ids.new(), "account_id": one.account.id, "target_id": other.account.id, "at": here.now()}
        if how == "block":
            await relations.block(tx, uri="https://lyon.example/b/1", **common)
        else:
            await relations.mute(tx, notifications=how == "mute", expires_at=None, **common)
    assert await told(store, here, one, other) is (how == "mute quietly")
    assert await told(store, here, other, one)


async def test_accounts_that_are_not_here_are_not_told(store: Store, here: Here, people: People) -> None:
    one = await people.member()
    async with store.transaction("test") as tx:
        assert not await notify(tx, here, to=12345, kind="follow", from_id=one.account.id)
