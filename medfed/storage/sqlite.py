"""SQLite: one connection that alone writes and checkpoints, some that read, shared commits for arrivals."""

import asyncio
import os
import sqlite3
import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from medfed.kernel import transactions
from medfed.kernel.errors import Misconfigured, StorageDown
from medfed.kernel.room import Room
from medfed.storage.database import (
    Misused,
    Store,
    Transaction,
    View,
)
from medfed.storage.lock import Role, StoreLock
from medfed.storage.sqlite_arrivals import Arrival, Batch
from medfed.storage.sqlite_transaction import SqliteTransaction, SqliteView
from medfed.storage.sqlite_wire import (
    BUSY_TIMEOUT_MS,
    PRAGMAS,
    SYNCHRONOUS_FULL,
    Wire,
    connect_reader,
    connect_writer,
    read_pragmas,
)
from medfed.storage.statements import Engine, sql

T = TypeVar("T")
SAFE_VERSION: Final = (3, 51, 3)
"""Before it, two connections that write or checkpoint at once can corrupt the file (WAL-reset bug)."""
CHECK_SECONDS: Final = 1.0
"""How long a server reads its file through before it serves: all of a small one; the rest is read once a day."""
WAL_TRUNCATE_BYTES: Final = 64 * 1024 * 1024
WAL_GROWTH_BYTES: Final = 4 * 1024 * 1024
CHECKPOINT_CHANGES: Final = 2_000
CHECKPOINT_COMMITS: Final = 64
NETWORK_FILESYSTEMS: Final = ("nfs", "cifs", "smb", "fuse.", "afs", "ceph", "glusterfs", "ncpfs")


