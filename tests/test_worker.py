"""Background tasks do not wait for each other, and each is done by one process at a time."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from medfed.instance import Instance, open_instance
from medfed.storage import tasks
from medfed.worker.loop import Worker
from medfed.worker.routes import Task
from tests.support.world import Site, World, a_world


class _Slow:
    """A kind of task that takes until it is let go."""

    def __init__(self) -> None:
        self.begun = 0
        self.let_go = asyncio.Event()

    async def run(self, _instance: Instance, _payload: Mapping[str, Any]) -> None:
        self.begun += 1
        await self.let_go.wait()


async def _promise(site: Site, kind: str) -> None:
    here = site.instance.here
    async with site.instance.store.transaction("promise") as tx:
        await tasks.enqueue(tx, id_=here.ids.new(), kind=kind, payload={}, run_at=here.now(), once=kind)


async def _is_promised(site: Site, kind: str) -> bool:
    async with site.instance.store.view() as view:
        return kind in {task["kind"] for task in await tasks.overview(view)}


@asynccontextmanager
async def _another_process(lyon: Site, world: World) -> AsyncIterator[Worker]:
    """A worker with connections of its own, as another process would have."""
    async with open_instance(
        lyon.instance.settings,
        role="server",
        clock=world.clock,
        transport=world.internet,
        vault=lyon.instance.here.vault,
    ) as instance:
        yield Worker(instance)


def _knows(worker: Worker, *kinds: Task) -> None:
    worker._routes |= {kind.kind: kind for kind in kinds}


async def test_mail_does_not_wait_for_a_slow_issuer() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        await lyon.worker.settle()
        slow, sent = _Slow(), asyncio.Event()

        async def send(_instance: Instance, _payload: Mapping[str, Any]) -> None:
            sent.set()

        _knows(lyon.worker, Task(kind="slow", run=slow.run), Task(kind="letter", run=send))
        await _promise(lyon, "slow")
        async with asyncio.timeout(10):
            assert await lyon.worker.run_tasks()
            await _promise(lyon, "letter")
            assert await lyon.worker.run_tasks()
        assert sent.is_set()
        assert not await lyon.worker.run_tasks()
        slow.let_go.set()
        await lyon.worker.settle()
        assert slow.begun == 1


async def test_a_task_that_outlives_its_lease_is_not_done_by_another_process_too(postgres_url: str) -> None:
    async with a_world("lyon.test", databases=[postgres_url]) as world:
        lyon = world["lyon.test"]
        async with _another_process(lyon, world) as other:
            while await lyon.worker.run_tasks():
                pass
            slow = _Slow()
            kind = Task(kind="slow", run=slow.run)
            _knows(lyon.worker, kind)
            _knows(other, kind)
            await _promise(lyon, "slow")
            async with asyncio.timeout(10):
                await lyon.worker.run_tasks()
                world.clock.advance(2 * tasks.LEASE)
                await other.run_tasks()
                assert slow.begun == 1
                slow.let_go.set()
                while await _is_promised(lyon, "slow"):  # noqa: ASYNC110 - nothing tells when
                    await asyncio.sleep(0.05)
            assert slow.begun == 1
