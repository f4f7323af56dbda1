"""Arrivals that share a transaction and its commit."""

import asyncio
import contextvars
import sqlite3
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final, Generic, TypeVar

from medfed.kernel import transactions
from medfed.kernel.errors import MedfedError, StorageDown
from medfed.storage.database import (
    Misused,
    Transaction,
)
from medfed.storage.sqlite_transaction import SqliteTransaction
from medfed.storage.sqlite_wire import Inline, Wire, begin, begin_at_once

T = TypeVar("T")

BATCH_ARRIVALS: Final = 256
BATCH_SECONDS: Final = 0.05
SLICE_SECONDS: Final = 0.004


class Arrival(Generic[T]):
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
        """Do the work inside its own savepoint; what it raised, or None."""
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


class Batch:
    """Arrivals that share a transaction.

    Their statements are asked on the event loop: from the connection's thread they cost an eighth more processor time
    of the whole. What waits for the disk or for another program, BEGIN and COMMIT, is done in the thread (ADR 0023).
    """

    def __init__(self, arrivals: "deque[Arrival[Any]]") -> None:
        count = min(len(arrivals), BATCH_ARRIVALS)
        self.waiting = deque(arrivals.popleft() for _ in range(count))
        self.kept: list[Arrival[Any]] = []
        self._failed: list[Arrival[Any]] = []

    async def run(self, wire: Wire) -> None:
        """Everything up to and with the commit. Raises StorageDown when nothing of it was kept."""
        try:
            tx = SqliteTransaction(Inline(await _begun(wire)), "arrivals", begun=True)
        except StorageDown:
            self.give_up()
            raise
        try:
            await self._attempt_all(tx)
            await self._commit(tx, wire)
        except BaseException:
            tx.abandon()
            raise

    async def _commit(self, tx: SqliteTransaction, wire: Wire) -> None:
        try:
            await tx.commit(wire)
        except MedfedError as error:
            raise StorageDown(f"the shared commit failed: {error}") from error

    async def _attempt_all(self, tx: SqliteTransaction) -> None:
        """Each in turn, for so long; others get theirs on the event loop in between. Raises StorageDown."""
        now = time.monotonic()
        until, pause = now + BATCH_SECONDS, now + SLICE_SECONDS
        while self.waiting and now < until:
            arrival = self.waiting.popleft()
            if arrival.done.done():
                continue
            error = arrival.attempt(tx)
            (self.kept if error is None else self._failed).append(arrival)
            if isinstance(error, StorageDown):
                raise error
            now = time.monotonic()
            if now >= pause:
                await asyncio.sleep(0)
                now = time.monotonic()
                pause = now + SLICE_SECONDS

    def give_up(self) -> None:
        """Whoever still waits for a turn shares what becomes of the others."""
        self.kept += self.waiting
        self.waiting.clear()

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


async def _begun(wire: Wire) -> sqlite3.Connection:
    """The connection, in a write transaction. Raises StorageDown."""
    raw = wire.resting
    try:
        if raw is not None and begin_at_once(raw):
            return raw
        await wire.insist(begin)
    except (sqlite3.Error, MedfedError) as error:
        raise StorageDown(f"cannot begin to write: {error}") from error
    if wire.resting is None:
        raise Misused("somebody uses the writing connection out of turn")
    return wire.resting


def _drive(work: Awaitable[T]) -> T:
    """Run to its end, now, what only awaits statements that answer at once. Raises Misused otherwise."""
    steps = work.__await__()
    try:
        next(steps)
    except StopIteration as end:
        result: T = end.value
        return result
    steps.throw(Misused("an arrival may await nothing but its own statements"))
    raise Misused("an arrival went on after it was stopped")
