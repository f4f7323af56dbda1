"""Small real servers on 127.0.0.1 that behave, or misbehave, exactly as a test says."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

Script: TypeAlias = Callable[["Conversation"], Awaitable[None]]


@dataclass(slots=True)
class Conversation:
    """One connection as the peer sees it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    peer: "Peer"
    number: int

    async def hear(self) -> bytes:
        """One whole request, head and body, kept in `peer.heard`."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        request = head + await self.reader.readexactly(length)
        self.peer.heard.append(request)
        return request

    async def say(self, data: bytes) -> None:
        """Send raw bytes."""
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, status: int = 200, *headers: str, body: bytes = b"") -> None:
        """Send one ordinary response."""
        lines = [f"HTTP/1.1 {status} Whatever", *headers, f"Content-Length: {len(body)}", "", ""]
        await self.say("\r\n".join(lines).encode() + body)


@dataclass(slots=True)
class Peer:
    """A running server: where it is, what it heard, how many connections it saw."""

    port: int = 0
    heard: list[bytes] = field(default_factory=list)
    connections: int = 0

    @property
    def authority(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.authority}"


@asynccontextmanager
async def a_peer(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[Peer]:
    """Serve every connection by `script`, which may hang, lie or hang up; all ends with the block."""
    peer = Peer()
    tasks: set[asyncio.Task[None]] = set()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        peer.connections += 1
        try:
            await script(Conversation(reader, writer, peer, peer.connections))
        except (asyncio.IncompleteReadError, OSError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()
            tasks.discard(task)

    server = await asyncio.start_server(converse, "127.0.0.1", 0, ssl=tls)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


def always(status: int = 200, *headers: str, body: bytes = b"") -> Script:
    """Answer every request of a kept-alive connection the same way."""

    async def script(talk: Conversation) -> None:
        while True:
            await talk.hear()
            await talk.answer(status, *headers, body=body)

    return script


def raw(data: bytes) -> Script:
    """Answer the first request with these bytes and close."""

    async def script(talk: Conversation) -> None:
        await talk.hear()
        await talk.say(data)
        talk.writer.close()
        await talk.writer.wait_closed()

    return script
