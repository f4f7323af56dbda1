"""A server under load that is killed at seeded random moments, started again, and in the end looked into."""

import asyncio
import json
import os
import random
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

from bench import stage
from bench.cast import Cast, Role
from bench.stage import MEMBER, Process, Stage
from bench.wire import Client
from medfed.kernel.clock import SystemClock
from medfed.storage.connect import connect
from medfed.storage.statements import sql
from tests.faults.history import History

KILLS = int(os.environ.get("MEDFED_FAULT_KILLS", "2"))
SEED = int(os.environ.get("MEDFED_FAULT_SEED", "7"))
SENDERS = 8
PATIENCE = 10


@dataclass(slots=True)
class Scene:
    """One instance, the peers around it, and what has happened so far."""

    place: Stage
    cast: Cast
    server: Process
    history: History = field(default_factory=History)
    chance: random.Random = field(default_factory=lambda: random.Random(SEED))

    async def kill_and_restart(self, progress: Callable[[], Awaitable[int]], *, every: tuple[int, int]) -> None:
        """Kill it at a random moment after some more has been done, and wait until it is back by itself.

        Where everything waits (all hosts failed a moment ago), it is killed while it waits.
        """
        goal = await progress() + self.chance.randint(*every)
        until = time.monotonic() + PATIENCE
        while await progress() < goal and time.monotonic() < until:  # noqa: ASYNC110 - other processes do the work
            await asyncio.sleep(0.01)
        await asyncio.sleep(self.chance.uniform(0, 0.05))
        self.server.kill()
        self.history.kills += 1
        self.server.start()
        self.history.back_after.append(await stage.answers(self.server, self.place.authority, within=60))

    async def dies_at(self, step: str, number: int) -> None:
        """Let it run until it dies by itself at a named step (see launch.py)."""
        self.server = wishing(self.place, f"{step}:{number}")
        self.server.start()
        until = time.monotonic() + 60
        while self.server.child.poll() is None:
            assert time.monotonic() < until, f"{step} was not reached {number} times; {self._log()}"
            await asyncio.sleep(0.02)
        assert self.server.child.returncode == -signal.SIGKILL, self._log()
        self.history.kills += 1

    async def starts(self) -> None:
        """Start it as an operator does, and wait until it answers."""
        self.server = wishing(self.place)
        self.history.back_after.append(await stage.answers(self.server.start(), self.place.authority, within=60))

    async def everybody_speaks(self, number: int = 1) -> None:
        """A host that is heard from is tried again at once, whatever its lane was waiting for (J06)."""
        now = SystemClock().now()
        for role in self.cast.roles:
            request = role.post(f"{self.place.url}/inbox", role.create(number, now), now)
            client = await Client.to("127.0.0.1", self.place.port)
            status, _ = await client.ask(request)
            client.close()
            assert status == 202

    async def acknowledged(self) -> int:
        """How many activities were answered 202."""
        return len(self.history.acknowledged)

    async def delivered(self) -> int:
        """How many deliveries have reached the peer."""
        return int(json.loads(await self.ask_peer("/-/count")).get("202", 0))

    async def ask_peer(self, path: str, body: bytes = b"") -> bytes:
        """Ask the scripted peer what it saw, or tell it how to behave."""
        return await stage.ask(self.cast.control, "POST" if body else "GET", path, body)

    async def come_to_rest(self, table: str, *, within: float = 90) -> None:
        """Wait until nothing of `inbox_log` or `delivery` waits any more; fewer must, every so many seconds."""
        fewest, until = 0, 0.0
        async with _looking(self.place.database) as waiting:
            while left := await waiting(table):
                if left < fewest or not fewest:
                    fewest, until = left, time.monotonic() + within
                assert time.monotonic() < until, f"{left} still wait in {table}; {self._log()}"
                await asyncio.sleep(0.1)

    def _log(self) -> str:
        log = self.server.log
        return log.read_text()[-2000:] if log is not None and log.exists() else ""


