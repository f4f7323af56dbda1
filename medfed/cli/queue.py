"""medfed queue."""

from typing import Any

import click

from medfed.accounts.promise import WAKE
from medfed.cli.actions import BY, config_of, perform
from medfed.cli.output import json_option, say, show, table
from medfed.instance import Instance
from medfed.kernel.clock import iso
from medfed.storage import moderation, outbox, peers, tasks


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
        ]
        return "\n\n".join(part for part in parts if part)

    show(found, as_json=as_json, text=text)


async def list_queue(instance: Instance) -> dict[str, Any]:
    """Deliveries per host, and tasks."""
    now = instance.here.now()
    async with instance.store.view() as view:
        owed, waiting = await outbox.overview(view), await tasks.overview(view)
    return {
        "hosts": [
            {
                "host": row["host"],
                "waiting": row["waiting"],
                "attempts": row["attempts"],
                "next": iso(row["next_at"]) if row["next_at"] > now else "now",
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
    }


@queue.command("retry")
@click.argument("domain", default="")
@config_of
def _retry(config: str, domain: str) -> None:
    """Try at once what is owed to a host, or to all."""
    done = perform(config, "queue.retry", domain=domain)
    say(f"tried again: {domain or 'every host'} ({done['put_back']} refused before)")


async def retry_queue(instance: Instance, *, domain: str = "") -> dict[str, Any]:
    """Let lanes be tried at once, and put back what was parked."""
    host = domain.strip().lower()
    async with instance.store.transaction("retry deliveries") as tx:
        put_back = await outbox.retry(tx, host)
        await peers.retry_now(tx, host)
        tx.wake(WAKE)
    return {"domain": host, "put_back": put_back}


@queue.command("drop")
@click.argument("domain")
@config_of
def _drop(config: str, domain: str) -> None:
    """Forget everything that a host is owed."""
    done = perform(config, "queue.drop", domain=domain)
    say(f"{done['dropped']} deliveries to {done['domain']} forgotten")


async def drop_queue(instance: Instance, *, domain: str) -> dict[str, Any]:
    """Forget what a host is owed; audited."""
    host = domain.strip().lower()
    async with instance.store.transaction("drop deliveries") as tx:
        dropped = await outbox.drop(tx, host)
        await moderation.record(
            tx, at=instance.here.now(), actor=BY, action="queue.drop", subject=host, detail={"dropped": dropped}
        )
    return {"domain": host, "dropped": dropped}


def _state(row: dict[str, Any]) -> str:
    if row["parked"] == row["waiting"]:
        return "refused"
    return "failing" if row["failing_since"] else "waiting"
