"""One post to many hosts: the first to each, when nothing is known of it, the next ones, and when the last has it."""

import asyncio
import statistics
import time
from pathlib import Path
from typing import Any

from bench import floors, stage
from bench.cast import Cast
from bench.load import send
from bench.stage import Process, Stage

WARM_POSTS = 3
FEW_HOSTS = 200
_LIVE_POSTS = 3


async def measure(folder: Path, hosts: int) -> dict[str, Any]:
    """Deliveries a second, processor time of one, and when the last host has a post; beside bare signatures."""
    cast = Cast.hire(hosts=hosts, per_host=1)
    cast.save(folder / "cast.json")
    place = await stage.build(folder)
    await stage.introduce(place, cast.roles, following=True)
    peer = stage.peer(folder / "cast.json")
    try:
        cold = await _fan_out(place, cast, posts=1, before=0)
        warm = await _fan_out(place, cast, posts=WARM_POSTS, before=hosts)
        last = await _while_it_runs(place, cast)
    finally:
        peer.stop()
    rsa = floors.rsa(cast)
    return {
        "hosts": hosts,
        "floor": {
            "rsa_sign_us": rsa["sign"],
            "rsa_signs_per_second": 1e6 / rsa["sign"],
            "ed25519_sign_us": floors.ed25519()["sign"],
        },
        "cold": cold,
        "warm": warm,
        "last_host_after": last,
        "signatures_take": hosts * rsa["sign"] / 1e6,
        "share_of_signing_rate": warm["per_second"] * rsa["sign"] / 1e6,
        "cpu_ratio": warm["cpu_us"] / rsa["sign"],
    }


async def _fan_out(place: Stage, cast: Cast, *, posts: int, before: int) -> dict[str, float]:
    """Publish while nothing runs, start the server, and wait until everybody has everything."""
    await stage.promise_posts(place, [f"Avis sur un électrocardiogramme, {number}" for number in range(posts)])
    server = stage.server(place).start()
    try:
        await stage.answers(server, place.authority)
        return await _drained(server, cast, begun=before, expected=before + posts * cast.hosts_count)
    finally:
        server.stop()


async def last_host(folder: Path, hosts: int) -> dict[str, Any]:
    """When the last of some hosts has what a member wrote, beside the time that the bare signatures take."""
    cast = Cast.hire(hosts=hosts, per_host=1)
    cast.save(folder / "cast.json")
    place = await stage.build(folder)
    await stage.introduce(place, cast.roles, following=True)
    peer = stage.peer(folder / "cast.json")
    try:
        await _fan_out(place, cast, posts=1, before=0)
        last = await _while_it_runs(place, cast)
    finally:
        peer.stop()
    return {"hosts": hosts, "last_host_after": last, "signatures_take": hosts * floors.rsa(cast)["sign"] / 1e6}


async def _while_it_runs(place: Stage, cast: Cast) -> float:
    """Seconds from the request of a client that publishes until every host has the post; the median of some."""
    token = await stage.token(place)
    server = stage.server(place).start()
    took: list[float] = []
    try:
        await stage.answers(server, place.authority)
        for number in range(_LIVE_POSTS):
            expected = await stage.received(cast) + cast.hosts_count
            began = time.perf_counter()
            await send([stage.status(place, token, f"Un avis, {number}")], place.authority, connections=1, rate=0)
            while await stage.received(cast) < expected:
                if time.perf_counter() - began > 60:
                    raise RuntimeError("deliveries have stopped")
                await asyncio.sleep(0.01)
            took.append(time.perf_counter() - began)
            await asyncio.sleep(0.5)
    finally:
        server.stop()
    return statistics.median(took)


async def _drained(server: Process, cast: Cast, *, begun: int, expected: int) -> dict[str, float]:
    """Deliveries began while the server started, so what came before the first look is left out of the count."""
    first, cpu, began = await stage.received(cast), server.cpu(), time.perf_counter()
    received, last_news = first, began
    while received < expected:
        await asyncio.sleep(0.02)
        received, earlier = await stage.received(cast), received
        now = time.perf_counter()
        last_news = now if received > earlier else last_news
        if now - last_news > 20:
            raise RuntimeError(f"deliveries have stopped at {received - begun} of {expected - begun}")
    seconds = time.perf_counter() - began
    await asyncio.sleep(0.3)  # the last ones are still being settled
    counted = max(1, expected - first)
    return {
        "count": counted,
        "seconds": seconds,
        "per_second": counted / seconds,
        "cpu_us": (server.cpu() - cpu) / counted * 1e6,
    }
