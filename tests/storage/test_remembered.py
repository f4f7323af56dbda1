"""What was read a moment ago is read once, and never shown after it has changed."""

import asyncio

import pytest

from medfed.kernel.errors import NotFound
from medfed.storage.database import Store
from medfed.storage.remembered import Remembered


class Desk:
    """Something to read, a clock, and how often it was read."""

    def __init__(self, store: Store) -> None:
        self.now = 1_000
        self.text = "before"
        self.read = 0
        self.memory: Remembered[str, str] = Remembered(
            store, lambda: self.now, channels=("papers",), kept_for=10_000, most=2
        )

    async def look(self) -> str:
        self.read += 1
        return self.text

    async def ask(self, name: str = "a") -> str:
        return await self.memory.get(name, self.look)


async def test_it_is_read_once_while_nothing_changes(store: Store) -> None:
    desk = Desk(store)
    assert [await desk.ask() for _ in range(3)] == ["before"] * 3
    assert desk.read == 1


async def test_it_is_read_again_as_soon_as_it_may_have_changed(store: Store) -> None:
    desk = Desk(store)
    await desk.ask()
    async with store.transaction("change") as tx:
        desk.text = "after"
        tx.wake("papers")
    assert await desk.ask() == "after"


async def test_it_is_read_again_after_a_while_though_no_change_was_heard_of(store: Store) -> None:
    desk = Desk(store)
    await desk.ask()
    desk.text = "after"
    desk.now += 9_999
    assert await desk.ask() == "before"
    desk.now += 1
    assert await desk.ask() == "after"


async def test_what_changes_while_it_is_read_is_not_kept(store: Store) -> None:
    desk = Desk(store)
    reading, go_on = asyncio.Event(), asyncio.Event()

    async def slowly() -> str:
        text = await desk.look()
        reading.set()
        await go_on.wait()
        return text

    first = asyncio.create_task(desk.memory.get("a", slowly))
    await reading.wait()
    desk.text = "after"
    store.wake("papers")
    go_on.set()
    assert await first == "before"
    assert await desk.ask() == "after"


async def test_what_could_not_be_read_is_tried_again(store: Store) -> None:
    desk = Desk(store)

    async def nowhere() -> str:
        raise NotFound("nothing here")

    for _ in range(2):
        with pytest.raises(NotFound):
            await desk.memory.get("a", nowhere)
    assert await desk.ask() == "before"


async def test_it_keeps_no_more_than_it_may_and_what_was_used_last(store: Store) -> None:
    desk = Desk(store)
    read = []
    for name in "abacab":
        await desk.ask(name)
        read.append(desk.read)
    assert read == [1, 2, 2, 3, 3, 4]
