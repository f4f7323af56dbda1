"""HTTP/1.1 over plain sockets, as thin as it gets, so that what drives a benchmark costs little beside it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias, cast

import httptools

Answer: TypeAlias = tuple[int, bytes]
Answering: TypeAlias = Callable[[str, str, str, bytes], Answer | Awaitable[Answer]]
"""(host, method, target, body) to (status, body)."""


class Client(asyncio.Protocol):
    """One kept-alive connection; one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[Answer] | None = None
        self._body: list[bytes] = []

    @classmethod
    async def to(cls, address: str, port: int) -> "Client":
        """Connect. Raises OSError."""
        _, client = await asyncio.get_running_loop().create_connection(cls, address, port)
        return client

    async def ask(self, request: bytes) -> Answer:
        """Send raw bytes, return (status, body). Raises ConnectionError when the other end goes away."""
        if self._transport is None or self._transport.is_closing():
            raise ConnectionResetError("closed")
        self._waiter = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._waiter

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        self._parser.feed_data(data)

    def connection_lost(self, _error: Exception | None) -> None:
        """Called by the loop."""
        self._transport = None
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(ConnectionResetError("lost"))

    def on_body(self, data: bytes) -> None:
        """Called by the parser."""
        self._body.append(data)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result((self._parser.get_status_code(), b"".join(self._body)))
        self._parser = httptools.HttpResponseParser(self)
        self._body = []


class Service(asyncio.Protocol):
    """One connection of a small server; answers in order, without pipelining."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self._transport: asyncio.Transport | None = None
        self._host = ""
        self._tasks: set[asyncio.Task[None]] = set()
        self._start()

    def _start(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._target = b""
        self._body: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        self._transport = cast(asyncio.Transport, transport)
        address, port = self._transport.get_extra_info("sockname")[:2]
        self._host = f"{address}:{port}"

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        """Called by the parser."""
        self._target += url

    def on_body(self, data: bytes) -> None:
        """Called by the parser."""
        self._body.append(data)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        method = self._parser.get_method().decode()
        answer = self._answering(self._host, method, self._target.decode(), b"".join(self._body))
        self._start()
        if isinstance(answer, tuple):
            self._say(answer)
            return
        task = asyncio.ensure_future(self._later(answer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _later(self, answer: Awaitable[Answer]) -> None:
        self._say(await answer)

    def _say(self, answer: Answer) -> None:
        status, body = answer
        if self._transport is None or self._transport.is_closing():
            return
        head = (
            f"HTTP/1.1 {status} Whatever\r\ncontent-type: application/activity+json\r\ncontent-length: {len(body)}\r\n"
        )
        self._transport.write(head.encode() + b"\r\n" + body)
