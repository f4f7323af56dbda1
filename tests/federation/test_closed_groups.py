"""Closed groups: what is written in one, who is in it, and what it is called are for its members alone."""

from typing import Any

import pytest

from medfed.accounts import groups as making
from medfed.accounts import leave as leaving
from medfed.domain.accounts import Account
from medfed.domain.peers import Level
from medfed.domain.posts import Poll, PollOption, Post
from medfed.kernel.clock import HOUR
from medfed.kernel.errors import Forbidden
from medfed.kernel.paging import Page
from medfed.posts import carry
from medfed.relations import follow as relating
from medfed.storage import notifications, posts
from medfed.storage.statements import sql
from tests.federation.conftest import Open
from tests.support.stranger import PUBLIC, Document, Puppet, Stranger, get_letter
from tests.support.world import NOTIFICATION_KINDS, Site, World, some_keys

_REACTIONS = sql("SELECT uri FROM reaction")

SECRET = "Hamlet"
TITLE = "Ophelia"


async def a_closed_group(site: Site, name: str = "rcp", *, moderator: str = "dr-chef") -> Account:
    """A closed group of `site`."""
    chief = await site.member(moderator)
    async with site.instance.store.transaction("make group") as tx:
        return await making.create(
            tx,
            site.instance.here,
            site.instance.levels,
            username=name,
            keys=some_keys(),
            title=TITLE,
            about=TITLE,
            closed=True,
            moderators=[chief],
            by="test",
        )


async def let_in(site: Site, handle: str, group: Account) -> bool:
    """A moderator lets somebody in."""
    who = await site.find(handle)
    assert who is not None
    async with site.instance.store.transaction("let in") as tx:
        return await relating.authorize(tx, site.instance.here, group, who)


async def all_trust_each_other(world: World) -> None:
    """Every instance trusts every other."""
    for site in world.instances.values():
        for other in world.instances:
            if other != site.domain:
                await site.judges(other, Level.TRUSTED)


async def gathered(world: World) -> tuple[Account, Site, Site, Site]:
    """A closed group at lyon with a member on each of three instances that trust each other."""
    lyon, lille, metz = world.instances.values()
    await all_trust_each_other(world)
    group = await a_closed_group(lyon)
    for site, name in ((lyon, "dr-dupont"), (lille, "dr-roy"), (metz, "dr-noir")):
        await site.member(name)
        await site.follows(name, "rcp@lyon.test")
        await world.settle()
        assert await site.follow_of(name, "rcp@lyon.test") == "pending"
        assert await let_in(lyon, f"{name}@{site.domain}" if site is not lyon else name, group)
    await world.settle()
    return group, lyon, lille, metz


def bodies(world: World) -> bytes:
    """Everything that went over the wire."""
    return b"".join(bytes(request.body or b"") for request in world.internet.requests)


