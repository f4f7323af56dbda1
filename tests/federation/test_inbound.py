"""What peers may do to us, in which order, and how often: group A of the catalogue."""

import asyncio
import sqlite3
from dataclasses import replace
from typing import Any

import pytest

from medfed.domain.peers import Level
from medfed.domain.posts import Post
from medfed.kernel.clock import DAY, HOUR, MINUTE, SECOND, iso
from medfed.kernel.errors import StorageDown
from medfed.kernel.paging import Page
from medfed.posts import read
from medfed.storage import accounts, moderation, posts, relations, timelines
from tests.federation.activities import one_of_each
from tests.federation.conftest import Open
from tests.support.stranger import PUBLIC, Answer, Document, Puppet, Stranger
from tests.support.world import Site, World, a_world


async def _stranger(world: World, *, follows: bool = True) -> tuple[Site, Puppet]:
    """lyon.test with a member, dr-roy, who follows alice of good.test."""
    lyon = world["lyon.test"]
    alice = Stranger(world, "good.test").person("alice")
    await lyon.member("dr-roy")
    if follows:
        await _follow(lyon, "dr-roy", alice)
    return lyon, alice


async def _follow(site: Site, member: str, puppet: Puppet) -> None:
    """A member follows a puppet, which accepts."""
    await site.follows(member, puppet.handle)
    await site.world.settle()
    (asked, *_) = puppet.home.heard("Follow")[-1:]
    assert await puppet.tells(site, puppet.activity("Accept", asked)) == "done: accepted"


async def _stored(site: Site, uri: str) -> Post | None:
    async with site.instance.store.view() as view:
        return await posts.find_by_uri(view, uri)


async def _account_id(site: Site, handle: str) -> int:
    account = await site.find(handle)
    assert account is not None
    return account.id


async def _suspend(site: Site, handle: str) -> None:
    id_ = await _account_id(site, handle)
    async with site.instance.store.transaction("suspend") as tx:
        await accounts.suspend(tx, id_, site.world.clock.now())


# ── exactly once ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.case("A02")
async def test_the_body_is_committed_before_202_is_said() -> None:
    """Another connection to the file sees the row when the first byte of the answer leaves."""
    async with a_world("lyon.test") as world:
        lyon, alice = await _stranger(world)
        activity = alice.create()
        file = lyon.instance.settings.instance.data_dir
        seen: list[int] = []
        app = lyon.app

        async def watched(scope: Any, receive: Any, send: Any) -> None:
            async def look_and_send(message: Any) -> None:
                if message["type"] == "http.response.start" and message["status"] == 202:
                    (path,) = file.glob("*.db")
                    with sqlite3.connect(path) as other:
                        found = other.execute("SELECT COUNT(*) FROM inbox_log WHERE uri = ?", (activity["id"],))
                        seen.append(found.fetchone()[0])
                    other.close()
                await send(message)

            await app(scope, receive, look_and_send)

        lyon.app = watched
        assert (await alice.sends(lyon, activity)).status == 202
        assert seen == [1]


@pytest.mark.case("A02")
async def test_what_could_not_be_committed_is_not_acknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = await _stranger(world)

        async def full(*_args: object) -> bool:
            raise StorageDown("the disk is full")

        with monkeypatch.context() as patch:
            patch.setattr(type(lyon.instance.store), "arrive", full)
            answer = await alice.sends(lyon, activity := alice.create())
        assert answer.status == 503
        assert answer.headers["retry-after"]
        assert await lyon.became(activity["id"]) == ""


@pytest.mark.case("A03", "C06")
async def test_an_activity_delivered_a_hundred_times_has_one_effect() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = await _stranger(world)
        note = alice.note("<p>Once</p>", cc=[lyon.instance.here.uris.actor("dr-roy")])
        activity = alice.create(note)
        targets = ("/inbox", "/users/dr-roy/inbox")
        letters = [alice.signs(alice.letter(lyon, activity, target=target)) for target in targets]

        async def post(position: int) -> Answer:
            return await letters[position % 2].send(lyon)

        answers = await asyncio.gather(*(post(position) for position in range(100)))
        assert {answer.status for answer in answers} == {202}
        await world.settle()
        assert {(await post(position)).status for position in range(4)} == {202}
        await world.settle()
        assert (await lyon.home("dr-roy")).count(note["id"]) == 1
        assert await lyon.told("dr-roy") == ["mention"]
        assert (await lyon.find("alice@good.test")).posts_count == 1  # type: ignore[union-attr]


