"""Slow and endless requests end; the others do not notice (H19)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
import uvicorn

from medfed.cli import patience
from medfed.cli.serve import configured
from medfed.kernel import limits

HEAD: Final = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "REQUEST_HEAD_SECONDS", 0.2)
    monkeypatch.setattr(limits, "REQUEST_BODY_SECONDS", 0.2)


@asynccontextmanager
async def a_server() -> AsyncIterator[int]:
    """The server that `medfed serve` runs, with an application that counts bodies; its port."""

    async def count(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for step in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{step}.complete"})
            return
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            size, more = size + len(message["body"]), message["more_body"]
        said = str(size).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(said))]})
        await send({"type": "http.response.body", "body": said})

    server = uvicorn.Server(configured(count, "127.0.0.1", 0, None))
    # Not `serve`, which would take the signals that belong to pytest.
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup()
    serving = asyncio.create_task(server.main_loop())
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await serving
        await server.shutdown()


async def until_the_end(reader: asyncio.StreamReader) -> bytes:
    """What comes before the server hangs up; nothing if what we still sent made that a reset."""
    try:
        return await reader.read()
    except ConnectionError:
        return b""


async def said(port: int, *parts: bytes, pause: float = 0.0) -> bytes:
    """What comes back until the server hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = asyncio.create_task(until_the_end(reader))
    try:
        for part in parts:
            writer.write(part)
            await asyncio.wait([answer], timeout=pause)
            if answer.done():
                break
        return await answer
    finally:
        writer.close()


async def answered(port: int, size: int = 4) -> bytes:
    """The answer to a request that arrives at once."""
    return await said(port, HEAD.replace(b"Host", b"Connection: close\r\nHost") % size + bytes(size))


SLOW: Final[dict[str, tuple[bytes, ...]]] = {
    "nothing at all": (),
    "half a head": (b"GET / HTTP/1.1\r\nHo",),
    "a head, byte by byte": tuple(bytes([byte]) for byte in b"GET / HTTP/1.1\r\nX: " + b"x" * 2_000),
    "a head without a body": (HEAD % 100,),
    "half a body": (HEAD % 100 + bytes(50),),
    "a body, byte by byte": (HEAD % 2_000, *[b"x"] * 2_000),
    "a second request that stops": (HEAD % 2 + b"ok" + b"GET / HT",),
}


@pytest.mark.case("H19")
@pytest.mark.limit("REQUEST_HEAD_SECONDS", "REQUEST_BODY_SECONDS")
@pytest.mark.parametrize("kind", SLOW)
async def test_whoever_keeps_us_waiting_is_told_and_left(kind: str) -> None:
    async with a_server() as port:
        answer = await asyncio.wait_for(said(port, *SLOW[kind], pause=0.02), 30)
        assert answer == b"" or b" 408 " in answer
        assert (await answered(port)).endswith(b"4")


@pytest.mark.case("H19")
async def test_a_hundred_half_open_connections_keep_nobody_from_being_answered() -> None:
    async with a_server() as port:
        waiting = [asyncio.create_task(said(port, b"GET / HTTP/1.1\r\nHo")) for _ in range(100)]
        answers = await asyncio.gather(*[answered(port) for _ in range(20)])
        assert all(answer.endswith(b"4") for answer in answers)
        assert {answer[9:12] for answer in await asyncio.gather(*waiting)} <= {b"408", b""}


@pytest.mark.case("H19")
@pytest.mark.limit("REQUEST_BODY_RATE")
@pytest.mark.parametrize(("rate", "whole"), [(1.5, True), (0.5, False)])
async def test_a_body_may_come_slowly_if_it_keeps_coming(
    rate: float, whole: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty looks at a body that brings half as much again as it must, or half."""
    loop, pieces = asyncio.get_running_loop(), 20
    timers: list[Callable[[], None]] = []
    monkeypatch.setattr(patience.Patience, "_wait", lambda self, _: timers.append(self._look))
    async with a_server() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        size = int(limits.REQUEST_BODY_RATE * limits.REQUEST_BODY_SECONDS * rate)
        writer.write(HEAD.replace(b"Host", b"Connection: close\r\nHost") % (size * pieces))
        answering = asyncio.create_task(until_the_end(reader))
        for _ in range(pieces):
            writer.write(bytes(size))
            await asyncio.wait([answering], timeout=0.05)
            if answering.done():
                break
            if timers:
                loop.call_soon(timers.pop())
        answer = await answering
        writer.close()
        assert answer.endswith(str(size * pieces).encode()) is whole
        assert whole or answer == b"" or b" 408 " in answer


@pytest.mark.case("H19", "H02")
@pytest.mark.limit("REQUEST_HEAD")
@pytest.mark.parametrize(("by", "status"), [(-1, b"200"), (0, b"200"), (1, b"431"), (10_000_000, b"431")])
async def test_a_head_may_be_as_large_as_its_limit(by: int, status: bytes) -> None:
    async with a_server() as port:
        bare = len("/x") + len("Host") + 1 + len("Content-Length") + 1 + len("Connection") + len("close") + len("X")
        head = HEAD.replace(b"Host", b"Connection: close\r\nX: %s\r\nHost" % (b"x" * (limits.REQUEST_HEAD + by - bare)))
        answer = await said(port, head % 4 + b"body")
        assert answer[9:12] in (status, b"" if by > 1 else status)
        assert (await answered(port)).endswith(b"4")
