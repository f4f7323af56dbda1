"""Follows, blocks and mutes."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Final

from medfed.domain.relations import Follow, Relationship
from medfed.kernel.clock import Millis
from medfed.kernel.paging import Page
from medfed.storage.database import Row, Transaction, View
from medfed.storage.paging import Paged
from medfed.storage.statements import sql

CHANGED: Final = "follows"
"""The channel that tells every process that somebody follows, or no longer does."""

_COLUMNS: Final = "f.id, f.uri, f.follower_id, f.target_id, f.state, f.boosts, f.notify, f.created_at"

_FIND = sql(f"SELECT {_COLUMNS} FROM follow f WHERE f.follower_id = :follower_id AND f.target_id = :target_id")
_BY_URI = sql(f"SELECT {_COLUMNS} FROM follow f WHERE f.uri = :uri")
_PUT = sql(
    """
    INSERT INTO follow (id, uri, follower_id, target_id, state, boosts, notify, created_at)
    VALUES (:id, :uri, :follower_id, :target_id, :state, :boosts, :notify, :created_at)
    ON CONFLICT (follower_id, target_id) DO UPDATE SET
        uri = excluded.uri, boosts = excluded.boosts, notify = excluded.notify,
        state = CASE WHEN follow.state = 'accepted' THEN 'accepted' ELSE excluded.state END
    """
)
_ACCEPT = sql(
    """
    UPDATE follow SET state = 'accepted'
    WHERE follower_id = :follower_id AND target_id = :target_id AND state = 'pending'
    """
)
_DELETE = sql("DELETE FROM follow WHERE follower_id = :follower_id AND target_id = :target_id")
_FOLLOWERS = Paged(
    "SELECT f.id, f.follower_id AS account_id FROM follow f WHERE f.target_id = :id AND f.state = :state",
    "f.id",
)
_FOLLOWING = Paged(
    "SELECT f.id, f.target_id AS account_id FROM follow f WHERE f.follower_id = :id AND f.state = 'accepted'",
    "f.id",
)
_DELETE_ALL_OF = sql("DELETE FROM follow WHERE follower_id = :id OR target_id = :id RETURNING follower_id, target_id")
_COUNT_PENDING = sql("SELECT COUNT(*) FROM follow WHERE target_id = :id AND state = 'pending'")
_COUNT_FOLLOWERS = sql("SELECT COUNT(*) FROM follow WHERE target_id = :id AND state = 'accepted'")
_LOCAL_FOLLOWERS = sql(
    """
    SELECT f.follower_id FROM follow f JOIN account a ON a.id = f.follower_id
    WHERE f.target_id = :id AND f.state = 'accepted' AND a.local = 1
    """
)
_FOLLOWERS_HERE = sql(
    """
    SELECT f.id, a.uri FROM follow f JOIN account a ON a.id = f.follower_id
    WHERE f.target_id = :id AND f.state = 'accepted' AND a.local = 1
    """
)
_FOLLOWERS_ON = sql(
    """
    SELECT a.uri FROM follow f JOIN account a ON a.id = f.follower_id
    WHERE f.target_id = :id AND f.state = 'accepted' AND a.local = 0 AND a.host = :host
    ORDER BY f.id
    """
)
_FOLLOWERS_BY_HOST = sql(
    """
    SELECT a.host, a.uri FROM follow f JOIN account a ON a.id = f.follower_id
    WHERE f.target_id = :id AND f.state = 'accepted' AND a.local = 0
    ORDER BY a.host
    """
)
_HAS_LOCAL_FOLLOWER = sql(
    """
    SELECT 1 FROM follow f JOIN account a ON a.id = f.follower_id
    WHERE f.target_id = :id AND a.local = 1 AND f.state = 'accepted'
    LIMIT 1
    """
)
_LOCAL_BLOCKERS = sql(
    "SELECT b.account_id FROM block b JOIN account a ON a.id = b.account_id WHERE b.target_id = :id AND a.local = 1"
)
_MUTES_OF = sql(
    """
    SELECT m.account_id, m.notifications, m.expires_at FROM mute m
    WHERE m.target_id = :id AND (m.expires_at IS NULL OR m.expires_at > :now)
    """
)
_FOLLOWS_AMONG = sql(
    "SELECT target_id FROM follow WHERE follower_id = :id AND state = 'accepted' AND target_id IN :ids[]"
)
_FAMILIAR = sql(
    """
    SELECT f.target_id, f.follower_id FROM follow f
    JOIN follow mine ON mine.target_id = f.follower_id AND mine.follower_id = :id AND mine.state = 'accepted'
    WHERE f.target_id IN :ids[] AND f.state = 'accepted'
    ORDER BY f.id DESC LIMIT :limit
    """
)
_BETWEEN = sql(
    """
    SELECT f.follower_id, f.target_id, f.state, f.boosts, f.notify FROM follow f
    WHERE (f.follower_id = :id AND f.target_id IN :ids[]) OR (f.target_id = :id AND f.follower_id IN :ids[])
    """
)
_BLOCKS_BETWEEN = sql(
    """
    SELECT account_id, target_id FROM block
    WHERE (account_id = :id AND target_id IN :ids[]) OR (target_id = :id AND account_id IN :ids[])
    """
)
_MUTES_AMONG = sql(
    """
    SELECT target_id, notifications FROM mute
    WHERE account_id = :id AND target_id IN :ids[] AND (expires_at IS NULL OR expires_at > :now)
    """
)
_BLOCK = sql(
    """
    INSERT INTO block (id, uri, account_id, target_id, created_at) VALUES (:id, :uri, :account_id, :target_id, :at)
    ON CONFLICT (account_id, target_id) DO NOTHING
    """
)
_UNBLOCK_BY_URI = sql("DELETE FROM block WHERE account_id = :account_id AND uri = :uri")
_UNBLOCK = sql("DELETE FROM block WHERE account_id = :account_id AND target_id = :target_id RETURNING uri")
_BLOCKED = Paged("SELECT b.id, b.target_id AS account_id FROM block b WHERE b.account_id = :id", "b.id")
_MUTE = sql(
    """
    INSERT INTO mute (id, account_id, target_id, notifications, expires_at, created_at)
    VALUES (:id, :account_id, :target_id, :notifications, :expires_at, :at)
    ON CONFLICT (account_id, target_id) DO UPDATE SET
        notifications = excluded.notifications, expires_at = excluded.expires_at
    """
)
_UNMUTE = sql("DELETE FROM mute WHERE account_id = :account_id AND target_id = :target_id")
_MUTED = Paged(
    """
    SELECT m.id, m.target_id AS account_id FROM mute m
    WHERE m.account_id = :id AND (m.expires_at IS NULL OR m.expires_at > :now)
    """,
    "m.id",
)


async def find(view: View, follower_id: int, target_id: int) -> Follow | None:
    """The follow, accepted or asked for, of one account by another."""
    row = await view.one_or_none(_FIND, follower_id=follower_id, target_id=target_id)
    return _follow(row) if row else None


async def find_by_uri(view: View, uri: str) -> Follow | None:
    """The follow with this activity id."""
    row = await view.one_or_none(_BY_URI, uri=uri)
    return _follow(row) if row else None


async def put(tx: Transaction, follow: Follow) -> None:
    """Store a follow; one that was accepted stays accepted."""
    tx.wake(CHANGED)
    await tx.run(_PUT, **(asdict(follow) | {"boosts": int(follow.boosts), "notify": int(follow.notify)}))


async def accept(tx: Transaction, follower_id: int, target_id: int) -> bool:
    """Turn a request into a follow; False if there was none."""
    tx.wake(CHANGED)
    return await tx.run(_ACCEPT, follower_id=follower_id, target_id=target_id) > 0


async def delete(tx: Transaction, follower_id: int, target_id: int) -> bool:
    """End a follow or withdraw a request; False if there was none."""
    tx.wake(CHANGED)
    return await tx.run(_DELETE, follower_id=follower_id, target_id=target_id) > 0


async def delete_all_of(tx: Transaction, id_: int) -> list[int]:
    """End every follow by and of an account; the ids of the others."""
    tx.wake(CHANGED)
    ended = await tx.all(_DELETE_ALL_OF, id=id_)
    return [row["target_id"] if row["follower_id"] == id_ else row["follower_id"] for row in ended]


async def followers(view: View, id_: int, page: Page) -> list[tuple[int, int]]:
    """(follow id, account id) of accepted followers, newest first."""
    rows = await _FOLLOWERS.rows(view, page, id=id_, state="accepted")
    return [(row["id"], row["account_id"]) for row in rows]


async def requests(view: View, id_: int, page: Page) -> list[tuple[int, int]]:
    """(follow id, account id) of those who ask to follow, newest first."""
    rows = await _FOLLOWERS.rows(view, page, id=id_, state="pending")
    return [(row["id"], row["account_id"]) for row in rows]


async def following(view: View, id_: int, page: Page) -> list[tuple[int, int]]:
    """(follow id, account id) of those followed, newest first."""
    rows = await _FOLLOWING.rows(view, page, id=id_)
    return [(row["id"], row["account_id"]) for row in rows]


async def count_followers(view: View, id_: int) -> int:
    """How many follow; of a closed group, its account does not say it."""
    return int(await view.value(_COUNT_FOLLOWERS, id=id_) or 0)


async def count_requests(view: View, id_: int) -> int:
    """How many ask to follow."""
    return int(await view.value(_COUNT_PENDING, id=id_) or 0)


async def local_followers(view: View, id_: int) -> list[int]:
    """Members who follow an account."""
    return [row["follower_id"] for row in await view.all(_LOCAL_FOLLOWERS, id=id_)]


async def local_blockers(view: View, id_: int) -> list[int]:
    """Members who block an account."""
    return [row["account_id"] for row in await view.all(_LOCAL_BLOCKERS, id=id_)]


async def mutes_of(view: View, id_: int, now: Millis) -> list[tuple[int, bool, Millis | None]]:
    """(member, whether its notifications too, until when) for who mutes an account."""
    rows = await view.all(_MUTES_OF, id=id_, now=now)
    return [(row["account_id"], bool(row["notifications"]), row["expires_at"]) for row in rows]


async def followers_here(view: View, id_: int) -> list[tuple[int, str]]:
    """(follow id, actor id) of the members who follow an account, accepted."""
    return [(row["id"], row["uri"]) for row in await view.all(_FOLLOWERS_HERE, id=id_)]


async def followers_on(view: View, id_: int, host: str) -> list[str]:
    """Actor ids of an account's followers on one other host, accepted, longest first; every one of them."""
    return [row["uri"] for row in await view.all(_FOLLOWERS_ON, id=id_, host=host)]


