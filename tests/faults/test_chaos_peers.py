"""Peers that stall, break off, lie and refuse, on real sockets: none holds up another, and each gets what is due."""

import asyncio
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import pytest
import trustme

from bench.cast import Role
from medfed.accounts.lookup import store_actor
from medfed.activitypub.wire import read_actor
from medfed.domain.relations import Follow
from medfed.kernel.clock import MINUTE
from medfed.kernel.errors import Blocked, RemoteFailure, RemoteRefused, Unreachable
from medfed.net.client import Net
from medfed.net.connection import Timers
from medfed.net.fetch import require_success
from medfed.net.guard import Address, Policy, parse_networks
from medfed.net.pool import Pool, tls_context
from medfed.storage import relations
from medfed.storage.database import Row
from medfed.storage.statements import sql
from tests.support.peers import Conversation, Peer, Script, a_peer, always, raw
from tests.support.world import Site, World, a_world, some_keys

CAP: Final = 4.0
"""Seconds that one attempt may take here, for the 30 of production."""
QUICK: Final = Timers(dns=1, connect=1, tls=1, read=2)
GOOD: Final = 12
POSTS: Final = 4

_OWED = sql("SELECT host, state, attempts, last_error FROM delivery ORDER BY host, id")
_GONE = sql("SELECT host FROM account WHERE gone_at IS NOT NULL")


# ── how they misbehave ───────────────────────────────────────────────────────────────────────────────────────


async def _drips(talk: Conversation) -> None:
    await talk.hear()
    for byte in b"HTTP/1.1 202 Accepted\r\nX-Slow: yes\r\n" * 1000:
        await talk.say(bytes([byte]))
        await asyncio.sleep(0.05)


async def _says_nothing(talk: Conversation) -> None:
    await talk.hear()
    await asyncio.sleep(60)


async def _hears_nothing(_talk: Conversation) -> None:
    await asyncio.sleep(60)


async def _resets_within_the_body(talk: Conversation) -> None:
    await talk.hear()
    await talk.say(b"HTTP/1.1 202 Accepted\r\nContent-Length: 100\r\n\r\nhalf of")
    await asyncio.sleep(0.05)
    _reset(talk)


async def _resets_at_once(talk: Conversation) -> None:
    await talk.reader.read(10)
    _reset(talk)


async def _closes_its_half(talk: Conversation) -> None:
    await talk.hear()
    talk.writer.write_eof()
    await asyncio.sleep(60)


def _reset(talk: Conversation) -> None:
    """RST, not FIN: what was not read yet is thrown away."""
    talk.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    talk.writer.transport.abort()


# ── the crowd ────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class Crowd:
    """An instance with a member, and hosts that follow the member."""

    world: World
    site: Site
    ports: dict[str, int]
    good: dict[str, Peer] = field(default_factory=dict)

    def url(self, name: str) -> str:
        """Where a host is; those that have a certificate, however bad, are asked by TLS."""
        return f"{'https' if name in TLS_KINDS else 'http'}://{name}.test:{self.ports[name]}"

    def name(self, host: str) -> str:
        """The name of a host."""
        return host.partition(".")[0]

    async def is_followed_by(self, *names: str) -> None:
        """Somebody on each of these hosts follows the member."""
        here = self.site.instance.here
        member = await self.site.member("dr-roy")
        for name in names:
            host = f"{name}.test:{self.ports[name]}"
            role = Role(host=host, name="reader", key=some_keys().rsa)
            document = _replaced(role.document(), f"http://{host}", self.url(name))
            async with self.site.instance.store.transaction("follow") as tx:
                account = await store_actor(tx, here, read_actor(document, here.now()), domain=host)
                id_ = here.ids.new()
                await relations.put(
                    tx,
                    Follow(
                        id=id_, uri=f"{account.uri}/follows/{id_}", follower_id=account.id, target_id=member.id,
                        state="accepted", created_at=here.now(),
                    ),
                )  # fmt: skip

    async def owed(self) -> dict[str, list[Row]]:
        """What is still owed, by the name of the host."""
        async with self.site.instance.store.view() as view:
            found: dict[str, list[Row]] = {}
            for row in await view.all(_OWED):
                found.setdefault(self.name(row["host"]), []).append(row)
            return found

    async def until_the_good_have(self, count: int) -> list[float]:
        """When each of them had that many deliveries, in seconds from now, sorted."""
        begun, times = time.monotonic(), dict[str, float]()
        while len(times) < len(self.good):
            for name, peer in self.good.items():
                if name not in times and len(peer.heard) >= count:
                    times[name] = time.monotonic() - begun
            assert time.monotonic() < begun + 30, times
            await asyncio.sleep(0.005)
        return sorted(times.values())


