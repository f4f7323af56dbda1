"""Sends prepared requests from a process of its own, at a fixed rate whatever the answers (open loop), or at full tilt.

`python -m bench.load FILE HOST:PORT --connections N [--rate R]` prints one JSON document.
"""

import argparse
import asyncio
import json
import struct
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bench.wire import Client


def save(path: Path, requests: Iterable[bytes]) -> int:
    """Write requests for another process to send; how many."""
    count = 0
    with path.open("wb") as file:
        for request in requests:
            file.write(struct.pack("<I", len(request)) + request)
            count += 1
    return count


def read(path: Path) -> list[bytes]:
    """Read what `save` wrote."""
    data, at, found = path.read_bytes(), 0, []
    while at < len(data):
        (size,) = struct.unpack_from("<I", data, at)
        found.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return found


async def send(requests: Sequence[bytes], to: str, *, connections: int, rate: float) -> dict[str, Any]:
    """Send each request once. Latency counts from when a request was due, so that a stall is not hidden."""
    address, _, port = to.partition(":")
    clients = [await Client.to(address, int(port)) for _ in range(connections)]
    waiting = iter(enumerate(requests))
    took: list[float] = []
    statuses: Counter[int] = Counter()
    began = time.perf_counter()

    async def work(client: Client) -> None:
        for number, request in waiting:
            due = began + number / rate if rate else time.perf_counter()
            if (early := due - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            status, _ = await client.ask(request)
            took.append(time.perf_counter() - due)
            statuses[status] += 1

    await asyncio.gather(*(work(client) for client in clients))
    seconds = time.perf_counter() - began
    for client in clients:
        client.close()
    took.sort()
    return {
        "sent": len(requests),
        "seconds": seconds,
        "per_second": len(requests) / seconds,
        "statuses": {str(status): count for status, count in statuses.items()},
        "ms": {name: took[min(len(took) - 1, int(len(took) * part))] * 1000 for name, part in _PARTS.items()},
    }


_PARTS = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


async def drive(file: Path, to: str, *, connections: int, rate: float = 0.0) -> dict[str, Any]:
    """Run this module as a process of its own; what it printed."""
    command = [sys.executable, "-m", "bench.load", str(file), to, "--connections", str(connections)]
    process = await asyncio.create_subprocess_exec(
        *command, "--rate", str(rate), stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parent.parent
    )
    out, _ = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError("the load generator failed")
    result: dict[str, Any] = json.loads(out)
    return result


def main() -> None:
    """Send a file."""
    import uvloop  # noqa: PLC0415

    parser = argparse.ArgumentParser(prog="python -m bench.load", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("to")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--rate", type=float, default=0.0)
    wanted = parser.parse_args()
    requests = read(wanted.file)
    result = uvloop.run(send(requests, wanted.to, connections=wanted.connections, rate=wanted.rate))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