async def followers_by_host(view: View, id_: int) -> list[tuple[str, str]]:
    """(host, actor id) of an account's followers on other hosts, accepted, host by host."""
    return [(row["host"], row["uri"]) for row in await view.all(_FOLLOWERS_BY_HOST, id=id_)]


async def has_local_follower(view: View, id_: int) -> bool:
    """Whether any member follows the account."""
    return await view.value(_HAS_LOCAL_FOLLOWER, id=id_) is not None


async def followed_among(view: View, id_: int, ids: Iterable[int]) -> set[int]:
    """Those of `ids` that the account follows, accepted."""
    wanted = list(set(ids))
    if not wanted:
        return set()
    return {row["target_id"] for row in await view.all(_FOLLOWS_AMONG, id=id_, ids=wanted)}


async def ties(view: View, id_: int, ids: Iterable[int]) -> tuple[set[int], set[int]]:
    """(those of `ids` that the account follows, those that follow it), accepted."""
    wanted = list(set(ids))
    if not wanted:
        return set(), set()
    rows = [row for row in await view.all(_BETWEEN, id=id_, ids=wanted) if row["state"] == "accepted"]
    follows = {row["target_id"] for row in rows if row["follower_id"] == id_}
    return follows, {row["follower_id"] for row in rows if row["target_id"] == id_}


