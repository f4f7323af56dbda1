"""PostgreSQL: a pool of connections, and NOTIFY so that several processes can wake each other."""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias, TypeVar
from urllib.parse import urlsplit

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
from medfed.storage.statements import Engine, Statement, sql

try:
    import asyncpg
except ModuleNotFoundError as _missing:
    raise Misconfigured("PostgreSQL needs a driver: install medfed[postgres]") from _missing

if TYPE_CHECKING:
    Connection: TypeAlias = Any
    """asyncpg carries no types."""

T = TypeVar("T")

log = logging.getLogger(__name__)

CONNECT_SECONDS: Final = 10.0
STATEMENT_MS: Final = 30_000
LOCK_MS: Final = 10_000
IDLE_IN_TRANSACTION_MS: Final = 60_000
ARRIVAL_ATTEMPTS: Final = 3
RECONNECT_SECONDS: Final = 1.0
PG_CHANNEL: Final = "medfed"

_TURNSTILE: Final = 7236724
"""Any number, as long as no other program takes advisory locks under it in this database."""
_ENTER: Final = "SELECT pg_try_advisory_lock($1, hashtext($2))"
_LEAVE: Final = "SELECT pg_advisory_unlock($1, hashtext($2))"

_SESSION: Final = f"""
    SET statement_timeout = {STATEMENT_MS};
    SET lock_timeout = {LOCK_MS};
    SET idle_in_transaction_session_timeout = {IDLE_IN_TRANSACTION_MS};
    SET jit = off;
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'
"""
"""What every connection asks of the server. Where commits are not waited for, ours are: a 202 is a promise."""
# READ COMMITTED for writers: they lock or use ON CONFLICT, and do not fail for having read.
_BEGIN_WRITE: Final = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
# REPEATABLE READ for readers: a page is one snapshot, as on SQLite, at the price of no failure and one round trip.
_BEGIN_READ: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

_DRIVER_ERRORS: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)


