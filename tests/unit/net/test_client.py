"""What every request goes through, over sockets or not: rules, redirects, signatures, headers."""

from collections.abc import AsyncIterator, Generator, Mapping
from typing import TypeAlias

import pytest

from medfed import __version__
from medfed.kernel import limits
from medfed.kernel.errors import Blocked, RemoteRefused, Unreachable
from medfed.kernel.transactions import NetworkInsideTransaction, writing
from medfed.net.client import Net
from medfed.net.message import OutgoingRequest, Response
from tests.support.internet import AsgiApp, Message, PretendInternet


def answers(status: int, *headers: tuple[str, str], body: bytes = b"") -> AsgiApp:
    async def app(scope: Message, receive: object, send: object) -> None:
        assert callable(send)
        raw = [(name.encode(), value.encode()) for name, value in headers]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": body})

    return app


def redirects(to: str, status: int = 302) -> AsgiApp:
    return answers(status, ("location", to))


def by_path(apps: Mapping[str, AsgiApp]) -> AsgiApp:
    async def app(scope: Message, receive: object, send: object) -> None:
        await apps[scope["path"]](scope, receive, send)  # type: ignore[arg-type]  # handed through untouched

    return app


@pytest.fixture
def internet() -> PretendInternet:
    internet = PretendInternet()
    internet.register("a.example", answers(200, body=b"from a"))
    internet.register("b.example", answers(200, body=b"from b"))
    return internet


@pytest.fixture
async def net(internet: PretendInternet) -> AsyncIterator[Net]:
    async with Net(transport=internet, public_url="https://us.example") as net:
        yield net


Knocks: TypeAlias = Generator[Mapping[str, str], Response, Response]


def sign(request: OutgoingRequest) -> Knocks:
    return (yield {"Signature": f"{request.method} {request.authority}{request.target}", "Date": "now"})


async def fetch(net: Net, url: str, redirects: int = limits.REDIRECTS) -> bytes:
    return (await net.get(url, accept="*/*", limit=1_000, sign=sign, redirects=redirects)).body


async def test_a_request_says_who_asks_and_for_what(net: Net, internet: PretendInternet) -> None:
    response = await net.get("https://A.example/x?y#z", accept="text/plain", limit=100, sign=sign)
    assert (response.status, response.url, response.body) == (200, "https://a.example/x?y", b"from a")
    assert dict(internet.requests[0].headers) == {
        "host": "a.example",
        "user-agent": f"medfed/{__version__} (+https://us.example)",
        "accept": "text/plain",
        "accept-encoding": "identity",
        "signature": "GET a.example/x?y",
        "date": "now",
    }


async def test_a_delivery_carries_its_body_and_is_signed_over_its_final_headers(
    net: Net, internet: PretendInternet
) -> None:
    seen: list[OutgoingRequest] = []

    def remember(request: OutgoingRequest) -> Knocks:
        seen.append(request)
        return (yield {"Digest": "d"})

    await net.post("https://a.example/inbox", body=b"{}", headers={"Content-Type": "application/json"}, sign=remember)
    sent = internet.requests[0]
    assert (sent.method, sent.body, sent.url) == ("POST", b"{}", "https://a.example/inbox")
    assert dict(sent.headers) == {**seen[0].headers, "digest": "d"}
    assert (sent.headers["content-type"], sent.headers["content-length"]) == ("application/json", "2")


async def test_the_network_is_refused_inside_a_write_transaction(net: Net, internet: PretendInternet) -> None:
    with writing("publish"):
        with pytest.raises(NetworkInsideTransaction, match="publish"):
            await fetch(net, "https://a.example/")
        with pytest.raises(NetworkInsideTransaction):
            await net.post("https://a.example/", body=b"")
    assert internet.requests == []


@pytest.mark.case("B17")
async def test_a_blocked_host_hears_nothing_by_any_way(internet: PretendInternet) -> None:
    asked: list[str] = []

    def is_blocked(authority: str) -> bool:
        asked.append(authority)
        return authority == "b.example"

    internet.register("a.example", redirects("https://b.example/"))
    net = Net(transport=internet, is_blocked=is_blocked)
    with pytest.raises(Blocked) as refusal:
        await fetch(net, "https://B.example:443/")
    assert refusal.value.host == "b.example"
    with pytest.raises(Blocked):
        await net.post("https://b.example/inbox", body=b"")
    with pytest.raises(Blocked):
        await fetch(net, "https://a.example/")
    assert internet.sent_to("b.example") == []
    assert asked == ["b.example", "b.example", "a.example", "b.example"]