@pytest.mark.case("A04")
@pytest.mark.parametrize("kind", ["Like", "Announce", "Follow", "Block"])
async def test_what_was_undone_stays_undone_when_it_is_replayed(kind: str) -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = await _stranger(world)
        post = await lyon.publishes("dr-roy", "Dermatose inhabituelle")
        target = post.uri if kind in ("Like", "Announce") else lyon.instance.here.uris.actor("dr-roy")
        said = alice.activity(kind, target, to=[PUBLIC])
        letter = alice.signs(alice.letter(lyon, said))
        assert (await letter.send(lyon)).status == 202
        await world.settle()
        await alice.tells(lyon, alice.undo(said))
        assert (await letter.send(lyon)).status == 202
        await world.settle()
        after = await lyon.copy_of(post)
        assert (after.likes_count, after.boosts_count) == (0, 0)
        assert await lyon.follow_of("alice@good.test", "dr-roy") == ""
        async with lyon.instance.store.view() as view:
            me, her = await _account_id(lyon, "dr-roy"), await _account_id(lyon, "alice@good.test")
            assert await relations.blocks_between(view, me, [her]) == (set(), set())


@pytest.mark.case("A04")
@pytest.mark.parametrize("kind", ["Like", "Announce", "Follow"])
@pytest.mark.parametrize("by_id", [False, True])
async def test_an_undo_that_overtakes_what_it_undoes_wins(kind: str, by_id: bool) -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = await _stranger(world)
        post = await lyon.publishes("dr-roy", "Dermatose inhabituelle")
        target = post.uri if kind in ("Like", "Announce") else lyon.instance.here.uris.actor("dr-roy")
        said = alice.activity(kind, target, to=[PUBLIC])
        await alice.tells(lyon, alice.activity("Undo", said["id"]) if by_id else alice.undo(said))
        await alice.tells(lyon, said)
        after = await lyon.copy_of(post)
        assert (after.likes_count, after.boosts_count) == (0, 0)
        assert await lyon.follow_of("alice@good.test", "dr-roy") == ""


@pytest.mark.parametrize("kind", ["Like", "Announce", "Follow", "Block"])
async def test_an_undo_that_names_only_an_id_undoes_whatever_that_id_was(kind: str) -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = await _stranger(world, follows=False)
        post = await lyon.publishes("dr-roy", "Dermatose inhabituelle")
        target = post.uri if kind in ("Like", "Announce") else lyon.instance.here.uris.actor("dr-roy")
        said = alice.activity(kind, target, to=[PUBLIC])
        before = await lyon.contents()
        await alice.tells(lyon, said)
        neighbour = alice.home.person("neighbour")
        for undoer, left in ((neighbour, True), (alice, False)):
            await undoer.tells(lyon, undoer.activity("Undo", said["id"]))
            now = await lyon.contents()
            assert (
                any(len(now[table]) > len(before[table]) for table in ("reaction", "post", "follow", "block")) is left
            )


@pytest.mark.case("A04", "D06")
async def test_nobody_buries_by_undoing_what_another_may_still_say() -> None:
    """An Undo that names somebody else's object must not keep that object out for ever."""
    async with a_world("lyon.test") as world:
        lyon, alice = await _stranger(world)
        mallory = Stranger(world, "evil.test").person("mallory")
        neighbour = alice.home.person("neighbour")
        activity = alice.create(note := alice.note())
        for forger, status in ((mallory, 401), (neighbour, 202)):
            for object_ in (note["id"], {"id": note["id"], "type": "Like", "actor": forger.uri, "object": note["id"]}):
                assert (await forger.sends(lyon, forger.activity("Undo", object_))).status == status
        assert (await neighbour.sends(lyon, neighbour.activity("Delete", note["id"]))).status == 202
        await world.settle()
        await alice.tells(lyon, activity)
        assert note["id"] in await lyon.home("dr-roy")


