"""Sets an instance up for a run, through the same functions as production, and starts it as a process of its own."""

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.cast import Cast, Role, as_request, free_port
from bench.wire import Client
from medfed.accounts import register, tokens
from medfed.accounts.lookup import store_actor
from medfed.activitypub.wire import read_actor
from medfed.domain.accounts import Account
from medfed.domain.posts import Draft
from medfed.domain.relations import Follow
from medfed.instance import KEY_FILE, Instance, open_instance
from medfed.posts import publish
from medfed.settings import Settings, from_document
from medfed.storage import accounts, migrate, relations
from medfed.storage.database import Transaction

MEMBER = "alice"
_ROOT = Path(__file__).parent.parent
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One instance on disk: its configuration, its database, one member."""

    folder: Path
    port: int
    database: str

    @property
    def config(self) -> Path:
        """Its medfed.toml."""
        return self.folder / "medfed.toml"

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def authority(self) -> str:
        """host:port."""
        return f"127.0.0.1:{self.port}"

    def settings(self) -> Settings:
        """Its configuration, as the server reads it."""
        return from_document(self._document(), base=self.folder)

    def _document(self) -> dict[str, Any]:
        return {
            "instance": {
                "domain": self.authority,
                "public_url": self.url,
                "name": "Bench",
                "data_dir": str(self.folder / "data"),
            },
            "http": {"port": self.port},
            "database": {"url": self.database},
            "federation": {"mode": "open", "allow_http": True, "allow_networks": ["127.0.0.0/8"]},
            "limits": {"enabled": False},
        }

    def write(self) -> None:
        """Write configuration and key."""
        lines: list[str] = []
        for section, values in self._document().items():
            lines.append(f"[{section}]")
            lines += [f"{name} = {_toml(value)}" for name, value in values.items()]
        self.config.write_text("\n".join(lines) + "\n")
        (self.folder / "data").mkdir(exist_ok=True)
        (self.folder / "data" / KEY_FILE).write_text(secrets.token_hex(32))


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


async def build(folder: Path, *, database: str = "") -> Stage:
    """An instance with one member, ready to be served."""
    stage = Stage(folder=folder, port=free_port(), database=database or f"sqlite:///{folder / 'data' / 'medfed.db'}")
    stage.write()
    async with open_instance(stage.settings(), role="server", durable=False) as instance:
        await migrate.migrate(instance.store)
        keys, own = await register.new_keys(), await register.new_keys()
        async with instance.store.transaction("init") as tx:
            await register.register_instance_actor(tx, instance.here, own)
            await register.register(
                tx, instance.here, username=MEMBER, email="alice@example.org", password_hash="", keys=keys
            )
    return stage


async def introduce(stage: Stage, roles: Sequence[Role], *, followed: bool = False, following: bool = False) -> None:
    """Let the instance know actors, as if it had fetched them, and who follows whom."""
    async with (
        open_instance(stage.settings(), role="server", durable=False) as instance,
        instance.store.transaction("introduce") as tx,
    ):
        member = await _member(tx, instance)
        for role in roles:
            await _introduce(tx, instance, member, role, followed=followed, following=following)


async def _introduce(
    tx: Transaction, instance: Instance, member: Account, role: Role, *, followed: bool, following: bool
) -> None:
    account = await store_actor(tx, instance.here, read_actor(role.document(), instance.here.now()), domain=role.host)
    pairs = [(member, account)] * followed + [(account, member)] * following
    for follower, target in pairs:
        id_ = instance.here.ids.new()
        await relations.put(
            tx,
            Follow(
                id=id_,
                uri=f"{follower.uri}/follows/{id_}",
                follower_id=follower.id,
                target_id=target.id,
                state="accepted",
                created_at=instance.here.now(),
            ),
        )


async def promise_posts(stage: Stage, texts: Iterable[str]) -> list[str]:
    """The member publishes while nothing runs: deliveries are owed when it starts. URIs of the activities."""
    uris: list[str] = []
    async with open_instance(stage.settings(), role="server", durable=False) as instance:
        await instance.levels.reload(instance.store)
        for text in texts:
            async with instance.store.transaction("publish") as tx:
                author = await _member(tx, instance)
                post = await publish.publish(tx, instance.here, instance.levels, author, Draft(text=text), named={})
                uris.append(post.uri)
    return uris


async def token(stage: Stage) -> str:
    """A bearer token of the member's."""
    async with (
        open_instance(stage.settings(), role="server", durable=False) as instance,
        instance.store.transaction("token") as tx,
    ):
        member = await accounts.find_member(tx, (await _member(tx, instance)).id)
        assert member is not None
        return await tokens.issue(tx, instance.here, member, "read write", by="bench")