class PostgresStore(Store):
    """One PostgreSQL database. Make it with `open`."""

    engine: Engine = "postgres"

    def __init__(self, url: str, pool: Any) -> None:
        super().__init__()
        self._pool = pool
        self._bell = _Bell(url, self._rung)
        self._turnstile = _Turnstile(url)

    @classmethod
    async def open(cls, url: str, *, pool: int = 10) -> Self:
        """Connect to the database of a postgresql:// URL with at most `pool` connections and one for NOTIFY.

        Raises Misconfigured, naming the host and never the password, when there is no way in.
        """
        try:
            opened = await asyncpg.create_pool(
                url,
                min_size=1,
                max_size=pool,
                timeout=CONNECT_SECONDS,
                init=_prepare_session,
                reset=_keep_session,
                statement_cache_size=1_000,
                max_cached_statement_lifetime=0,
                server_settings={"application_name": "medfed"},
            )
        except (*_DRIVER_ERRORS, ValueError) as error:
            parts = urlsplit(url)
            where = f"{parts.hostname or 'its socket'}:{parts.port or 5432}{parts.path}"
            raise Misconfigured(f"cannot reach PostgreSQL at {where}: {_reason(error, url)}") from None
        return cls(url, opened)

    async def arrive(self, name: str, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """See Store.arrive: a transaction each, since PostgreSQL groups commits by itself."""
        for _ in range(ARRIVAL_ATTEMPTS - 1):
            try:
                return await self._arrive_once(name, work)
            except Contended:
                continue
        return await self._arrive_once(name, work)

    @asynccontextmanager
    async def alone(self, name: str) -> AsyncIterator[bool]:
        """See Store.alone. Raises StorageDown."""
        entered = await self._turnstile.enter(name)
        try:
            yield entered
        finally:
            if entered:
                await self._turnstile.leave(name)

    async def doubts(self) -> list[str]:
        """See Store.doubts."""
        async with self.view() as view:
            off = await view.all(_UNSAFE)
        return [f"PostgreSQL runs with {row['name']} = off: what was accepted can be lost" for row in off]

    async def damage(self, *, within: float | None = None) -> list[str]:  # noqa: ARG002 - it has counted already
        """See Store.damage: pages whose checksum PostgreSQL found wrong, where it keeps any."""
        async with self.view() as view:
            failures = await view.value(_CHECKSUM_FAILURES)
        return [f"PostgreSQL found {failures} damaged pages: see its log"] if failures else []

    async def ping(self) -> None:
        """Raise StorageDown unless the server answers."""
        async with self._view() as view:
            await view.value(_PING)

    def on_wake(self, channel: str, callback: Callable[[], None]) -> Callable[[], None]:
        """See Store.on_wake."""
        self._bell.listen()
        return super().on_wake(channel, callback)

    def wake(self, channel: str) -> None:
        """See Store.wake."""
        super().wake(channel)
        self._bell.ring(channel)

    async def aclose(self) -> None:
        """Close every connection, when what uses it is done."""
        await self._bell.stop()
        self._turnstile.close()
        await self._pool.close()

    @asynccontextmanager
    async def _view(self) -> AsyncIterator[View]:
        async with self._connection() as connection:
            await _translating(connection.execute(_BEGIN_READ))
            try:
                yield _PostgresView(connection)
            finally:
                await _roll_back(connection)

    @asynccontextmanager
    async def _transaction(self, name: str) -> AsyncIterator[Transaction]:
        async with self._connection() as connection:
            await _translating(connection.execute(_BEGIN_WRITE))
            tx = PostgresTransaction(connection, name)
            ended = False
            try:
                yield tx
                await tx.commit()
                ended = True
            finally:
                if not ended:
                    await _roll_back(connection)

    @asynccontextmanager
    async def _connection(self) -> "AsyncIterator[Connection]":
        connection = await _translating(self._pool.acquire(timeout=CONNECT_SECONDS))
        try:
            yield connection
        finally:
            await self._pool.release(connection)

    async def _arrive_once(self, name: str, work: Callable[[Transaction], Awaitable[T]]) -> T:
        async with self.transaction(name) as tx:
            return await work(tx)

    def _rung(self, channel: str | None) -> None:
        """Another process woke `channel`; None: we may have missed something, so all."""
        for each in list(self._sleepers) if channel is None else [channel]:
            super().wake(each)


class _PostgresView(View):
    """A snapshot that the server itself keeps from writing."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection

    async def _rows(self, statement: Statement, params: Mapping[str, Any]) -> list[Row]:
        return await _fetch(self._connection, statement, params)


class PostgresTransaction(Transaction):
    """The write transaction."""

    def __init__(self, connection: "Connection", name: str) -> None:
        super().__init__(name)
        self._connection = connection
        self._depth = 0

    async def run(self, statement: Statement, **params: Any) -> int:
        """See Transaction.run."""
        values = statement.for_postgres(params)
        status: str = await self._ask(lambda: self._connection.execute(statement.postgres, *values))
        return _count(status)

    async def run_many(self, statement: Statement, rows: Iterable[Mapping[str, Any]]) -> None:
        """See Transaction.run_many."""
        values = [statement.for_postgres(row) for row in rows]
        if values:
            await self._ask(lambda: self._connection.executemany(statement.postgres, values))

    async def script(self, statements: Sequence[str]) -> None:
        """See Transaction.script."""
        for text in statements:
            await self._ask(partial(self._connection.execute, text))

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """See Transaction.savepoint."""
        name = f"s{self._depth}"
        await self._ask(lambda: self._connection.execute(f"SAVEPOINT {name}"))
        self._depth += 1
        kept = len(self._callbacks)
        clean = False
        try:
            yield
            await self._ask(lambda: self._connection.execute(f"RELEASE SAVEPOINT {name}"))
            clean = True
        finally:
            self._depth -= 1
            if not clean:
                del self._callbacks[kept:]
                self._spoilt = False
                undo = f"ROLLBACK TO SAVEPOINT {name}; RELEASE SAVEPOINT {name}"
                await self._ask(lambda: self._connection.execute(undo))

    async def commit(self) -> None:
        """Commit, even if the waiting task is cancelled: a commit under way cannot be called back."""
        self._refuse_misuse()
        self._over = True
        committing = asyncio.ensure_future(self._connection.execute("COMMIT"))
        interrupted: asyncio.CancelledError | None = None
        while not committing.done():
            try:
                await asyncio.wait({committing})
            except asyncio.CancelledError as error:
                interrupted = error
        failure = committing.exception()
        if interrupted is not None:
            raise interrupted
        if isinstance(failure, _DRIVER_ERRORS):
            raise _translated(failure) from failure
        committing.result()

    async def _rows(self, statement: Statement, params: Mapping[str, Any]) -> list[Row]:
        return await self._ask(lambda: _fetch(self._connection, statement, params))

    async def _ask(self, ask: Callable[[], Awaitable[T]]) -> T:
        self._refuse_misuse()
        self._spoilt = True
        result = await _translating(ask())
        self._spoilt = False
        return result


class _Bell:
    """Rings other processes through NOTIFY and hears them, on one connection of its own, opened at first use."""

    def __init__(self, url: str, heard: Callable[[str | None], None]) -> None:
        self._url = url
        self._heard = heard
        self._self = secrets.token_hex(8)
        self._outgoing: set[str] = set()
        self._stir = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def listen(self) -> None:
        """Begin to hear, if not yet."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="wake other processes")

    def ring(self, channel: str) -> None:
        """Tell the other processes; rings that come together are sent once."""
        self._outgoing.add(channel)
        self._stir.set()
        self.listen()

    async def stop(self) -> None:
        """Close the connection."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _run(self) -> None:
        while True:
            try:
                await self._converse()
            except _DRIVER_ERRORS as error:
                log.warning("the wake connection broke: %s", type(error).__name__)
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _converse(self) -> None:
        connection = await asyncpg.connect(self._url, timeout=CONNECT_SECONDS)
        try:
            connection.add_termination_listener(lambda _: self._stir.set())
            await connection.add_listener(PG_CHANNEL, self._hear)
            self._heard(None)
            while not connection.is_closed():
                await self._stir.wait()
                self._stir.clear()
                await self._send(connection)
        finally:
            connection.terminate()

    async def _send(self, connection: "Connection") -> None:
        outgoing, self._outgoing = self._outgoing, set()
        for channel in outgoing:
            await connection.execute("SELECT pg_notify($1, $2)", PG_CHANNEL, f"{self._self} {channel}")

    def _hear(self, _connection: object, _pid: int, _channel: str, payload: str) -> None:
        sender, _, channel = payload.partition(" ")
        if sender != self._self:
            self._heard(channel)


class _Turnstile:
    """Advisory locks, on one connection of their own that is opened at first use; PostgreSQL frees them at its end."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Connection | None = None
        self._turn = asyncio.Lock()

    async def enter(self, name: str) -> bool:
        """Whether the lock was to be had. Raises StorageDown."""
        async with self._turn:
            connection = await _translating(self._opened())
            return bool(await _translating(connection.fetchval(_ENTER, _TURNSTILE, name)))

    async def leave(self, name: str) -> None:
        """Free the lock, if it was not lost with the connection."""
        async with self._turn:
            if self._connection is not None and not self._connection.is_closed():
                with suppress(*_DRIVER_ERRORS):
                    await self._connection.execute(_LEAVE, _TURNSTILE, name)

    async def _opened(self) -> "Connection":
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(self._url, timeout=CONNECT_SECONDS)
        return self._connection

    def close(self) -> None:
        """Free every lock."""
        if self._connection is not None:
            self._connection.terminate()


async def _prepare_session(connection: "Connection") -> None:
    await connection.execute(_SESSION)


async def _keep_session(_connection: "Connection") -> None:
    """Every transaction is ended by whoever began it, so a returned connection needs no round trip to reset it."""


async def _fetch(connection: "Connection", statement: Statement, params: Mapping[str, Any]) -> list[Row]:
    values = statement.for_postgres(params)
    return [dict(record) for record in await _translating(connection.fetch(statement.postgres, *values))]


def _count(status: str) -> int:
    """The count at the end of a command tag: INSERT 0 3, UPDATE 3."""
    last = status.rpartition(" ")[2]
    return int(last) if last.isdecimal() else 0


async def _roll_back(connection: "Connection") -> None:
    if connection.is_closed():
        return
    try:
        await connection.execute("ROLLBACK")
    except _DRIVER_ERRORS:
        connection.terminate()


async def _translating(waiting: Awaitable[T]) -> T:
    try:
        return await waiting
    except _DRIVER_ERRORS as error:
        raise _translated(error) from error


def _translated(error: BaseException) -> MedfedError:
    if isinstance(error, asyncpg.PostgresError):
        return _by_state(error.sqlstate or "", str(error))
    if isinstance(error, asyncpg.DataError):
        return Violated(str(error))
    if isinstance(error, asyncpg.InterfaceError):
        return StorageDown(f"PostgreSQL: {error}")
    return StorageDown(f"PostgreSQL does not answer ({type(error).__name__})")


def _by_state(state: str, message: str) -> MedfedError:
    if state == "23505":
        return Duplicate(message)
    return _BY_STATE.get(state, _BY_CLASS.get(state[:2], BadStatement))(f"PostgreSQL: {message}")


def _reason(error: BaseException, url: str) -> str:
    reason = str(error) or type(error).__name__
    password = urlsplit(url).password
    return reason.replace(password, "…") if password else reason


_BY_STATE: Final[Mapping[str, type[MedfedError]]] = {
    "55P03": Contended,  # lock_not_available
    "25006": Misused,  # read_only_sql_transaction
    "25P02": Misused,  # in_failed_sql_transaction
}
_BY_CLASS: Final[Mapping[str, type[MedfedError]]] = {
    "08": StorageDown,
    "22": Violated,
    "23": Violated,
    "25": StorageDown,
    "40": Contended,
    "53": StorageDown,
    "57": StorageDown,
    "58": StorageDown,
    "XX": StorageDown,
}
_PING: Final = sql("SELECT 1 AS one")
_CHECKSUM_FAILURES: Final = sql(
    "SELECT 0 AS failures",
    postgres="SELECT coalesce(checksum_failures, 0) FROM pg_stat_database WHERE datname = current_database()",
)
_UNSAFE: Final = sql(
    "SELECT 'synchronous' AS name WHERE 1 = 0",
    postgres="""
    SELECT name FROM pg_settings
    WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off'
    """,
)