@pytest.mark.case("A05")
async def test_a_deletion_that_overtakes_the_post_keeps_it_out() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = await _stranger(world)
        note = alice.note()
        create = alice.create(note)
        await alice.tells(lyon, alice.activity("Delete", {"id": note["id"], "type": "Tombstone"}))
        await world.pass_time(7 * DAY - HOUR)
        assert await alice.tells(lyon, create) == "done: known already"
        assert await _stored(lyon, note["id"]) is None


# ── updates ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.case("A06")
async def test_an_update_of_what_is_unknown_by_somebody_whom_nobody_follows_changes_nothing() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = await _stranger(world, follows=False)
        update = alice.activity("Update", alice.note(updated=iso(world.clock.now())))
        assert await alice.tells(lyon, update) == "done: unknown post"
        await _suspend(lyon, alice.handle)
        assert (await alice.sends(lyon, alice.activity("Update", alice.note()))).status == 403


@pytest.mark.case("A07")
async def test_only_newer_words_replace_older_ones() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = await _stranger(world)
        note = alice.note("<p>First</p>")
        await alice.tells(lyon, alice.create(note))

        async def update(content: str, minute: int) -> str:
            at = iso(world.clock.now() + minute * MINUTE)
            await alice.tells(lyon, alice.activity("Update", note | {"content": content, "updated": at}))
            stored = await _stored(lyon, note["id"])
            assert stored is not None
            return stored.content

        assert await update("<p>Third</p>", 30) == "<p>Third</p>"
        assert await update("<p>Second</p>", 20) == "<p>Third</p>"
        assert await update("<p>Third</p>", 30) == "<p>Third</p>"
        assert await update("<p>Fourth</p>", 40) == "<p>Fourth</p>"
        stored = await _stored(lyon, note["id"])
        assert stored is not None
        async with lyon.instance.store.view() as view:
            kept = [each["content"] for each in await posts.revisions(view, stored.id)]
        assert kept == ["<p>First</p>", "<p>Third</p>"]


@pytest.mark.case("A07", "M09")
async def test_an_update_never_opens_what_was_closed() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = await _stranger(world)
        note = alice.note("<p>For followers</p>", to=[alice.followers], cc=None)
        await alice.tells(lyon, alice.create(note))
        open_now = note | {"to": [PUBLIC], "updated": iso(world.clock.now() + MINUTE), "content": "<p>Open</p>"}
        await alice.tells(lyon, alice.activity("Update", open_now))
        stored = await _stored(lyon, note["id"])
        assert stored is not None
        assert stored.visibility == "followers"


# ── actors that leave ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.case("A08")
@pytest.mark.parametrize(("status", "answer"), [(410, 202), (404, 401)])
async def test_a_known_actor_that_is_gone_is_deleted_and_one_that_is_missing_is_not(status: int, answer: int) -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = await _stranger(world)
        await alice.tells(lyon, alice.create(note := alice.note()))
        leaving = alice.activity("Delete", alice.uri, to=[PUBLIC])
        alice.changes_keys()
        alice.vanishes(status)
        assert (await alice.sends(lyon, leaving)).status == answer
        await world.settle()
        assert (await _stored(lyon, note["id"]) is None) == (answer == 202)
        asked = len(alice.home.asked)
        for _ in range(20):
            again = alice.activity("Delete", alice.uri, to=[PUBLIC])
            assert (await alice.sends(lyon, again)).status == answer
        assert len(alice.home.asked) == asked


@pytest.mark.case("A08")
async def test_an_unknown_actor_that_deletes_itself_costs_nothing() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        stranger = Stranger(world, "good.test").person("alice")
        before = await lyon.contents()
        stranger.vanishes()
        answer = await stranger.sends(lyon, stranger.activity("Delete", stranger.uri))
        assert answer.status == 202
        assert stranger.home.asked == []
        assert await lyon.contents() == before


