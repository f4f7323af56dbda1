"""A network on which everything takes 200 ms, more or less: what is sent and received is slow, and nothing else (X15).

There is no netem here: what goes through small proxies on loopback waits in each direction.
"""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pytest

from bench import stage
from bench.cast import Cast, Role, free_port
from bench.wire import Client
from medfed.kernel.clock import SystemClock
from tests.faults.abuse import SEED, Scene, a_scene
from tests.faults.history import Aftermath, violations

pytestmark = pytest.mark.slow

ONE_WAY: Final = (0.06, 0.14)
"""Seconds in one direction: 200 ms there and back, 80 ms sooner or later."""
HOSTS: Final = 20
POSTS: Final = 6
SENT: Final = 60
AT_ONCE: Final = 10


@dataclass(slots=True)
class Slow:
    """A proxy: whoever connects reaches `target`, and each piece waits in each direction."""

    target: tuple[str, int]
    chance: random.Random

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection; its opening costs a turn, too."""
        with suppress(OSError):
            await asyncio.sleep(2 * self.chance.uniform(*ONE_WAY))
            there, back = await asyncio.open_connection(*self.target)
            try:
                await asyncio.gather(self._carry(reader, back), self._carry(there, writer))
            finally:
                back.close()
        writer.close()

    async def _carry(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(1 << 16):
            await asyncio.sleep(self.chance.uniform(*ONE_WAY))
            target.write(data)
        target.close()


@asynccontextmanager
async def _slowly_to(targets: dict[tuple[str, int], tuple[str, int]]) -> AsyncIterator[None]:
    """Proxies, by where they listen."""
    chance = random.Random(SEED)
    servers = [await asyncio.start_server(Slow(target, chance).converse, *place) for place, target in targets.items()]
    try:
        yield
    finally:
        for server in servers:
            server.close()


def _far(role: Role) -> Role:
    """The same reader behind a proxy: 127.2.x.y stands before 127.1.x.y."""
    return replace(role, host=_beyond(role.host))


def _beyond(host: str) -> str:
    return host.replace("127.1.", "127.2.", 1)


@pytest.mark.case("X15", "J02", "J05")
async def test_deliveries_over_a_slow_network_are_all_made_in_order_and_beside_each_other(
    tmp_path: Path, empty_database_url: str
) -> None:
    cast = Cast.hire(hosts=HOSTS, per_host=1)
    async with a_scene(tmp_path, empty_database_url, cast) as scene:
        far = [_far(role) for role in cast.roles]
        await stage.introduce(scene.place, far, following=True)
        posts = await stage.promise_posts(scene.place, [f"Avis {number}" for number in range(POSTS)])
        proxies = {(_far(role).host.partition(":")[0], cast.port): _place(role.host) for role in cast.roles}
        async with _slowly_to(proxies):
            await scene.starts()
            begun = time.monotonic()
            await scene.come_to_rest("delivery")
            seconds = time.monotonic() - begun
            received = json.loads(await scene.ask_peer("/-/received"))
            scene.server.stop()
        scene.history.promised = [f"{uri}/activity" for uri in posts]
        scene.history.audience = {role.host for role in far}
        scene.history.received = {_beyond(host): ids for host, ids in received.items()}
        assert violations(scene.history, await Aftermath.of(scene.place.database)) == []
        assert seconds < POSTS * 2.5, "hosts do not wait for each other"


@pytest.mark.case("X15", "A02")
async def test_what_comes_over_a_slow_network_waits_for_the_network_and_for_nothing_else(
    tmp_path: Path, empty_database_url: str
) -> None:
    cast, port = Cast.hire(hosts=2, per_host=5), free_port()
    async with a_scene(tmp_path, empty_database_url, cast, followed=True) as scene:
        await scene.starts()
        async with _slowly_to({("127.0.0.1", port): ("127.0.0.1", scene.place.port)}):
            shares = [asyncio.create_task(_sends(scene, port, number)) for number in range(AT_ONCE)]
            waited = sorted(seconds for share in await asyncio.gather(*shares) for seconds in share)
        await scene.come_to_rest("inbox_log")
        scene.server.stop()
        assert len(scene.history.acknowledged) == SENT
        assert violations(scene.history, await Aftermath.of(scene.place.database)) == []
        assert waited[len(waited) // 2] < 1
        assert waited[-1] < 3


async def _sends(scene: Scene, port: int, first: int) -> list[float]:
    """One actor sends its share; how long each answer took."""
    client, role, waited = await Client.to("127.0.0.1", port), scene.cast.roles[first], []
    for number in range(first, SENT, AT_ONCE):
        now = SystemClock().now()
        activity = role.create(number, now)
        scene.history.sent.add(str(activity["id"]))
        begun = time.monotonic()
        status, _ = await client.ask(role.post(f"{scene.place.url}/inbox", activity, now))
        waited.append(time.monotonic() - begun)
        assert status == 202
        scene.history.acknowledged.add(str(activity["id"]))
    client.close()
    return waited


def _place(authority: str) -> tuple[str, int]:
    host, _, port = authority.partition(":")
    return host, int(port)
