"""medfed backup-key: the key that opens backups, which belongs anywhere but on the machine that is backed up."""

import os
from pathlib import Path
from typing import Final

import click

from medfed.cli.actions import config_of
from medfed.cli.output import failures, json_option, new_file, say, show
from medfed.kernel.age import Identity, parse_identities
from medfed.kernel.errors import Malformed, Misconfigured

BACKUP_KEY: Final = "backup-key.txt"
"""Beside the configuration, until it is put where it belongs."""


@click.command("backup-key")
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@json_option
@config_of
def backup_key(config: str, file: Path | None, *, as_json: bool) -> None:
    """Make a key in FILE (backup-key.txt beside the configuration), and print whom to encrypt to (age1…)."""
    path = file or Path(config).with_name(BACKUP_KEY)
    with failures():
        identity = Identity.make()
        keep_key(path, identity)
    recipient = str(identity.recipient)
    show({"recipient": recipient, "file": str(path)}, as_json=as_json, text=lambda: recipient)
    if not as_json:
        say(f'in medfed.toml: [backup] recipients = ["{recipient}"]; keep {path} on another machine')


def keep_key(path: Path, identity: Identity) -> None:
    """Write a key to its file, for this user only. Raises Misconfigured."""
    with new_file(path) as file:
        file.write(f"# opens backups of medfed that were encrypted to\n# {identity.recipient}\n{identity.reveal()}\n")
        file.flush()
        os.fsync(file.fileno())


def read_key(path: Path) -> list[Identity]:
    """The identities in a key file. Raises Misconfigured, never repeating them."""
    try:
        return parse_identities(path.read_text("ascii"))
    except (Malformed, UnicodeDecodeError) as error:
        said = error if isinstance(error, Malformed) else "it is no text"
        raise Misconfigured(f"{path} is no key that opens backups: {said}") from None
