"""New words, and that there are none any more, reach whoever holds a post, however it got there."""

from typing import Any

import pytest

from medfed.domain.peers import Level
from medfed.domain.posts import Poll, PollOption, Post, Requirement, Visibility
from medfed.kernel.clock import HOUR
from medfed.moderation import sanction
from medfed.posts import publish
from tests.federation.conftest import Open
from tests.support.stranger import PUBLIC, Document, Puppet, Stranger
from tests.support.world import Site, World

PHYSICIANS = Requirement(professions=("physician",))


async def _reader(world: World, host: str = "peer.test", name: str = "reader", **members: Any) -> Puppet:
    """Somebody on another host who follows dr-roy of lyon.test."""
    lyon = world["lyon.test"]
    reader = Stranger(world, host).person(name, **members)
    await reader.tells(lyon, _follow(reader, (await lyon.member("dr-roy")).uri))
    return reader


def _follow(reader: Puppet, uri: str) -> Document:
    return reader.activity("Follow", uri, id=f"{reader.uri}#follow")


async def _leaves(lyon: Site, reader: Puppet) -> None:
    await reader.tells(lyon, reader.undo(_follow(reader, (await lyon.member("dr-roy")).uri)))


async def _given(world: World, lyon: Site, visibility: Visibility = "public", text: str = "Cinq mg") -> Post:
    only: dict[str, Any] = {"requires": PHYSICIANS} if visibility == "verified" else {}
    post = await lyon.publishes("dr-roy", text, visibility=visibility, **only)
    await world.settle()
    return post


async def _edited_and_deleted(world: World, lyon: Site, post: Post, *readers: Puppet) -> list[tuple[int, int]]:
    """How many new words, and how many deletions, of a post each of the readers' hosts gets when there are some."""
    await lyon.edits("dr-roy", post, "Deux mg", requires=post.requires)
    await world.settle()
    edits = [_about(reader, "Update", post) for reader in readers]
    await lyon.deletes("dr-roy", post)
    await world.settle()
    return list(zip(edits, (_about(reader, "Delete", post) for reader in readers), strict=True))


def _about(reader: Puppet, kind: str, post: Post) -> int:
    return sum(activity["object"]["id"] == post.uri for activity in reader.home.heard(kind))


