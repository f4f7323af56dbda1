"""medfed backup, medfed restore: a consistent, encrypted copy of everything, taken while it serves; its way back."""

import asyncio
import io
import os
import shutil
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import click

from medfed import __version__
from medfed.cli.actions import BY, config_of, load, perform
from medfed.cli.archive import (
    ARCHIVE,
    CONFIGURATION,
    DATABASE,
    DUMP,
    KEY,
    MEDIA,
    Backup,
    Contents,
    Part,
    look_through,
    open_backup,
    write_plain,
    write_sealed,
)
from medfed.cli.backup_key import BACKUP_KEY, read_key
from medfed.cli.output import failures, json_option, report, say
from medfed.instance import Instance, key_path
from medfed.kernel.age import Recipient
from medfed.kernel.clock import SystemClock, iso
from medfed.kernel.errors import MedfedError, Misconfigured
from medfed.posts.ledger import FILE as LEDGER
from medfed.posts.ledger import whole_lines
from medfed.settings import Settings
from medfed.storage import moderation
from medfed.storage.connect import sqlite_path
from medfed.storage.sqlite import SqliteStore

NOTE: Final = "README.txt"
_LONGEST_KEY: Final = 1024
_NOTE: Final = """\
A backup of {domain}, made {at} by medfed {version}. It is encrypted with age (age-encryption.org/v1) to

{recipients}

Who has the key that belongs to one of these brings it back, or looks inside with any program that knows age:

    medfed restore THIS-FOLDER --identity KEY-FILE
    age --decrypt --identity KEY-FILE {archive} | tar --list
"""


@click.command("backup")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--recipient", "recipients", multiple=True, help="Encrypt to this age key, instead of backup.recipients.")
@click.option("--insecure-plaintext", is_flag=True, help="Do not encrypt; the audit trail says so.")
@json_option
@config_of
def backup(
    config: str, directory: Path, recipients: tuple[str, ...], *, insecure_plaintext: bool, as_json: bool
) -> None:
    """Copy database, images, keys and configuration, encrypted, into DIRECTORY, which must not exist yet."""
    with failures(), ExitStack() as undo:
        readers = [] if insecure_plaintext else _readers(load(config), recipients)
        target = _fresh(directory)
        undo.callback(shutil.rmtree, target, ignore_errors=True)
        engine = _fill(target, config, readers)
        undo.pop_all()
    names = [str(reader) for reader in readers]
    said = (
        f"encrypted to {', '.join(names)}: nobody reads it without a key of theirs, not even you"
        if names
        else "NOT ENCRYPTED; it holds private keys and what patients and members said: keep it as you keep the server"
    )
    done = {"directory": str(target), "engine": engine, "recipients": names}
    report(done, f"backed up to {target}, {said}", as_json=as_json)


@click.command("restore")
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--identity",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The file with the key that opens it; default backup-key.txt beside the configuration, or a question.",
)
@click.option(
    "--erased",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="An erased.txt from after the backup: what it names is deleted again. May be given several times.",
)
@json_option
@config_of
def restore(config: str, directory: Path, identity: Path | None, erased: tuple[Path, ...], *, as_json: bool) -> None:
    """Bring a backup back, into an empty data directory only."""
    with failures():
        source = open_backup(directory, lambda: read_key(identity or _ask_for_key(Path(config))))
        settings = restore_from(source, Path(config), erased)
    done = {"domain": settings.instance.domain, "data_dir": str(settings.instance.data_dir)}
    report(done, "restored; run `medfed doctor` and `medfed audit verify` before you serve", as_json=as_json)


async def copy_database(instance: Instance, *, recipients: Sequence[str]) -> dict[str, Any]:
    """Copy the database into a new folder below the data directory, which the caller takes away.

    There and nowhere else: a server that is confined sees no other place, and writes where nobody else names.
    The audit trail, in the copy too, says to whom the caller will encrypt it; to nobody is an act of its own.
    """
    async with instance.store.transaction("backup") as tx:
        await moderation.record(
            tx,
            at=instance.here.now(),
            actor=BY,
            action="backup" if recipients else "backup.plaintext",
            subject=instance.here.domain,
            detail={"recipients": list(recipients)},
        )
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


def restore_from(source: Backup, config: Path, erased: Sequence[Path] = ()) -> Settings:
    """Put a backup where its configuration says; what was brought is taken away again if something fails.

    Nothing is written before all of it was read and proven. What the `erased` files name is erased when the instance
    starts.

    Raises Misconfigured when there is something already, or when the backup holds what no backup of ours does (G11).
    """
    contents = look_through(source)
    with ExitStack() as undo:
        if not config.exists():
            _require(contents, CONFIGURATION)
            Part(CONFIGURATION, io.BytesIO(contents.configuration)).write_to(config)
            undo.callback(config.unlink)
        settings = load(str(config))
        places = _places(settings)
        _require(contents, KEY, DATABASE if DATABASE in places else DUMP)
        data, ours = settings.instance.data_dir, {config.name, BACKUP_KEY} if _lies_in_data(config, settings) else set()
        _refuse_what_is_there(settings, {data / name for name in ours})
        for folder in (data, settings.media_dir):
            if not folder.exists():
                undo.callback(shutil.rmtree, folder, ignore_errors=True)
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        undo.callback(_take_away, data, ours)
        _bring(source, settings, places, undo)
        for path in erased:
            _append(path, data / LEDGER)
        undo.pop_all()
    os.sync()
    return settings


