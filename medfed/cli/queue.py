"""medfed queue."""

from typing import Any, Final

import click

from medfed.cli.actions import BY, config_of, perform
from medfed.cli.output import json_option, report, show, table
from medfed.inbox.http import WAKE as INBOX
from medfed.instance import Instance
from medfed.kernel.clock import Millis, iso
from medfed.moderation import lanes
from medfed.storage import inbox_log, tasks
from medfed.storage.tasks import WAKE as TASKS

_COLUMNS: Final = (
    "host", "state", "breaker", "waiting", "withdrawals", "attempts", "failing_since", "last_heard", "next",
    "last_error",
)  # fmt: skip


@click.group()
def queue() -> None:
    """What peers are owed, host by host, and background tasks."""


@queue.command("list")
@json_option
@config_of
def _list(config: str, *, as_json: bool) -> None:
    """Per host: how much waits, how it fares since when, when it is tried next, and why it failed.

    The breaker is open for a host that failed ten times in a row: one delivery at a time asks whether it is back.
    """
    found = perform(config, "queue.list")
    hosts, waiting = found["hosts"], found["tasks"]

    def text() -> str:
        parts = [
            table(hosts, *_COLUMNS) if hosts else "nothing is owed",
            table(waiting, "kind", "next", "attempts", "last_error", "state") if waiting else "",
            table([found["arrivals"]], *found["arrivals"]) if any(found["arrivals"].values()) else "",
        ]
        return "\n\n".join(part for part in parts if part)

    show(found, as_json=as_json, text=text)


async def list_queue(instance: Instance) -> dict[str, Any]:
    """Deliveries per host, tasks, and how many arrivals are not applied."""
    now = instance.here.now()
    async with instance.store.view() as view:
        owed, waiting = await lanes.lanes(view, now), await tasks.overview(view)
        arrivals = await inbox_log.counts(view)
    return {
        "hosts": [
            {
                "host": lane.host,
                "waiting": lane.waiting,
                "attempts": lane.attempts,
                "next": _next(lane.next_at, now),
                "last_error": lane.last_error,
                "state": lane.state,
                "breaker": lane.breaker,
                "failures": lane.failures,
                "failing_since": _when(lane.failing_since),
                "last_heard": _when(lane.last_heard),
                "last_sent": _when(lane.last_sent),
                "withdrawals": lane.withdrawals,
                "withdrawn_until": _when(lane.withdrawn_until),
            }
            for lane in owed
        ],
        "tasks": [
            {
                "kind": row["kind"],
                "next": iso(row["run_at"]),
                "attempts": row["attempts"],
                "last_error": row["last_error"],
                "state": row["state"],
            }
            for row in waiting
        ],
        "arrivals": {state: arrivals.get(state, 0) for state in ("waiting", "dead")},
    }


@queue.command("retry")
@click.argument("domain", default="")
@json_option
@config_of
def _retry(config: str, domain: str, *, as_json: bool) -> None:
    """Try at once what is owed to a host; without one: to all, and tasks and arrivals that have failed for good."""
    done = perform(config, "queue.retry", domain=domain)
    said = f"tried again: {done['domain'] or 'every host'} ({done['put_back']} refused before)"
    more = "" if done["domain"] else f", {done['tasks']} tasks, {done['arrivals']} arrivals"
    report(done, said + more, as_json=as_json)


async def retry_queue(instance: Instance, *, domain: str = "") -> dict[str, Any]:
    """Let lanes be tried at once, and put back what was parked or given up."""
    host, now, revived, again = domain.strip().lower(), instance.here.now(), 0, 0
    async with instance.store.transaction("retry deliveries") as tx:
        put_back = await lanes.retry(tx, host)
        if not host:
            revived, again = await tasks.revive(tx, now), await inbox_log.revive(tx, now)
            for channel in (INBOX, TASKS):
                tx.wake(channel)
    return {"domain": host, "put_back": put_back, "tasks": revived, "arrivals": again}


@queue.command("drop")
@click.argument("domain")
@json_option
@config_of
def _drop(config: str, domain: str, *, as_json: bool) -> None:
    """Forget everything that a host is owed."""
    done = perform(config, "queue.drop", domain=domain)
    report(done, f"{done['dropped']} deliveries to {done['domain']} forgotten", as_json=as_json)


async def drop_queue(instance: Instance, *, domain: str) -> dict[str, Any]:
    """Forget what a host is owed; audited."""
    host = domain.strip().lower()
    async with instance.store.transaction("drop deliveries") as tx:
        dropped = await lanes.drop(tx, host, at=instance.here.now(), by=BY)
    return {"domain": host, "dropped": dropped}


def _when(at: Millis | None) -> str | None:
    return None if at is None else iso(at)


def _next(at: Millis | None, now: Millis) -> str | None:
    if at is None:
        return None
    return iso(at) if at > now else "now"
