"""A transaction keeps everything or nothing, on both engines, whatever interrupts it."""

import asyncio

import pytest

from medfed.kernel.errors import Conflict, StorageDown
from medfed.kernel.transactions import NetworkInsideTransaction, refuse_inside_transaction
from medfed.storage.database import BadStatement, Duplicate, Misused, Store, Transaction, Violated
from tests.storage.shelf import ADD, ALL, COUNT, ONE, REMOVE, RENAME, SLOW, a_shelf

pytestmark = pytest.mark.usefixtures("shelf")


@pytest.fixture
async def shelf(store: Store) -> None:
    await a_shelf(store)


async def names(store: Store) -> list[str]:
    async with store.view() as view:
        return [row["name"] for row in await view.all(ALL)]


async def test_what_a_transaction_writes_is_there_after_it(store: Store) -> None:
    async with store.transaction("add") as tx:
        assert await tx.run(ADD, id=1, name="aspirin") == 1
        assert await tx.value(COUNT) == 1
    assert await names(store) == ["aspirin"]


async def test_an_exception_leaves_nothing_behind(store: Store) -> None:
    with pytest.raises(KeyError):
        async with store.transaction("add") as tx:
            await tx.run(ADD, id=1, name="aspirin")
            raise KeyError
    assert await names(store) == []


async def test_callbacks_run_after_the_commit_and_only_then(store: Store) -> None:
    ran: list[str] = []
    with pytest.raises(KeyError):
        async with store.transaction("fails") as tx:
            tx.after_commit(lambda: ran.append("never"))
            await tx.run(ADD, id=1, name="aspirin")
            raise KeyError
    async with store.transaction("succeeds") as tx:
        tx.after_commit(lambda: ran.append("then"))
        await tx.run(ADD, id=1, name="aspirin")
        assert ran == []
    assert ran == ["then"]


async def test_a_cancelled_transaction_rolls_back_and_the_next_one_works(store: Store) -> None:
    started = asyncio.Event()

    async def interrupted() -> None:
        async with store.transaction("interrupted") as tx:
            await tx.run(ADD, id=1, name="aspirin")
            started.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(interrupted())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with store.transaction("next") as tx:
        await tx.run(ADD, id=1, name="ibuprofen")
    assert await names(store) == ["ibuprofen"]


async def test_cancelling_while_a_statement_runs_rolls_back(store: Store) -> None:
    async def interrupted() -> None:
        async with store.transaction("interrupted") as tx:
            await tx.run(ADD, id=1, name="aspirin")
            await tx.value(SLOW)

    task = asyncio.create_task(interrupted())
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with store.transaction("next") as tx:
        assert await tx.value(COUNT) == 0
        await tx.run(ADD, id=1, name="ibuprofen")
    assert await names(store) == ["ibuprofen"]


@pytest.mark.parametrize("ticks", range(12))
async def test_cancelling_at_any_moment_keeps_all_or_nothing(store: Store, ticks: int) -> None:
    async def interrupted() -> None:
        async with store.transaction("interrupted") as tx:
            await tx.run(ADD, id=1, name="aspirin")
            await tx.run(ADD, id=2, name="ibuprofen")

    task = asyncio.create_task(interrupted())
    for _ in range(ticks):
        await asyncio.sleep(0.0002)
    task.cancel()
    await asyncio.wait({task})
    kept = await names(store)
    assert kept in ([], ["aspirin", "ibuprofen"])
    assert task.cancelled() or kept
    async with store.transaction("next") as tx:
        await tx.run(ADD, id=3, name="codeine")


async def test_a_view_sees_one_moment(store: Store) -> None:
    async with store.view() as view:
        before = await view.value(COUNT)

        async def meanwhile() -> None:
            async with store.transaction("meanwhile") as tx:
                await tx.run(ADD, id=1, name="aspirin")

        await asyncio.create_task(meanwhile())
        assert await view.value(COUNT) == before == 0
    assert await names(store) == ["aspirin"]


async def test_a_view_cannot_write(store: Store) -> None:
    with pytest.raises((StorageDown, Misused)):
        async with store.view() as view:
            await view.all(ADD, id=1, name="aspirin")
    assert await names(store) == []


async def test_a_transaction_inside_a_transaction_is_refused(store: Store) -> None:
    with pytest.raises(Misused, match="'inner' inside transaction 'outer'"):
        async with store.transaction("outer"), store.transaction("inner"):
            pass
    with pytest.raises(Misused):
        async with store.transaction("outer"), store.view():
            pass

    async def nothing(tx: Transaction) -> None:
        return None

    with pytest.raises(Misused):
        async with store.transaction("outer"):
            await store.arrive("inner", nothing)


