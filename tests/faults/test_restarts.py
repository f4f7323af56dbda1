"""A server that is stopped again and again, or does not get the processor for a while: nothing lost, nothing twice."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bench import stage
from bench.cast import Cast
from bench.stage import Process
from tests.faults.abuse import KILLS, Scene, Senders, a_scene
from tests.faults.history import Aftermath, violations

pytestmark = pytest.mark.slow

ALLOWANCE = 0.3
"""Seconds after its first answer in which a peer may still learn that its connection is none any more."""


@pytest.mark.case("X20")
async def test_restarts_under_load_fail_no_request_outside_the_moment_of_the_restart(
    tmp_path: Path, empty_database_url: str
) -> None:
    cast = Cast.hire(hosts=6, per_host=2)
    async with a_scene(tmp_path, empty_database_url, cast, followed=True, following=True) as scene:
        posts = await stage.promise_posts(scene.place, [f"Avis {number}" for number in range(20)])
        senders, away = Senders(scene), list[tuple[float, float]]()
        await scene.starts()
        sending = asyncio.create_task(senders.run())
        for _ in range(KILLS):
            await _some_more(scene, scene.chance.randint(20, 80))
            stopped = time.monotonic()
            await asyncio.to_thread(scene.server.stop)
            assert scene.server.child.returncode == 0
            scene.history.kills += 1
            await scene.starts()
            away.append((stopped, time.monotonic() + ALLOWANCE))
        await _some_more(scene, 20)
        senders.stopped = True
        await sending
        assert senders.statuses.keys() <= {202, 503}
        outside = [at for at in senders.unanswered if not any(since <= at <= until for since, until in away)]
        assert outside == []
        await _everything_is_settled(scene, posts)


async def _some_more(scene: Scene, count: int) -> None:
    enough = await scene.acknowledged() + count
    async with asyncio.timeout(60):
        while await scene.acknowledged() < enough:  # noqa: ASYNC110 - another process answers
            await asyncio.sleep(0.01)


@pytest.mark.case("X24", "J08")
async def test_a_process_that_stands_still_loses_nothing_and_does_nothing_twice(
    tmp_path: Path, empty_database_url: str
) -> None:
    cast = Cast.hire(hosts=12, per_host=1)
    async with a_scene(tmp_path, empty_database_url, cast, followed=True, following=True) as scene:
        posts = await stage.promise_posts(scene.place, [f"Avis {number}" for number in range(20 * (KILLS + 1))])
        await scene.ask_peer("/-/behave", json.dumps({"delay": 0.03}).encode())
        senders = Senders(scene)
        await scene.starts()
        with _a_worker_besides(scene) as others:
            sending = asyncio.create_task(senders.run())
            for _ in range(KILLS):
                await _some_more(scene, scene.chance.randint(5, 20))
                await _stand_still(scene.chance.choice([scene.server, *others]), scene.chance.uniform(0.5, 3))
            senders.stopped = True
            await sending
            await _everything_is_settled(scene, posts)


async def _stand_still(process: Process, seconds: float) -> None:
    """As when the machine is suspended, or somebody else has its processors."""
    os.kill(process.child.pid, signal.SIGSTOP)
    await asyncio.sleep(seconds)
    os.kill(process.child.pid, signal.SIGCONT)


@contextmanager
def _a_worker_besides(scene: Scene) -> Iterator[list[Process]]:
    """Where several processes may share the database, one that delivers beside the server."""
    if scene.place.database.startswith("sqlite"):
        yield []
        return
    arguments = [sys.executable, "-m", "medfed", "--config", str(scene.place.config), "worker"]
    worker = replace(stage.server(scene.place), arguments=arguments).start()
    try:
        yield [worker]
    finally:
        worker.stop()


async def _everything_is_settled(scene: Scene, posts: list[str]) -> None:
    """I-1, I-2, I-3 …"""
    await scene.come_to_rest("inbox_log")
    await scene.come_to_rest("delivery")
    scene.history.received = json.loads(await scene.ask_peer("/-/received"))
    scene.server.stop()
    scene.history.promised = [f"{uri}/activity" for uri in posts]
    scene.history.audience = {role.host for role in scene.cast.roles}
    assert violations(scene.history, await Aftermath.of(scene.place.database)) == []