@pytest.mark.case("A08", "D21")
async def test_everything_of_an_actor_goes_with_it_and_nobody_inherits_it() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = await _stranger(world)
        me = lyon.instance.here.uris.actor("dr-roy")
        post = await lyon.publishes("dr-roy", "Dermatose inhabituelle")
        await alice.tells(lyon, alice.activity("Follow", me))
        await alice.tells(lyon, alice.activity("Like", post.uri))
        await alice.tells(lyon, alice.activity("Announce", post.uri, to=[PUBLIC]))
        await alice.tells(lyon, alice.create(inReplyTo=post.uri))
        secret = await lyon.publishes("dr-roy", "Entre nous @alice@good.test", visibility="direct")
        before = await lyon.copy_of(post)
        assert (before.likes_count, before.boosts_count, before.replies_count) == (1, 1, 1)
        assert (await lyon.member("dr-roy")).followers_count == 1
        assert (await alice.asks(lyon, secret.uri)).status == 200

        await alice.tells(lyon, alice.activity("Delete", alice.uri))
        after = await lyon.copy_of(post)
        assert (after.likes_count, after.boosts_count, after.replies_count) == (0, 0, 0)
        member = await lyon.member("dr-roy")
        assert (member.followers_count, member.following_count) == (0, 0)
        assert await lyon.told("dr-roy") == []
        assert (await alice.asks(lyon, post.uri)).status == 403

        heir = replace(alice)
        heir.changes_keys()
        world.clock.advance(6 * MINUTE)
        assert await heir.tells(lyon, heir.create("<p>It is me again</p>")) == "done: stored"
        assert await lyon.follow_of("alice@good.test", "dr-roy") == ""
        assert await lyon.follow_of("dr-roy", "alice@good.test") == ""
        assert (await heir.asks(lyon, secret.uri)).status == 404


@pytest.mark.case("A08", "D21")
async def test_an_actor_that_is_gone_says_nothing_more() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = await _stranger(world)
        later = alice.create()
        await alice.tells(lyon, alice.activity("Delete", alice.uri))
        alice.vanishes()
        assert (await alice.sends(lyon, later)).status == 401
        assert (
            await alice.sends(lyon, alice.activity("Follow", lyon.instance.here.uris.actor("dr-roy")))
        ).status == 401


# ── moving, accepting ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.case("A11")
@pytest.mark.parametrize("kind", ["Accept", "Reject"])
async def test_an_answer_to_a_follow_counts_only_from_the_one_who_was_asked(kind: str) -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = await _stranger(world, follows=False)
        mallory = Stranger(world, "evil.test").person("mallory")
        await lyon.follows("dr-roy", alice.handle)
        await world.settle()
        (asked,) = alice.home.heard("Follow")
        me = lyon.instance.here.uris.actor("dr-roy")
        for object_ in (
            asked,
            asked["id"],
            {"type": "Follow", "actor": me, "object": alice.uri},
            {"type": "Follow", "id": f"{me}/follows/1", "actor": me, "object": mallory.uri},
        ):
            assert await mallory.tells(lyon, mallory.activity(kind, object_)) == "done: no such request"
        assert await lyon.follow_of("dr-roy", alice.handle) == "pending"
        unasked = {"type": "Follow", "id": f"{me}/follows/2", "actor": mallory.uri, "object": alice.uri}
        assert await alice.tells(lyon, alice.activity(kind, unasked)) == "done: no such request"
        assert await lyon.follow_of("dr-roy", alice.handle) == "pending"


@pytest.mark.case("A12", "A13")
async def test_followers_only_posts_are_shown_to_accepted_followers_alone() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = await _stranger(world)
        await lyon.follows("dr-pending", alice.handle)
        await lyon.member("dr-nobody")
        await world.settle()
        note = alice.note("<p>For followers</p>", to=[alice.followers], cc=None)
        await alice.tells(lyon, alice.create(note))
        post = await _stored(lyon, note["id"])
        assert post is not None
        assert await lyon.may_read("dr-roy", post)
        assert not await lyon.may_read("dr-pending", post)
        assert not await lyon.may_read("dr-nobody", post)
        assert note["id"] in await lyon.home("dr-roy")
        assert note["id"] not in await lyon.home("dr-pending")
        (asked,) = [each for each in alice.home.heard("Follow") if each["actor"].endswith("/dr-pending")]
        await alice.tells(lyon, alice.activity("Accept", asked["id"]))
        assert await lyon.may_read("dr-pending", post)
        await alice.tells(lyon, alice.activity("Reject", asked["id"]))
        assert not await lyon.may_read("dr-pending", post)


