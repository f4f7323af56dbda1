"""What is passed on without a proof of its actor's: its own server is asked, and only that counts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from medfed.app import build_app
from medfed.domain.peers import Level
from medfed.domain.posts import Post
from medfed.inbox import hearsay
from medfed.inbox.http import _RUMOURS_PER
from medfed.kernel import limits
from medfed.kernel.clock import DAY, HOUR, MINUTE, iso
from medfed.storage import accounts, posts, tasks
from tests.federation.conftest import Open
from tests.support.stranger import PUBLIC, Document, Puppet, Stranger
from tests.support.world import Site, World, a_world


@dataclass(slots=True)
class Scene:
    """Alice says it, rita passes it on; dr-roy of lyon.test follows rita, and nobody there knows alice."""

    world: World
    lyon: Site
    alice: Puppet
    rita: Puppet

    async def passes_on(self, activity: Document, *, by: Puppet | None = None) -> int:
        """The status of the answer; what it leads to is done."""
        answer = await (by or self.rita).sends(self.lyon, activity)
        await self.world.settle()
        return answer.status

    async def copy_of(self, uri: str) -> Post | None:
        async with self.lyon.instance.store.view() as view:
            return await posts.find_by_uri(view, uri)

    async def stores(self, activity: Document) -> bool:
        return await self.copy_of(activity["object"]["id"]) is not None


@asynccontextmanager
async def scene(open_world: Open = a_world) -> AsyncIterator[Scene]:
    async with open_world("lyon.test") as world:
        lyon = world["lyon.test"]
        alice, rita = Stranger(world, "good.test").person("alice"), Stranger(world, "relay.test").person("rita")
        await lyon.follows("dr-roy", rita.handle)
        await world.settle()
        (asked,) = rita.home.heard("Follow")
        await rita.tells(lyon, rita.activity("Accept", asked))
        yield Scene(world=world, lyon=lyon, alice=alice, rita=rita)


def _ld_signed(activity: Document) -> Document:
    signature = {
        "type": "RsaSignature2017",
        "creator": f"{activity['actor']}#main-key",
        "created": "2026-11-25T12:00:00Z",
        "signatureValue": "bm90IGxvb2tlZCBhdA==",
    }
    return {**activity, "signature": signature}


# ── posts ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.case("D19")
async def test_a_create_is_looked_at_where_its_post_stands(open_world: Open) -> None:
    async with scene(open_world) as on:
        create = on.alice.create("<p>Ce que j'ai dit</p>", to=[PUBLIC])
        told = create | {"object": create["object"] | {"content": "<p>Ce que je n'ai pas dit</p>"}}
        assert await on.passes_on(told) == 202
        post = await on.copy_of(create["object"]["id"])
        assert post is not None
        assert "pas dit" not in post.content
        assert on.alice.home.asked.count(create["object"]["id"].removeprefix(on.alice.home.base)) == 1


@pytest.mark.case("D19", "D20")
@pytest.mark.parametrize("how", ["ld-signature", "proof of the passer", "proof of other words", "proof that is none"])
async def test_no_signature_but_the_actors_own_proof_spares_the_question(how: str) -> None:
    async with scene() as on:
        create = on.alice.create("<p>Bonjour</p>", to=[PUBLIC])
        invented = create | {"object": create["object"] | {"content": "<p>Inventé</p>"}}
        told = {
            "ld-signature": _ld_signed(invented),
            "proof of the passer": on.rita.proven(invented),
            "proof of other words": invented | {"proof": on.alice.proven(create)["proof"]},
            "proof that is none": invented | {"proof": {"type": "DataIntegrityProof"}},
        }[how]
        assert await on.passes_on(told) == 202
        post = await on.copy_of(create["object"]["id"])
        assert post is not None
        assert "Bonjour" in post.content


@pytest.mark.case("D19")
@pytest.mark.parametrize("answer", [404, 410, 500, "somebody else's", "another id"])
async def test_what_its_own_server_does_not_show_does_not_exist(answer: int | str) -> None:
    async with scene() as on:
        create = on.alice.create("<p>Bonjour</p>", to=[PUBLIC])
        path = create["object"]["id"].removeprefix(on.alice.home.base)
        document = on.alice.home.documents[path]
        assert isinstance(document, dict)
        on.alice.home.documents[path] = {
            "somebody else's": document | {"attributedTo": on.rita.uri},
            "another id": document | {"id": f"{on.alice.home.base}/notes/another"},
        }.get(str(answer), answer if isinstance(answer, int) else document)
        assert await on.passes_on(create) == 202
        assert not await on.stores(create)
        assert (await on.lyon.contents())["post"] == []


@pytest.mark.case("D19", "A20")
@pytest.mark.parametrize("kind", ["Create", "Update", "Delete", "Like", "Undo"])
@pytest.mark.parametrize(
    "document",
    [
        {"type": ["Note", "Person"]}, {"type": [{}]}, {"type": None}, {"type": {"a": 1}}, {"type": "Person"},
        {"id": ["x"]}, {"id": 7}, {"attributedTo": [{}]}, {"attributedTo": 1}, {"actor": []}, {"object": 1},
        {"type": "Create"}, {"type": "OrderedCollection", "orderedItems": []}, {"to": "x", "cc": {}},
    ],
    ids=str,
)  # fmt: skip
async def test_whatever_its_own_server_shows_is_settled(kind: str, document: Document) -> None:
    async with scene() as on:
        create = on.alice.create("<p>Bonjour</p>", to=[PUBLIC])
        uri = create["object"]["id"]
        told = on.alice.activity(kind, uri if kind in ("Delete", "Like") else create["object"])
        for id_ in (uri, told["id"]):
            shown = {"id": id_, "type": "Note", "attributedTo": on.alice.uri, "content": "x"} | document
            on.alice.home.documents[id_.removeprefix(on.alice.home.base)] = shown
        assert await on.passes_on(told) in (202, 401)
        async with on.lyon.instance.store.view() as view:
            left = [row for row in await tasks.overview(view) if row["kind"] == hearsay.TASK]
        assert left == [], "asked again, or buried as something that crashed"


@pytest.mark.case("D19", "A03")
async def test_a_rumour_takes_no_id_from_what_is_really_said_later() -> None:
    """Or whoever guesses the id of somebody's Delete could have it taken for known already."""
    async with scene() as on:
        create = on.alice.create("<p>Bonjour</p>", to=[PUBLIC])
        await on.alice.tells(on.lyon, create)
        delete = on.alice.activity("Delete", create["object"]["id"], id=f"{create['object']['id']}#delete")
        for kind in ("Create", "Update", "Delete"):
            assert await on.passes_on(create | {"id": delete["id"], "type": kind}) == 202
        assert await on.stores(create)
        assert await on.alice.tells(on.lyon, delete) == "done: erased"


