"""What peers pin: told by Add and Remove, or fetched when somebody looks; and our own pins, told to followers."""

from typing import Any

import pytest

from medfed.domain.peers import Level
from medfed.domain.posts import Post
from medfed.kernel.clock import HOUR
from medfed.posts import featured, react
from medfed.storage import accounts, timelines
from tests.federation.conftest import Open
from tests.support.stranger import Document, Puppet, Stranger
from tests.support.world import Site, World
from tests.web.browser import visitor


async def a_pinner(world: World, items: Any = (), **collection: Any) -> tuple[Site, Puppet, str]:
    """A stranger with a featured collection, whom dr-roy of lyon follows."""
    lyon = world["lyon.test"]
    noir = Stranger(world, "metz.test").person("noir")
    url = noir.home.serves("/users/noir/pins", {"type": "OrderedCollection", "orderedItems": list(items), **collection})
    noir.home.documents["/users/noir"] = noir.document(featured=url)
    await lyon.follows("dr-roy", noir.handle)
    await world.settle()
    (asked,) = noir.home.heard("Follow")
    await noir.tells(lyon, noir.activity("Accept", asked))
    return lyon, noir, url


def served(noir: Puppet, **members: Any) -> Document:
    """A note of the stranger that its server gives to who asks."""
    note = noir.note(**members)
    noir.home.serves(note["id"].removeprefix(noir.home.base), note)
    return note


async def pins(site: Site, uri: str) -> list[str]:
    """What an account has pinned, as we know it."""
    async with site.instance.store.view() as view:
        account = await accounts.find_by_uri(view, uri)
        assert account is not None
        found: list[Post] = await timelines.pinned(view, account.id)
    return [post.uri for post in found]


async def looks(site: Site, uri: str) -> None:
    """Somebody opens a profile."""
    account = await site.instance.lookup.actor(uri)
    await featured.look(site.instance.store, site.instance.here, account)
    await site.world.settle()