class SqliteStore(Store):
    """One SQLite file. Make it with `open`."""

    engine: Engine = "sqlite"

    def __init__(self, path: Path, lock: StoreLock, writer: Wire, readers: list["Wire"]) -> None:
        super().__init__()
        self.path = path
        self._room = Room(path.parent)
        self._lock = lock
        self._writer = writer
        self._readers = readers
        self._idle: asyncio.LifoQueue[Wire] = asyncio.LifoQueue()
        for reader in readers:
            self._idle.put_nowait(reader)
        self._turn = asyncio.Lock()
        self._checkpoints = _Checkpoints(Path(f"{path}-wal"))
        self._arrivals: deque[Arrival[Any]] = deque()
        self._leader: asyncio.Task[None] | None = None
        self._closed = False

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        role: Role = "server",
        readers: int = 3,
        durable: bool = True,
        network_filesystem: bool = False,
    ) -> Self:
        """Open or create the file at `path`, and its lock beside it.

        `durable=False` skips every fsync: for tests. `network_filesystem=True` trusts its locks.
        Raises ServerRunning when a server holds the database, Misconfigured for what an operator must change: also
        when its log was taken away, or, to a server, when it is damaged.
        """
        if not network_filesystem:
            _refuse_network_filesystem(path)
        lock = await StoreLock.take(path, role)
        async with AsyncExitStack() as undo:
            undo.callback(lock.release)
            if lock.abandoned:
                _refuse_without_log(path)
            connectors = [partial(connect_writer, path, durable=durable)]
            connectors += [partial(connect_reader, path)] * readers
            wires: list[Wire] = []
            for connector in connectors:
                wires.append(await Wire.open(connector))
                undo.push_async_callback(wires[-1].close)
            if role == "server":
                _refuse_damage(path, await wires[0].ask(partial(_quick_check, within=CHECK_SECONDS)))
            if durable:
                _sync_folder(path.parent)  # a power cut must not leave the mark and take the log
            lock.opened()
            undo.pop_all()
        return cls(path, lock, wires[0], wires[1:])

    async def arrive(self, name: str, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """See Store.arrive: arrivals that come while others are being committed share the next commit."""
        if transactions.current() is not None:
            raise Misused(f"arrival {name!r} inside transaction {transactions.current()!r}")
        arrival = Arrival(name, work)
        if self._closed:
            raise StorageDown("the database is closed")
        self._arrivals.append(arrival)
        if self._leader is None:
            self._leader = asyncio.create_task(self._lead(), name="group commit")
        return await arrival.done

    @asynccontextmanager
    async def alone(self, name: str) -> AsyncIterator[bool]:  # noqa: ARG002 - nobody else can be inside
        """See Store.alone: the lock of the file lets one process in."""
        yield True

    async def doubts(self) -> list[str]:
        """See Store.doubts."""
        doubts = []
        if sqlite3.sqlite_version_info < SAFE_VERSION:
            doubts.append(
                f"SQLite {sqlite3.sqlite_version} can corrupt a WAL database that two processes write or checkpoint; "
                "no other program may write to it while medfed runs (fixed in 3.51.3)"
            )
        if (await self.pragmas())["synchronous"] != SYNCHRONOUS_FULL:
            doubts.append("synchronous is not FULL: what was accepted can be lost in a power failure")
        return doubts

    async def damage(self, *, within: float | None = None) -> list[str]:
        """See Store.damage."""
        async with self._aside() as wire:
            return await wire.ask(partial(_quick_check, within=within))

    def has_room(self) -> bool:
        """See Store.has_room."""
        return self._room.is_left

    async def ping(self) -> None:
        """Raise StorageDown unless both a reader and the writer answer."""
        async with self._view() as view:
            await view._rows(_PING, {})
        async with self._turn:
            await self._writer.ask(lambda raw: raw.execute("SELECT 1").fetchall())

    async def copy_to(self, target: Path) -> None:
        """Write a consistent, compacted copy to `target`, which appears only when it is complete.

        On a connection of its own: readers and the writer go on meanwhile.
        """
        part = target.with_name(f"{target.name}.part")
        part.unlink(missing_ok=True)
        async with self._aside() as wire:
            await wire.ask(partial(_vacuum_into, target=part))
        await asyncio.to_thread(_put_in_place, part, target)

    @asynccontextmanager
    async def _aside(self) -> AsyncIterator[Wire]:
        """A connection for one long errand."""
        wire = await Wire.open(partial(connect_reader, self.path))
        try:
            yield wire
        finally:
            await wire.close()

    async def pragmas(self) -> dict[str, Any]:
        """What the writing connection really runs with, for `doctor` and the tests."""
        async with self._turn:
            return await self._writer.ask(partial(read_pragmas, names=[*PRAGMAS, "journal_mode", "synchronous"]))

    async def aclose(self) -> None:
        """Finish arrivals, fold the WAL back into the file, close every connection, release the lock."""
        self._closed = True
        if self._leader is not None:
            await self._leader
        for reader in self._readers:
            await reader.close()
        async with self._turn:
            self._writer.post(self._checkpoints.fold)
            self._lock.closing()
            await self._writer.close()
        self._lock.release()

    @asynccontextmanager
    async def _view(self) -> AsyncIterator[View]:
        wire = await self._idle.get()
        view = SqliteView(wire)
        try:
            yield view
        finally:
            view.end()
            self._idle.put_nowait(wire)

    @asynccontextmanager
    async def _transaction(self, name: str) -> AsyncIterator[Transaction]:
        async with self._turn:
            tx = SqliteTransaction(self._writer, name)
            ended = False
            try:
                yield tx
                ended = True
            finally:
                if not ended:
                    tx.abandon()
            await tx.commit()
            self._writer.post(self._checkpoints.after_commit)

    async def _lead(self) -> None:
        """Commit arrivals, batch after batch, until there are none."""
        try:
            while self._arrivals:
                async with self._turn:
                    await self._batch()
        finally:
            self._leader = None

    async def _batch(self) -> None:
        """Run arrivals one after the other in one transaction, commit it, and only then tell them."""
        batch = Batch(self._arrivals)
        try:
            await batch.run(self._writer)
        except StorageDown as error:
            batch.fail(error)
        except BaseException:
            batch.give_up()
            batch.fail(StorageDown("the shared commit was broken off"))
            batch.tell()
            raise
        self._arrivals.extendleft(reversed(batch.waiting))
        loop = asyncio.get_running_loop()
        channels: set[str] = set()
        for arrival in batch.kept:
            for callback in arrival.callbacks:
                loop.call_soon(callback)
            channels |= arrival.channels
        batch.tell()
        for channel in channels:
            self.wake(channel)
        self._writer.post(self._checkpoints.after_commit)


class _Checkpoints:
    """When the writer moves the WAL back into the file: by commits, changes and growth, in its own thread.

    A checkpoint that fails is tried again later; until then the WAL only grows, and nothing is lost.
    """

    def __init__(self, wal: Path) -> None:
        self._wal = wal
        self._commits = 0
        self._changes = 0
        self._size = 0

    def after_commit(self, raw: sqlite3.Connection) -> None:
        """Checkpoint if enough was written since the last; waits for readers only to shrink a huge WAL."""
        self._commits += 1
        changes = raw.total_changes - self._changes
        growth = self._wal_size() - self._size
        if self._commits < CHECKPOINT_COMMITS and changes < CHECKPOINT_CHANGES and growth < WAL_GROWTH_BYTES:
            return
        raw.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        if self._wal_size() > WAL_TRUNCATE_BYTES:
            raw.execute("PRAGMA busy_timeout = 100").fetchall()
            self.fold(raw)
            raw.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}").fetchall()
        self._commits, self._changes, self._size = 0, raw.total_changes, self._wal_size()

    def fold(self, raw: sqlite3.Connection) -> None:
        """Move everything and empty the WAL."""
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _wal_size(self) -> int:
        try:
            return self._wal.stat().st_size
        except FileNotFoundError:
            return 0