# ── audience ─────────────────────────────────────────────────────────────────────────────────────────────────

FOLLOWERS = "https://good.test/users/alice/followers"
ME = "https://lyon.test/users/dr-roy"


@pytest.mark.case("A14", "A15")
@pytest.mark.parametrize(
    ("members", "visibility"),
    [
        ({}, "direct"),
        ({"to": [], "cc": []}, "direct"),
        ({"to": "", "cc": ""}, "direct"),
        ({"to": [None, 1, {}, [[]]]}, "direct"),
        ({"to": ["https://elsewhere.test/followers"]}, "direct"),
        ({"to": [ME]}, "direct"),
        ({"bto": [PUBLIC], "bcc": [PUBLIC]}, "direct"),
        ({"To": [PUBLIC]}, "direct"),
        ({"to": ["public"]}, "direct"),
        ({"to": [f"{PUBLIC}/"]}, "direct"),
        ({"to": ["https://www.w3.org/ns/activitystreams#public"]}, "direct"),
        ({"to": [PUBLIC.replace("https", "http")]}, "direct"),
        ({"to": PUBLIC}, "public"),
        ({"to": [PUBLIC]}, "public"),
        ({"to": ["as:Public"]}, "public"),
        ({"to": "Public"}, "public"),
        ({"to": {"id": PUBLIC}}, "public"),
        ({"to": [{"id": PUBLIC, "type": "Collection"}]}, "public"),
        ({"to": [FOLLOWERS], "cc": [PUBLIC]}, "unlisted"),
        ({"cc": "as:Public"}, "unlisted"),
        ({"to": [FOLLOWERS]}, "followers"),
        ({"cc": [FOLLOWERS, ME]}, "followers"),
        ({"to": [PUBLIC], "audiencePolicy": {"profession": ["medfed:physician"]}}, "verified"),
        ({"to": [PUBLIC], "audiencePolicy": "physicians"}, "verified"),
        ({"to": [PUBLIC], "audiencePolicy": [{"profession": []}]}, "verified"),
        ({"to": [PUBLIC], "medfed:audiencePolicy": {}}, "verified"),
        ({"to": [PUBLIC], "https://w3id.org/medfed/ns#audiencePolicy": {}}, "verified"),
    ],
)
async def test_an_audience_is_read_as_narrowly_as_it_is_written(members: Document, visibility: str) -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = await _stranger(world)
        note = alice.note("<p>For whom?</p>", to=None, cc=None) | members
        await alice.tells(lyon, alice.activity("Create", note))
        stored = await _stored(lyon, note["id"])
        assert stored is not None
        assert stored.visibility == visibility
        raw = await lyon.contents()
        assert not any('"bto"' in row or '"bcc"' in row for row in raw["post"])  # an id may hold "bcc" by chance


@pytest.mark.case("A15")
async def test_one_object_in_many_spellings_is_one_post() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = await _stranger(world)
        spellings: list[Document] = [
            {},
            {"type": ["Note"]},
            {"type": ["Note", "https://example.org/Other"]},
            {"attributedTo": [alice.uri]},
            {"attributedTo": {"id": alice.uri, "type": "Person"}},
            {"attributedTo": [{"id": alice.uri}]},
            {"to": PUBLIC},
            {"to": ["as:Public"]},
            {"to": [{"id": PUBLIC}], "cc": FOLLOWERS},
            {"content": None, "contentMap": {"fr": "<p>Bonjour</p>"}},
            {"contentMap": {"fr": "<p>Bonjour</p>"}},
            {"tag": None, "attachment": None, "inReplyTo": None, "summary": None},
            {"tag": [], "attachment": []},
        ]
        models = set()
        for spelling in spellings:
            note = alice.note("<p>Bonjour</p>") | spelling
            await alice.tells(lyon, alice.activity("Create", note))
            stored = await _stored(lyon, note["id"])
            assert stored is not None, spelling
            models.add((stored.kind, stored.content, stored.visibility, stored.account_id, stored.in_reply_to_uri))
        assert len(models) == 1


