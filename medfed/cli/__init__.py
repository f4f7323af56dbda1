"""The command line: one line for each command; what a command needs is imported when it is called."""

import gc
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Final, NamedTuple

import click

from medfed import __version__


class Line(NamedTuple):
    """A command: where it is defined, and what it does in a few words."""

    name: str
    where: str
    does: str


COMMANDS: Final = (
    Line("init", "medfed.cli.setup:init", "write the configuration, create database and keys"),
    Line("serve", "medfed.cli.serve:serve", "serve, and do the background work"),
    Line("worker", "medfed.cli.serve:worker", "background work only (PostgreSQL)"),
    Line("migrate", "medfed.cli.setup:migrate", "bring the database up to date"),
    Line("member", "medfed.cli.people:member", "create, list and change members"),
    Line("group", "medfed.cli.groups:group", "make groups, and say who moderates them"),
    Line("token", "medfed.cli.people:token", "make tokens for the client API"),
    Line("peer", "medfed.cli.peers:peer", "list peers and decide how far each is let in"),
    Line("policy", "medfed.cli.policy:policy", "show, export and apply the trust policy"),
    Line("attest", "medfed.cli.attest:attest", "issue, list, revoke and verify attestations"),
    Line("queue", "medfed.cli.queue:queue", "look at deliveries and tasks, retry or drop them"),
    Line("audit", "medfed.cli.audit:audit", "check the audit trail"),
    Line("backup", "medfed.cli.backup:backup", "copy everything, encrypted, while it serves"),
    Line("backup-key", "medfed.cli.backup_key:backup_key", "make a key that opens backups"),
    Line("restore", "medfed.cli.backup:restore", "bring a backup back into an empty data directory"),
    Line("doctor", "medfed.cli.doctor:doctor", "say what is wrong with this installation"),
    Line("demo", "medfed.cli.demo:demo", "run a small federation on loopback"),
    Line("bench", "medfed.cli.bench:bench", "measure this machine"),
)


class _Commands(click.Group):
    """Imports a command when it is called, and none to list them."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return [line.name for line in COMMANDS]

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        line = next((line for line in COMMANDS if line.name == cmd_name), None)
        if line is None:
            return None
        module, _, attribute = line.where.partition(":")
        # What imports make stays: to look for garbage among it, again and again, is a tenth of the start.
        gc.disable()
        try:
            command = getattr(importlib.import_module(module), attribute)
        finally:
            gc.enable()
        if not isinstance(command, click.Command):
            raise TypeError(f"{line.where} is no command")
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(line.name, line.does) for line in COMMANDS])


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    metavar="PATH",
    default=lambda: os.environ.get("MEDFED_CONFIG") or "medfed.toml",
    help="The configuration; default $MEDFED_CONFIG, then ./medfed.toml.",
)
@click.version_option(__version__, message="medfed %(version)s")
@click.pass_context
def root(ctx: click.Context, config: str) -> None:
    """A federated, self-hostable ActivityPub server for medical communities."""
    ctx.obj = config


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit: 0 done, 1 refused or failed with one sentence, 2 usage."""
    sys.exit(run(sys.argv[1:] if arguments is None else list(arguments)))


def run(arguments: Sequence[str]) -> int:
    """The exit status of a command; what it says goes to stdout and stderr."""
    try:
        status = root.main(args=list(arguments), prog_name="medfed", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return 2
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        click.echo("interrupted", err=True)
        return 130
    return status if isinstance(status, int) else 0
