"""What other servers may answer: one less than the limit, the limit, and one more (H05, B10)."""

import gzip
from collections.abc import Callable

import orjson
import pytest

from medfed.kernel import limits
from medfed.kernel.errors import Malformed, RemoteRefused
from medfed.net.client import Net
from medfed.net.fetch import WEBFINGER_TYPES, fetch_document, fetch_json
from medfed.net.reader import ResponseReader
from medfed.posts.fetch import Budget
from medfed.storage import posts
from tests.api.client import Client
from tests.limits.test_requests import AROUND
from tests.support.internet import PretendInternet
from tests.support.stranger import Puppet, Stranger
from tests.support.world import a_world
from tests.unit.net.test_client import answers, by_path, redirects


def a_net(kind: str, size: int) -> Net:
    internet = PretendInternet()
    internet.register("a.example", answers(200, ("content-type", kind), body=b"x" * size))
    return Net(transport=internet)


@pytest.mark.limit("FETCHED_DOCUMENT", "FETCHED_SMALL")
@pytest.mark.case("B10", "H05")
@pytest.mark.parametrize("by", AROUND)
async def test_a_document_may_be_as_large_as_its_limit(by: int) -> None:
    async def document() -> int:
        net = a_net("application/activity+json", limits.FETCHED_DOCUMENT + by)
        return len((await fetch_document(net, "https://a.example/")).body) - limits.FETCHED_DOCUMENT

    async def small() -> int:
        net = a_net("application/jrd+json", limits.FETCHED_SMALL + by)
        return len((await fetch_json(net, "https://a.example/", types=WEBFINGER_TYPES)).body) - limits.FETCHED_SMALL

    for fetch in (document, small):
        if by <= 0:
            assert await fetch() == by
        else:
            with pytest.raises(RemoteRefused):
                await fetch()


@pytest.mark.limit("REDIRECTS")
@pytest.mark.case("B07", "H05")
@pytest.mark.parametrize("by", AROUND)
async def test_as_many_redirects_are_followed_as_their_limit(by: int) -> None:
    hops = limits.REDIRECTS + by
    chain = {f"/{number}": redirects(f"/{number + 1}") for number in range(hops)}
    internet = PretendInternet()
    internet.register("a.example", by_path({**chain, f"/{hops}": answers(200, body=b"end")}))
    asking = Net(transport=internet).get("https://a.example/0", accept="*/*", limit=100)
    if by <= 0:
        assert (await asking).body == b"end"
    else:
        with pytest.raises(RemoteRefused, match="too many"):
            await asking
    assert len(internet.requests) == min(hops, limits.REDIRECTS) + 1


def read(data: bytes) -> ResponseReader:
    reader = ResponseReader("a.example", limits.MIB, whole=True)
    for start in range(0, len(data), 4_096):
        reader.feed(data[start : start + 4_096])
    return reader


def head(size: int) -> bytes:
    """A response whose fields take so many bytes, as they are counted: name, value, and four for each line."""
    lines, left = ["Content-Length: 0"], size - len("Content-Length0") - 4
    while left:
        now = min(left, 8_000)
        now -= 1 if 0 < left - now < 6 else 0
        lines.append(f"X: {'y' * (now - 5)}")
        left -= now
    return "\r\n".join(["HTTP/1.1 200 OK", *lines, "", ""]).encode()


def many(number: int) -> bytes:
    fields = [f"X-{at}: y" for at in range(number - 1)]
    return "\r\n".join(["HTTP/1.1 200 OK", *fields, "Content-Length: 0", "", ""]).encode()


def interim(number: int) -> bytes:
    return b"HTTP/1.1 103 Early Hints\r\n\r\n" * number + many(1)


@pytest.mark.limit("RESPONSE_HEAD", "RESPONSE_HEADERS", "INTERIM_RESPONSES")
@pytest.mark.case("B10", "H05")
@pytest.mark.parametrize(
    ("written", "most"),
    [
        (head, limits.RESPONSE_HEAD),
        (many, limits.RESPONSE_HEADERS),
        (interim, limits.INTERIM_RESPONSES),
    ],
)
def test_a_head_is_read_up_to_its_limits(written: Callable[[int], bytes], most: int) -> None:
    assert [read(written(most + by)).done for by in (-1, 0)] == [True, True]
    with pytest.raises(RemoteRefused):
        read(written(most + 1))


