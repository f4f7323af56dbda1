"""medfed member, medfed token."""

import sys
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final

import click

from medfed.accounts import leave, passwords, register, sessions, tokens
from medfed.activitypub.here import Here
from medfed.cli.actions import BY, config_of, perform
from medfed.cli.keys import keys, rotate_keys
from medfed.cli.output import confirm, facts, json_option, report, show, table
from medfed.domain.accounts import ROLES, Account, Kind, Member, Role
from medfed.instance import Instance
from medfed.kernel.clock import iso
from medfed.kernel.errors import Invalid
from medfed.relations import move as moving
from medfed.storage import accounts
from medfed.storage.database import Transaction

_USERNAME = click.argument("username")


MADE: Final[tuple[Kind, ...]] = ("Person", "Organization", "Group", "Service")
"""Kinds of actor that somebody can act as; the Application is the instance itself."""


@click.group()
def member() -> None:
    """Members: people with a login here."""


@member.command("create")
@_USERNAME
@click.option("--email", required=True)
@click.option("--role", type=click.Choice(ROLES), default="member", show_default=True)
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of stdin.")
@click.option("--display-name", default="")
@click.option("--language", default="", help="Language of the interface.")
@click.option("--locked", is_flag=True, help="They approve their followers.")
@click.option("--kind", type=click.Choice(MADE), default="Person", show_default=True, help="What acts under this name.")
@json_option
@config_of
def _create(config: str, /, username: str, *, password_stdin: bool, as_json: bool, **more: Any) -> None:
    """Create a confirmed member; prints a one-time password if none is given."""
    password = _password_from_stdin() if password_stdin else None
    made = perform(config, "member.create", username=username, password=password, **more)
    show(made, as_json=as_json, text=lambda: facts(_brief(made)))


async def create_member(
    instance: Instance,
    *,
    username: str,
    email: str,
    role: Role = "member",
    password: str | None = None,
    display_name: str = "",
    language: str = "",
    locked: bool = False,
    kind: Kind = "Person",
) -> dict[str, Any]:
    """A new, confirmed and approved member, with the password if it was made here."""
    chosen = passwords.one_time_password() if password is None else password
    passwords.check_password(chosen, username=username, email=email)
    password_hash = await passwords.hash_password(chosen)
    keys = await register.new_keys()
    async with instance.store.transaction("create member") as tx:
        made = await register.register(
            tx,
            instance.here,
            username=username,
            email=email,
            password_hash=password_hash,
            keys=keys,
            role=role,
            display_name=display_name,
            language=language,
            locked=locked,
            kind=kind,
        )
    return _facts(made) | ({"password": chosen} if password is None else {})


@member.command("list")
@json_option
@config_of
def _list(config: str, *, as_json: bool) -> None:
    """Every member."""
    found = perform(config, "member.list")
    show(found, as_json=as_json, text=lambda: table(found, "username", "display_name", "email", "role", "state"))


async def list_members(instance: Instance) -> list[dict[str, Any]]:
    """Every member, oldest first."""
    found: list[dict[str, Any]] = []
    after = 0
    async with instance.store.view() as view:
        while some := await accounts.members(view, after=after, limit=500):
            found += [_facts(each) for each in some]
            after = some[-1].account.id
    return found


@member.command("set-role")
@_USERNAME
@click.argument("role", type=click.Choice(ROLES))
@json_option
@config_of
def _set_role(config: str, username: str, role: str, *, as_json: bool) -> None:
    """Give a member another role; they must sign in again."""
    done = perform(config, "member.set-role", username=username, role=role)
    report(done, f"{done['username']} is {role} now, and must sign in again", as_json=as_json)


async def set_role(instance: Instance, *, username: str, role: str) -> dict[str, Any]:
    """Give a member another role."""
    return await _change(instance, username, "set role", partial(sessions.set_role, role=role)) | {"role": role}


async def _change(
    instance: Instance, username: str, what: str, change: Callable[..., Awaitable[object]]
) -> dict[str, Any]:
    """Change a member, by name. `change` takes a transaction, Here, the account, and by whom. Raises NotFound."""
    async with instance.store.transaction(what) as tx:
        account = (await sessions.get_member(tx, instance.here, username)).account
        await change(tx, instance.here, account, by=BY)
        return {"username": account.username}


