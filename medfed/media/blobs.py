"""Stored files: named at random, safe on disk before anything refers to them, reachable by their name only."""

import asyncio
import errno
import os
import re
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, Protocol

from medfed.kernel.clock import DAY, SECOND, Millis
from medfed.kernel.errors import NoRoom, NotFound, StorageDown
from medfed.kernel.room import Room

TYPES: Final = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp"}
"""The only kinds of files that there are, by the end of their name."""

_NO_ROOM: Final = "there is no room for files on this server now; its administrators have to make some"
_PART: Final = ".part"
_HALF_WRITTEN: Final = 1 * DAY
"""How long a file is given to be written."""
_DIGEST: Final = sha256().digest_size
_KEY: Final = re.compile(r"[0-9a-f]{32}\.(?:jpg|png|webp)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A file that there is."""

    key: str
    written_at: Millis
    sound: bool


class Blobs(Protocol):
    """A place for files. A key is 128 random bits and an ending of TYPES; nothing else is a key (I21)."""

    async def write(self, data: bytes, ending: str) -> str:
        """Store bytes for good, and return their key. Raises NoRoom, StorageDown."""
        ...

    async def read(self, key: str) -> bytes:
        """The bytes of a key. Raises NotFound, StorageDown."""
        ...

    async def delete(self, key: str) -> None:
        """Forget a file; no error if it is not there. Raises StorageDown."""
        ...

    async def shelf(self, prefix: str, *, read: bool = True) -> list[Stored]:
        """The files whose keys begin with two hexadecimal digits; with `read`, whether each is as it was written.

        What a crash left half written goes by the way.
        """
        ...


def mime_of(key: str) -> str:
    """The media type that a file is served as. Raises NotFound for what is no key."""
    return TYPES[_checked(key).rpartition(".")[2]]


class FileBlobs:
    """Files in a folder, in 65,536 sub-folders by their first letters, readable by nobody else.

    Each ends in the SHA-256 of what is before, which viewers of images pass over: what has rotted is never served.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._room = Room(folder)

    async def write(self, data: bytes, ending: str) -> str:
        """See Blobs.write. The file and its folders are on disk when this returns."""
        if not self._room.is_left:
            raise NoRoom(_NO_ROOM)
        key = _checked(f"{secrets.token_hex(16)}.{ending}")
        await asyncio.to_thread(_write, self._folder, _shard(self._folder, key), data)
        return key

    async def read(self, key: str) -> bytes:
        """See Blobs.read."""
        path = _shard(self._folder, _checked(key))
        try:
            written = await asyncio.to_thread(path.read_bytes)
        except FileNotFoundError:
            raise NotFound("no such file") from None
        except OSError as error:
            raise StorageDown(f"a stored file cannot be read: {error.strerror}") from error
        data = _sound(written)
        if data is None:
            raise StorageDown(f"the stored file {key} is damaged")
        return data

    async def delete(self, key: str) -> None:
        """See Blobs.delete."""
        path = _shard(self._folder, _checked(key))
        try:
            await asyncio.to_thread(path.unlink, missing_ok=True)
        except OSError as error:
            raise StorageDown(f"a stored file cannot be deleted: {error.strerror}") from error

    async def shelf(self, prefix: str, *, read: bool = True) -> list[Stored]:
        """See Blobs.shelf."""
        return await asyncio.to_thread(_listed, self._folder / prefix, read=read)


def _checked(key: str) -> str:
    """The key itself. Raises NotFound: a path, an encoded path or a made-up name leads nowhere."""
    if not _KEY.fullmatch(key):
        raise NotFound("no such file")
    return key


def _shard(folder: Path, key: str) -> Path:
    return folder / key[:2] / key[2:4] / key


def _listed(folder: Path, *, read: bool) -> list[Stored]:
    found = []
    for path in folder.glob("??/*"):
        with suppress(FileNotFoundError):
            at = int(path.stat().st_mtime * SECOND)
            if _KEY.fullmatch(path.name):
                found.append(Stored(key=path.name, written_at=at, sound=not read or _is_sound(path)))
            elif path.suffix == _PART and time.time() * SECOND - at > _HALF_WRITTEN:
                path.unlink()
    return found


def _is_sound(path: Path) -> bool:
    try:
        return _sound(path.read_bytes()) is not None
    except FileNotFoundError:
        raise
    except OSError:
        return False


def _sealed(data: bytes) -> bytes:
    """Data as it is written: with its own digest behind it."""
    return data + sha256(data).digest()


def _sound(written: bytes) -> bytes | None:
    """What was written, without its digest; None when it is not what was written."""
    data, digest = written[:-_DIGEST], written[-_DIGEST:]
    return data if sha256(data).digest() == digest else None


def _write(root: Path, path: Path, data: bytes) -> None:
    part = path.with_suffix(_PART)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(_sealed(data))
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        for folder in (path.parent, path.parent.parent, root):
            _sync(folder)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NoRoom(_NO_ROOM) from error
        raise StorageDown(f"a file cannot be stored: {error.strerror}") from error


def _sync(folder: Path) -> None:
    """Make the name of a new file survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
