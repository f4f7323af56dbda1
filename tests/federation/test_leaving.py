"""A member leaves for good: what is erased here, what peers are told, and that nobody inherits the name."""

import pytest

from medfed.accounts import leave, profile, register
from medfed.domain.posts import Draft
from medfed.kernel.clock import DAY
from medfed.kernel.errors import Gone, Invalid
from medfed.posts import publish
from medfed.storage import accounts
from medfed.worker.routes import sweep
from tests.federation.conftest import Open
from tests.support.stranger import Stranger, get_letter
from tests.support.world import Site, some_keys

ROY, DUPONT = "dr-roy@lille.test", "dr-dupont@lyon.test"


async def leaves(site: Site, username: str) -> None:
    """A member deletes their account."""
    member = await site.member(username)
    async with site.instance.store.transaction("leave") as tx:
        await leave.leave(tx, site.instance.here, site.instance.levels, member, by="test")


@pytest.mark.case("D21")
async def test_a_member_who_leaves_is_erased_everywhere(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test") as world:
        lyon, lille = world["lyon.test"], world["lille.test"]
        await world.follow(ROY, DUPONT)
        await world.follow(DUPONT, ROY)
        post = await lyon.publishes("dr-dupont", "Dermatose inhabituelle")
        theirs = await lille.publishes("dr-roy", "Bonjour")
        await world.settle()
        await lyon.likes("dr-dupont", theirs)
        await lyon.boosts("dr-dupont", theirs)
        await world.settle()
        assert (await lille.copy_of(theirs)).likes_count == 1
        await leaves(lyon, "dr-dupont")
        await world.settle()
        for site in (lyon, lille):
            gone = await site.find(DUPONT)
            assert gone is not None
            assert not gone.active
            assert not await site.has(post)
            assert await site.follow_of(ROY, DUPONT) == ""
            assert await site.follow_of(DUPONT, ROY) == ""
        left = await lille.copy_of(theirs)
        assert (left.likes_count, left.boosts_count) == (0, 0)
        assert (await lille.member("dr-roy")).followers_count == 0


@pytest.mark.case("M06")
async def test_what_is_counted_anew_when_somebody_leaves_counts_no_closed_answer(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon = world["lyon.test"]
        post = await lyon.publishes("dr-roy", "Dermatose inhabituelle")
        await lyon.publishes("dr-roy", "Pour mes abonnés", reply_to=post, visibility="followers")
        await lyon.likes("dr-dupont", post)
        await lyon.likes("dr-blanc", post)
        await leaves(lyon, "dr-dupont")
        left = await lyon.copy_of(post)
        assert (left.replies_count, left.likes_count) == (0, 1)


async def test_nothing_of_them_stays_but_their_name(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test") as world:
        lyon = world["lyon.test"]
        await world.follow(ROY, DUPONT)
        await lyon.publishes("dr-dupont", "Canari-12345", spoiler="Canari-12345", visibility="followers")
        await world.settle()
        await leaves(lyon, "dr-dupont")
        await world.settle()
        kept = await lyon.contents()
        assert "Canari-12345" not in repr(kept)
        assert "dr-dupont@lyon.test" not in repr(kept["member"])
        assert kept["web_session"] == kept["oauth_token"] == kept["follow"] == []


@pytest.mark.case("D21")
async def test_their_name_is_never_given_again(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon = world["lyon.test"]
        await lyon.member("dr-dupont")
        await leaves(lyon, "dr-dupont")
        async with lyon.instance.store.transaction("again") as tx:
            with pytest.raises(Invalid, match="taken"):
                await register.register(
                    tx,
                    lyon.instance.here,
                    username="Dr-Dupont",
                    email="a@lyon.test",
                    password_hash="",
                    keys=some_keys(),
                )
            # The address is free: it is a person's, who may come back under another name.
            await register.register(
                tx,
                lyon.instance.here,
                username="dr-durand",
                email="dr-dupont@lyon.test",
                password_hash="",
                keys=some_keys(),
            )


@pytest.mark.case("J05")
async def test_a_host_that_is_down_is_still_told_after_weeks(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test") as world:
        lyon, lille = world["lyon.test"], world["lille.test"]
        await world.follow(ROY, DUPONT)
        world.down("lille.test")
        await leaves(lyon, "dr-dupont")
        await world.settle()
        world.clock.advance(25 * DAY)
        await sweep(lyon.instance, {})
        world.up("lille.test")
        await world.settle()
        gone = await lille.find(DUPONT)
        assert gone is not None
        assert gone.gone_at is not None


async def test_the_keys_of_who_left_are_dropped_when_nothing_is_owed_any_more(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon = world["lyon.test"]
        member = await lyon.member("dr-dupont")
        await leaves(lyon, "dr-dupont")
        for days, kept in ((30, 2), (2, 0)):
            world.clock.advance(days * DAY)
            await sweep(lyon.instance, {})
            async with lyon.instance.store.view() as view:
                assert len(await accounts.keys(view, member.id)) == kept


@pytest.mark.case("A08")
async def test_peers_that_ask_are_shown_tombstones(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon = world["lyon.test"]
        stranger = Stranger(world, "lille.test").person("dr-roy")
        member = await lyon.member("dr-dupont")
        post = await lyon.publishes("dr-dupont", "Pour tous")
        closed = await lyon.publishes("dr-dupont", "Pour mes abonnés", visibility="followers")
        await leaves(lyon, "dr-dupont")
        unsigned = await get_letter(lyon, "/users/dr-dupont").send(lyon)
        for answer, uri in (
            (unsigned, member.uri),
            (await stranger.asks(lyon, "/users/dr-dupont"), member.uri),
            (await stranger.asks(lyon, post.uri.removeprefix("https://lyon.test")), post.uri),
        ):
            assert answer.status == 410
            assert (answer.json["id"], answer.json["type"]) == (uri, "Tombstone")
        assert (await stranger.asks(lyon, closed.uri.removeprefix("https://lyon.test"))).status == 404
        for path in ("outbox", "followers", "featured", "attestations"):
            assert (await stranger.asks(lyon, f"/users/dr-dupont/{path}")).status in (404, 410), path
        found = await get_letter(lyon, "/.well-known/webfinger?resource=acct:dr-dupont@lyon.test").send(lyon)
        assert found.status in (404, 410)


async def test_a_profile_that_is_saved_at_the_same_moment_brings_nobody_back(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon = world["lyon.test"]
        as_it_was = await lyon.member("dr-dupont")
        await leaves(lyon, "dr-dupont")
        async with lyon.instance.store.transaction("too late") as tx:
            with pytest.raises(Gone):
                await profile.edit(
                    tx, lyon.instance.here, lyon.instance.levels, as_it_was, profile.ProfileEdit(bio="Encore là")
                )
        after = await lyon.find("dr-dupont")
        assert after is not None
        assert (after.active, after.summary) == (False, "")


@pytest.mark.case("D21")
async def test_what_is_published_while_they_leave_is_not_stored(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon = world["lyon.test"]
        instance, member = lyon.instance, await lyon.member("dr-dupont")
        await leaves(lyon, "dr-dupont")
        async with instance.store.transaction("publish") as tx:
            with pytest.raises(Gone):
                await publish.publish(tx, instance.here, instance.levels, member, Draft(text="Trop tard"), named={})
