"""What two or three instances tell each other, both ways, on both engines."""

from dataclasses import replace

import pytest

from medfed.accounts.lookup import FRESH
from medfed.domain.accounts import Account
from medfed.domain.peers import Level
from medfed.domain.posts import Poll, PollOption, Post
from medfed.kernel.clock import HOUR, MINUTE, SECOND
from medfed.posts import read
from medfed.relations import follow as relating
from medfed.storage import accounts, posts
from tests.federation.conftest import Open
from tests.support.world import Site, World

ROY, DUPONT = "dr-roy@lille.test", "dr-dupont@lyon.test"


async def _locked(site: Site, username: str) -> Account:
    return await site.member(username, locked=True)


async def _act(site: Site, act: object, username: str, handle: str) -> None:
    """A member does one of the acts of relations.follow to somebody."""
    member, other = await site.member(username), await site.find(handle)
    async with site.instance.store.transaction("act") as tx:
        await act(tx, site.instance.here, member, other)  # type: ignore[operator]
    await site.world.settle()


async def _thread(site: Site, viewer: str, post: Post) -> list[str]:
    """URIs of what a member sees below a post."""
    member, own = await site.member(viewer), await site.copy_of(post)
    async with site.instance.store.view() as view:
        return [each.uri for each in (await read.thread(view, site.instance.here, member, own)).descendants]


async def _mutual(world: World) -> tuple[Site, Site]:
    await world.follow(ROY, DUPONT)
    await world.follow(DUPONT, ROY)
    return world["lyon.test"], world["lille.test"]


# ── following ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_following_is_agreed_on_by_both_sides(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test") as world:
        lyon, lille = world["lyon.test"], world["lille.test"]
        await world.follow(ROY, DUPONT)
        for site in (lyon, lille):
            assert await site.follow_of(ROY, DUPONT) == "accepted"
        assert (await lyon.member("dr-dupont")).followers_count == 1
        assert (await lille.member("dr-roy")).following_count == 1
        assert await lyon.told("dr-dupont") == ["follow"]
        await _act(lille, relating.unfollow, "dr-roy", DUPONT)
        for site in (lyon, lille):
            assert await site.follow_of(ROY, DUPONT) == ""
        assert (await lyon.member("dr-dupont")).followers_count == 0