@pytest.mark.case("D19")
async def test_an_update_brings_the_words_that_stand_there_now(open_world: Open) -> None:
    async with scene(open_world) as on:
        create = on.alice.create("<p>Avant</p>", to=[PUBLIC])
        await on.alice.tells(on.lyon, create)
        path = create["object"]["id"].removeprefix(on.alice.home.base)
        now = create["object"] | {"content": "<p>Après</p>", "updated": iso(on.world.clock.now() + 1000)}
        on.alice.home.documents[path] = {"@context": create["@context"], **now}
        told = on.alice.activity("Update", now | {"content": "<p>Inventé</p>"})
        assert await on.passes_on(told) == 202
        post = await on.copy_of(create["object"]["id"])
        assert post is not None
        assert "Après" in post.content


async def test_a_post_from_long_ago_is_no_news_whoever_brings_it() -> None:
    async with scene() as on:
        create = on.alice.create("<p>Jadis</p>", to=[PUBLIC], published=iso(on.world.clock.now() - 8 * DAY))
        assert await on.passes_on(create) == 202
        assert not await on.stores(create)


@pytest.mark.case("D19", "D06")
@pytest.mark.parametrize(
    ("to", "answer", "erased"),
    [
        ("public", 410, True), ("public", 404, True), ("public", "Tombstone", True), ("public", 200, False),
        ("public", 403, False), ("public", 500, False), ("public", "moved", False),
        ("followers", 410, True), ("followers", "Tombstone", True), ("followers", 404, False),
        ("followers", 403, False),
    ],
)  # fmt: skip
async def test_a_delete_counts_if_its_own_server_says_that_it_is_gone(
    to: str, answer: int | str, erased: bool, open_world: Open
) -> None:
    """What is not for everybody is hidden from us by a 404: there it takes 410, or a Tombstone."""
    async with scene(open_world) as on:
        create = on.alice.create("<p>Bonjour</p>", to=[PUBLIC if to == "public" else on.alice.followers], cc=[])
        await on.alice.tells(on.lyon, create)
        uri = create["object"]["id"]
        path = uri.removeprefix(on.alice.home.base)
        if answer == "Tombstone":
            on.alice.home.documents[path] = {"id": uri, "type": "Tombstone"}
        elif answer == "moved":
            on.alice.home.documents[path] = {"id": f"{uri}-elsewhere", "type": "Tombstone"}
        elif answer != 200:
            on.alice.home.documents[path] = int(answer)
        assert await on.passes_on(on.alice.activity("Delete", uri)) == 202
        assert await on.stores(create) is not erased


