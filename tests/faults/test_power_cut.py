"""202 means that it survives a power cut: the kernel was told to write it down before the answer left (A02)."""

import asyncio
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from bench import stage
from bench.cast import Cast
from bench.wire import Client
from medfed.kernel.clock import SystemClock
from tests.faults.abuse import a_scene

pytestmark = pytest.mark.slow

_SYNCED = re.compile(r"\bf(?:data)?sync\(\d+\)\s*= 0|<\.\.\. f(?:data)?sync resumed>.*= 0")
_HEARD = re.compile(r'"POST /inbox HTTP/1\.1')
_ANSWERED = re.compile(r'"HTTP/1\.1 202')


def unsynced_answers(trace: Sequence[str]) -> int:
    """How many 202s were written without an fsync that ended after their request was read."""
    missing, synced = 0, False
    for line in trace:
        if _HEARD.search(line):
            synced = False
        elif _SYNCED.search(line):
            synced = True
        elif _ANSWERED.search(line):
            missing += not synced
            synced = False
    return missing


def test_the_check_notices_an_answer_that_came_first() -> None:
    heard, synced, answered = '7 read(9, "POST /inbox HTTP/1.1\\r', "8 fdatasync(12) = 0", '7 write(9, "HTTP/1.1 202 A'
    assert unsynced_answers([heard, synced, answered]) == 0
    assert unsynced_answers([heard, answered, synced]) == 1
    assert unsynced_answers([synced, heard, answered]) == 1


@pytest.mark.case("A02")
async def test_every_202_is_written_after_the_disk_has_it(tmp_path: Path) -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    cast = Cast.hire(hosts=1, per_host=1)
    async with a_scene(tmp_path, "", cast, followed=True) as scene:
        await stage.answers(scene.server.start(), scene.place.authority)
        trace = tmp_path / "trace"
        calls = "trace=read,recvfrom,recvmsg,write,writev,sendto,sendmsg,fsync,fdatasync"
        tracer = await asyncio.create_subprocess_exec(
            strace, "-f", "-q", "-s", "40", "-e", calls, "-o", str(trace), "-p", str(scene.server.child.pid),
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        for _ in range(100):
            if trace.exists() and trace.stat().st_size:
                break
            if tracer.returncode is not None:
                pytest.skip("processes may not be traced here")
            await asyncio.sleep(0.05)
            await stage.ask(scene.place.authority, "GET", "/livez")
        await _send(scene.place, cast, 10)
        tracer.terminate()
        await tracer.wait()
    lines = trace.read_text(errors="replace").splitlines()
    assert sum(bool(_ANSWERED.search(line)) for line in lines) == 10
    assert unsynced_answers(lines) == 0


async def _send(place: stage.Stage, cast: Cast, count: int) -> None:
    now, role = SystemClock().now(), cast.roles[0]
    client = await Client.to("127.0.0.1", place.port)
    for number in range(count):
        status, _ = await client.ask(role.post(f"{place.url}/inbox", role.create(number, now), now))
        assert status == 202
    client.close()
