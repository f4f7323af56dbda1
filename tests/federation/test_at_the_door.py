"""What needs no other server has happened when 202 is said; the rest waits, each actor's in order."""

import asyncio

import pytest

from medfed.posts import receive
from tests.federation.conftest import Open
from tests.support.stranger import PUBLIC, Puppet, Stranger
from tests.support.world import Site, World


async def _alice(world: World) -> tuple[Site, Puppet]:
    """lyon.test with dr-roy, which knows alice of good.test."""
    lyon = world["lyon.test"]
    alice = Stranger(world, "good.test").person("alice")
    await lyon.member("dr-roy")
    assert await alice.tells(lyon, alice.create()) == "done: stored"
    return lyon, alice


@pytest.mark.case("A01")
async def test_a_known_actors_post_is_there_when_202_is_said(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon, alice = await _alice(world)
        activity = alice.create()
        assert (await alice.sends(lyon, activity)).status == 202
        assert await lyon.became(activity["id"]) == "done: stored"


async def test_what_needs_another_server_waits_for_the_worker_and_so_does_all_that_its_actor_says_next(
    open_world: Open,
) -> None:
    async with open_world("lyon.test") as world:
        lyon, alice = await _alice(world)
        note = alice.note("<p>First words</p>", inReplyTo="https://elsewhere.test/notes/1")
        said, edited = alice.create(note), {**note, "content": "<p>Last words</p>", "updated": note["published"]}
        update = alice.activity("Update", edited, to=[PUBLIC])
        for activity in (said, update):
            assert (await alice.sends(lyon, activity)).status == 202
            assert await lyon.became(activity["id"]) == "waiting: "
        await world.settle()
        assert await lyon.became(said["id"]) == "done: stored"
        assert await lyon.became(update["id"]) == "done: revised"


async def test_what_is_refused_when_it_is_applied_is_answered_202_and_says_why(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon, alice = await _alice(world)
        secret = await lyon.publishes("dr-roy", "Pour mes abonnés", visibility="followers")
        boost = alice.activity("Announce", secret.uri, to=[PUBLIC])
        assert (await alice.sends(lyon, boost)).status == 202
        assert (await lyon.became(boost["id"])).startswith("refused: PolicyRefusal")


@pytest.mark.case("J09")
async def test_an_activity_that_we_fail_to_apply_is_kept_and_tried_again(
    open_world: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_world("lyon.test") as world:
        lyon, alice = await _alice(world)
        activity = alice.create()
        with monkeypatch.context() as broken:
            broken.setattr(receive, "receive", _fails)
            assert (await alice.sends(lyon, activity)).status == 202
        assert await lyon.became(activity["id"]) == "waiting: "
        await world.settle()
        assert await lyon.became(activity["id"]) == "done: stored"


async def _fails(*_: object) -> None:
    raise RuntimeError("a mistake of ours")


@pytest.mark.case("A03", "C06")
async def test_one_activity_on_many_connections_at_once_has_one_effect(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon, alice = await _alice(world)
        note = alice.note("<p>Once</p>", cc=[lyon.instance.here.uris.actor("dr-roy")])
        letter = alice.signs(alice.letter(lyon, alice.create(note)))
        answers = await asyncio.gather(*(letter.send(lyon) for _ in range(12)))
        assert {answer.status for answer in answers} == {202}
        assert await lyon.told("dr-roy") == ["mention"]
        known = await lyon.find("alice@good.test")
        assert known is not None
        assert known.posts_count == 2
