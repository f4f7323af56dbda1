"""Inbox forwarding (ActivityPub § 7.1.2): answers to what members wrote reach those who follow the members."""

import orjson
import pytest

from medfed.cases import discuss
from medfed.domain.cases import CaseDraft
from medfed.domain.posts import Post, Visibility
from medfed.kernel.clock import MINUTE, iso
from medfed.storage import posts
from medfed.storage.statements import sql
from tests.federation.conftest import Open
from tests.support.stranger import PUBLIC, Document, Puppet, Stranger
from tests.support.world import Site, World, a_world

_FORWARDED = sql(
    """
    SELECT o.uri, o.kind, o.body, o.keep_until - o.created_at AS keep, d.host FROM outbox o
    LEFT JOIN delivery d ON d.activity_id = o.id WHERE o.uri NOT LIKE 'https://lyon.test/%' ORDER BY d.id
    """
)


async def _scene(world: World) -> tuple[Site, Puppet, Puppet, Post]:
    """dr-roy of lyon.test is followed from paris.test; anna of good.test, whom nobody follows, is about to answer."""
    lyon = world["lyon.test"]
    roy = await lyon.member("dr-roy")
    paula, anna = Stranger(world, "paris.test").person("paula"), Stranger(world, "good.test").person("anna")
    await paula.tells(lyon, paula.activity("Follow", roy.uri))
    post = await lyon.publishes("dr-roy", "Dermatose inhabituelle")
    await world.settle()
    return lyon, paula, anna, post


def _answer(author: Puppet, answered: Post | str, **members: object) -> Document:
    about = answered if isinstance(answered, str) else answered.uri
    return author.create(author.note("<p>Une piste</p>", inReplyTo=about, **members))


def _received(puppet: Puppet, activity: Document) -> list[Document]:
    return [each for each in puppet.home.received if each["id"] == activity["id"]]


def _bytes_sent(world: World, host: str, activity: Document) -> list[bytes]:
    return [
        request.body
        for request in world.internet.sent_to(host)
        if request.method == "POST" and orjson.loads(request.body)["id"] == activity["id"]
    ]


