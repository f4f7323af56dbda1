"""Takes down that a peer's post says it quotes another, so that the other's author is asked whether they agree."""

from typing import Final

from medfed.activitypub.here import Here
from medfed.activitypub.wire import PeerPost
from medfed.storage import quotes, tasks
from medfed.storage.database import Transaction
from medfed.verification.work import WAKE

TASK: Final = "quote.check"


async def claim(tx: Transaction, here: Here, post_id: int, said: PeerPost) -> None:
    """Have it looked at whether a stored post may show what it says it quotes; again when it names another stamp."""
    if not said.quote:
        return
    known = (await quotes.of_posts(tx, [post_id])).get(post_id)
    if known is not None and (known.state == "accepted" or known.quoted_uri != said.quote):
        return
    await quotes.add(tx, post_id, said.quote)
    await tasks.enqueue(
        tx,
        id_=here.ids.new(),
        kind=TASK,
        payload={"post_id": post_id, "stamp_uri": said.quote_stamp},
        run_at=here.now(),
        once=f"{TASK}/{post_id}",
    )
    tx.wake(WAKE)