# ── what is passed on ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.case("A16", "D10")
async def test_an_announce_of_an_activity_is_no_post() -> None:
    """Nested or not, what is boosted comes from where it was written, and has to be a post there."""
    async with a_world("lyon.test") as world:
        lyon, alice = await _stranger(world)
        bob = Stranger(world, "other.test").person("bob")
        note = bob.note("<p>Original</p>")
        create = bob.create(note)
        bob.home.documents[create["id"].removeprefix(bob.home.base)] = create
        nested = alice.activity("Announce", {**create, "object": note | {"content": "<p>Forged</p>"}}, to=[PUBLIC])
        assert (await alice.tells(lyon, nested)).startswith("refused: PolicyRefusal")
        twice = alice.activity("Announce", alice.activity("Announce", create, to=[PUBLIC]), to=[PUBLIC])
        assert (await alice.tells(lyon, twice)).startswith("refused")
        assert await _stored(lyon, note["id"]) is None
        assert await _stored(lyon, create["id"]) is None
        forged = alice.activity("Announce", note | {"content": "<p>Forged</p>"}, to=[PUBLIC])
        assert await alice.tells(lyon, forged) == "done: passed on"
        stored = await _stored(lyon, note["id"])
        assert stored is not None
        assert stored.content == "<p>Original</p>"


@pytest.mark.case("A17", "H08")
@pytest.mark.parametrize("cyclic", [False, True])
async def test_a_thread_without_end_is_followed_only_so_far(cyclic: bool) -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = await _stranger(world)
        ids = [f"{alice.home.base}/deep/{depth}" for depth in range(200)]
        for depth, id_ in enumerate(ids):
            author = alice.home.person(f"person{depth}")
            above = ids[(depth + 1) % (3 if cyclic else len(ids))]
            author.note(f"<p>{depth}</p>", id=id_, inReplyTo=above)
        asked = len(alice.home.asked)
        became = await alice.tells(lyon, alice.create(inReplyTo=ids[0]))
        assert became == "done: stored"
        assert len(alice.home.asked) - asked <= 60


@pytest.mark.case("A21", "H08")
@pytest.mark.parametrize("around", [1, 2, 3])
async def test_posts_that_answer_each_other_in_a_circle_can_be_read(open_world: Open, around: int) -> None:
    async with open_world("lyon.test") as world:
        lyon, alice = await _stranger(world)
        ids = [f"{alice.home.base}/circle/{number}" for number in range(around)]
        for number, id_ in enumerate(ids):
            note = alice.note(id=id_, inReplyTo=ids[(number + 1) % around])
            del alice.home.documents[f"/circle/{number}"]
            assert await alice.tells(lyon, alice.create(note)) == "done: stored"
        async with lyon.instance.store.view() as view:
            known = await posts.find_by_uris(view, ids)
            threads = [await read.thread(view, lyon.instance.here, None, known[id_]) for id_ in ids]
        for thread in threads:
            shown = [*thread.ancestors, *thread.descendants]
            assert len({post.id for post in shown}) == len(shown) == around - 1
        assert sum(1 for post in known.values() if post.in_reply_to_id is None) == 1


# ── time, poison, the unknown ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.case("A19")
@pytest.mark.parametrize(
    "published",
    ["0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2036-11-25T00:00:00Z", "yesterday", "", 17, None,
     "0001-01-01T00:00:00+23:59", "2026-11-25T10:00:00", "2026-13-45T99:99:99Z"],
)  # fmt: skip
async def test_a_time_that_cannot_be_is_now(published: object) -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = await _stranger(world)
        first = alice.note("<p>Strange</p>", published=published)
        await alice.tells(lyon, alice.create(first))
        world.clock.advance(SECOND)
        second = alice.note("<p>Plain</p>")
        await alice.tells(lyon, alice.create(second))
        stored = await _stored(lyon, first["id"])
        assert stored is not None
        assert stored.published_at <= world.clock.now()
        assert await lyon.home("dr-roy") == [second["id"], first["id"]]


