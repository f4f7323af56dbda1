"""medfed policy."""

from pathlib import Path
from typing import Any

import click

from medfed.activitypub.keys import parse_public_pem
from medfed.cli.actions import BY, config_of, perform
from medfed.cli.output import failures, json_option, report, say, show, table
from medfed.domain.policies import from_toml, to_document, to_toml
from medfed.domain.trust import Effects
from medfed.instance import Instance
from medfed.kernel.clock import iso
from medfed.kernel.errors import Invalid
from medfed.storage import trust
from medfed.verification import policy as policies


@click.group()
def policy() -> None:
    """The trust policy: whose attestations count here, for what and how far."""


@policy.command("show")
@json_option
@config_of
def _show(config: str, *, as_json: bool) -> None:
    """Print the whole policy."""
    found = perform(config, "policy.show")
    show(found["policy"], as_json=as_json, text=lambda: str(found["toml"]).rstrip())


@policy.command("history")
@json_option
@config_of
def _history(config: str, *, as_json: bool) -> None:
    """Which versions there were, by whom and when, newest first."""
    found = perform(config, "policy.history")
    show(found, as_json=as_json, text=lambda: table(found, "version", "by", "at"))


async def list_versions(instance: Instance) -> list[dict[str, Any]]:
    """The last versions of the policy."""
    async with instance.store.view() as view:
        versions = await trust.policy_history(view)
    return [{"version": version, "by": author, "at": iso(at)} for version, author, at in versions]


@policy.command("export")
@click.argument("file", metavar="FILE|-")
@json_option
@config_of
def _export(config: str, file: str, *, as_json: bool) -> None:
    """Write the whole policy to a file, to be edited and applied again."""
    found = perform(config, "policy.show")
    if file == "-":
        click.echo(found["toml"], nl=False)
        return
    with failures():
        Path(file).write_text(found["toml"], "utf-8")
    version = found["policy"]["version"]
    report({"file": file, "version": version}, f"wrote version {version} of the policy to {file}", as_json=as_json)


async def show_policy(instance: Instance) -> dict[str, Any]:
    """The policy in force, as a document and as TOML."""
    async with instance.store.view() as view:
        found = await policies.current(view)
    return {"policy": to_document(found), "toml": to_toml(found)}


@policy.command("apply")
@click.argument("file")
@click.option("--dry-run", is_flag=True, help="Only say what would change, for whom.")
@json_option
@config_of
def _apply(config: str, file: str, *, dry_run: bool, as_json: bool) -> None:
    """Put the policy of a file in force. It must have been made from the version that is in force now."""
    with failures():
        text = _read(file)
        from_toml(text)
    done = perform(config, "policy.apply", toml=text, dry_run=dry_run)
    show(done, as_json=as_json, text=lambda: _changes(done))
    if not dry_run and not as_json:
        say(f"version {done['version']} of the policy is in force")


async def apply_policy(instance: Instance, *, toml: str, dry_run: bool) -> dict[str, Any]:
    """Try a policy, and, unless `dry_run`, put it in force. Raises Invalid, Conflict."""
    new = from_toml(toml)
    async with instance.store.view() as view:
        effects = await policies.dry_run(view, instance.here, new)
    changes = _effects(effects)
    if dry_run:
        return {"dry_run": True, "version": new.version, **changes}
    async with instance.store.transaction("apply policy") as tx:
        applied = await policies.apply(tx, instance.here, new, base=new.version, by=BY)
    await instance.levels.reload(instance.store)
    return {"dry_run": False, "version": applied.version, **changes}


@policy.command("revoke-key")
@click.argument("key")
@json_option
@config_of
def _revoke_key(config: str, key: str, *, as_json: bool) -> None:
    """Believe nothing that is signed with KEY, whosever it is: a Multikey, a file in PEM, or the id of a key."""
    with failures():
        multikey = parse_public_pem(_read(key)).multikey if Path(key).is_file() else key
    done = perform(config, "policy.revoke-key", key=multikey)
    if done["version"] is None:
        report(done, "this key is revoked already", as_json=as_json)
    else:
        report(done, f"version {done['version']} of the policy is in force, and revokes {done['key']}", as_json=as_json)


async def revoke_key(instance: Instance, *, key: str) -> dict[str, Any]:
    """Revoke a key, given as Multikey or by its id if we know it; `version` is None when it was. Raises Invalid."""
    async with instance.store.transaction("revoke key") as tx:
        multikey = await policies.multikey_of(tx, key)
        applied = await policies.revoke_key(tx, instance.here, multikey, by=BY)
    return {"key": multikey, "version": applied.version if applied else None}


def _effects(effects: Effects) -> dict[str, Any]:
    return {
        "peers": [
            {"domain": each.domain, "before": each.before.value, "after": each.after.value, "follows": each.follows}
            for each in effects.levels
        ],
        "follows_ended": effects.follows_ended,
        "attestations": [
            {
                "account": each.account,
                "issuer": each.issuer,
                "before": each.before.value,
                "after": each.after.value,
                "reason": each.reason.text,
                "uri": each.uri,
            }
            for each in effects.standings
        ],
    }


def _changes(done: dict[str, Any]) -> str:
    peers, attestations = done["peers"], done["attestations"]
    parts = [
        table(peers, "domain", "before", "after", "follows") if peers else "",
        table(attestations, "account", "issuer", "before", "after", "reason") if attestations else "",
    ]
    return "\n\n".join(part for part in parts if part) or "nothing changes for any peer, follow or attestation"


def _read(file: str) -> str:
    try:
        return Path(file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{file} cannot be read: {error}") from None