def _replaced(document: Any, old: str, new: str) -> Any:
    if isinstance(document, dict):
        return {name: _replaced(value, old, new) for name, value in document.items()}
    if isinstance(document, list):
        return [_replaced(value, old, new) for value in document]
    return document.replace(old, new) if isinstance(document, str) else document


@asynccontextmanager
async def _a_crowd(database: str, kinds: Mapping[str, Script], folder: Path) -> AsyncIterator[Crowd]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))

    async def resolve(_host: str, _port: int) -> list[Address]:
        return [ip_address("127.0.0.1")]

    async with AsyncExitStack() as stack:
        ports: dict[str, int] = {}
        good = {f"good{number}": await stack.enter_async_context(a_peer(always(202))) for number in range(GOOD)}
        for name, script in kinds.items():
            peer = await stack.enter_async_context(a_peer(script, tls=_certificate(authority, name)))
            ports[name] = peer.port
        ports |= {name: peer.port for name, peer in good.items()}
        allowed = {"allow_http": True, "allow_networks": ["127.0.0.0/8"]}
        world = await stack.enter_async_context(a_world("lyon.test", databases=[database], federation=allowed))
        policy = Policy(allow_networks=parse_networks(["127.0.0.0/8"]), allow_http=True)
        world.internet.beyond = Pool(policy, timers=QUICK, resolver=resolve, tls=tls_context(folder / "ca.pem"))
        yield Crowd(world, world["lyon.test"], ports, good)


TLS_KINDS: Final = ("expired", "stranger", "othername", "unknownname", "stalls", "plain")


