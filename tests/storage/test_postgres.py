"""PostgreSQL: refusals without the password, retries where they are asked for, processes that wake each other."""

import asyncio

import pytest

from medfed.kernel.errors import Misconfigured, StorageDown
from medfed.storage.connect import connect
from medfed.storage.database import Contended, Store, Transaction
from medfed.storage.statements import sql
from tests.storage.shelf import ADD, COUNT, RENAME, a_shelf

_SYNCHRONOUS = sql("SELECT 1", postgres="SELECT current_setting('synchronous_commit')")


async def test_a_store_answers_until_it_is_closed(database_url: str) -> None:
    store = await connect(database_url, durable=False)
    await store.ping()
    await store.aclose()
    with pytest.raises(StorageDown):
        await store.ping()
    with pytest.raises(StorageDown):
        async with asyncio.timeout(5):
            await store.arrive("late", lambda tx: tx.value(COUNT))


async def test_an_unreachable_server_is_named_and_its_password_is_not() -> None:
    with pytest.raises(Misconfigured, match=r"127\.0\.0\.1:1/medfed") as caught:
        await connect("postgresql://medfed:s3cret@127.0.0.1:1/medfed")
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_a_missing_database_is_said(postgres_url: str) -> None:
    with pytest.raises(Misconfigured, match="does not exist"):
        await connect(postgres_url.rpartition("/")[0] + "/nowhere")


@pytest.mark.case("I07")
async def test_fsync_off_is_a_doubt(postgres_url: str) -> None:
    store = await connect(postgres_url)
    assert {doubt.split()[3] for doubt in await store.doubts()} == {"fsync", "full_page_writes"}
    await store.aclose()


@pytest.mark.case("A02", "I07")
async def test_commits_are_waited_for_where_the_server_would_not(postgres_url: str) -> None:
    import asyncpg  # noqa: PLC0415 - SQLite alone must be testable without the driver

    unasked = await asyncpg.connect(postgres_url)
    assert await unasked.fetchval("SHOW synchronous_commit") == "off"
    await unasked.close()
    store = await connect(postgres_url)
    async with store.view() as view:
        assert await view.value(_SYNCHRONOUS) == "on"
    await store.aclose()


@pytest.mark.case("I07")
async def test_a_deadlocked_arrival_is_tried_again_and_a_transaction_is_not(postgres_url: str) -> None:
    store = await connect(postgres_url)
    await a_shelf(store)
    await _fill(store)
    both = asyncio.Barrier(2)
    rounds = 0

    async def crossed(tx: Transaction, first: int, second: int) -> None:
        nonlocal rounds
        rounds += 1
        await tx.run(RENAME, ids=[first], name="!")
        if rounds <= 2:
            await both.wait()
        await tx.run(RENAME, ids=[second], name="!")

    await asyncio.gather(
        store.arrive("one", lambda tx: crossed(tx, 1, 2)), store.arrive("other", lambda tx: crossed(tx, 2, 1))
    )
    assert rounds == 3
    rounds = 0

    async def plainly(first: int, second: int) -> None:
        async with store.transaction("plain") as tx:
            await crossed(tx, first, second)

    results = await asyncio.gather(plainly(1, 2), plainly(2, 1), return_exceptions=True)
    assert [type(result) for result in results if result is not None] == [Contended]
    await store.aclose()


async def _fill(store: Store) -> None:
    async with store.transaction("fill") as tx:
        await tx.run_many(ADD, [{"id": 1, "name": "one"}, {"id": 2, "name": "two"}])
        assert await tx.value(COUNT) == 2


async def test_one_process_wakes_another(postgres_url: str) -> None:
    one, other = await connect(postgres_url), await connect(postgres_url)
    heard = asyncio.Event()
    other.on_wake("deliveries", heard.set)
    await asyncio.wait_for(heard.wait(), 5)  # once, when it begins to listen: something may have been missed
    heard.clear()
    one.wake("deliveries")
    await asyncio.wait_for(heard.wait(), 5)
    await one.aclose()
    await other.aclose()
