"""SQLite: one connection that alone writes and checkpoints, some that read, shared commits for arrivals."""

import asyncio
import contextlib
import contextvars
import os
import sqlite3
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, Generic, Self, TypeAlias, TypeVar
from urllib.parse import quote

import aiosqlite

from medfed.kernel import transactions
from medfed.kernel.errors import MedfedError, Misconfigured, StorageDown
from medfed.storage.database import (
    BadStatement,
    Contended,
    Duplicate,
    Misused,
    Row,
    Store,
    Transaction,
    View,
    Violated,
)
from medfed.storage.lock import Role, StoreLock
from medfed.storage.statements import Engine, Statement, sql

T = TypeVar("T")
Job: TypeAlias = Callable[[sqlite3.Connection], T]

BUSY_TIMEOUT_MS: Final = 10_000
SAFE_VERSION: Final = (3, 51, 3)
"""Before it, two connections that write or checkpoint at once can corrupt the file (WAL-reset bug)."""
SYNCHRONOUS_FULL: Final = 2
WAL_TRUNCATE_BYTES: Final = 64 * 1024 * 1024
WAL_GROWTH_BYTES: Final = 4 * 1024 * 1024
CHECKPOINT_CHANGES: Final = 400
CHECKPOINT_COMMITS: Final = 64
BATCH_ARRIVALS: Final = 256
BATCH_SECONDS: Final = 0.05
NETWORK_FILESYSTEMS: Final = ("nfs", "cifs", "smb", "fuse.", "afs", "ceph", "glusterfs", "ncpfs")

_PRAGMAS: Final[Mapping[str, int | str]] = {
    "busy_timeout": BUSY_TIMEOUT_MS,
    "foreign_keys": 1,
    "trusted_schema": 0,
    "secure_delete": 1,
    "cell_size_check": 1,
    "temp_store": 2,
    "wal_autocheckpoint": 0,
    "cache_size": -8_000,
}


