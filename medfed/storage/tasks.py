"""Durable background tasks: enqueued with their cause, claimed under a lease, finished or put aside."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from medfed.activitypub.here import Here
from medfed.kernel.clock import MINUTE, Millis
from medfed.storage.database import Transaction, View
from medfed.storage.statements import sql

LEASE: Millis = 1 * MINUTE
WAKE: Final = "tasks"
"""The channel that wakes whoever does tasks."""

_ADD = sql(
    """
    INSERT INTO task (id, kind, payload, once, run_at, leased_until, attempts, state, last_error)
    VALUES (:id, :kind, :payload, :once, :run_at, 0, 0, 'waiting', '')
    ON CONFLICT (once) DO UPDATE SET
        run_at = CASE WHEN task.run_at < excluded.run_at AND task.state = 'waiting' THEN task.run_at
                 ELSE excluded.run_at END,
        payload = excluded.payload, state = 'waiting', leased_until = 0
    """
)
_DUE = sql(
    """
    SELECT id, kind, payload, once, run_at, attempts FROM task
    WHERE state = 'waiting' AND run_at <= :now AND leased_until <= :now
    ORDER BY run_at, id LIMIT :limit
    """
)
_CLAIM = sql(
    """
    UPDATE task SET leased_until = :until
    WHERE id = :id AND state = 'waiting' AND leased_until <= :now AND run_at <= :now
    """
)
_FINISH = sql("DELETE FROM task WHERE id = :id AND leased_until = :lease")
_AGAIN = sql(
    """
    UPDATE task SET run_at = :run_at, leased_until = 0, attempts = :attempts, last_error = :error
    WHERE id = :id AND leased_until = :lease
    """
)
_BURY = sql(
    "UPDATE task SET state = 'dead', leased_until = 0, attempts = attempts + 1, last_error = :error WHERE id = :id"
)
_REVIVE = sql("UPDATE task SET state = 'waiting', run_at = :now, attempts = 0 WHERE state = 'dead'")
_NEXT = sql(
    "SELECT MIN(CASE WHEN leased_until > run_at THEN leased_until ELSE run_at END) FROM task WHERE state = 'waiting'"
)
_ALL = sql("SELECT id, kind, once, run_at, attempts, state, last_error FROM task ORDER BY run_at, id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Something to do, at the earliest at `run_at`. `lease` is the fencing token of the one who claimed it."""

    id: int
    kind: str
    payload: Mapping[str, Any]
    once: str
    run_at: Millis
    attempts: int = 0
    lease: Millis = 0


async def enqueue(
    tx: Transaction, *, id_: int, kind: str, payload: Mapping[str, Any], run_at: Millis, once: str = ""
) -> None:
    """Promise a task. Two with the same `once` are one, due at the earlier time.

    One that is being run just now loses its lease, so that it is run again: what it is to do has changed.
    """
    await tx.run(
        _ADD,
        id=id_,
        kind=kind,
        payload=orjson.dumps(payload).decode(),
        once=once or f"{kind}/{id_}",
        run_at=run_at,
    )


async def ask(
    tx: Transaction,
    here: Here,
    kind: str,
    payload: Mapping[str, Any],
    *,
    once: str | int = "",
    at: Millis | None = None,
) -> None:
    """Have something done in the background, now or at a time; of one kind, two with the same `once` are one."""
    run_at = here.now() if at is None else at
    name = f"{kind}/{once}" if once else ""
    await enqueue(tx, id_=here.ids.new(), kind=kind, payload=payload, run_at=run_at, once=name)
    tx.wake(WAKE)


async def due(view: View, now: Millis, limit: int) -> list[Task]:
    """Tasks that nobody holds and that are due."""
    return [
        Task(**(dict(row) | {"payload": orjson.loads(row["payload"])}))
        for row in await view.all(_DUE, now=now, limit=limit)
    ]


async def claim(tx: Transaction, id_: int, *, now: Millis, until: Millis) -> bool:
    """Take a task under a lease; False if somebody else has it (J08)."""
    return await tx.run(_CLAIM, id=id_, now=now, until=until) > 0


async def finish(tx: Transaction, task: Task) -> bool:
    """The task is done; False if the lease was lost."""
    return await tx.run(_FINISH, id=task.id, lease=task.lease) > 0


async def again(tx: Transaction, task: Task, *, run_at: Millis, attempts: int, error: str = "") -> bool:
    """Run the task again later; False if the lease was lost."""
    changed = await tx.run(_AGAIN, id=task.id, lease=task.lease, run_at=run_at, attempts=attempts, error=error[:500])
    return changed > 0


async def bury(tx: Transaction, id_: int, error: str) -> None:
    """Put a task aside for an admin (J09)."""
    await tx.run(_BURY, id=id_, error=error[:500])


async def revive(tx: Transaction, now: Millis) -> int:
    """Let tasks that were put aside be tried again, from the beginning; how many."""
    return await tx.run(_REVIVE, now=now)


async def next_due(view: View) -> Millis | None:
    """When the next task is due."""
    return await view.value(_NEXT)


async def overview(view: View) -> list[dict[str, Any]]:
    """Every task: id, kind, once, run_at, attempts, state, last_error."""
    return [dict(row) for row in await view.all(_ALL)]
