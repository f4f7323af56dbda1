"""A pretend internet: requests that leave one instance reach another one's ASGI app, in process, without sockets."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import unquote

from medfed.kernel.errors import Unreachable
from medfed.net.message import OutgoingRequest, Response, Transport
from medfed.net.reader import ResponseReader

Message: TypeAlias = MutableMapping[str, Any]
AsgiApp: TypeAlias = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]


@dataclass(slots=True)
class PretendInternet:
    """A `medfed.net.message.Transport` that routes by authority. Everything sent is kept in `requests`.

    An app that raises answers 500, as a real server would; what it raised is in `crashes`, for the test to look at.
    """

    requests: list[OutgoingRequest] = field(default_factory=list)
    crashes: list[Exception] = field(default_factory=list)
    loses: Callable[[OutgoingRequest], bool] | None = None
    """Whether the answer to a request is lost on its way back, when it has taken effect."""
    delays: Callable[[OutgoingRequest], bool] | None = None
    """Whether a request is held up on its way: its sender gives up, and it arrives with `bring_late`."""
    late: list[OutgoingRequest] = field(default_factory=list)
    beyond: Transport | None = None
    """Where requests go whose host nobody plays; without it, such a host is down."""
    _apps: dict[str, AsgiApp] = field(default_factory=dict)
    _down: set[str] = field(default_factory=set)
    _delay: dict[str, float] = field(default_factory=dict)

    def register(self, authority: str, app: AsgiApp) -> None:
        """From now on, `authority` (host or host:port) is served by `app`."""
        self._apps[authority] = app

    def down(self, authority: str) -> None:
        """Connections to `authority` fail until `up`."""
        self._down.add(authority)

    def up(self, authority: str) -> None:
        """End an outage or a slowness."""
        self._down.discard(authority)
        self._delay.pop(authority, None)

    def slow(self, authority: str, seconds: float) -> None:
        """Answers take `seconds`; a caller with less patience than that fails at once, without waiting for real."""
        self._delay[authority] = seconds

    def sent_to(self, authority: str) -> list[OutgoingRequest]:
        """What was sent to one host, in order, outages included."""
        return [request for request in self.requests if request.authority == authority]

    async def send(self, request: OutgoingRequest, timeout: float, limit: int) -> Response:  # noqa: ASYNC109
        """Carry one request."""
        self.requests.append(request)
        authority = request.authority
        app = self._apps.get(authority)
        if app is None and self.beyond is not None:
            return await self.beyond.send(request, timeout, limit)
        if app is None or authority in self._down:
            raise Unreachable("cannot connect: pretend outage", host=authority)
        if self.delays is not None and self.delays(request):
            self.late.append(request)
            raise Unreachable("took too long altogether", host=authority)
        delay = self._delay.get(authority, 0.0)
        if delay >= timeout:
            raise Unreachable("took too long altogether", host=authority)
        if delay:
            await asyncio.sleep(delay)
        response = await self._deliver(app, request, timeout, limit)
        if self.loses is not None and self.loses(request):
            raise Unreachable("cut off before the answer", host=authority)
        return response

    async def bring_late(self, place: int) -> None:
        """Carry one of the requests that were held up; nobody waits for the answer any more."""
        request = self.late.pop(place)
        app = self._apps.get(request.authority)
        if app is not None and request.authority not in self._down:
            await self._run(app, _Exchange(request))

    async def aclose(self) -> None:
        """Nothing is open but what lies beyond."""
        if self.beyond is not None:
            await self.beyond.aclose()

    async def _deliver(self, app: AsgiApp, request: OutgoingRequest, within: float, limit: int) -> Response:
        exchange = _Exchange(request)
        # A context of its own: the other instance must not see ours (request id, open transaction).
        task = asyncio.create_task(self._run(app, exchange), context=Context())
        try:
            async with asyncio.timeout(within):
                await task
        except TimeoutError:
            raise Unreachable("took too long altogether", host=request.authority) from None
        reader = ResponseReader(request.authority, limit, whole=request.method == "GET")
        reader.feed(exchange.wire())
        return Response(status=reader.status, url=request.url, headers=reader.headers, body=reader.body)

    async def _run(self, app: AsgiApp, exchange: "_Exchange") -> None:
        try:
            await app(exchange.scope(), exchange.receive, exchange.send)
        except Exception as error:  # noqa: BLE001  (whatever it is, the peer sees a 500)
            self.crashes.append(error)
            exchange.status, exchange.headers, exchange.body = 500, [], b""


@dataclass(slots=True)
class _Exchange:
    request: OutgoingRequest
    status: int = 500
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    asked: bool = False

    def scope(self) -> Message:
        path, _, query = self.request.target.partition("?")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": self.request.method,
            "scheme": self.request.scheme,
            "path": unquote(path),
            "raw_path": path.encode("ascii"),
            "query_string": query.encode("ascii"),
            "root_path": "",
            "headers": [
                (name.encode("latin-1"), value.encode("latin-1")) for name, value in self.request.headers.items()
            ],
            "client": ("198.51.100.7", 40_000),
            "server": (self.request.to.host, self.request.to.port),
            "state": {},
        }

    async def receive(self) -> Message:
        if self.asked:
            return {"type": "http.disconnect"}
        self.asked = True
        return {"type": "http.request", "body": self.request.body, "more_body": False}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message.get("headers", ()))
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")

    def wire(self) -> bytes:
        """The response as bytes, so that it meets the same reader and limits as one from a socket."""
        lines = [f"HTTP/1.1 {self.status} ".encode()]
        lines += [
            name + b": " + value
            for name, value in self.headers
            if name.lower() not in (b"content-length", b"transfer-encoding", b"connection")
        ]
        has_body = self.status not in (204, 304)
        if has_body:
            lines.append(f"content-length: {len(self.body)}".encode())
        return b"\r\n".join([*lines, b"", self.body if has_body else b""])
