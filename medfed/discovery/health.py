"""Whether this server lives, whether it can work, and in numbers how it fares."""

import ipaddress
from collections.abc import Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from medfed.edge import Json, Route, instance_of
from medfed.instance import Instance
from medfed.kernel.clock import MINUTE, Millis
from medfed.kernel.errors import Misconfigured, NotFound, StorageDown
from medfed.kernel.observe import Metric, Metrics
from medfed.kernel.secrets import hash_token
from medfed.storage import accounts, heartbeat, inbox_log, migrate, oauth, outbox, posts, tasks
from medfed.storage.database import View

Beat = Callable[[], Millis]

_UNHEARD_OF: Final = 2 * MINUTE
_SILENCE: Final = 1 * MINUTE
"""Four heartbeats of a worker in another process."""
_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-real-ip", "via")

_GAUGES: Final = (
    Metric(name="medfed_members", kind="gauge", help="Members who may sign in."),
    Metric(name="medfed_posts_local", kind="gauge", help="Posts written here."),
    Metric(
        name="medfed_inbox", kind="gauge", help="Accepted activities that are not done, by state.", labels=("state",)
    ),
    Metric(name="medfed_deliveries_waiting", kind="gauge", help="Deliveries that are owed."),
    Metric(name="medfed_deliveries_parked", kind="gauge", help="Deliveries that a peer refused."),
    Metric(name="medfed_hosts_failing", kind="gauge", help="Hosts that are owed something and do not take it."),
    Metric(name="medfed_tasks", kind="gauge", help="Background tasks by state.", labels=("state",)),
)


def routes(beat: Beat | None) -> list[Route]:
    """Where monitoring looks. `beat` tells when the worker in this process last came round; None: there is none."""

    async def readyz(request: Request) -> Response:
        return await _ready(instance_of(request), beat)

    return [
        Route(method="GET", path="/livez", endpoint=livez),
        Route(method="GET", path="/readyz", endpoint=readyz),
        Route(method="GET", path="/metrics", endpoint=metrics),
    ]


async def livez(_request: Request) -> Response:
    """GET /livez: the process answers."""
    return Json({"status": "ok"})


async def _ready(instance: Instance, beat: Beat | None) -> Response:
    """GET /readyz: the database answers and has our schema, and a worker, here or elsewhere, comes round."""
    try:
        await instance.store.ping()
        if await migrate.plan(instance.store):
            return Json({"status": "the database is not up to date"}, status_code=503)
    except StorageDown:
        return Json({"status": "the database does not answer"}, status_code=503)
    except Misconfigured as error:
        return Json({"status": str(error)}, status_code=503)
    if beat is not None and instance.here.now() - beat() > _UNHEARD_OF:
        return Json({"status": "the worker does not come round"}, status_code=503)
    if beat is None and not await _is_worker_alive(instance):
        return Json({"status": "no worker is at work; start `medfed worker`"}, status_code=503)
    return Json({"status": "ok"})


async def _is_worker_alive(instance: Instance) -> bool:
    async with instance.store.view() as view:
        last = await heartbeat.last(view)
    return last is not None and instance.here.now() - last <= _SILENCE


async def metrics(request: Request) -> Response:
    """GET /metrics: figures for Prometheus, to this machine and to an admin's token only (G10)."""
    instance = instance_of(request)
    async with instance.store.view() as view:
        if not _is_this_machine(request) and not await _is_admin(view, request):
            raise NotFound("there is nothing here")
        text = await _figures(view)
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8", headers={"cache-control": "no-store"})


def _is_this_machine(request: Request) -> bool:
    """A loopback address, and nobody behind it: a proxy on this machine speaks for others."""
    if request.client is None or any(name in request.headers for name in _FORWARDED):
        return False
    return ipaddress.ip_address(request.client.host).is_loopback


async def _is_admin(view: View, request: Request) -> bool:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    found = await oauth.find_token(view, hash_token(token)) if kind.lower() == "bearer" and token else None
    if found is None or found.account_id is None:
        return False
    member = await accounts.find_member(view, found.account_id)
    return member is not None and member.may_sign_in and member.is_at_least("admin")


async def _figures(view: View) -> str:
    figures = Metrics(_GAUGES)
    figures.set("medfed_members", await accounts.count_members(view))
    figures.set("medfed_posts_local", await posts.count_local(view))
    for state, count in (await inbox_log.counts(view)).items():
        figures.set("medfed_inbox", count, state=state)
    lanes = await outbox.overview(view)
    parked = sum(lane["parked"] for lane in lanes)
    figures.set("medfed_deliveries_parked", parked)
    withheld = sum(lane["withheld"] for lane in lanes)
    figures.set("medfed_deliveries_waiting", sum(lane["waiting"] for lane in lanes) - parked - withheld)
    figures.set("medfed_hosts_failing", sum(1 for lane in lanes if lane["failing_since"]))
    for state in ("waiting", "dead"):
        waiting = [task for task in await tasks.overview(view) if task["state"] == state]
        figures.set("medfed_tasks", len(waiting), state=state)
    return figures.render()