class SqliteStore(Store):
    """One SQLite file. Make it with `open`."""

    engine: Engine = "sqlite"

    def __init__(self, path: Path, lock: StoreLock, writer: "_Wire", readers: list["_Wire"]) -> None:
        super().__init__()
        self.path = path
        self._lock = lock
        self._writer = writer
        self._readers = readers
        self._idle: asyncio.LifoQueue[_Wire] = asyncio.LifoQueue()
        for reader in readers:
            self._idle.put_nowait(reader)
        self._turn = asyncio.Lock()
        self._checkpoints = _Checkpoints(Path(f"{path}-wal"))
        self._arrivals: deque[_Arrival[Any]] = deque()
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
        Raises ServerRunning when a server holds the database, Misconfigured for what an operator must change.
        """
        if not network_filesystem:
            _refuse_network_filesystem(path)
        lock = await StoreLock.take(path, role)
        async with AsyncExitStack() as undo:
            undo.callback(lock.release)
            connectors = [partial(_connect_writer, path, durable=durable)]
            connectors += [partial(_connect_reader, path)] * readers
            wires: list[_Wire] = []
            for connector in connectors:
                wires.append(await _Wire.open(connector))
                undo.push_async_callback(wires[-1].close)
            undo.pop_all()
        return cls(path, lock, wires[0], wires[1:])

    async def arrive(self, name: str, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """See Store.arrive: arrivals that come while others are being committed share the next commit."""
        if transactions.current() is not None:
            raise Misused(f"arrival {name!r} inside transaction {transactions.current()!r}")
        arrival = _Arrival(name, work)
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

    async def ping(self) -> None:
        """Raise StorageDown unless both a reader and the writer answer."""
        async with self._view() as view:
            await view._rows(_PING, {})
        await self._writer.ask(lambda raw: raw.execute("SELECT 1").fetchall())

    async def copy_to(self, target: Path) -> None:
        """Write a consistent, compacted copy to `target`, which appears only when it is complete.

        On a connection of its own: readers and the writer go on meanwhile.
        """
        part = target.with_name(f"{target.name}.part")
        part.unlink(missing_ok=True)
        wire = await _Wire.open(partial(_connect_reader, self.path))
        try:
            await wire.ask(partial(_vacuum_into, target=part))
        finally:
            await wire.close()
        await asyncio.to_thread(_put_in_place, part, target)

    async def pragmas(self) -> dict[str, Any]:
        """What the writing connection really runs with, for `doctor` and the tests."""
        return await self._writer.ask(partial(_read_pragmas, names=[*_PRAGMAS, "journal_mode", "synchronous"]))

    async def aclose(self) -> None:
        """Finish arrivals, fold the WAL back into the file, close every connection, release the lock."""
        self._closed = True
        if self._leader is not None:
            await self._leader
        for reader in self._readers:
            await reader.close()
        async with self._turn:
            self._writer.post(self._checkpoints.fold)
            await self._writer.close()
        self._lock.release()

    @asynccontextmanager
    async def _view(self) -> AsyncIterator[View]:
        wire = await self._idle.get()
        view = _SqliteView(wire)
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
        while self._arrivals:
            async with self._turn:
                await self._batch()
        self._leader = None

    async def _batch(self) -> None:
        """Run arrivals one after the other in one transaction, commit it, and only then tell them."""
        batch = _Batch(self._arrivals)
        try:
            await self._writer.insist(batch.run)
        except StorageDown as error:
            batch.fail(error)
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


class _SqliteView(View):
    """A read snapshot: begun with the first statement, in the same hop to the connection's thread."""

    def __init__(self, wire: "_Wire") -> None:
        self._wire = wire
        self._before: list[str] = ["BEGIN"]
        self._over = False

    async def _rows(self, statement: Statement, params: Mapping[str, Any]) -> list[Row]:
        if self._over:
            raise Misused("a view was used after its end")
        values = statement.for_sqlite(params)
        return await self._wire.ask(partial(_fetch, before=self._take(), text=statement.sqlite, params=values))

    def end(self) -> None:
        """Give the snapshot back. Nobody need wait: the thread takes jobs in order."""
        self._over = True
        if not self._before:
            self._wire.post(_roll_back)

    def _take(self) -> Sequence[str]:
        before, self._before = self._before, []
        return before


class SqliteTransaction(Transaction):
    """The write transaction. BEGIN and savepoints travel with the statement that follows: one hop each."""

    def __init__(self, wire: "_Wire | _Inline", name: str) -> None:
        super().__init__(name)
        self._wire = wire
        self._before: list[str] = ["BEGIN IMMEDIATE"]
        self._begun = False
        self._depth = 0

    async def run(self, statement: Statement, **params: Any) -> int:
        """See Transaction.run."""
        values = statement.for_sqlite(params)
        return await self._ask(partial(_run, before=self._take(), text=statement.sqlite, params=values))

    async def run_many(self, statement: Statement, rows: Iterable[Mapping[str, Any]]) -> None:
        """See Transaction.run_many."""
        values = [statement.for_sqlite(row) for row in rows]
        if values:
            await self._ask(partial(_run_many, before=self._take(), text=statement.sqlite, rows=values))

    async def script(self, statements: Sequence[str]) -> None:
        """See Transaction.script."""
        await self._ask(partial(_control, texts=[*self._take(), *statements]))

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """See Transaction.savepoint."""
        name = f"s{self._depth}"
        self._before.append(f"SAVEPOINT {name}")
        self._depth += 1
        kept = len(self._callbacks)
        clean = False
        try:
            yield
            self._refuse_misuse()
            clean = True
        finally:
            self._depth -= 1
            if clean:
                self._before.append(f"RELEASE {name}")
            else:
                self._before += [f"ROLLBACK TO {name}", f"RELEASE {name}"]
                self._spoilt = False
                del self._callbacks[kept:]

    async def commit(self) -> None:
        """Commit, even if the waiting task is cancelled: a commit under way cannot be called back."""
        before = self._take()
        self._over = True
        if self._begun:
            await self._wire.insist(partial(_commit, before=before))

    def abandon(self) -> None:
        """Roll back. Nobody need wait: the thread takes jobs in order, and this one cannot fail."""
        self._over = True
        if self._begun:
            self._wire.post(_roll_back)

    def take_wishes(self) -> tuple[list[Callable[[], None]], set[str]]:
        """Hand over, and forget, what should run and who should be woken after the commit."""
        wishes = self._callbacks, self._channels
        self._callbacks, self._channels = [], set()
        return wishes

    async def _rows(self, statement: Statement, params: Mapping[str, Any]) -> list[Row]:
        values = statement.for_sqlite(params)
        return await self._ask(partial(_fetch, before=self._take(), text=statement.sqlite, params=values))

    def _take(self) -> Sequence[str]:
        self._refuse_misuse()
        before, self._before = self._before, []
        return before

    async def _ask(self, job: Job[T]) -> T:
        self._begun = True
        self._spoilt = True
        result = await self._wire.ask(job)
        self._spoilt = False
        return result