async def familiar_followers(view: View, id_: int, ids: Iterable[int], *, limit: int = 200) -> dict[int, list[int]]:
    """Who among those that the account follows follows each of `ids`, too."""
    wanted = list(set(ids))
    found: dict[int, list[int]] = {}
    if wanted:
        for row in await view.all(_FAMILIAR, id=id_, ids=wanted, limit=limit):
            found.setdefault(row["target_id"], []).append(row["follower_id"])
    return found


async def blocks_between(view: View, id_: int, ids: Iterable[int]) -> tuple[set[int], set[int]]:
    """(those of `ids` that the account blocks, those that block it)."""
    wanted = list(set(ids))
    if not wanted:
        return set(), set()
    rows = await view.all(_BLOCKS_BETWEEN, id=id_, ids=wanted)
    blocking = {row["target_id"] for row in rows if row["account_id"] == id_}
    blocked_by = {row["account_id"] for row in rows if row["target_id"] == id_}
    return blocking, blocked_by


async def muted_among(view: View, id_: int, ids: Iterable[int], now: Millis) -> dict[int, bool]:
    """Those of `ids` that the account mutes, and whether their notifications too."""
    wanted = list(set(ids))
    if not wanted:
        return {}
    rows = await view.all(_MUTES_AMONG, id=id_, ids=wanted, now=now)
    return {row["target_id"]: bool(row["notifications"]) for row in rows}


