"""What fails unforeseen is in the operator's log, once, with its request; a server that cannot work ends."""

import asyncio
import io
import json
import logging
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from medfed import app as application
from medfed.cli.serve import _Server, configured
from medfed.kernel.errors import Broken, Misconfigured, StorageDown
from medfed.kernel.observe import JsonFormatter
from medfed.worker.loop import Worker
from tests.support.world import a_world


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What the operator reads."""
    for name in ("uvicorn", "uvicorn.error"):  # a server that another test started may have set them up for itself
        monkeypatch.setattr(logging.getLogger(name), "propagate", True)
    lines = io.StringIO()
    handler = logging.StreamHandler(lines)
    handler.setFormatter(JsonFormatter())
    logging.getLogger().addHandler(handler)
    yield lines
    logging.getLogger().removeHandler(handler)


def _status_and_id(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - loopback
            return answer.status, answer.headers["x-request-id"]
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["x-request-id"]


@pytest.mark.parametrize("crash", [RuntimeError("nobody foresaw it"), Broken("nobody foresaw it")])
async def test_a_crash_is_one_line_with_the_request_and_where_it_happened(
    crash: Exception, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crashing(*_arguments: Any) -> None:
        raise crash

    monkeypatch.setattr("medfed.discovery.health.livez", crashing)
    async with a_world("lyon.test") as world:
        server = _Server(configured(application.build_app(world["lyon.test"].instance), "127.0.0.1", 0, None))
        serving = asyncio.create_task(server.serve())
        async with asyncio.timeout(10):
            while not server.started:  # noqa: ASYNC110 - nothing tells when
                await asyncio.sleep(0.02)
        port = server.servers[0].sockets[0].getsockname()[1]
        status, request = await asyncio.to_thread(_status_and_id, f"http://127.0.0.1:{port}/livez")
        server.should_exit = True
        await serving
    assert status == 500
    (line,) = [line for line in map(json.loads, log.getvalue().splitlines()) if line["level"] == "error"]
    assert line["request"] == request
    assert "in crashing" in line["error"]
    assert "nobody foresaw it" in line["error"]


async def test_a_server_whose_worker_cannot_start_does_not_serve(
    log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failing(_worker: Worker) -> None:
        raise StorageDown("the disk is full")

    async with a_world("lyon.test") as world:
        instance = world["lyon.test"].instance
        monkeypatch.setattr(Worker, "start", failing)
        server = _Server(configured(application.build_app(instance, worker=Worker(instance)), "127.0.0.1", 0, None))
        async with asyncio.timeout(10):
            with pytest.raises(Misconfigured, match="could not start"):
                await server.serve()
    assert "the disk is full" in log.getvalue()