async def _member(tx: Transaction, instance: Instance) -> Account:
    member = await accounts.find_by_handle(tx, MEMBER, instance.here.domain)
    assert member is not None
    return member


# ── processes ────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class Process:
    """A child process, and what the kernel says it uses."""

    arguments: Sequence[str]
    log: Path | None = None
    ready: str = ""
    started: float = 0.0
    child: "subprocess.Popen[bytes]" = field(init=False)

    def start(self) -> "Process":
        """Start it; with `ready`, wait for that line on its stdout."""
        self.started = time.perf_counter()
        with (self.log or Path(os.devnull)).open("ab") as err:
            self.child = subprocess.Popen(
                self.arguments,
                stdout=subprocess.PIPE if self.ready else err,
                stderr=err,
                cwd=_ROOT,
                env={**os.environ, "PYTHONPATH": str(_ROOT)},
            )
        if self.ready:
            assert self.child.stdout is not None
            line = self.child.stdout.readline()
            assert line.decode().strip() == self.ready, line
        return self

    def cpu(self) -> float:
        """Seconds of processor time used so far by all its threads."""
        fields = Path(f"/proc/{self.child.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICK

    def memory(self) -> dict[str, float]:
        """MB: resident, and its proportional share."""
        text = Path(f"/proc/{self.child.pid}/smaps_rollup").read_text()
        sizes = {line.split()[0].rstrip(":"): int(line.split()[1]) for line in text.splitlines()[1:]}
        return {"rss": sizes["Rss"] / 1000 * 1.024, "pss": sizes["Pss"] / 1000 * 1.024}

    def kill(self) -> None:
        """As the kernel or the power does: nothing is finished."""
        self.child.kill()
        self._reap()

    def stop(self) -> None:
        """Ask it to end."""
        self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(20)
        except subprocess.TimeoutExpired:
            self.child.kill()
        self._reap()

    def _reap(self) -> None:
        self.child.wait()
        if self.child.stdout is not None:
            self.child.stdout.close()


def server(stage: Stage) -> Process:
    """The instance as an operator runs it, not yet started."""
    arguments = [sys.executable, "-m", "medfed", "--config", str(stage.config), "serve"]
    return Process(arguments=arguments, log=stage.folder / "server.log")


def peer(cast: Path) -> Process:
    """The scripted peer, started."""
    return Process(arguments=[sys.executable, "-m", "bench.peer", str(cast)], ready="ready").start()


async def answers(process: Process, to: str, *, path: str = "/livez", within: float = 30.0) -> float:
    """Seconds from the start of a process to its first 200."""
    address, _, port = to.partition(":")
    request = f"GET {path} HTTP/1.1\r\nhost: {to}\r\n\r\n".encode()
    while time.perf_counter() - process.started < within:
        if process.child.poll() is not None:
            raise RuntimeError(f"the process ended: {process.log.read_text() if process.log else ''}")
        try:
            client = await Client.to(address, int(port))
            status, _ = await client.ask(request)
            client.close()
            if status == 200:
                return time.perf_counter() - process.started
        except OSError:
            pass
        await asyncio.sleep(0.01)
    raise RuntimeError(f"no answer within {within} s")


def get(stage: Stage, target: str, *, accept: str = "application/activity+json", token: str = "") -> bytes:
    """A GET as bytes."""
    who = f"authorization: Bearer {token}\r\n" if token else ""
    return f"GET {target} HTTP/1.1\r\nhost: {stage.authority}\r\naccept: {accept}\r\n{who}\r\n".encode()


def status(stage: Stage, token: str, text: str) -> bytes:
    """The request by which the member says something, as bytes."""
    headers = {"host": stage.authority, "content-type": "application/json", "authorization": f"Bearer {token}"}
    return as_request("/api/v1/statuses", headers, json.dumps({"status": text}).encode())


async def received(cast: Cast) -> int:
    """How many deliveries the scripted peer has taken."""
    statuses = json.loads(await ask(cast.control, "GET", "/-/count"))
    return int(statuses.get("202", 0))


async def ask(to: str, method: str, path: str, body: bytes = b"") -> bytes:
    """One request, for control: the body of the answer."""
    address, _, port = to.partition(":")
    client = await Client.to(address, int(port))
    head = f"{method} {path} HTTP/1.1\r\nhost: {to}\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    try:
        return (await client.ask(head + body))[1]
    finally:
        client.close()
