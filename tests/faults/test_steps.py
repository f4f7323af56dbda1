"""kill -9 exactly at a named step, on both engines: whatever the moment, nothing is lost and nothing happens twice."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bench import stage
from bench.cast import Cast
from bench.wire import Client
from medfed.accounts import tokens
from medfed.instance import open_instance
from medfed.storage import accounts
from medfed.storage.connect import connect
from medfed.storage.statements import sql
from tests.faults.abuse import KILLS, Scene, Senders, a_scene
from tests.faults.history import Aftermath, violations

pytestmark = pytest.mark.slow

ROUNDS = max(1, KILLS // 10)
ARRIVING = ("read", "verified", "commit", "committed")
LEAVING = ("fan-out", "posted")

_CREATES = sql("SELECT uri FROM outbox WHERE kind = 'Create' ORDER BY id")


@pytest.mark.case("X02", "A02")
async def test_an_arrival_survives_a_kill_at_each_step_of_taking_it_in(tmp_path: Path, empty_database_url: str) -> None:
    cast = Cast.hire(hosts=2, per_host=6)
    async with a_scene(tmp_path, empty_database_url, cast, followed=True) as scene:
        senders = Senders(scene)
        sending = asyncio.create_task(senders.run())
        for step in ARRIVING * ROUNDS:
            await scene.dies_at(step, scene.chance.randint(1, 40))
        await scene.starts()
        senders.stopped = True
        await sending
        await scene.come_to_rest("inbox_log")
        scene.server.stop()
        assert violations(scene.history, await Aftermath.of(scene.place.database)) == []


@pytest.mark.case("X02", "J01", "J03")
async def test_a_post_survives_a_kill_amid_its_fan_out_and_before_a_delivery_is_ticked(
    tmp_path: Path, empty_database_url: str
) -> None:
    cast = Cast.hire(hosts=12, per_host=1)
    async with a_scene(tmp_path, empty_database_url, cast, followed=True, following=True) as scene:
        token = await _token(scene.place)
        async with _publishing(scene, token) as accepted:
            for step in LEAVING * ROUNDS:
                await scene.dies_at(step, scene.chance.randint(1, 6 if step == "fan-out" else 60))
            await scene.starts()
            enough = len(accepted) + 3
            while len(accepted) < enough:  # noqa: ASYNC110 - another process accepts
                await asyncio.sleep(0.05)
        await scene.everybody_speaks()
        await scene.come_to_rest("delivery")
        scene.history.received = json.loads(await scene.ask_peer("/-/received"))
        scene.server.stop()
        scene.history.promised = await _promised(scene.place.database)
        scene.history.audience = {role.host for role in cast.roles}
        assert {f"{uri}/activity" for uri in accepted} <= set(scene.history.promised)
        after = await Aftermath.of(scene.place.database)
        scene.history.sent |= {f"{uri}/activity" for uri in after.posts}
        assert violations(scene.history, after) == []


@asynccontextmanager
async def _publishing(scene: Scene, token: str) -> AsyncIterator[set[str]]:
    """The member publishes again and again. URIs of the posts that were accepted, as they come."""
    accepted: set[str] = set()

    async def publish() -> None:
        while True:
            try:
                client = await Client.to("127.0.0.1", scene.place.port)
                status, body = await client.ask(_status(scene.place.authority, token, f"Avis {len(accepted)}"))
                client.close()
            except OSError:
                await asyncio.sleep(0.05)
                continue
            assert status == 200, (status, body)
            accepted.add(json.loads(body)["uri"])

    publishing = asyncio.create_task(publish())
    try:
        yield accepted
        assert not publishing.done(), publishing.exception()
    finally:
        publishing.cancel()
        await asyncio.wait({publishing})


def _status(authority: str, token: str, text: str) -> bytes:
    body = json.dumps({"status": text}).encode()
    lines = (
        "POST /api/v1/statuses HTTP/1.1",
        f"host: {authority}",
        f"authorization: Bearer {token}",
        "content-type: application/json",
        f"content-length: {len(body)}",
    )
    return "\r\n".join((*lines, "", "")).encode() + body


async def _token(place: stage.Stage) -> str:
    async with (
        open_instance(place.settings(), role="server", durable=False) as instance,
        instance.store.transaction("token") as tx,
    ):
        author = await accounts.find_by_handle(tx, stage.MEMBER, instance.here.domain)
        assert author is not None
        member = await accounts.find_member(tx, author.id)
        assert member is not None
        return await tokens.issue(tx, instance.here, member, "read write", by="test")


async def _promised(url: str) -> list[str]:
    store = await connect(url, durable=False)
    try:
        async with store.view() as view:
            return [row["uri"] for row in await view.all(_CREATES)]
    finally:
        await store.aclose()