async def test_who_no_longer_follows_is_told_what_becomes_of_what_they_were_given(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon = world["lyon.test"]
        left, stayed = await _reader(world, "left.test"), await _reader(world, "stayed.test")
        stranger = Stranger(world, "stranger.test").person("stranger")
        await stranger.tells(lyon, stranger.activity("Like", "https://lyon.test/users/dr-roy/posts/1"))
        post = await _given(world, lyon)
        await _leaves(lyon, left)
        assert await _edited_and_deleted(world, lyon, post, left, stayed, stranger) == [(1, 1), (1, 1), (0, 0)]


async def test_who_fetched_a_post_is_told_of_its_edit(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon = world["lyon.test"]
        passer_by = Stranger(world, "peer.test").person("passer-by")
        post = await _given(world, lyon)
        assert (await passer_by.asks(lyon, post.uri)).status == 200
        assert await _edited_and_deleted(world, lyon, post, passer_by) == [(1, 1)]


@pytest.mark.parametrize("deed", ["Like", "Announce", "answer", "quote", "vote"])
async def test_who_does_something_with_a_post_holds_it_though_we_never_gave_it_to_them(
    open_world: Open, deed: str
) -> None:
    async with open_world("lyon.test") as world:
        lyon = world["lyon.test"]
        anna = Stranger(world, "good.test").person("anna")
        poll = Poll(options=(PollOption(title="Oui"), PollOption(title="Non")), closes_at=world.clock.now() + HOUR)
        post = await lyon.publishes("dr-roy", "Cinq mg", poll=poll)
        said = {
            "Like": lambda: anna.activity("Like", post.uri),
            "Announce": lambda: anna.activity("Announce", post.uri, to=[PUBLIC]),
            "answer": lambda: anna.create(anna.note(inReplyTo=post.uri)),
            "quote": lambda: anna.create(anna.note(quote=post.uri, to=[PUBLIC, post.uri.partition("/posts/")[0]])),
            "vote": lambda: anna.create(
                anna.note("", name="Oui", inReplyTo=post.uri, to=[post.uri.partition("/posts/")[0]], cc=[])
            ),
        }[deed]()
        assert (await anna.tells(lyon, said)).startswith("done")
        async with lyon.instance.store.transaction("close poll") as tx:
            await publish.close_poll(tx, lyon.instance.here, lyon.instance.levels, post.id)
        await world.settle()
        await lyon.deletes("dr-roy", post)
        await world.settle()
        assert (_about(anna, "Update", post), _about(anna, "Delete", post)) == (1, 1)


async def test_what_is_for_followers_has_no_new_words_for_who_is_none_any_more(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon = world["lyon.test"]
        left, stayed = await _reader(world, "left.test"), await _reader(world, "stayed.test")
        post = await _given(world, lyon, "followers")
        await _leaves(lyon, left)
        assert await _edited_and_deleted(world, lyon, post, left, stayed) == [(0, 1), (1, 1)]


async def test_new_words_of_a_private_message_are_for_whom_it_was_for(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon = world["lyon.test"]
        anna, reader = Stranger(world, "good.test").person("anna"), await _reader(world)
        post = await _given(world, lyon, "direct", "Cinq mg @anna@good.test")
        assert await _edited_and_deleted(world, lyon, post, anna, reader) == [(1, 1), (0, 0)]


@pytest.mark.case("M15")
async def test_a_closed_case_has_new_words_for_whoever_is_trusted_today_and_is_withdrawn_from_all(
    open_world: Open,
) -> None:
    async with open_world("lyon.test") as world:
        lyon = world["lyon.test"]
        names = ("stayed", "left", "doubted")
        readers = [await _reader(world, f"{name}.test") for name in names]
        for name in names:
            await lyon.judges(f"{name}.test", Level.TRUSTED)
        post = await _given(world, lyon, "verified")
        await _leaves(lyon, readers[1])
        await lyon.judges("doubted.test", Level.FEDERATED)
        assert await _edited_and_deleted(world, lyon, post, *readers) == [(1, 1), (1, 1), (0, 1)]


async def test_a_blocked_peer_and_one_whose_people_are_suspended_get_no_new_words(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon = world["lyon.test"]
        blocked, suspended = await _reader(world, "blocked.test"), await _reader(world, "suspended.test")
        post = await _given(world, lyon)
        await lyon.judges("blocked.test", Level.BLOCKED)
        target = await lyon.find(suspended.handle)
        assert target is not None
        chief = await lyon.member("dr-chef")
        async with lyon.instance.store.transaction("suspend") as tx:
            await sanction.suspend(tx, lyon.instance.here, chief, target, reason="test")
        assert await _edited_and_deleted(world, lyon, post, blocked, suspended) == [(0, 0), (0, 1)]


async def test_a_host_that_is_told_already_is_not_told_twice(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon = world["lyon.test"]
        one = await _reader(world, "alone.test", "one", endpoints=None)
        two = one.home.person("two", endpoints=None)
        await two.tells(lyon, _follow(two, (await lyon.member("dr-roy")).uri))
        post = await _given(world, lyon)
        passer_by = one.home.person("passer-by", endpoints=None)
        await passer_by.tells(lyon, passer_by.activity("Like", post.uri))
        await _leaves(lyon, two)
        assert await _edited_and_deleted(world, lyon, post, one) == [(1, 1)]


async def test_an_edit_reaches_an_instance_whose_last_follower_has_left(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test") as world:
        lyon, lille = world["lyon.test"], world["lille.test"]
        await world.follow("bob@lille.test", "dr-roy@lyon.test")
        post = await _given(world, lyon)
        await lille.unfollows("bob", "dr-roy@lyon.test")
        await world.settle()
        await lyon.edits("dr-roy", post, "Deux mg")
        await world.settle()
        assert "Deux mg" in (await lille.copy_of(post)).content