@pytest.mark.case("D19", "A08")
@pytest.mark.parametrize(("answer", "erased"), [(410, True), (404, False), (200, False), (500, False)])
async def test_an_actor_is_gone_when_its_own_server_says_so(answer: int, erased: bool) -> None:
    async with scene() as on:
        await on.alice.tells(on.lyon, on.alice.create("<p>Bonjour</p>", to=[PUBLIC]))
        if answer != 200:
            on.alice.vanishes(answer)
        assert await on.passes_on(on.alice.activity("Delete", on.alice.uri)) == 202
        async with on.lyon.instance.store.view() as view:
            known = await accounts.find_by_uri(view, on.alice.uri)
        assert known is not None
        assert (known.gone_at is not None) is erased


# ── reactions ────────────────────────────────────────────────────────────────────────────────────────────────


async def _post_of_roy(on: Scene) -> Post:
    return await on.lyon.publishes("dr-roy", "Dermatose inhabituelle")


def _shown(puppet: Puppet, activity: Document) -> Document:
    """The activity, which its server shows under its id."""
    puppet.home.documents[activity["id"].removeprefix(puppet.home.base)] = activity
    return activity


@pytest.mark.case("D19")
@pytest.mark.parametrize("kind", ["Like", "EmojiReact", "Announce"])
async def test_a_reaction_counts_if_its_own_server_shows_it_and_once(kind: str, open_world: Open) -> None:
    async with scene(open_world) as on:
        post = await _post_of_roy(on)
        members = {"content": "❤"} if kind == "EmojiReact" else {"to": [PUBLIC]}
        hidden = on.alice.activity(kind, post.uri, **members)
        shown = _shown(on.alice, on.alice.activity(kind, post.uri, **members))
        for _ in range(2):
            assert await on.passes_on(hidden) == 202
            assert await on.passes_on(shown) == 202
        assert await on.lyon.became(hidden["id"]) == ""
        assert (await on.lyon.became(shown["id"])).startswith("done: ")
        assert len(await on.lyon.told("dr-roy")) == 1


@pytest.mark.case("D19")
async def test_what_is_undone_has_to_be_undone_where_it_was_done() -> None:
    async with scene() as on:
        post = await _post_of_roy(on)
        like = on.alice.activity("Like", post.uri)
        await on.alice.tells(on.lyon, like)
        undo = on.alice.undo(like)
        assert await on.passes_on(undo) == 202
        assert (await on.lyon.contents())["reaction"] != []
        _shown(on.alice, undo)
        await on.world.pass_time(10 * MINUTE)
        assert await on.passes_on(undo) == 202
        assert (await on.lyon.contents())["reaction"] == []


@pytest.mark.case("C02", "D19")
@pytest.mark.parametrize("kind", ["Follow", "Accept", "Block", "Move", "Flag", "Add", "Offer", "Zap"])
async def test_what_nobody_passes_on_is_refused_as_ever(kind: str) -> None:
    async with scene() as on:
        before = await on.lyon.contents()
        assert await on.passes_on(_shown(on.alice, on.alice.activity(kind, on.rita.uri))) == 401
        assert await on.lyon.contents() == before


