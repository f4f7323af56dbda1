"""Polls between servers: who is told what and when, another question in the same post, the end. Other things undone."""

import pytest

from medfed.domain.posts import Poll, PollOption, Post
from medfed.kernel.clock import HOUR, MINUTE, iso
from medfed.storage import posts, relations
from tests.federation.conftest import Open
from tests.support.stranger import Document, Puppet, Stranger
from tests.support.world import Site, World, a_world


async def _followed(world: World) -> tuple[Site, Puppet]:
    """lyon.test with dr-roy, who follows alice of good.test, and is followed by her."""
    lyon, alice = world["lyon.test"], Stranger(world, "good.test").person("alice")
    me = await lyon.member("dr-roy")
    await lyon.follows("dr-roy", alice.handle)
    await world.settle()
    await alice.tells(lyon, alice.activity("Accept", alice.home.heard("Follow")[-1]))
    await alice.tells(lyon, alice.activity("Follow", me.uri))
    return lyon, alice


def _options(*names: str, votes: int = 0) -> list[Document]:
    return [{"type": "Note", "name": name, "replies": {"type": "Collection", "totalItems": votes}} for name in names]


async def _poll(lyon: Site, uri: str) -> tuple[Post, Poll]:
    async with lyon.instance.store.view() as view:
        post = await posts.find_by_uri(view, uri)
        assert post is not None
        return post, (await posts.polls(view, [post.id]))[post.id]


async def test_votes_of_members_are_told_to_peers_like_those_of_others() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = await _followed(world)
        poll = Poll(options=(PollOption(title="Oui"), PollOption(title="Non")), closes_at=world.clock.now() + HOUR)
        asked = await lyon.publishes("dr-roy", "Biopsie ?", poll=poll)
        await lyon.votes("dr-blanc", asked, 0)
        await world.pass_time(2 * MINUTE)
        (update,) = alice.home.heard("Update")
        counts = [option["replies"]["totalItems"] for option in update["object"]["oneOf"]]
        assert (counts, update["object"]["votersCount"]) == ([1, 0], 1)
        await world.pass_time(HOUR)
        assert "closed" in alice.home.heard("Update")[-1]["object"]


async def test_members_hear_of_the_end_of_a_peers_poll_that_they_took_part_in() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = await _followed(world)
        note = alice.note(type="Question", oneOf=_options("A", "B"), endTime=iso(world.clock.now() + HOUR))
        await alice.tells(lyon, alice.create(note))
        post, _ = await _poll(lyon, note["id"])
        await lyon.votes("dr-roy", post, 1)
        assert "poll" not in await lyon.told("dr-roy")
        await world.pass_time(2 * HOUR)
        assert (await lyon.told("dr-roy")).count("poll") == 1
        assert (await _poll(lyon, note["id"]))[1].closed
        with pytest.raises(Exception, match="closed"):
            await lyon.votes("dr-roy", post, 0)


async def test_another_question_in_an_edit_forgets_the_answers_to_the_first(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon, alice = await _followed(world)
        base = alice.note(type="Question", endTime=iso(world.clock.now() + HOUR))
        await alice.tells(lyon, alice.create(base | {"oneOf": _options("A", "B", "C", votes=2)}))
        post, _ = await _poll(lyon, base["id"])
        await lyon.votes("dr-roy", post, 1)
        await alice.tells(lyon, alice.activity("Update", base | {"oneOf": _options("X", "Y")}))
        assert [option.title for option in (await _poll(lyon, base["id"]))[1].options] == ["A", "B", "C"]
        world.clock.advance(MINUTE)
        edited = base | {"anyOf": _options("X", "Y"), "updated": iso(world.clock.now())}
        await alice.tells(lyon, alice.activity("Update", edited))
        _, poll = await _poll(lyon, base["id"])
        assert ([option.title for option in poll.options], poll.multiple) == (["X", "Y"], True)
        assert [option.votes for option in poll.options] == [0, 0]
        await lyon.votes("dr-roy", post, 0, 1)


async def test_a_multiple_choice_counts_each_answer_once_and_each_voter_once() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = await _followed(world)
        poll = Poll(
            options=(PollOption(title="Oui"), PollOption(title="Non")),
            closes_at=world.clock.now() + HOUR,
            multiple=True,
        )
        asked = await lyon.publishes("dr-roy", "Biopsie ?", poll=poll)
        me = (await lyon.member("dr-roy")).uri
        for name, wanted in (("Oui", "counted"), ("Non", "counted"), ("Oui", "not counted")):
            vote = alice.note("", name=name, inReplyTo=asked.uri, to=[me], cc=None)
            assert await alice.tells(lyon, alice.activity("Create", vote, to=[me])) == f"done: vote {wanted}"
        _, kept = await _poll(lyon, asked.uri)
        assert ([option.votes for option in kept.options], kept.voters_count) == ([1, 1], 1)


async def test_an_accept_is_undone_and_an_undone_block_does_not_come_back() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = await _followed(world)
        assert await lyon.follow_of("dr-roy", alice.handle) == "accepted"
        accept = alice.activity("Accept", alice.home.heard("Follow")[-1])
        bob = alice.home.person("bob")
        foreign = bob.undo(accept | {"actor": bob.uri})
        assert await bob.tells(lyon, foreign) == "done: no such follow"
        assert await lyon.follow_of("dr-roy", alice.handle) == "accepted"
        assert await alice.tells(lyon, alice.undo(accept)) == "done: no longer accepted"
        assert await lyon.follow_of("dr-roy", alice.handle) == ""
        me = await lyon.member("dr-roy")
        block = alice.activity("Block", me.uri)
        await alice.tells(lyon, alice.undo(block))
        assert await alice.tells(lyon, block) == "done: was undone already"
        her = await lyon.find(alice.handle)
        assert her is not None
        async with lyon.instance.store.view() as view:
            assert await relations.blocks_between(view, me.id, [her.id]) == (set(), set())
