"""What an operator pays for a server that nobody talks to."""

import asyncio
from pathlib import Path

import pytest

from bench import stage

MEGABYTES = 130

pytestmark = pytest.mark.slow


async def test_an_idle_server_on_sqlite_stays_below_130_megabytes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = await stage.build(tmp_path)
    server = stage.server(place).start()
    try:
        seconds = await stage.answers(server, place.authority)
        for path in ("/", "/.well-known/nodeinfo", f"/users/{stage.MEMBER}"):
            await stage.ask(place.authority, "GET", path)
        await asyncio.sleep(1)
        memory = server.memory()
    finally:
        server.stop()
    with capsys.disabled():
        print(f"\n  first answer after {seconds:.2f} s, {memory['rss']:.0f} MB resident")  # noqa: T201
    assert memory["rss"] < MEGABYTES
