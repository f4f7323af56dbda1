"""What each of many strangers has taken of something, counted where every process sees it."""

from medfed.kernel.clock import DAY, Millis
from medfed.storage.database import Transaction
from medfed.storage.statements import sql

_TAKE = sql(
    """
    INSERT INTO share (name, since, used) VALUES (:name, :now, 1)
    ON CONFLICT (name) DO UPDATE SET
        since = CASE WHEN share.since > :earliest AND share.since <= :now THEN share.since ELSE excluded.since END,
        used = CASE WHEN share.since > :earliest AND share.since <= :now THEN share.used + 1 ELSE 1 END
    WHERE share.used < :most OR share.since <= :earliest OR share.since > :now
    RETURNING used
    """
)
_FORGET = sql("DELETE FROM share WHERE since < :before")


async def take(tx: Transaction, name: str, *, most: int, per: Millis, now: Millis) -> bool:
    """Whether one more may be had of `most` within `per` milliseconds from the first; if so, it is counted.

    In the transaction of what it is taken for: if that comes to nothing, nothing was taken.
    """
    return await tx.value(_TAKE, name=name, now=now, earliest=now - per, most=most) is not None


async def forget(tx: Transaction, now: Millis) -> None:
    """Drop what was begun to be counted a day ago: nothing is shared out for longer."""
    await tx.run(_FORGET, before=now - DAY)
