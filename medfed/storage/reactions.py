"""Likes, bookmarks and pins."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from medfed.domain.emoji import EmojiCount
from medfed.kernel.clock import Millis
from medfed.kernel.paging import Page
from medfed.storage import posts
from medfed.storage.database import Transaction, View
from medfed.storage.paging import Paged
from medfed.storage.statements import sql

_LIKE = sql(
    """
    INSERT INTO reaction (post_id, account_id, uri, at, id, emoji, emoji_id, held)
    VALUES (:post_id, :account_id, :uri, :at, :id, :emoji, :emoji_id, :held)
    ON CONFLICT DO NOTHING
    """
)
_UNLIKE = sql(
    """
    DELETE FROM reaction WHERE post_id = :post_id AND account_id = :account_id AND emoji = :emoji RETURNING uri, held
    """
)
_LET_STAND = sql("UPDATE reaction SET held = 0 WHERE post_id = :post_id AND account_id = :account_id AND held = 1")
_OF_MEMBER = sql(
    """
    SELECT r.post_id, r.account_id, r.uri, r.held FROM reaction r JOIN account a ON a.id = r.account_id
    WHERE r.uri = :uri AND a.local = 1
    """
)
_BY_URI = sql("SELECT post_id, emoji FROM reaction WHERE uri = :uri AND account_id = :account_id")
_REACTS = sql("SELECT 1 FROM reaction WHERE post_id = :post_id AND account_id = :account_id LIMIT 1")
_WITH_EMOJI = sql(
    """
    SELECT r.post_id, r.emoji, r.emoji_id, COUNT(*) AS held, MIN(r.id) AS first_id FROM reaction r
    WHERE r.post_id IN :ids[] AND r.emoji <> ''
    GROUP BY r.post_id, r.emoji, r.emoji_id
    ORDER BY held DESC, first_id
    """
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
# Who reacts with several emojis is listed once.
_LIKERS = Paged(
    """
    SELECT r.id, r.account_id FROM reaction r
    WHERE r.post_id = :post_id AND r.held = 0 AND NOT EXISTS (
        SELECT 1 FROM reaction o WHERE o.post_id = r.post_id AND o.account_id = r.account_id AND o.id < r.id
    )
    """,
    "r.id",
)
_BOOSTERS = Paged(
    """
    SELECT b.id, b.account_id FROM post b
    WHERE b.boost_of_id = :post_id AND b.permit NOT IN ('waiting', 'refused')
    """,
    "b.id",
)
_KEEP = sql(
    """
    INSERT INTO bookmark (id, account_id, post_id) VALUES (:id, :account_id, :post_id)
    ON CONFLICT (account_id, post_id) DO NOTHING
    """
)
_LET_GO = sql("DELETE FROM bookmark WHERE account_id = :account_id AND post_id = :post_id")
_PIN = sql("INSERT INTO pin (account_id, post_id, at) VALUES (:account_id, :post_id, :at) ON CONFLICT DO NOTHING")
_UNPIN_ALL = sql("DELETE FROM pin WHERE account_id = :account_id")
_UNPIN = sql("DELETE FROM pin WHERE account_id = :account_id AND post_id = :post_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reacted:
    """What a viewer has done with each of some posts."""

    liked: frozenset[int] = frozenset()
    boosted: frozenset[int] = frozenset()
    kept: frozenset[int] = frozenset()
    pinned: frozenset[int] = frozenset()


async def like(
    tx: Transaction,
    *,
    id_: int,
    post_id: int,
    account_id: int,
    uri: str,
    at: Millis,
    emoji: str = "",
    emoji_id: int | None = None,
    held: bool = False,
) -> bool:
    """Record a like, or a reaction with an emoji; False if it was there. What is `held` does not count yet."""
    added = await tx.run(
        _LIKE,
        post_id=post_id,
        account_id=account_id,
        uri=uri,
        at=at,
        id=id_,
        emoji=emoji,
        emoji_id=emoji_id,
        held=int(held),
    )
    if added and not held:
        await posts.recount_likes(tx, post_id)
    return added > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """A like that is no more: the activity id it had, and whether it was still held."""

    uri: str
    held: bool


async def unlike(tx: Transaction, post_id: int, account_id: int, emoji: str = "") -> Undone | None:
    """Take a like, or a reaction with an emoji, back; None if there was none."""
    row = await tx.one_or_none(_UNLIKE, post_id=post_id, account_id=account_id, emoji=emoji)
    if row is None:
        return None
    await posts.recount_likes(tx, post_id)
    return Undone(uri=row["uri"], held=bool(row["held"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Liked:
    """A member's like."""

    post_id: int
    account_id: int
    uri: str
    held: bool


async def of_member(view: View, uri: str) -> Liked | None:
    """The like of a member that has this activity id."""
    row = await view.one_or_none(_OF_MEMBER, uri=uri)
    return Liked(**{**row, "held": bool(row["held"])}) if row else None


async def let_stand(tx: Transaction, liked: Liked) -> bool:
    """A like that was held counts from now on; False if it did."""
    if not await tx.run(_LET_STAND, post_id=liked.post_id, account_id=liked.account_id):
        return False
    await posts.recount_likes(tx, liked.post_id)
    return True


async def by_uri(view: View, uri: str, account_id: int) -> tuple[int, str] | None:
    """(post id, emoji) of the reaction of an account with this activity id."""
    row = await view.one_or_none(_BY_URI, uri=uri, account_id=account_id)
    return (row["post_id"], row["emoji"]) if row else None


async def reacts(view: View, post_id: int, account_id: int) -> bool:
    """Whether an account likes a post, or reacts to it in any other way."""
    return await view.value(_REACTS, post_id=post_id, account_id=account_id) is not None


async def with_emoji(view: View, ids: Iterable[int]) -> dict[int, list[EmojiCount]]:
    """With which emojis was reacted to posts, and how often, most frequent first."""
    wanted = list(set(ids))
    found: dict[int, list[EmojiCount]] = {}
    if wanted:
        for row in await view.all(_WITH_EMOJI, ids=wanted):
            reacted = EmojiCount(emoji=row["emoji"], emoji_id=row["emoji_id"], count=row["held"])
            found.setdefault(row["post_id"], []).append(reacted)
    return found


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


async def pin(tx: Transaction, account_id: int, post_id: int, at: Millis) -> bool:
    """Pin a post to its author's profile; False if it was."""
    return await tx.run(_PIN, account_id=account_id, post_id=post_id, at=at) > 0


async def replace_pins(tx: Transaction, account_id: int, post_ids: Sequence[int], at: Millis) -> None:
    """Pin these posts, the first on top, and no others."""
    await tx.run(_UNPIN_ALL, account_id=account_id)
    for place, post_id in enumerate(post_ids):
        await tx.run(_PIN, account_id=account_id, post_id=post_id, at=at - place)


async def unpin(tx: Transaction, account_id: int, post_id: int) -> bool:
    """Unpin a post; False if it was not pinned."""
    return await tx.run(_UNPIN, account_id=account_id, post_id=post_id) > 0
