"""SQLite is set up so that it keeps its promises: pragmas, one writer, one server, a local disk."""

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from medfed.kernel.errors import Misconfigured, StorageDown
from medfed.storage import sqlite, sqlite_wire
from medfed.storage.connect import connect, sqlite_path
from medfed.storage.database import BadStatement
from medfed.storage.lock import ServerRunning
from medfed.storage.sqlite import SqliteStore
from medfed.storage.sqlite_transaction import SqliteTransaction
from tests.storage.shelf import ADD, COUNT, a_shelf


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(tmp_path / "medfed.db")
    await a_shelf(store)
    yield store
    await store.aclose()


@pytest.mark.case("I01")
async def test_the_writer_runs_with_the_promised_pragmas(served: SqliteStore) -> None:
    found = await served.pragmas()
    assert found["journal_mode"] == "wal"
    assert found["synchronous"] == 2
    assert found["foreign_keys"] == 1
    assert found["trusted_schema"] == 0
    assert found["secure_delete"] == 1
    assert found["cell_size_check"] == 1
    assert 5_000 <= found["busy_timeout"] <= 30_000
    assert found["wal_autocheckpoint"] == 0


@pytest.mark.case("I01")
async def test_a_pragma_that_is_not_accepted_stops_the_start() -> None:
    raw = sqlite3.connect(":memory:")
    with pytest.raises(Misconfigured, match="journal_mode"):
        sqlite_wire._configured(raw, {"journal_mode": "wal"})


@pytest.mark.case("I01")
@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "fuse", "fuse.sshfs"])
async def test_a_network_file_system_is_refused_unless_forced(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_filesystem", lambda directory: kind)
    with pytest.raises(Misconfigured, match="network file system"):
        await SqliteStore.open(tmp_path / "medfed.db")
    store = await SqliteStore.open(tmp_path / "medfed.db", network_filesystem=True)
    await store.aclose()


def test_the_file_system_is_the_one_of_the_deepest_mount(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text("/dev/a / ext4 rw 0 0\nnas:/x /srv/med\\040fed nfs4 rw 0 0\nproc /proc proc rw 0 0\n")
    assert sqlite._filesystem(Path("/srv/med fed/data"), mounts) == "nfs4"
    assert sqlite._filesystem(Path("/srv/medfed"), mounts) == "ext4"


@pytest.mark.case("I02")
async def test_a_reader_can_neither_write_nor_checkpoint(served: SqliteStore) -> None:
    for reader in served._readers:
        for text in ("PRAGMA wal_checkpoint(PASSIVE)", "PRAGMA wal_checkpoint(TRUNCATE)", "DELETE FROM shelf"):
            with pytest.raises((StorageDown, BadStatement)):
                await reader.ask(partial(_execute, text=text))
        pragmas = await reader.ask(partial(sqlite_wire.read_pragmas, names=["query_only", "wal_autocheckpoint"]))
        assert pragmas == {"query_only": 1, "wal_autocheckpoint": 0}


def _execute(raw: sqlite3.Connection, *, text: str) -> object:
    return raw.execute(text).fetchall()


@pytest.mark.case("I02")
async def test_a_second_server_and_a_tool_are_refused_while_a_server_runs(served: SqliteStore) -> None:
    with pytest.raises(Misconfigured, match="PostgreSQL"):
        await SqliteStore.open(served.path)
    with pytest.raises(ServerRunning, match=str(os.getpid())):
        await SqliteStore.open(served.path, role="tool")


@pytest.mark.case("I02")
async def test_a_second_server_process_is_refused(served: SqliteStore) -> None:
    code = (
        "import asyncio, sys; from medfed.storage.connect import connect; "
        "asyncio.run(connect(f'sqlite:///{sys.argv[1]}'))"
    )
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", code, str(served.path)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode != 0
    assert "another medfed server" in done.stderr


async def test_tools_and_a_server_wait_for_a_tool(tmp_path: Path) -> None:
    tool = await SqliteStore.open(tmp_path / "medfed.db", role="tool")
    waiting = asyncio.create_task(SqliteStore.open(tmp_path / "medfed.db"))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    await tool.aclose()
    await (await waiting).aclose()


@pytest.mark.case("I02")
async def test_an_old_library_is_a_doubt(served: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 51, 2))
    assert "corrupt" in " ".join(await served.doubts())
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 51, 3))
    assert await served.doubts() == []


async def test_the_wal_is_folded_back_as_it_grows_and_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "WAL_TRUNCATE_BYTES", 200_000)
    store = await SqliteStore.open(tmp_path / "medfed.db", durable=False)
    await a_shelf(store)
    wal = tmp_path / "medfed.db-wal"
    for number in range(400):
        async with store.transaction("grow") as tx:
            await tx.run(ADD, id=number, name=f"{number}" * 500)
    await store.ping()
    assert wal.stat().st_size < 4_000_000
    await store.aclose()
    assert not wal.exists() or wal.stat().st_size == 0