# ── who may pass on ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.case("C02", "D19")
async def test_whom_nobody_follows_passes_on_only_answers_to_what_is_its_own() -> None:
    async with scene() as on:
        thread = Stranger(on.world, "thread.test").person("tim")
        await thread.tells(on.lyon, thread.activity("Arrive", None))
        other = on.alice.create("<p>À personne</p>", to=[PUBLIC])
        own = on.alice.create(on.alice.note("<p>À Tim</p>", inReplyTo=thread.note()["id"]))
        assert await on.passes_on(other, by=thread) == 401
        assert not await on.stores(other)
        assert await on.passes_on(own, by=thread) == 202
        assert await on.stores(own)
        on.alice.home.documents[own["object"]["id"].removeprefix(on.alice.home.base)] = 410
        assert await on.passes_on(on.alice.activity("Delete", own["object"]["id"]), by=thread) == 202
        assert not await on.stores(own)


@pytest.mark.case("C02", "B17")
@pytest.mark.parametrize(("level", "status"), [(Level.BLOCKED, 403), (Level.LIMITED, 401), (Level.TRUSTED, 202)])
async def test_a_peer_has_us_ask_as_far_as_it_is_let_in(level: Level, status: int) -> None:
    async with scene() as on:
        await on.lyon.judges("relay.test", level)
        create = on.alice.create("<p>Bonjour</p>", to=[PUBLIC])
        assert await on.passes_on(create) == status
        assert bool(on.world.internet.sent_to("good.test")) is (status == 202)


@pytest.mark.case("B17", "D11")
@pytest.mark.parametrize("host", ["blocked", "ours"])
async def test_neither_blocked_hosts_nor_we_ourselves_are_asked(host: str) -> None:
    async with scene() as on:
        create = on.alice.create("<p>Bonjour</p>", to=[PUBLIC])
        if host == "blocked":
            await on.lyon.judges("good.test", Level.BLOCKED)
        else:
            roy, post = await on.lyon.member("dr-roy"), await _post_of_roy(on)
            create = {
                **create, "id": f"{post.uri}/other", "actor": roy.uri,
                "object": {"id": post.uri, "type": "Note", "attributedTo": roy.uri, "content": "Inventé"},
            }  # fmt: skip
        sent = len(on.world.internet.requests)
        assert await on.passes_on(create) in (401, 403)
        assert len(on.world.internet.requests) == sent


@pytest.mark.case("D19", "H08")
@pytest.mark.limit("RUMOURS_PER_HOST")
async def test_a_host_has_us_ask_only_so_often_and_the_same_thing_once() -> None:
    async with scene() as on:
        same = on.alice.create("<p>Bonjour</p>", to=[PUBLIC])
        on.alice.home.documents[same["object"]["id"].removeprefix(on.alice.home.base)] = 500
        statuses = [(await on.rita.sends(on.lyon, same)).status for _ in range(limits.RUMOURS_PER_HOST - 1)]
        assert set(statuses) == {202}
        await on.world.settle()
        assert len(on.world.internet.sent_to("good.test")) == 1
        for expected in (202, 429):
            answer = await on.rita.sends(on.lyon, on.alice.create("<p>Encore</p>", to=[PUBLIC]))
            assert answer.status == expected
        on.world.clock.advance(_RUMOURS_PER)
        assert (await on.rita.sends(on.lyon, same)).status == 202


@pytest.mark.case("D19", "H08")
async def test_what_one_host_may_have_us_ask_is_counted_for_all_processes_together(
    open_world: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "RUMOURS_PER_HOST", 3)
    async with scene(open_world) as on:
        statuses = []
        for _ in range(5):
            on.lyon.app = build_app(on.lyon.instance)  # as if another process were asked
            said = on.alice.create("<p>Bonjour</p>", to=[PUBLIC])
            statuses.append((await on.rita.sends(on.lyon, said)).status)
        assert statuses == [202, 202, 202, 429, 429]


async def test_a_server_that_does_not_answer_is_asked_again_for_a_day() -> None:
    async with scene() as on:
        on.world.down("good.test")
        early, late = (on.alice.create("<p>Bonjour</p>", to=[PUBLIC]) for _ in range(2))
        assert await on.passes_on(early) == 202
        await on.world.pass_time(HOUR)
        on.world.up("good.test")
        await on.world.pass_time(3 * HOUR)
        assert await on.stores(early)
        on.world.down("good.test")
        assert await on.passes_on(late) == 202
        for _ in range(8):
            await on.world.pass_time(6 * HOUR)
        asked = len(on.world.internet.sent_to("good.test"))
        on.world.up("good.test")
        await on.world.pass_time(DAY)
        assert len(on.world.internet.sent_to("good.test")) == asked
        assert not await on.stores(late)
