"""medfed group."""

from typing import Any

import click

from medfed.accounts import groups as making
from medfed.accounts import leave, register, sessions
from medfed.cli.actions import BY, config_of, perform
from medfed.cli.output import confirm, facts, json_option, report, show, table
from medfed.domain.accounts import Account
from medfed.domain.groups import Group
from medfed.instance import Instance
from medfed.kernel.clock import iso
from medfed.kernel.paging import Page
from medfed.storage import accounts, groups, relations
from medfed.storage.database import View

_NAME = click.argument("name")
_SHOWN = 200


@click.group()
def group() -> None:
    """Groups: communities that pass on what their members write."""


@group.command("create")
@_NAME
@click.option("--title", required=True, help="What it is called, such as Cardiologie, Lyon.")
@click.option("--about", default="", help="What it is about.")
@click.option("--closed", is_flag=True, help="Only members read it, and see who is in it; moderators let people in.")
@click.option("--moderated", is_flag=True, help="Only moderators begin discussions.")
@click.option("--moderator", "moderators", multiple=True, metavar="USERNAME", help="Who moderates it; may be repeated.")
@json_option
@config_of
def _create(config: str, /, name: str, *, moderators: tuple[str, ...], as_json: bool, **more: Any) -> None:
    """Make a group; whoever follows it is a member."""
    made = perform(config, "group.create", username=name, moderators=list(moderators), **more)
    show(made, as_json=as_json, text=lambda: facts(made))


async def create_group(
    instance: Instance,
    *,
    username: str,
    title: str,
    about: str = "",
    closed: bool = False,
    moderated: bool = False,
    moderators: list[str],
) -> dict[str, Any]:
    """Make a group. Raises Invalid, NotFound."""
    keys = await register.new_keys()
    async with instance.store.transaction("create group") as tx:
        chosen = [(await sessions.get_member(tx, instance.here, each)).account for each in moderators]
        await making.create(
            tx,
            instance.here,
            instance.levels,
            username=username,
            keys=keys,
            title=title,
            about=about,
            closed=closed,
            moderated=moderated,
            moderators=chosen,
            by=BY,
        )
        return await _facts(tx, *await making.named(tx, instance.here, username))


@group.command("list")
@json_option
@config_of
def _list(config: str, *, as_json: bool) -> None:
    """The groups of this instance."""
    found = perform(config, "group.list")
    show(
        found,
        as_json=as_json,
        text=lambda: table(found, "name", "title", "members", "closed", "moderated", "moderators"),
    )


async def list_groups(instance: Instance) -> list[dict[str, Any]]:
    """The groups of this instance, oldest first."""
    async with instance.store.view() as view:
        found = await groups.every(view)
        known = await accounts.find_many(view, (each.account_id for each in found))
        return [await _facts(view, known[each.account_id], each) for each in found]


@group.command("members")
@_NAME
@json_option
@config_of
def _members(config: str, name: str, *, as_json: bool) -> None:
    """Who follows a group, the newest first, 200 at most."""
    found = perform(config, "group.members", username=name)
    show(found, as_json=as_json, text=lambda: table(found, "handle", "name"))


async def list_members(instance: Instance, *, username: str) -> list[dict[str, Any]]:
    """The newest members of a group. Raises NotFound."""
    async with instance.store.view() as view:
        account, _ = await making.named(view, instance.here, username)
        ids = [id_ for _, id_ in await relations.followers(view, account.id, Page(limit=_SHOWN))]
        known = await accounts.find_many(view, ids)
        return [{"handle": known[id_].handle, "name": known[id_].name, "uri": known[id_].uri} for id_ in ids]


@group.command("moderators")
@_NAME
@click.option("--add", default="", metavar="USERNAME", help="From now on, this member moderates it.")
@click.option("--remove", default="", metavar="USERNAME", help="This member no longer moderates it.")
@json_option
@config_of
def _moderators(config: str, name: str, *, add: str, remove: str, as_json: bool) -> None:
    """Who moderates a group; and changing that."""
    found = perform(config, "group.moderators", username=name, add=add, remove=remove)
    show(found, as_json=as_json, text=lambda: "\n".join(found["moderators"]))


async def change_moderators(instance: Instance, *, username: str, add: str = "", remove: str = "") -> dict[str, Any]:
    """Who moderates a group, after the change. Raises NotFound, Invalid."""
    async with instance.store.transaction("change moderators") as tx:
        account, found = await making.named(tx, instance.here, username)
        if add:
            member = await sessions.get_member(tx, instance.here, add)
            await making.appoint(tx, instance.here, account, member.account, by=BY)
        if remove:
            member = await sessions.get_member(tx, instance.here, remove)
            await making.dismiss(tx, instance.here, account, member.account, by=BY)
        return await _facts(tx, account, found)


@group.command("close")
@_NAME
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@config_of
def _close(config: str, name: str, *, yes: bool, as_json: bool) -> None:
    """End a group for good; what its members wrote stays theirs. The name is never given again."""
    confirm(f"Close {name}? There is no way back", yes=yes)
    done = perform(config, "group.close", username=name)
    report(done, f"{done['name']} is closed; every peer is told", as_json=as_json)


async def close_group(instance: Instance, *, username: str) -> dict[str, Any]:
    """End a group for good. Raises NotFound."""
    async with instance.store.transaction("close group") as tx:
        account, _ = await making.named(tx, instance.here, username)
        await leave.leave(tx, instance.here, instance.levels, account, by=BY)
        return {"name": account.username, "uri": account.uri}


async def _facts(view: View, account: Account, group: Group) -> dict[str, Any]:
    known = await accounts.find_many(view, await groups.moderators(view, account.id))
    return {
        "name": account.username,
        "title": group.title or account.display_name,
        "handle": account.handle,
        "uri": account.uri,
        "members": await relations.count_followers(view, account.id),
        "closed": group.closed,
        "moderated": group.moderated,
        "moderators": [each.username for each in known.values()],
        "created_at": iso(group.created_at),
    }
