"""Every accepted activity, once; what the inbox answers 202 for."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from medfed.kernel.clock import Millis
from medfed.storage.database import Transaction, View
from medfed.storage.statements import sql

_RECORD = sql(
    """
    INSERT INTO inbox_log (id, uri, actor_uri, kind, body, received_at, state, attempts, next_at, note)
    VALUES (:id, :uri, :actor_uri, :kind, :body, :at, :state, 0, :at, :note)
    ON CONFLICT (uri) DO NOTHING
    """
)
_SETTLE_NEW = sql(
    """
    INSERT INTO inbox_log (id, uri, actor_uri, kind, body, received_at, state, attempts, next_at, note)
    SELECT CAST(:id AS BIGINT), :uri, :actor_uri, :kind, NULL, CAST(:at AS BIGINT), :state, 0, CAST(:at AS BIGINT),
           :note
    WHERE NOT EXISTS (SELECT 1 FROM inbox_log WHERE actor_uri = :actor_uri AND state = 'waiting')
    ON CONFLICT (uri) DO NOTHING
    """
)
_WAITING = sql(
    """
    SELECT id, uri, actor_uri, kind, body, received_at, attempts FROM inbox_log
    WHERE state = 'waiting' AND next_at <= :now AND NOT actor_uri IN :busy[text]
    ORDER BY next_at, id LIMIT :limit
    """
)
_SETTLE = sql("UPDATE inbox_log SET state = :state, note = :note, body = NULL WHERE id = :id AND state = 'waiting'")
_BURY = sql("UPDATE inbox_log SET state = 'dead', note = :note WHERE id = :id AND state = 'waiting'")
_ANNOTATE = sql("UPDATE inbox_log SET note = :note WHERE id = :id")
_RETRY = sql(
    """
    UPDATE inbox_log SET attempts = attempts + 1, next_at = :next_at, note = :note
    WHERE id = :id AND state = 'waiting'
    """
)
_CALL_IN = sql("UPDATE inbox_log SET next_at = :now WHERE state = 'waiting' AND next_at > :latest")
# The second term names the index: SQLite does not conclude it from the first.
_REVIVE = sql(
    "UPDATE inbox_log SET state = 'waiting', next_at = :now, attempts = 0 WHERE state = 'dead' AND state <> 'done'"
)
_COUNT = sql("SELECT state, COUNT(*) AS n FROM inbox_log WHERE state <> 'done' GROUP BY state")
_NEXT = sql("SELECT MIN(next_at) FROM inbox_log WHERE state = 'waiting'")
_FORGET_BODIES = sql(
    "UPDATE inbox_log SET body = NULL WHERE state <> 'waiting' AND received_at < :before AND body IS NOT NULL"
)

State: TypeAlias = Literal["waiting", "done", "refused", "dead"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """An activity as it was received and accepted."""

    id: int
    uri: str
    actor_uri: str
    kind: str
    body: bytes
    received_at: Millis
    attempts: int = 0


async def record(tx: Transaction, arrival: Arrival, *, state: State = "waiting", note: str = "") -> bool:
    """Store an arrival; False if its id was stored before (A03, C06).

    Its letter is kept while it waits: of what was applied or refused, only that it came, so that it comes once.
    """
    stored = await tx.run(
        _RECORD,
        id=arrival.id,
        uri=arrival.uri,
        actor_uri=arrival.actor_uri,
        kind=arrival.kind,
        body=arrival.body if state == "waiting" else None,
        at=arrival.received_at,
        state=state,
        note=note[:500],
    )
    return stored > 0


async def settle_new(tx: Transaction, arrival: Arrival, *, state: State, note: str) -> bool:
    """Store an arrival together with what came of it; False if its id was stored before, or if it has to wait because
    an earlier one of its actor's does: then nothing is stored, and nothing may have come of it.
    """
    stored = await tx.run(
        _SETTLE_NEW,
        id=arrival.id,
        uri=arrival.uri,
        actor_uri=arrival.actor_uri,
        kind=arrival.kind,
        at=arrival.received_at,
        state=state,
        note=note[:500],
    )
    return stored > 0


async def waiting(view: View, now: Millis, limit: int, *, busy: Iterable[str] = ()) -> list[Arrival]:
    """Arrivals that are due to be applied, oldest first, but for those of the actors that are `busy`."""
    return [Arrival(**row) for row in await view.all(_WAITING, now=now, limit=limit, busy=list(busy))]


async def finish(tx: Transaction, id_: int, *, note: str = "") -> bool:
    """Tick an arrival in the transaction of its effect; False if it was ticked before."""
    return await tx.run(_SETTLE, id=id_, state="done", note=note) > 0


async def annotate(tx: Transaction, id_: int, note: str) -> None:
    """Say what came of an arrival that was ticked in this transaction."""
    await tx.run(_ANNOTATE, id=id_, note=note[:500])


async def refuse(tx: Transaction, id_: int, note: str) -> None:
    """Settle an arrival that will never be applied, and say why."""
    await tx.run(_SETTLE, id=id_, state="refused", note=note[:500])


async def call_in(tx: Transaction, now: Millis, latest: Millis) -> int:
    """Apply at once what was put off beyond `latest`, by a clock that was wrong; how many arrivals."""
    return await tx.run(_CALL_IN, now=now, latest=latest)


async def give_up(tx: Transaction, id_: int, note: str) -> None:
    """Put an arrival that we failed to apply where an admin can see it, and have it tried again."""
    await tx.run(_BURY, id=id_, note=note[:500])


async def retry_at(tx: Transaction, id_: int, *, next_at: Millis, note: str) -> None:
    """Try an arrival again later."""
    await tx.run(_RETRY, id=id_, next_at=next_at, note=note[:500])


async def revive(tx: Transaction, now: Millis) -> int:
    """Let arrivals that we failed to apply be tried again; how many."""
    return await tx.run(_REVIVE, now=now)


async def counts(view: View) -> dict[str, int]:
    """Arrivals by state, but for the many that are done."""
    return {row["state"]: row["n"] for row in await view.all(_COUNT)}


async def next_due(view: View) -> Millis | None:
    """When the next waiting arrival is due."""
    return await view.value(_NEXT)


async def forget_bodies(tx: Transaction, before: Millis) -> int:
    """Empty arrivals that were given up before a time; their ids stay, so that a replay is still a replay."""
    return await tx.run(_FORGET_BODIES, before=before)