def _readers(settings: Settings, named: Sequence[str]) -> list[Recipient]:
    """Whom to encrypt to. Raises Malformed, Misconfigured."""
    found = [Recipient.parse(each) for each in named or settings.backup.recipients]
    if not found:
        raise Misconfigured(
            "nobody is named who could read the backup: make a key with `medfed backup-key`, and name it in "
            "backup.recipients or with --recipient"
        )
    return found


def _ask_for_key(config: Path) -> Path:
    """Where the key is. Raises Misconfigured where nobody can be asked."""
    beside = config.with_name(BACKUP_KEY)
    if beside.exists():
        return beside
    if not sys.stdin.isatty():
        raise Misconfigured("that backup is encrypted: name the file with its key, --identity FILE")
    asked = click.prompt("That backup is encrypted. File with its key (AGE-SECRET-KEY-1…)", err=True)
    return Path(str(asked).strip())


def _require(contents: Contents, *names: str) -> None:
    for name in names:
        if name not in contents.names:
            raise Misconfigured(f"that is no backup: {name} is not in it")


def _places(settings: Settings) -> dict[str, Path]:
    """Where each part of a backup belongs, except for images."""
    places = {KEY: key_path(settings), LEDGER: settings.instance.data_dir / LEDGER}
    if settings.database_url.startswith("sqlite"):
        return places | {DATABASE: sqlite_path(settings.database_url)}
    return places | {DUMP: settings.instance.data_dir / DUMP}


def _bring(source: Backup, settings: Settings, places: Mapping[str, Path], undo: ExitStack) -> None:
    for part in source.parts():
        place = places.get(part.name)
        if part.name == KEY and key_path(settings).exists():
            _compare(part, key_path(settings))
        elif place is not None:
            part.write_to(place)
            undo.callback(place.unlink, missing_ok=True)
        elif part.name.startswith(f"{MEDIA}/"):
            part.write_to(settings.media_dir / part.name.removeprefix(f"{MEDIA}/"))
    if DUMP in places:
        dump = str(places[DUMP])
        asyncio.run(_run(settings.database_url, "pg_restore", "--single-transaction", "--exit-on-error", dump))
        places[DUMP].unlink()


def _compare(part: Part, path: Path) -> None:
    """A key that is handed over, as systemd does, may be there before the database that it opens."""
    if part.file.read(_LONGEST_KEY).strip() != path.read_bytes().strip():
        raise Misconfigured(f"{path} holds another key than the backup")


def _lies_in_data(config: Path, settings: Settings) -> bool:
    data = settings.instance.data_dir
    return data.exists() and config.absolute().parent.samefile(data)


def _refuse_what_is_there(settings: Settings, but: Collection[Path]) -> None:
    for folder in (settings.instance.data_dir, settings.media_dir):
        if folder.exists() and any(part not in but for part in folder.iterdir()):
            raise Misconfigured(f"{folder} is not empty; a backup is restored into an empty data directory only")


def _take_away(data: Path, but: Collection[str]) -> None:
    """Empty a data directory again, but for the configuration and the key of the backup, which may lie in it."""
    for part in data.iterdir():
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        elif part.name not in but:
            part.unlink()


def _fill(target: Path, config: str, recipients: Sequence[Recipient]) -> str:
    """Bring all parts of a backup together; returns the database's engine.

    The database is copied first: an image that it names was on disk before it was named.
    """
    names = [str(recipient) for recipient in recipients]
    copied = perform(config, "backup", recipients=names)
    folder, settings = Path(copied["folder"]), load(config)
    try:
        files = _files(folder, Path(config), settings)
        if not recipients:
            write_plain(target, files)
            return str(copied["engine"])
        write_sealed(target, files, recipients)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    note = _NOTE.format(
        domain=settings.instance.domain,
        at=iso(SystemClock().now()),
        version=__version__,
        recipients="\n".join(f"    {name}" for name in names),
        archive=ARCHIVE,
    )
    (target / NOTE).write_text(note, encoding="utf-8")
    return str(copied["engine"])


def _files(folder: Path, config: Path, settings: Settings) -> Iterator[tuple[str, Path]]:
    yield CONFIGURATION, config
    yield KEY, key_path(settings)
    ledger = settings.instance.data_dir / LEDGER
    if ledger.exists():
        yield LEDGER, ledger
    for path in folder.iterdir():
        yield path.name, path
    for path in settings.media_dir.rglob("*"):
        if path.is_file():
            yield f"{MEDIA}/{path.relative_to(settings.media_dir).as_posix()}", path


def _fresh(directory: Path) -> Path:
    target = directory.absolute()
    if target.exists():
        raise Misconfigured(f"{target} exists; a backup makes its own folder")
    target.mkdir(mode=0o700, parents=True)
    return target


def _append(source: Path, target: Path) -> None:
    target.touch(mode=0o600)
    told = source.read_bytes()
    if told and not told.endswith(b"\n"):
        say(f"{source} ends amid a line, which is left out: it was not copied whole")
    with target.open("ab") as file:
        file.truncate(len(whole_lines(target.read_bytes())))
        file.write(whole_lines(told))


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