_WAITING = {
    "inbox_log": sql("SELECT COUNT(*) FROM inbox_log WHERE state = 'waiting'"),
    "delivery": sql("SELECT COUNT(*) FROM delivery WHERE state = 'waiting'"),
}


@asynccontextmanager
async def _looking(url: str) -> AsyncIterator[Callable[[str], Awaitable[int]]]:
    """Look beside a running server; on SQLite, which lets in one program of ours, without the house's Store."""
    if url.startswith("sqlite"):
        raw = sqlite3.connect(f"file:{url.removeprefix('sqlite:///')}?mode=ro", uri=True)

        async def look(table: str) -> int:
            count: int = raw.execute(_WAITING[table].sqlite).fetchone()[0]
            return count

        try:
            yield look
        finally:
            raw.close()
        return
    store = await connect(url)

    async def ask(table: str) -> int:
        async with store.view() as view:
            return int(await view.value(_WAITING[table]) or 0)

    try:
        yield ask
    finally:
        await store.aclose()


@asynccontextmanager
async def a_scene(folder: Path, database: str, cast: Cast, **known: bool) -> AsyncIterator[Scene]:
    """Set everything up; the server is not started yet."""
    cast.save(folder / "cast.json")
    place = await stage.build(folder, database=database)
    await stage.introduce(place, cast.roles, **known)
    peer = stage.peer(folder / "cast.json")
    scene = Scene(place, cast, stage.server(place))
    try:
        yield scene
    finally:
        if hasattr(scene.server, "child") and scene.server.child.poll() is None:
            scene.server.stop()
        peer.stop()


def wishing(place: Stage, *wishes: str) -> Process:
    """The server of a stage with something changed (see launch.py); without wishes, as an operator runs it."""
    server = stage.server(place)
    if wishes:
        module, more = server.arguments[2], server.arguments[3:]
        assert module == "medfed"
        return replace(server, arguments=[*server.arguments[:2], "tests.faults.launch", *wishes, *more])
    return server


@dataclass(slots=True)
class Senders:
    """Peers that send one signed Create after the other, and each again until it is answered."""

    scene: Scene
    stopped: bool = False
    statuses: Counter[int] = field(default_factory=Counter)
    """What they were answered."""
    unanswered: list[float] = field(default_factory=list)
    """When a request got no answer, on the monotonic clock."""

    async def run(self) -> None:
        """Send until stopped."""
        numbers = count()
        shares: list[list[Role]] = [self.scene.cast.roles[place::SENDERS] for place in range(SENDERS)]
        async with asyncio.TaskGroup() as group:
            for share in shares:
                group.create_task(self._send(numbers, share))

    async def _send(self, numbers: Iterator[int], roles: list[Role]) -> None:
        client: Client | None = None
        for number in numbers:
            if self.stopped:
                break
            role = roles[number % len(roles)]
            request, uri = self._request(role, number)
            while True:
                try:
                    client = client or await Client.to("127.0.0.1", self.scene.place.port)
                    status, _ = await client.ask(request)
                except OSError:
                    self.unanswered.append(time.monotonic())
                    client = None
                    await asyncio.sleep(0.05)
                    continue
                self.statuses[status] += 1
                if status == 202:
                    self.scene.history.acknowledged.add(uri)
                    break
                await asyncio.sleep(0.05)
        if client is not None:
            client.close()

    def _request(self, role: Role, number: int) -> tuple[bytes, str]:
        now, base = SystemClock().now(), self.scene.place.url
        to = [f"{base}/users/{MEMBER}"] if number % 5 == 0 else []
        activity = role.create(number, now, to=to)
        uri = str(activity["id"])
        self.scene.history.sent.add(uri)
        if to:
            self.scene.history.mentioning.add(uri)
        return role.post(f"{base}/inbox", activity, now), uri