async def test_a_pin_is_added_and_taken_off(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon, noir, url = await a_pinner(world)
        known, unknown = served(noir), served(noir)
        await noir.tells(lyon, noir.create(known))
        for note in (known, unknown):
            assert await noir.tells(lyon, noir.activity("Add", note["id"], target=url)) == "done: pinned"
        assert set(await pins(lyon, noir.uri)) == {known["id"], unknown["id"]}
        assert await lyon.home("dr-roy") == [known["id"]]  # what was pinned is no news
        assert await noir.tells(lyon, noir.activity("Remove", known["id"], target=url)) == "done: no longer pinned"
        assert await pins(lyon, noir.uri) == [unknown["id"]]


async def test_only_own_and_open_posts_are_pinned(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon, noir, url = await a_pinner(world)
        mate = noir.home.person("mate")
        theirs, closed = served(mate), served(noir, to=[noir.followers], cc=[])
        ours = await lyon.publishes("dr-dupont", "Bonjour")
        await noir.tells(lyon, noir.create(closed))
        tag = {"type": "Hashtag", "name": "#ecg", "href": f"{noir.home.base}/tags/ecg"}
        for thing in (theirs["id"], closed["id"], ours.uri, tag):
            assert (await noir.tells(lyon, noir.activity("Add", thing, target=url))).endswith("nothing to pin"), thing
        assert await pins(lyon, noir.uri) == []


@pytest.mark.case("A09")
async def test_nobody_pins_on_the_profile_of_another(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon, noir, url = await a_pinner(world)
        note, mate = served(noir), noir.home.person("mate")
        await noir.tells(lyon, noir.activity("Add", note["id"], target=url))
        await mate.tells(lyon, mate.activity("Remove", note["id"], target=url))
        other = served(noir)
        await mate.tells(lyon, mate.activity("Add", other["id"], target=url))
        assert await pins(lyon, noir.uri) == [note["id"]]


async def test_what_is_pinned_is_fetched_when_somebody_looks_and_then_not_for_hours(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon, noir, _ = await a_pinner(world)
        first, second = served(noir), served(noir)
        path = "/users/noir/pins"
        noir.home.serves(path, {"type": "OrderedCollection", "orderedItems": [second, first["id"], first["id"], 7]})
        for _ in range(3):
            await looks(lyon, noir.uri)
        assert await pins(lyon, noir.uri) == [second["id"], first["id"]]
        assert noir.home.asked.count(path) == 1
        assert await lyon.home("dr-roy") == []
        noir.home.serves(path, {"type": "OrderedCollection", "orderedItems": [first["id"]]})
        world.clock.advance(7 * HOUR)
        await looks(lyon, noir.uri)
        assert await pins(lyon, noir.uri) == [first["id"]]


@pytest.mark.case("H08")
async def test_a_profile_with_endless_pins_costs_a_few_fetches(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon, noir, url = await a_pinner(world)
        notes = [served(noir)["id"] for _ in range(60)]
        page = {"type": "OrderedCollectionPage", "orderedItems": notes, "next": url}
        noir.home.serves("/users/noir/page", page)
        noir.home.serves(
            "/users/noir/pins", {"type": "OrderedCollection", "first": f"{noir.home.base}/users/noir/page"}
        )
        noir.home.asked.clear()
        await looks(lyon, noir.uri)
        assert await pins(lyon, noir.uri) == notes[: featured.MOST]
        assert len(noir.home.asked) <= featured.MOST + 2


@pytest.mark.case("D14")
@pytest.mark.parametrize("items", [["https://other.test/notes/1"], "x", [None], {"id": 3}])
async def test_pins_of_other_hosts_are_not_fetched(open_world: Open, items: Any) -> None:
    async with open_world("lyon.test") as world:
        other = Stranger(world, "other.test")
        lyon, noir, _ = await a_pinner(world)
        noir.home.serves("/users/noir/pins", {"type": "Collection", "items": items})
        await looks(lyon, noir.uri)
        assert await pins(lyon, noir.uri) == []
        assert other.asked == []


async def test_pins_of_a_limited_peer_whom_nobody_follows_are_not_fetched(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon = world["lyon.test"]
        noir = Stranger(world, "metz.test").person("noir")
        url = noir.home.serves("/users/noir/pins", {"type": "OrderedCollection", "orderedItems": [served(noir)["id"]]})
        noir.home.documents["/users/noir"] = noir.document(featured=url)
        await lyon.judges("metz.test", Level.LIMITED)
        await looks(lyon, noir.uri)
        assert "/users/noir/pins" not in noir.home.asked


async def test_our_pins_are_told_to_followers_once_and_shown_there(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test") as world:
        lyon, lille = world["lyon.test"], world["lille.test"]
        await world.follow("dr-roy@lille.test", "dr-dupont@lyon.test")
        post = await lyon.publishes("dr-dupont", "À lire d'abord")
        await world.settle()
        member = await lyon.member("dr-dupont")
        for done, left in ((react.pin, [post.uri]), (react.pin, [post.uri]), (react.unpin, []), (react.unpin, [])):
            async with lyon.instance.store.transaction("pin") as tx:
                await done(tx, lyon.instance.here, lyon.instance.levels, member, post)
            await world.settle()
            assert await pins(lille, member.uri) == left
        rows = (await lille.contents())["inbox_log"]
        assert len([row for row in rows if "/activities/" in row and ("'Add'" in row or "'Remove'" in row)]) == 2


async def test_pins_stand_on_top_of_a_profile(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon, noir, _ = await a_pinner(world)
        note = served(noir, content="<p>À lire d’abord</p>")
        noir.home.serves("/users/noir/pins", {"type": "OrderedCollection", "orderedItems": [note["id"]]})
        browser = await visitor(lyon, "dr-roy")
        await browser.get("/@noir@metz.test?show=posts")
        await world.settle()
        page = (await browser.get("/@noir@metz.test?show=posts")).text
        assert "Pinned" in page
        assert page.count("À lire d’abord") == 1
        assert "Pinned" not in (await browser.get("/@dr-roy?show=posts")).text