@pytest.mark.case("A20", "J01")
async def test_one_follower_with_an_impossible_inbox_keeps_nobody_from_reading() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        me = (await lyon.member("dr-roy")).uri
        hosts = [Stranger(world, f"peer{number}.test") for number in range(12)]
        for host in hosts:
            follower = host.person("reader")
            await follower.tells(lyon, follower.activity("Follow", me))
        broken = ["https://peer0.test:99/inbox", "https://peer1.test/in\u2028box", "https://[::1]/inbox", ""]
        async with lyon.instance.store.transaction("break") as tx:
            for number, inbox in enumerate(broken):
                account = await accounts.find_by_handle(tx, "reader", f"peer{number}.test")
                assert account is not None
                await accounts.store(tx, replace(account, inbox=inbox, shared_inbox=inbox))
        await lyon.publishes("dr-roy", "Dermatose inhabituelle")
        await world.settle()
        assert all(host.heard("Create") for host in hosts[len(broken) :])
        await lyon.publishes("dr-roy", "Encore une")
        await world.settle()
        assert all(len(host.heard("Create")) == 2 for host in hosts[len(broken) :])


@pytest.mark.case("A21", "A18")
async def test_strange_objects_do_not_keep_a_home_from_being_read() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = await _stranger(world)
        strange: list[Document] = [
            {"tag": [{"type": "Hashtag", "name": "#"}, {"type": "Hashtag", "name": {"a": 1}}, 7, None]},
            {"attachment": [{"type": "Image", "url": {"href": 3}}, {"url": "javascript:alert(1)"}, "x"]},
            {
                "attachment": [
                    {"type": "Document", "mediaType": "application/x-msdownload", "url": "https://good.test/x"}
                ]
            },
            {"attachment": [{"url": "https://good.test/x", "blurhash": "\u00ff", "width": -1, "focalPoint": ["a", 9]}]},
            {"summary": {"a": []}, "sensitive": "yes", "url": ["", {"href": []}]},
            {"content": "<" * 50_000, "contentMap": {"": ""}},
            {"inReplyTo": [1, 2, 3], "replies": "x", "likes": {"totalItems": 10**9}},
            {"type": "Question", "oneOf": [{"name": "a", "replies": {"totalItems": -5}}, {}, None], "endTime": "never"},
            {"type": "Question", "anyOf": [{"name": "a"}, {"name": "a"}], "closed": 7, "votersCount": 2.5},
            {"type": "Video", "name": "\u202eevil", "url": "https://good.test/v"},
            {"case": {"stage": 7, "specialty": [{}], "presentation": ["x"], "accepted": {}}},
        ]
        for members in strange:
            note = alice.note("<p>Strange</p>") | members
            became = await alice.tells(lyon, alice.activity("Create", note))
            assert became in ("done: stored",) or became.startswith("refused"), became
        plain = alice.note("<p>Plain</p>")
        await alice.tells(lyon, alice.create(plain))
        assert (await lyon.home("dr-roy"))[0] == plain["id"]


@pytest.mark.case("A18")
async def test_a_page_of_what_may_not_be_read_is_paged_past() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = await _stranger(world)
        first = alice.note("<p>Seen</p>")
        await alice.tells(lyon, alice.create(first))
        hidden = [alice.note("<p>Hidden</p>", to=["https://good.test/users/other"], cc=None) for _ in range(50)]
        for note in hidden:
            assert (await alice.sends(lyon, alice.create(note))).status == 202
        await world.settle()
        member = await lyon.member("dr-roy")
        async with lyon.instance.store.transaction("put into home") as tx:
            known = await posts.find_by_uris(tx, [note["id"] for note in hidden])
            for post in known.values():
                await timelines.add_to_homes(tx, post.id, {member.id})
        async with lyon.instance.store.view() as view:
            shown = await read.fill(
                view, lyon.instance.here, member, Page(limit=10), lambda page: timelines.home(view, member.id, page)
            )
        assert [post.uri for post in shown] == [first["id"]]


