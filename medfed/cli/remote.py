"""The local socket of a running server: one JSON line asked, one JSON line answered."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeAlias

from medfed.cli.output import in_words
from medfed.kernel import limits
from medfed.kernel.errors import MedfedError, Misconfigured, Refused

Answer: TypeAlias = Callable[[str, Mapping[str, Any]], Awaitable[Any]]

LONGEST_LINE: Final = 16 * limits.MIB
PATIENCE: Final = 5.0
"""Seconds that a server may take between holding the database and opening its socket."""
_LONGEST_PATH: Final = 100
"""The name of a Unix socket has at most 107 bytes."""


class RefusedThere(Refused):
    """The running server refused; the message is its own."""


async def ask(socket: Path, name: str, arguments: Mapping[str, Any]) -> Any:
    """Have the server behind `socket` do something. Raises RefusedThere, Misconfigured."""
    reader, writer = await _connect(socket)
    try:
        writer.write(json.dumps({"do": name, "with": dict(arguments)}).encode() + b"\n")
        await writer.drain()
        line = await reader.readline()
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
    if not line.endswith(b"\n"):
        raise Misconfigured("the running server stopped before it had answered; look at its log, then try again")
    answer = json.loads(line)
    if "refused" in answer:
        raise RefusedThere(answer["refused"])
    return answer["result"]


async def _connect(socket: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    until = asyncio.get_running_loop().time() + PATIENCE
    while True:
        try:
            with _short(socket) as path:
                return await asyncio.open_unix_connection(path, limit=LONGEST_LINE)
        except (FileNotFoundError, ConnectionRefusedError):
            if asyncio.get_running_loop().time() > until:
                raise Misconfigured(
                    f"a medfed server holds the database, and does not answer at {socket}; "
                    "stop it, or run the command in its own folder and as its own user"
                ) from None
            await asyncio.sleep(0.1)
        except PermissionError:
            raise Misconfigured(f"{socket} belongs to another user; run the command as the server's user") from None


@asynccontextmanager
async def listening(socket: Path, answer: Answer) -> AsyncIterator[None]:
    """Answer at `socket`, which nobody but this user can open, for as long as the context lasts.

    `answer` is called with the name and the arguments; what it returns must be JSON.
    """

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await reader.readline()
            writer.write(await _answered(line, answer))
            await writer.drain()
        except (ConnectionError, ValueError):
            return  # it went away, or its line is longer than any of ours
        finally:
            writer.close()

    mask = os.umask(0o177)
    try:
        with _short(socket) as path:
            server = await asyncio.start_unix_server(converse, path, limit=LONGEST_LINE)
    finally:
        os.umask(mask)
    try:
        yield
    finally:
        server.close()
        socket.unlink(missing_ok=True)  # noqa: ASYNC240 - one system call, at the very end


async def _answered(line: bytes, answer: Answer) -> bytes:
    try:
        asked = json.loads(line)
        name, arguments = str(asked["do"]), dict(asked["with"])
    except (ValueError, KeyError, TypeError):
        return b'{"refused": "that is no question"}\n'
    try:
        return json.dumps({"result": await answer(name, arguments)}).encode() + b"\n"
    except MedfedError as error:
        # The one who asks owns this server: nothing is hidden from them.
        return json.dumps({"refused": str(error)}).encode() + b"\n"
    except OSError as error:
        return json.dumps({"refused": in_words(error)}).encode() + b"\n"


@contextmanager
def _short(socket: Path) -> Iterator[str]:
    """A name of the socket that is short enough for the system, however deep its folder is."""
    if len(os.fsencode(socket)) <= _LONGEST_PATH:
        yield str(socket)
        return
    folder = os.open(socket.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{socket.name}"
    finally:
        os.close(folder)