class _Arrival(Generic[T]):
    """Work that waits for its turn, and the caller who waits for its commit."""

    def __init__(self, name: str, work: Callable[[Transaction], Awaitable[T]]) -> None:
        self.name = name
        self.done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self.callbacks: list[Callable[[], None]] = []
        self.channels: set[str] = set()
        self._context = contextvars.copy_context()
        self._work = work
        self._outcome: T | BaseException | None = None
        self._failed = False

    def attempt(self, tx: SqliteTransaction) -> BaseException | None:
        """Do the work inside its own savepoint; what it raised, or None. In the writer's thread."""
        try:
            self._outcome = self._context.run(_drive, self._run(tx))
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is for whoever waits
            self.spoil(error)
        self.callbacks, self.channels = tx.take_wishes()
        return self._outcome if self._failed else None  # type: ignore[return-value]

    async def _run(self, tx: SqliteTransaction) -> T:
        with transactions.writing(self.name):
            async with tx.savepoint():
                return await self._work(tx)

    def spoil(self, error: BaseException) -> None:
        """Nothing of it is kept."""
        self._outcome, self._failed = error, True

    def tell(self) -> None:
        """Answer the caller, after the commit or in its stead."""
        if self.done.done():
            return
        if self._failed:
            self.done.set_exception(self._outcome)  # type: ignore[arg-type]
        else:
            self.done.set_result(self._outcome)  # type: ignore[arg-type]


class _Batch:
    """Arrivals that share a transaction. It runs in the writer's thread, whole, in one hop.

    A hop costs more processor time than most statements, so an arrival that hopped for each of its own would
    cost several times as much. The event loop only waits; what an arrival computes, it computes beside it.
    """

    def __init__(self, arrivals: "deque[_Arrival[Any]]") -> None:
        count = min(len(arrivals), BATCH_ARRIVALS)
        self.waiting = deque(arrivals.popleft() for _ in range(count))
        self.kept: list[_Arrival[Any]] = []
        self._failed: list[_Arrival[Any]] = []

    def run(self, raw: sqlite3.Connection) -> None:
        """Everything up to and with the commit. Raises StorageDown when nothing of it was kept."""
        tx = SqliteTransaction(_Inline(raw), "arrivals")
        until = time.monotonic() + BATCH_SECONDS
        while self.waiting and time.monotonic() < until:
            arrival = self.waiting.popleft()
            if arrival.done.done():
                continue
            error = arrival.attempt(tx)
            (self.kept if error is None else self._failed).append(arrival)
            if isinstance(error, StorageDown):
                tx.abandon()
                raise error
        try:
            _drive(tx.commit())
        except MedfedError as error:
            raise StorageDown(f"the shared commit failed: {error}") from error

    def fail(self, error: StorageDown) -> None:
        """There was no commit."""
        for arrival in self.kept:
            arrival.spoil(StorageDown(str(error)))
        self._failed += self.kept
        self.kept = []

    def tell(self) -> None:
        """Answer everybody who had their turn."""
        for arrival in (*self.kept, *self._failed):
            arrival.tell()