@pytest.mark.case("A22")
async def test_what_is_not_understood_is_accepted_ignored_and_kept_with_the_reason() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = await _stranger(world)
        before = await lyon.contents()
        for kind in ("Arrive", "Listen", "View", "TentativeAccept", "https://example.org/Zap"):
            said = alice.activity(kind, ME, **{"https://example.org/term": {"x": [1, 2]}})
            assert (await alice.tells(lyon, said)).startswith(f"done: not understood: {kind}")
        said = alice.activity("Create", alice.note() | {"type": "Tombstone"})
        assert (await alice.tells(lyon, said)).startswith("refused: Malformed")
        after = await lyon.contents()
        assert {name for name in after if after[name] != before[name]} == {"inbox_log"}


@pytest.mark.case("J09")
async def test_a_poison_activity_is_tried_a_few_times_and_put_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = await _stranger(world)

        async def breaks(*_args: object, **_kwargs: object) -> bool:
            raise ZeroDivisionError("poison")

        post = await lyon.publishes("dr-roy", "Dermatose inhabituelle")
        monkeypatch.setattr("medfed.posts.react.liked", breaks)
        poison = alice.activity("Like", post.uri)
        behind = alice.create()
        assert (await alice.sends(lyon, poison)).status == 202
        assert (await alice.sends(lyon, behind)).status == 202
        await world.settle()
        assert await lyon.became(behind["id"]) == "done: stored"
        for _ in range(6):
            await world.pass_time(20 * MINUTE)
        assert await lyon.became(poison["id"]) == "dead: ZeroDivisionError: poison"


@pytest.mark.case("G05", "A06")
async def test_a_suspended_actor_and_a_blocked_host_say_nothing() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = await _stranger(world)
        post = await lyon.publishes("dr-roy", "Dermatose inhabituelle")
        await _suspend(lyon, alice.handle)
        before = await lyon.contents()
        for kind, activity in one_of_each(alice, lyon, post).items():
            assert (await alice.sends(lyon, activity)).status == 403, kind
        mallory = Stranger(world, "evil.test").person("mallory")
        await lyon.judges("evil.test", Level.BLOCKED)
        asked = len(world.internet.sent_to("evil.test"))
        for kind, activity in one_of_each(mallory, lyon, post).items():
            assert (await mallory.sends(lyon, activity)).status == 403, kind
        assert len(world.internet.sent_to("evil.test")) == asked
        after = await lyon.contents()
        assert {name for name in after if after[name] != before[name]} <= {
            "peer",
            "audit",
            "audit_log",
            "moderation_log",
        }


@pytest.mark.case("G05")
async def test_what_a_peer_said_before_it_was_blocked_is_shown_again_only_when_it_no_longer_is(
    open_world: Open,
) -> None:
    async with open_world("lyon.test") as world:
        lyon, alice = await _stranger(world)
        bob = alice.home.person("bob")
        said, rude = alice.create(), bob.create()
        assert await alice.tells(lyon, said) == "done: stored"
        assert await bob.tells(lyon, rude) == "done: stored"
        await _suspend(lyon, bob.handle)
        (post, worse) = [await _stored(lyon, activity["object"]["id"]) for activity in (said, rude)]
        assert post is not None
        assert worse is not None
        reader = await lyon.member("dr-roy")

        async def shown() -> list[bool]:
            async with lyon.instance.store.view() as view:
                return [await read.may(view, lyon.instance.here, reader, each) for each in (post, worse)]

        assert await shown() == [True, False]
        await lyon.judges("good.test", Level.BLOCKED)
        assert await shown() == [False, False]
        assert said["object"]["id"] not in await lyon.home("dr-roy")
        await lyon.judges("good.test", Level.FEDERATED)
        assert await shown() == [True, False]
        assert said["object"]["id"] in await lyon.home("dr-roy")


async def test_a_report_is_kept_with_the_posts_it_names() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = await _stranger(world)
        post = await lyon.publishes("dr-roy", "Dermatose inhabituelle")
        flag = alice.activity("Flag", [ME, post.uri, "https://good.test/notes/1"], content="<b>Rude</b>")
        assert await alice.tells(lyon, flag) == "done: reported"
        async with lyon.instance.store.view() as view:
            (report,) = await moderation.reports(view, Page(), open_only=True)
        assert report.post_uris == (post.uri,)
        assert report.comment == "Rude"
