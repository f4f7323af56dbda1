"""kill -9 at a random moment under load loses nothing that was answered 202 and duplicates nothing."""

import asyncio
import json
from pathlib import Path

import pytest

from bench import stage
from bench.cast import Cast
from tests.faults.abuse import KILLS, Senders, a_scene
from tests.faults.history import Aftermath, violations

pytestmark = pytest.mark.slow


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
