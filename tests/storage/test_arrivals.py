"""Arrivals share commits, do not harm each other, and what was acknowledged survives a kill -9."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from medfed.kernel.transactions import NetworkInsideTransaction, refuse_inside_transaction
from medfed.storage.connect import connect
from medfed.storage.database import Duplicate, Misused, Store, Transaction
from tests.storage.shelf import ADD, ALL, COUNT, a_shelf

pytestmark = pytest.mark.usefixtures("shelf")


@pytest.fixture
async def shelf(store: Store) -> None:
    await a_shelf(store)


async def _count(store: Store) -> int:
    async with store.view() as view:
        found = await view.value(COUNT)
        assert isinstance(found, int)
        return found


async def test_many_arrivals_are_all_kept_and_answered(store: Store) -> None:
    async def one(number: int) -> int:
        async def work(tx: Transaction) -> int:
            await tx.run(ADD, id=number, name=str(number))
            return number * 2

        return await store.arrive("number", work)

    assert await asyncio.gather(*(one(n) for n in range(300))) == [n * 2 for n in range(300)]
    assert await _count(store) == 300


async def test_a_bad_arrival_does_not_hurt_the_others(store: Store) -> None:
    ran: list[int] = []

    async def one(number: int) -> None:
        async def work(tx: Transaction) -> None:
            tx.after_commit(lambda: ran.append(number))
            await tx.run(ADD, id=number, name=str(number // 2))
            if number % 10 == 0:
                raise KeyError(number)

        await store.arrive("number", work)

    results = await asyncio.gather(*(one(n) for n in range(40)), return_exceptions=True)
    await asyncio.sleep(0)
    kept = {number for number, result in enumerate(results) if result is None}
    assert {type(result) for result in results} <= {type(None), KeyError, Duplicate}
    assert kept.isdisjoint(range(0, 40, 10))
    assert {number // 2 for number in kept} == set(range(20)), "one of each pair"
    async with store.view() as view:
        assert {row["id"] for row in await view.all(ALL)} == kept
    assert set(ran) == kept


async def test_a_swallowed_failure_still_undoes_its_arrival(store: Store) -> None:
    async def work(tx: Transaction) -> None:
        await tx.run(ADD, id=1, name="a")
        with pytest.raises(Duplicate):
            await tx.run(ADD, id=1, name="b")

    with pytest.raises(Exception, match="goes on"):
        await store.arrive("swallow", work)
    assert await _count(store) == 0


async def test_a_cancelled_arrival_leaves_nothing_and_the_others_go_on(store: Store) -> None:
    held, free = asyncio.Event(), asyncio.Event()

    async def holds() -> None:
        async with store.transaction("holds the writer"):
            held.set()
            await free.wait()

    holder = asyncio.create_task(holds())
    await held.wait()
    first = asyncio.create_task(store.arrive("first", lambda tx: tx.run(ADD, id=1, name="first")))
    second = asyncio.create_task(store.arrive("second", lambda tx: tx.run(ADD, id=2, name="second")))
    await asyncio.sleep(0)
    first.cancel()
    free.set()
    await holder
    results = await asyncio.gather(first, second, return_exceptions=True)
    async with store.view() as view:
        names = [row["name"] for row in await view.all(ALL)]
    assert "second" in names
    assert isinstance(results[0], asyncio.CancelledError) == ("first" not in names)


async def test_an_arrival_waits_for_nothing_but_its_statements() -> None:
    never: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def work(tx: Transaction) -> None:
        await tx.run(ADD, id=1, name="stuck")
        await never

    with TemporaryDirectory() as folder:
        store = await connect(f"sqlite:///{folder}/shelf.db", durable=False)
        await a_shelf(store)
        with pytest.raises(Misused, match="nothing but its own statements"):
            await store.arrive("stuck", work)
        assert await _count(store) == 0
        await store.aclose()


async def test_an_arrival_wakes_who_sleeps_on_its_channel_after_the_commit(store: Store) -> None:
    woken = asyncio.Event()
    store.on_wake("shelf", woken.set)

    async def work(tx: Transaction) -> None:
        await tx.run(ADD, id=1, name="a")
        tx.wake("shelf")

    await store.arrive("wakes", work)
    await asyncio.wait_for(woken.wait(), 5)
    assert await _count(store) == 1


async def test_arrivals_may_not_use_the_network_either(store: Store) -> None:
    async def work(tx: Transaction) -> None:
        refuse_inside_transaction("GET https://lille.test")

    with pytest.raises(NetworkInsideTransaction):
        await store.arrive("fetch", work)


async def test_transactions_and_arrivals_take_turns(store: Store) -> None:
    async def arrives(number: int) -> None:
        async def work(tx: Transaction) -> None:
            await tx.run(ADD, id=number, name=str(number))

        await store.arrive("number", work)

    async def transacts(number: int) -> None:
        async with store.transaction("number") as tx:
            await tx.run(ADD, id=number, name=str(number))

    await asyncio.gather(*(arrives(n) if n % 2 else transacts(n) for n in range(60)))
    assert await _count(store) == 60


_CHILD = """
import asyncio, sys
from medfed.storage.connect import connect
from tests.storage.shelf import ADD

async def main(url):
    store = await connect(url)
    numbers = iter(range(10**6))
    async def arrive_for_ever():
        for number in numbers:
            await store.arrive("number", lambda tx: tx.run(ADD, id=number, name=str(number)))
            sys.stdout.write(f"{number}\\n")
            sys.stdout.flush()
    await asyncio.gather(*(arrive_for_ever() for _ in range(20)))

asyncio.run(main(sys.argv[1]))
"""


@pytest.mark.case("I07")
async def test_what_was_acknowledged_survives_a_kill(database_url: str, store: Store) -> None:
    await store.aclose()
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _CHILD, database_url,
        stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )  # fmt: skip
    assert child.stdout is not None
    acknowledged = {int(await child.stdout.readline()) for _ in range(200)}
    child.send_signal(signal.SIGKILL)
    rest = await child.stdout.read()
    await child.wait()
    acknowledged |= {int(line) for line in rest.decode().splitlines(keepends=True) if line.endswith("\n")}
    again = await connect(database_url, durable=False)
    async with again.view() as view:
        kept = {row["id"] for row in await view.all(ALL)}
    await again.aclose()
    assert acknowledged <= kept