def _quick_check(raw: sqlite3.Connection, *, within: float | None) -> list[str]:
    """What is wrong with the file, as far as it can be read in so many seconds."""
    said = []
    with _interrupted_after(raw, within):
        try:
            for row in raw.execute("PRAGMA quick_check"):
                said.append(str(row[0]))  # noqa: PERF401 - what was found before the time is over counts
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
                raise
        except sqlite3.DatabaseError as error:
            return [str(error)]
    return [] if said == ["ok"] else said


@contextmanager
def _interrupted_after(raw: sqlite3.Connection, seconds: float | None) -> Iterator[None]:
    """From another thread: SQLite before 3.42 calls no progress handler while it walks the trees of a file."""
    if seconds is None:
        yield
        return
    timer = threading.Timer(seconds, raw.interrupt)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def _refuse_damage(path: Path, damage: list[str]) -> None:
    if damage:
        raise Misconfigured(
            f"{path} is damaged ({damage[0]}): nothing is served from it; put the data directory aside and bring a "
            "backup back, see docs/guide/backup.md"
        )


def _refuse_without_log(path: Path) -> None:
    """SQLite would take the file for a whole one, and what was accepted last would be gone without a word."""
    log = Path(f"{path}-wal")
    if path.exists() and not log.exists():
        raise Misconfigured(
            f"{log} is missing, and medfed was not stopped in order: what it accepted last is in that file; put it "
            f"back, or bring a backup back; to go on without, remove {path.with_suffix('.lock')}"
        )


def _vacuum_into(raw: sqlite3.Connection, *, target: Path) -> None:
    target.touch(mode=0o600)
    raw.execute("PRAGMA query_only = 0").fetchall()  # the file itself was opened to be read only
    raw.execute("VACUUM INTO ?", (str(target),))


def _put_in_place(part: Path, target: Path) -> None:
    """Give a finished file its name, and let both survive a power cut."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(target)
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refuse_network_filesystem(path: Path) -> None:
    kind = _filesystem(path.parent.resolve())
    if kind == "fuse" or kind.startswith(NETWORK_FILESYSTEMS):
        raise Misconfigured(
            f"{path} is on a network file system ({kind}), where SQLite can lose data; use a local disk or PostgreSQL"
        )


def _filesystem(directory: Path, mounts: Path = Path("/proc/mounts")) -> str:
    """The type of the file system that holds `directory`; empty where the system does not tell."""
    best, kind = -1, ""
    if not mounts.exists():
        return kind
    for line in mounts.read_text(errors="replace").splitlines():
        _, point, found, *_rest = line.split(" ")
        where = Path(point.replace("\\040", " "))
        if directory.is_relative_to(where) and len(where.parts) >= best:
            best, kind = len(where.parts), found
    return kind


_PING: Final = sql("SELECT 1 AS one")
