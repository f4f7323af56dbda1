"""Signed Creates into the shared inbox: from strangers, from known actors at full tilt, and at a steady rate."""

import asyncio
import sqlite3
import time
from pathlib import Path
from typing import Any

from bench import floors, stage
from bench.cast import Cast, Role
from bench.load import drive, save
from bench.stage import Process, Stage
from medfed.kernel.clock import SystemClock

CONNECTIONS = 32
COLD = 60
STEADY_SHARE = 0.5
CROWD_HOSTS = 200
CROWD_PER_HOST = 25


async def measure(folder: Path, seconds: float) -> dict[str, Any]:
    """Accepted and applied a second, processor time for each, latencies; beside the floors."""
    cast = Cast.hire(hosts=20, per_host=10)
    cast.save(folder / "cast.json")
    known, strangers = cast.roles[:-COLD], cast.roles[-COLD:]
    place = await stage.build(folder)
    await stage.introduce(place, known, followed=True)
    peer = stage.peer(folder / "cast.json")
    server = stage.server(place).start()
    try:
        await stage.answers(server, place.authority)
        floor = await floors.handler(folder, creates(place, known, 1, 0)[0], count=3000, connections=CONNECTIONS)
        await flood(place, server, creates(place, known, 200, 1_000_000))
        cold = await flood(place, server, creates(place, strangers, COLD, 2_000_000), connections=8)
        trial = await flood(place, server, creates(place, known, 300, 3_000_000))
        count = max(300, int(trial["applied_per_second"] * seconds))
        warm = await flood(place, server, creates(place, known, count, 4_000_000))
        rate = warm["applied_per_second"] * STEADY_SHARE
        steady = creates(place, known, int(rate * seconds), 5_000_000)
        save(folder / "steady.bin", steady)
        paced = await drive(folder / "steady.bin", place.authority, connections=CONNECTIONS, rate=rate)
    finally:
        server.stop()
        peer.stop()
    return {
        "floor": floor
        | {
            "rsa": floors.rsa(cast),
            "ed25519": floors.ed25519(),
            "durable_commits_per_second": floors.durable_commits(folder),
        },
        "warm": warm,
        "cold": cold,
        "steady": {"rate": rate, "ms": paced["ms"], "statuses": paced["statuses"]},
        "accepted_share_of_floor": warm["accepted_per_second"] / floor["per_second"],
        "cpu_ratio": warm["cpu_us"] / floor["cpu_us"],
        "cold_cpu_ms": cold["cpu_us"] / 1000,
    }


async def crowd(folder: Path, seconds: float) -> dict[str, Any]:
    """The same from some thousand known actors, each of whom says something once in a while: no memory holds them."""
    cast = Cast.hire(hosts=CROWD_HOSTS, per_host=CROWD_PER_HOST)
    place = await stage.build(folder)
    await stage.introduce(place, cast.roles, followed=True)
    server = stage.server(place).start()
    try:
        await stage.answers(server, place.authority)
        floor = await floors.handler(folder, creates(place, cast.roles, 1, 0)[0], count=3000, connections=CONNECTIONS)
        trial = await flood(place, server, creates(place, cast.roles, 300, 1_000_000))
        count = max(300, int(trial["applied_per_second"] * seconds))
        others = cast.roles[300:] + cast.roles[:300]
        found = await flood(place, server, creates(place, others, count, 2_000_000))
    finally:
        server.stop()
    return {
        "actors": len(cast.roles),
        "floor": floor,
        "crowd": found,
        "cpu_ratio": found["cpu_us"] / floor["cpu_us"],
    }


def creates(place: Stage, roles: list[Role], count: int, first: int) -> list[bytes]:
    """Signed requests, each by the next of these actors; `first` numbers the posts."""
    now = SystemClock().now()
    url = f"{place.url}/inbox"
    return [
        roles[number % len(roles)].post(url, roles[number % len(roles)].create(first + number, now), now)
        for number in range(count)
    ]


async def flood(
    place: Stage, server: Process, requests: list[bytes], *, connections: int = CONNECTIONS
) -> dict[str, float]:
    """Send everything at once, and wait until it is applied."""
    save(place.folder / "flood.bin", requests)
    before, began = server.cpu(), time.perf_counter()
    sent = await drive(place.folder / "flood.bin", place.authority, connections=connections)
    if sent["statuses"] != {"202": len(requests)}:
        raise RuntimeError(f"not all were accepted: {sent['statuses']}")
    overhead = time.perf_counter() - began - sent["seconds"]
    while _waiting(place):  # noqa: ASYNC110 - another process does the work
        await asyncio.sleep(0.02)
    took = time.perf_counter() - began - overhead
    return {
        "count": len(requests),
        "accepted_per_second": sent["per_second"],
        "applied_per_second": len(requests) / took,
        "cpu_us": (server.cpu() - before) / len(requests) * 1e6,
        "p50_ms": sent["ms"]["p50"],
        "p99_ms": sent["ms"]["p99"],
    }


def _waiting(place: Stage) -> int:
    path = place.database.removeprefix("sqlite:///")
    raw = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        count: int = raw.execute("SELECT COUNT(*) FROM inbox_log WHERE state = 'waiting'").fetchone()[0]
    finally:
        raw.close()
    return count
