"""The audit trail is one chain, however many write to it at once (G16)."""

import asyncio

import pytest

from medfed.kernel.paging import Page
from medfed.storage import moderation
from medfed.storage.database import Store


@pytest.mark.case("G16")
async def test_acts_at_the_same_time_follow_each_other(store: Store) -> None:
    async def act(number: int) -> None:
        async with store.transaction("act") as tx:
            await moderation.record(tx, at=number, actor="test", action="test.act", subject=str(number))
            await asyncio.sleep(0)

    await asyncio.gather(*[act(number) for number in range(20)])
    async with store.view() as view:
        entries = await moderation.audit(view, Page(limit=40))
        assert [entry.seq for entry in entries] == list(range(20, 0, -1))
        assert {entry.subject for entry in entries} == {str(number) for number in range(20)}
        assert await moderation.first_broken_link(view) is None
