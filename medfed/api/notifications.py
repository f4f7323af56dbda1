"""Notifications, one by one and in groups; what clients ask for around them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, get_args

from starlette.responses import Response

from medfed.api import present
from medfed.api.calls import Call, empty
from medfed.api.entities import Entity, group_key
from medfed.api.paging import limit_of, page_of
from medfed.domain.notifications import GROUPED, OURS, Notification, NotificationGroup, NotificationKind
from medfed.edge import Json
from medfed.kernel.errors import NotFound
from medfed.kernel.paging import Page, id_of
from medfed.storage import notifications
from medfed.storage.database import Transaction, View

KNOWN: Final[tuple[str, ...]] = get_args(NotificationKind)
SAMPLE: Final = 8
_PARTIAL: Final = ("id", "acct", "url", "avatar", "avatar_static", "avatar_description", "locked", "bot")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """A group as clients see it: its newest members, and how many there are."""

    key: str
    members: Sequence[Entity]
    count: int


async def listed(call: Call) -> Response:
    """What happened, one by one."""
    page = page_of(call.params, default=40, most=80)
    async with call.store.view() as view:
        found = await _found(view, call, page)
        shown = await present.notifications(view, call.here, call.account, found)
    return Json(shown, headers=call.links([one.id for one in found]))


async def _found(view: View, call: Call, page: Page) -> list[Notification]:
    return await notifications.page(
        view, call.account.id, page, kinds=_kinds(call), from_id=call.params.id("account_id") or 0
    )


def _kinds(call: Call) -> list[str]:
    """The kinds that are asked for. Those of ours come only by name: clients do not know them."""
    wanted, unwanted = call.params.texts("types"), set(call.params.texts("exclude_types"))
    kinds = [kind for kind in KNOWN if kind in wanted] if wanted else [kind for kind in KNOWN if kind not in OURS]
    return [kind for kind in kinds if kind not in unwanted]


async def show(call: Call) -> Response:
    """One of them."""
    async with call.store.view() as view:
        one = await notifications.find(view, call.id(), call.account.id)
        shown = await present.notifications(view, call.here, call.account, [one]) if one else []
    if not shown:
        raise NotFound("there is no such notification")
    return Json(shown[0])


async def dismiss(call: Call) -> Response:
    """Drop one."""
    async with call.store.transaction("dismiss notification") as tx:
        await notifications.dismiss(tx, call.id(), call.account.id)
    return empty()


async def clear(call: Call) -> Response:
    """Drop all."""
    async with call.store.transaction("clear notifications") as tx:
        await notifications.clear(tx, call.account.id)
    return empty()


async def unread_count(call: Call) -> Response:
    """How many are newer than the marker."""
    most = limit_of(call.params, default=100, most=1_000)
    async with call.store.view() as view:
        mark = (await notifications.markers(view, call.account.id, ["notifications"])).get("notifications")
        count = await notifications.count_after(view, call.account.id, mark["last_read"] if mark else 0)
    return Json({"count": min(count, most)})


async def unread_group_count(call: Call) -> Response:
    """How many groups have something newer than the marker."""
    most = limit_of(call.params, default=100, most=1_000)
    async with call.store.view() as view:
        mark = (await notifications.markers(view, call.account.id, ["notifications"])).get("notifications")
        count = await notifications.count_groups_after(
            view, call.account.id, mark["last_read"] if mark else 0, kinds=_kinds(call), grouped=_grouped(call)
        )
    return Json({"count": min(count, most)})


# ── in groups ────────────────────────────────────────────────────────────────────────────────────────────────


async def grouped(call: Call) -> Response:
    """What happened, likes and boosts of one post together."""
    page, together = page_of(call.params, default=40, most=80), _grouped(call)
    async with call.store.view() as view:
        found = await notifications.groups(
            view,
            call.account.id,
            page,
            kinds=_kinds(call),
            grouped=together,
            from_id=call.params.id("account_id") or 0,
            sample=SAMPLE,
        )
        shown = await _shown(view, call, found, together)
    return Json(
        _results(shown, partial=call.params.text("expand_accounts") == "partial_avatars"),
        headers=call.links([group.latest[0].id for group in found]),
    )


def _grouped(call: Call) -> list[str]:
    """The kinds to put together: all that can be, unless the client names those that it can show so."""
    asked = call.params.texts("grouped_types")
    return [kind for kind in GROUPED if not asked or kind in asked]


async def _shown(view: View, call: Call, found: Sequence[NotificationGroup], together: Sequence[str]) -> list[_Shown]:
    everything = [one for group in found for one in group.latest]
    known = {one["id"]: one for one in await present.notifications(view, call.here, call.account, everything)}
    shown = []
    for group in found:
        members = [known[str(one.id)] for one in group.latest if str(one.id) in known]
        newest = group.latest[0]
        key = group_key(newest) if newest.kind in together else f"ungrouped-{newest.id}"
        if members:
            shown.append(_Shown(key=key, members=members, count=group.count))
    return shown


async def group(call: Call) -> Response:
    """One group."""
    async with call.store.view() as view:
        members = await _group(view, call)
        count = await _count(view, call)
    return Json(_results([_Shown(key=call.part("group"), members=members, count=count)], partial=False))


async def _count(view: View, call: Call) -> int:
    kind, number = _parsed(call)
    return 1 if kind == "ungrouped" else await notifications.count_of_group(view, call.account.id, kind, number)


async def group_accounts(call: Call) -> Response:
    """Who is behind a group."""
    async with call.store.view() as view:
        shown = await _group(view, call)
    return Json([one["account"] for one in shown])


async def dismiss_group(call: Call) -> Response:
    """Drop a group."""
    async with call.store.transaction("dismiss notifications") as tx:
        await _dismiss_group(tx, call)
    return empty()


async def _dismiss_group(tx: Transaction, call: Call) -> None:
    kind, number = _parsed(call)
    if kind == "ungrouped":
        await notifications.dismiss(tx, number, call.account.id)
    else:
        await notifications.dismiss_group(tx, call.account.id, kind, number)


async def _group(view: View, call: Call) -> list[Entity]:
    kind, number = _parsed(call)
    if kind == "ungrouped":
        one = await notifications.find(view, number, call.account.id)
        found = [one] if one else []
    else:
        found = await notifications.of_group(view, call.account.id, kind, number)
    shown = await present.notifications(view, call.here, call.account, found)
    if not shown:
        raise NotFound("there is no such group")
    return shown


def _parsed(call: Call) -> tuple[str, int]:
    kind, _, number = call.part("group").partition("-")
    id_ = id_of(number)
    if kind not in ("ungrouped", *GROUPED) or id_ is None:
        raise NotFound("there is no such group")
    return kind, id_


def _results(shown: Sequence[_Shown], *, partial: bool) -> Entity:
    accounts: dict[str, Entity] = {}
    partials: dict[str, Entity] = {}
    statuses: dict[str, Entity] = {}
    for group in shown:
        for position, one in enumerate(group.members[:SAMPLE]):
            account = one["account"]
            assert isinstance(account, dict)  # noqa: S101 — made by entities.notification
            whole = not partial or position == 0
            (accounts if whole else partials)[str(account["id"])] = account
        status = group.members[0].get("status")
        if isinstance(status, dict):
            statuses[str(status["id"])] = status
    results: Entity = {
        "accounts": list(accounts.values()),
        "statuses": list(statuses.values()),
        "notification_groups": [_summary(group) for group in shown],
    }
    if partial:
        results["partial_accounts"] = [
            {name: account[name] for name in _PARTIAL} for id_, account in partials.items() if id_ not in accounts
        ]
    return results


def _summary(group: _Shown) -> Entity:
    newest = group.members[0]
    status = newest.get("status")
    accounts = [one["account"] for one in group.members[:SAMPLE]]
    summary: Entity = {
        "group_key": group.key,
        "notifications_count": group.count,
        "type": newest["type"],
        "most_recent_notification_id": int(str(newest["id"])),
        # Where the group stands among the others; it stands nowhere else, so that paging skips and repeats nothing.
        "page_min_id": newest["id"],
        "page_max_id": newest["id"],
        "latest_page_notification_at": newest["created_at"],
        "sample_account_ids": [account["id"] for account in accounts if isinstance(account, dict)],
    }
    if isinstance(status, dict):
        summary["status_id"] = status["id"]
    return summary


async def policy(_call: Call) -> Response:
    """Everything is accepted: blocks and mutes are the filter here."""
    names = (
        "for_not_following",
        "for_not_followers",
        "for_new_accounts",
        "for_private_mentions",
        "for_limited_accounts",
    )
    summary = {"pending_requests_count": 0, "pending_notifications_count": 0}
    return Json({**dict.fromkeys(names, "accept"), "summary": summary})
