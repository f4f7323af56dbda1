"""A lock file beside a SQLite database, so that one process at a time writes to it and checkpoints it."""

import asyncio
import fcntl
import os
import time
from pathlib import Path
from typing import Final, Literal, Self, TypeAlias

from medfed.kernel.errors import Misconfigured

Role: TypeAlias = Literal["server", "tool"]

PATIENCE_SECONDS: Final = 5.0
"""How long to wait for a short-lived command to finish."""


_OPENED: Final = b"opened\n"


class ServerRunning(Misconfigured):
    """A server holds the database: a command must ask it, through its local socket, to do the work."""


class StoreLock:
    """Held from `take` to `release`, or to the death of the process, however it dies."""

    def __init__(self, descriptor: int, *, abandoned: bool) -> None:
        self._descriptor: int | None = descriptor
        self.abandoned = abandoned
        """Whoever held it last had opened the database (`opened`), and never said `closing`: it was killed."""

    @classmethod
    async def take(cls, database: Path, role: Role) -> Self:
        """Take the lock of `database`, waiting a little for commands but not for servers.

        Raises ServerRunning to a tool and Misconfigured to a server when a server holds it.
        """
        path = database.with_suffix(".lock")
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise Misconfigured(f"cannot create {path}: {error.strerror}") from error
        until = time.monotonic() + PATIENCE_SECONDS
        try:
            while not _try(descriptor):
                _refuse_or_wait(descriptor, database, role, patient=time.monotonic() < until)
                await asyncio.sleep(0.05)
        except BaseException:
            os.close(descriptor)
            raise
        before = os.pread(descriptor, 64, 0)
        mark = _OPENED if before.endswith(_OPENED) else b""
        _write(descriptor, f"{role} {os.getpid()}\n".encode() + mark)
        return cls(descriptor, abandoned=bool(mark))

    def opened(self) -> None:
        """The database is open, and its log exists: from now on, it must be there when the next one comes."""
        if self._descriptor is not None:
            _write(self._descriptor, os.pread(self._descriptor, 64, 0).removesuffix(_OPENED) + _OPENED)

    def closing(self) -> None:
        """The log was folded into the database, and may go."""
        if self._descriptor is not None:
            _write(self._descriptor, os.pread(self._descriptor, 64, 0).removesuffix(_OPENED))

    def release(self) -> None:
        """Let the next one in. Doing so twice is harmless."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def _write(descriptor: int, text: bytes) -> None:
    os.pwrite(descriptor, text, 0)
    os.ftruncate(descriptor, len(text))


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _refuse_or_wait(descriptor: int, database: Path, role: Role, *, patient: bool) -> None:
    holder, _, process = os.pread(descriptor, 64, 0).decode("ascii", "replace").partition("\n")[0].partition(" ")
    if holder == "server" and role == "tool":
        raise ServerRunning(f"a medfed server (process {process}) is running on {database}")
    if holder == "server":
        raise Misconfigured(
            f"another medfed server (process {process}) is running on {database}; "
            "several processes need PostgreSQL: set database.url"
        )
    if not patient:
        raise Misconfigured(f"another medfed command (process {process}) is working on {database}; try again later")
