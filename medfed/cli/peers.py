"""medfed peer."""

from typing import Any

import click

from medfed.cli.actions import BY, config_of, perform
from medfed.cli.output import facts, json_option, report, show, table
from medfed.domain.peers import Level, Peer, effective
from medfed.instance import Instance
from medfed.kernel.clock import iso
from medfed.kernel.errors import NotFound
from medfed.storage import peers
from medfed.verification.policy import set_level

LEVELS = tuple(level.value for level in Level)


@click.group()
def peer() -> None:
    """Other instances, and how far each is let in."""


@peer.command("list")
@json_option
@config_of
def _list(config: str, *, as_json: bool) -> None:
    """Every peer that has been met or judged."""
    found = perform(config, "peer.list")
    show(found, as_json=as_json, text=lambda: table(found, "domain", "level", "decided_by", "last_heard", "last_sent"))


async def list_peers(instance: Instance) -> list[dict[str, Any]]:
    """Every peer, by domain."""
    async with instance.store.view() as view:
        return [_facts(instance, each) for each in await peers.everyone(view)]


@peer.command("show")
@click.argument("domain")
@json_option
@config_of
def _show(config: str, domain: str, *, as_json: bool) -> None:
    """What is known about one peer."""
    found = perform(config, "peer.show", domain=domain)
    show(found, as_json=as_json, text=lambda: facts(found))


async def show_peer(instance: Instance, *, domain: str) -> dict[str, Any]:
    """One peer. Raises NotFound."""
    async with instance.store.view() as view:
        found = await peers.find(view, domain.strip().lower())
    if found is None:
        raise NotFound(f"there is no peer {domain[:100]!r}; its level would be {effective(None, instance.here.mode)}")
    return _facts(instance, found)


@peer.command("set")
@click.argument("domain")
@click.argument("level", type=click.Choice(LEVELS))
@click.option("--note", default="", help="Why, for the audit trail.")
@json_option
@config_of
def _set(config: str, domain: str, level: str, note: str, *, as_json: bool) -> None:
    """Judge a peer: blocked, limited (what members follow), federated, or trusted."""
    done = perform(config, "peer.set", domain=domain, level=level, note=note)
    report(done, f"{done['domain']} is {done['level']}", as_json=as_json)


async def set_peer(instance: Instance, *, domain: str, level: str, note: str = "") -> dict[str, Any]:
    """Judge a peer. Raises Invalid."""
    async with instance.store.transaction("set peer level") as tx:
        await set_level(tx, instance.here, domain, Level(level), by=BY, note=note)
    await instance.levels.reload(instance.store)
    return await show_peer(instance, domain=domain.rstrip("."))


def _facts(instance: Instance, peer: Peer) -> dict[str, Any]:
    return {
        "domain": peer.domain,
        "level": effective(peer, instance.here.mode).value,
        "decided_by": "an admin" if peer.level is not None else f"the mode ({instance.here.mode})",
        "note": peer.note,
        "first_seen": iso(peer.first_seen),
        "last_heard": iso(peer.last_heard) if peer.last_heard else None,
        "last_sent": iso(peer.last_sent) if peer.last_sent else None,
        "failing_since": iso(peer.failing_since) if peer.failing_since else None,
        "last_error": peer.last_error,
    }
