"""Which posts quote which, and whether the quoted authors agree."""

from collections.abc import Iterable

from medfed.domain.posts import Post, Quote, QuoteState
from medfed.kernel.paging import Page
from medfed.storage.database import Transaction, View
from medfed.storage.paging import Paged
from medfed.storage.posts import COLUMNS, row_to_post
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
    RETURNING post_id
    """
)
_COUNT = sql(
    """
    SELECT q.quoted_id, COUNT(*) AS quotes FROM quote q JOIN post p ON p.id = q.post_id
    WHERE q.quoted_id IN :ids[] AND q.state = 'accepted' AND p.visibility IN ('public', 'unlisted')
    GROUP BY q.quoted_id
    """
)
_QUOTING = Paged(
    f"""
    SELECT {COLUMNS} FROM quote q JOIN post p ON p.id = q.post_id
    WHERE q.quoted_id = :quoted_id AND q.state = 'accepted'
    """,
    "q.post_id",
)
_BY_MEMBERS = sql(
    """
    SELECT q.post_id, p.account_id FROM quote q JOIN post p ON p.id = q.post_id
    WHERE q.quoted_id = :quoted_id AND q.state = 'accepted' AND p.local = 1
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


async def revoke(tx: Transaction, stamp_uri: str, account_id: int) -> int | None:
    """The author of the quoted post no longer agrees; the post that quoted it, or None when this was no stamp of
    theirs.
    """
    row = await tx.one_or_none(_REVOKE, uri=stamp_uri, account_id=account_id)
    return int(row["post_id"]) if row else None


async def count(view: View, ids: Iterable[int]) -> dict[int, int]:
    """How often each of `ids` is quoted, with consent, for everybody to see."""
    wanted = list(set(ids))
    if not wanted:
        return {}
    return {row["quoted_id"]: row["quotes"] for row in await view.all(_COUNT, ids=wanted)}


async def quoting(view: View, quoted_id: int, page: Page) -> list[Post]:
    """The posts that quote one with consent, newest first, whoever may read them."""
    return [row_to_post(row) for row in await _QUOTING.rows(view, page, quoted_id=quoted_id)]


async def by_members(view: View, quoted_id: int) -> list[tuple[int, int]]:
    """(post, its author) for the posts of members that quote one with consent."""
    return [(row["post_id"], row["account_id"]) for row in await view.all(_BY_MEMBERS, quoted_id=quoted_id)]
