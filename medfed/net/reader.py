"""Reads one HTTP/1.1 response off a stream of bytes, and gives up as soon as it is larger than it may be."""

import zlib
from typing import Protocol

import httptools

from medfed.kernel import limits
from medfed.kernel.errors import RemoteFailure, RemoteRefused, Unreachable
from medfed.net.message import Headers

_SLICE = 16 * limits.KIB
_RATIO_FLOOR = 64 * limits.KIB
"""Below this a decoded body is harmless at any ratio: short documents full of repetition do reach 100:1."""
_OVERHEAD = 8
"""Bytes on the wire per byte of body limit: one-byte chunks, which nobody sends, cost six."""
_FRAMING = {b"content-length", b"transfer-encoding"}


class _Decoder(Protocol):
    """As `zlib.decompressobj` returns it."""

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...

    @property
    def eof(self) -> bool: ...


class ResponseReader:
    """Sans-I/O: `feed` bytes, tell `end` at the end of the stream, look at `done`.

    A body larger than `limit` (decoded bytes) is refused in a 2xx answer if `whole`, and cut off otherwise,
    because nobody needs all of an error page. After `feed` or `end` raised RemoteFailure the connection is
    unusable.
    """

    __slots__ = (
        "_body",
        "_decoder",
        "_encoded",
        "_failure",
        "_framed",
        "_head_bytes",
        "_headers",
        "_host",
        "_interim",
        "_limit",
        "_parser",
        "_quiet",
        "_size",
        "_whole",
        "_wire",
        "done",
        "keep_alive",
        "started",
        "status",
    )

    def __init__(self, host: str, limit: int, *, whole: bool) -> None:
        self._host = host
        self._limit = limit
        self._whole = whole
        self._parser = httptools.HttpResponseParser(self)
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._size = 0
        self._decoder: _Decoder | None = None
        self._encoded = 0
        self._failure: RemoteFailure | None = None
        self._framed = False
        self._interim = 0
        self._head_bytes = 0
        self._quiet = 0
        self._wire = 0
        self.status = 0
        self.started = False
        self.done = False
        self.keep_alive = False

    @property
    def headers(self) -> Headers:
        """The fields of the final response's head; trailers are ignored."""
        return Headers(self._headers)

    @property
    def body(self) -> bytes:
        """The decoded body as far as it was kept."""
        return b"".join(self._body)

    def feed(self, data: bytes) -> None:
        """Take what the socket gave. Raises Unreachable (garbled) or RemoteRefused (over a limit)."""
        self.started = True
        if len(data) <= _SLICE:
            self._feed_slice(data)
            return
        view = memoryview(data)
        for start in range(0, len(data), _SLICE):
            self._feed_slice(view[start : start + _SLICE])
            if self.done:
                self.keep_alive = self.keep_alive and start + _SLICE >= len(data)
                return

    def end(self) -> None:
        """The other side closed: fine after a body that this delimits (RFC 9112 §6.3), else a failure."""
        if self.done:
            return
        if self.status == 0 or self._framed or self._truncated_coding():
            raise Unreachable("closed the connection in the middle of a response", host=self._host)
        self._finish(keep_alive=False)

    def _truncated_coding(self) -> bool:
        return self._decoder is not None and not self._decoder.eof

    def _feed_slice(self, data: bytes | memoryview) -> None:
        # The parser gathers a field or trailer of any size before it says so: count what it is silent about.
        self._quiet += len(data)
        self._wire += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            raise Unreachable("switched protocols unasked", host=self._host) from None
        except httptools.HttpParserError as error:
            raise self._failure or Unreachable(f"not HTTP: {error}", host=self._host) from None
        if self._failure is not None:
            raise self._failure
        if self.done:
            return
        if self._quiet > limits.RESPONSE_HEAD or self._wire > limits.RESPONSE_HEAD + _OVERHEAD * self._limit:
            raise self._too_large("response framing")

    def on_message_begin(self) -> None:
        """Parser callback. A second response that nobody asked for ends the use of this connection."""
        if self.done:
            self.keep_alive = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Parser callback, for heads, interim heads and trailers alike."""
        self._quiet = 0
        if self.done or self._failure is not None:
            return
        self._head_bytes += len(name) + len(value) + 4
        if self.status == 0:
            self._headers.append((name, value))
        if self._head_bytes > limits.RESPONSE_HEAD or len(self._headers) > limits.RESPONSE_HEADERS:
            self._failure = self._too_large("header")

    def on_headers_complete(self) -> None:
        """Parser callback."""
        self._quiet = 0
        if self.done or self._failure is not None:
            return
        status: int = self._parser.get_status_code()
        if status < 200:
            return
        self.status = status
        self._framed = any(name.lower() in _FRAMING for name, _ in self._headers)
        self._choose_decoder()

    def on_body(self, data: bytes) -> None:
        """Parser callback."""
        self._quiet = 0
        if self.done or self._failure is not None:
            return
        decoded = data if self._decoder is None else self._decode(self._decoder, data)
        room = self._limit - self._size
        if len(decoded) > room:
            self._fail(self._too_large("body"))
            decoded = decoded[:room]
        self._size += len(decoded)
        self._body.append(decoded)

    def on_chunk_header(self) -> None:
        """Parser callback."""
        self._quiet = 0

    def on_message_complete(self) -> None:
        """Parser callback, also after each interim (1xx) response."""
        if self.done or self._failure is not None:
            return
        if self.status == 0:
            self._next_after_interim()
        elif self._truncated_coding() and self._encoded:
            self._fail(Unreachable("a compressed body without its end", host=self._host))
        else:
            self._finish(keep_alive=self._parser.should_keep_alive())

    def _next_after_interim(self) -> None:
        self._headers.clear()
        self._interim += 1
        if self._interim > limits.INTERIM_RESPONSES:
            self._failure = self._too_large("number of interim responses")

    def _choose_decoder(self) -> None:
        codings = [value.strip().lower() for name, value in self._headers if name.lower() == b"content-encoding"]
        if codings in ([], [b"identity"], [b""]):
            return
        if codings in ([b"gzip"], [b"x-gzip"]):
            self._decoder = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        elif codings == [b"deflate"]:
            self._decoder = zlib.decompressobj()
        else:
            self._fail(RemoteRefused("unknown content coding", host=self._host, remote_status=self.status))

    def _needs_all(self) -> bool:
        return self._whole and 200 <= self.status < 300

    def _decode(self, decoder: _Decoder, data: bytes) -> bytes:
        if decoder.eof:
            return b""
        self._encoded += len(data)
        room = self._limit - self._size
        try:
            decoded = decoder.decompress(data, room + 1)
        except zlib.error:
            self._fail(Unreachable("a garbled compressed body", host=self._host))
            return b""
        size = self._size + len(decoded)
        if size > _RATIO_FLOOR and size > self._encoded * limits.DECOMPRESSION_RATIO:
            self._fail(self._too_large("compression ratio"))
        return decoded

    def _fail(self, failure: RemoteFailure) -> None:
        """What is wrong with a body matters where it is wanted; else the status is all that the caller needs."""
        if self._needs_all():
            self._failure = failure
        else:
            # The rest of the body goes with the connection.
            self._finish(keep_alive=False)

    def _finish(self, *, keep_alive: bool) -> None:
        self.done = True
        self.keep_alive = keep_alive

    def _too_large(self, what: str) -> RemoteRefused:
        return RemoteRefused(f"{what} over the limit", host=self._host, remote_status=self.status or None)