@pytest.mark.case("H09")
async def test_a_host_too_many_is_not_asked_wherever_its_name_came_from(internet: PretendInternet) -> None:
    met: list[str] = []

    async def meet(authority: str) -> None:
        met.append(authority)
        if authority == "b.example":
            raise Unreachable("too many", host=authority)

    internet.register("a.example", redirects("https://b.example/"))
    net = Net(transport=internet, meet=meet)
    for url in ("https://b.example/", "https://a.example/"):
        with pytest.raises(Unreachable):
            await fetch(net, url)
    assert met == ["b.example", "a.example", "b.example"]
    assert internet.sent_to("b.example") == []
    picture = await net.get("https://a.example/", accept="image/*", limit=100, meet=False)
    assert (picture.body, len(met)) == (b"from b", 3)


@pytest.mark.case("B06")
async def test_each_hop_is_signed_anew_and_inherits_nothing(net: Net, internet: PretendInternet) -> None:
    internet.register("a.example", by_path({"/1": redirects("/2"), "/2": redirects("https://b.example/3")}))
    response = await net.get(
        "https://a.example/1", accept="*/*", limit=100, sign=sign, headers={"Authorization": "secret"}
    )
    assert (response.url, response.body) == ("https://b.example/3", b"from b")
    first, second, third = internet.requests
    assert [request.headers["signature"] for request in internet.requests] == [
        "GET a.example/1",
        "GET a.example/2",
        "GET b.example/3",
    ]
    assert first.headers["authorization"] == second.headers["authorization"] == "secret"
    assert "authorization" not in third.headers
    assert third.headers["host"] == "b.example"


@pytest.mark.case("B05", "B06")
@pytest.mark.parametrize(
    "location",
    [
        "http://b.example/",
        "http://127.0.0.1/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://169.254.169.254/latest/meta-data",
        "https://localhost/",
        "https://b.example:8443/",
        "https://user@b.example/",
        "//2130706433/",
        "\\\\b.example/",
        "file:///etc/passwd",
        "gopher://b.example/",
        "HTTPS://b.example/",
    ],
)
@pytest.mark.parametrize("signer", [None, sign])
async def test_a_redirect_out_of_the_public_web_is_not_followed(
    net: Net, internet: PretendInternet, location: str, signer: None
) -> None:
    internet.register("a.example", redirects(location))
    with pytest.raises(Blocked):
        await net.get("https://a.example/", accept="*/*", limit=100, sign=signer)
    assert [request.authority for request in internet.requests] == ["a.example"]


@pytest.mark.case("B06")
async def test_a_redirect_from_https_to_http_is_not_followed_even_where_http_is_allowed() -> None:
    internet = PretendInternet()
    internet.register("a.example", redirects("http://127.0.0.1:8001/"))
    net = Net(transport=internet, allow_http=True, allow_networks=["127.0.0.0/8"])
    with pytest.raises(Blocked, match="https to http"):
        await fetch(net, "https://a.example/")
    assert len(internet.requests) == 1


@pytest.mark.case("B07")
@pytest.mark.parametrize("location", ["https://a.example/", "/", "", "?", "#x", "https://A.example:443/"])
async def test_a_redirect_to_itself_is_asked_once(net: Net, internet: PretendInternet, location: str) -> None:
    internet.register("a.example", redirects(location))
    with pytest.raises(RemoteRefused):
        await fetch(net, "https://a.example/")
    assert len(internet.requests) <= 2


@pytest.mark.case("B07")
async def test_two_hosts_that_point_at_each_other_are_asked_once_each(net: Net, internet: PretendInternet) -> None:
    internet.register("a.example", redirects("https://b.example/"))
    internet.register("b.example", redirects("https://a.example/"))
    with pytest.raises(RemoteRefused, match="circle"):
        await fetch(net, "https://a.example/")
    assert len(internet.requests) == 2


