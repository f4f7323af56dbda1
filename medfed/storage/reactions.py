"""Likes, bookmarks and pins."""

from collections.abc import Iterable
from dataclasses import dataclass

from medfed.kernel.clock import Millis
from medfed.kernel.paging import Page
from medfed.storage.database import Transaction, View
from medfed.storage.paging import Paged
from medfed.storage.statements import sql

_LIKE = sql(
    """
    INSERT INTO reaction (post_id, account_id, uri, at, id) VALUES (:post_id, :account_id, :uri, :at, :id)
    ON CONFLICT DO NOTHING
    """
)
_UNLIKE = sql("DELETE FROM reaction WHERE post_id = :post_id AND account_id = :account_id RETURNING uri")
_COUNT_LIKES = sql(
    "UPDATE post SET likes_count = (SELECT COUNT(*) FROM reaction r WHERE r.post_id = post.id) WHERE id = :id"
)
_OF_VIEWER = sql(
    """
    SELECT 'liked' AS deed, post_id AS id FROM reaction WHERE account_id = :account_id AND post_id IN :ids[]
    UNION ALL
    SELECT 'boosted', boost_of_id FROM post WHERE account_id = :account_id AND boost_of_id IN :ids[]
    UNION ALL
    SELECT 'kept', post_id FROM bookmark WHERE account_id = :account_id AND post_id IN :ids[]
    UNION ALL
    SELECT 'pinned', post_id FROM pin WHERE account_id = :account_id AND post_id IN :ids[]
    """
)
_LIKERS = Paged("SELECT r.id, r.account_id FROM reaction r WHERE r.post_id = :post_id", "r.id")
_BOOSTERS = Paged("SELECT b.id, b.account_id FROM post b WHERE b.boost_of_id = :post_id", "b.id")
_KEEP = sql(
    """
    INSERT INTO bookmark (id, account_id, post_id) VALUES (:id, :account_id, :post_id)
    ON CONFLICT (account_id, post_id) DO NOTHING
    """
)
_LET_GO = sql("DELETE FROM bookmark WHERE account_id = :account_id AND post_id = :post_id")
_PIN = sql("INSERT INTO pin (account_id, post_id, at) VALUES (:account_id, :post_id, :at) ON CONFLICT DO NOTHING")
_UNPIN = sql("DELETE FROM pin WHERE account_id = :account_id AND post_id = :post_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reacted:
    """What a viewer has done with each of some posts."""

    liked: frozenset[int] = frozenset()
    boosted: frozenset[int] = frozenset()
    kept: frozenset[int] = frozenset()
    pinned: frozenset[int] = frozenset()


async def like(tx: Transaction, *, id_: int, post_id: int, account_id: int, uri: str, at: Millis) -> bool:
    """Record a like; False if it was there."""
    added = await tx.run(_LIKE, post_id=post_id, account_id=account_id, uri=uri, at=at, id=id_)
    if added:
        await tx.run(_COUNT_LIKES, id=post_id)
    return added > 0


async def unlike(tx: Transaction, post_id: int, account_id: int) -> str | None:
    """Take a like back; the activity id it had, or None."""
    row = await tx.one_or_none(_UNLIKE, post_id=post_id, account_id=account_id)
    if row is None:
        return None
    await tx.run(_COUNT_LIKES, id=post_id)
    return str(row["uri"])


async def of_viewer(view: View, account_id: int, ids: Iterable[int]) -> Reacted:
    """What the viewer has liked, boosted, kept and pinned among `ids`."""
    wanted = list(set(ids))
    if not wanted:
        return Reacted()
    done: dict[str, set[int]] = {}
    for row in await view.all(_OF_VIEWER, account_id=account_id, ids=wanted):
        done.setdefault(row["deed"], set()).add(row["id"])
    return Reacted(**{deed: frozenset(ids) for deed, ids in done.items()})


async def likers(view: View, post_id: int, page: Page) -> list[tuple[int, int]]:
    """(reaction id, account id) of those who liked a post, newest first."""
    return [(row["id"], row["account_id"]) for row in await _LIKERS.rows(view, page, post_id=post_id)]


async def boosters(view: View, post_id: int, page: Page) -> list[tuple[int, int]]:
    """(boost id, account id) of those who boosted a post, newest first."""
    return [(row["id"], row["account_id"]) for row in await _BOOSTERS.rows(view, page, post_id=post_id)]


async def keep(tx: Transaction, *, id_: int, account_id: int, post_id: int) -> None:
    """Bookmark a post."""
    await tx.run(_KEEP, id=id_, account_id=account_id, post_id=post_id)


async def let_go(tx: Transaction, account_id: int, post_id: int) -> None:
    """Remove a bookmark."""
    await tx.run(_LET_GO, account_id=account_id, post_id=post_id)


async def pin(tx: Transaction, account_id: int, post_id: int, at: Millis) -> None:
    """Pin a post to its author's profile."""
    await tx.run(_PIN, account_id=account_id, post_id=post_id, at=at)


async def unpin(tx: Transaction, account_id: int, post_id: int) -> None:
    """Unpin a post."""
    await tx.run(_UNPIN, account_id=account_id, post_id=post_id)
