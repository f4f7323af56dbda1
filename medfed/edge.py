"""What all HTTP edges share: routing by a table, reading bodies within limits, errors, headers, who is asking."""

import ipaddress
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, TypeAlias

import orjson
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from medfed.activitypub.claims import SignedRequest
from medfed.activitypub.uris import Uris
from medfed.instance import Instance
from medfed.kernel import limits
from medfed.kernel.correlation import new_request_id, request_id
from medfed.kernel.errors import Malformed, TooLarge, Unsupported

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]

# ── answers ──────────────────────────────────────────────────────────────────────────────────────────────────

ACTIVITY_TYPE: Final = "application/activity+json; charset=utf-8"
VARY: Final = "Accept, Signature, Signature-Input"
"""What an answer to a peer depends on."""


class Json(Response):
    """A JSON answer."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Compact UTF-8."""
        return orjson.dumps(content)


def activity_json(document: Mapping[str, object], status: int = 200, *, public: bool = True) -> Response:
    """An ActivityPub document. What is not public must not be kept by caches between us and the peer (M10)."""
    return activity_bytes(orjson.dumps(document), status, public=public)


def activity_bytes(body: bytes, status: int = 200, *, public: bool = True) -> Response:
    """An ActivityPub document as it was written once."""
    headers = {
        "vary": VARY,
        "cache-control": "max-age=180, public" if public else "private, no-store",
    }
    return Response(body, status_code=status, media_type=ACTIVITY_TYPE, headers=headers)


def actor_bytes(body: bytes) -> Response:
    """An actor. No cache gives it out without asking us: a key that it lists no more counts no more (C18)."""
    response = activity_bytes(body)
    response.headers["cache-control"] = "no-cache"
    return response


# ── routing ──────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One line of a route table: method and path to endpoint. `{name}` matches one segment of a path."""

    method: str
    path: str
    endpoint: Endpoint
    info: object = None


@dataclass(slots=True)
class _Node:
    literal: dict[str, "_Node"] = field(default_factory=dict)
    patterns: list[tuple[re.Pattern[str], "_Node"]] = field(default_factory=list)
    routes: dict[str, Route] = field(default_factory=dict)


class Router:
    """Finds an endpoint by walking a tree of path segments: the last of 300 routes costs what the first does."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = _Node()
        for route in routes:
            self._add(route)

    def _add(self, route: Route) -> None:
        node = self._root
        for segment in route.path.strip("/").split("/"):
            node = _child(node, segment)
        if route.method in node.routes:
            raise ValueError(f"two routes for {route.method} {route.path}")
        node.routes[route.method] = route

    def find(self, method: str, path: str) -> tuple[Route | None, dict[str, str], Sequence[str]]:
        """(the route, its path parameters, the methods that the path has)."""
        segments = path.strip("/").split("/")
        found = _walk(self._root, segments, 0, {})
        if found is None:
            return None, {}, ()
        node, parameters = found
        route = node.routes.get(method) or (node.routes.get("GET") if method == "HEAD" else None)
        return route, parameters, tuple(node.routes)


def _child(node: _Node, segment: str) -> _Node:
    if "{" not in segment:
        if segment not in node.literal:
            node.literal[segment] = _Node()
        return node.literal[segment]
    pattern = _pattern(segment)
    for known, child in node.patterns:
        if known is pattern:
            return child
    node.patterns.append((pattern, _Node()))
    return node.patterns[-1][1]


@cache
def _pattern(segment: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(segment)))


def _walk(
    node: _Node, segments: Sequence[str], at: int, parameters: dict[str, str]
) -> tuple[_Node, dict[str, str]] | None:
    if at == len(segments):
        return (node, parameters) if node.routes else None
    segment = segments[at]
    literal = node.literal.get(segment)
    if literal is not None:
        found = _walk(literal, segments, at + 1, parameters)
        if found is not None:
            return found
    for pattern, child in node.patterns:
        match = pattern.fullmatch(segment)
        if match is not None:
            found = _walk(child, segments, at + 1, parameters | match.groupdict())
            if found is not None:
                return found
    return None


# ── requests ─────────────────────────────────────────────────────────────────────────────────────────────────


def instance_of(request: Request) -> Instance:
    """The instance that answers this request."""
    instance: Instance = request.scope["medfed.instance"]
    return instance


async def read_body(request: Request, limit: int) -> bytes:
    """The body, counted while it arrives. Raises TooLarge, Unsupported (a coded body), Malformed."""
    check_announced(request, limit)
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise TooLarge(f"at most {limit // limits.MIB} MiB")
        parts.append(part)
    return b"".join(parts)


def check_announced(request: Request, limit: int) -> None:
    """Refuse a body by what its headers say of it, before any of it is read. Raises TooLarge, Unsupported."""
    for name, value in request.scope["headers"]:
        if name == b"content-encoding" and value != b"identity":
            raise Unsupported("a coded request body is not understood")
        if name == b"content-length" and not _is_at_most(value, limit):
            raise TooLarge(f"at most {limit // limits.MIB} MiB")


def _is_at_most(announced: bytes, limit: int) -> bool:
    return announced.isdigit() and len(announced) < 20 and int(announced) <= limit


def read_json(body: bytes) -> Any:
    """A client's JSON body. Raises Malformed."""
    if b"\\u0000" in body.replace(b"\\\\", b""):
        raise Malformed("the body holds a NUL character")
    try:
        return orjson.loads(body or b"{}")
    except orjson.JSONDecodeError as error:
        raise Malformed(f"the body is not JSON: {error}") from None


