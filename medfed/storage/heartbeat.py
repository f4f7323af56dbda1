"""When a worker was last at work, for processes that only serve."""

from medfed.kernel.clock import Millis
from medfed.storage.database import Transaction, View
from medfed.storage.statements import sql

_BEAT = sql("INSERT INTO heartbeat (id, at) VALUES (1, :at) ON CONFLICT (id) DO UPDATE SET at = excluded.at")
_LAST = sql("SELECT at FROM heartbeat WHERE id = 1")


async def beat(tx: Transaction, at: Millis) -> None:
    """A worker is at work."""
    await tx.run(_BEAT, at=at)


async def last(view: View) -> Millis | None:
    """When one last was; None: never."""
    return await view.value(_LAST)
