"""Some instances on a network of their own that is cut, one way or both, and heals: run in namespaces of their own.

`python -m tests.faults.nodes FOLDER NODES`, below `unshare --net --mount --pid --fork`: prints what happened as JSON.
A node is reached at 10.77.0.NUMBER; what it sends to another is dropped where a route says so.
"""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from bench.cast import as_request
from bench.wire import Client
from medfed.cli import people, setup
from medfed.instance import open_instance
from medfed.kernel import limits
from medfed.settings import load

PORT: Final = 8000
MEMBER: Final = "alice"
PATIENCE: Final = 600.0
"""Seconds after which all have to agree (X14)."""
HELD: Final = limits.READ_TIMEOUT + limits.CONNECT_TIMEOUT
"""Seconds that a cut lasts at least: what was under way has failed by then, and waits for its next turn."""
LOSSY: Final = HELD
CHOPPED: Final = 0.2
"""Seconds between two changes of a bad network: of three turns, one drops everything."""
ENVIRONMENT: Final = {
    "MEDFED_FEDERATION__ALLOW_HTTP": "true",
    "MEDFED_FEDERATION__ALLOW_NETWORKS": "10.77.0.0/24",
    "MEDFED_FEDERATION__MODE": "open",
    "MEDFED_LIMITS__ENABLED": "false",
}


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@dataclass(slots=True)
class Node:
    """One instance, in a namespace of its own."""

    number: int
    folder: Path
    bearer: str = ""
    process: "subprocess.Popen[bytes] | None" = None
    deaf_to: set[int] = field(default_factory=set)

    @property
    def address(self) -> str:
        return f"10.77.0.{self.number}"

    @property
    def authority(self) -> str:
        return f"{self.address}:{PORT}"

    def plug_in(self) -> None:
        """Give it a namespace, and a cable to the bridge."""
        name, cable = f"n{self.number}", f"v{self.number}"
        _ip("netns", "add", name)
        _ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("link", "set", cable, "master", "bridge0", "up")
        _ip("-n", name, "addr", "add", f"{self.address}/24", "dev", "eth0")
        for device in ("eth0", "lo"):
            _ip("-n", name, "link", "set", device, "up")

    async def set_up(self) -> None:
        """Make the instance and its member."""
        config = self.folder / "medfed.toml"
        url = f"http://{self.authority}"
        await setup.make(config, domain=self.authority, name="", public_url=url, data_dir="data")
        async with open_instance(load(config, os.environ), role="tool") as instance:
            await people.create_member(
                instance,
                username=MEMBER,
                email=f"{MEMBER}@lyon.example",
            )
            made = await people.create_token(instance, username=MEMBER, scopes="read write follow")
            self.bearer = made["token"]

    def start(self) -> None:
        """Serve."""
        serve = [sys.executable, "-m", "medfed", "--config", str(self.folder / "medfed.toml"), "serve"]
        command = ["ip", "netns", "exec", f"n{self.number}", *serve, "--host", self.address, "--port", str(PORT)]
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def drops_for(self, others: Sequence["Node"]) -> None:
        """From now on, what it sends to these, and to no others, is lost."""
        wanted = {other.number for other in others} - {self.number}
        for number in wanted ^ self.deaf_to:
            verb = "add" if number in wanted else "del"
            _ip("-n", f"n{self.number}", "route", verb, "blackhole", f"10.77.0.{number}/32")
        self.deaf_to = wanted

    async def ask(self, method: str, path: str, body: object = None) -> Any:
        """One request of the member's, from beside the network."""
        headers = {"host": self.authority, "authorization": f"Bearer {self.bearer}", "content-type": "application/json"}
        data = json.dumps(body).encode() if body is not None else b""
        client = await Client.to(self.address, PORT)
        try:
            status, said = await client.ask(as_request(path, headers, data).replace(b"POST", method.encode(), 1))
        finally:
            client.close()
        assert status == 200, (self.number, method, path, status, said[:300])
        return json.loads(said)

    async def publishes(self, text: str) -> None:
        await self.ask("POST", "/api/v1/statuses", {"status": text})

    async def follows(self, other: "Node") -> None:
        found = await self.ask("GET", f"/api/v2/search?resolve=true&q=http://{other.authority}/users/{MEMBER}")
        await self.ask("POST", f"/api/v1/accounts/{found['accounts'][0]['id']}/follow", {})

    async def knows(self) -> frozenset[str]:
        """URIs of the public posts that it shows."""
        return frozenset(post["uri"] for post in await self.ask("GET", "/api/v1/timelines/home?limit=40"))