def as_signed(request: Request, uris: Uris, body: bytes = b"") -> SignedRequest:
    """The request as its signature sees it: raw target, our own authority, every header in order."""
    scope = request.scope
    query = scope.get("query_string", b"")
    raw = scope.get("raw_path") or scope["path"].encode()
    target = raw.split(b"?", 1)[0].decode("latin-1") + (f"?{query.decode('latin-1')}" if query else "")
    return SignedRequest(
        method=request.method,
        target=target,
        scheme=uris.base.partition(":")[0],
        authority=uris.authority,
        headers=tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]),
        body=body,
    )


def wants_page(request: Request) -> bool:
    """Whether the caller is a browser that wants a page, and no ActivityPub."""
    accept = request.headers.get("accept", "")
    return "text/html" in accept and "activity+json" not in accept and "ld+json" not in accept


def client_address(scope: Scope, trusted: Sequence[str]) -> str:
    """Who connects, by address; forwarding headers count only from trusted proxies (H13)."""
    client = scope.get("client")
    address = client[0] if client else ""
    networks = [ipaddress.ip_network(network, strict=False) for network in trusted]
    for hop in reversed(Headers(scope=scope).get("x-forwarded-for", "").split(",")):
        if not _within(address, networks):
            break
        if _parsed(hop.strip()) is None:
            break
        address = hop.strip()
    return address


def network_of(address: str) -> str:
    """What counts as one address: for IPv6 the /64 that one line is given."""
    parsed = _parsed(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        mapped = parsed.ipv4_mapped
        return str(mapped) if mapped else str(ipaddress.ip_network((int(parsed), 64), strict=False))
    return str(parsed) if parsed else "unknown"


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(address)
    except ValueError:
        return None


def _within(address: str, networks: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    parsed = _parsed(address)
    return parsed is not None and any(parsed in network for network in networks)


# ── around every request ─────────────────────────────────────────────────────────────────────────────────────

SECURITY_HEADERS: Final = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


class Manners:
    """Outermost: a request id, security headers, and CORS for what clients on other origins may call."""

    def __init__(self, app: ASGIApp, instance: Instance) -> None:
        self._app = app
        self._instance = instance
        added = dict(SECURITY_HEADERS)
        if instance.here.uris.base.startswith("https:"):
            added["strict-transport-security"] = "max-age=31536000; includeSubDomains"
        self._headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in added.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["medfed.instance"] = self._instance
        token = request_id.set(new_request_id())

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = (b"x-request-id", request_id.get().encode("ascii"))
                said = {name for name, _ in message["headers"]}
                message["headers"] += [header for header in (*self._headers, own) if header[0] not in said]
            await send(message)

        await self._app(scope, receive, send_with_headers)
        # Not after a crash: the server logs it when we have returned, and the line is to name the request.
        request_id.reset(token)


CORS_PATHS: Final = (
    "/api/",
    "/oauth/token",
    "/oauth/revoke",
    "/oauth/userinfo",
    "/.well-known/",
    "/nodeinfo/",
    "/media/",
)
CORS_HEADERS: Final = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "GET, POST, PUT, PATCH, DELETE, OPTIONS",
    # The star does not stand for Authorization (Fetch, 3.2.2).
    "access-control-allow-headers": "Authorization, Content-Type, Idempotency-Key, Accept, *",
    "access-control-expose-headers": (
        "Link, Retry-After, X-Request-Id, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset"
    ),
    "access-control-max-age": "86400",
}


def allows_other_origins(path: str) -> bool:
    """Whether scripts of other origins may call a path: never one that reads cookies (F22)."""
    return path.startswith(CORS_PATHS)
