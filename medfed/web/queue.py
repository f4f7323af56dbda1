"""The administration of what peers are owed: every lane, tried again or dropped."""

from collections.abc import Mapping
from typing import Final

from starlette.responses import Response

from medfed.moderation import lanes
from medfed.moderation.lanes import Lane
from medfed.web.sheet import page
from medfed.web.views import LaneRowView
from medfed.web.visit import Visit, go
from medfed.web.words import N_

STATES: Final[Mapping[lanes.State, str]] = {
    "waiting": N_("under way"),
    "failing": N_("does not answer"),
    "down": N_("down: asked by one delivery at a time"),
    "refused": N_("refused"),
    "withheld": N_("kept back: no longer trusted"),
}


async def queue_page(visit: Visit) -> Response:
    """GET /admin/queue."""
    async with visit.instance.store.view() as view:
        found = await lanes.lanes(view, visit.now)
    return await page(
        visit, "admin_queue", current="queue", administration=True, lanes=tuple(_row(visit, each) for each in found)
    )


def _row(visit: Visit, lane: Lane) -> LaneRowView:
    return LaneRowView(
        host=lane.host,
        state=visit.say(STATES[lane.state]),
        ails=lane.state != "waiting",
        waiting=lane.waiting,
        attempts=lane.attempts,
        is_due=lane.next_at is not None and lane.next_at <= visit.now,
        next_at=lane.next_at,
        last_error=lane.last_error,
        failing_since=lane.failing_since,
        last_heard=lane.last_heard,
        last_sent=lane.last_sent,
        withdrawals=lane.withdrawals,
        withdrawn_until=lane.withdrawn_until,
    )


async def retry(visit: Visit) -> Response:
    """POST /admin/queue/retry: `host`, or every one."""
    async with visit.instance.store.transaction("retry deliveries") as tx:
        await lanes.retry(tx, visit.sent.text("host"))
    return go(visit, "/admin/queue", "retried")


async def drop(visit: Visit) -> Response:
    """POST /admin/queue/drop: `host`."""
    async with visit.instance.store.transaction("drop deliveries") as tx:
        await lanes.drop(tx, visit.sent.text("host"), at=visit.now, by=visit.account.acct)
    return go(visit, "/admin/queue", "dropped")