async def _eventually(true: Callable[[], Awaitable[bool]], what: str, within: float = PATIENCE) -> float:
    begun = time.monotonic()
    while not await true():
        assert time.monotonic() - begun < within, what
        await asyncio.sleep(0.2)
    return time.monotonic() - begun


async def _all_agree(nodes: Sequence[Node], count: int) -> bool:
    known = [await node.knows() for node in nodes]
    return len(set(known)) == 1 and len(known[0]) == count


async def _answers(node: Node) -> bool:
    try:
        await node.knows()
    except OSError:
        return False
    return True


class Story:
    """What the network does to them; `seen` says after how many seconds they agreed again."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._nodes = nodes
        self._posts = 0
        self.seen: dict[str, float] = {}

    async def begins(self) -> None:
        """Everybody follows everybody."""
        for node in self._nodes:
            await _eventually(partial(_answers, node), "starts", 60)
        for node in self._nodes:
            for other in self._nodes:
                if other is not node:
                    await node.follows(other)
        await self.publish("whole")
        await self.heals("whole")

    async def is_cut_in_halves(self) -> None:
        """Each half goes on by itself."""
        half = len(self._nodes) // 2
        sides = self._nodes[:half], self._nodes[half:]
        for here, there in (sides, sides[::-1]):
            for node in here:
                node.drops_for(there)
        before = self._posts
        await self.publish("cut in halves")
        for side in sides:
            await _eventually(partial(_all_agree, side, before + len(side)), "within a half", 120)
        await asyncio.sleep(HELD)
        assert not await _all_agree(self._nodes, self._posts)
        await self.heals("cut in halves")

    async def is_cut_one_way(self) -> None:
        """One hears all others, and none of them hears it."""
        self._nodes[0].drops_for(self._nodes)
        await self.publish("one way")
        await asyncio.sleep(HELD)
        await self.heals("one way")

    async def is_bad(self) -> None:
        """A third of everything is lost, in bursts."""
        chance, until = random.Random(7), time.monotonic() + LOSSY
        publishing = asyncio.create_task(self.publish("lossy"))
        while time.monotonic() < until:
            for node in self._nodes:
                node.drops_for([other for other in self._nodes if chance.random() < 1 / 3])
            await asyncio.sleep(CHOPPED)
        await publishing
        await self.heals("lossy")

    async def publish(self, what: str) -> None:
        """Everybody writes something."""
        for node in self._nodes:
            await node.publishes(f"{what}, {node.number}")
        self._posts += len(self._nodes)

    async def heals(self, after: str) -> None:
        """Nothing is lost any more: they have to agree."""
        for node in self._nodes:
            node.drops_for([])
        self.seen[after] = await _eventually(partial(_all_agree, self._nodes, self._posts), f"after {after}")


async def run(folder: Path, count: int) -> dict[str, float]:
    """Everything, from nothing."""
    nodes = [Node(number, folder / str(number)) for number in range(1, count + 1)]
    for node in nodes:
        node.plug_in()
        await node.set_up()
    try:
        for node in nodes:
            node.start()
        story = Story(nodes)
        for chapter in (story.begins, story.is_cut_in_halves, story.is_cut_one_way, story.is_bad):
            await chapter()
        return story.seen
    finally:
        for node in nodes:
            if node.process is not None:
                node.process.send_signal(signal.SIGTERM)
                node.process.wait(30)


def main() -> None:
    """Make the network."""
    os.environ.update(ENVIRONMENT)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    _ip("link", "set", "lo", "up")
    _ip("link", "add", "bridge0", "type", "bridge")
    _ip("link", "set", "bridge0", "up")
    _ip("addr", "add", "10.77.0.254/24", "dev", "bridge0")
    print(json.dumps(asyncio.run(run(Path(sys.argv[1]), int(sys.argv[2])))))  # noqa: T201


if __name__ == "__main__":
    main()
