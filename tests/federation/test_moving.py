"""Accounts move, to us, away from us and between peers; followers come along, attestations never do."""

from typing import Any

import pytest

from medfed.accounts.lookup import FRESH
from medfed.domain.accounts import Account, parse_handle
from medfed.kernel.clock import DAY
from medfed.kernel.errors import Conflict, Invalid
from medfed.relations import follow as relating
from medfed.relations import move as moving
from medfed.storage import relations
from tests.federation.conftest import Open
from tests.support.stranger import Puppet, Stranger
from tests.support.world import Site, World

ROY, DUPONT, DUPONT_THERE = "dr-roy@lille.test", "dr-dupont@lyon.test", "dr-dupont@nantes.test"


async def names(site: Site, username: str, handle: str) -> None:
    """A member says that another account is theirs, too."""
    member = await site.member(username)
    other = await site.instance.lookup.handle(parse_handle(handle))
    async with site.instance.store.transaction("alias") as tx:
        await moving.add_alias(tx, site.instance.here, site.instance.levels, member, other)


async def moves(site: Site, username: str, handle: str) -> None:
    """A member moves to another account."""
    member = await site.member(username)
    known = await site.instance.lookup.handle(parse_handle(handle))
    new = known if known.local else await site.instance.lookup.refresh(known.uri)
    async with site.instance.store.transaction("move") as tx:
        await moving.move(tx, site.instance.here, site.instance.levels, member, new, by="test")


async def relation(site: Site, username: str, handle: str) -> Any:
    """What there is between a member and an account."""
    member, other = await site.member(username), await site.find(handle)
    assert other is not None
    async with site.instance.store.view() as view:
        return (await relations.relationships(view, member.id, [other.id], site.instance.here.now()))[0]


