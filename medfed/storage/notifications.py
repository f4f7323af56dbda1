"""Notifications and read markers."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any, Final

from medfed.domain.notifications import Notification, NotificationGroup
from medfed.kernel.clock import Millis
from medfed.kernel.paging import Page
from medfed.storage.database import Transaction, View
from medfed.storage.paging import Paged
from medfed.storage.statements import sql

_COLUMNS: Final = "n.id, n.account_id, n.kind, n.from_id, n.post_id, n.group_id, n.created_at"

_PAGE = Paged(
    f"""
    SELECT {_COLUMNS} FROM notification n
    WHERE n.account_id = :account_id AND n.kind IN :kinds[text]
      AND (CAST(:from_id AS BIGINT) = 0 OR n.from_id = :from_id)
      AND EXISTS (SELECT 1 FROM account a WHERE a.id = n.from_id AND a.suspended_at IS NULL)
    """,
    "n.id",
)
_HEADS: Final = """
    FROM notification n
    WHERE n.account_id = :account_id AND n.kind IN :kinds[text]
      AND (CAST(:from_id AS BIGINT) = 0 OR n.from_id = :from_id)
      AND EXISTS (SELECT 1 FROM account a WHERE a.id = n.from_id AND a.suspended_at IS NULL)
      AND (n.kind NOT IN :grouped[text] OR n.post_id IS NULL OR NOT EXISTS (
        SELECT 1 FROM notification m JOIN account b ON b.id = m.from_id
        WHERE m.post_id = n.post_id AND m.account_id = n.account_id AND m.kind = n.kind AND m.id > n.id
          AND (CAST(:from_id AS BIGINT) = 0 OR m.from_id = :from_id) AND b.suspended_at IS NULL
      ))
"""
"""The newest of each group: asking each row for a newer one, a page reads little more than it shows."""
_GROUPS = Paged(f"SELECT {_COLUMNS} {_HEADS}", "n.id")
_COUNT_GROUPS_AFTER = sql(f"SELECT COUNT(*) {_HEADS} AND n.id > :after")
_MEMBERS = sql(
    f"""
    SELECT r.head_id, r.members, r.id, r.account_id, r.kind, r.from_id, r.post_id, r.group_id, r.created_at FROM (
        SELECT h.id AS head_id, {_COLUMNS},
               ROW_NUMBER() OVER (PARTITION BY h.id ORDER BY n.id DESC) AS place,
               COUNT(*) OVER (PARTITION BY h.id) AS members
        FROM notification h
        JOIN notification n ON n.post_id = h.post_id AND n.account_id = h.account_id AND n.kind = h.kind
        JOIN account a ON a.id = n.from_id
        WHERE h.id IN :ids[] AND a.suspended_at IS NULL AND (CAST(:from_id AS BIGINT) = 0 OR n.from_id = :from_id)
    ) r
    WHERE r.place <= :sample ORDER BY r.id DESC
    """
)
_FIND = sql(f"SELECT {_COLUMNS} FROM notification n WHERE n.id = :id AND n.account_id = :account_id")
_ADD = sql(
    """
    INSERT INTO notification (id, account_id, kind, from_id, post_id, group_id, created_at)
    VALUES (:id, :account_id, :kind, :from_id, :post_id, :group_id, :created_at)
    """
)
_SAME = sql(
    """
    SELECT 1 FROM notification
    WHERE account_id = :account_id AND kind = :kind AND from_id = :from_id
      AND ((post_id IS NULL AND CAST(:post_id AS BIGINT) = 0) OR post_id = :post_id)
      AND COALESCE(group_id, 0) = :group_id
    LIMIT 1
    """
)
_OF_GROUP = sql(
    f"""
    SELECT {_COLUMNS} FROM notification n
    WHERE n.account_id = :account_id AND n.kind = :kind AND n.post_id = :post_id ORDER BY n.id DESC LIMIT :limit
    """
)
_COUNT_GROUP = sql(
    """
    SELECT COUNT(*) FROM notification n JOIN account a ON a.id = n.from_id
    WHERE n.account_id = :account_id AND n.kind = :kind AND n.post_id = :post_id AND a.suspended_at IS NULL
    """
)
_DISMISS_GROUP = sql("DELETE FROM notification WHERE account_id = :account_id AND kind = :kind AND post_id = :post_id")
_DISMISS = sql("DELETE FROM notification WHERE id = :id AND account_id = :account_id")
_CLEAR = sql("DELETE FROM notification WHERE account_id = :account_id")
_WITHDRAW = sql(
    """
    DELETE FROM notification
    WHERE account_id = :account_id AND kind = :kind AND from_id = :from_id
      AND ((post_id IS NULL AND CAST(:post_id AS BIGINT) = 0) OR post_id = :post_id)
    """
)
_WITHDRAW_REQUEST = sql("DELETE FROM notification WHERE group_id = :group_id AND from_id = :from_id")
_WITHDRAW_REQUESTS_TO = sql("DELETE FROM notification WHERE group_id = :group_id AND account_id = :account_id")
_FORGET_FROM = sql("DELETE FROM notification WHERE from_id = :from_id")
_COUNT_AFTER = sql("SELECT COUNT(*) FROM notification WHERE account_id = :account_id AND id > :after")
_MARKERS = sql(
    """
    SELECT timeline, last_read, version, updated_at FROM marker
    WHERE account_id = :account_id AND timeline IN :names[text]
    """
)
_MARK = sql(
    """
    INSERT INTO marker (account_id, timeline, last_read, version, updated_at)
    VALUES (:account_id, :timeline, :last_read, 1, :at)
    ON CONFLICT (account_id, timeline) DO UPDATE SET
        last_read = excluded.last_read, version = marker.version + 1, updated_at = excluded.updated_at
    """
)


async def page(
    view: View, account_id: int, page: Page, *, kinds: Sequence[str], from_id: int = 0
) -> list[Notification]:
    """A member's notifications of these kinds, newest first."""
    rows = await _PAGE.rows(view, page, account_id=account_id, kinds=list(kinds), from_id=from_id)
    return [Notification(**dict(row)) for row in rows]


