"""What an answer means: a document, gone, refused, later."""

import pytest

from medfed.kernel import limits
from medfed.kernel.errors import (
    MedfedError,
    OriginMismatch,
    RemoteGone,
    RemoteRefused,
    Unreachable,
)
from medfed.net.client import Net
from medfed.net.fetch import (
    CREDENTIAL_TYPES,
    DID_TYPES,
    WEBFINGER_TYPES,
    fetch_document,
    fetch_json,
    require_success,
    retry_after,
    same_document,
)
from medfed.net.message import Headers, Response
from tests.support.internet import PretendInternet
from tests.unit.net.test_client import answers

LD = 'application/ld+json; profile="https://www.w3.org/ns/activitystreams"'


def a_net(status: int, *headers: tuple[str, str], body: bytes = b"{}") -> Net:
    internet = PretendInternet()
    internet.register("a.example", answers(status, *headers, body=body))
    return Net(transport=internet)


@pytest.mark.parametrize(
    "content_type",
    [
        "application/activity+json",
        "Application/Activity+JSON; charset=utf-8",
        LD,
        LD.replace('"', ""),
        LD.replace("profile", "charset=utf-8; Profile"),
        LD.replace('streams"', 'streams https://w3id.org/other"'),
    ],
)
async def test_an_activitypub_document_is_fetched(content_type: str) -> None:
    fetched = await fetch_document(a_net(200, ("content-type", content_type)), "https://a.example/n")
    assert (fetched.url, fetched.body) == ("https://a.example/n", b"{}")
    assert fetched.content_type in ("application/activity+json", "application/ld+json")


@pytest.mark.case("B15")
@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/html",
        "application/json",
        "image/png",
        "application/ld+json",
        'application/ld+json; profile="https://example.org/ns"',
        'application/ld+json; profile="https://www.w3.org/ns/activitystreams-evil"',
        'text/html; profile="https://www.w3.org/ns/activitystreams"',
        "text/html; x=application/activity+json",
        "application/activity+json, text/html",
        "application/activity+jsonx",
    ],
)
async def test_what_was_not_served_as_activitypub_is_not_taken_for_it(content_type: str) -> None:
    net = a_net(200, ("content-type", content_type))
    with pytest.raises(RemoteRefused):
        await fetch_document(net, "https://a.example/upload.json")


@pytest.mark.case("B15")
async def test_a_document_with_no_type_or_with_two_is_refused() -> None:
    two = (("content-type", "application/activity+json"), ("content-type", "text/html"))
    for net in (a_net(200), a_net(200, *two)):
        with pytest.raises(RemoteRefused):
            await fetch_document(net, "https://a.example/")


@pytest.mark.parametrize(
    ("types", "content_type"),
    [
        (WEBFINGER_TYPES, "application/jrd+json; charset=utf-8"),
        (DID_TYPES, "application/did+ld+json"),
        (CREDENTIAL_TYPES, "application/vc"),
    ],
)
async def test_other_json_documents_come_as_their_own_types(types: tuple[str, ...], content_type: str) -> None:
    net = a_net(200, ("content-type", content_type))
    assert (await fetch_json(net, "https://a.example/", types=types)).body == b"{}"
    with pytest.raises(RemoteRefused):
        await fetch_json(a_net(200, ("content-type", "text/html")), "https://a.example/", types=types)


@pytest.mark.case("B10")
async def test_a_document_over_its_limit_is_refused() -> None:
    net = a_net(200, ("content-type", "application/json"), body=b"x" * (limits.FETCHED_SMALL + 1))
    with pytest.raises(RemoteRefused):
        await fetch_json(net, "https://a.example/", types=WEBFINGER_TYPES)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        *[(status, RemoteGone) for status in (404, 410)],
        *[(status, Unreachable) for status in (408, 425, 429, 500, 502, 503, 504, 599)],
        *[(status, RemoteRefused) for status in (304, 400, 401, 403, 405, 406, 418, 451)],
    ],
)
async def test_a_status_says_whether_asking_again_makes_sense(status: int, error: type[MedfedError]) -> None:
    with pytest.raises(error) as failure:
        await fetch_document(a_net(status), "https://a.example/")
    assert vars(failure.value)["host"] == "a.example"
    assert vars(failure.value)["remote_status"] == status


def test_success_is_passed_through() -> None:
    response = Response(status=202, url="https://a.example/")
    assert require_success(response) is response


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        ("9" * 5_000, limits.RETRY_AFTER),
        ("Wed, 25 Nov 2026 10:02:00 GMT", 120),
        ("Wed, 25 Nov 2026 09:00:00 GMT", 0),
        ("Wed, 25 Nov 2099 09:00:00 GMT", limits.RETRY_AFTER),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("٣", None),
        ("120, 60", None),
        ("", None),
    ],
)
@pytest.mark.limit("RETRY_AFTER")
def test_a_wait_is_heeded_up_to_a_day_and_garbage_is_ignored(value: str, seconds: int | None) -> None:
    headers = Headers([(b"Retry-After", value.encode()), (b"Date", b"Wed, 25 Nov 2026 10:00:00 GMT")])
    assert retry_after(headers) == seconds
    with pytest.raises(Unreachable) as failure:
        require_success(Response(status=503, url="https://a.example/", headers=headers))
    assert failure.value.retry_after == seconds


def test_a_date_to_wait_for_means_nothing_without_a_date_to_count_from() -> None:
    assert retry_after(Headers([(b"retry-after", b"Wed, 25 Nov 2026 10:02:00 GMT")])) is None


HOSTS = ("a.example", "www.a.example", "sub.a.example", "b.example", "a.example.b.example")


@pytest.mark.case("D02", "B06")
@pytest.mark.parametrize("requested", HOSTS)
@pytest.mark.parametrize("final", HOSTS)
@pytest.mark.parametrize("claimed", HOSTS)
def test_a_document_speaks_only_for_the_host_that_served_it(requested: str, final: str, claimed: str) -> None:
    urls = {
        "requested": f"https://{requested}/1",
        "final": f"https://{final}/2",
        "claimed": f"https://{claimed}/3",
    }
    if final == claimed:
        assert same_document(**urls) == f"https://{claimed}/3"
    else:
        with pytest.raises(OriginMismatch):
            same_document(**urls)


@pytest.mark.case("D02")
def test_a_document_found_under_its_own_id_stands() -> None:
    here, there = "https://a.example/here", "https://a.example/there"
    assert same_document(requested=here, final=there, claimed=here) is None
    assert same_document(requested=here, final=there, claimed=there) is None


@pytest.mark.case("D02")
@pytest.mark.parametrize("claimed", ["", "1", "acct:a@a.example", "https://a.example@b.example/", "a.example"])
def test_an_id_that_is_no_url_is_nobodys(claimed: str) -> None:
    with pytest.raises(OriginMismatch):
        same_document(requested="https://a.example/", final="https://a.example/", claimed=claimed)
