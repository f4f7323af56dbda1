"""The pool against real sockets: which address, which certificate, how long, how much, how often."""

import asyncio
import gzip
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import IPv4Address, ip_address
from pathlib import Path

import pytest
import trustme

from medfed.kernel.errors import Blocked, Broken, Misconfigured, RemoteRefused, Unreachable
from medfed.net.client import Net
from medfed.net.connection import Timers
from medfed.net.guard import Address, Policy, parse_networks
from medfed.net.message import OutgoingRequest, Response
from medfed.net.pool import Pool, tls_context
from tests.support.peers import Conversation, Peer, a_peer, always, raw

LOOPBACK = parse_networks(["127.0.0.0/8"])
LOCAL = Policy(allow_networks=LOOPBACK, allow_http=True)
QUICK = Timers(dns=0.2, connect=0.2, tls=0.2, read=0.2)


def names(*answers: Sequence[str]) -> tuple[Callable[[str, int], Awaitable[Sequence[Address]]], list[str]]:
    """A name service that gives one answer after the other (the last one for ever), and what it was asked."""
    asked: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[Address]:
        asked.append(host)
        return [ip_address(text) for text in answers[min(len(asked), len(answers)) - 1]]

    return resolve, asked


@asynccontextmanager
async def a_pool(
    policy: Policy = LOCAL, timers: Timers = QUICK, addresses: Sequence[str] = ("127.0.0.1",), **options: object
) -> AsyncIterator[Pool]:
    pool = Pool(policy, timers=timers, **{"resolver": names(addresses)[0], **options})  # type: ignore[arg-type]
    try:
        yield pool
    finally:
        await pool.aclose()


def request_to(url: str, method: str = "GET", body: bytes = b"", **headers: str) -> OutgoingRequest:
    to = LOCAL.parse(url)
    length = {"content-length": str(len(body))} if method == "POST" else {}
    fields = {"host": to.authority, **length, **headers}
    return OutgoingRequest(method=method, to=to, headers=fields, body=body)


async def send(pool: Pool, url: str, *, timeout: float = 5.0, limit: int = 100_000) -> Response:  # noqa: ASYNC109
    return await pool.send(request_to(url), timeout, limit)


async def test_one_connection_serves_many_requests_and_the_wire_is_what_was_meant() -> None:
    async with a_peer(always(202, "X: y", body=b"thanks")) as peer, a_pool() as pool:
        for number in range(5):
            post = request_to(f"{peer.url}/inbox?{number}", "POST", b'{"a":1}', digest="d")
            response = await pool.send(post, 5.0, 100)
            assert (response.status, response.body) == (202, b"thanks")
            assert response.headers.get("x") == "y"
        assert peer.connections == 1
        assert (
            peer.heard[4]
            == (
                f'POST /inbox?4 HTTP/1.1\r\nhost: {peer.authority}\r\ncontent-length: 7\r\ndigest: d\r\n\r\n{{"a":1}}'
            ).encode()
        )


async def test_chunks_gzip_and_bodies_that_end_with_the_connection_arrive_whole() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
    packed = gzip.compress(b"hello")
    zipped = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n".encode()
    for data in (chunked, zipped + packed, b"HTTP/1.0 200 OK\r\n\r\nhello"):
        async with a_peer(raw(data)) as peer, a_pool() as pool:
            assert (await send(pool, peer.url)).body == b"hello"


@pytest.mark.case("B10")
async def test_lies_bombs_and_floods_are_cut_off_and_the_connection_closed() -> None:
    bomb = gzip.compress(b"\0" * 5_000_000)
    floods = (
        b"HTTP/1.1 200 OK\r\nContent-Length: 100001\r\n\r\n" + b"x" * 100_001,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"400\r\n" + b"x" * 1024 + b"\r\n" * 200,
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5000\r\n\r\n" + bomb,
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1_000_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000 + b"\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 100,
    )
    for data in floods:
        async with a_peer(raw(data)) as peer, a_pool() as pool:
            with pytest.raises((RemoteRefused, Unreachable)) as failure:
                await send(pool, peer.url)
            assert failure.value.host == peer.authority


