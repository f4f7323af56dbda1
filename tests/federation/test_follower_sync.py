"""Two servers agree on who follows whom, even when an Undo, an Accept or a Reject was lost (FEP-8fcf)."""

from collections.abc import Sequence
from typing import Any

import pytest

from medfed.activitypub import followersync
from medfed.activitypub.followersync import Announced
from medfed.app import build_app
from medfed.domain.accounts import Account, parse_handle
from medfed.kernel import limits
from medfed.kernel.clock import HOUR, MINUTE
from medfed.kernel.errors import Malformed, OriginMismatch
from medfed.storage import accounts, relations
from tests.federation.conftest import Open
from tests.support.stranger import Document, Puppet, Stranger, get_letter
from tests.support.world import Site, World, a_world

LYON, LILLE = "lyon.test", "lille.test"


async def _forget_follow(site: Site, follower: str, target: str) -> None:
    """As if one activity had never arrived, or the database were of last week."""
    who, whom = await _known(site, follower), await _known(site, target)
    async with site.instance.store.transaction("forget") as tx:
        assert await relations.delete(tx, who.id, whom.id)
        await accounts.recount_follows(tx, who.id, whom.id)


async def _known(site: Site, handle: str) -> Account:
    found = await site.find(handle)
    assert found is not None
    return found


def _lists_asked(world: World, host: str) -> list[str]:
    """Requests to a host for the followers of one of its authors."""
    return [request.target for request in world.internet.sent_to(host) if "synchronization" in request.target]


async def _two_readers(world: World) -> None:
    for reader in ("dr-roy", "dr-petit"):
        await world.follow(f"{reader}@{LILLE}", f"dr-dupont@{LYON}")


# ── the digest and the header ────────────────────────────────────────────────────────────────────────────────


def test_the_digest_is_that_of_the_proposal() -> None:
    uris = ["https://testing.example.org/users/1", "https://testing.example.org/users/2"]
    expected = "c33f48cd341ef046a206b8a72ec97af65079f9a3a9b90eef79c5920dce45c61f"
    assert followersync.digest(uris) == followersync.digest(reversed(uris)) == expected
    assert followersync.digest([]) == "0" * 64


_ACTOR = "https://good.test/users/a"
_OWN = Announced(collection=f"{_ACTOR}/followers", url=f"{_ACTOR}/sync", digest="ab" * 32)


def test_a_header_is_read_as_it_was_written() -> None:
    assert followersync.read(followersync.write(_OWN), actor=_ACTOR, followers=_OWN.collection) == _OWN


