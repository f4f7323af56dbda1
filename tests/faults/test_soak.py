"""Weeks in minutes: what a server takes of memory, files and log does not grow with what it has done (X25).

As many activities arrive as MEDFED_FAULT_SOAK says, while pages are read, and posts are delivered. Three days of a
busy server are ten million of them.
"""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Final

import pytest

from bench import stage
from bench.cast import Cast, as_request
from bench.stage import MEMBER, Process
from bench.wire import Client
from medfed.storage.sqlite import WAL_GROWTH_BYTES, WAL_TRUNCATE_BYTES
from tests.faults.abuse import Scene, Senders, a_scene
from tests.faults.history import Aftermath, violations

pytestmark = pytest.mark.slow

EVENTS: Final = int(os.environ.get("MEDFED_FAULT_SOAK", "600"))
SAMPLES: Final = 40
CACHES: Final = 80.0
"""MB that the pages of a database take as it grows: 32 for who writes, 8 for each who reads, and what is remembered."""
PER_EVENT: Final = 72 / 10_000_000
"""MB: less than one in an hour of 140 000."""
NOISE: Final = 8.0
FILES: Final = 12
"""More open at one moment than at another: connections to peers come and go."""


@dataclass(slots=True)
class Watch:
    """What the server takes, sampled as it goes."""

    server: Process
    wal: Path
    memory: list[float] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    log: list[int] = field(default_factory=list)

    def look(self) -> None:
        """One sample."""
        self.memory.append(self.server.memory()["rss"])
        self.files.append(len(os.listdir(f"/proc/{self.server.child.pid}/fd")))  # noqa: PTH208
        self.log.append(self.wal.stat().st_size if self.wal.exists() else 0)


@pytest.mark.case("X25")
async def test_what_a_server_takes_does_not_grow_with_what_it_has_done(
    tmp_path: Path, empty_database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cast = Cast.hire(hosts=4, per_host=6)
    async with a_scene(tmp_path, empty_database_url, cast, followed=True, following=True) as scene:
        bearer = await stage.token(scene.place)
        await scene.starts()
        watch = Watch(scene.server, tmp_path / "data" / "medfed.db-wal")
        senders = Senders(scene)
        sending = asyncio.create_task(senders.run())
        for number in range(1, SAMPLES + 1):
            await _until(lambda number=number: len(scene.history.acknowledged) >= number * EVENTS // SAMPLES)  # type: ignore[misc]
            await _read_and_write(scene, bearer, number)
            watch.look()
        senders.stopped = True
        await sending
        await scene.come_to_rest("inbox_log")
        await scene.come_to_rest("delivery")
        watch.look()
        scene.server.stop()
        after = await Aftermath.of(scene.place.database)
        assert [each for each in violations(scene.history, after) if not each.startswith(("I-3", "I-4"))] == []
    warm, half = watch.memory[SAMPLES // 10], SAMPLES // 2
    grown = mean(watch.memory[-half // 2 :]) - mean(watch.memory[half : half + half // 2])
    with capsys.disabled():
        print(  # noqa: T201
            f"\n  {EVENTS} arrivals: {warm:.0f} MB resident at first, {watch.memory[-1]:.0f} at last, {grown:+.1f} in "
            f"the second half; {min(watch.files)}–{max(watch.files)} files; log at most {max(watch.log) >> 20} MiB"
        )
    assert max(watch.memory) - warm < CACHES
    if EVENTS >= 40_000:  # fewer do not fill the caches
        assert grown < NOISE + EVENTS * PER_EVENT
    later = watch.files[SAMPLES // 4 :]
    assert max(later) - min(later) <= FILES
    assert max(watch.log) < WAL_TRUNCATE_BYTES + 2 * WAL_GROWTH_BYTES


async def _until(reached: Callable[[], bool]) -> None:
    while not reached():  # noqa: ASYNC110 - other processes do the work
        await asyncio.sleep(0.01)


async def _read_and_write(scene: Scene, bearer: str, number: int) -> None:
    """What a member does meanwhile."""
    client = await Client.to("127.0.0.1", scene.place.port)
    headers = {"host": scene.place.authority, "authorization": f"Bearer {bearer}"}
    body = f'{{"status": "Avis {number}"}}'.encode()
    status, _ = await client.ask(as_request("/api/v1/statuses", headers | {"content-type": "application/json"}, body))
    assert status == 200
    for path in (f"/users/{MEMBER}", "/api/v1/timelines/home", "/api/v1/notifications", f"/@{MEMBER}"):
        request = as_request(path, headers, b"").replace(b"POST", b"GET", 1)
        assert (await client.ask(request))[0] == 200
    client.close()