async def test_a_full_disk_is_storage_down_and_passes(served: SqliteStore) -> None:
    await served._writer.ask(partial(_execute, text="PRAGMA max_page_count = 10"))
    with pytest.raises(StorageDown, match="full"):
        async with served.transaction("large") as tx:
            await tx.run(ADD, id=1, name="x" * 1_000_000)
    await served._writer.ask(partial(_execute, text="PRAGMA max_page_count = 100000"))
    async with served.transaction("small") as tx:
        await tx.run(ADD, id=1, name="x")
    async with served.view() as view:
        assert await view.value(COUNT) == 1


async def _arrive(store: SqliteStore, id_: int) -> int:
    return await store.arrive("add", lambda tx: tx.run(ADD, id=id_, name=f"a{id_}"))


@pytest.mark.case("X08")
async def test_the_event_loop_goes_on_while_another_program_holds_the_lock(served: SqliteStore) -> None:
    other = sqlite3.connect(served.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    arriving = [asyncio.create_task(_arrive(served, number)) for number in range(3)]
    for _ in range(20):
        await asyncio.sleep(0.005)
        async with served.view() as view:
            assert await view.value(COUNT) == 0
    assert not any(each.done() for each in arriving)
    other.execute("ROLLBACK")
    assert await asyncio.gather(*arriving) == [1, 1, 1]
    other.close()


@pytest.mark.case("X08")
async def test_who_arrives_while_the_lock_is_held_for_too_long_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (sqlite_wire, sqlite):
        monkeypatch.setattr(module, "BUSY_TIMEOUT_MS", 100)
    monkeypatch.setattr(sqlite_wire, "PRAGMAS", {**sqlite_wire.PRAGMAS, "busy_timeout": 100})
    store = await SqliteStore.open(tmp_path / "medfed.db")
    await a_shelf(store)
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    arriving = [asyncio.create_task(_arrive(store, number)) for number in range(3)]
    for each in arriving:
        with pytest.raises(StorageDown, match="cannot begin to write"):
            await asyncio.wait_for(each, 5)
    other.execute("ROLLBACK")
    other.close()
    assert await _arrive(store, 1) == 1
    await store.aclose()


async def test_arrivals_wait_for_a_transaction_that_was_given_up(served: SqliteStore) -> None:
    started = asyncio.Event()

    async def abandoned() -> None:
        async with served.transaction("slow") as tx:
            await tx.run(ADD, id=100, name="x")
            started.set()
            await served._writer.ask(lambda _: time.sleep(0.3))

    slow = asyncio.create_task(abandoned())
    await started.wait()
    arriving = [asyncio.create_task(_arrive(served, number)) for number in range(3)]
    await asyncio.sleep(0.05)
    slow.cancel()
    with pytest.raises(asyncio.CancelledError):
        await slow
    assert await asyncio.gather(*arriving) == [1, 1, 1]
    async with served.view() as view:
        assert await view.value(COUNT) == 3


async def test_an_arrival_that_breaks_the_batch_is_the_last_of_nothing(
    served: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks(_tx: SqliteTransaction, _wire: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(SqliteTransaction, "commit", breaks)
        arriving = asyncio.create_task(_arrive(served, 1))
        await asyncio.sleep(0.05)
        with pytest.raises(StorageDown, match="broken off"):
            await arriving
    assert await _arrive(served, 1) == 1


async def test_strangers_on_the_machine_cannot_read_the_files(served: SqliteStore) -> None:
    for file in served.path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name


async def test_a_file_that_is_no_database_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "medfed.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(Misconfigured, match="not a database"):
        await connect(f"sqlite:///{tmp_path / 'medfed.db'}")
    with pytest.raises(Misconfigured, match="missing"):
        await connect(f"sqlite:///{tmp_path / 'missing' / 'medfed.db'}")


def test_a_url_is_relative_or_absolute_and_nothing_else() -> None:
    assert sqlite_path("sqlite:///data/medfed.db") == Path("data/medfed.db")
    assert sqlite_path("sqlite:////srv/medfed.db") == Path("/srv/medfed.db")
    for wrong in ("sqlite://", "sqlite://host/x", "mysql://root:secret@host/x", "data/medfed.db"):
        with pytest.raises(Misconfigured) as caught:
            sqlite_path(wrong)
        assert "secret" not in str(caught.value)


async def test_a_copy_holds_up_no_writer_and_is_for_its_owner_only(served: SqliteStore, tmp_path: Path) -> None:
    async with served.transaction("fill") as tx:
        await tx.script(["CREATE TABLE heap AS SELECT randomblob(1000000) AS x FROM pragma_function_list LIMIT 60"])
    copying = asyncio.create_task(served.copy_to(tmp_path / "copy.db"))
    await asyncio.sleep(0)
    async with served.transaction("meanwhile") as tx:
        await tx.run(ADD, id=1, name="meanwhile")
    assert not copying.done()
    await copying
    assert stat.S_IMODE((tmp_path / "copy.db").stat().st_mode) == 0o600
    assert not (tmp_path / "copy.db.part").exists()
    raw = sqlite3.connect(tmp_path / "copy.db")
    assert raw.execute("SELECT COUNT(*), (SELECT COUNT(*) FROM shelf) FROM heap").fetchone() in [(60, 0), (60, 1)]
    raw.close()
