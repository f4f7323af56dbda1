"""medfed init, medfed migrate: from nothing to an instance that can be served, and from one version to the next."""

import asyncio
import json
import os
import secrets
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import click

from medfed import settings as configuration
from medfed.accounts.register import new_keys, register_instance_actor
from medfed.cli.actions import config_of, load
from medfed.cli.backup_key import BACKUP_KEY, keep_key, read_key
from medfed.cli.output import failures, json_option, new_file, say, show
from medfed.domain.accounts import is_authority
from medfed.instance import Instance, key_path, open_instance
from medfed.kernel.age import Identity, Recipient
from medfed.kernel.errors import Invalid, Misconfigured
from medfed.kernel.html import neutralise
from medfed.kernel.secrets import KEY_BYTES, Vault
from medfed.settings import Settings
from medfed.storage import migrate as migrations
from medfed.storage.connect import connect, sqlite_path
from medfed.verification import issuer

_TEMPLATE: Final = """\
# medfed: what an operator may set. Every key is explained in docs/guide/settings.md, and can also be set in the
# environment as MEDFED_SECTION__KEY. Check with `medfed doctor`.

[instance]
domain = {domain}        # in handles and ids; never changes
public_url = {public_url}
name = {name}
data_dir = {data_dir}        # database, media, keys, mail; relative to this file
# contact = "admin@example.org"
# languages = ["fr", "en"]

[http]
host = "127.0.0.1"
port = {port}
# trusted_proxies = ["127.0.0.1"]        # whose forwarding headers are believed

# [database]
# url = "postgresql://medfed@localhost/medfed"        # default: SQLite in data_dir

# [federation]
# mode = "cautious"        # open | cautious | allowlist

# [mail]
# url = "smtp://localhost"        # default: mail is written to data_dir/mail

# [registration]
# mode = "approval"        # closed | invite | approval | open

[backup]
recipients = {recipients}        # age keys that backups are encrypted to
"""
_NAME: Final = 100
_PORT: Final = 8000


@click.command()
@click.option("--domain", required=True, help="In handles and ids; never changes.")
@click.option("--name", default="", help="What members and peers see; default the domain.")
@click.option("--public-url", default="", help="Where browsers and peers reach it; default https://DOMAIN.")
@click.option("--data-dir", default="data", show_default=True, help="Relative to the configuration.")
@click.option("--recipient", "recipients", multiple=True, help="Encrypt backups to this age key; default a new one.")
@json_option
@config_of
def init(
    config: str, domain: str, name: str, public_url: str, data_dir: str, recipients: tuple[str, ...], *, as_json: bool
) -> None:
    """Write the configuration, create database and keys. Refuses to overwrite."""
    path = Path(config)
    with failures():
        made = asyncio.run(
            make(path, domain=domain, name=name, public_url=public_url, data_dir=data_dir, recipients=recipients)
        )
    if as_json:
        show(made, as_json=True, text=str)
        return
    say(f"wrote {path}, and the database and keys of {made['domain']}")
    if made["backup_key"]:
        say(f"backups can be opened with {made['backup_key']} only: copy it to another place now, then remove it here")
    say("next: medfed member create NAME --email ADDRESS --role admin, then medfed serve")


async def make(
    path: Path, *, domain: str, name: str, public_url: str, data_dir: str, recipients: Sequence[str] = ()
) -> dict[str, Any]:
    """Everything that a new instance needs; what was made is removed again if something fails.

    Backups are encrypted to `recipients`; without any, to a new key, which is put beside the configuration.
    Raises Invalid, Malformed, Misconfigured.
    """
    key = path.with_name(BACKUP_KEY)
    new = None if recipients or key.exists() else Identity.make()
    readers = [Recipient.parse(each) for each in recipients]
    readers = readers or [new.recipient if new else read_key(key)[0].recipient]
    text = configuration_text(
        domain=domain, name=name, public_url=public_url, data_dir=data_dir, recipients=[str(each) for each in readers]
    )
    with ExitStack() as undo:
        settings = _written(path, text, undo)
        _refuse_to_overwrite(settings)
        _make_folder(settings.instance.data_dir, undo)
        _make_key(key_path(settings), undo)
        if new:
            keep_key(key, new)
            undo.callback(_remove, key)
        if settings.database_url.startswith("sqlite"):
            database = sqlite_path(settings.database_url)
            undo.callback(_remove, database, *(database.with_name(database.name + end) for end in ("-wal", "-shm")))
            undo.callback(_remove, database.with_suffix(".lock"))
        async with open_instance(settings, role="tool") as instance:
            if not await migrations.is_empty(instance.store):
                raise Misconfigured("the database holds an instance already; it is not overwritten")
            await migrations.migrate(instance.store)
            await make_identity(instance)
        undo.pop_all()
    return {
        "domain": settings.instance.domain,
        "public_url": settings.instance.public_url,
        "config": str(path),
        "data_dir": str(settings.instance.data_dir),
        "backup_key": "" if recipients else str(key),
    }


