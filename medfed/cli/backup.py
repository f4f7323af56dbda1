"""medfed backup, medfed restore: a consistent copy of everything, taken while it serves, and its way back."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import click

from medfed.cli.actions import config_of, load, perform
from medfed.cli.output import failures, json_option, report
from medfed.instance import Instance, key_path
from medfed.kernel.errors import MedfedError, Misconfigured
from medfed.posts.ledger import FILE as LEDGER
from medfed.settings import Settings
from medfed.storage.connect import sqlite_path
from medfed.storage.sqlite import SqliteStore

DATABASE: Final = "medfed.db"
DUMP: Final = "medfed.pgdump"
MEDIA: Final = "media"
KEY: Final = "secret.key"
CONFIGURATION: Final = "medfed.toml"


@click.command("backup")
@click.argument("directory", type=click.Path(path_type=Path))
@json_option
@config_of
def backup(config: str, directory: Path, *, as_json: bool) -> None:
    """Copy database, images, keys and configuration into DIRECTORY, which must not exist yet."""
    with failures(), ExitStack() as undo:
        target = _fresh(directory)
        undo.callback(shutil.rmtree, target, ignore_errors=True)
        engine = _fill(target, config)
        undo.pop_all()
    said = f"backed up to {target}; it holds private keys: keep it as you keep the server"
    report({"directory": str(target), "engine": engine}, said, as_json=as_json)


@click.command("restore")
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--erased",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="An erased.txt from after the backup: what it names is deleted again. May be given several times.",
)
@json_option
@config_of
def restore(config: str, directory: Path, erased: tuple[Path, ...], *, as_json: bool) -> None:
    """Bring a backup back, into an empty data directory only."""
    with failures():
        settings = restore_from(directory, Path(config), erased)
    done = {"domain": settings.instance.domain, "data_dir": str(settings.instance.data_dir)}
    report(done, "restored; run `medfed doctor` and `medfed audit verify` before you serve", as_json=as_json)


async def copy_database(instance: Instance) -> dict[str, Any]:
    """Copy the database into a new folder below the data directory, which the caller takes away.

    There and nowhere else: a server that is confined sees no other place, and writes where nobody else names.
    """
    folder = Path(tempfile.mkdtemp(prefix="backup-", dir=instance.settings.instance.data_dir))
    try:
        if isinstance(instance.store, SqliteStore):
            await instance.store.copy_to(folder / DATABASE)
        else:
            await _run(instance.settings.database_url, "pg_dump", "--format=custom", f"--file={folder / DUMP}")
    except (MedfedError, OSError):
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return {"folder": str(folder), "engine": instance.store.engine}


def restore_from(directory: Path, config: Path, erased: Sequence[Path] = ()) -> Settings:
    """Put a backup where its configuration says; what was brought is taken away again if something fails.

    What the `erased` files name is erased when the instance starts.

    Raises Misconfigured when there is something already, or when the backup holds what no backup of ours does (G11).
    """
    _refuse_what_is_no_file(directory)
    with ExitStack() as undo:
        if not config.exists():
            _place(_part(directory, CONFIGURATION), config)
            undo.callback(config.unlink)
        settings = load(str(config))
        data = settings.instance.data_dir
        if data.exists() and any(not part.samefile(config) for part in data.iterdir()):
            raise Misconfigured(f"{data} is not empty; a backup is restored into an empty data directory only")
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        undo.callback(_take_away, data, config)
        _bring(directory, settings)
        for path in erased:
            _append(path, data / LEDGER)
        undo.pop_all()
    return settings


def _refuse_what_is_no_file(directory: Path) -> None:
    """Links lead out of a backup, and pipes and devices never end."""
    for path in directory.rglob("*"):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise Misconfigured(f"{directory} is no backup of medfed: {path.relative_to(directory)} is no plain file")


def _bring(directory: Path, settings: Settings) -> None:
    _place(_part(directory, KEY), key_path(settings))
    if (directory / LEDGER).exists():
        _place(directory / LEDGER, settings.instance.data_dir / LEDGER)
    if (directory / MEDIA).exists():
        shutil.copytree(directory / MEDIA, settings.media_dir)
    if settings.database_url.startswith("sqlite"):
        _place(_part(directory, DATABASE), sqlite_path(settings.database_url))
    else:
        dump = _part(directory, DUMP)
        asyncio.run(_run(settings.database_url, "pg_restore", "--single-transaction", "--exit-on-error", str(dump)))


def _take_away(data: Path, config: Path) -> None:
    """Empty a data directory again, but for the configuration, which may lie in it."""
    for part in data.iterdir():
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        elif not (config.exists() and part.samefile(config)):
            part.unlink()


def _fill(target: Path, config: str) -> str:
    """Bring all parts of a backup together; returns the database's engine.

    The database is copied first: an image that it names was on disk before it was named.
    """
    copied = perform(config, "backup")
    folder = Path(copied["folder"])
    try:
        for part in folder.iterdir():
            _place(part, target / part.name)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _copy_files(load(config), target)
    _place(Path(config), target / CONFIGURATION)
    return str(copied["engine"])


def _fresh(directory: Path) -> Path:
    target = directory.absolute()
    if target.exists():
        raise Misconfigured(f"{target} exists; a backup makes its own folder")
    target.mkdir(mode=0o700, parents=True)
    return target


def _copy_files(settings: Settings, target: Path) -> None:
    if settings.media_dir.exists():
        shutil.copytree(settings.media_dir, target / MEDIA)
    _place(key_path(settings), target / KEY)
    if (settings.instance.data_dir / LEDGER).exists():
        _place(settings.instance.data_dir / LEDGER, target / LEDGER)


def _place(source: Path, target: Path) -> None:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o600)


def _append(source: Path, target: Path) -> None:
    target.touch(mode=0o600)
    with target.open("ab") as file:
        file.write(source.read_bytes())


def _part(directory: Path, name: str) -> Path:
    found = directory / name
    if not found.exists():
        raise Misconfigured(f"{directory} is no backup: {name} is not in it")
    return found


async def _run(url: str, *command: str) -> None:
    """Run one of PostgreSQL's own programs on a database. Raises Misconfigured, never repeating a password.

    Nor is the password among the arguments, which everybody on the machine can read.
    """
    where, password = _apart(url)
    environment = os.environ | ({"PGPASSWORD": password} if password else {})
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            f"--dbname={where}",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
        )
    except FileNotFoundError:
        raise Misconfigured(f"{command[0]} is not installed; it comes with PostgreSQL's client programs") from None
    _, said = await process.communicate()
    if process.returncode:
        raise Misconfigured(f"{command[0]} failed: {said.decode('utf-8', 'replace').strip()[:300]}")


def _apart(url: str) -> tuple[str, str]:
    """A postgresql URL without its password, and the password."""
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    name, _, password = user.partition(":")
    if not password:
        return url, ""
    return parts._replace(netloc=f"{name}@{host}").geturl(), unquote(password)
