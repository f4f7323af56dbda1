"""What is said to SQLite in a read snapshot and in the write transaction."""

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

from medfed.storage.database import (
    Misused,
    Row,
    Transaction,
    View,
)
from medfed.storage.sqlite_wire import BEGIN, Inline, Job, Wire
from medfed.storage.statements import Statement

T = TypeVar("T")


class SqliteView(View):
    """A read snapshot: begun with the first statement, in the same hop to the connection's thread."""

    def __init__(self, wire: Wire) -> None:
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

    def __init__(self, wire: Wire | Inline, name: str, *, begun: bool = False) -> None:
        super().__init__(name)
        self._wire = wire
        self._before: list[str] = [] if begun else [BEGIN]
        self._begun = begun
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

    async def commit(self, wire: Wire | None = None) -> None:
        """Commit, even if the waiting task is cancelled: a commit under way cannot be called back.

        In the thread of `wire` if one is named: the disk is waited for there.
        """
        before = self._take()
        self._over = True
        if self._begun:
            await (wire or self._wire).insist(partial(_commit, before=before))

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