def _certificate(authority: trustme.CA, name: str) -> ssl.SSLContext | None:
    """What a host of this name shows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    match name:
        case "expired":
            issued = authority.issue_cert("expired.test", not_after=yesterday)
        case "stranger":
            issued = trustme.CA().issue_cert("stranger.test")
        case "othername":
            issued = authority.issue_cert("somebody-else.test")
        case "unknownname":
            issued = authority.issue_cert("unknownname.test")
            context.sni_callback = lambda *_: ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        case _:
            return None
    issued.configure_cert(context)
    return context


# ── X11 ──────────────────────────────────────────────────────────────────────────────────────────────────────

STALLING: Final[Mapping[str, Script]] = {
    "drips": _drips,
    "mute": _says_nothing,
    "deaf": _hears_nothing,
    "resets": _resets_at_once,
    "halfreset": _resets_within_the_body,
    "halfclosed": _closes_its_half,
    "stalls": _hears_nothing,
    "plain": raw(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "expired": always(202),
    "stranger": always(202),
    "othername": always(202),
    "unknownname": always(202),
}


@pytest.mark.slow
@pytest.mark.case("X11", "J07")
async def test_peers_that_stall_or_break_off_are_given_up_in_time_and_hold_up_nobody(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Net.post, "__kwdefaults__", {**(Net.post.__kwdefaults__ or {}), "timeout": CAP})
    async with _a_crowd(database_url, STALLING, tmp_path) as crowd:
        await crowd.is_followed_by(*crowd.good)
        alone = await _publish(crowd, POSTS)
        await crowd.is_followed_by(*STALLING)
        begun = time.monotonic()
        beside = await _publish(crowd, 2 * POSTS, wait=False)
        assert beside[-1] < max(2 * alone[-1], alone[-1] + 1), (alone, beside)
        await crowd.site.worker.settle()
        assert time.monotonic() - begun < CAP + 6
        owed = await crowd.owed()
        assert owed.keys() == STALLING.keys()
        for name, rows in owed.items():
            assert [row["attempts"] for row in rows] == [1] + [0] * (POSTS - 1), (name, rows)
            assert {row["state"] for row in rows} == {"waiting"}


async def _publish(crowd: Crowd, total: int, *, wait: bool = True) -> list[float]:
    """Publish some posts; when each good host had `total`. The others are not waited for, unless asked."""
    for number in range(POSTS):
        await crowd.site.publishes("dr-roy", f"Avis {number}")
    settling = asyncio.create_task(crowd.site.worker.settle())
    try:
        times = await crowd.until_the_good_have(total)
        assert wait or not settling.done(), "somebody was given up before the good ones had everything"
    finally:
        await settling
    return times


@pytest.mark.slow
@pytest.mark.case("X11")
@pytest.mark.parametrize("kind", STALLING)
async def test_nothing_is_taken_for_a_document_that_a_broken_peer_did_not_finish(kind: str, tmp_path: Path) -> None:
    scripts = {kind: STALLING[kind]}
    async with _a_crowd(f"sqlite:///{tmp_path / 'medfed.db'}", scripts, tmp_path) as crowd:
        begun = time.monotonic()
        with pytest.raises(RemoteFailure):
            require_success(await crowd.site.instance.net.get(crowd.url(kind), accept="*/*", limit=1000, timeout=CAP))
        assert time.monotonic() - begun < CAP + 1


# ── X12 ──────────────────────────────────────────────────────────────────────────────────────────────────────

METADATA: Final = "http://169.254.169.254/latest/meta-data/"
_GARBAGE: Final = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 7\r\n\r\ngarbage"
LATER, PARKED, GONE, DONE = "later", "parked", "gone", "done"


async def _sends_in_a_circle(talk: Conversation) -> None:
    while True:
        request = await talk.hear()
        target = request.split(b" ")[1].decode()
        await talk.answer(307, f"Location: {target}")


ANSWERING: Final[Mapping[str, tuple[Script, str, type[RemoteFailure] | None]]] = {
    "s500": (always(500), LATER, Unreachable),
    "s502": (always(502), LATER, Unreachable),
    "s503": (always(503, "Retry-After: 3600"), LATER, Unreachable),
    "s429": (always(429, "Retry-After: 3600"), LATER, Unreachable),
    "s410": (always(410), GONE, RemoteFailure),
    "s404": (always(404), PARKED, RemoteFailure),
    "s401": (always(401), PARKED, RemoteRefused),
    "circle": (_sends_in_a_circle, PARKED, RemoteRefused),
    "metadata": (always(302, f"Location: {METADATA}"), PARKED, None),
    "html": (always(200, "Content-Type: text/html", body=b"<html>Welcome</html>"), DONE, None),
    "garbage": (raw(_GARBAGE), DONE, RemoteFailure),
}
"""What a host answers, what becomes of a delivery to it (J04), and what a fetch from it raises."""


@pytest.mark.slow
@pytest.mark.case("X12", "J04")
async def test_each_answer_of_a_peer_has_its_consequence_and_the_others_go_on(
    database_url: str, tmp_path: Path
) -> None:
    scripts = {name: script for name, (script, _, _) in ANSWERING.items()}
    async with _a_crowd(database_url, scripts, tmp_path) as crowd:
        await crowd.is_followed_by(*crowd.good, *scripts)
        await _publish(crowd, POSTS)
        owed = await crowd.owed()
        async with crowd.site.instance.store.view() as view:
            gone = {crowd.name(row["host"]) for row in await view.all(_GONE)}
        assert {name: _became(owed.get(name, []), gone=name in gone) for name in scripts} == {
            name: expected for name, (_, expected, _) in ANSWERING.items()
        }
        asked = [request for request in crowd.world.internet.requests if request.to.host == "169.254.169.254"]
        assert asked == []
        before = {name: len(peer.heard) for name, peer in crowd.good.items()}
        await crowd.world.pass_time(2 * MINUTE)
        assert {name: len(peer.heard) for name, peer in crowd.good.items()} == before


def _became(rows: list[Row], *, gone: bool) -> str:
    states = {row["state"] for row in rows}
    if gone:
        return GONE if not rows else "gone, and yet owed"
    if states == {"waiting"}:
        return LATER
    return {frozenset(): DONE, frozenset({"parked"}): PARKED}.get(frozenset(states), f"{states}")


@pytest.mark.case("X12")
@pytest.mark.parametrize("kind", ANSWERING)
async def test_a_fetch_ends_in_a_named_failure_and_never_at_the_metadata_service(kind: str, tmp_path: Path) -> None:
    script, _, error = ANSWERING[kind]
    async with _a_crowd(f"sqlite:///{tmp_path / 'medfed.db'}", {kind: script}, tmp_path) as crowd:
        net = crowd.site.instance.net
        asking = net.get(f"{crowd.url(kind)}/users/a", accept="application/activity+json", limit=1000, compressed=True)
        if kind == "metadata":
            with pytest.raises(Blocked):
                await asking
        elif error is None:
            assert (await asking).status == 200  # whether it is a document is asked by who wants one (B15)
        else:
            with pytest.raises(error):
                require_success(await asking)
