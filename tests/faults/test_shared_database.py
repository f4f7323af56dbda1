"""A database that goes away for a while, and processes that share one: work goes on, in order, and once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from medfed.instance import open_instance
from medfed.kernel.clock import iso
from medfed.kernel.errors import StorageDown
from medfed.storage import tasks
from medfed.storage.statements import sql
from medfed.worker.loop import Worker
from tests.support.databases import PostgresServer
from tests.support.stranger import PUBLIC, Stranger
from tests.support.world import Site, World, a_world

_CONTENTS = sql("SELECT content FROM post WHERE local = 0 ORDER BY id")


@pytest.fixture
async def world(postgres_url: str) -> AsyncIterator[World]:
    async with a_world("lyon.test", databases=[postgres_url]) as opened:
        yield opened


@asynccontextmanager
async def _another_process(lyon: Site) -> AsyncIterator[Worker]:
    """A worker with connections of its own, as another process would have."""
    async with open_instance(
        lyon.instance.settings,
        role="server",
        clock=lyon.world.clock,
        transport=lyon.world.internet,
        vault=lyon.instance.here.vault,
    ) as instance:
        worker = Worker(instance)
        await worker.start()
        yield worker


@pytest.mark.case("X09")
async def test_background_work_goes_on_when_the_database_is_back(
    world: World, postgres: PostgresServer, postgres_url: str
) -> None:
    lyon = world["lyon.test"]
    store, here = lyon.instance.store, lyon.instance.here
    working = asyncio.create_task(lyon.worker.run())
    await asyncio.sleep(0.5)
    await postgres.close_doors(postgres_url)
    store.wake("tasks")
    await asyncio.sleep(2.5)
    assert not working.done()
    await postgres.open_doors(postgres_url)
    await _come_to_rest(lyon)
    async with store.transaction("promise") as tx:
        await tasks.enqueue(tx, id_=here.ids.new(), kind="sweep", payload={}, run_at=here.now(), once="another sweep")
        tx.wake("tasks")
    await _come_to_rest(lyon)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


async def _come_to_rest(site: Site) -> None:
    async with asyncio.timeout(20):
        while not await _is_nothing_due(site):  # noqa: ASYNC110 - nothing tells when
            await asyncio.sleep(0.2)


async def _is_nothing_due(site: Site) -> bool:
    try:
        async with site.instance.store.view() as view:
            return not await tasks.due(view, site.instance.here.now(), 1)
    except StorageDown:
        return False


@pytest.mark.case("J02", "J08")
async def test_two_processes_deliver_everything_once_and_in_order(world: World) -> None:
    lyon = world["lyon.test"]
    reader = Stranger(world, "peer.test").person("reader")
    await reader.tells(lyon, reader.activity("Follow", (await lyon.member("dr-roy")).uri))
    await world.settle()
    posts = [await lyon.publishes("dr-roy", f"Avis {number}") for number in range(30)]
    world.internet.slow("peer.test", 0.005)
    async with _another_process(lyon) as other:
        await asyncio.gather(lyon.worker.settle(), other.settle())
    assert [activity["object"]["id"] for activity in reader.home.heard("Create")] == [post.uri for post in posts]


@pytest.mark.case("J08")
async def test_two_processes_apply_what_one_actor_sent_in_its_order(world: World) -> None:
    lyon = world["lyon.test"]
    await lyon.member("dr-roy")
    author = Stranger(world, "peer.test").person("author")
    for number in range(10):
        create = author.create(f"<p>Avis {number}</p>", to=[PUBLIC])
        note = create["object"]
        await author.sends(lyon, create)
        for version in range(3):
            words = f"<p>Avis {number}, version {version}</p>"
            changed = note | {"content": words, "updated": iso(world.clock.now())}  # of one second: order decides
            await author.sends(lyon, author.activity("Update", changed, to=[PUBLIC]))
        if number % 2:
            await author.sends(lyon, author.activity("Delete", note["id"], to=[PUBLIC]))
    async with _another_process(lyon) as other:
        await asyncio.gather(lyon.worker.settle(), other.settle())
        world.clock.advance(2_000)
        await asyncio.gather(lyon.worker.settle(), other.settle())
    async with lyon.instance.store.view() as view:
        kept = await view.all(_CONTENTS)
    assert [row["content"] for row in kept] == [f"<p>Avis {number}, version 2</p>" for number in range(0, 10, 2)]
