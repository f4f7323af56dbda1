"""Polls of members and of peers: votes are counted at once and told a minute later, and their end is waited for."""

from typing import Final

from medfed.activitypub.here import Here
from medfed.kernel.clock import MINUTE, Millis
from medfed.storage import posts, tasks
from medfed.storage.database import Transaction

CLOSE: Final = "close-poll"
"""The task at the end of a poll: who voted is told, and peers learn the result of ours."""
ANNOUNCE: Final = "announce-poll"
"""The task that tells peers the counts of ours."""


async def counted(tx: Transaction, here: Here, post_id: int) -> None:
    """Somebody has voted in a poll of ours: count, and have peers told of all that came within the minute."""
    await posts.tally(tx, post_id)
    await _later(tx, here, ANNOUNCE, post_id, here.now() + MINUTE)


async def await_end(tx: Transaction, here: Here, post_id: int, closes_at: Millis | None) -> None:
    """Remember to end a poll in which members take part."""
    if closes_at is not None:
        await _later(tx, here, CLOSE, post_id, closes_at)


async def _later(tx: Transaction, here: Here, kind: str, post_id: int, run_at: Millis) -> None:
    await tasks.ask(tx, here, kind, {"post_id": post_id}, once=post_id, at=run_at)