@member.command("set-password")
@_USERNAME
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of stdin.")
@json_option
@config_of
def _set_password(config: str, username: str, *, password_stdin: bool, as_json: bool) -> None:
    """Replace a password; prints a one-time password if none is given. Ends every session and token."""
    password = _password_from_stdin() if password_stdin else None
    done = perform(config, "member.set-password", username=username, password=password)
    show(done, as_json=as_json, text=lambda: str(done.get("password", "")))


async def set_password(instance: Instance, *, username: str, password: str | None = None) -> dict[str, Any]:
    """Replace a password, and end every session and token."""
    chosen = passwords.one_time_password() if password is None else password
    passwords.check_password(chosen, username=username)
    password_hash = await passwords.hash_password(chosen)
    async with instance.store.transaction("set password") as tx:
        found = await sessions.get_member(tx, instance.here, username)
        await sessions.change_password(tx, instance.here, found.account.id, password_hash, by=BY)
    return {"username": found.account.username} | ({"password": chosen} if password is None else {})


@member.command("approve")
@_USERNAME
@json_option
@config_of
def _approve(config: str, username: str, *, as_json: bool) -> None:
    """Let in somebody who has signed up."""
    done = perform(config, "member.approve", username=username)
    report(done, f"{done['username']} may sign in now", as_json=as_json)


async def approve_member(instance: Instance, *, username: str) -> dict[str, Any]:
    """Let in somebody who has signed up."""

    async def let_in(tx: Transaction, here: Here, account: Account, *, by: str) -> None:
        await register.approve(tx, here, account.id, by=by)

    return await _change(instance, username, "approve member", let_in)


@member.command("disable")
@_USERNAME
@json_option
@config_of
def _disable(config: str, username: str, *, as_json: bool) -> None:
    """Close a login, and end every session and token of it."""
    done = perform(config, "member.disable", username=username)
    report(done, f"{done['username']} can no longer sign in", as_json=as_json)


async def disable_member(instance: Instance, *, username: str) -> dict[str, Any]:
    """Close a login."""
    return await _change(instance, username, "disable member", sessions.disable)


@member.command("enable")
@_USERNAME
@json_option
@config_of
def _enable(config: str, username: str, *, as_json: bool) -> None:
    """Open a closed login again."""
    done = perform(config, "member.enable", username=username)
    report(done, f"{done['username']} can sign in again", as_json=as_json)


async def enable_member(instance: Instance, *, username: str) -> dict[str, Any]:
    """Open a closed login again."""
    return await _change(instance, username, "enable member", sessions.enable)


@member.command("alias")
@_USERNAME
@click.argument("other")
@click.option("--remove", is_flag=True, help="Take the alias back.")
@json_option
@config_of
def _alias(config: str, username: str, other: str, *, remove: bool, as_json: bool) -> None:
    """Say that OTHER (@name@domain, or an actor id) is the same person, so that it can move to this account.

    To --remove one, give its actor id as it is listed.
    """
    done = perform(config, "member.alias", username=username, other=other, remove=remove)
    report(done, "\n".join(done["aliases"]) or "no aliases", as_json=as_json)


async def alias_member(instance: Instance, *, username: str, other: str, remove: bool = False) -> dict[str, Any]:
    """Add or remove an alias of a member."""
    here, levels = instance.here, instance.levels
    if remove:
        async with instance.store.transaction("drop alias") as tx:
            account = (await sessions.get_member(tx, here, username)).account
            changed = await moving.drop_alias(tx, here, levels, account, other)
    else:
        named = await moving.named(instance.lookup, other)
        async with instance.store.transaction("add alias") as tx:
            account = (await sessions.get_member(tx, here, username)).account
            changed = await moving.add_alias(tx, here, levels, account, named)
    return {"username": changed.username, "aliases": list(changed.also_known_as)}


@member.command("move")
@_USERNAME
@click.argument("target", required=False, default="")
@click.option("--back", is_flag=True, help="Take the redirection back; followers stay where they went.")
@json_option
@config_of
def _move(config: str, username: str, target: str, *, back: bool, as_json: bool) -> None:
    """Move a member, with their followers, to TARGET (@name@domain), which has to name them as an alias."""
    if bool(target) == back:
        raise click.UsageError("give either a TARGET or --back")
    done = perform(config, "member.move", username=username, target=target)
    says = f"{done['username']} moved to {done['moved_to']}" if target else f"{done['username']} is here again"
    report(done, says, as_json=as_json)


