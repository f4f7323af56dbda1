"""A scripted peer in a process of its own: serves its actors, takes deliveries on many hosts, fails as it is told.

`python -m bench.peer CAST.json`. Its own questions are answered under `/-/`: what was received, how to behave.
"""

import asyncio
import random
import sys
from collections import Counter, defaultdict
from pathlib import Path

import orjson

from bench.cast import Cast
from bench.wire import Answer, Service


class Peer:
    """What all hosts of a cast answer."""

    def __init__(self, cast: Cast) -> None:
        self._documents = {role.uri.removeprefix("http://"): orjson.dumps(role.document()) for role in cast.roles}
        self._received: dict[str, list[str]] = defaultdict(list)
        self._statuses: Counter[int] = Counter()
        self._failing = 0.0
        self._delay = 0.0
        self._random = random.Random(1)

    def answer(self, host: str, method: str, target: str, body: bytes) -> "Answer | asyncio.Future[Answer]":
        """Answer one request."""
        if target.startswith("/-/"):
            return self._control(target, body)
        if method == "POST":
            return self._take(host, body)
        document = self._documents.get(f"{host}{target}")
        return (200, document) if document is not None else (404, b"{}")

    def _take(self, host: str, body: bytes) -> "Answer | asyncio.Future[Answer]":
        if self._failing and self._random.random() < self._failing:
            self._statuses[503] += 1
            return 503, b""
        self._statuses[202] += 1
        self._received[host].append(orjson.loads(body)["id"])
        if not self._delay:
            return 202, b""
        later: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(self._delay, later.set_result, (202, b""))
        return later

    def _control(self, target: str, body: bytes) -> Answer:
        if target == "/-/behave":
            wishes = orjson.loads(body)
            self._failing, self._delay = wishes.get("failing", 0.0), wishes.get("delay", 0.0)
        elif target == "/-/received":
            return 200, orjson.dumps(self._received)
        elif target == "/-/count":
            return 200, orjson.dumps({str(status): count for status, count in self._statuses.items()})
        return 200, b"{}"


async def serve(cast: Cast) -> None:
    """Listen on every address of the cast until killed."""
    peer = Peer(cast)
    loop = asyncio.get_running_loop()
    for address in cast.addresses:
        await loop.create_server(lambda: Service(peer.answer), address, cast.port, backlog=512)
    print("ready", flush=True)
    await asyncio.Event().wait()


def main() -> None:
    """Serve the cast that the first argument names."""
    import uvloop  # noqa: PLC0415

    uvloop.run(serve(Cast.load(Path(sys.argv[1]))))


if __name__ == "__main__":
    main()