def _drive(work: Awaitable[T]) -> T:
    """Run to its end, in this thread, what only awaits statements that answer at once. Raises Misused otherwise."""
    steps = work.__await__()
    try:
        next(steps)
    except StopIteration as end:
        result: T = end.value
        return result
    steps.throw(Misused("an arrival may await nothing but its own statements"))
    raise Misused("an arrival went on after it was stopped")


class _Inline:
    """A connection used from its own thread, as a `_Wire` is from the event loop."""

    def __init__(self, raw: sqlite3.Connection) -> None:
        self._raw = raw

    async def ask(self, job: Job[T]) -> T:
        """Run `job` now."""
        try:
            return job(self._raw)
        except (sqlite3.Error, OverflowError) as error:
            raise _translated(error) from error

    insist = ask

    def post(self, job: Job[Any]) -> None:
        """Run `job` now; what it raises is dropped."""
        with contextlib.suppress(sqlite3.Error):
            job(self._raw)


class _Wire(aiosqlite.Connection):
    """A connection and its thread, reached in one hop per job; jobs run in the order they were given."""

    @classmethod
    async def open(cls, connector: Callable[[], sqlite3.Connection]) -> Self:
        """Start the thread and connect in it. Raises Misconfigured."""
        wire = cls(connector, iter_chunk_size=64)
        wire._thread.daemon = True  # a forgotten connection must not keep the process alive
        try:
            await wire
        except (sqlite3.Error, OSError, Misconfigured) as error:
            # Its last word goes to this loop, which must still be there to hear it.
            await asyncio.to_thread(wire._thread.join)
            raise Misconfigured(f"cannot open the database: {error}") from error
        return wire

    def post(self, job: Job[Any]) -> None:
        """Run `job` without waiting for it; what it raises is dropped."""
        if self._connection is not None:
            self._tx.put_nowait((None, partial(job, self._connection)))

    async def ask(self, job: Job[T]) -> T:
        """Run `job` and return its result, its errors in the words of this house."""
        try:
            return await self._submit(job)
        except (sqlite3.Error, OverflowError) as error:
            raise _translated(error) from error

    async def insist(self, job: Job[T]) -> T:
        """Like `ask`, but a cancelled caller is held until the job is done, and only then let go."""
        future = self._submit(job)
        interrupted: asyncio.CancelledError | None = None
        while not future.done():
            try:
                await asyncio.wait({future})
            except asyncio.CancelledError as error:
                interrupted = error
        failure = future.exception()
        if interrupted is not None:
            raise interrupted
        if isinstance(failure, sqlite3.Error):
            raise _translated(failure) from failure
        return future.result()

    def _submit(self, job: Job[T]) -> asyncio.Future[T]:
        if self._connection is None:
            raise StorageDown("the database is closed")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._tx.put_nowait((future, partial(job, self._connection)))
        return future


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


def _control(raw: sqlite3.Connection, *, texts: Sequence[str]) -> None:
    for text in texts:
        raw.execute(text)


def _fetch(raw: sqlite3.Connection, *, before: Sequence[str], text: str, params: Mapping[str, Any]) -> list[Row]:
    _control(raw, texts=before)
    cursor = raw.execute(text, params)
    rows = cursor.fetchall()
    if not rows:
        return []
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in rows]


def _run(raw: sqlite3.Connection, *, before: Sequence[str], text: str, params: Mapping[str, Any]) -> int:
    _control(raw, texts=before)
    cursor = raw.execute(text, params)
    cursor.fetchall()
    if cursor.rowcount >= 0:
        return cursor.rowcount
    # The driver counts only for texts that begin with INSERT, UPDATE or DELETE, not with WITH.
    count: int = raw.execute("SELECT changes()").fetchone()[0]
    return count


def _run_many(raw: sqlite3.Connection, *, before: Sequence[str], text: str, rows: Sequence[Mapping[str, Any]]) -> None:
    _control(raw, texts=before)
    raw.executemany(text, rows)


