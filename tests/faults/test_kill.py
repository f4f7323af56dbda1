"""kill -9 at a random moment under load loses nothing that was answered 202 and duplicates nothing."""

import asyncio
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from bench import stage
from bench.cast import Cast
from medfed.delivery.send import LANES
from medfed.storage.connect import connect
from medfed.storage.statements import sql
from tests.faults.abuse import KILLS, Scene, Senders, a_scene
from tests.faults.history import RESENT_AFTER_A_KILL, Aftermath, violations

pytestmark = pytest.mark.slow

ROWS: Final = int(os.environ.get("MEDFED_FAULT_ROWS", "600"))
HOSTS: Final = int(os.environ.get("MEDFED_FAULT_ROWS_HOSTS", "20"))
WORKER_KILLS: Final = min(KILLS, 20)
"""More, and one comes before what the last one interrupted was sent again."""
_OWED = sql("SELECT d.host, o.uri FROM delivery d JOIN outbox o ON o.id = d.activity_id")


@pytest.mark.case("X01", "A02", "J01")
async def test_what_was_acknowledged_is_applied_exactly_once_through_kills(
    tmp_path: Path, empty_database_url: str
) -> None:
    cast = Cast.hire(hosts=4, per_host=6)
    async with a_scene(tmp_path, empty_database_url, cast, followed=True) as scene:
        await stage.answers(scene.server.start(), scene.place.authority)
        senders = Senders(scene)
        sending = asyncio.create_task(senders.run())
        for _ in range(KILLS):
            await scene.kill_and_restart(scene.acknowledged, every=(10, 80))
        senders.stopped = True
        await sending
        await scene.come_to_rest("inbox_log")
        scene.server.stop()
        assert violations(scene.history, await Aftermath.of(scene.place.database)) == []


@pytest.mark.case("X03", "J02", "J05")
async def test_what_is_owed_arrives_through_kills_in_order_at_every_host(
    tmp_path: Path, empty_database_url: str
) -> None:
    cast = Cast.hire(hosts=12, per_host=1)
    async with a_scene(tmp_path, empty_database_url, cast, followed=True, following=True) as scene:
        posts = await stage.promise_posts(scene.place, [f"Avis {number}" for number in range(30 * (KILLS + 1))])
        await scene.ask_peer("/-/behave", json.dumps({"failing": 0.003, "delay": 0.02}).encode())
        await stage.answers(scene.server.start(), scene.place.authority)
        for _ in range(KILLS):
            await scene.kill_and_restart(scene.delivered, every=(20, 200))
        await scene.ask_peer("/-/behave", b"{}")
        await scene.everybody_speaks()
        await scene.come_to_rest("delivery")
        received = json.loads(await scene.ask_peer("/-/received"))
        scene.server.stop()
        scene.history.promised = [f"{uri}/activity" for uri in posts]
        scene.history.audience = {role.host for role in cast.roles}
        scene.history.received = received
        after = await Aftermath.of(scene.place.database)
        scene.history.sent |= {f"{uri}/activity" for uri in after.posts}
        assert violations(scene.history, after) == []


@pytest.mark.case("X03", "J02", "J05")
async def test_a_worker_that_is_killed_amid_very_many_deliveries_repeats_only_what_was_under_way(
    tmp_path: Path, empty_database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """On PostgreSQL the worker alone, beside a server that stays; MEDFED_FAULT_ROWS, _ROWS_HOSTS and _KILLS."""
    cast = Cast.hire(hosts=HOSTS, per_host=1)
    async with a_scene(tmp_path, empty_database_url, cast, followed=True, following=True) as scene:
        posts = await stage.promise_posts(scene.place, [f"Avis {number}" for number in range(ROWS // HOSTS)])
        await scene.ask_peer("/-/behave", json.dumps({"delay": 0.02}).encode())
        worker, under_way = _worker(scene), 0
        worker.start()
        for kill in range(1, WORKER_KILLS + 1):
            goal = kill * ROWS // (WORKER_KILLS + 1) + scene.chance.randint(-ROWS // 20, ROWS // 20)
            while await scene.delivered() < goal:  # noqa: ASYNC110 - another process delivers
                await asyncio.sleep(0.005)
            worker.kill()
            repeated = await _received_and_owed(scene)
            assert repeated <= LANES * RESENT_AFTER_A_KILL
            under_way += repeated
            worker.start()
        await scene.come_to_rest("delivery")
        received = json.loads(await scene.ask_peer("/-/received"))
        worker.stop()
        again = sum(map(len, received.values())) - ROWS // HOSTS * HOSTS
        assert again <= under_way
        scene.history.kills, scene.history.received = WORKER_KILLS, received
        scene.history.promised = [f"{uri}/activity" for uri in posts]
        scene.history.audience = {role.host for role in cast.roles}
        assert violations(scene.history, await Aftermath.of(scene.place.database)) == []
    with capsys.disabled():
        kills = f"{ROWS} rows over {HOSTS} hosts, {WORKER_KILLS} kills"
        print(f"\n  {kills}: {again} sent again, {under_way} were under way")  # noqa: T201


def _worker(scene: Scene) -> stage.Process:
    """What delivers: the server on SQLite, a process of its own on PostgreSQL."""
    if scene.place.database.startswith("sqlite"):
        return scene.server
    scene.server = replace(scene.server, arguments=[*scene.server.arguments, "--no-worker"])
    scene.server.start()
    command = [sys.executable, "-m", "medfed", "--config", str(scene.place.config), "worker"]
    return stage.Process(arguments=command, log=scene.place.folder / "worker.log")


async def _received_and_owed(scene: Scene) -> int:
    """How many deliveries arrived and are not ticked: those that were under way when their worker died."""
    received = json.loads(await scene.ask_peer("/-/received"))
    store = await connect(scene.place.database, durable=False)
    try:
        async with store.view() as view:
            owed = [(row["host"], row["uri"]) for row in await view.all(_OWED)]
    finally:
        await store.aclose()
    arrived = {host: set(ids) for host, ids in received.items()}
    return sum(uri in arrived.get(host, ()) for host, uri in owed)
