"""What happens to a database while it is written to at full tilt: many writers, a long reader, a backup, few files."""

import asyncio
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from bench import stage
from bench.cast import Cast, free_port
from bench.wire import Client
from medfed.cli.backup_key import keep_key
from medfed.kernel.age import Identity
from medfed.kernel.clock import SystemClock
from medfed.storage import moderation
from medfed.storage.connect import connect
from medfed.storage.database import Store
from medfed.storage.sqlite import WAL_TRUNCATE_BYTES
from tests.faults.abuse import Scene, Senders, a_scene
from tests.faults.history import Aftermath, violations
from tests.faults.tools import tool
from tests.storage.shelf import ADD, COUNT, a_shelf

WRITERS: Final = 64
SECONDS: Final = float(os.environ.get("MEDFED_FAULT_SECONDS", "2"))

pytestmark = pytest.mark.slow


@pytest.mark.case("I03")
async def test_sixty_four_writers_wait_for_each_other_and_none_is_refused(
    empty_database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    store = await connect(empty_database_url)
    await a_shelf(store)
    waits: list[float] = []
    until = time.monotonic() + SECONDS

    async def write(number: int) -> int:
        written = 0
        while time.monotonic() < until:
            key, begun = number + written * WRITERS, time.monotonic()
            if number % 2:
                await store.arrive("write", lambda tx, key=key: tx.run(ADD, id=key, name=f"{key}"))  # type: ignore[misc]
            else:
                async with store.transaction("write") as tx:
                    await tx.run(ADD, id=key, name=f"{key}")
            waits.append(time.monotonic() - begun)
            written += 1
        return written

    written = sum(await asyncio.gather(*(write(number) for number in range(WRITERS))))
    async with store.view() as view:
        assert await view.value(COUNT) == written
    await store.aclose()
    p99 = sorted(waits)[int(len(waits) * 0.99)]
    with capsys.disabled():
        print(f"\n  {written / SECONDS:.0f} commits a second by {WRITERS} writers, p99 {p99 * 1000:.0f} ms")  # noqa: T201
    assert p99 < 5  # a quarter of a second where nothing else runs


@pytest.mark.case("I04", "X08")
async def test_a_long_reader_stalls_no_writer_and_the_log_shrinks_when_it_is_done(tmp_path: Path) -> None:
    path = tmp_path / "medfed.db"
    store = await connect(f"sqlite:///{path}")
    await a_shelf(store)
    wal, number, longest = Path(f"{path}-wal"), 0, 0.0
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as reader:
        reader.execute("BEGIN")
        seen = reader.execute("SELECT COUNT(*) FROM shelf").fetchone()
        while wal.stat().st_size < WAL_TRUNCATE_BYTES + 2**20:  # noqa: ASYNC240
            longest = max(longest, await _write(store, number))
            number += 1
        assert reader.execute("SELECT COUNT(*) FROM shelf").fetchone() == seen
    assert longest < 1.5
    for _ in range(3):
        await _write(store, number)
        number += 1
    await store.ping()
    assert wal.stat().st_size < WAL_TRUNCATE_BYTES / 4  # noqa: ASYNC240
    await store.aclose()


async def _write(store: Store, number: int) -> float:
    """Store a good deal; how long that took."""
    begun = time.monotonic()
    async with store.transaction("write") as tx:
        await tx.run(ADD, id=number, name=f"{number} {'x' * 2**19}")
    return time.monotonic() - begun


@pytest.mark.case("I05", "I19", "X21")
async def test_a_backup_taken_under_load_has_all_that_was_acknowledged_before_it(tmp_path: Path) -> None:
    cast = Cast.hire(hosts=2, per_host=6)
    (tmp_path / "home").mkdir()
    async with a_scene(tmp_path / "home", "", cast, followed=True) as scene:
        await scene.starts()
        senders = Senders(scene)
        sending = asyncio.create_task(senders.run())
        while await scene.acknowledged() < 60:  # noqa: ASYNC110 - another process answers
            await asyncio.sleep(0.01)
        before = set(scene.history.acknowledged)
        key = Identity.make()
        keep_key(tmp_path / "key", key)
        await _medfed(scene.place.config, "backup", str(tmp_path / "copy"), "--recipient", str(key.recipient))
        senders.stopped = True
        await sending
        scene.server.stop()
        assert len(scene.history.acknowledged) > len(before), "nothing was written during the backup"
        place = await _restored(scene, tmp_path)
        server = stage.server(place)
        try:
            await stage.answers(server.start(), place.authority)
        finally:
            server.stop()
        scene.history.acknowledged = before
        assert violations(scene.history, await Aftermath.of(place.database)) == []
        store = await connect(place.database)
        async with store.view() as view:
            assert await moderation.first_broken_link(view) is None
        await store.aclose()


async def _restored(scene: Scene, folder: Path) -> stage.Stage:
    """The copy, brought back at another place, as another port of the same machine."""
    old, new = scene.place, folder / "elsewhere"
    new.mkdir()
    place = replace(old, folder=new, port=free_port(), database=old.database.replace(str(old.folder), str(new)))
    words = (
        old.config.read_text().replace(str(old.folder), str(new)).replace(f"port = {old.port}", f"port = {place.port}")
    )
    place.config.write_text(words)
    await _medfed(place.config, "restore", str(folder / "copy"), "--identity", str(folder / "key"))
    return place


async def _medfed(config: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "medfed", "--config", str(config), *arguments]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.case("X07")
async def test_a_server_without_a_file_to_open_comes_back_by_itself(tmp_path: Path, empty_database_url: str) -> None:
    prlimit = tool("prlimit")
    cast = Cast.hire(hosts=1, per_host=4)
    async with a_scene(tmp_path, empty_database_url, cast, followed=True) as scene:
        scene.server = replace(scene.server, arguments=[prlimit, "--nofile=64:64", *scene.server.arguments])
        await stage.answers(scene.server.start(), scene.place.authority)
        assert set(await _send(scene, 0, 5)) == {202}
        idle = [await asyncio.open_connection("127.0.0.1", scene.place.port) for _ in range(100)]
        assert set(await _send(scene, 100, 20)) <= {202, 503, 0}
        for _, writer in idle:
            writer.transport.abort()
        until = time.monotonic() + 60
        while set(await _send(scene, 200, 1)) != {202}:
            assert time.monotonic() < until
            await asyncio.sleep(0.2)
        assert set(await _send(scene, 300, 10)) == {202}
        await scene.come_to_rest("inbox_log")
        scene.server.stop()
        assert violations(scene.history, await Aftermath.of(scene.place.database)) == []


async def _send(scene: Scene, first: int, count: int) -> list[int]:
    """Send some activities, each on a connection of its own; their statuses, 0 for no answer within 2 s."""
    now, statuses = SystemClock().now(), list[int]()
    for number in range(first, first + count):
        role = scene.cast.roles[number % len(scene.cast.roles)]
        activity = role.create(number, now)
        scene.history.sent.add(str(activity["id"]))
        status = 0
        try:
            async with asyncio.timeout(2):
                client = await Client.to("127.0.0.1", scene.place.port)
                status, _ = await client.ask(role.post(f"{scene.place.url}/inbox", activity, now))
                client.close()
        except (OSError, TimeoutError):
            status = 0
        if status == 202:
            scene.history.acknowledged.add(str(activity["id"]))
        statuses.append(status)
        if statuses.count(0) > 2:
            break
    return statuses
