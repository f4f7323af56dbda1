"""medfed doctor: says in words what is wrong with an installation, and what to do about it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import click

from medfed.cli.actions import config_of, perform
from medfed.cli.backup_key import BACKUP_KEY
from medfed.cli.modes import warnings
from medfed.cli.output import Failed, json_option, show
from medfed.instance import Instance, key_path
from medfed.kernel import limits
from medfed.kernel.clock import HOUR
from medfed.kernel.errors import Misconfigured
from medfed.moderation.trail import Trail
from medfed.settings import Settings
from medfed.storage import accounts, inbox_log, moderation, outbox, peers, tasks

Weight: TypeAlias = Literal["ok", "warning", "problem"]

_LITTLE_SPACE: Final = 1024**3
_PATIENCE: Final = 10.0
"""Seconds for which the database is read through; once a day it is read to its end."""
_MARKS: Final = {"ok": "✓", "warning": "!", "problem": "✗"}


@click.command()
@json_option
@config_of
def doctor(config: str, *, as_json: bool) -> None:
    """Say what is wrong with this installation, in words. Exit status 1 when something is."""
    found = _found(config)
    lines = [f"{_MARKS[finding['weight']]} {finding['says']}" for finding in found]
    show({"findings": found}, as_json=as_json, text=lambda: "\n".join(lines))
    problems = [finding for finding in found if finding["weight"] == "problem"]
    if problems:
        raise Failed(problems[0]["says"] if len(problems) == 1 else f"{len(problems)} problems")


def _found(config: str) -> list[dict[str, Any]]:
    """What stops every other command is the first thing that is wrong, and may be the only one that can be seen."""
    try:
        findings: list[dict[str, Any]] = perform(config, "doctor")["findings"]
    except Failed as error:
        return [{"weight": "problem", "says": error.message}]
    key = Path(config).with_name(BACKUP_KEY)
    if key.exists():
        says = f"{key} opens every backup: copy it to another place, without which none can be read, and remove it here"
        findings.append({"weight": "warning", "says": says})
    return findings


async def examine(instance: Instance) -> dict[str, Any]:
    """Findings, each with a weight and a sentence."""
    settings = instance.settings
    findings = [*_files(settings), *_configuration(settings)]
    findings += await _database(instance)
    findings += await _identity(instance)
    findings += await _work(instance)
    return {"findings": [{"weight": weight, "says": says} for weight, says in findings]}


def _files(settings: Settings) -> Iterator[tuple[Weight, str]]:
    folder, key = settings.instance.data_dir, key_path(settings)
    for path, mode in ((folder, 0o700), (key, 0o600)):
        loose = path.stat().st_mode & 0o777 & ~mode
        if loose:
            yield "problem", f"{path} can be read by other users; run: chmod {mode:o} {path}"
    if not os.access(folder, os.W_OK):
        yield "problem", f"{folder} cannot be written"
    free = shutil.disk_usage(folder).free
    if free < _LITTLE_SPACE:
        yield "warning", f"only {free // 1024**2} MiB are free in {folder}"
    else:
        yield "ok", f"{free // 1024**3} GiB are free in {folder}"
    ca_file = settings.federation.ca_file
    if ca_file and not Path(ca_file).is_file():
        yield "problem", f"federation.ca_file: there is no file {ca_file}"


def _configuration(settings: Settings) -> Iterator[tuple[Weight, str]]:
    for sentence in warnings(settings):
        yield "warning", sentence
    if settings.instance.public_url.startswith("http:"):
        yield "warning", "instance.public_url is not https: peers will not trust it; development only"
    if not settings.instance.contact:
        yield "warning", "instance.contact is empty: nobody can be asked when something goes wrong"
    if not settings.backup.recipients:
        yield "warning", "backup.recipients is empty: there are no backups; make a key with `medfed backup-key`"
    if not settings.mail.url:
        yield "warning", f"mail.url is empty: mail is written to {settings.instance.data_dir / 'mail'}"
    if settings.http.host in ("0.0.0.0", "::") and not settings.http.trusted_proxies:  # noqa: S104 - compared, not bound
        yield "warning", "http.host is open to every network, and no proxy is trusted; put TLS in front"


async def _database(instance: Instance) -> list[tuple[Weight, str]]:
    await instance.store.ping()
    damage = await instance.store.damage(within=_PATIENCE)
    if damage:
        return [("problem", f"the database is damaged ({damage[0]}): bring a backup back, see docs/guide/backup.md")]
    doubts = await instance.store.doubts()
    if doubts:
        return [("warning", doubt) for doubt in doubts]
    return [("ok", f"the database ({instance.store.engine}) answers and is up to date")]


async def _identity(instance: Instance) -> list[tuple[Weight, str]]:
    try:
        actor = await instance.actor()
        await instance.keyring.both(actor.id)
        async with instance.store.view() as view:
            count = await accounts.count_members(view)
            broken = await moderation.first_broken_link(view)
    except Misconfigured as error:
        return [("problem", str(error))]
    found: list[tuple[Weight, str]] = [("ok", f"{instance.here.domain} has its keys, and {count} members")]
    if count == 0:
        found.append(("warning", "nobody can sign in yet: medfed member create NAME --email ADDRESS --role admin"))
    if broken is not None:
        found.append(("problem", f"the audit trail is broken at entry {broken}"))
    cut_off = await Trail(instance.settings.instance.data_dir).doubt(instance.store)
    if cut_off is not None:
        found.append(("problem", cut_off))
    return found


def _is_much(activities: int, size: int) -> bool:
    return 2 * activities > limits.HOST_ACTIVITIES_PER_DAY or 2 * size > limits.HOST_BYTES_PER_DAY


def _much(host: str, activities: int, size: int) -> str:
    sent = f"{activities} activities, {size // limits.MIB} MiB"
    return f"{host} has sent more than half of what one host may today: {sent}"


async def _work(instance: Instance) -> list[tuple[Weight, str]]:
    now = instance.here.now()
    async with instance.store.view() as view:
        owed, waiting = await outbox.overview(view), await tasks.overview(view)
        unapplied = (await inbox_log.counts(view)).get("dead", 0)
        used = await peers.used(view, now)
    found: list[tuple[Weight, str]] = [
        ("warning", _much(host, *sent)) for host, sent in used.items() if _is_much(*sent)
    ]
    failing = [row["host"] for row in owed if row["failing_since"]]
    if failing:
        found.append(("warning", f"{len(failing)} peers do not take what they are owed; see medfed queue list"))
    dead = [row["kind"] for row in waiting if row["state"] == "dead"]
    if dead:
        found.append(
            (
                "problem",
                f"{len(dead)} tasks have failed for good, the first: {dead[0]}; see medfed queue list and retry",
            )
        )
    if unapplied:
        found.append(
            ("problem", f"{unapplied} arrivals could not be applied; the log says why; try medfed queue retry")
        )
    if any(row["state"] == "waiting" and row["run_at"] < now - HOUR for row in waiting):
        found.append(("problem", "tasks have been due for an hour: no worker runs"))
    return found