async def make_identity(instance: Instance) -> None:
    """The actor and the keys that this instance speaks with, as far as they are missing."""
    keys = await new_keys()
    async with instance.store.transaction("make identity") as tx:
        await migrations.hold(tx)
        await register_instance_actor(tx, instance.here, keys)
        await issuer.create_key(tx, instance.here)


def configuration_text(*, domain: str, name: str, public_url: str, data_dir: str, recipients: Sequence[str]) -> str:
    """A medfed.toml. Raises Invalid for what is no domain or URL."""
    authority = domain.strip().lower().rstrip(".")
    if not is_authority(authority):
        raise Invalid(f"{domain[:100]!r} is not a domain; write it like chu-lyon.example")
    url = (public_url.strip() or f"https://{authority}").rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not is_authority(parts.netloc) or parts.path or parts.query:
        raise Invalid(f"{public_url[:100]!r} is not a public URL; write it like https://chu-lyon.example")
    port = parts.port if parts.scheme == "http" and parts.port else _PORT
    quoted = {
        "domain": authority,
        "public_url": url,
        "name": neutralise(name, _NAME) or authority,
        "data_dir": data_dir,
        "recipients": recipients,
    }
    return _TEMPLATE.format(port=port, **{key: json.dumps(value, ensure_ascii=False) for key, value in quoted.items()})


def _written(path: Path, text: str, undo: ExitStack) -> Settings:
    """Write the file, which must not exist, and read it as every other command will."""
    with new_file(path) as file:
        undo.callback(_remove, path)
        file.write(text)
    return configuration.load(path, os.environ)


def _refuse_to_overwrite(settings: Settings) -> None:
    held = [settings.instance.data_dir / "secret.key"]
    if settings.database_url.startswith("sqlite"):
        held.append(sqlite_path(settings.database_url))
    for path in held:
        if path.exists():
            raise Misconfigured(f"{path} exists already: there is an instance in this folder")


def _make_folder(folder: Path, undo: ExitStack) -> None:
    if folder.is_dir():
        return
    try:
        folder.mkdir(mode=0o700, parents=True)
    except OSError as error:
        raise Misconfigured(f"the folder {folder} cannot be made: {error.strerror}") from None
    undo.callback(shutil.rmtree, folder, ignore_errors=True)


def _make_key(path: Path, undo: ExitStack) -> None:
    """Make the key-encryption key, unless the environment names one that is kept elsewhere."""
    if path.exists():
        try:
            Vault(bytes.fromhex(path.read_text("ascii").strip()))
        except (OSError, ValueError) as error:
            raise Misconfigured(f"the key file {path} cannot be used: {error}") from None
        return
    with new_file(path) as file:
        undo.callback(_remove, path)
        file.write(secrets.token_hex(KEY_BYTES) + "\n")
        file.flush()
        os.fsync(file.fileno())


def _remove(*paths: Path) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would be applied.")
@json_option
@config_of
def migrate(config: str, *, dry_run: bool, as_json: bool) -> None:
    """Bring the database up to date. A SQLite file with data is copied first."""
    with failures():
        settings = load(config)
        done = asyncio.run(_planned(settings) if dry_run else _migrated(settings))
    names = [f"{each.number:04} {each.name}" for each in done]
    verb = "would apply" if dry_run else "applied"
    text: Callable[[], str] = lambda: "\n".join(f"{verb} {name}" for name in names) or "the database is up to date"  # noqa: E731
    show({"dry_run": dry_run, "migrations": names}, as_json=as_json, text=text)


async def _planned(settings: Settings) -> list[migrations.Migration]:
    store = await connect(settings.database_url, role="tool")
    try:
        return await migrations.plan(store)
    finally:
        await store.aclose()


async def _migrated(settings: Settings) -> list[migrations.Migration]:
    async with open_instance(settings, role="tool") as instance:
        done = await migrations.migrate(instance.store)
        await make_identity(instance)
        return done