@pytest.mark.case("B07")
@pytest.mark.parametrize(("hops", "followed"), [(3, True), (4, False), (20, False)])
async def test_at_most_three_redirects_are_followed(
    net: Net, internet: PretendInternet, hops: int, followed: bool
) -> None:
    chain = {f"/{number}": redirects(f"/{number + 1}", 307) for number in range(hops)}
    internet.register("a.example", by_path({**chain, f"/{hops}": answers(200, body=b"end")}))
    if followed:
        assert await fetch(net, "https://a.example/0") == b"end"
    else:
        with pytest.raises(RemoteRefused, match="too many"):
            await fetch(net, "https://a.example/0")
    assert len(internet.requests) == 4


async def test_a_caller_may_forbid_redirects(net: Net, internet: PretendInternet) -> None:
    internet.register("a.example", redirects("https://b.example/"))
    with pytest.raises(RemoteRefused):
        await fetch(net, "https://a.example/", redirects=0)
    assert len(internet.requests) == 1


@pytest.mark.parametrize("headers", [(), (("location", "https://b.example/"), ("location", "https://a.example/x"))])
async def test_a_redirect_to_no_one_place_is_refused(
    net: Net, internet: PretendInternet, headers: tuple[tuple[str, str], ...]
) -> None:
    internet.register("a.example", answers(301, *headers))
    with pytest.raises(RemoteRefused, match="nowhere"):
        await fetch(net, "https://a.example/")


async def test_a_location_in_raw_utf8_is_understood(net: Net, internet: PretendInternet) -> None:
    internet.register("a.example", by_path({"/1": redirects("/é"), "/é": answers(200, body=b"here")}))
    assert await fetch(net, "https://a.example/1") == b"here"
    assert internet.requests[1].target == "/%C3%A9"


async def test_a_signer_may_sign_the_same_request_otherwise_and_says_which_answer_counts(
    net: Net, internet: PretendInternet
) -> None:
    internet.register("a.example", answers(401, body=b"as what?"))

    def twice(_request: OutgoingRequest) -> Knocks:
        first = yield {"Signature": "one"}
        assert first.status == 401
        yield {"Signature": "other", "Digest": "d"}
        return first

    response = await net.post("https://a.example/inbox", body=b"{}", sign=twice)
    assert response.status == 401
    assert [request.headers["signature"] for request in internet.requests] == ["one", "other"]
    assert ["digest" in request.headers for request in internet.requests] == [False, True]
    assert {request.body for request in internet.requests} == {b"{}"}


@pytest.mark.limit("KNOCKS")
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("by", [-1, 0, 1])
async def test_no_request_is_made_more_than_three_times(
    net: Net, internet: PretendInternet, method: str, by: int
) -> None:
    internet.register("a.example", answers(401))
    wanted = limits.KNOCKS + by

    def insists(_request: OutgoingRequest) -> Knocks:
        for _ in range(wanted - 1):
            yield {"Signature": "again"}
        return (yield {"Signature": "for the last time"})

    if method == "GET":
        response = await net.get("https://a.example/", accept="*/*", limit=100, sign=insists)
    else:
        response = await net.post("https://a.example/", body=b"{}", sign=insists)
    assert response.status == 401
    assert len(internet.requests) == min(wanted, 3)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_delivery_follows_no_redirect(net: Net, internet: PretendInternet, status: int) -> None:
    internet.register("a.example", redirects("https://b.example/", status))
    response = await net.post("https://a.example/inbox", body=b"{}", sign=sign)
    assert response.status == status
    assert len(internet.requests) == 1


async def test_outages_and_slowness_can_be_pretended(net: Net, internet: PretendInternet) -> None:
    internet.down("a.example")
    with pytest.raises(Unreachable):
        await fetch(net, "https://a.example/")
    internet.up("a.example")
    internet.slow("a.example", 60)
    with pytest.raises(Unreachable):
        await fetch(net, "https://a.example/")
    internet.slow("a.example", 0.01)
    assert await fetch(net, "https://a.example/") == b"from a"
    with pytest.raises(Unreachable):
        await fetch(net, "https://nowhere.example/")


async def test_a_crash_of_the_other_side_is_a_500_and_remembered(net: Net, internet: PretendInternet) -> None:
    async def crashes(scope: Message, receive: object, send: object) -> None:
        raise LookupError("on the other side")

    internet.register("a.example", crashes)
    assert (await net.get("https://a.example/", accept="*/*", limit=9)).status == 500
    assert isinstance(internet.crashes[0], LookupError)
