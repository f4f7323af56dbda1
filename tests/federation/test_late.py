"""What arrives in another order than it was said in, and objects of kinds that nobody here knows."""

from typing import Any

import pytest

from medfed.kernel.clock import DAY, iso
from medfed.storage import posts
from tests.federation.conftest import Open
from tests.support.stranger import Puppet, Stranger
from tests.support.world import Site, World


async def followed(world: World) -> tuple[Site, Puppet]:
    """dr-roy of lyon follows a stranger."""
    lyon = world["lyon.test"]
    noir = Stranger(world, "metz.test").person("noir")
    await lyon.follows("dr-roy", noir.handle)
    await world.settle()
    (asked,) = noir.home.heard("Follow")
    await noir.tells(lyon, noir.activity("Accept", asked))
    return lyon, noir


async def content_of(site: Site, uri: str) -> str | None:
    """The text of a post here; None when it is not."""
    async with site.instance.store.view() as view:
        post = await posts.find_by_uri(view, uri)
    return post.content if post is not None else None


async def test_an_update_before_its_create_brings_the_post(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon, noir = await followed(world)
        note = noir.note("<p>Avant</p>")
        now = iso(world.clock.now())
        changed = note | {"content": "<p>Après</p>", "updated": now}
        assert await noir.tells(lyon, noir.activity("Update", changed)) == "done: stored"
        assert await noir.tells(lyon, noir.create(note)) == "done: known already"
        assert await content_of(lyon, note["id"]) == "<p>Après</p>"
        assert await lyon.home("dr-roy") == [note["id"]]


async def test_an_update_of_what_was_deleted_brings_nothing_back(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon, noir = await followed(world)
        note = noir.note()
        await noir.tells(lyon, noir.activity("Delete", {"id": note["id"], "type": "Tombstone"}))
        for activity in (noir.activity("Update", note), noir.create(note)):
            await noir.tells(lyon, activity)
            assert await content_of(lyon, note["id"]) is None


@pytest.mark.parametrize("days", [8, None])
async def test_an_update_of_an_old_or_dateless_post_that_we_never_had_is_ignored(
    open_world: Open, days: int | None
) -> None:
    async with open_world("lyon.test") as world:
        lyon, noir = await followed(world)
        published = iso(world.clock.now() - days * DAY) if days else "unknown"
        note = noir.note(published=published)
        assert await noir.tells(lyon, noir.activity("Update", note)) == "done: unknown post"


async def test_an_update_by_somebody_whom_nobody_follows_is_ignored_unless_it_addresses_a_member(
    open_world: Open,
) -> None:
    async with open_world("lyon.test") as world:
        lyon = world["lyon.test"]
        member = await lyon.member("dr-roy")
        noir = Stranger(world, "metz.test").person("noir")
        assert await noir.tells(lyon, noir.activity("Update", noir.note())) == "done: unknown post"
        addressed = noir.note(cc=[member.uri])
        assert await noir.tells(lyon, noir.activity("Update", addressed)) == "done: stored"


@pytest.mark.parametrize("kind", ["Place", "Profile", "Review", "Track", "https://example.org/ns#Recipe", "Object"])
@pytest.mark.parametrize("members", [{}, {"content": None, "summary": "<p>Résumé</p>"}, {"content": None}])
async def test_whatever_says_something_is_shown_with_its_title_and_a_link(
    open_world: Open, kind: str, members: dict[str, Any]
) -> None:
    async with open_world("lyon.test") as world:
        lyon, noir = await followed(world)
        thing = noir.note("<p>Texte</p>", type=kind, name="Le <b>titre") | members
        assert await noir.tells(lyon, noir.create(thing)) == "done: stored"
        shown = await content_of(lyon, thing["id"])
        assert shown is not None
        assert f'href="{thing["id"]}"' in shown
        assert "Le &lt;b&gt;titre" in shown
        assert await lyon.home("dr-roy") == [thing["id"]]
        again = thing | {"name": "Autre titre", "updated": iso(world.clock.now())}
        assert await noir.tells(lyon, noir.activity("Update", again)) == "done: revised"


@pytest.mark.case("A16")
@pytest.mark.parametrize(
    "kind", ["Like", "Collection", "Person", "Tombstone", "Emoji", ["Review", "Follow"], "\u202eX"]
)
async def test_what_is_no_post_is_not_shown_as_one(open_world: Open, kind: Any) -> None:
    async with open_world("lyon.test") as world:
        lyon, noir = await followed(world)
        thing = noir.note("<p>Texte</p>", type=kind)
        became = await noir.tells(lyon, noir.create(thing))
        assert became.startswith("refused"), became
        assert await content_of(lyon, thing["id"]) is None
