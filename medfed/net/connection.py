"""One socket to one checked address: opens it, writes a request, reads the response, keeps the time."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import cast

from medfed.kernel import limits
from medfed.kernel.errors import RemoteFailure, Unreachable
from medfed.net.guard import Address, Url
from medfed.net.reader import ResponseReader

_ATTEMPTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Timers:
    """Seconds, all on the monotonic clock. The total comes with each request."""

    dns: float = limits.DNS_TIMEOUT
    connect: float = limits.CONNECT_TIMEOUT
    tls: float = limits.TLS_TIMEOUT
    read: float = limits.READ_TIMEOUT


class Stale(Exception):
    """A kept-alive connection turned out to be closed before the first byte of a response."""


class Connection(asyncio.Protocol):
    """An open connection; carries one exchange at a time."""

    __slots__ = (
        "_deadline",
        "_heard",
        "_host",
        "_loop",
        "_on_lost",
        "_read_gap",
        "_reader",
        "_timer",
        "_transport",
        "_waiter",
        "closed",
        "idle_since",
        "used",
    )

    def __init__(self, host: str, read_gap: float, on_lost: Callable[["Connection"], None]) -> None:
        self._host = host
        self._read_gap = read_gap
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._reader: ResponseReader | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._heard = 0.0
        self._deadline = 0.0
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self.used = False
        self.idle_since = 0.0

    @property
    def peer(self) -> str:
        """The address at the other end."""
        return str(self._transport.get_extra_info("peername")[0]) if self._transport is not None else ""

    @property
    def is_open(self) -> bool:
        """Whether another request may be written."""
        return self._transport is not None and not self._transport.is_closing()

    async def exchange(self, request: bytes, reader: ResponseReader, deadline: float) -> None:
        """Write `request`, fill `reader`. `deadline` is loop time. Raises Stale, RemoteFailure."""
        if self._transport is None or self._transport.is_closing():
            raise Stale
        self._reader = reader
        self._waiter = self._loop.create_future()
        self._heard = self._loop.time()
        self._deadline = deadline
        self._arm(self._heard)
        try:
            self._transport.write(request)
            await self._waiter
        except BaseException:
            self.abort()
            raise
        finally:
            self._disarm()
        self.used = True
        if not reader.keep_alive:
            self.abort()

    def abort(self) -> None:
        """Close at once; nothing that is still under way matters."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        # Both loops hand a stream transport to a stream protocol; uvloop's is not a subclass of asyncio's.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        if self._reader is None or self._waiter is None or self._waiter.done():
            # A response to nothing: whoever sends that must not get to answer our next question.
            self.abort()
            return
        self._heard = self._loop.time()
        try:
            self._reader.feed(data)
        except RemoteFailure as failure:
            self._settle(failure)
            return
        if self._reader.done:
            self._settle(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        self._transport = None
        if not self.closed.done():
            self.closed.set_result(None)
        self._on_lost(self)
        if self._reader is None:
            return
        if self.used and not self._reader.started:
            self._settle(Stale())
        elif exc is not None:
            self._settle(Unreachable(f"connection lost: {exc}", host=self._host))
        else:
            self._end_of_stream(self._reader)

    def _end_of_stream(self, reader: ResponseReader) -> None:
        try:
            reader.end()
        except RemoteFailure as failure:
            self._settle(failure)
        else:
            self._settle(None)

    def _settle(self, failure: Exception | None) -> None:
        if self._waiter is None or self._waiter.done():
            return
        if failure is None:
            self._waiter.set_result(None)
        else:
            self._waiter.set_exception(failure)

    def _arm(self, now: float) -> None:
        # One timer per request serves both limits: silence only matters when it fires.
        self._timer = self._loop.call_at(min(self._deadline, max(self._heard, now) + self._read_gap), self._tick)

    def _tick(self) -> None:
        now = self._loop.time()
        if now >= self._deadline:
            self._settle(Unreachable("took too long altogether", host=self._host))
        elif now - self._heard >= self._read_gap:
            self._settle(Unreachable("fell silent", host=self._host))
        else:
            self._arm(self._heard)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._reader = self._waiter = None


async def open_connection(
    url: Url,
    addresses: Sequence[Address],
    tls: ssl.SSLContext,
    timers: Timers,
    on_lost: Callable[[Connection], None],
) -> Connection:
    """Connect to one of `addresses`, and to nothing else; the certificate must name `url.host`.

    Raises Unreachable.
    """
    sock = await _connect_socket(url, addresses, timers.connect)
    loop = asyncio.get_running_loop()
    secure = url.scheme == "https"
    try:
        _, connection = await loop.create_connection(
            lambda: Connection(url.authority, timers.read, on_lost),
            sock=sock,
            ssl=tls if secure else None,
            server_hostname=url.host if secure else None,
            ssl_handshake_timeout=timers.tls if secure else None,
        )
    except ssl.SSLCertVerificationError as error:
        sock.close()
        raise Unreachable(f"certificate: {error.verify_message}", host=url.authority) from error
    except OSError as error:
        sock.close()
        raise Unreachable(f"TLS: {error or type(error).__name__}", host=url.authority) from error
    except BaseException:
        sock.close()
        raise
    return connection


async def _connect_socket(url: Url, addresses: Sequence[Address], within: float) -> socket.socket:
    loop = asyncio.get_running_loop()
    end = loop.time() + within
    candidates = _both_families_first(addresses)[:_ATTEMPTS]
    reason = "no address"
    for number, address in enumerate(candidates, start=1):
        # An address that swallows packets may use half of the time that is left: the next gets its turn.
        share = (end - loop.time()) / (1 if number == len(candidates) else 2)
        try:
            async with asyncio.timeout(share):
                return await _connect_one(address, url.port)
        except TimeoutError:
            reason = "no answer"
        except OSError as error:
            reason = error.strerror or str(error)
    raise Unreachable(f"cannot connect: {reason}", host=url.authority)


async def _connect_one(address: Address, port: int) -> socket.socket:
    family = socket.AF_INET6 if isinstance(address, IPv6Address) else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.settimeout(0)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(sock, (str(address), port))
    except BaseException:
        sock.close()
        raise
    return sock


def _both_families_first(addresses: Sequence[Address]) -> list[Address]:
    """The system's order, but with the best address of the other family second."""
    first = addresses[0]
    other = next((address for address in addresses if address.version != first.version), None)
    ordered = [first] if other is None else [first, other]
    return ordered + [address for address in addresses if address not in ordered]
