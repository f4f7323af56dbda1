"""How SQLite is reached: connections with their pragmas, one hop per job, errors in the words of this house."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, Self, TypeAlias, TypeVar
from urllib.parse import quote

import aiosqlite

from medfed.kernel.errors import MedfedError, Misconfigured, StorageDown
from medfed.storage.database import (
    BadStatement,
    Contended,
    Duplicate,
    Violated,
)

T = TypeVar("T")
Job: TypeAlias = Callable[[sqlite3.Connection], T]

BUSY_TIMEOUT_MS: Final = 10_000
BEGIN: Final = "BEGIN IMMEDIATE"
SYNCHRONOUS_FULL: Final = 2
PRAGMAS: Final[Mapping[str, int | str]] = {
    "busy_timeout": BUSY_TIMEOUT_MS,
    "foreign_keys": 1,
    "trusted_schema": 0,
    "secure_delete": 1,
    "cell_size_check": 1,
    "temp_store": 2,
    "wal_autocheckpoint": 0,
    "cache_size": -8_000,
}
_WRITER_CACHE: Final = -32_000
"""Kilobytes, with a minus. A new row goes anywhere in an index of URIs: a large file needs many of its pages."""


class Wire(aiosqlite.Connection):
    """A connection and its thread, reached in one hop per job; jobs run in the order they were given."""

    _given: int = 0
    _finished: int = 0

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
            raise Misconfigured(f"cannot open the database: {error}{_what_helps(error)}") from error
        return wire

    def post(self, job: Job[Any]) -> None:
        """Run `job` without waiting for it; what it raises is dropped."""
        if self._connection is not None:
            self._given += 1
            self._tx.put_nowait((None, partial(self._work, self._connection, job)))

    @property
    def resting(self) -> sqlite3.Connection | None:
        """The connection, if its thread has nothing to do with it: then the event loop may (ADR 0023).

        Of a caller who was cancelled, too, the job counts until the thread has done it.
        """
        return self._connection if self._given == self._finished else None

    async def ask(self, job: Job[T]) -> T:
        """Run `job` and return its result, its errors in the words of this house."""
        try:
            return await self._submit(job)
        except (sqlite3.Error, OverflowError) as error:
            raise translated(error) from error

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
            raise translated(failure) from failure
        return future.result()

    def _submit(self, job: Job[T]) -> asyncio.Future[T]:
        if self._connection is None:
            raise StorageDown("the database is closed")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._given += 1
        self._tx.put_nowait((future, partial(self._work, self._connection, job)))
        return future

    def _work(self, raw: sqlite3.Connection, job: Job[T]) -> T:
        """In the thread, which alone counts what is finished."""
        try:
            return job(raw)
        finally:
            self._finished += 1


def _what_helps(error: Exception) -> str:
    damaged = getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
    return "; the file is damaged: bring a backup back, see docs/guide/backup.md" if damaged else ""


class Inline:
    """A connection used where one is, without a hop, by the words of a `Wire`."""

    def __init__(self, raw: sqlite3.Connection) -> None:
        self._raw = raw

    async def ask(self, job: Job[T]) -> T:
        """Run `job` now."""
        try:
            return job(self._raw)
        except (sqlite3.Error, OverflowError) as error:
            raise translated(error) from error

    insist = ask

    def post(self, job: Job[Any]) -> None:
        """Run `job` now; what it raises is dropped."""
        with contextlib.suppress(sqlite3.Error):
            job(self._raw)


def connect_writer(path: Path, *, durable: bool) -> sqlite3.Connection:
    # Created here and not by SQLite, so that others on the machine cannot read it.
    path.touch(mode=0o600)
    raw = sqlite3.connect(path, isolation_level=None, cached_statements=512, check_same_thread=False)
    raw.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}").fetchall()
    raw.execute("PRAGMA journal_mode = WAL").fetchall()
    own = {"cache_size": _WRITER_CACHE, "synchronous": SYNCHRONOUS_FULL if durable else 0, "journal_mode": "wal"}
    return _configured(raw, {**PRAGMAS, **own})


def connect_reader(path: Path) -> sqlite3.Connection:
    raw = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None, cached_statements=512)
    raw.set_authorizer(_refuse_checkpoint)
    return _configured(raw, {**PRAGMAS, "query_only": 1})


def begin_at_once(raw: sqlite3.Connection) -> bool:
    """Begin to write, unless another program does: nobody may wait for that on the event loop (X08)."""
    raw.execute("PRAGMA busy_timeout = 0").fetchall()
    try:
        raw.execute(BEGIN)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise
        return False
    finally:
        raw.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}").fetchall()
    return True


def begin(raw: sqlite3.Connection) -> None:
    """Begin to write, after waiting for whoever else does."""
    raw.execute(BEGIN)


def _configured(raw: sqlite3.Connection, pragmas: Mapping[str, int | str]) -> sqlite3.Connection:
    """Set every pragma, read it back, and refuse to go on with less."""
    for name, value in pragmas.items():
        raw.execute(f"PRAGMA {name} = {value}").fetchall()
    found = read_pragmas(raw, names=list(pragmas))
    wrong = {name: found[name] for name, value in pragmas.items() if found[name] != value}
    if wrong:
        raw.close()
        raise Misconfigured(f"SQLite {sqlite3.sqlite_version} does not accept: {wrong}")
    return raw


def read_pragmas(raw: sqlite3.Connection, *, names: Sequence[str]) -> dict[str, Any]:
    return {name: raw.execute(f"PRAGMA {name}").fetchone()[0] for name in names}


def _refuse_checkpoint(action: int, first: str | None, *_: str | None) -> int:
    refused = action == sqlite3.SQLITE_PRAGMA and first == "wal_checkpoint"
    return sqlite3.SQLITE_DENY if refused else sqlite3.SQLITE_OK


def translated(error: BaseException) -> MedfedError:
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
