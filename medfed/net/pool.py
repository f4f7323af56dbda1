"""Keeps connections to other servers open, few per host and bounded overall, and sends requests over them."""

import asyncio
import resource
import ssl
from collections import OrderedDict, deque
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from medfed.kernel import limits
from medfed.kernel.errors import Broken, Misconfigured, Unreachable
from medfed.net.connection import Connection, Stale, Timers, open_connection
from medfed.net.guard import Policy, Url
from medfed.net.message import OutgoingRequest, Response
from medfed.net.reader import ResponseReader
from medfed.net.resolve import CheckedAddresses, Resolver, SystemResolver

_Key: TypeAlias = tuple[str, str, int]


class _Lane:
    """What is under way to one scheme, host and port."""

    __slots__ = ("active", "idle", "waiting")

    def __init__(self) -> None:
        self.active = 0
        self.idle: list[Connection] = []
        self.waiting: deque[asyncio.Future[None]] = deque()

    @property
    def is_empty(self) -> bool:
        return not (self.active or self.idle or self.waiting)


class Pool:
    """The transport that uses sockets. Everything it connects to was resolved and checked by it."""

    def __init__(
        self,
        policy: Policy,
        *,
        tls: ssl.SSLContext | None = None,
        resolver: Resolver | None = None,
        timers: Timers | None = None,
        per_host: int = limits.CONNECTIONS_PER_HOST,
        idle: int | None = None,
        idle_seconds: float = limits.IDLE_SECONDS,
    ) -> None:
        self._timers = timers or Timers()
        self._system = SystemResolver()
        self._addresses = CheckedAddresses(policy, resolver or self._system, timeout=self._timers.dns)
        self._tls = tls or tls_context()
        self._per_host = per_host
        self._idle_limit = _affordable() if idle is None else idle
        self._idle_seconds = idle_seconds
        self._lanes: dict[_Key, _Lane] = {}
        self._idle: OrderedDict[Connection, _Key] = OrderedDict()
        self._open: set[Connection] = set()
        self._sweep: asyncio.TimerHandle | None = None

    async def send(self, request: OutgoingRequest, timeout: float, limit: int) -> Response:  # noqa: ASYNC109
        """Exchange within `timeout` seconds and `limit` decoded body bytes; follow no redirect.

        Raises Blocked, Unreachable, RemoteRefused.
        """
        deadline = asyncio.get_running_loop().time() + timeout
        wire = _serialise(request)
        key = (request.to.scheme, request.to.host, request.to.port)
        lane = await self._enter(key, request.to, deadline)
        try:
            reader = await self._exchange(key, lane, request, wire, deadline, limit)
        finally:
            self._leave(key, lane)
        return Response(status=reader.status, url=str(request.to), headers=reader.headers, body=reader.body)

    async def aclose(self) -> None:
        """Close every connection, also those in use."""
        if self._sweep is not None:
            self._sweep.cancel()
            self._sweep = None
        await self._addresses.aclose()
        self._system.close()
        closing = [connection.closed for connection in self._open]
        for connection in list(self._open):
            connection.abort()
        await asyncio.gather(*closing)

    async def _enter(self, key: _Key, url: Url, deadline: float) -> _Lane:
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = _Lane()
        if lane.active < self._per_host:
            lane.active += 1
            return lane
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        lane.waiting.append(turn)
        try:
            async with asyncio.timeout_at(deadline):
                await turn
        except BaseException as error:
            self._give_up_turn(key, lane, turn)
            if isinstance(error, TimeoutError):
                raise Unreachable("too many requests to this host are waiting", host=url.authority) from None
            raise
        return lane

    def _give_up_turn(self, key: _Key, lane: _Lane, turn: asyncio.Future[None]) -> None:
        if turn in lane.waiting:
            lane.waiting.remove(turn)
        elif turn.done() and not turn.cancelled():
            self._leave(key, lane)

    def _leave(self, key: _Key, lane: _Lane) -> None:
        # The place passes from hand to hand, so `active` stays as it is while someone waits.
        while lane.waiting:
            turn = lane.waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        lane.active -= 1
        self._forget_if_empty(key, lane)

    def _forget_if_empty(self, key: _Key, lane: _Lane) -> None:
        if lane.is_empty and self._lanes.get(key) is lane:
            del self._lanes[key]

    async def _exchange(
        self, key: _Key, lane: _Lane, request: OutgoingRequest, wire: bytes, deadline: float, limit: int
    ) -> ResponseReader:
        whole = request.method == "GET"
        connection = self._take_idle(lane)
        if connection is not None:
            reader = ResponseReader(request.authority, limit, whole=whole)
            try:
                await connection.exchange(wire, reader, deadline)
            except Stale:
                # It was closed while nobody looked; the request cannot have been answered. Once more, fresh.
                pass
            else:
                self._keep(key, lane, connection)
                return reader
        connection = await self._connect(request.to, deadline)
        reader = ResponseReader(request.authority, limit, whole=whole)
        try:
            await connection.exchange(wire, reader, deadline)
        except Stale:
            raise Unreachable("closed the connection at once", host=request.authority) from None
        self._keep(key, lane, connection)
        return reader

    async def _connect(self, url: Url, deadline: float) -> Connection:
        try:
            async with asyncio.timeout_at(deadline):
                addresses = await self._addresses.of(url)
                connection = await open_connection(url, addresses, self._tls, self._timers, self._lost)
        except TimeoutError:
            raise Unreachable("took too long altogether", host=url.authority) from None
        self._open.add(connection)
        if not connection.is_open:
            self._open.discard(connection)
        return connection

    def _take_idle(self, lane: _Lane) -> Connection | None:
        while lane.idle:
            connection = lane.idle.pop()
            self._idle.pop(connection, None)
            if connection.is_open:
                return connection
        return None

    def _keep(self, key: _Key, lane: _Lane, connection: Connection) -> None:
        if not connection.is_open:
            return
        loop = asyncio.get_running_loop()
        connection.idle_since = loop.time()
        lane.idle.append(connection)
        self._idle[connection] = key
        if len(self._idle) > self._idle_limit:
            self._drop(next(iter(self._idle)))
        if self._sweep is None:
            self._sweep = loop.call_later(self._idle_seconds, self._drop_tired)

    def _drop_tired(self) -> None:
        self._sweep = None
        loop = asyncio.get_running_loop()
        while self._idle:
            oldest = next(iter(self._idle))
            rests_until = oldest.idle_since + self._idle_seconds
            if rests_until > loop.time():
                self._sweep = loop.call_at(rests_until, self._drop_tired)
                return
            self._drop(oldest)

    def _drop(self, connection: Connection) -> None:
        self._lost_idle(connection)
        connection.abort()

    def _lost(self, connection: Connection) -> None:
        self._open.discard(connection)
        self._lost_idle(connection)

    def _lost_idle(self, connection: Connection) -> None:
        key = self._idle.pop(connection, None)
        if key is None:
            return
        lane = self._lanes[key]
        lane.idle.remove(connection)
        self._forget_if_empty(key, lane)


def tls_context(ca_file: Path | None = None) -> ssl.SSLContext:
    """The context that all connections share: the system's authorities (SSL_CERT_FILE) and the operator's.

    Raises Misconfigured.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=ca_file)
        except OSError as error:
            raise Misconfigured(f"ca_file {ca_file}: {error}") from error
    return context


def _affordable() -> int:
    """How many idle connections leave files enough for everything else."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return limits.IDLE_CONNECTIONS if files == resource.RLIM_INFINITY else min(limits.IDLE_CONNECTIONS, files // 4)


def _serialise(request: OutgoingRequest) -> bytes:
    lines = [f"{request.method} {request.target} HTTP/1.1"]
    lines += _fields(request.headers)
    head = "\r\n".join(lines)
    # No value that reaches this point may open a line of its own (case B12).
    if head.count("\r") != len(lines) - 1 or head.count("\n") != len(lines) - 1 or "\0" in head:
        raise Broken("a header with a line break in it")
    return (head + "\r\n\r\n").encode("latin-1") + request.body


def _fields(headers: Mapping[str, str]) -> list[str]:
    return [f"{name}: {value}" for name, value in headers.items()]