@pytest.mark.parametrize(
    ("header", "error"),
    [
        ("", OriginMismatch),
        ("nonsense", Malformed),
        ('collectionId="a", collectionId="b"', Malformed),
        (followersync.write(_OWN).replace("users/a/followers", "users/b/followers"), OriginMismatch),
        (followersync.write(_OWN).replace("good.test/users/a/sync", "evil.test/users/a/sync"), OriginMismatch),
        (followersync.write(_OWN).replace("good.test/users/a/sync", "good.test:8443/users/a/sync"), OriginMismatch),
        (followersync.write(_OWN).replace("good.test/users/a/sync", "www.good.test/users/a/sync"), OriginMismatch),
        (followersync.write(_OWN).replace('url="https://', 'url="http://'), OriginMismatch),
        (followersync.write(_OWN).replace('url="https://good', 'url="https://x@good'), OriginMismatch),
        (followersync.write(_OWN).replace("ab", "a"), Malformed),
        (followersync.write(_OWN).replace("ab", "zz"), Malformed),
        (followersync.write(_OWN) + " " * limits.SIGNATURE_HEADER, Malformed),
    ],
)  # fmt: skip
def test_a_header_that_speaks_of_others_or_of_nothing_is_no_header(header: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        followersync.read(header, actor=_ACTOR, followers=_OWN.collection)


def test_an_actor_without_followers_collection_has_no_header() -> None:
    with pytest.raises(OriginMismatch):
        followersync.read(f'collectionId="", url="{_ACTOR}/sync", digest="{"0" * 64}"', actor=_ACTOR, followers="")


# ── between two of ours ──────────────────────────────────────────────────────────────────────────────────────


async def test_while_both_agree_nobody_asks_for_a_list(open_world: Open) -> None:
    async with open_world(LYON, LILLE) as world:
        await _two_readers(world)
        for visibility in ("followers", "public"):
            await world[LYON].publishes("dr-dupont", "Dermatose inhabituelle", visibility=visibility)
            await world.settle()
        posted = [each for each in world.internet.sent_to(LILLE) if followersync.HEADER in each.headers]
        assert len(posted) == 2
        assert _lists_asked(world, LYON) == []


async def test_a_lost_undo_is_sent_again_when_the_author_next_writes(open_world: Open) -> None:
    async with open_world(LYON, LILLE) as world:
        lyon, lille = world[LYON], world[LILLE]
        await _two_readers(world)
        await _forget_follow(lille, "dr-roy", f"dr-dupont@{LYON}")
        assert await lyon.follow_of(f"dr-roy@{LILLE}", "dr-dupont") == "accepted"
        await lyon.publishes("dr-dupont", "Pour mes abonnés", visibility="followers")
        await world.settle()
        assert await lyon.follow_of(f"dr-roy@{LILLE}", "dr-dupont") == ""
        assert await lyon.follow_of(f"dr-petit@{LILLE}", "dr-dupont") == "accepted"
        assert (await _known(lyon, "dr-dupont")).followers_count == 1
        assert len(_lists_asked(world, LYON)) == 1


async def test_a_lost_reject_ends_the_follow_and_empties_the_home(open_world: Open) -> None:
    async with open_world(LYON, LILLE) as world:
        lyon, lille = world[LYON], world[LILLE]
        await _two_readers(world)
        before = await lyon.publishes("dr-dupont", "Pour mes abonnés", visibility="followers")
        await world.settle()
        assert before.uri in await lille.home("dr-roy")
        await _forget_follow(lyon, f"dr-roy@{LILLE}", "dr-dupont")
        after = await lyon.publishes("dr-dupont", "Pour ceux qui le sont encore", visibility="followers")
        await world.settle()
        assert await lille.follow_of("dr-roy", f"dr-dupont@{LYON}") == ""
        assert await lille.home("dr-roy") == []
        assert not await lille.may_read("dr-roy", after)
        assert await lille.home("dr-petit") == [after.uri, before.uri]


async def test_a_lost_accept_is_made_up_for(open_world: Open) -> None:
    async with open_world(LYON, LILLE) as world:
        lyon, lille = world[LYON], world[LILLE]
        await world.follow(f"dr-petit@{LILLE}", f"dr-dupont@{LYON}")
        await lille.follows("dr-roy", f"dr-dupont@{LYON}")
        await lille.worker.settle()
        async with lyon.instance.store.transaction("lose the Accept") as tx:
            await _drop_everything(tx)
        await world.settle()
        assert await lille.follow_of("dr-roy", f"dr-dupont@{LYON}") == "pending"
        post = await lyon.publishes("dr-dupont", "Pour mes abonnés", visibility="followers")
        await world.settle()
        assert await lille.follow_of("dr-roy", f"dr-dupont@{LYON}") == "accepted"
        assert post.uri in await lille.home("dr-roy")


async def _drop_everything(tx: Any) -> None:
    from medfed.storage import outbox  # noqa: PLC0415

    assert await outbox.drop(tx, LILLE)


async def test_both_directions_at_once(open_world: Open) -> None:
    async with open_world(LYON, LILLE) as world:
        lyon, lille = world[LYON], world[LILLE]
        await _two_readers(world)
        await _two_writers_back(world)
        await _forget_follow(lille, "dr-roy", f"dr-dupont@{LYON}")
        await _forget_follow(lyon, "dr-dupont", f"dr-roy@{LILLE}")
        await lyon.publishes("dr-dupont", "De Lyon", visibility="followers")
        await lille.publishes("dr-roy", "De Lille", visibility="followers")
        await world.settle()
        assert await lyon.follow_of(f"dr-roy@{LILLE}", "dr-dupont") == ""
        assert await lille.follow_of(f"dr-dupont@{LYON}", "dr-roy") == ""
        assert await lille.follow_of(f"dr-noir@{LYON}", "dr-roy") == "accepted"


async def _two_writers_back(world: World) -> None:
    for reader in ("dr-dupont", "dr-noir"):
        await world.follow(f"{reader}@{LYON}", f"dr-roy@{LILLE}")


async def test_what_is_for_no_followers_says_nothing_of_them() -> None:
    async with a_world(LYON, LILLE) as world:
        await _two_readers(world)
        for visibility in ("direct",):
            await world[LYON].publishes("dr-dupont", f"Pour @dr-roy@{LILLE}", visibility=visibility)
        await world.settle()
        assert not [each for each in world.internet.sent_to(LILLE) if followersync.HEADER in each.headers]


# ── the list that we give ────────────────────────────────────────────────────────────────────────────────────


async def _followers(lyon: Site, *puppets: Puppet) -> None:
    for puppet in puppets:
        await puppet.tells(lyon, puppet.activity("Follow", (await lyon.member("dr-roy")).uri))


async def test_a_peer_is_told_who_of_its_own_follows_and_of_nobody_else() -> None:
    async with a_world(LYON) as world:
        lyon, peer = world[LYON], Stranger(world, "peer.test")
        near = [peer.person(name) for name in ("a", "b")]
        far = Stranger(world, "sub.peer.test").person("far")
        locked = Stranger(world, "third.test").person("third")
        await _followers(lyon, *near, far, locked)
        await world.follow(f"dr-noir@{LYON}", f"dr-roy@{LYON}")
        url = "/users/dr-roy/followers_synchronization"
        for asker, expected in ((near[0], near), (peer.instance_actor(), near), (far, [far])):
            answer = await asker.asks(lyon, url)
            assert answer.status == 200
            assert answer.json["type"] == "OrderedCollection"
            assert answer.json["id"] == f"https://{LYON}{url}"
            assert sorted(answer.json["orderedItems"]) == sorted(each.uri for each in expected)
            assert answer.headers["cache-control"] == "private, no-store"
        nobody = Stranger(world, "nobody.test").person("x")
        assert (await nobody.asks(lyon, url)).json["orderedItems"] == []


async def test_who_does_not_sign_is_told_nothing() -> None:
    async with a_world(LYON) as world:
        lyon = world[LYON]
        await _followers(lyon, Stranger(world, "peer.test").person("a"))
        answer = await get_letter(lyon, "/users/dr-roy/followers_synchronization").send(lyon)
        assert answer.status == 401
        assert b"peer.test" not in answer.body


async def test_each_host_is_told_its_own_digest() -> None:
    async with a_world(LYON) as world:
        lyon = world[LYON]
        readers = [Stranger(world, host).person("a") for host in ("one.test", "two.test")]
        await _followers(lyon, *readers)
        await lyon.publishes("dr-roy", "Pour mes abonnés", visibility="followers")
        await world.settle()
        for reader in readers:
            (sent,) = [each for each in world.internet.sent_to(reader.home.authority) if _carries(each)]
            said = sent.headers[followersync.HEADER]
            assert followersync.digest([reader.uri]) in said
            author = f"https://{LYON}/users/dr-roy"
            announced = followersync.read(said, actor=author, followers=f"{author}/followers")
            assert announced.url == f"{author}/followers_synchronization"
            # What the signature does not cover a receiver must ignore.
            covered = sent.headers["signature"].partition('headers="')[2].partition('"')[0]
            assert followersync.HEADER in covered.split()


def _carries(request: Any) -> bool:
    return followersync.HEADER in request.headers


async def test_both_schemes_sign_the_header() -> None:
    async with a_world(LYON) as world:
        lyon = world[LYON]
        reader = Stranger(world, "peer.test").person("a")
        await _followers(lyon, reader)
        reader.home.answers = [(401, {})]
        await lyon.publishes("dr-roy", "Pour mes abonnés", visibility="followers")
        await world.settle()
        first, second = [each for each in world.internet.sent_to("peer.test") if _carries(each)]
        assert f'headers="(request-target) host date digest {followersync.HEADER}"' in first.headers["signature"]
        assert followersync.HEADER in second.headers["signature-input"]


# ── what we believe of a peer ────────────────────────────────────────────────────────────────────────────────


async def _followed(world: World) -> tuple[Site, Puppet]:
    """Alice of peer.test, whom dr-roy of lyon.test follows."""
    lyon = world[LYON]
    alice = Stranger(world, "peer.test").person("alice")
    await lyon.follows("dr-roy", alice.handle)
    await world.settle()
    await alice.tells(lyon, alice.activity("Accept", alice.home.heard("Follow")[0]["id"]))
    assert await lyon.follow_of("dr-roy", alice.handle) == "accepted"
    return lyon, alice


def _list(alice: Puppet, items: Sequence[str], **members: Any) -> str:
    """What alice's server says of who follows her, at its place; the URL."""
    path = f"/users/{alice.name}/sync"
    document: Document = {"id": f"{alice.home.base}{path}", "type": "OrderedCollection", "orderedItems": list(items)}
    return alice.home.serves(path, document | members)


async def _tells(
    lyon: Site, alice: Puppet, *, url: str, collection: str = "", digest: str = "0" * 64, signed: bool = True
) -> None:
    """Alice writes to her followers, with a header."""
    note = alice.note(to=[alice.followers], cc=None)
    letter = alice.letter(lyon, alice.create(note))
    header = followersync.write(Announced(collection=collection or alice.followers, url=url, digest=digest))
    with_it = letter.with_headers(**{followersync.HEADER: header})
    ready = alice.signs(with_it) if signed else alice.signs(letter).with_headers(**{followersync.HEADER: header})
    assert (await ready.send(lyon)).status == 202
    await alice.home.world.settle()


def _asked(alice: Puppet) -> list[str]:
    return [path for path in alice.home.asked if "sync" in path]


async def test_whoever_is_not_on_the_whole_list_no_longer_follows() -> None:
    async with a_world(LYON) as world:
        lyon, alice = await _followed(world)
        await _tells(lyon, alice, url=_list(alice, []))
        assert await lyon.follow_of("dr-roy", alice.handle) == ""
        assert alice.home.heard("Undo") == []


async def test_who_agrees_is_not_asked() -> None:
    async with a_world(LYON) as world:
        lyon, alice = await _followed(world)
        roy = (await lyon.member("dr-roy")).uri
        await _tells(lyon, alice, url=_list(alice, []), digest=followersync.digest([roy]).upper())
        assert _asked(alice) == []
        assert await lyon.follow_of("dr-roy", alice.handle) == "accepted"


async def test_a_header_that_is_not_signed_or_speaks_of_others_is_ignored() -> None:
    async with a_world(LYON) as world:
        lyon, alice = await _followed(world)
        mallory = alice.home.person("mallory")
        victim = Stranger(world, "victim.test")
        victim.serves("/sync", {"id": "https://victim.test/sync", "type": "OrderedCollection", "orderedItems": []})
        url = _list(alice, [])
        await _tells(lyon, alice, url=url, signed=False)
        await _tells(lyon, alice, url="https://victim.test/sync")
        await _tells(lyon, alice, url="http://peer.test/users/alice/sync")
        await _tells(lyon, alice, url=url, collection=mallory.followers)
        await _tells(lyon, mallory, url=url, collection=alice.followers)
        await _tells(lyon, alice, url=f"https://{LYON}/users/dr-roy/followers_synchronization")
        await _tells(lyon, alice, url=url, digest="soon")
        assert _asked(alice) == []
        assert victim.asked == []
        assert await lyon.follow_of("dr-roy", alice.handle) == "accepted"


@pytest.mark.limit("FOLLOWERS_LISTED")
async def test_a_list_that_is_not_whole_ends_no_follow() -> None:
    async with a_world(LYON) as world:
        lyon, alice = await _followed(world)
        url = f"{alice.home.base}/users/alice/sync"
        broken: list[Document | int] = [
            404,
            503,
            {"id": url, "type": "Note", "orderedItems": []},
            {"id": url, "type": "OrderedCollection"},
            {"id": url, "type": "OrderedCollection", "totalItems": 1, "orderedItems": []},
            {"id": url, "type": "OrderedCollection", "orderedItems": [], "next": url},
            {"id": url, "type": "OrderedCollection", "first": url},
            {"id": url, "type": "OrderedCollection", "orderedItems": [], "next": "https://victim.test/sync"},
            {"id": url, "type": "OrderedCollection", "orderedItems": [], "next": f"{alice.home.base}/nowhere"},
            {"id": url, "type": "OrderedCollection", "orderedItems": ["x"] * (limits.FOLLOWERS_LISTED + 1)},
        ]
        for document in broken:
            alice.home.serves("/users/alice/sync", document)
            await _tells(lyon, alice, url=url)
            assert await lyon.follow_of("dr-roy", alice.handle) == "accepted", document
            await world.pass_time(HOUR)
        assert await lyon.follow_of("dr-roy", alice.handle) == "accepted"
        alice.home.redirects["/users/alice/sync"] = "https://victim.test/sync"
        Stranger(world, "victim.test").serves("/sync", {"type": "OrderedCollection", "orderedItems": []})
        await _tells(lyon, alice, url=url)
        assert await lyon.follow_of("dr-roy", alice.handle) == "accepted"


async def test_a_list_in_pages_is_read_to_its_end() -> None:
    async with a_world(LYON) as world:
        lyon, alice = await _followed(world)
        roy = (await lyon.member("dr-roy")).uri
        base = f"{alice.home.base}/users/alice/sync"
        alice.home.serves("/users/alice/sync/2", {"id": f"{base}/2", "type": "CollectionPage", "items": [roy]})
        alice.home.serves("/users/alice/sync/1", {"type": "CollectionPage", "items": [], "next": f"{base}/2"})
        alice.home.serves("/users/alice/sync", {"id": base, "type": "Collection", "first": f"{base}/1"})
        await _tells(lyon, alice, url=base)
        assert len(_asked(alice)) == 3
        assert await lyon.follow_of("dr-roy", alice.handle) == "accepted"


@pytest.mark.limit("FOLLOWERS_PAGES")
@pytest.mark.parametrize("by", [-1, 0, 1])
async def test_a_list_of_too_many_pages_ends_no_follow(by: int) -> None:
    async with a_world(LYON) as world:
        lyon, alice = await _followed(world)
        base = f"{alice.home.base}/users/alice/sync"
        pages = limits.FOLLOWERS_PAGES + by
        for at in range(pages):
            more = {"next": f"{base}/{at + 1}"} if at + 1 < pages else {}
            alice.home.serves(f"/users/alice/sync/{at}", {"type": "CollectionPage", "items": []} | more)
        await _tells(lyon, alice, url=f"{base}/0")
        assert await lyon.follow_of("dr-roy", alice.handle) == ("accepted" if by > 0 else "")


@pytest.mark.limit("FOLLOWERS_UNDONE")
@pytest.mark.parametrize("by", [-1, 0, 1])
async def test_so_many_follows_are_undone_at_a_time_and_no_more(by: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FOLLOWERS_UNDONE", 3)
    async with a_world(LYON) as world:
        lyon, alice = await _followed(world)
        wrong = [(await lyon.member(f"dr-noir{number}")).uri for number in range(3 + by)]
        await _tells(lyon, alice, url=_list(alice, [(await lyon.member("dr-roy")).uri, *wrong]))
        assert len(alice.home.heard("Undo")) == min(3 + by, 3)


async def test_who_is_wrongly_listed_has_an_undo_sent_and_others_do_not() -> None:
    async with a_world(LYON) as world:
        lyon, alice = await _followed(world)
        roy, noir = (await lyon.member("dr-roy")).uri, (await lyon.member("dr-noir")).uri
        foreign = Stranger(world, "third.test").person("third").uri
        await _tells(lyon, alice, url=_list(alice, [roy, noir, foreign, f"https://{LYON}/users/nobody"]))
        (undone,) = alice.home.heard("Undo")
        assert undone["actor"] == undone["object"]["actor"] == noir
        assert undone["object"]["object"] == alice.uri
        assert await lyon.follow_of("dr-roy", alice.handle) == "accepted"


@pytest.mark.limit("FOLLOWERS_SYNC_SECONDS")
async def test_a_peer_that_never_agrees_is_asked_once_in_ten_minutes() -> None:
    async with a_world(LYON) as world:
        lyon, alice = await _followed(world)
        url = _list(alice, [f"https://{LYON}/users/nobody", (await lyon.member("dr-roy")).uri])
        for _ in range(3):
            await _tells(lyon, alice, url=url)
        assert len(_asked(alice)) == 1
        await world.pass_time(11 * MINUTE)
        await _tells(lyon, alice, url=url)
        assert len(_asked(alice)) == 2


@pytest.mark.limit("FOLLOWERS_SYNCS_PER_HOST")
async def test_all_authors_of_a_host_together_are_asked_so_often_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "FOLLOWERS_SYNCS_PER_HOST", 2)
    async with a_world(LYON) as world:
        lyon = world[LYON]
        peer = Stranger(world, "peer.test")
        for number in range(4):
            author = peer.person(f"author{number}")
            await _tells(lyon, author, url=_list(author, []), digest="ab" * 32)
        assert len([path for path in peer.asked if "sync" in path]) == 2


async def test_how_often_a_host_is_asked_is_counted_for_all_processes_together(
    open_world: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "FOLLOWERS_SYNCS_PER_HOST", 3)
    async with open_world(LYON) as world:
        lyon, peer = world[LYON], Stranger(world, "peer.test")
        again, others = peer.person("again"), [peer.person(f"author{number}") for number in range(4)]
        for author in (again, again, *others, again):
            lyon.app = build_app(lyon.instance)  # as if another process were asked
            await _tells(lyon, author, url=_list(author, []), digest="ab" * 32)
        asked = [path for path in peer.asked if "sync" in path]
        assert len(asked) == len(set(asked)) == 3


async def test_a_follow_that_was_accepted_while_the_list_was_read_stays() -> None:
    async with a_world(LYON) as world:
        lyon, alice = await _followed(world)
        url = _list(alice, [(await lyon.member("dr-roy")).uri])
        served = world.internet._apps["peer.test"]
        noir = await lyon.member("dr-noir")

        async def meanwhile(scope: Any, receive: Any, send: Any) -> None:
            if scope["path"].endswith("/sync"):
                target = await lyon.instance.lookup.handle(parse_handle(alice.handle))
                await lyon.follows("dr-noir", alice.handle)
                async with lyon.instance.store.transaction("accepted") as tx:
                    assert await relations.accept(tx, noir.id, target.id)
            await served(scope, receive, send)

        world.internet.register("peer.test", meanwhile)
        await _tells(lyon, alice, url=url)
        assert _asked(alice)
        assert await lyon.follow_of("dr-noir", alice.handle) == "accepted"
