"""What commands do to an instance: functions from an Instance to plain data, called here or in the running server.

A server on SQLite is the only process that may write to its database. A command that finds one running asks it,
through a socket that only the same user can open, to call the very function that the command would have called.
"""

import asyncio
import importlib
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import click

from medfed import settings as configuration
from medfed.cli import remote
from medfed.cli.output import failures
from medfed.instance import Instance, open_instance
from medfed.kernel.errors import Invalid, Misconfigured
from medfed.settings import Settings
from medfed.storage import migrate
from medfed.storage.database import Store
from medfed.storage.lock import ServerRunning

Action: TypeAlias = Callable[..., Awaitable[Any]]

ACTIONS: Final[Mapping[str, str]] = {
    "member.create": "medfed.cli.people:create_member",
    "member.list": "medfed.cli.people:list_members",
    "member.set-role": "medfed.cli.people:set_role",
    "member.set-password": "medfed.cli.people:set_password",
    "member.approve": "medfed.cli.people:approve_member",
    "member.disable": "medfed.cli.people:disable_member",
    "member.enable": "medfed.cli.people:enable_member",
    "member.alias": "medfed.cli.people:alias_member",
    "member.move": "medfed.cli.people:move_member",
    "member.delete": "medfed.cli.people:delete_member",
    "member.invite": "medfed.cli.people:invite_member",
    "member.keys": "medfed.cli.keys:list_keys",
    "member.rotate-keys": "medfed.cli.keys:rotate_account_keys",
    "member.rotate-all-keys": "medfed.cli.keys:rotate_all_keys",
    "group.create": "medfed.cli.groups:create_group",
    "group.list": "medfed.cli.groups:list_groups",
    "group.members": "medfed.cli.groups:list_members",
    "group.moderators": "medfed.cli.groups:change_moderators",
    "group.close": "medfed.cli.groups:close_group",
    "token.create": "medfed.cli.people:create_token",
    "peer.list": "medfed.cli.peers:list_peers",
    "peer.show": "medfed.cli.peers:show_peer",
    "peer.set": "medfed.cli.peers:set_peer",
    "policy.show": "medfed.cli.policy:show_policy",
    "policy.history": "medfed.cli.policy:list_versions",
    "policy.apply": "medfed.cli.policy:apply_policy",
    "policy.revoke-key": "medfed.cli.policy:revoke_key",
    "attest.issue": "medfed.cli.attest:issue_attestation",
    "attest.list": "medfed.cli.attest:list_attestations",
    "attest.revoke": "medfed.cli.attest:revoke_attestation",
    "attest.verify": "medfed.cli.attest:verify_credential",
    "attest.issuers": "medfed.cli.attest:list_issuers",
    "attest.confirm-keys": "medfed.cli.attest:confirm_keys",
    "attest.replace-key": "medfed.cli.attest:replace_key",
    "queue.list": "medfed.cli.queue:list_queue",
    "queue.retry": "medfed.cli.queue:retry_queue",
    "queue.drop": "medfed.cli.queue:drop_queue",
    "audit.verify": "medfed.cli.audit:verify_trail",
    "backup": "medfed.cli.backup:copy_database",
    "doctor": "medfed.cli.doctor:examine",
}
"""Every function that the local socket may be asked for."""

BY: Final = "command line"
"""Who did it, in the audit trail."""

SOCKET: Final = "medfed.sock"


def perform(config: str, name: str, **arguments: Any) -> Any:
    """Do `name` here, or have the running server do it. Raises output.Failed."""
    with failures():
        return asyncio.run(_perform(load(config), name, arguments))


def load(config: str) -> Settings:
    """The configuration that a command runs under. Raises Misconfigured."""
    return configuration.load(Path(config), os.environ)


def find(name: str) -> Action:
    """The function behind an action. Raises Invalid."""
    where = ACTIONS.get(name)
    if where is None:
        raise Invalid(f"{name[:60]!r} is not something to be done")
    module, _, attribute = where.partition(":")
    action: Action = getattr(importlib.import_module(module), attribute)
    return action


async def require_schema(store: Store) -> None:
    """Raises Misconfigured unless the database has the schema that this program knows."""
    if await migrate.plan(store):
        raise Misconfigured("the database is not up to date; run `medfed migrate`")


async def _perform(settings: Settings, name: str, arguments: Mapping[str, Any]) -> Any:
    try:
        async with open_instance(settings, role="tool") as instance:
            await require_schema(instance.store)
            await instance.levels.reload(instance.store)
            return await find(name)(instance, **arguments)
    except ServerRunning:
        return await remote.ask(settings.instance.data_dir / SOCKET, name, arguments)


async def answer(instance: Instance, name: str, arguments: Mapping[str, Any]) -> Any:
    """Do what a command asked the running server for. Raises Invalid, and what the action raises."""
    try:
        return await find(name)(instance, **arguments)
    except TypeError as error:
        if "argument" not in str(error):
            raise
        raise Invalid(f"{name}: this server is of another version than the command") from None


config_of = click.make_pass_decorator(str)
"""Hands a command the path of the configuration, as its first argument."""
