"""How long a connection may take to say what it wants: slow and endless requests are ended, others are not watched."""

import asyncio
from typing import Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from medfed.kernel import limits

_TIMED_OUT: Final = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_HEAD_TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
)


class Patience(HttpToolsProtocol):
    """uvicorn's protocol with an end to its patience (H19).

    A head must be there after `REQUEST_HEAD_SECONDS`, and hold at most `REQUEST_HEAD` bytes. A body must bring
    `REQUEST_BODY_RATE` bytes a second, looked at every `REQUEST_BODY_SECONDS`. A request that arrives at once, as
    nearly all do, costs no timer.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._timer: asyncio.TimerHandle | None = None
        self._awaited = "head"
        """What the other side owes us: "head", "body", or "" while we owe the answer."""
        self._head = 0
        self._body = 0
        self._hosts = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio.Protocol."""
        super().connection_made(transport)
        self._wait(limits.REQUEST_HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        super().data_received(data)
        if self._awaited and not self.transport.is_closing():
            if self._timer is None:
                self._wait(limits.REQUEST_HEAD_SECONDS if self._awaited == "head" else limits.REQUEST_BODY_SECONDS)
        else:
            self._stop_waiting()

    def on_message_begin(self) -> None:
        """Parser callback: a request begins."""
        super().on_message_begin()
        self._awaited, self._head, self._body, self._hosts = "head", 0, 0, 0

    def on_url(self, url: bytes) -> None:
        """Parser callback."""
        self._measure(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Parser callback."""
        self._measure(len(name) + len(value))
        if len(name) == 4 and name.lower() == b"host":
            self._hosts += 1
            if self._hosts > 1:  # RFC 9112 § 3.2: a server MUST respond with 400
                raise httptools.HttpParserError("several hosts")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Parser callback: what comes now is the body."""
        self._stop_waiting()
        self._awaited = "body"
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Parser callback."""
        self._body += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Parser callback: the request is whole."""
        self._awaited = ""
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Unlike uvicorn's own, says when it is the size."""
        if self._head > limits.REQUEST_HEAD:
            self._end(_HEAD_TOO_LARGE)
        else:
            super().send_400_response(msg)

    def _measure(self, size: int) -> None:
        self._head += size
        if self._head > limits.REQUEST_HEAD:
            raise httptools.HttpParserError("the head is too large")

    def _wait(self, seconds: float) -> None:
        self._timer = self.loop.call_later(seconds, self._look)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        """The time is over: a body that keeps coming has some more, everything else ends."""
        self._timer = None
        if self._awaited == "body" and self._body >= limits.REQUEST_BODY_RATE * limits.REQUEST_BODY_SECONDS:
            self._body = 0
            self._wait(limits.REQUEST_BODY_SECONDS)
        else:
            self._end(_TIMED_OUT)

    def _end(self, answer: bytes) -> None:
        """Say why, unless an answer has begun, and hang up; whoever reads the body learns that it breaks off."""
        if self.cycle is None or not self.cycle.response_started or self.cycle.response_complete:
            self.transport.write(answer)
        self.transport.close()