@pytest.mark.case("A10")
async def test_followers_come_along_from_one_instance_to_another(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test", "nantes.test") as world:
        lyon, lille, nantes = world["lyon.test"], world["lille.test"], world["nantes.test"]
        await world.follow(ROY, DUPONT)
        await lyon.follows("dr-durand", DUPONT)
        await nantes.member("dr-dupont")
        await names(nantes, "dr-dupont", DUPONT)
        await moves(lyon, "dr-dupont", DUPONT_THERE)
        await world.settle()
        for site, handle in ((lille, ROY), (nantes, ROY), (lyon, "dr-durand@lyon.test")):
            assert await site.follow_of(handle, DUPONT_THERE) == "accepted", (site.domain, handle)
        for site, handle in ((lille, ROY), (lyon, ROY), (lyon, "dr-durand@lyon.test")):
            assert await site.follow_of(handle, DUPONT) == "", (site.domain, handle)
        assert (await lyon.member("dr-dupont")).moved_to == (await nantes.member("dr-dupont")).uri
        there = await lille.find(DUPONT)
        assert there is not None
        assert there.moved_to == (await nantes.member("dr-dupont")).uri
        assert (await nantes.member("dr-dupont")).followers_count == 2


async def test_nobody_follows_who_has_moved_away(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test") as world:
        lyon, lille = world["lyon.test"], world["lille.test"]
        await lyon.member("dr-dupont")
        await lille.member("dr-dupont")
        await names(lille, "dr-dupont", DUPONT)
        await moves(lyon, "dr-dupont", "dr-dupont@lille.test")
        await world.settle()
        stranger = Stranger(world, "metz.test").person("dr-noir")
        follow = stranger.activity("Follow", (await lyon.member("dr-dupont")).uri)
        await stranger.tells(lyon, follow)
        assert stranger.home.heard("Reject")
        assert not stranger.home.heard("Accept")


async def test_a_move_needs_both_to_say_so(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test") as world:
        lyon, lille = world["lyon.test"], world["lille.test"]
        await lyon.member("dr-dupont")
        await lille.member("dr-dupont")
        with pytest.raises(Invalid, match="alias"):
            await moves(lyon, "dr-dupont", "dr-dupont@lille.test")


@pytest.mark.case("A10")
async def test_who_moved_stays_for_thirty_days(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test") as world:
        lyon, lille = world["lyon.test"], world["lille.test"]
        await lyon.member("dr-dupont")
        for name in ("first", "second"):
            await lille.member(name)
            await names(lille, name, DUPONT)
        await moves(lyon, "dr-dupont", "first@lille.test")
        member = await lyon.member("dr-dupont")
        async with lyon.instance.store.transaction("stay") as tx:
            await moving.stay(tx, lyon.instance.here, lyon.instance.levels, member)
        with pytest.raises(Conflict, match="can move again from"):
            await moves(lyon, "dr-dupont", "second@lille.test")
        world.clock.advance(30 * DAY)
        await moves(lyon, "dr-dupont", "second@lille.test")
        assert (await lyon.member("dr-dupont")).moved_to.endswith("/second")


# ── what strangers send ──────────────────────────────────────────────────────────────────────────────────────


async def a_move(
    world: World, *, new: dict[str, Any], old: dict[str, Any] | None = None
) -> tuple[Site, Puppet, Puppet]:
    """dr-roy of lyon follows a stranger's account; the old and the new actor, on two hosts."""
    lyon = world["lyon.test"]
    leaver = Stranger(world, "metz.test").person("old")
    arrival = Stranger(world, "brest.test").person("new")
    await lyon.follows("dr-roy", leaver.handle)
    await world.settle()
    (asked,) = leaver.home.heard("Follow")
    assert (await leaver.tells(lyon, leaver.activity("Accept", asked))).startswith("done")
    arrival.home.documents["/users/new"] = arrival.document(**new)
    leaver.home.documents["/users/old"] = leaver.document(**(old or {}))
    return lyon, leaver, arrival


OLD, NEW = "https://metz.test/users/old", "https://brest.test/users/new"


@pytest.mark.case("A10")
@pytest.mark.parametrize(
    ("new", "old"),
    [
        ({}, {"movedTo": NEW}),
        ({"alsoKnownAs": ["https://metz.test/users/other"]}, {"movedTo": NEW}),
        ({"alsoKnownAs": [OLD]}, {"movedTo": "https://brest.test/users/other"}),
        ({"alsoKnownAs": [OLD], "movedTo": "https://brest.test/users/next"}, {"movedTo": NEW}),
    ],
)
async def test_a_move_that_is_not_mutual_or_goes_on_moves_nobody(
    open_world: Open, new: dict[str, Any], old: dict[str, Any]
) -> None:
    async with open_world("lyon.test") as world:
        lyon, leaver, arrival = await a_move(world, new=new, old=old)
        became = await leaver.tells(lyon, leaver.activity("Move", leaver.uri, target=arrival.uri))
        assert became.startswith("refused")
        assert await lyon.follow_of("dr-roy", leaver.handle) == "accepted"
        assert not arrival.home.heard("Follow")


@pytest.mark.case("A10")
@pytest.mark.parametrize("old", [{"movedTo": NEW}, {}])
async def test_a_mutual_move_takes_members_along_who_ask_anew(open_world: Open, old: dict[str, Any]) -> None:
    async with open_world("lyon.test") as world:
        lyon, leaver, arrival = await a_move(world, new={"alsoKnownAs": OLD}, old=old)
        move = leaver.activity("Move", leaver.uri, target=arrival.uri)
        assert await leaver.tells(lyon, move) == "done: moved, with 1 followers"
        (asked,) = arrival.home.heard("Follow")
        assert asked["object"] == arrival.uri
        assert await lyon.follow_of("dr-roy", arrival.handle) == "pending"  # the new account decides
        assert await lyon.follow_of("dr-roy", leaver.handle) == ""
        assert leaver.home.heard("Undo")
        world.clock.advance(29 * DAY)
        again = await leaver.tells(lyon, leaver.activity("Move", leaver.uri, target=arrival.uri))
        assert again.startswith("refused")


@pytest.mark.case("A09")
async def test_nobody_moves_another(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon, leaver, arrival = await a_move(world, new={"alsoKnownAs": [OLD]})
        mate = leaver.home.person("mate")
        answer = await mate.sends(lyon, mate.activity("Move", leaver.uri, target=arrival.uri))
        assert answer.status == 401
        assert await lyon.follow_of("dr-roy", leaver.handle) == "accepted"


async def test_blocks_and_mutes_come_along_and_who_follows_the_new_one_decides_anew(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon, leaver, arrival = await a_move(world, new={"alsoKnownAs": [OLD]})
        old = await lyon.instance.lookup.actor(leaver.uri)
        blocker, muter = await lyon.member("blocker"), await lyon.member("muter")
        async with lyon.instance.store.transaction("block and mute") as tx:
            await relating.block(tx, lyon.instance.here, blocker, old)
            await relating.mute(tx, lyon.instance.here, muter, old, duration=90 * DAY)
        await leaver.tells(lyon, leaver.activity("Move", leaver.uri, target=arrival.uri))
        assert (await relation(lyon, "blocker", arrival.handle)).blocking
        assert (await relation(lyon, "muter", arrival.handle)).muting
        assert len(arrival.home.heard("Block")) == 1


@pytest.mark.case("N09")
async def test_an_account_that_moved_has_no_attestation_of_the_old_one(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon, leaver, arrival = await a_move(world, new={"alsoKnownAs": [OLD]})
        before = await lyon.contents()
        await leaver.tells(lyon, leaver.activity("Move", leaver.uri, target=arrival.uri))
        assert (await lyon.contents())["credential"] == before["credential"]


async def test_the_document_of_who_moved_says_where_to_also_to_strangers(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test") as world:
        lyon, lille = world["lyon.test"], world["lille.test"]
        await lyon.member("dr-dupont")
        await lille.member("dr-dupont")
        await names(lille, "dr-dupont", DUPONT)
        await moves(lyon, "dr-dupont", "dr-dupont@lille.test")
        world.clock.advance(FRESH)
        seen: Account = await lille.instance.lookup.refresh((await lyon.member("dr-dupont")).uri)
        assert seen.moved_to == (await lille.member("dr-dupont")).uri
