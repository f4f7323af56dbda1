"""medfed queue."""

from typing import Any

import click

from medfed.accounts.promise import WAKE
from medfed.cli.actions import BY, config_of, perform
from medfed.cli.output import json_option, report, show, table
from medfed.inbox.http import WAKE as INBOX
from medfed.instance import Instance
from medfed.kernel.clock import Millis, iso
from medfed.storage import inbox_log, moderation, outbox, peers, tasks
from medfed.verification.work import WAKE as TASKS


@click.group()
def queue() -> None:
    """What peers are owed, host by host, and background tasks."""


@queue.command("list")
@json_option
@config_of
def _list(config: str, *, as_json: bool) -> None:
    """Per host: how much waits, how often it was tried, when it is tried next, and why it failed."""
    found = perform(config, "queue.list")
    hosts, waiting = found["hosts"], found["tasks"]

    def text() -> str:
        parts = [
            table(hosts, "host", "waiting", "attempts", "next", "last_error", "state") if hosts else "nothing is owed",
            table(waiting, "kind", "next", "attempts", "last_error", "state") if waiting else "",
            table([found["arrivals"]], *found["arrivals"]) if any(found["arrivals"].values()) else "",
        ]
        return "\n\n".join(part for part in parts if part)

    show(found, as_json=as_json, text=text)


async def list_queue(instance: Instance) -> dict[str, Any]:
    """Deliveries per host, tasks, and how many arrivals are not applied."""
    now = instance.here.now()
    async with instance.store.view() as view:
        owed, waiting = await outbox.overview(view), await tasks.overview(view)
        arrivals = await inbox_log.counts(view)
    return {
        "hosts": [
            {
                "host": row["host"],
                "waiting": row["waiting"],
                "attempts": row["attempts"],
                "next": _next(row, now),
                "last_error": row["last_error"],
                "state": _state(row),
            }
            for row in owed
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
        put_back = await outbox.retry(tx, host)
        await peers.retry_now(tx, host)
        if not host:
            revived, again = await tasks.revive(tx, now), await inbox_log.revive(tx, now)
        for channel in (WAKE, INBOX, TASKS):
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
        dropped = await outbox.drop(tx, host)
        await moderation.record(
            tx, at=instance.here.now(), actor=BY, action="queue.drop", subject=host, detail={"dropped": dropped}
        )
    return {"domain": host, "dropped": dropped}


def _next(row: dict[str, Any], now: Millis) -> str | None:
    """When a host is tried next; None: not before somebody says so."""
    at = row["next_at"]
    if row["withheld"] == row["waiting"]:
        return None
    if row["parked"] == row["waiting"]:
        if row["parked_until"] is None:
            return None
        at = max(at, row["parked_until"])
    return iso(at) if at > now else "now"


def _state(row: dict[str, Any]) -> str:
    if row["withheld"] == row["waiting"]:
        return "withheld"
    if row["parked"] == row["waiting"]:
        return "refused"
    return "failing" if row["failing_since"] else "waiting"
