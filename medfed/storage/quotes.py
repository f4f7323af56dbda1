"""Which posts quote which, and whether the quoted authors agree."""

from collections.abc import Iterable

from medfed.domain.posts import Quote, QuoteState
from medfed.storage.database import Transaction, View
from medfed.storage.statements import sql

_ADD = sql(
    """
    INSERT INTO quote (post_id, quoted_uri, quoted_id, stamp_uri, state)
    VALUES (:post_id, :quoted_uri, NULL, '', 'pending')
    ON CONFLICT (post_id) DO NOTHING
    """
)
_OF_POSTS = sql(
    "SELECT q.post_id, q.quoted_uri, q.quoted_id, q.stamp_uri, q.state FROM quote q WHERE q.post_id IN :ids[]"
)
_SETTLE = sql(
    "UPDATE quote SET quoted_id = :quoted_id, stamp_uri = :stamp_uri, state = :state WHERE post_id = :post_id"
)
_REVOKE = sql(
    """
    UPDATE quote SET state = 'revoked'
    WHERE stamp_uri = :uri AND stamp_uri <> '' AND state = 'accepted'
      AND quoted_id IN (SELECT p.id FROM post p WHERE p.account_id = :account_id)
    """
)


async def add(tx: Transaction, post_id: int, quoted_uri: str) -> None:
    """A post says that it quotes another; nobody has agreed yet. What it quotes does not change later."""
    await tx.run(_ADD, post_id=post_id, quoted_uri=quoted_uri)


async def of_posts(view: View, ids: Iterable[int]) -> dict[int, Quote]:
    """What posts quote, whatever has become of it; those that quote nothing are left out."""
    wanted = list(set(ids))
    if not wanted:
        return {}
    return {row["post_id"]: Quote(**dict(row)) for row in await view.all(_OF_POSTS, ids=wanted)}


async def settle(tx: Transaction, post_id: int, *, quoted_id: int, state: QuoteState, stamp_uri: str = "") -> None:
    """What came of asking whether a quote was agreed to."""
    await tx.run(_SETTLE, post_id=post_id, quoted_id=quoted_id, stamp_uri=stamp_uri, state=state)


async def revoke(tx: Transaction, stamp_uri: str, account_id: int) -> bool:
    """The author of the quoted post no longer agrees; False when this was no stamp of theirs."""
    return await tx.run(_REVOKE, uri=stamp_uri, account_id=account_id) > 0