async def groups(
    view: View,
    account_id: int,
    page: Page,
    *,
    kinds: Sequence[str],
    grouped: Sequence[str],
    from_id: int = 0,
    sample: int,
) -> list[NotificationGroup]:
    """A member's notifications of these kinds in groups, where the kind is in `grouped`; the newest group first.

    A group stands where its newest member does, and only there, whatever the page.
    """
    rows = await _GROUPS.rows(
        view, page, account_id=account_id, kinds=list(kinds), grouped=list(grouped), from_id=from_id
    )
    heads = [Notification(**dict(row)) for row in rows]
    together = [one.id for one in heads if one.kind in grouped and one.post_id is not None]
    counts: dict[int, int] = {}
    latest: dict[int, list[Notification]] = {}
    for row in await view.all(_MEMBERS, ids=together, from_id=from_id, sample=sample) if together else ():
        values = dict(row)
        head_id = values.pop("head_id")
        counts[head_id] = values.pop("members")
        latest.setdefault(head_id, []).append(Notification(**values))
    return [NotificationGroup(latest=tuple(latest.get(one.id, [one])), count=counts.get(one.id, 1)) for one in heads]


async def count_groups_after(
    view: View, account_id: int, after: int, *, kinds: Sequence[str], grouped: Sequence[str]
) -> int:
    """How many groups have something newer than a marker."""
    found = await view.value(
        _COUNT_GROUPS_AFTER,
        account_id=account_id,
        kinds=list(kinds),
        grouped=list(grouped),
        from_id=0,
        after=after,
    )
    return int(found or 0)


async def find(view: View, id_: int, account_id: int) -> Notification | None:
    """One notification of a member."""
    row = await view.one_or_none(_FIND, id=id_, account_id=account_id)
    return Notification(**dict(row)) if row else None


async def forget_from(tx: Transaction, from_id: int) -> None:
    """Take back everything that members were told of an account."""
    await tx.run(_FORGET_FROM, from_id=from_id)


async def add(tx: Transaction, notification: Notification) -> bool:
    """Store a notification; False if the same thing was already said."""
    same = await tx.value(
        _SAME,
        account_id=notification.account_id,
        kind=notification.kind,
        from_id=notification.from_id,
        post_id=notification.post_id or 0,
        group_id=notification.group_id or 0,
    )
    if same is not None:
        return False
    await tx.run(_ADD, **asdict(notification))
    return True


async def withdraw(tx: Transaction, *, account_id: int, kind: str, from_id: int, post_id: int = 0) -> None:
    """Take back what is no longer true: an undone like, a withdrawn request."""
    await tx.run(_WITHDRAW, account_id=account_id, kind=kind, from_id=from_id, post_id=post_id)


async def withdraw_request(tx: Transaction, *, group_id: int, from_id: int) -> None:
    """Whoever moderates a group need no longer hear that somebody asks to join it."""
    await tx.run(_WITHDRAW_REQUEST, group_id=group_id, from_id=from_id)


async def withdraw_requests_to(tx: Transaction, *, group_id: int, account_id: int) -> None:
    """Who asks to join a group is no longer for this account to hear."""
    await tx.run(_WITHDRAW_REQUESTS_TO, group_id=group_id, account_id=account_id)


async def of_group(view: View, account_id: int, kind: str, post_id: int, *, limit: int = 80) -> list[Notification]:
    """What of one kind happened to one post, newest first."""
    rows = await view.all(_OF_GROUP, account_id=account_id, kind=kind, post_id=post_id, limit=limit)
    return [Notification(**dict(row)) for row in rows]


async def count_of_group(view: View, account_id: int, kind: str, post_id: int) -> int:
    """How often one kind of thing happened to one post."""
    return int(await view.value(_COUNT_GROUP, account_id=account_id, kind=kind, post_id=post_id) or 0)


async def dismiss_group(tx: Transaction, account_id: int, kind: str, post_id: int) -> None:
    """Drop what of one kind happened to one post."""
    await tx.run(_DISMISS_GROUP, account_id=account_id, kind=kind, post_id=post_id)


async def dismiss(tx: Transaction, id_: int, account_id: int) -> None:
    """Drop one."""
    await tx.run(_DISMISS, id=id_, account_id=account_id)


async def clear(tx: Transaction, account_id: int) -> None:
    """Drop all."""
    await tx.run(_CLEAR, account_id=account_id)


async def count_after(view: View, account_id: int, after: int) -> int:
    """How many are newer than a marker."""
    return int(await view.value(_COUNT_AFTER, account_id=account_id, after=after) or 0)


async def markers(view: View, account_id: int, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """How far a member has read: timeline → last_read, version, updated_at."""
    rows = await view.all(_MARKERS, account_id=account_id, names=list(names))
    return {row["timeline"]: dict(row) for row in rows}


async def mark(tx: Transaction, account_id: int, timeline: str, last_read: int, at: Millis) -> None:
    """Remember how far a member has read."""
    await tx.run(_MARK, account_id=account_id, timeline=timeline, last_read=last_read, at=at)
