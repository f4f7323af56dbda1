"""What the parts of taking a Create cost, and of two look-ups, in this process: the fastest of many short turns.

For machines that others use at the same time: whoever else runs makes a turn slower, never faster.
"""

import time
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from starlette.types import ASGIApp, Scope

from bench import floors, stage
from bench.cast import Cast
from medfed.activitypub import claims, signatures, wire
from medfed.activitypub.claims import SignedRequest
from medfed.app import build_app
from medfed.instance import open_instance
from medfed.kernel.clock import SystemClock
from medfed.kernel.html import clean

_TURNS: Final = 400
_AT_A_TIME: Final = 10


async def measure(folder: Path) -> dict[str, float]:
    """µs for each part."""
    place = await stage.build(folder)
    found = {name: _fastest(work) for name, work in _of_a_create(place.url).items()}
    async with open_instance(place.settings(), role="server") as instance:
        ours = build_app(instance)
        asked: dict[str, tuple[ASGIApp, str, str]] = {
            "a bare answer, without HTTP": (floors.app, "/document", ""),
            "an actor, without HTTP": (ours, f"/users/{stage.MEMBER}", ""),
            "a WebFinger, without HTTP": (
                ours,
                "/.well-known/webfinger",
                f"resource=acct:{stage.MEMBER}@{place.authority}",
            ),
        }
        for name, (app, path, query) in asked.items():
            found[name] = await _fastest_answer(partial(_answer, app, path, query))
    return found


def _of_a_create(url: str) -> dict[str, Callable[[], object]]:
    role, now = Cast.hire(hosts=1, per_host=1).roles[0], SystemClock().now()
    head, _, body = role.post(f"{url}/inbox", role.create(1, now), now).partition(b"\r\n\r\n")
    lines = (line.partition(": ") for line in head.decode().split("\r\n")[1:])
    scheme, _, authority = url.partition("://")
    request = SignedRequest(
        method="POST",
        target="/inbox",
        scheme=scheme,
        authority=authority,
        headers=tuple((name.lower(), value) for name, _, value in lines),
        body=body,
    )
    claim, document = signatures.read_claim(request, now), wire.parse_activity(body).object or {}
    content = wire.read_post(document, now).content
    return {
        "reading its signature": lambda: signatures.read_claim(request, now),
        "verifying it": lambda: claims.verify(claim, role.key.public),
        "reading the activity": lambda: wire.parse_activity(body),
        "reading the post": lambda: wire.read_post(document, now),
        "cleaning its text": lambda: clean(content),
    }


def _fastest(work: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(_TURNS):
        began = time.perf_counter()
        for _ in range(_AT_A_TIME):
            work()
        best = min(best, time.perf_counter() - began)
    return best / _AT_A_TIME * 1e6


async def _fastest_answer(work: Callable[[], Awaitable[None]]) -> float:
    best = float("inf")
    for _ in range(_TURNS):
        began = time.perf_counter()
        for _ in range(_AT_A_TIME):
            await work()
        best = min(best, time.perf_counter() - began)
    return best / _AT_A_TIME * 1e6


async def _answer(app: ASGIApp, path: str, query: str) -> None:
    scope: Scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(b"host", b"bench"), (b"accept", b"application/activity+json")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 1),
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start" and message["status"] != 200:
            raise RuntimeError(f"{path} was answered {message['status']}")

    await app(scope, receive, send)
