"""medfed member keys, medfed member rotate-keys: what accounts of this instance sign with."""

from typing import Any

import click

from medfed.accounts import register
from medfed.activitypub.keys import stored_key
from medfed.cli.actions import BY, config_of, perform
from medfed.cli.output import confirm, json_option, report, say, show, table
from medfed.domain.accounts import Account, AccountKey
from medfed.instance import Instance
from medfed.kernel.clock import Millis, iso
from medfed.storage import accounts
from medfed.verification import rotate

_INSTANCE = click.option("--instance", "whole", flag_value="instance", help="The actor of the instance itself.")


@click.command("keys")
@click.argument("username", default="")
@_INSTANCE
@json_option
@config_of
def keys(config: str, username: str, *, whole: str | None, as_json: bool) -> None:
    """The keys of a member, or of the instance: those that sign, those that are still shown, those that are revoked."""
    _check(username, whole)
    found = perform(config, "member.keys", username=username)
    show(found, as_json=as_json, text=lambda: table(found, "id", "kind", "state", "created_at", "shown_until"))


async def list_keys(instance: Instance, *, username: str) -> list[dict[str, Any]]:
    """Every key that a member ('': the instance) has or had, oldest first. Raises NotFound."""
    account = await _account(instance, username)
    async with instance.store.view() as view:
        known = await accounts.keys(view, account.id)
    return [_facts(key, instance.here.now()) for key in known]


@click.command("rotate-keys")
@click.argument("username", default="")
@click.option("--all", "whole", flag_value="all", help="Every account of this instance, its own actor included.")
@_INSTANCE
@click.option("--compromised", is_flag=True, help="Somebody else may have the old keys: they are revoked at once.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@config_of
def rotate_keys(config: str, username: str, *, whole: str | None, compromised: bool, yes: bool, as_json: bool) -> None:
    """Give a member, the instance, or every account new keys to sign with; peers are told, and nobody is signed out."""
    _check(username, whole)
    if compromised:
        whose = {"all": "every account", "instance": "the instance"}.get(whole or "", username)
        confirm(f"Revoke the keys of {whose} at once", yes=yes)
    if whole == "all":
        count = perform(config, "member.rotate-all-keys", compromised=compromised)["accounts"]
        said = f"the server gives each of {count} accounts new keys now; each is in the audit trail"
        report({"accounts": count, "compromised": compromised}, said, as_json=as_json)
        if compromised and not as_json:
            say("if the issuing key may be known as well: medfed attest replace-key --compromised")
        return
    done = perform(config, "member.rotate-keys", username=username, compromised=compromised)
    report(done, f"@{done['account']} signs with new keys; peers are told", as_json=as_json)
    if done["unbound"] and not as_json:
        say(f"attestations by others that count no more until their issuers renew them: {done['unbound']}")


async def rotate_account_keys(instance: Instance, *, username: str, compromised: bool) -> dict[str, Any]:
    """New keys for a member ('': the instance). Raises NotFound, Gone."""
    account = await _account(instance, username)
    new = await register.new_keys()
    async with instance.store.transaction("rotate keys") as tx:
        current = await accounts.get(tx, account.id)
        done = await rotate.rotate_keys(tx, instance.here, current, new, compromised=compromised, by=BY)
    return {
        "account": account.handle,
        "new": [key.uri for key in done.keys.new],
        "old": [key.uri for key in done.keys.old],
        "revoked": [key.uri for key in done.keys.old if key.revoked_at is not None],
        "bound_again": done.bound_again,
        "unbound": done.unbound,
    }


async def rotate_all_keys(instance: Instance, *, compromised: bool) -> dict[str, Any]:
    """New keys for every account here, one after the other, in the background."""
    async with instance.store.transaction("rotate all keys") as tx:
        return {"accounts": await rotate.rotate_everybody(tx, instance.here, compromised=compromised, by=BY)}


def _check(username: str, whole: str | None) -> None:
    if bool(username) == bool(whole):
        raise click.UsageError("name one member, or the instance: NAME | --instance")


async def _account(instance: Instance, username: str) -> Account:
    if not username:
        return await instance.actor()
    async with instance.store.view() as view:
        return await accounts.get_own(view, username, instance.here.domain)


def _facts(key: AccountKey, now: Millis) -> dict[str, Any]:
    return {
        "id": key.uri,
        "kind": key.kind,
        "state": key.state(now),
        "created_at": iso(key.created_at),
        "shown_until": "" if key.shown_until is None else iso(key.shown_until),
        "revoked_at": "" if key.revoked_at is None else iso(key.revoked_at),
        "multikey": stored_key(key).multikey,
    }
