"""What the same work costs bare, measured in the same run: a handler, a signature, a durable commit."""

import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.cast import Cast, free_port
from bench.load import drive, save, send
from bench.stage import Process, answers
from medfed.activitypub.keys import PrivateKey, generate_ed25519

_DOCUMENT = b"x" * 2_000


async def _take(request: Request) -> Response:
    await request.body()
    return Response(status_code=202)


async def _document(_request: Request) -> Response:
    return Response(_DOCUMENT, media_type="application/activity+json")


async def _live(_request: Request) -> Response:
    return Response()


app = Starlette(
    routes=[Route("/inbox", _take, methods=["POST"]), Route("/document", _document), Route("/livez", _live)],
)
"""The least that a Starlette application can do with an activity, or to answer with a document."""


def cpu_micros(work: Callable[[], object], *, seconds: float = 0.5) -> float:
    """Processor time of one call, in microseconds, over at least `seconds`."""
    count, began, clock = 0, time.process_time(), time.perf_counter()
    while time.perf_counter() - clock < seconds:
        work()
        count += 1
    return (time.process_time() - began) / count * 1e6


def rsa(cast: Cast) -> dict[str, float]:
    """µs for one RSA-2048 signature and one verification."""
    return _signing(cast.roles[0].key)


def ed25519() -> dict[str, float]:
    """µs for one Ed25519 signature and one verification."""
    return _signing(generate_ed25519())


def _signing(key: PrivateKey) -> dict[str, float]:
    message = b"x" * 300
    signature = key.sign(message)
    return {
        "sign": cpu_micros(lambda: key.sign(message)),
        "verify": cpu_micros(lambda: key.public.verify(signature, message)),
    }


def durable_commits(folder: Path, *, seconds: float = 0.5) -> float:
    """Single-row commits a second with WAL and synchronous=FULL, one after the other."""
    raw = sqlite3.connect(folder / "floor.db", isolation_level=None)
    raw.execute("PRAGMA journal_mode = WAL").fetchall()
    raw.execute("PRAGMA synchronous = FULL").fetchall()
    raw.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, body BLOB)")
    body, count, began = b"x" * 2000, 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        raw.execute("INSERT INTO t (body) VALUES (?)", (body,))
        count += 1
    raw.close()
    return count / (time.perf_counter() - began)


def _bare(folder: Path, port: int) -> Process:
    arguments = [
        *(sys.executable, "-m", "uvicorn", "bench.floors:app", "--port", str(port)),
        *("--no-access-log", "--log-level", "warning", "--loop", "uvloop", "--http", "httptools"),
    ]
    return Process(arguments=arguments, log=folder / "floor.log").start()


async def start(folder: Path) -> float:
    """Seconds until a bare Starlette application under the same server gives its first answer."""
    port = free_port()
    process = _bare(folder, port)
    try:
        return await answers(process, f"127.0.0.1:{port}")
    finally:
        process.stop()


async def document(folder: Path, *, count: int, connections: int) -> dict[str, Any]:
    """A bare Starlette GET of two kilobytes under the same server."""
    return await handler(folder, b"GET /document HTTP/1.1\r\nhost: x\r\n\r\n", count=count, connections=connections)


async def handler(folder: Path, request: bytes, *, count: int, connections: int) -> dict[str, Any]:
    """A bare Starlette POST of the same bytes under the same server: per second, latencies, µs of processor time."""
    port = free_port()
    process = _bare(folder, port)
    try:
        await answers(process, f"127.0.0.1:{port}")
        await send([request] * 200, f"127.0.0.1:{port}", connections=connections, rate=0)
        before = process.cpu()
        save(folder / "floor.bin", [request] * count)
        sent = await drive(folder / "floor.bin", f"127.0.0.1:{port}", connections=connections)
        used = process.cpu() - before
    finally:
        process.stop()
    return {"per_second": sent["per_second"], "cpu_us": used / count * 1e6, "ms": sent["ms"]}
