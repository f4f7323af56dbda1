"""What the house knows of the database: a Store hands out a View to read and a Transaction to write."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from medfed.kernel import transactions
from medfed.kernel.errors import Broken, Conflict, StorageDown
from medfed.storage.statements import Engine, Statement

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Row: TypeAlias = dict[str, Any]
"""Column names to values; whole numbers, text, bytes, floats and None only, so that both engines agree."""

T = TypeVar("T")


class Duplicate(Conflict):
    """A unique key is taken. `where` names it in the engine's words, for the log, never for strangers."""

    def __init__(self, where: str) -> None:
        super().__init__("it exists already")
        self.where = where


class Violated(Broken):
    """Another constraint than uniqueness refused the data: a foreign key, a check, a NOT NULL, a type."""


class BadStatement(Broken):
    """The engine does not understand the statement, or its result is not what the caller said it would be."""


class Contended(StorageDown):
    """Another writer got in between (deadlock, serialization, lock timeout): the whole can be tried again."""


class Misused(Broken):
    """A View or Transaction was used after its end, inside another, or after one of its statements failed."""


class View(ABC):
    """Reads one snapshot of the database."""

    async def all(self, statement: Statement, **params: Any) -> list[Row]:
        """Every row."""
        return await self._rows(statement, params)

    async def one_or_none(self, statement: Statement, **params: Any) -> Row | None:
        """The row, or None. Raises BadStatement when there are several."""
        rows = await self._rows(statement, params)
        if len(rows) > 1:
            raise BadStatement(f"{len(rows)} rows where at most one was meant: {statement.sqlite}")
        return rows[0] if rows else None

    async def one(self, statement: Statement, **params: Any) -> Row:
        """The row. Raises BadStatement when there is none or are several."""
        row = await self.one_or_none(statement, **params)
        if row is None:
            raise BadStatement(f"no row where one was meant: {statement.sqlite}")
        return row

    async def value(self, statement: Statement, **params: Any) -> Any | None:
        """The first column of the row, or None when there is no row."""
        row = await self.one_or_none(statement, **params)
        return next(iter(row.values())) if row else None

    @abstractmethod
    async def _rows(self, statement: Statement, params: Mapping[str, Any]) -> list[Row]: ...


class Transaction(View):
    """Reads and writes; everything is kept at the end, or nothing.

    As in PostgreSQL, a failed statement spoils the transaction on both engines: let its error through, or
    catch it around a `savepoint()`. Statements run one after the other, never at once.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._callbacks: list[Callable[[], None]] = []
        self._channels: set[str] = set()
        self._spoilt = False
        self._over = False

    @abstractmethod
    async def run(self, statement: Statement, **params: Any) -> int:
        """Execute and return the number of rows inserted, changed or deleted."""

    @abstractmethod
    async def run_many(self, statement: Statement, rows: Iterable[Mapping[str, Any]]) -> None:
        """Execute once per row, in one go."""

    @abstractmethod
    async def script(self, statements: Sequence[str]) -> None:
        """Execute plain texts, in order: for migrations only, everything else is a Statement."""

    @abstractmethod
    def savepoint(self) -> AbstractAsyncContextManager[None]:
        """When an exception leaves it, undo what happened inside, and heal a transaction spoilt there."""

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Call `callback` once the commit has succeeded; it must be quick and must not raise."""
        self._callbacks.append(callback)

    def wake(self, channel: str) -> None:
        """Once the commit has succeeded, tell all who sleep on `channel` that there is work."""
        self._channels.add(channel)

    def _refuse_misuse(self) -> None:
        if self._over:
            raise Misused(f"transaction {self.name!r} was used after its end")
        if self._spoilt:
            raise Misused(f"transaction {self.name!r} goes on while a statement of it failed or still runs")


class Store(ABC):
    """One database. Engine-neutral; `medfed.storage.connect` opens the right kind."""

    engine: Engine

    def __init__(self) -> None:
        self._sleepers: dict[str, list[Callable[[], None]]] = {}

    @asynccontextmanager
    async def view(self) -> "AsyncIterator[View]":
        """Read a snapshot. Raises Misused inside a transaction, which can read for itself."""
        _refuse_nesting("a view")
        async with self._view() as view:
            yield view

    @asynccontextmanager
    async def transaction(self, name: str) -> "AsyncIterator[Transaction]":
        """Write; `name` says what for. Commits at the end, rolls back when an exception leaves it.

        Raises Misused inside another transaction, StorageDown when the database cannot answer or keep it, and
        Contended when the work may simply be tried again.
        """
        _refuse_nesting(f"transaction {name!r}")
        async with self._transaction(name) as tx:
            with transactions.writing(name):
                yield tx
        for callback in tx._callbacks:
            callback()
        for channel in tx._channels:
            self.wake(channel)

    @abstractmethod
    async def arrive(self, name: str, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run `work` in a write transaction shared with other arrivals, and return only after its commit.

        One arrival that raises does not touch the others. `work` must await nothing but its Transaction: on
        SQLite nobody else has a turn between two of its statements, and awaiting anything else raises Misused.
        Where an engine has several writers it may be run again, at most three times, after a Contended.
        """

    @abstractmethod
    def alone(self, name: str) -> AbstractAsyncContextManager[bool]:
        """Whether no other process is inside under the same name; it never waits, and ends with the process.

        For work that must not be done twice at once, not for what must be true: a broken connection lets others in.
        """

    @abstractmethod
    async def doubts(self) -> list[str]:
        """What `doctor` should warn of: why this engine, as it is set up, may lose data."""

    @abstractmethod
    async def damage(self, *, within: float | None = None) -> list[str]:
        """What is wrong with what is stored, read from one end to the other: nothing, or at most a hundred lines.

        Takes minutes where much is stored, or as many seconds as it is given; others read and write meanwhile.
        """

    def has_room(self) -> bool:
        """Whether the disk has room for more than what deleting takes; a database elsewhere is asked nothing."""
        return True

    @abstractmethod
    async def ping(self) -> None:
        """Raise StorageDown unless the database answers."""

    @abstractmethod
    async def aclose(self) -> None:
        """Finish what is under way and let go of the database."""

    def on_wake(self, channel: str, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` whenever `channel` is woken, here or in another process; returns how to stop."""
        self._sleepers.setdefault(channel, []).append(callback)
        return lambda: self._sleepers[channel].remove(callback)

    def wake(self, channel: str) -> None:
        """Tell all who sleep on `channel` that there is work, after a commit. A hint, never a promise."""
        for callback in list(self._sleepers.get(channel, ())):
            callback()

    @abstractmethod
    def _view(self) -> AbstractAsyncContextManager[View]: ...

    @abstractmethod
    def _transaction(self, name: str) -> AbstractAsyncContextManager[Transaction]: ...


def _refuse_nesting(what: str) -> None:
    name = transactions.current()
    if name is not None:
        raise Misused(f"{what} inside transaction {name!r}")