async def test_the_network_is_refused_inside_a_transaction_only(store: Store) -> None:
    async with store.transaction("publish"):
        with pytest.raises(NetworkInsideTransaction, match="publish"):
            refuse_inside_transaction("GET https://lille.test")
    refuse_inside_transaction("GET https://lille.test")


async def test_a_taken_key_is_a_conflict_that_tells_strangers_nothing(store: Store) -> None:
    async with store.transaction("add") as tx:
        await tx.run(ADD, id=1, name="aspirin")
    with pytest.raises(Duplicate) as caught:
        async with store.transaction("again") as tx:
            await tx.run(ADD, id=2, name="aspirin")
    assert isinstance(caught.value, Conflict)
    assert caught.value.safe == "it exists already"
    assert "name" in caught.value.where


async def test_other_constraints_are_our_fault(store: Store) -> None:
    with pytest.raises(Violated):
        async with store.transaction("null") as tx:
            await tx.run(ADD, id=1, name=None)
    with pytest.raises(Violated):
        async with store.transaction("type") as tx:
            await tx.run(ADD, id="one", name="aspirin")
    with pytest.raises(Violated):
        async with store.transaction("too large") as tx:
            await tx.run(ADD, id=2**63, name="aspirin")


async def test_a_failed_statement_spoils_the_transaction_even_if_its_error_is_swallowed(store: Store) -> None:
    with pytest.raises(Misused):
        async with store.transaction("swallow") as tx:
            await tx.run(ADD, id=1, name="aspirin")
            with pytest.raises(Duplicate):
                await tx.run(ADD, id=1, name="ibuprofen")
    assert await names(store) == []


async def test_a_savepoint_undoes_only_what_is_inside_it(store: Store) -> None:
    ran: list[str] = []
    async with store.transaction("outer") as tx:
        await tx.run(ADD, id=1, name="aspirin")
        with pytest.raises(Duplicate):
            async with tx.savepoint():
                tx.after_commit(lambda: ran.append("never"))
                await tx.run(ADD, id=2, name="ibuprofen")
                async with tx.savepoint():
                    await tx.run(ADD, id=3, name="aspirin")
        async with tx.savepoint():
            await tx.run(ADD, id=4, name="codeine")
    assert await names(store) == ["aspirin", "codeine"]
    assert ran == []


async def test_a_transaction_that_is_over_cannot_be_used(store: Store) -> None:
    async with store.transaction("short") as tx:
        pass
    with pytest.raises(Misused):
        await tx.run(ADD, id=1, name="aspirin")


async def test_run_counts_rows_and_returning_gives_them(store: Store) -> None:
    async with store.transaction("count") as tx:
        await tx.run_many(ADD, ({"id": n, "name": f"drug {n}"} for n in range(5)))
        assert await tx.run(RENAME, ids=[1, 2, 99], name=" forte") == 2
        removed = await tx.all(REMOVE, names=["drug 0", "drug 1 forte"])
        assert sorted(row["id"] for row in removed) == [0, 1]
        assert await tx.run(REMOVE, names=[]) == 0
    assert await names(store) == ["drug 2 forte", "drug 3", "drug 4"]


async def test_one_row_means_one_row(store: Store) -> None:
    async with store.transaction("two") as tx:
        await tx.run_many(ADD, [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}])
    async with store.view() as view:
        assert await view.one(ONE, id=1) == {"id": 1, "name": "a"}
        assert await view.one_or_none(ONE, id=3) is None
        assert await view.value(ONE, id=3) is None
    async with store.view() as view:
        with pytest.raises(BadStatement):
            await view.one(ONE, id=3)
    async with store.view() as view:
        with pytest.raises(BadStatement):
            await view.one_or_none(ALL)


async def test_a_statement_wants_exactly_its_parameters(store: Store) -> None:
    async with store.view() as view:
        with pytest.raises(TypeError, match="missing: id; unknown: ids"):
            await view.one(ONE, ids=1)
        assert await view.one_or_none(ONE, id=1) is None


async def test_sleepers_are_woken_until_they_stop_listening(store: Store) -> None:
    heard: list[str] = []
    stop = store.on_wake("deliveries", lambda: heard.append("deliveries"))
    store.on_wake("tasks", lambda: heard.append("tasks"))
    store.wake("deliveries")
    assert "deliveries" in heard
    assert "tasks" not in heard or store.engine == "postgres"
    stop()
    heard.clear()
    store.wake("deliveries")
    assert heard == []