@pytest.mark.case("A11", "A12")
async def test_a_locked_member_decides_who_follows(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test") as world:
        lyon, lille = world["lyon.test"], world["lille.test"]
        await _locked(lyon, "dr-dupont")
        await world.follow(ROY, DUPONT)
        for site in (lyon, lille):
            assert await site.follow_of(ROY, DUPONT) == "pending"
        early = await lyon.publishes("dr-dupont", "Pour mes abonnés", visibility="followers")
        await world.settle()
        assert not await lille.has(early)
        assert await lyon.told("dr-dupont") == ["follow_request"]
        await _act(lyon, relating.authorize, "dr-dupont", ROY)
        for site in (lyon, lille):
            assert await site.follow_of(ROY, DUPONT) == "accepted"
        late = await lyon.publishes("dr-dupont", "Pour mes abonnés", visibility="followers")
        await world.settle()
        assert await lille.home("dr-roy") == [late.uri]
        await _act(lyon, relating.reject, "dr-dupont", ROY)
        for site in (lyon, lille):
            assert await site.follow_of(ROY, DUPONT) == ""
        assert await lille.home("dr-roy") == []
        assert not await lille.may_read("dr-roy", late)


async def test_a_block_ends_what_there_was_both_ways(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test") as world:
        lyon, lille = await _mutual(world)
        post = await lyon.publishes("dr-dupont", "Dermatose inhabituelle")
        await world.settle()
        await _act(lyon, relating.block, "dr-dupont", ROY)
        for site in (lyon, lille):
            assert await site.follow_of(ROY, DUPONT) == ""
            assert await site.follow_of(DUPONT, ROY) == ""
        assert not await lille.may_read("dr-roy", post)
        with pytest.raises(Exception, match="cannot be followed"):
            await lille.follows("dr-roy", DUPONT)
        await _act(lyon, relating.unblock, "dr-dupont", ROY)
        await world.follow(ROY, DUPONT)
        assert await lyon.follow_of(ROY, DUPONT) == "accepted"


# ── posts ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_post_arrives_as_it_was_written(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test") as world:
        lyon, lille = await _mutual(world)
        written = await lyon.publishes(
            "dr-dupont",
            f"Éruption, #dermatologie @{ROY} https://example.org/x <b>",
            spoiler="Photo de lésion",
            language="fr",
            sensitive=True,
        )
        await world.settle()
        read_there = await lille.copy_of(written)
        for name in ("content", "spoiler", "sensitive", "language", "visibility", "tags", "kind", "url"):
            assert getattr(read_there, name) == getattr(written, name), name
        assert read_there.published_at // SECOND == written.published_at // SECOND
        async with lille.instance.store.view() as view:
            (mention,) = (await posts.mentions(view, [read_there.id]))[read_there.id]
        assert mention.handle == ROY
        assert not mention.silent
        assert await lille.told("dr-roy") == ["mention", "follow"]


async def test_an_edit_and_a_deletion_follow_a_post(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test") as world:
        lyon, lille = await _mutual(world)
        post = await lyon.publishes("dr-dupont", "Premier jet #un")
        await world.settle()
        world.clock.advance(MINUTE)
        await lyon.edits("dr-dupont", post, "Version corrigée #deux")
        await world.settle()
        changed = await lille.copy_of(post)
        assert "corrigée" in changed.content
        assert changed.tags == ("deux",)
        assert changed.edited_at is not None
        await lyon.deletes("dr-dupont", post)
        await world.settle()
        assert not await lille.has(post)
        assert await lille.home("dr-roy") == []
        with pytest.raises(Exception, match="410"):
            await lille.instance.posts.post(post.uri)


async def test_two_edits_within_a_second_both_count(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test") as world:
        lyon, lille = await _mutual(world)
        post = await lyon.publishes("dr-dupont", "Un")
        await lyon.edits("dr-dupont", post, "Deux")
        await lyon.edits("dr-dupont", post, "Trois")
        await world.settle()
        assert "Trois" in (await lille.copy_of(post)).content


@pytest.mark.case("M14")
async def test_a_discussion_across_three_instances_is_one_thread(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test", "nice.test") as world:
        lyon, lille, nice = (world[name] for name in ("lyon.test", "lille.test", "nice.test"))
        await world.follow(ROY, DUPONT)
        await world.follow("dr-petit@nice.test", ROY)
        case = await lyon.publishes("dr-dupont", "Que feriez-vous ?")
        await world.settle()
        answer = await lille.publishes("dr-roy", "Une biopsie.", reply_to=case)
        await world.settle()
        assert await nice.has(case), "what an answer answers is fetched"
        remark = await nice.publishes("dr-petit", f"D'accord avec @{ROY}.", reply_to=answer)
        await world.settle()
        assert await _thread(lyon, "dr-dupont", case) == [answer.uri]
        assert await _thread(lille, "dr-roy", case) == [answer.uri, remark.uri]
        assert await _thread(nice, "dr-petit", case) == [answer.uri, remark.uri]
        assert (await lyon.copy_of(case)).replies_count == 1
        assert await lyon.told("dr-dupont") == ["mention", "follow"]
        ids = {(await site.copy_of(post)).conversation_id for site in (lille,) for post in (case, answer, remark)}
        assert len(ids) == 1


async def test_an_answer_that_arrives_before_what_it_answers_finds_its_place(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test", "nice.test") as world:
        lyon, lille, nice = (world[name] for name in ("lyon.test", "lille.test", "nice.test"))
        await world.follow(ROY, DUPONT)
        await world.follow("dr-petit@nice.test", ROY)
        await world.follow("dr-petit@nice.test", DUPONT)
        world.down("nice.test")
        case = await lyon.publishes("dr-dupont", "Que feriez-vous ?")
        await world.settle()
        world.up("nice.test")
        world.down("lyon.test")
        answer = await lille.publishes("dr-roy", "Une biopsie.", reply_to=case)
        await world.settle()
        assert await nice.has(answer)
        assert not await nice.has(case)
        world.up("lyon.test")
        await world.pass_time(2 * HOUR)
        assert await _thread(nice, "dr-petit", case) == [answer.uri]
        assert (await nice.copy_of(case)).replies_count == 1
        assert (await nice.copy_of(answer)).conversation_id == (await nice.copy_of(case)).conversation_id


async def test_likes_and_boosts_are_counted_where_the_post_lives(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test", "nice.test") as world:
        lyon, lille, nice = (world[name] for name in ("lyon.test", "lille.test", "nice.test"))
        await world.follow(ROY, DUPONT)
        await world.follow("dr-petit@nice.test", ROY)
        post = await lyon.publishes("dr-dupont", "Dermatose inhabituelle")
        await world.settle()
        await lille.likes("dr-roy", post)
        await lille.boosts("dr-roy", post)
        await world.settle()
        own = await lyon.copy_of(post)
        assert (own.likes_count, own.boosts_count) == (1, 1)
        assert await lyon.told("dr-dupont") == ["reblog", "favourite", "follow"]
        assert await nice.has(post), "a boost brings the post along"
        assert len(await nice.home("dr-petit")) == 1
        await lille.likes("dr-roy", post, undo=True)
        await lille.boosts("dr-roy", post, undo=True)
        await world.settle()
        own = await lyon.copy_of(post)
        assert (own.likes_count, own.boosts_count) == (0, 0)
        assert await nice.home("dr-petit") == []
        assert await lyon.told("dr-dupont") == ["follow"]


async def test_a_poll_is_answered_from_elsewhere_and_counts_come_back(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test", "nice.test") as world:
        lyon, lille, nice = (world[name] for name in ("lyon.test", "lille.test", "nice.test"))
        await world.follow(ROY, DUPONT)
        await world.follow("dr-petit@nice.test", DUPONT)
        poll = Poll(
            options=(PollOption(title="Biopsie"), PollOption(title="Attendre")), closes_at=world.clock.now() + HOUR
        )
        asked = await lyon.publishes("dr-dupont", "Que feriez-vous ?", poll=poll)
        await world.settle()
        await lille.votes("dr-roy", asked, 0)
        await nice.votes("dr-petit", asked, 1)
        await world.settle()
        await world.pass_time(2 * MINUTE)
        for site in (lyon, lille, nice):
            own = await site.copy_of(asked)
            async with site.instance.store.view() as view:
                counted = (await posts.polls(view, [own.id]))[own.id]
            assert [option.votes for option in counted.options] == [1, 1], site.domain
            assert counted.voters_count == 2
        await world.pass_time(HOUR)
        own = await lille.copy_of(asked)
        async with lille.instance.store.view() as view:
            assert (await posts.polls(view, [own.id]))[own.id].closed
        assert "poll" in await lyon.told("dr-dupont")


# ── profiles ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_profile_that_has_grown_old_is_read_anew(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test") as world:
        lyon, lille = await _mutual(world)
        member = await lyon.member("dr-dupont")
        async with lyon.instance.store.transaction("rename") as tx:
            await accounts.store(tx, replace(member, display_name="Dr Claire Dupont"))
        world.clock.advance(FRESH)
        account = await lille.instance.lookup.actor(member.uri)
        assert account.display_name == "Dr Claire Dupont"
        assert await lille.follow_of("dr-roy", DUPONT) == "accepted"


# ── levels ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_limited_peer_reaches_those_who_want_to_hear_it(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test") as world:
        lyon, lille = world["lyon.test"], world["lille.test"]
        await lille.member("dr-roy")
        await lille.judges("lyon.test", Level.LIMITED)
        named = await lyon.publishes("dr-dupont", f"Bonjour @{ROY}")
        await world.settle()
        assert await lille.has(named)
        await world.follow("dr-other@lille.test", "dr-else@lyon.test")
        unasked = await lyon.publishes("dr-dupont", "Personne ne me lit")
        followed = await lyon.publishes("dr-else", "On me lit")
        await world.settle()
        assert not await lille.has(unasked)
        assert await lille.home("dr-other") == [followed.uri]


@pytest.mark.case("B17", "J11")
async def test_a_blocked_peer_gives_and_gets_nothing(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test") as world:
        lyon, lille = await _mutual(world)
        before = await lyon.publishes("dr-dupont", "Avant")
        await world.settle()
        await lille.judges("lyon.test", Level.BLOCKED)
        after = await lyon.publishes("dr-dupont", "Après")
        ours = await lille.publishes("dr-roy", "De mon côté")
        await world.settle()
        assert await lille.has(before)
        assert not await lille.has(after)
        assert not await lyon.has(ours)
        with pytest.raises(Exception, match="does not talk"):
            await lille.instance.posts.post(after.uri)


async def test_on_an_allowlist_only_those_on_it_are_heard(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test", federation={"mode": "allowlist"}) as world:
        lyon, lille = world["lyon.test"], world["lille.test"]
        await lyon.member("dr-dupont")
        with pytest.raises(Exception, match="does not talk"):
            await lille.follows("dr-roy", DUPONT)
        for site, other in ((lyon, "lille.test"), (lille, "lyon.test")):
            await site.judges(other, Level.FEDERATED)
        await world.follow(ROY, DUPONT)
        post = await lyon.publishes("dr-dupont", "Entre nous")
        await world.settle()
        assert await lille.home("dr-roy") == [post.uri]


async def test_a_followers_inboxes_are_each_told_once(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test") as world:
        lyon = world["lyon.test"]
        for name in ("a", "b", "c"):
            await world.follow(f"dr-{name}@lille.test", DUPONT)
        sent = len(world.internet.sent_to("lille.test"))
        await lyon.publishes("dr-dupont", "Une fois")
        await world.settle()
        posted = [each for each in world.internet.sent_to("lille.test")[sent:] if each.method == "POST"]
        assert [each.target for each in posted] == ["/inbox"]
        followed = await lyon.find("dr-dupont@lyon.test")
        assert followed is not None
        assert followed.followers_count == 3
