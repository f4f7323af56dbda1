"""Groups: which are ours, who moderates them, and what a group has passed on."""

from collections.abc import Iterable
from dataclasses import asdict

from medfed.domain.accounts import Account
from medfed.domain.groups import Group
from medfed.kernel.clock import Millis
from medfed.storage import accounts
from medfed.storage.database import Row, Transaction, View
from medfed.storage.statements import sql

_COLUMNS = "c.account_id, c.closed, c.moderated, c.title, c.about, c.created_at"

_ADD = sql(
    """
    INSERT INTO community (account_id, closed, moderated, title, about, created_at)
    VALUES (:account_id, :closed, :moderated, :title, :about, :created_at)
    """
)
_FIND = sql(f"SELECT {_COLUMNS} FROM community c WHERE c.account_id = :account_id")
_AMONG = sql(f"SELECT {_COLUMNS} FROM community c WHERE c.account_id IN :ids[]")
_EVERY = sql(f"SELECT {_COLUMNS} FROM community c ORDER BY c.account_id LIMIT :limit")
_ADD_MODERATOR = sql(
    """
    INSERT INTO community_moderator (community_id, account_id, since) VALUES (:community_id, :account_id, :since)
    ON CONFLICT DO NOTHING
    """
)
_DROP_MODERATOR = sql("DELETE FROM community_moderator WHERE community_id = :community_id AND account_id = :account_id")
_MODERATORS = sql(
    "SELECT account_id FROM community_moderator WHERE community_id = :community_id ORDER BY since, account_id"
)
_MODERATES = sql("SELECT 1 FROM community_moderator WHERE community_id = :community_id AND account_id = :account_id")
_PASSED_ON = sql(
    """
    INSERT INTO community_post (post_id, community_id, at) VALUES (:post_id, :community_id, :at)
    ON CONFLICT DO NOTHING
    """
)
_TAKEN_OUT = sql("DELETE FROM community_post WHERE post_id = :post_id AND community_id = :community_id")
_OF_POST = sql("SELECT community_id FROM community_post WHERE post_id = :post_id")
_OURS_OF_POST = sql(
    f"""
    SELECT {_COLUMNS} FROM community_post cp JOIN community c ON c.account_id = cp.community_id
    WHERE cp.post_id = :post_id
    """
)


_READABLE_BY = sql(
    """
    SELECT cp.post_id FROM community_post cp
    JOIN post p ON p.id = cp.post_id
    JOIN account a ON a.id = cp.community_id AND a.uri = p.audience_uri
    JOIN follow f ON f.follower_id = :account_id AND f.target_id = a.id AND f.state = 'accepted'
    WHERE cp.post_id IN :ids[]
    """
)
_READABLE_ON = sql(
    """
    SELECT cp.post_id FROM community_post cp
    JOIN post p ON p.id = cp.post_id
    JOIN account a ON a.id = cp.community_id AND a.uri = p.audience_uri
    WHERE cp.post_id IN :ids[] AND (a.host = :host OR EXISTS (
        SELECT 1 FROM follow f JOIN account m ON m.id = f.follower_id
        WHERE f.target_id = a.id AND f.state = 'accepted' AND m.host = :host))
    """
)
_MEMBER_ON = sql(
    """
    SELECT 1 FROM follow f JOIN account m ON m.id = f.follower_id
    WHERE f.target_id = :account_id AND f.state = 'accepted' AND m.host = :host
    LIMIT 1
    """
)
_CLOSED_AMONG = sql(
    """
    SELECT a.id FROM account a
    WHERE a.id IN :ids[] AND a.kind = 'Group' AND a.locked = 1 AND NOT EXISTS (
        SELECT 1 FROM follow f WHERE f.follower_id = :viewer_id AND f.target_id = a.id AND f.state = 'accepted')
    """
)


async def add(tx: Transaction, group: Group) -> None:
    """Store a new group, beside its account."""
    tx.wake(accounts.CHANGED)
    await tx.run(_ADD, **(asdict(group) | {"closed": int(group.closed), "moderated": int(group.moderated)}))


