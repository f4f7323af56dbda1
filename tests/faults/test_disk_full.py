"""A full disk takes nothing in and loses nothing; when there is room again, it goes on by itself (X06)."""

import asyncio
import io
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from PIL import Image

from bench import stage
from bench.cast import Cast, as_request
from bench.wire import Client
from medfed.kernel.clock import SystemClock
from tests.faults.abuse import Scene, a_scene
from tests.faults.history import Aftermath, violations

pytestmark = pytest.mark.slow


def _form() -> bytes:
    """An upload of a small image."""
    image = io.BytesIO()
    Image.new("RGB", (16, 16), "white").save(image, "PNG")
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
    return head + image.getvalue() + b"\r\n--b--\r\n"


_FORM: Final = _form()


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


@pytest.mark.case("X06", "I10")
async def test_a_full_disk_takes_nothing_in_and_loses_nothing(small_disk: Path) -> None:
    cast = Cast.hire(hosts=1, per_host=4)
    async with a_scene(small_disk, "", cast, followed=True) as scene:
        await stage.answers(scene.server.start(), scene.place.authority)
        assert set(await _send(scene, 0, 20)) == {202}
        ballast = _fill(small_disk)
        refused = await _send(scene, 1000, 400)
        assert 503 in refused, "and never 202 for what is not on disk"
        assert set(refused) <= {202, 503}
        ballast.unlink()
        assert set(await _send(scene, 2000, 20)) == {202}
        await scene.come_to_rest("inbox_log")
        scene.server.stop()
        assert violations(scene.history, await Aftermath.of(scene.place.database)) == []


@pytest.mark.case("I10")
async def test_a_nearly_full_disk_is_closed_to_what_comes_in_and_open_to_what_makes_room(small_disk: Path) -> None:
    cast = Cast.hire(hosts=1, per_host=4)
    async with a_scene(small_disk, "", cast, followed=True) as scene:
        bearer = await stage.token(scene.place)
        await stage.answers(scene.server.start(), scene.place.authority)
        client = await Client.to("127.0.0.1", scene.place.port)

        async def ask(method: str, path: str, body: bytes, kind: str) -> tuple[int, bytes]:
            headers = {"host": scene.place.authority, "authorization": f"Bearer {bearer}", "content-type": kind}
            request = as_request(path, headers, body).replace(b"POST", method.encode(), 1)
            return await client.ask(request)

        async def upload() -> int:
            return (await ask("POST", "/api/v2/media", _FORM, "multipart/form-data; boundary=b"))[0]

        status, said = await ask("POST", "/api/v1/statuses", b'{"status": "Avis"}', "application/json")
        assert status == 200
        post = f"/api/v1/statuses/{json.loads(said)['id']}"
        assert set(await _send(scene, 0, 5)) == {202}
        assert await upload() == 200
        ballast = _fill_but_for(small_disk, 0.04)
        await asyncio.sleep(1.1)
        assert set(await _send(scene, 1000, 5)) == {503}
        assert await upload() == 507
        assert (await ask("GET", post, b"", "text/plain"))[0] == 200
        assert (await ask("DELETE", post, b"", "text/plain"))[0] == 200
        assert (await ask("GET", post, b"", "text/plain"))[0] == 404
        ballast.unlink()
        await asyncio.sleep(1.1)
        assert set(await _send(scene, 2000, 5)) == {202}
        assert await upload() == 200
        client.close()
        await scene.come_to_rest("inbox_log")
        scene.server.stop()
        assert violations(scene.history, await Aftermath.of(scene.place.database)) == []


def _fill_but_for(disk: Path, share: float) -> Path:
    """Leave so much of it."""
    ballast, state = disk / "ballast", os.statvfs(disk)
    size = state.f_bavail * state.f_frsize - int(state.f_blocks * state.f_frsize * share)
    ballast.write_bytes(bytes(size))
    return ballast


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