@pytest.mark.case("D19")
async def test_an_answer_reaches_the_followers_of_whom_it_answers_letter_by_letter(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon, _, anna, post = await _scene(world)
        create = anna.proven(_answer(anna, post))
        # Not as this project writes JSON: spaces, order and escapes have to survive.
        letter = b'{ "extra" : 1.50e1, "caf\\u00e9":"x",' + orjson.dumps(create)[1:]
        document = orjson.loads(letter)
        del document["proof"]
        proven = anna.proven(document)
        letter = letter.replace(
            orjson.dumps(create["proof"]["proofValue"]), orjson.dumps(proven["proof"]["proofValue"])
        )
        assert (await anna.sends(lyon, letter)).status == 202
        await world.settle()
        assert _bytes_sent(world, "paris.test", create) == [letter]
        assert _bytes_sent(world, "good.test", create) == []


async def test_three_of_ours_hold_a_whole_conversation(open_world: Open) -> None:
    """lille answers lyon; paris, which follows only lyon, has the answer, its edit, and its deletion."""
    async with open_world("lyon.test", "lille.test", "paris.test") as world:
        lyon, lille, paris = (world[f"{name}.test"] for name in ("lyon", "lille", "paris"))
        await world.follow("dr-roy@paris.test", "dr-blanc@lyon.test")
        await world.follow("dr-noir@lille.test", "dr-blanc@lyon.test")
        post = await lyon.publishes("dr-blanc", "Dermatose inhabituelle")
        await world.settle()
        answer = await lille.publishes("dr-noir", "Une piste", reply_to=post)
        await world.settle()
        copy = await paris.copy_of(answer)
        assert "Une piste" in copy.content
        assert answer.uri not in await paris.home("dr-roy")
        await lille.edits("dr-noir", answer, "Une meilleure piste")
        await world.settle()
        assert "meilleure" in (await paris.copy_of(answer)).content
        assert not any("posts" in request.target for request in world.internet.sent_to("lille.test"))
        await lille.deletes("dr-noir", answer)
        await world.settle()
        assert not await paris.has(answer)


@pytest.mark.parametrize("kind", ["Update", "Delete"])
async def test_what_becomes_of_an_answer_follows_it(kind: str) -> None:
    async with a_world("lyon.test") as world:
        lyon, paula, anna, post = await _scene(world)
        create = _answer(anna, post)
        note = create["object"]
        await anna.tells(lyon, anna.proven(create))
        await paula.tells(lyon, paula.undo(paula.activity("Follow", (await lyon.member("dr-roy")).uri)))
        edited = note | {"content": "<p>Non</p>", "updated": iso(world.clock.now() + 1000)}
        object_ = note["id"] if kind == "Delete" else edited
        later = anna.proven(anna.activity(kind, object_, to=[PUBLIC], cc=[anna.followers]))
        await anna.tells(lyon, later)
        # Who no longer follows still has it.
        assert len(_received(paula, later)) == 1


@pytest.mark.case("M07")
@pytest.mark.parametrize("to", ["followers", "direct", "followers of dr-roy", "public by its object alone"])
async def test_what_is_not_for_everybody_is_never_forwarded(to: str) -> None:
    async with a_world("lyon.test") as world:
        lyon, paula, anna, post = await _scene(world)
        roy = await lyon.member("dr-roy")
        audience = {
            "followers": [anna.followers],
            "direct": [roy.uri],
            "followers of dr-roy": [roy.followers_uri],
            "public by its object alone": [PUBLIC],
        }[to]
        create = _answer(anna, post, to=[*audience, roy.uri], cc=[])
        if to.startswith("public"):
            create |= {"to": [roy.uri], "cc": []}
        await anna.tells(lyon, anna.proven(create))
        assert await _forwarded(lyon) == []
        assert _received(paula, create) == []


@pytest.mark.parametrize("why", ["no proof", "another's proof", "other words", "no answer", "answers another"])
async def test_nothing_else_is_forwarded(why: str) -> None:
    async with a_world("lyon.test") as world:
        lyon, paula, anna, post = await _scene(world)
        other = anna.note("<p>Autre chose</p>")
        create = _answer(anna, {"no answer": "", "answers another": other["id"]}.get(why, post))
        sent = {
            "no proof": create,
            "another's proof": paula.proven(create),
            "other words": create | {"proof": anna.proven(create | {"published": "2020-01-01T00:00:00Z"})["proof"]},
        }.get(why, anna.proven(create))
        is_false = why in ("another's proof", "other words")
        assert (await anna.sends(lyon, sent)).status == (401 if is_false else 202)
        await world.settle()
        assert await _forwarded(lyon) == []
        assert _received(paula, create) == []


async def test_an_answer_to_a_case_is_announced_as_it_ever_was_and_not_forwarded_too() -> None:
    async with a_world("lyon.test") as world:
        lyon, paula, anna, _ = await _scene(world)
        author = await lyon.member("dr-roy")
        draft = CaseDraft(
            title="Placard annulaire",
            presentation="Lésions du tronc depuis quinze jours",
            question="Mycose ou granulome ?",
            specialties=("dermatology",),
            audience="public",
            consent_basis="not_identifiable",
        )
        async with lyon.instance.store.transaction("open case") as tx:
            _, case = await discuss.open_case(tx, lyon.instance.here, lyon.instance.levels, author, draft)
        await world.settle()
        create = anna.proven(_answer(anna, case))
        await anna.tells(lyon, create)
        assert await _forwarded(lyon) == []
        assert _received(paula, create) == []
        assert [activity["object"] for activity in paula.home.heard("Add")] == [create["object"]["id"]]


async def _forwarded(site: Site) -> list[object]:
    async with site.instance.store.view() as view:
        return [*await view.all(_FORWARDED)]


@pytest.mark.case("M07")
@pytest.mark.parametrize(
    ("visibility", "proven"), [("public", True), ("unlisted", True), ("followers", False), ("direct", False)]
)
async def test_what_we_say_proves_itself_if_it_is_for_everybody_and_never_else(
    visibility: Visibility, proven: bool
) -> None:
    """What is for a few must not be provable for ever to whoever comes by it (FEP-8b32, ADR 0021)."""
    async with a_world("lyon.test") as world:
        lyon, paula, _, _ = await _scene(world)
        hers = paula.create("<p>Bonjour</p>", to=[PUBLIC])
        await paula.tells(lyon, hers)
        paula.home.received.clear()
        post = await lyon.publishes("dr-roy", "Pour @paula@paris.test", visibility=visibility)
        await lyon.edits("dr-roy", post, "Pour toi")
        await world.settle()
        await lyon.deletes("dr-roy", post)
        await world.settle()
        kinds = {activity["type"]: "proof" in activity for activity in paula.home.received}
        assert kinds == dict.fromkeys(("Create", "Update", "Delete"), proven)
        paula.home.received.clear()
        async with lyon.instance.store.view() as view:
            copy = await posts.find_by_uri(view, hers["object"]["id"])
        assert copy is not None
        await lyon.likes("dr-roy", copy)
        await lyon.follows("dr-roy", paula.handle)
        await world.settle()
        assert {activity["type"]: "proof" in activity for activity in paula.home.received} == {
            "Like": False, "Follow": False
        }  # fmt: skip


async def test_an_answer_further_down_reaches_those_who_follow_who_began() -> None:
    async with a_world("lyon.test") as world:
        lyon, paula, anna, post = await _scene(world)
        first = anna.proven(_answer(anna, post))
        second = anna.proven(_answer(anna, first["object"]["id"]))
        for create in (first, second):
            await anna.tells(lyon, create)
            assert len(_received(paula, create)) == 1


async def test_what_waited_for_another_server_is_forwarded_letter_by_letter_too() -> None:
    """The answer names somebody of whom nobody has heard: who that is has to be asked first."""
    async with a_world("lyon.test") as world:
        lyon, _, anna, post = await _scene(world)
        other = anna.home.person("other")
        tag = [{"type": "Mention", "href": other.uri, "name": other.handle}]
        create = anna.proven(_answer(anna, post, tag=tag))
        letter = orjson.dumps(create, option=orjson.OPT_INDENT_2)
        assert (await anna.sends(lyon, letter)).status == 202
        assert await lyon.became(create["id"]) == "waiting: "
        await world.settle()
        assert _bytes_sent(world, "paris.test", create) == [letter]


async def test_the_same_answer_is_forwarded_once_however_often_it_comes() -> None:
    async with a_world("lyon.test") as world:
        lyon, paula, anna, post = await _scene(world)
        create = anna.proven(_answer(anna, post))
        for target in ("/inbox", "/inbox", "/users/dr-roy/inbox"):
            assert (await anna.sends(lyon, create, target=target)).status == 202
            await world.settle()
        assert len(_received(paula, create)) == 1


async def test_an_answer_that_is_deleted_before_it_was_forwarded_is_not_forwarded() -> None:
    async with a_world("lyon.test") as world:
        lyon, paula, anna, post = await _scene(world)
        world.down("paris.test")
        create = anna.proven(_answer(anna, post))
        await anna.tells(lyon, create)
        delete = anna.proven(anna.activity("Delete", create["object"]["id"], to=[PUBLIC]))
        await anna.tells(lyon, delete)
        world.up("paris.test")
        await world.pass_time(2 * MINUTE)
        assert _received(paula, create) == []
        assert len(_received(paula, delete)) == 1


async def test_a_member_who_left_forwards_nothing() -> None:
    async with a_world("lyon.test") as world:
        lyon, paula, anna, post = await _scene(world)
        roy = await lyon.member("dr-roy")
        async with lyon.instance.store.transaction("suspend") as tx:
            await tx.run(_SUSPEND, id=roy.id)
        create = anna.proven(_answer(anna, post))
        await anna.sends(lyon, create)
        await world.settle()
        assert _received(paula, create) == []


_SUSPEND = sql("UPDATE account SET suspended_at = 1 WHERE id = :id")