async def find(view: View, account_id: int) -> Group | None:
    """The group whose account this is, if it is one of ours."""
    row = await view.one_or_none(_FIND, account_id=account_id)
    return _group(row) if row else None


async def of_account(view: View, account: Account) -> Group | None:
    """The group that an account is, if it is one of ours; of others nothing is asked."""
    return await find(view, account.id) if account.kind == "Group" else None


async def among(view: View, ids: Iterable[int]) -> list[Group]:
    """The groups of ours among these accounts."""
    wanted = list(set(ids))
    return [_group(row) for row in await view.all(_AMONG, ids=wanted)] if wanted else []


async def every(view: View, *, limit: int = 500) -> list[Group]:
    """The groups of ours, oldest first."""
    return [_group(row) for row in await view.all(_EVERY, limit=limit)]


async def add_moderator(tx: Transaction, group_id: int, account_id: int, at: Millis) -> None:
    """From now on, an account moderates a group."""
    await tx.run(_ADD_MODERATOR, community_id=group_id, account_id=account_id, since=at)


async def drop_moderator(tx: Transaction, group_id: int, account_id: int) -> bool:
    """An account no longer moderates a group; False if it did not."""
    return await tx.run(_DROP_MODERATOR, community_id=group_id, account_id=account_id) > 0


async def moderators(view: View, group_id: int) -> list[int]:
    """Accounts that moderate a group, longest first."""
    return [row["account_id"] for row in await view.all(_MODERATORS, community_id=group_id)]


async def moderates(view: View, group_id: int, account_id: int) -> bool:
    """Whether an account moderates a group."""
    return await view.value(_MODERATES, community_id=group_id, account_id=account_id) is not None


async def passed_on(tx: Transaction, group_id: int, post_id: int, at: Millis) -> None:
    """A group, ours or a peer's, has passed a post on."""
    await tx.run(_PASSED_ON, post_id=post_id, community_id=group_id, at=at)


async def taken_out(tx: Transaction, group_id: int, post_id: int) -> bool:
    """A group no longer has a post; False if it had not."""
    return await tx.run(_TAKEN_OUT, post_id=post_id, community_id=group_id) > 0


async def of_post(view: View, post_id: int) -> list[int]:
    """Accounts of the groups, ours and peers', that have passed a post on."""
    return [row["community_id"] for row in await view.all(_OF_POST, post_id=post_id)]


async def readable_by(view: View, account_id: int, ids: Iterable[int]) -> set[int]:
    """Those of `ids`, posts in closed groups, that an account may read: as a member of the group that has them."""
    wanted = list(set(ids))
    if not wanted:
        return set()
    return {row["post_id"] for row in await view.all(_READABLE_BY, account_id=account_id, ids=wanted)}


async def readable_on(view: View, host: str, ids: Iterable[int]) -> set[int]:
    """Those of `ids`, posts in closed groups, that a peer may have: the group's own, or one with a member of it."""
    wanted = list(set(ids))
    if not wanted:
        return set()
    return {row["post_id"] for row in await view.all(_READABLE_ON, host=host, ids=wanted)}


async def has_member_on(view: View, account_id: int, host: str) -> bool:
    """Whether a group has a member on a peer."""
    return await view.value(_MEMBER_ON, account_id=account_id, host=host) is not None


async def without_closed(view: View, ids: Iterable[int], *, but_of: int) -> set[int]:
    """Those of `ids` that are no closed groups, ours or peers', but for those that `but_of` is a member of."""
    wanted = list(set(ids))
    if not wanted:
        return set()
    closed = {row["id"] for row in await view.all(_CLOSED_AMONG, viewer_id=but_of, ids=wanted)}
    return set(wanted) - closed


async def ours_of_post(view: View, post_id: int) -> list[Group]:
    """The groups of ours that have passed a post on."""
    return [_group(row) for row in await view.all(_OURS_OF_POST, post_id=post_id)]


def _group(row: Row) -> Group:
    return Group(**(dict(row) | {"closed": bool(row["closed"]), "moderated": bool(row["moderated"])}))
