"""All at once, at fixed rates whatever the answers: peers post, members read, what members write is delivered."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from bench import stage
from bench.cast import Cast
from bench.inbox import creates
from bench.load import drive, save
from bench.stage import Stage

_HOSTS: Final = 200
_RATES: Final = {"inbox": 60.0, "pages": 10.0, "home": 20.0, "actors": 20.0, "posts": 0.5}
"""Requests a second: about a third of what one core does, as a busy instance of some thousand members sees."""
_CONNECTIONS: Final = 16


async def measure(folder: Path, seconds: float) -> dict[str, Any]:
    """Latencies of each kind of request beside all the others, processor time of the whole, and what was delivered."""
    cast = Cast.hire(hosts=_HOSTS, per_host=2)
    cast.save(folder / "cast.json")
    place = await stage.build(folder)
    await stage.introduce(place, cast.roles, followed=True, following=True)
    token = await stage.token(place)
    peer = stage.peer(folder / "cast.json")
    server = stage.server(place).start()
    try:
        await stage.answers(server, place.authority)
        # The first of each kind compiles templates and fills caches.
        await _all_at_once(place, _requests(place, cast, token, 2.0, first=1_000_000))
        requests = _requests(place, cast, token, max(seconds, 4.0), first=2_000_000)
        before, owed = server.cpu(), len(requests["posts"]) * _HOSTS
        received = await _received(cast)
        sent = await _all_at_once(place, requests)
        used = server.cpu() - before
        behind = await _caught_up(cast, received + owed)
    finally:
        server.stop()
        peer.stop()
    took = max(answer["seconds"] for answer in sent.values())
    return {
        "rates": _RATES,
        "ms": {kind: answer["ms"] for kind, answer in sent.items()},
        "statuses": {kind: answer["statuses"] for kind, answer in sent.items()},
        "busy": used / took,
        "deliveries": owed,
        "delivered_after": behind,
    }


def _requests(place: Stage, cast: Cast, token: str, seconds: float, *, first: int) -> dict[str, list[bytes]]:
    count = {kind: max(1, int(rate * seconds)) for kind, rate in _RATES.items()}
    return {
        "inbox": creates(place, cast.roles, count["inbox"], first),
        "pages": [stage.get(place, f"/@{stage.MEMBER}", accept="text/html")] * count["pages"],
        "home": [stage.get(place, "/api/v1/timelines/home", token=token)] * count["home"],
        "actors": [stage.get(place, f"/users/{stage.MEMBER}")] * count["actors"],
        "posts": [stage.status(place, token, f"Avis sur un cas, {first + number}") for number in range(count["posts"])],
    }


async def _all_at_once(place: Stage, requests: Mapping[str, list[bytes]]) -> dict[str, dict[str, Any]]:
    """Each kind from a process of its own."""
    files = {kind: place.folder / f"{kind}.bin" for kind in requests}
    for kind, file in files.items():
        save(file, requests[kind])
    answers = await asyncio.gather(
        *(drive(file, place.authority, connections=_CONNECTIONS, rate=_RATES[kind]) for kind, file in files.items())
    )
    return dict(zip(files, answers, strict=True))


async def _received(cast: Cast) -> int:
    """How many deliveries have come, once no more do."""
    before, now = -1, await stage.received(cast)
    while now > before:
        await asyncio.sleep(0.5)
        before, now = now, await stage.received(cast)
    return now


async def _caught_up(cast: Cast, expected: int, within: float = 20.0) -> float:
    """Seconds from now until everything that is owed has arrived."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while await stage.received(cast) < expected:
        if loop.time() - began > within:
            raise RuntimeError(f"not all was delivered: {json.dumps(expected)}")
        await asyncio.sleep(0.02)
    return loop.time() - began
