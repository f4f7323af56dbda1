"""What a backup consists of, in both of its forms: one encrypted file, or, if somebody insists, plain files."""

import io
import os
import shutil
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Final, Protocol, TypeAlias

from medfed.kernel import limits
from medfed.kernel.age import Identity, Reader, Recipient, Writer
from medfed.kernel.errors import Misconfigured, Refused
from medfed.posts.ledger import FILE as LEDGER

ARCHIVE: Final = "backup.tar.age"
CONFIGURATION: Final = "medfed.toml"
DATABASE: Final = "medfed.db"
DUMP: Final = "medfed.pgdump"
KEY: Final = "secret.key"
MEDIA: Final = "media"
_SINGLE: Final = frozenset({CONFIGURATION, DATABASE, DUMP, KEY, LEDGER})
_BUFFER: Final = 256 * 1024

Files: TypeAlias = Iterable[tuple[str, Path]]
"""Names in the backup, and where each is now."""


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a backup."""

    name: str
    file: IO[bytes]

    def write_to(self, target: Path) -> None:
        """Write it where nothing is yet, for this user only. Raises FileExistsError and other OSErrors."""
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            shutil.copyfileobj(self.file, file, _BUFFER)


class Backup(Protocol):
    """A backup that can be read, from its beginning, as often as wanted."""

    def parts(self) -> Iterator[Part]:
        """Each part, to be read before the next is asked for. Raises Misconfigured for what no backup of ours holds."""
        ...


@dataclass(frozen=True, slots=True)
class Plain:
    """Files in a folder."""

    folder: Path

    def parts(self) -> Iterator[Part]:
        """Links lead out of a backup, and pipes and devices never end (G11)."""
        for path in sorted(self.folder.rglob("*")):
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                raise _no_backup(self.folder, f"{path.relative_to(self.folder)} is no plain file")
        for path in self.folder.rglob("*"):
            name = path.relative_to(self.folder).as_posix()
            if path.is_file() and _is_part(name):
                with path.open("rb") as file:
                    yield Part(name, file)


@dataclass(frozen=True, slots=True)
class Sealed:
    """One encrypted file in a folder."""

    folder: Path
    identities: Sequence[Identity]

    def parts(self) -> Iterator[Part]:
        """Who knows the public key can write such a file: its names are as little believed as those of a folder."""
        path = self.folder / ARCHIVE
        with path.open("rb") as file:
            try:
                plain = io.BufferedReader(Reader(file, self.identities), _BUFFER)
                yield from self._members(plain)
                while plain.read(_BUFFER):  # only the end of the file proves that nothing is missing
                    pass
            except (Refused, tarfile.TarError) as error:
                raise Misconfigured(f"{path} cannot be opened: {error}") from None

    def _members(self, plain: IO[bytes]) -> Iterator[Part]:
        with tarfile.open(fileobj=plain, mode="r|", bufsize=_BUFFER) as tar:
            while (member := tar.next()) is not None:
                file = tar.extractfile(member) if member.isreg() and not member.issparse() else None
                if file is None or not _is_part(member.name):
                    raise _no_backup(self.folder, f"{member.name[:100]!r} is no file of a backup")
                yield Part(member.name, file)
                tar.members.clear()  # type: ignore[attr-defined]  # it would remember a million images


def open_backup(folder: Path, identities: Callable[[], Sequence[Identity]]) -> Backup:
    """Whichever form it has; `identities` are asked for only if it is encrypted."""
    if (folder / KEY).exists() or not (folder / ARCHIVE).exists():
        return Plain(folder)
    return Sealed(folder, identities())


@dataclass(frozen=True, slots=True)
class Contents:
    """What a backup holds: proven to its last byte if it is encrypted."""

    names: frozenset[str]
    """Of its parts, without the images."""
    configuration: bytes


def look_through(backup: Backup) -> Contents:
    """Read all of a backup and write nothing. Raises Misconfigured."""
    names, configuration = set(), b""
    for part in backup.parts():
        if part.name in _SINGLE and part.name in names:
            raise Misconfigured(f"that is no backup of medfed: {part.name} is in it twice")
        names |= {part.name} & _SINGLE
        if part.name == CONFIGURATION:
            configuration = part.file.read(limits.MIB)
    return Contents(frozenset(names), configuration)


def write_sealed(folder: Path, files: Files, recipients: Sequence[Recipient]) -> None:
    """Write one encrypted file, as a stream: memory and time for one pass, and no plain copy on any disk."""
    with os.fdopen(os.open(folder / ARCHIVE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
        sealing = Writer(target, recipients)
        with tarfile.open(fileobj=sealing, mode="w|", bufsize=_BUFFER) as tar:
            for name, file in _opened(files):
                about = tarfile.TarInfo(name)
                state = os.fstat(file.fileno())
                about.size, about.mtime, about.mode = state.st_size, int(state.st_mtime), 0o600
                tar.addfile(about, file)
                tar.members.clear()  # type: ignore[attr-defined]
        sealing.finish()
        target.flush()
        os.fsync(target.fileno())


def write_plain(folder: Path, files: Files) -> None:
    """Write plain files."""
    for name, file in _opened(files):
        Part(name, file).write_to(folder / name)


def _opened(files: Files) -> Iterator[tuple[str, IO[bytes]]]:
    for name, path in files:
        try:
            with path.open("rb") as file:
                yield name, file
        except FileNotFoundError:
            if not name.startswith(f"{MEDIA}/"):  # an image may be deleted meanwhile
                raise


def _is_part(name: str) -> bool:
    path = PurePosixPath(name)
    inside = path.parts[:1] == (MEDIA,) and len(path.parts) > 1 and ".." not in path.parts
    return name == str(path) and (name in _SINGLE or inside)


def _no_backup(folder: Path, why: str) -> Misconfigured:
    return Misconfigured(f"{folder} is no backup of medfed: {why}")
