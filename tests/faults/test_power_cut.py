"""202 means that it survives a power cut: what the kernel was not made to write down may be gone (A02, X04, X05).

A trace of a server under load is played to a pretended disk, the power fails there at seeded moments, and what is
left is opened and looked into. How many moments: MEDFED_FAULT_CUTS.
"""

import asyncio
import os
import random
import re
import shutil
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bench import stage
from bench.cast import Cast
from bench.wire import Client
from medfed.kernel.clock import SystemClock
from tests.faults.abuse import SEED, Scene, Senders, a_scene, wishing
from tests.faults.disk import Disk
from tests.faults.history import Aftermath, History, violations
from tests.faults.launch import CARELESS, OFTEN
from tests.faults.tracing import CHANGES, SOCKETS, SYNCS, Call, calls_of, require_strace, traced

pytestmark = pytest.mark.slow

CUTS = int(os.environ.get("MEDFED_FAULT_CUTS", "8"))
LOAD = 160
"""Acknowledged activities, enough for the WAL to be moved into the database in between."""
FILES = ("medfed.db", "medfed.db-wal")

_SYNCED = re.compile(r"\bf(?:data)?sync\(\d+\)\s*= 0|<\.\.\. f(?:data)?sync resumed>.*= 0")
_HEARD = re.compile(r'"POST /inbox HTTP/1\.1')
_ANSWERED = re.compile(r'"HTTP/1\.1 202')
_ID = re.compile(rb'"id": "([^"]+)"')


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
    require_strace()
    cast = Cast.hire(hosts=1, per_host=1)
    async with a_scene(tmp_path, "", cast, followed=True) as scene:
        await stage.answers(scene.server.start(), scene.place.authority)
        trace = tmp_path / "trace"
        async with traced(scene.server.child.pid, trace, (*SOCKETS, *SYNCS), "-s", "40"):
            await _send(scene.place, cast, 10)
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


# ── the power fails ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.case("X04", "X05")
async def test_what_was_acknowledged_survives_a_power_cut_at_any_moment(tmp_path: Path) -> None:
    lived = await _under_load(tmp_path, OFTEN)
    assert await lived.violations(tmp_path / "cuts") == []
    assert lived.disk.checkpointed, "the load was too small to move anything from the WAL into the database"


@pytest.mark.case("X04")
async def test_a_server_that_does_not_wait_for_the_disk_fails_the_same_check(tmp_path: Path) -> None:
    lived = await _under_load(tmp_path, f"{CARELESS},{OFTEN}")
    assert any(each.startswith("I-1 lost") for each in await lived.violations(tmp_path / "cuts"))


def test_the_pretended_disk_keeps_what_was_synced_and_perhaps_the_rest(tmp_path: Path) -> None:
    (tmp_path / "medfed.db").write_bytes(b"....")
    escaped = "".join(rf"\x{byte:02x}" for byte in bytes(tmp_path / "medfed.db"))
    file = f"12<{escaped}>"
    disk = Disk(tmp_path, FILES)
    disk.take_in()
    for call in calls_of(
        [
            rf'7 pwrite64({file}, "\x61\x62", 2, 0) = 2',
            f"7 fdatasync({file} <unfinished ...>",
            rf'8 pwrite64({file}, "\x63", 1, 2) = 1',
            "7 <... fdatasync resumed>) = 0",
        ]
    ):
        disk.follow(call)
    left = {disk.cut(random.Random(seed))["medfed.db"] for seed in range(20)}
    assert left == {b"ab..", b"abc."}


class Lived:
    """What a server did while peers sent, and the disk on which it did it."""

    def __init__(self, trace: Path, disk: Disk, sent: History) -> None:
        self.disk = disk
        self._trace = trace
        self._sent = sent
        self._heard: dict[str, bytes] = defaultdict(bytes)
        self._acknowledged: set[str] = set()

    async def violations(self, folder: Path) -> list[str]:
        """Let the power fail at seeded moments, and look at what each time is left."""
        chance, found = random.Random(SEED), list[str]()
        with self._trace.open() as lines:
            length = sum(1 for _ in calls_of(lines))
        moments = sorted(chance.sample(range(length), CUTS))
        for number, files in enumerate(self._cuts(moments, chance)):
            place = folder / str(number)
            place.mkdir(parents=True)
            for name, content in files.items():
                (place / name).write_bytes(content)
            history = replace(self._sent, acknowledged=set(self._acknowledged))
            after = await Aftermath.of(f"sqlite:///{place / FILES[0]}")
            told = f"after call {moments[number]} of {length}, {len(history.acknowledged)} acknowledged"
            found += [f"{each} ({told})" for each in violations(history, after)]
            shutil.rmtree(place)
        return found

    def _cuts(self, moments: Sequence[int], chance: random.Random) -> Iterator[dict[str, bytes]]:
        coming = iter(moments)
        moment = next(coming, None)
        with self._trace.open() as lines:
            for number, call in enumerate(calls_of(lines)):
                self.disk.follow(call)
                self._listen(call)
                if number == moment:
                    yield self.disk.cut(chance)
                    moment = next(coming, None)
        assert self._acknowledged == self._sent.acknowledged, "the trace does not have every answer"

    def _listen(self, call: Call) -> None:
        """Which activity was answered 202: the last one heard on the same connection."""
        if call.when == "ends" and call.name.startswith(("read", "recv")):
            self._heard[call.descriptor] += call.data
        elif call.when == "begins" and call.name.startswith(("write", "send")) and call.path.startswith("socket:"):
            heard = self._heard.pop(call.descriptor, b"")
            if call.data.startswith(b"HTTP/1.1 202") and (named := _ID.search(heard)):
                self._acknowledged.add(named[1].decode())


async def _under_load(folder: Path, *wishes: str) -> Lived:
    require_strace()
    cast = Cast.hire(hosts=2, per_host=6)
    async with a_scene(folder, "", cast, followed=True) as scene:
        scene.server = wishing(scene.place, *wishes)
        await stage.answers(scene.server.start(), scene.place.authority)
        data, trace = scene.place.folder / "data", folder / "trace"
        calls = (*SOCKETS, *SYNCS, *CHANGES)
        disk = Disk(data, FILES)
        options = ("-y", "-xx", "-s", "300000")
        async with traced(scene.server.child.pid, trace, calls, *options, at_rest=disk.take_in):
            await _load(scene)
            await asyncio.sleep(0.5)  # the tracer is a little behind
            scene.server.kill()
        assert len(scene.history.acknowledged) >= LOAD
        return Lived(trace, disk, scene.history)


async def _load(scene: Scene) -> None:
    senders = Senders(scene)
    sending = asyncio.create_task(senders.run())
    while await scene.acknowledged() < LOAD:  # noqa: ASYNC110 - other processes do the work
        await asyncio.sleep(0.02)
    senders.stopped = True
    await sending
