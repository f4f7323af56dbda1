"""What a server asks of the kernel, as strace tells it."""

import asyncio
import os
import re
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import pytest

from tests.faults.tools import tool

SOCKETS: Final = ("read", "recvfrom", "recvmsg", "write", "writev", "sendto", "sendmsg")
SYNCS: Final = ("fsync", "fdatasync")
CHANGES: Final = ("openat", "pwrite64", "ftruncate", "rename", "unlink")

_CALL: Final = re.compile(r"^(\d+) +(?:<\.\.\. )?([a-z]\w*)(?:\(| resumed>)(.*)$")
_RETURNED: Final = re.compile(r"^(.*)\) += (-?\d+)")
_UNFINISHED: Final = " <unfinished ...>"
_STRING: Final = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_FILE: Final = re.compile(r"^(?:AT_FDCWD|\d+)<([^>]*)>")


def require_strace() -> str:
    """Where strace is; skips the test where it is not, or where processes may not be traced."""
    strace = tool("strace")
    tried = subprocess.run([strace, "-o", os.devnull, "true"], capture_output=True, check=False)
    if tried.returncode != 0:
        pytest.skip("processes may not be traced here")
    return strace


@asynccontextmanager
async def traced(
    process: int, into: Path, calls: Iterable[str], *options: str, at_rest: Callable[[], None] = lambda: None
) -> AsyncIterator[None]:
    """Trace a process for as long as the context is open or it lives; before that, look around while it rests."""
    strace = require_strace()
    await _stop(process)
    try:
        at_rest()
        tracer = await asyncio.create_subprocess_exec(
            strace, "-f", "-e", f"trace={','.join(calls)}", *options, "-o", str(into), "-p", str(process),
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert tracer.stderr is not None
        said = await asyncio.wait_for(tracer.stderr.readline(), 30)
        if b"attached" not in said:
            await tracer.wait()
            pytest.skip("a running process may not be traced here")
    finally:
        os.kill(process, signal.SIGCONT)
    try:
        yield
    finally:
        if tracer.returncode is None:
            tracer.terminate()
        await tracer.communicate()


async def _stop(process: int) -> None:
    os.kill(process, signal.SIGSTOP)
    while Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0] not in "Tt":  # noqa: ASYNC110, ASYNC240
        await asyncio.sleep(0.01)


@dataclass(frozen=True, slots=True)
class Call:
    """The beginning or the end of a system call: of one that was not interrupted by others, both at once."""

    when: Literal["begins", "ends"]
    thread: str
    name: str
    arguments: str
    result: int = 0

    @property
    def path(self) -> str:
        """The file that its first argument stands for."""
        found = _FILE.match(self.arguments)
        return _bytes(found[1]).decode() if found else ""

    @property
    def descriptor(self) -> str:
        """Its first argument, with what that stands for."""
        return self.arguments.partition(",")[0]

    @property
    def data(self) -> bytes:
        """What was written or read."""
        return b"".join(_bytes(text) for text in _STRING.findall(self.arguments))

    @property
    def strings(self) -> list[str]:
        """Its arguments that are paths."""
        return [_bytes(text).decode() for text in _STRING.findall(self.arguments)]

    @property
    def number(self) -> int:
        """Its last argument."""
        return int(self.arguments.rpartition(",")[2])


def calls_of(lines: Iterable[str]) -> Iterator[Call]:
    """What a trace with `-y -xx` says, in its order."""
    begun: dict[str, str] = {}
    for line in lines:
        match = _CALL.match(line)
        if match is None:
            continue
        thread, name, rest = match.groups()
        if rest.endswith(_UNFINISHED):
            begun[thread] = rest.removesuffix(_UNFINISHED)
            yield Call("begins", thread, name, begun[thread])
            continue
        resumed = thread in begun
        returned = _RETURNED.match(begun.pop(thread, "") + rest)
        if returned is None:
            continue
        arguments, result = returned[1], int(returned[2])
        if not resumed:
            yield Call("begins", thread, name, arguments)
        yield Call("ends", thread, name, arguments, result)


def _bytes(escaped: str) -> bytes:
    return bytes.fromhex(escaped.replace("\\x", ""))