async def test_a_body_cut_short_is_a_failure_not_a_document() -> None:
    async with a_peer(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")) as peer, a_pool() as pool:
        with pytest.raises(Unreachable, match="middle"):
            await send(pool, peer.url)


@pytest.mark.case("B09")
async def test_a_peer_that_drips_is_cut_off_when_the_total_time_is_up() -> None:
    async def drip(talk: Conversation) -> None:
        await talk.hear()
        for byte in b"HTTP/1.1 200 OK\r\n" * 99:
            await talk.say(bytes([byte]))
            await asyncio.sleep(0.05)

    async with a_peer(drip) as peer, a_pool() as pool:
        begun = time.monotonic()
        with pytest.raises(Unreachable, match="altogether"):
            await send(pool, peer.url, timeout=0.4)
        assert time.monotonic() - begun > 0.3  # it was given its time


@pytest.mark.case("B09")
async def test_many_dripping_peers_do_not_slow_the_others_down() -> None:
    async def drip(talk: Conversation) -> None:
        await talk.hear()
        while True:
            await talk.say(b"H")
            await asyncio.sleep(0.1)

    async with a_peer(always(body=b"x")) as good, a_pool(per_host=200) as pool, a_peer(drip) as bad:
        drips = [asyncio.create_task(send(pool, bad.url, timeout=3)) for _ in range(100)]
        await asyncio.sleep(0.1)
        for _ in range(20):
            assert (await send(pool, good.url)).status == 200
        assert not any(drip.done() for drip in drips), "the good peer answered before any dripping one was given up"
        outcomes = await asyncio.gather(*drips, return_exceptions=True)
        assert all(isinstance(outcome, Unreachable) for outcome in outcomes)


async def test_a_peer_that_says_nothing_is_cut_off_after_the_read_gap() -> None:
    async def mute(talk: Conversation) -> None:
        await talk.hear()
        await asyncio.sleep(60)

    async with a_peer(mute) as peer, a_pool() as pool:
        with pytest.raises(Unreachable, match="silent"):
            await send(pool, peer.url)


async def test_a_peer_that_hangs_up_at_once_or_cannot_be_reached_is_unreachable() -> None:
    async def hang_up(talk: Conversation) -> None:
        await talk.hear()

    async with a_pool() as pool:
        async with a_peer(hang_up) as peer:
            with pytest.raises(Unreachable):
                await send(pool, peer.url)
        with pytest.raises(Unreachable, match="cannot connect"):
            await send(pool, peer.url)


async def test_the_next_address_is_tried_when_one_does_not_answer() -> None:
    async with a_peer(always(body=b"x")) as peer, a_pool(addresses=("127.255.255.254", "127.0.0.1")) as pool:
        assert (await send(pool, f"http://localhost:{peer.port}/")).status == 200


async def test_a_kept_connection_that_died_unseen_is_replaced_once() -> None:
    async def one_answer_each(talk: Conversation) -> None:
        await talk.hear()
        await talk.answer(body=b"ok")
        if talk.number == 1:
            await talk.hear()  # hangs up on the second request, before any answer

    async with a_peer(one_answer_each) as peer, a_pool() as pool:
        assert (await send(pool, peer.url)).body == b"ok"
        assert (await send(pool, peer.url)).body == b"ok"
        assert peer.connections == 2
        assert len(peer.heard) == 3


async def test_a_connection_that_dies_in_the_middle_of_an_answer_is_not_asked_again() -> None:
    async def dies_half_way(talk: Conversation) -> None:
        await talk.hear()
        await talk.answer(body=b"ok")
        await talk.hear()
        await talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")

    async with a_peer(dies_half_way) as peer, a_pool() as pool:
        await send(pool, peer.url)
        with pytest.raises(Unreachable):
            await send(pool, peer.url)
        assert len(peer.heard) == 2


async def test_an_answer_that_nobody_asked_for_is_never_taken_for_the_next_one() -> None:
    async def talks_ahead(talk: Conversation) -> None:
        await talk.hear()
        await talk.answer(body=b"ok")
        await talk.answer(body=b"poison")
        await talk.hear()

    async with a_peer(talks_ahead) as peer, a_pool() as pool:
        for _ in range(3):
            assert (await send(pool, peer.url)).body == b"ok"
            await asyncio.sleep(0.02)
        assert peer.connections == 3


async def test_a_peer_that_asks_to_close_is_left() -> None:
    async with a_peer(always(200, "Connection: close", body=b"x")) as peer, a_pool() as pool:
        for _ in range(2):
            await send(pool, peer.url)
        assert peer.connections == 2


async def test_one_host_gets_a_few_connections_however_many_requests_wait() -> None:
    busy = most = 0

    async def slowly(talk: Conversation) -> None:
        nonlocal busy, most
        while True:
            await talk.hear()
            busy += 1
            most = max(most, busy)
            await asyncio.sleep(0.01)
            busy -= 1
            await talk.answer(body=b"x")

    async with a_peer(slowly) as peer, a_pool(per_host=3) as pool:
        await asyncio.gather(*[send(pool, peer.url) for _ in range(20)])
        assert peer.connections == most == 3


async def test_waiting_for_a_turn_counts_towards_the_time_and_can_be_given_up() -> None:
    released = asyncio.Event()

    async def hold(talk: Conversation) -> None:
        while True:
            await talk.hear()
            await released.wait()
            await talk.answer(body=b"x")

    async with a_peer(hold) as peer, a_pool(per_host=1, timers=Timers()) as pool:
        first = asyncio.create_task(send(pool, peer.url))
        await asyncio.sleep(0.02)
        with pytest.raises(Unreachable, match="waiting"):
            await send(pool, peer.url, timeout=0.05)
        third = asyncio.create_task(send(pool, peer.url))
        await asyncio.sleep(0.02)
        third.cancel()
        fourth = asyncio.create_task(send(pool, peer.url))
        released.set()
        assert (await first).status == (await fourth).status == 200
        with pytest.raises(asyncio.CancelledError):
            await third


async def test_a_cancelled_request_closes_its_connection() -> None:
    hung_up = asyncio.Event()

    async def watch(talk: Conversation) -> None:
        await talk.hear()
        await talk.reader.read()
        hung_up.set()

    async with a_peer(watch) as peer, a_pool(timers=Timers()) as pool:
        task = asyncio.create_task(send(pool, peer.url))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait_for(hung_up.wait(), 1)


async def test_idle_connections_are_few_and_do_not_last() -> None:
    async with (
        a_peer(always(body=b"x")) as one,
        a_peer(always(body=b"x")) as two,
        a_pool(idle=1, idle_seconds=0.1) as pool,
    ):
        for peer in (one, two, one):
            await send(pool, peer.url)
        assert (one.connections, two.connections) == (2, 1)
        await asyncio.sleep(0.25)
        await send(pool, one.url)
        assert one.connections == 3


@pytest.mark.case("B02", "B04")
@pytest.mark.parametrize(
    "answer",
    [["127.0.0.1"], ["93.184.216.34", "127.0.0.1"], ["93.184.216.34", "::1"], ["::ffff:127.0.0.1"], ["0.0.0.0"]],  # noqa: S104
)
async def test_a_name_with_an_internal_address_is_never_connected_to(answer: list[str]) -> None:
    async with a_peer(always(body=b"secret")) as peer:
        policy = Policy(ports=frozenset({443, peer.port}))
        async with a_pool(policy, addresses=answer) as pool:
            for _ in range(2):
                with pytest.raises(Blocked) as refusal:
                    await pool.send(
                        replace(request_to("https://a.example/"), to=policy.parse(f"https://a.example:{peer.port}/")),
                        1.0,
                        10,
                    )
                assert refusal.value.host == f"a.example:{peer.port}"
        assert peer.connections == 0


@pytest.mark.case("B04")
async def test_a_name_is_looked_up_once_and_the_connection_goes_to_what_was_checked() -> None:
    resolve, asked = names(["127.0.0.1"], ["10.0.0.1"])
    async with a_peer(always(200, "Connection: close", body=b"x")) as peer:
        async with a_pool(resolver=resolve) as pool:
            await asyncio.gather(*[send(pool, f"http://rebind.example:{peer.port}/") for _ in range(5)])
            await send(pool, f"http://rebind.example:{peer.port}/")
        assert asked == ["rebind.example"]
        assert f"host: rebind.example:{peer.port}".encode() in peer.heard[0]


@pytest.mark.case("B04")
async def test_a_second_lookup_with_an_internal_answer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medfed.kernel.limits.DNS_CACHE_SECONDS", -1.0)
    resolve, asked = names(["127.0.0.1"], ["10.0.0.1"])
    async with a_peer(always(200, "Connection: close", body=b"x")) as peer:
        async with a_pool(resolver=resolve) as pool:
            await send(pool, f"http://rebind.example:{peer.port}/")
            with pytest.raises(Blocked):
                await send(pool, f"http://rebind.example:{peer.port}/")
        assert len(asked) == 2
        assert peer.connections == 1


async def test_a_name_service_that_fails_or_hangs_makes_the_host_unreachable() -> None:
    calls = 0

    async def hangs(host: str, port: int) -> Sequence[Address]:
        nonlocal calls
        calls += 1
        if host == "fails.example":
            raise OSError("no such name")
        if host == "empty.example":
            return []
        await asyncio.sleep(60)
        return [IPv4Address("127.0.0.1")]

    async with a_pool(resolver=hangs) as pool:
        for host in ("fails.example", "empty.example", "hangs.example", "hangs.example"):
            with pytest.raises(Unreachable):
                await send(pool, f"http://{host}/")
    assert calls == 3


async def test_the_system_resolver_knows_localhost() -> None:
    async with a_peer(always(body=b"x")) as peer:
        # A machine with IPv6 answers ::1 as well.
        policy = Policy(allow_networks=parse_networks(["127.0.0.0/8", "::1/128"]), allow_http=True)
        pool = Pool(policy)
        try:
            assert (await send(pool, f"http://localhost:{peer.port}/")).status == 200
        finally:
            await pool.aclose()


@pytest.mark.case("B12")
@pytest.mark.parametrize("value", ["a\r\nX: y", "a\nX: y", "a\rb", "a\0b"])
async def test_a_header_can_not_open_another_line(value: str) -> None:
    async with a_peer(always()) as peer, a_pool() as pool:
        with pytest.raises(Broken):
            await pool.send(request_to(peer.url, digest=value), 1.0, 10)
        assert peer.connections == 0


@pytest.mark.case("B12")
async def test_what_a_url_says_stays_in_the_request_line() -> None:
    async with a_peer(always(body=b"x")) as peer:
        async with Net(allow_http=True, allow_networks=["127.0.0.0/8"]) as net:
            await net.get(f"{peer.url}/%0d%0aX:%20y/é?a=%0A&b='", accept="*/*", limit=9)
        first, *rest = peer.heard[0].split(b"\r\n")
        assert first == b"GET /%0d%0aX:%20y/%C3%A9?a=%0A&b=' HTTP/1.1"
        assert not any(line.lower().startswith(b"x:") for line in rest)


class Certified:
    """A certificate authority of our own, and what it certified."""

    def __init__(self, directory: Path) -> None:
        self._authority = trustme.CA()
        self.file = directory / "ca.pem"
        self._authority.cert_pem.write_to_path(str(self.file))

    def server(self, *hosts: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert(*hosts).configure_cert(context)
        return context


@pytest.fixture
def certified(tmp_path: Path) -> Certified:
    return Certified(tmp_path)


def tls_pool_for(peer: Peer) -> tuple[Policy, str]:
    policy = Policy(allow_networks=LOOPBACK, ports=frozenset({443, peer.port}))
    return policy, f"https://a.example:{peer.port}/"


async def test_tls_names_the_host_not_the_address(certified: Certified) -> None:
    asked_for: list[str | None] = []
    server = certified.server("a.example")
    server.sni_callback = lambda sock, name, context: asked_for.append(name)
    async with a_peer(always(body=b"x"), tls=server) as peer:
        policy, url = tls_pool_for(peer)
        async with a_pool(policy, timers=Timers(), tls=tls_context(certified.file)) as pool:
            for _ in range(3):
                assert (await send(pool, url)).status == 200
        assert (peer.connections, asked_for) == (1, ["a.example"])
        assert f"host: a.example:{peer.port}".encode() in peer.heard[0]


async def test_a_certificate_for_another_name_or_by_a_stranger_is_refused(certified: Certified) -> None:
    async with a_peer(always(body=b"x"), tls=certified.server("b.example")) as peer:
        policy, url = tls_pool_for(peer)
        for context in (tls_context(certified.file), tls_context()):
            async with a_pool(policy, timers=Timers(), tls=context) as pool:
                with pytest.raises(Unreachable, match="certificate"):
                    await send(pool, url)
        assert peer.heard == []


async def test_a_tls_handshake_that_stalls_or_is_none_is_unreachable() -> None:
    async def stall(talk: Conversation) -> None:
        await asyncio.sleep(60)

    async def plain(talk: Conversation) -> None:
        await talk.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    for script in (stall, plain):
        async with a_peer(script) as peer:
            policy, url = tls_pool_for(peer)
            async with a_pool(policy) as pool:
                with pytest.raises(Unreachable):
                    await send(pool, url)


def test_an_authority_file_that_is_none_is_the_operators_mistake(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured):
        tls_context(tmp_path / "absent.pem")
    (tmp_path / "empty.pem").write_text("nothing")
    with pytest.raises(Misconfigured):
        tls_context(tmp_path / "empty.pem")


async def test_closing_the_pool_ends_requests_under_way() -> None:
    async def mute(talk: Conversation) -> None:
        await asyncio.sleep(60)

    async with a_peer(mute) as peer:
        pool = Pool(LOCAL, timers=Timers(), resolver=names(["127.0.0.1"])[0])
        task = asyncio.create_task(send(pool, peer.url))
        await asyncio.sleep(0.05)
        await pool.aclose()
        with pytest.raises(Unreachable):
            await task


def test_the_pool_does_the_same_on_uvloop() -> None:
    uvloop = pytest.importorskip("uvloop")

    async def story() -> None:
        async def second_time_dead(talk: Conversation) -> None:
            await talk.hear()
            await talk.answer(body=b"ok")

        async with a_peer(second_time_dead) as peer, a_pool() as pool:
            for _ in range(3):
                assert (await send(pool, peer.url)).body == b"ok"
        async with a_pool() as pool:
            with pytest.raises(Unreachable, match="cannot connect"):
                await send(pool, peer.url)
        await test_a_peer_that_says_nothing_is_cut_off_after_the_read_gap()
        await test_a_tls_handshake_that_stalls_or_is_none_is_unreachable()
        await test_a_cancelled_request_closes_its_connection()

    uvloop.run(story())