@pytest.mark.limit("DECOMPRESSION_RATIO")
@pytest.mark.case("B10", "H05")
@pytest.mark.parametrize("by", AROUND)
def test_a_body_grows_at_most_so_many_times_when_it_is_unpacked(by: int) -> None:
    """The file name in the head of a gzip is as long as one likes, and so is the packed form of a body."""
    body = bytes(limits.MIB - limits.MIB % limits.DECOMPRESSION_RATIO)
    bare = gzip.compress(body, mtime=0)
    name = b"x" * (len(body) // limits.DECOMPRESSION_RATIO - by - len(bare) - 1) + b"\0"
    packed = bare[:3] + b"\x08" + bare[4:10] + name + bare[10:]
    assert gzip.decompress(packed) == body
    data = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed
    if by <= 0:
        assert read(data).body == body
    else:
        with pytest.raises(RemoteRefused, match="ratio"):
            read(data)


@pytest.mark.limit("FETCHED_MEDIA")
@pytest.mark.case("B10", "H05")
async def test_a_picture_of_a_peer_may_be_as_large_as_its_limit() -> None:
    async with a_world("lyon.test") as world:
        lyon, good = world["lyon.test"], Stranger(world, "good.test")
        anybody, statuses = Client(site=lyon), []
        for by in AROUND:
            body = bytes(limits.FETCHED_MEDIA + by)
            world.internet.register("files.test", answers(200, ("content-type", "image/png"), body=body))
            picture = {"type": "Image", "url": f"https://files.test/{by}.png"}
            alice = await lyon.instance.lookup.actor(good.person(f"alice{by + 1}", icon=picture).uri)
            statuses.append((await anybody.get(f"/media/account/{alice.id}")).status)
        assert statuses == [200, 200, 404]


@pytest.mark.limit("RESOLVE_FETCHES", "REPLY_DEPTH")
@pytest.mark.case("H08", "H05")
@pytest.mark.parametrize("by", AROUND)
async def test_what_stands_above_a_post_is_fetched_up_to_its_limits(by: int) -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = world["lyon.test"], Stranger(world, "good.test").person("alice")
        chain: list[str] = []
        for _ in range(limits.REPLY_DEPTH + 1 + by):
            chain.append(alice.note(inReplyTo=chain[-1] if chain else None)["id"])
        await lyon.instance.posts.post(chain[-1])
        async with lyon.instance.store.view() as view:
            known = [await posts.find_by_uri(view, uri) is not None for uri in chain]
        # The post itself, and above it as many as may be.
        assert sum(known) == min(len(chain), limits.REPLY_DEPTH + 1)
        budget = Budget()
        assert [budget.spend() for _ in range(limits.RESOLVE_FETCHES + 1)].index(False) == limits.RESOLVE_FETCHES


@pytest.mark.limit("THREAD_POSTS", "THREAD_PAGES")
@pytest.mark.case("H08", "H05")
@pytest.mark.parametrize("by", AROUND)
async def test_a_collection_is_read_up_to_its_limits(by: int) -> None:
    async with a_world("lyon.test") as world:
        lyon, good = world["lyon.test"], Stranger(world, "good.test")

        def page(at: int, pages: int, ids: list[str]) -> str:
            more = {"next": f"{good.base}/{at + 1}"} if at + 1 < pages else {}
            return good.serves(f"/{at}", {"id": f"{good.base}/{at}", "type": "CollectionPage", "items": ids} | more)

        fetcher = lyon.instance.posts
        ids = [f"{good.base}/notes/{at}" for at in range(limits.THREAD_POSTS + by)]
        assert len(await fetcher.listed(page(0, 1, ids), Budget())) == min(len(ids), limits.THREAD_POSTS)
        pages = limits.THREAD_PAGES + by
        first, *_ = [page(at, pages, [f"{good.base}/notes/{at}"]) for at in range(pages)]
        assert len(await fetcher.listed(first, Budget())) == min(pages, limits.THREAD_PAGES)


@pytest.mark.limit("KEY_REFRESH_SECONDS")
@pytest.mark.case("C13", "H05")
@pytest.mark.parametrize("by", AROUND)
async def test_a_key_that_does_not_fit_is_asked_for_again_only_after_a_while(by: int) -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = world["lyon.test"], Stranger(world, "good.test").person("alice")
        await lyon.follows("dr-roy", alice.handle)
        await alice.sends(lyon, alice.create())
        old = alice.rsa
        alice.changes_keys()
        assert (await alice.sends(lyon, alice.create())).status == 202
        fresh, alice.rsa = alice.rsa, old
        before = len(asked_for(alice))
        world.clock.advance(limits.KEY_REFRESH_SECONDS * 1_000 + by)
        assert (await alice.sends(lyon, alice.create())).status == 401
        assert (len(asked_for(alice)) > before) is (by >= 0)
        alice.rsa = fresh


def asked_for(who: Puppet) -> list[str]:
    """How often the actor document was asked for."""
    return [path for path in who.home.asked if path == f"/users/{who.name}"]


@pytest.mark.limit("CREDENTIAL")
@pytest.mark.case("H05")
@pytest.mark.parametrize("by", AROUND)
async def test_a_credential_may_be_as_large_as_its_limit(by: int) -> None:
    """What fits is read, and found to be no credential; what does not is not read at all."""
    async with a_world("lyon.test") as world:
        lyon, good = world["lyon.test"], Stranger(world, "good.test")
        good.content_type = "application/vc"
        body = {"padding": ""}
        body["padding"] = "x" * (limits.CREDENTIAL + by - len(orjson.dumps(body)))
        member = await lyon.member("dr-roy")
        with pytest.raises(Malformed if by <= 0 else RemoteRefused):
            await lyon.instance.recogniser.receive_offer(
                member.id, uri=good.serves("/vc", body), offer_uri=f"{good.base}/offers/1", issuer_actor=good.base
            )