@pytest.mark.case("M03", "M15")
async def test_what_a_member_writes_reaches_the_members_everywhere_and_nobody_else(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test", "metz.test") as world:
        _, lyon, lille, metz = await gathered(world)
        post = await lille.publishes("dr-roy", f"{SECRET} @rcp@lyon.test", visibility="group")
        await world.settle()
        for site, name in ((lyon, "dr-dupont"), (metz, "dr-noir"), (lille, "dr-roy")):
            assert await site.home(name) == [post.uri], site.domain
            assert await site.may_read(name, post), site.domain
            assert not await site.may_read("dr-gris", post), site.domain
        answer = await metz.publishes("dr-noir", f"{SECRET} encore", reply_to=post)
        await world.settle()
        assert answer.visibility == "group"
        for site, name in ((lyon, "dr-dupont"), (lille, "dr-roy")):
            assert await site.may_read(name, answer)
            assert not await site.may_read("dr-gris", answer)
            assert await site.home(name) == [post.uri]
        assert await lille.told("dr-roy") == ["mention"]
        own = await lyon.publishes("dr-dupont", f"{SECRET} @rcp", visibility="followers")
        await world.settle()
        assert own.visibility == "group"
        assert await metz.may_read("dr-noir", own)
        assert PUBLIC.encode() not in b"".join(
            bytes(each.body or b"") for each in world.internet.requests if SECRET.encode() in bytes(each.body or b"")
        )


async def test_edits_deletions_and_removals_come_to_the_members(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test", "metz.test") as world:
        group, lyon, lille, metz = await gathered(world)
        post = await lille.publishes("dr-roy", f"{SECRET} @rcp@lyon.test", visibility="group")
        await world.settle()
        world.clock.advance(60_000)
        await lille.edits("dr-roy", post, f"{SECRET} II @rcp@lyon.test")
        await world.settle()
        assert "II" in (await metz.copy_of(post)).content
        assert "II" in (await lyon.copy_of(post)).content
        await lille.deletes("dr-roy", post)
        await world.settle()
        assert [await site.has(post) for site in (lyon, lille, metz)] == [False, False, False]

        second = await lille.publishes("dr-roy", f"{SECRET} @rcp@lyon.test", visibility="group")
        await world.settle()
        chief, copy = await lyon.member("dr-chef"), await lyon.copy_of(second)
        async with lyon.instance.store.transaction("take out") as tx:
            assert await carry.take_out(tx, lyon.instance.here, lyon.instance.levels, group, copy, chief)
        await world.settle()
        for site, name in ((lyon, "dr-dupont"), (metz, "dr-noir")):
            assert not await site.may_read(name, second), site.domain
        assert await lille.may_read("dr-roy", second)


@pytest.mark.case("M03")
async def test_its_posts_are_served_to_members_hosts_alone(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test", "metz.test") as world:
        group, lyon, lille, metz = await gathered(world)
        here = await lyon.publishes("dr-dupont", f"{SECRET} @rcp", visibility="group")
        there = await lille.publishes("dr-roy", f"{SECRET} @rcp@lyon.test", visibility="group")
        await world.settle()
        outside = Stranger(world, "gap.test")
        others = {"person": outside.person("rita"), "instance": outside.instance_actor()}
        trusted = Stranger(world, "nice.test")
        others |= {"trusted": trusted.person("rosa"), "trusted instance": trusted.instance_actor()}
        for site in (lyon, lille):
            await site.judges("nice.test", Level.TRUSTED)
        for post, site in ((here, lyon), (there, lille)):
            for path in (post.uri, f"{post.uri}/replies", f"{post.uri}/context", f"{post.uri}/activity", post.url):
                assert (await get_letter(site, path).send(site)).status in (401, 404, 302), path
                for name, puppet in others.items():
                    answer = await puppet.asks(site, path)
                    assert answer.status in (404, 302), (name, path)
                    assert SECRET.encode() not in answer.body
            author = post.uri.partition("/posts/")[0]
            for path in (f"{author}/outbox?before=9999999999999999", f"{author}/featured", f"{group.uri}/outbox"):
                answer = await others["trusted"].asks(site, path)
                assert SECRET.encode() not in answer.body
        assert await metz.may_read("dr-noir", there)


@pytest.mark.case("M11")
async def test_what_it_is_called_who_is_in_it_and_how_many_is_for_its_members(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test", "metz.test") as world:
        group, lyon, _lille, _metz = await gathered(world)
        await lyon.publishes("dr-dupont", f"{SECRET} @rcp", visibility="group")
        await world.settle()
        outside = Stranger(world, "gap.test")
        rita = outside.person("rita")
        await lyon.judges("gap.test", Level.TRUSTED)
        for path in ("", "/followers", "/following", "/outbox", "/featured", "/moderators"):
            for answer in (
                await rita.asks(lyon, group.uri + path),
                await rita.asks(lyon, f"{group.uri}{path}?is_follower=https://lille.test/users/dr-roy"),
                await get_letter(lyon, group.uri + path).send(lyon),
            ):
                body = answer.body.decode()
                assert TITLE not in body, path
                assert "dr-" not in body, path
                assert answer.status != 200 or "totalItems" not in body or answer.json["totalItems"] == 0, path
        assert (await rita.asks(lyon, f"{group.uri}/followers")).status == 404
        assert TITLE.encode() not in bodies(world)
        stored = await lyon.find("rcp")
        assert stored is not None
        assert (stored.followers_count, stored.display_name, stored.discoverable) == (0, "", False)
        assert stored.last_post_at is None


async def test_nobody_joins_from_a_peer_that_is_not_trusted(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon = world["lyon.test"]
        group = await a_closed_group(lyon)
        away = Stranger(world, "gap.test")
        rita = away.person("rita")
        for level in (Level.LIMITED, Level.FEDERATED):
            await lyon.judges("gap.test", level)
            asked = rita.activity("Follow", group.uri)
            assert (await rita.tells(lyon, asked)).startswith("done: rejected")
        assert len(away.heard("Reject")) == 2
        await lyon.judges("gap.test", Level.TRUSTED)
        assert await rita.tells(lyon, rita.activity("Follow", group.uri)) == "done: pending"
        assert away.heard("Accept") == []


async def scene(world: World) -> tuple[Site, Account, Stranger, Puppet, Puppet]:
    """A closed group at lyon; rita of a trusted peer is a member, and mallory, next to her, is none."""
    lyon = world["lyon.test"]
    group = await a_closed_group(lyon)
    away = Stranger(world, "gap.test")
    rita, mallory = away.person("rita"), away.person("mallory")
    away.instance_actor()
    await lyon.judges("gap.test", Level.TRUSTED)
    await rita.tells(lyon, rita.activity("Follow", group.uri))
    assert await let_in(lyon, "rita@gap.test", group)
    await lyon.follows("dr-dupont", "rcp@lyon.test")
    assert await let_in(lyon, "dr-dupont", group)
    await world.settle()
    return lyon, group, away, rita, mallory


def into(group: Account, author: Puppet, **members: Any) -> Document:
    """A note for the members of a group."""
    return author.note(f"<p>{SECRET}</p>", to=[group.followers_uri], cc=[group.uri], audience=group.uri, **members)


async def test_only_members_write_into_it(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon, group, away, rita, mallory = await scene(world)
        assert await rita.tells(lyon, rita.create(into(group, rita))) == "done: stored"
        assert len(away.heard("Announce")) == 1
        assert (await mallory.tells(lyon, mallory.create(into(group, mallory)))).startswith("refused: PolicyRefusal")
        post = await lyon.publishes("dr-dupont", f"{SECRET} @rcp", visibility="group")
        await world.settle()
        assert len(away.heard("Announce")) == 2
        for audience in ([PUBLIC], [mallory.followers], [group.followers_uri], ["https://lyon.test/users/dr-dupont"]):
            answer = mallory.note("<p>Moi aussi</p>", inReplyTo=post.uri, to=audience, cc=[])
            assert (await mallory.tells(lyon, mallory.create(answer))).startswith("refused"), audience
        # whatever a member's answer claims, it is for the members
        loud = rita.note("<p>Moi aussi</p>", inReplyTo=post.uri, to=[PUBLIC], cc=[])
        assert await rita.tells(lyon, rita.create(loud)) == "done: stored"
        async with lyon.instance.store.view() as view:
            stored = await posts.find_by_uri(view, loud["id"])
        assert stored is not None
        assert stored.visibility == "group"
        gris = await lyon.member("dr-gris")
        with pytest.raises(Forbidden):
            await lyon.publishes("dr-gris", f"{SECRET} @rcp", visibility="group")
        assert (await lyon.publishes("dr-gris", "Bonjour @rcp", visibility="followers")).visibility == "followers"
        assert gris.username == "dr-gris"


async def test_what_is_public_is_not_passed_on_by_a_closed_group(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon, _, away, rita, _ = await scene(world)
        await lyon.publishes("dr-dupont", "Pour tous @rcp")
        loud = rita.note("<p>Pour tous</p>", to=[PUBLIC], cc=["https://lyon.test/users/rcp"])
        await rita.tells(lyon, rita.create(loud))
        assert away.heard("Announce") == []


@pytest.mark.case("M09", "M11")
async def test_who_is_removed_reads_nothing_more(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test", "metz.test") as world:
        group, lyon, lille, metz = await gathered(world)
        post = await lyon.publishes("dr-dupont", f"{SECRET} @rcp", visibility="group")
        await world.settle()
        assert await metz.may_read("dr-noir", post)
        noir = await lyon.find("dr-noir@metz.test")
        assert noir is not None
        dupont = await lyon.member("dr-dupont")
        async with lyon.instance.store.transaction("remove") as tx:
            assert await relating.reject(tx, lyon.instance.here, group, noir)
            await relating.ended(tx, dupont, group)
        await world.settle()
        assert not await metz.may_read("dr-noir", post)
        assert await metz.home("dr-noir") == []
        later = await lille.publishes("dr-roy", f"{SECRET} II @rcp@lyon.test", visibility="group")
        await world.settle()
        assert not await metz.has(later)
        assert await lyon.may_read("dr-dupont", post), "what one wrote oneself stays readable"
        assert not await lyon.may_read("dr-dupont", later)


@pytest.mark.case("M15", "J11")
async def test_a_peer_that_loses_its_trust_gets_and_brings_nothing_more(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test", "metz.test") as world:
        _, lyon, lille, metz = await gathered(world)
        await lyon.judges("metz.test", Level.FEDERATED)
        post = await lille.publishes("dr-roy", f"{SECRET} @rcp@lyon.test", visibility="group")
        own = await lyon.publishes("dr-dupont", f"{SECRET} @rcp", visibility="group")
        theirs = await metz.publishes("dr-noir", f"{SECRET} @rcp@lyon.test", visibility="group")
        await world.settle()
        assert not await metz.has(post)
        assert not await metz.has(own)
        assert not await lyon.has(theirs)


async def test_a_member_does_not_write_into_a_group_of_an_untrusted_instance(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test", "metz.test") as world:
        _, _, lille, _ = await gathered(world)
        await lille.judges("lyon.test", Level.FEDERATED)
        with pytest.raises(Forbidden):
            await lille.publishes("dr-roy", f"{SECRET} @rcp@lyon.test", visibility="group")


async def test_a_forged_announce_brings_nobody_into_a_closed_group(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test", "metz.test") as world:
        group, _lyon, _lille, metz = await gathered(world)
        evil = Stranger(world, "evil.test")
        mallory, fake = evil.person("mallory"), evil.person("rcp", type="Group")
        await metz.judges("evil.test", Level.TRUSTED)
        note = into(group, mallory)
        create = mallory.create(note)
        assert (await mallory.tells(metz, create)).startswith("refused: PolicyRefusal")
        wrapped = fake.activity("Announce", create, to=[group.followers_uri])
        assert (await fake.tells(metz, wrapped)).startswith("refused: PolicyRefusal")
        assert await metz.home("dr-noir") == []
        async with metz.instance.store.view() as view:
            post = await posts.find_by_uri(view, note["id"])
        # It may be stored, as one stores what is announced; but the group does not have it, so that nobody reads it.
        assert post is None or not await metz.may_read("dr-noir", post)


# ── who asks to join ─────────────────────────────────────────────────────────────────────────────────────────


async def _asks(world: World, lille: Site, name: str = "rcp") -> None:
    await lille.member("dr-roy")
    await lille.follows("dr-roy", f"{name}@lyon.test")
    await world.settle()


@pytest.mark.parametrize("end", ["accept", "refuse", "withdraw", "block", "close"])
async def test_moderators_hear_who_asks_to_join_until_that_is_decided(open_world: Open, end: str) -> None:
    async with open_world("lyon.test", "lille.test") as world:
        lyon, lille = world.instances.values()
        await all_trust_each_other(world)
        group, second = await a_closed_group(lyon), await a_closed_group(lyon, "staff")
        await _asks(world, lille)
        await _asks(world, lille, "staff")
        assert await lyon.told("dr-chef") == ["group_request", "group_request"]
        assert await lyon.told("dr-gris") == []
        roy = await lyon.find("dr-roy@lille.test")
        assert roy is not None
        if end == "withdraw":
            await lille.unfollows("dr-roy", "rcp@lyon.test")
            await world.settle()
        elif end == "close":
            async with lyon.instance.store.transaction("close") as tx:
                await leaving.leave(tx, lyon.instance.here, lyon.instance.levels, group, by="test")
        else:
            async with lyon.instance.store.transaction(end) as tx:
                here = lyon.instance.here
                decide = {"accept": relating.authorize, "refuse": relating.reject, "block": relating.block}[end]
                await decide(tx, here, group, roy)
        assert await lyon.told("dr-chef") == ["group_request"]
        async with lyon.instance.store.view() as view:
            (left,) = await notifications.page(view, (await lyon.member("dr-chef")).id, Page(), kinds=["group_request"])
        assert (left.group_id, left.from_id) == (second.id, roy.id)


async def test_who_no_longer_moderates_hears_of_no_requests_nor_does_the_group_itself(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test") as world:
        lyon, lille = world.instances.values()
        await all_trust_each_other(world)
        group, other = await a_closed_group(lyon), await lyon.member("dr-autre")
        chief = await lyon.member("dr-chef")
        async with lyon.instance.store.transaction("appoint") as tx:
            await making.appoint(tx, lyon.instance.here, group, other, by="test")
            await relating.mute(tx, lyon.instance.here, other, chief)
        await _asks(world, lille)
        assert await lyon.told("dr-autre") == await lyon.told("dr-chef") == ["group_request"]
        async with lyon.instance.store.transaction("dismiss") as tx:
            assert await making.dismiss(tx, lyon.instance.here, group, chief, by="test")
        assert (await lyon.told("dr-chef"), await lyon.told("dr-autre")) == ([], ["group_request"])
        assert await let_in(lyon, "dr-roy@lille.test", group)
        async with lyon.instance.store.view() as view:
            assert await notifications.page(view, group.id, Page(), kinds=list(NOTIFICATION_KINDS)) == []


# ── likes ────────────────────────────────────────────────────────────────────────────────────────────────────


async def _likes(world: World, post: Post) -> list[int]:
    """How many like a post, as each instance knows."""
    return [(await site.copy_of(post)).likes_count for site in world.instances.values()]


@pytest.mark.case("D10")
@pytest.mark.parametrize("author", ["lyon.test", "lille.test", "metz.test"])
async def test_likes_of_members_count_wherever_the_group_has_members(open_world: Open, author: str) -> None:
    async with open_world("lyon.test", "lille.test", "metz.test") as world:
        _, lyon, lille, metz = await gathered(world)
        names = {"lyon.test": "dr-dupont", "lille.test": "dr-roy", "metz.test": "dr-noir"}
        handle = "@rcp" if author == "lyon.test" else "@rcp@lyon.test"
        post = await world[author].publishes(names[author], f"{SECRET} {handle}", visibility="group")
        await world.settle()
        for site in (lyon, lille, metz):
            await site.likes(names[site.domain], post)
        await world.settle()
        assert await _likes(world, post) == [3, 3, 3]
        assert (await world[author].told(names[author])).count("favourite") == 2
        for site in (metz, lyon):
            await site.likes(names[site.domain], post, undo=True)
        await world.settle()
        assert await _likes(world, post) == [1, 1, 1]
        assert (await world[author].told(names[author])).count("favourite") == (0 if author == "lille.test" else 1)
        assert PUBLIC.encode() not in b"".join(
            bytes(each.body or b"") for each in world.internet.requests if post.uri.encode() in bytes(each.body or b"")
        )


@pytest.mark.parametrize("asker", ["lyon.test", "metz.test"])
async def test_votes_of_members_count_where_it_was_asked_and_come_back_to_all(open_world: Open, asker: str) -> None:
    async with open_world("lyon.test", "lille.test", "metz.test") as world:
        _, lyon, lille, metz = await gathered(world)
        names = {"lyon.test": "dr-dupont", "lille.test": "dr-roy", "metz.test": "dr-noir"}
        handle = "@rcp" if asker == "lyon.test" else "@rcp@lyon.test"
        poll = Poll(options=(PollOption(title="Oui"), PollOption(title="Non")), closes_at=world.clock.now() + HOUR)
        asked = await world[asker].publishes(names[asker], f"{SECRET} ? {handle}", visibility="group", poll=poll)
        await world.settle()
        for site in (lyon, lille, metz):
            if site.domain != asker:
                await site.votes(names[site.domain], asked, 0)
        evil, doubtful = Stranger(world, "evil.test").person("mallory"), Stranger(world, "trusted.test").person("rita")
        await world[asker].judges("trusted.test", Level.TRUSTED)
        for puppet in (evil, doubtful):
            vote = puppet.create(puppet.note("", name="Oui", inReplyTo=asked.uri, to=[asked.uri], cc=[]))
            assert (await puppet.tells(world[asker], vote)).startswith("refused"), puppet.handle
            assert (await puppet.tells(world[asker], puppet.activity("Like", asked.uri))) == "done: no such post"
        await world.pass_time(2 * HOUR)
        for site in (lyon, lille, metz):
            copy = await site.copy_of(asked)
            async with site.instance.store.view() as view:
                counted = (await posts.polls(view, [copy.id]))[copy.id]
            assert [option.votes for option in counted.options] == [2, 0], site.domain


@pytest.mark.case("M12")
async def test_a_like_in_a_closed_group_is_shown_to_members_hosts_alone_and_so_is_that_it_is_gone(
    open_world: Open,
) -> None:
    async with open_world("lyon.test", "lille.test", "metz.test") as world:
        _, _lyon, lille, _metz = await gathered(world)
        post = await lille.publishes("dr-roy", f"{SECRET} @rcp@lyon.test", visibility="group")
        await world.settle()
        await lille.likes("dr-roy", post)
        async with lille.instance.store.view() as view:
            (like,) = [row["uri"] for row in await view.all(_REACTIONS)]
        stranger, trusted = (Stranger(world, f"{name}.test") for name in ("stranger", "trusted"))
        await lille.judges("trusted.test", Level.TRUSTED)
        outsiders = [stranger.instance_actor(), trusted.instance_actor(), trusted.person("rita")]
        assert [(await each.asks(lille, like)).status for each in outsiders] == [404, 404, 404]
        assert (await get_letter(lille, like).send(lille)).status == 401
        await world.settle()
        metz_asked = [
            each for each in world.internet.requests if each.method == "GET" and "/activities/" in each.target
        ]
        assert {each.to.host for each in metz_asked} == {"lille.test"}
        await lille.likes("dr-roy", post, undo=True)
        await world.settle()
        assert await _likes(world, post) == [0, 0, 0]
        assert [(await each.asks(lille, like)).status for each in outsiders] == [404, 404, 404]


@pytest.mark.case("D10")
async def test_a_closed_group_is_believed_about_what_its_own_people_did_and_about_nobody_else(open_world: Open) -> None:
    async with open_world("lyon.test", "metz.test") as world:
        lyon, metz = world.instances.values()
        home = Stranger(world, "lemmy.test")
        group = home.person("rcp", type="Group", manuallyApprovesFollowers=True)
        for site in (lyon, metz):
            await site.judges("lemmy.test", Level.TRUSTED)
        await lyon.judges("metz.test", Level.TRUSTED)
        await metz.judges("lyon.test", Level.TRUSTED)
        for site, name in ((lyon, "dr-dupont"), (metz, "dr-noir")):
            await site.follows(name, group.handle)
            await world.settle()
            await group.tells(site, group.activity("Accept", home.heard("Follow")[-1]))
        beta, other = home.person("beta"), home.person("other", type="Group", manuallyApprovesFollowers=True)
        note = beta.note("<p>Hamlet</p>", to=[group.followers], cc=[], audience=group.uri)
        create = beta.activity("Create", note, to=[group.followers])
        wrapped = group.activity("Announce", create, to=[group.followers])
        assert (await group.tells(lyon, wrapped)).startswith("done")
        post = await _stored(lyon, note["id"])

        async def count(like: Document, by: Puppet = group) -> int:
            await by.tells(lyon, by.activity("Announce", like, to=[group.followers]))
            return (await _stored(lyon, note["id"])).likes_count

        delta = home.person("delta")
        assert await count(delta.activity("Like", note["id"]), other) == 0, "of another group's post"
        never = {
            "id": "https://metz.test/users/dr-noir/activities/117",
            "type": "Like",
            "actor": "https://metz.test/users/dr-noir",
            "object": note["id"],
        }
        assert await count(never) == 0, "what another server does not know of"
        assert await count(delta.activity("Like", note["id"])) == 1
        elsewhere = never | {"id": f"{home.base}/activities/9"}
        assert await count(elsewhere) == 1, "another's activity under an id of its own"
        await lyon.judges("lemmy.test", Level.FEDERATED)
        assert (await _stored(lyon, post.uri)).likes_count == 1
        assert await count(home.person("gamma").activity("Like", note["id"])) == 1, "no longer trusted"


async def _stored(site: Site, uri: str) -> Post:
    async with site.instance.store.view() as view:
        found = await posts.find_by_uri(view, uri)
    assert found is not None
    return found