async def relationships(view: View, id_: int, ids: Iterable[int], now: Millis) -> list[Relationship]:
    """What there is between an account and each of `ids`, in their order."""
    wanted = list(dict.fromkeys(ids))
    if not wanted:
        return []
    outgoing: dict[int, Row] = {}
    incoming: dict[int, Row] = {}
    for row in await view.all(_BETWEEN, id=id_, ids=wanted):
        if row["follower_id"] == id_:
            outgoing[row["target_id"]] = row
        else:
            incoming[row["follower_id"]] = row
    blocking, blocked_by = await blocks_between(view, id_, wanted)
    muted = await muted_among(view, id_, wanted, now)
    return [
        Relationship(
            account_id=other,
            following=other in outgoing and outgoing[other]["state"] == "accepted",
            requested=other in outgoing and outgoing[other]["state"] == "pending",
            followed_by=other in incoming and incoming[other]["state"] == "accepted",
            requested_by=other in incoming and incoming[other]["state"] == "pending",
            blocking=other in blocking,
            blocked_by=other in blocked_by,
            muting=other in muted,
            muting_notifications=muted.get(other, False),
            showing_boosts=other in outgoing and bool(outgoing[other]["boosts"]),
            notifying=other in outgoing and bool(outgoing[other]["notify"]),
        )
        for other in wanted
    ]


async def block(tx: Transaction, *, id_: int, uri: str, account_id: int, target_id: int, at: Millis) -> None:
    """Record that one account blocks another."""
    await tx.run(_BLOCK, id=id_, uri=uri, account_id=account_id, target_id=target_id, at=at)


async def unblock(tx: Transaction, account_id: int, target_id: int) -> str | None:
    """End a block; the URI it had, or None."""
    row = await tx.one_or_none(_UNBLOCK, account_id=account_id, target_id=target_id)
    return row["uri"] if row else None


async def unblock_by_uri(tx: Transaction, account_id: int, uri: str) -> bool:
    """End the account's block of this URI; False if there was none."""
    return await tx.run(_UNBLOCK_BY_URI, account_id=account_id, uri=uri) > 0


async def blocked(view: View, id_: int, page: Page) -> list[tuple[int, int]]:
    """(block id, account id) of those blocked, newest first."""
    rows = await _BLOCKED.rows(view, page, id=id_)
    return [(row["id"], row["account_id"]) for row in rows]


async def mute(
    tx: Transaction,
    *,
    id_: int,
    account_id: int,
    target_id: int,
    notifications: bool,
    expires_at: Millis | None,
    at: Millis,
) -> None:
    """Record that one account mutes another."""
    await tx.run(
        _MUTE,
        id=id_,
        account_id=account_id,
        target_id=target_id,
        notifications=int(notifications),
        expires_at=expires_at,
        at=at,
    )


async def unmute(tx: Transaction, account_id: int, target_id: int) -> None:
    """End a mute."""
    await tx.run(_UNMUTE, account_id=account_id, target_id=target_id)


async def muted(view: View, id_: int, page: Page, *, now: Millis) -> list[tuple[int, int]]:
    """(mute id, account id) of those muted, newest first."""
    rows = await _MUTED.rows(view, page, id=id_, now=now)
    return [(row["id"], row["account_id"]) for row in rows]


def _follow(row: Row) -> Follow:
    values = dict(row)
    return Follow(**(values | {"boosts": bool(values["boosts"]), "notify": bool(values["notify"])}))