def _commit(raw: sqlite3.Connection, *, before: Sequence[str]) -> None:
    try:
        _control(raw, texts=before)
        raw.execute("COMMIT")
    except sqlite3.Error:
        _roll_back(raw)
        raise


def _roll_back(raw: sqlite3.Connection) -> None:
    if raw.in_transaction:
        raw.execute("ROLLBACK")


def _vacuum_into(raw: sqlite3.Connection, *, target: Path) -> None:
    target.touch(mode=0o600)
    raw.execute("PRAGMA query_only = 0").fetchall()  # the file itself was opened to be read only
    raw.execute("VACUUM INTO ?", (str(target),))


def _put_in_place(part: Path, target: Path) -> None:
    """Give a finished file its name, and let both survive a power cut."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(target)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _connect_writer(path: Path, *, durable: bool) -> sqlite3.Connection:
    # Created here and not by SQLite, so that others on the machine cannot read it.
    path.touch(mode=0o600)
    raw = sqlite3.connect(path, isolation_level=None, cached_statements=512)
    raw.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}").fetchall()
    raw.execute("PRAGMA journal_mode = WAL").fetchall()
    return _configured(raw, {**_PRAGMAS, "synchronous": SYNCHRONOUS_FULL if durable else 0, "journal_mode": "wal"})


def _connect_reader(path: Path) -> sqlite3.Connection:
    raw = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None, cached_statements=512)
    raw.set_authorizer(_refuse_checkpoint)
    return _configured(raw, {**_PRAGMAS, "query_only": 1})


def _configured(raw: sqlite3.Connection, pragmas: Mapping[str, int | str]) -> sqlite3.Connection:
    """Set every pragma, read it back, and refuse to go on with less."""
    for name, value in pragmas.items():
        raw.execute(f"PRAGMA {name} = {value}").fetchall()
    found = _read_pragmas(raw, names=list(pragmas))
    wrong = {name: found[name] for name, value in pragmas.items() if found[name] != value}
    if wrong:
        raw.close()
        raise Misconfigured(f"SQLite {sqlite3.sqlite_version} does not accept: {wrong}")
    return raw


def _read_pragmas(raw: sqlite3.Connection, *, names: Sequence[str]) -> dict[str, Any]:
    return {name: raw.execute(f"PRAGMA {name}").fetchone()[0] for name in names}


def _refuse_checkpoint(action: int, first: str | None, *_: str | None) -> int:
    refused = action == sqlite3.SQLITE_PRAGMA and first == "wal_checkpoint"
    return sqlite3.SQLITE_DENY if refused else sqlite3.SQLITE_OK


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


def _translated(error: BaseException) -> MedfedError:
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    if isinstance(error, OverflowError):
        return Violated(str(error))
    if code in _TAKEN:
        return Duplicate(str(error))
    kind = _BY_PRIMARY_CODE.get(code & 0xFF, BadStatement)
    return kind(f"SQLite: {error}")


_TAKEN: Final = (
    sqlite3.SQLITE_CONSTRAINT_UNIQUE,
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
    sqlite3.SQLITE_CONSTRAINT_ROWID,
)
_BY_PRIMARY_CODE: Final[Mapping[int, type[MedfedError]]] = {
    sqlite3.SQLITE_CONSTRAINT: Violated,
    sqlite3.SQLITE_MISMATCH: Violated,
    sqlite3.SQLITE_BUSY: Contended,
    sqlite3.SQLITE_LOCKED: Contended,
    sqlite3.SQLITE_FULL: StorageDown,
    sqlite3.SQLITE_IOERR: StorageDown,
    sqlite3.SQLITE_CANTOPEN: StorageDown,
    sqlite3.SQLITE_CORRUPT: StorageDown,
    sqlite3.SQLITE_NOTADB: StorageDown,
    sqlite3.SQLITE_READONLY: StorageDown,
    sqlite3.SQLITE_NOMEM: StorageDown,
    sqlite3.SQLITE_PROTOCOL: StorageDown,
    sqlite3.SQLITE_INTERRUPT: StorageDown,
}
_PING: Final = sql("SELECT 1 AS one")
