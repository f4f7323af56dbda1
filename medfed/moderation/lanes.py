"""What peers are owed, lane by lane, and what an admin may do about it: try at once, or drop."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from medfed.accounts.promise import WAKE
from medfed.domain.peers import OPENS_AFTER, Breaker, breaker
from medfed.kernel.clock import Millis
from medfed.storage import moderation, outbox, peers
from medfed.storage.database import Row, Transaction, View

State: TypeAlias = Literal["waiting", "failing", "down", "refused", "withheld"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """What one host is owed. `next_at` is now or later; None: not before somebody says so.

    `withdrawals` of it are deletions and the like; the first of them is given up at `withdrawn_until`.
    """

    host: str
    state: State
    waiting: int
    attempts: int
    next_at: Millis | None
    last_error: str
    breaker: Breaker
    failures: int
    failing_since: Millis | None
    last_heard: Millis | None
    last_sent: Millis | None
    withdrawals: int
    withdrawn_until: Millis | None


async def lanes(view: View, now: Millis) -> list[Lane]:
    """Every host that is owed something, by name."""
    withdrawn = await outbox.withdrawals(view)
    return [
        Lane(
            host=row["host"],
            state=_state(row),
            waiting=int(row["waiting"]),
            attempts=int(row["attempts"]),
            next_at=_next(row, now),
            last_error=row["last_error"],
            breaker=breaker(row["failures"], row["next_at"], now),
            failures=int(row["failures"]),
            failing_since=row["failing_since"] or None,
            last_heard=row["last_heard"],
            last_sent=row["last_sent"],
            withdrawals=withdrawn.get(row["host"], (0, None))[0],
            withdrawn_until=withdrawn.get(row["host"], (0, None))[1],
        )
        for row in await outbox.overview(view)
    ]


async def retry(tx: Transaction, host: str = "") -> int:
    """Let a lane (or every one) be tried at once; how many deliveries that had been refused are in it again."""
    put_back = await outbox.retry(tx, host)
    await peers.retry_now(tx, host)
    tx.wake(WAKE)
    return put_back


async def drop(tx: Transaction, host: str, *, at: Millis, by: str) -> int:
    """Forget what a host is owed, audited; how many deliveries."""
    dropped = await outbox.drop(tx, host)
    await moderation.record(tx, at=at, actor=by, action="queue.drop", subject=host, detail={"dropped": dropped})
    return dropped


def _next(row: Row, now: Millis) -> Millis | None:
    at = int(row["next_at"])
    if row["parked"] + row["withheld"] == row["waiting"]:
        if row["parked_until"] is None:
            return None
        at = max(at, int(row["parked_until"]))
    return max(at, now)


def _state(row: Row) -> State:
    if row["withheld"] == row["waiting"]:
        return "withheld"
    if row["parked"] + row["withheld"] == row["waiting"]:
        return "refused"
    if row["failures"] >= OPENS_AFTER:
        return "down"
    return "failing" if row["failing_since"] else "waiting"