async def move_member(instance: Instance, *, username: str, target: str) -> dict[str, Any]:
    """Move a member elsewhere, or ('') take that back."""
    here, levels = instance.here, instance.levels
    new = await moving.named(instance.lookup, target) if target else None
    async with instance.store.transaction("move member") as tx:
        account = (await sessions.get_member(tx, here, username)).account
        if new is None:
            await moving.stay(tx, here, levels, account)
        else:
            await moving.move(tx, here, levels, account, new, by=BY)
    return {"username": account.username, "moved_to": new.uri if new else ""}


@member.command("delete")
@_USERNAME
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@config_of
def _delete(config: str, username: str, *, yes: bool, as_json: bool) -> None:
    """Erase a member for good: here, and wherever peers do as they are asked. The name is never given again."""
    confirm(f"Erase {username} and everything they wrote? There is no way back", yes=yes)
    done = perform(config, "member.delete", username=username)
    report(done, f"{done['username']} is erased; every peer is asked to do the same", as_json=as_json)


async def delete_member(instance: Instance, *, username: str) -> dict[str, Any]:
    """Erase a member for good."""
    async with instance.store.transaction("delete member") as tx:
        found = await sessions.get_member(tx, instance.here, username)
        await leave.leave(tx, instance.here, instance.levels, found.account, by=BY)
        return {"username": found.account.username, "uri": found.account.uri}


@member.command("invite")
@click.argument("email")
@json_option
@config_of
def _invite(config: str, email: str, *, as_json: bool) -> None:
    """An invitation for one e-mail address, good for two weeks."""
    made = perform(config, "member.invite", email=email)
    show(made, as_json=as_json, text=lambda: str(made["invitation"]))


async def invite_member(instance: Instance, *, email: str) -> dict[str, Any]:
    """An invitation for one e-mail address."""
    return {"email": email, "invitation": register.invite(instance.here, email)}


member.add_command(keys)
member.add_command(rotate_keys)


@click.group()
def token() -> None:
    """Bearer tokens for the client API."""


@token.command("create")
@_USERNAME
@click.option("--scopes", default="read write follow push", show_default=True)
@json_option
@config_of
def _create_token(config: str, username: str, scopes: str, *, as_json: bool) -> None:
    """Print a token that acts for a member. It is shown this once, and stored nowhere.

    For an admin, `read` and `write` include the administration: whoever may run this command may do all of that.
    """
    made = perform(config, "token.create", username=username, scopes=scopes)
    show(made, as_json=as_json, text=lambda: str(made["token"]))


async def create_token(instance: Instance, *, username: str, scopes: str) -> dict[str, Any]:
    """A token that acts for a member. Raises Invalid when the member may not sign in."""
    async with instance.store.transaction("create token") as tx:
        found = await sessions.get_member(tx, instance.here, username)
        if not found.may_sign_in:
            raise Invalid(f"{found.account.username} may not sign in")
        granted = tokens.with_administration(tokens.check_scopes(scopes), found)
        made = await tokens.issue(tx, instance.here, found, granted, by=BY)
    return {
        "token": made,
        "token_type": "Bearer",
        "scopes": granted,
        "username": found.account.username,
    }


def _facts(member: Member) -> dict[str, Any]:
    account = member.account
    return {
        "id": str(account.id),
        "username": account.username,
        "handle": account.handle,
        "display_name": account.display_name,
        "email": member.email,
        "role": member.role,
        "state": _state(member),
        "created_at": iso(member.created_at),
        "uri": account.uri,
        "url": account.url,
    }


def _state(member: Member) -> str:
    if member.disabled_at is not None:
        return "disabled"
    if not member.account.active:
        return "suspended"
    if member.confirmed_at is None:
        return "unconfirmed"
    return "active" if member.approved_at is not None else "waiting"


def _brief(made: Mapping[str, Any]) -> dict[str, Any]:
    return {name: made[name] for name in ("handle", "email", "role", "url", "password") if name in made}


def _password_from_stdin() -> str:
    return sys.stdin.readline().rstrip("\r\n")
