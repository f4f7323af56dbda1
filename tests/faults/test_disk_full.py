"""A full disk takes nothing in and loses nothing; when there is room again, it goes on by itself (X06)."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import stage
from bench.cast import Cast
from bench.wire import Client
from medfed.kernel.clock import SystemClock
from tests.faults.abuse import Scene, a_scene
from tests.faults.history import Aftermath, violations

pytestmark = pytest.mark.slow


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.getuid() != 0:
        pytest.skip("only root can mount a small file system")
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if done.returncode != 0:
        pytest.skip("file systems cannot be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.case("X06")
async def test_a_full_disk_takes_nothing_in_and_loses_nothing(small_disk: Path) -> None:
    cast = Cast.hire(hosts=1, per_host=4)
    async with a_scene(small_disk, "", cast, followed=True) as scene:
        await stage.answers(scene.server.start(), scene.place.authority)
        assert set(await _send(scene, 0, 20)) == {202}
        ballast = _fill(small_disk)
        refused = await _send(scene, 1000, 400)
        assert 503 in refused
        assert set(refused) <= {202, 503}
        ballast.unlink()
        assert set(await _send(scene, 2000, 20)) == {202}
        await scene.come_to_rest("inbox_log")
        scene.server.stop()
        assert violations(scene.history, await Aftermath.of(scene.place.database)) == []


def _fill(disk: Path) -> Path:
    """Leave no byte."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue
    return ballast


async def _send(scene: Scene, first: int, count: int) -> list[int]:
    """Send some activities; the statuses that they got."""
    now, statuses = SystemClock().now(), []
    client = await Client.to("127.0.0.1", scene.place.port)
    for number in range(first, first + count):
        role = scene.cast.roles[number % 4]
        activity = role.create(number, now)
        scene.history.sent.add(str(activity["id"]))
        status, _ = await client.ask(role.post(f"{scene.place.url}/inbox", activity, now))
        statuses.append(status)
        if status == 202:
            scene.history.acknowledged.add(str(activity["id"]))
        if status == 503 and statuses.count(503) > 5:
            break
    client.close()
    return statuses
