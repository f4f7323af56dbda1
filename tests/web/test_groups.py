"""Groups in the browser: joining, writing, who is in one, and what moderators do."""

from collections.abc import AsyncIterator

import pytest

from medfed.domain.accounts import Account
from medfed.kernel.errors import Forbidden
from medfed.storage import accounts, groups, posts
from tests.federation.test_closed_groups import TITLE, a_closed_group
from tests.federation.test_groups import a_group
from tests.support.world import Site, World, a_world
from tests.web.browser import Browser, visitor


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with a_world("lyon.test", "lille.test") as made:
        yield made


@pytest.fixture
async def lyon(world: World) -> Site:
    return world["lyon.test"]


async def has(site: Site, group: Account, uri: str) -> bool:
    """Whether a group has a post."""
    async with site.instance.store.view() as view:
        post = await posts.find_by_uri(view, uri)
        return post is not None and group.id in await groups.of_post(view, post.id)


async def test_an_admin_makes_a_group_and_members_join_write_and_leave(lyon: Site) -> None:
    admin = await visitor(lyon, "admin", role="admin")
    refused = await admin.post("/groups", {"name": "a b", "title": ""})
    assert refused.status == 422
    made = await admin.post("/groups", {"name": "cardiologie", "title": "Cardiologie, Lyon", "about": "ECG et plus"})
    assert (made.status, made.location) == (303, "/groups/cardiologie")

    helene = await visitor(lyon, "helene")
    listed = await helene.get("/groups?lang=fr")
    assert "Cardiologie, Lyon" in listed.text
    assert "ECG et plus" in listed.text
    assert "Créer un groupe" not in listed.text
    assert (await helene.post("/groups", {"name": "autre", "title": "Autre"})).status == 403
    assert (await helene.get("/groups/cardiologie")).status == 404
    profile = await helene.get("/@cardiologie?lang=fr")
    assert "Rejoindre" in profile.text
    assert "Aucune attestation" not in profile.text
    await helene.post("/@cardiologie", {"do": "follow"})
    inside = await helene.get("/groups/cardiologie?lang=fr")
    assert "@helene" in inside.text
    assert "Retirer" not in inside.text
    assert "Écrire dans le groupe" in (await helene.get("/@cardiologie?lang=fr")).text
    await helene.post("/compose", {"content": "@cardiologie Bloc de branche", "audience": "public"})
    assert "Bloc de branche" in (await helene.get("/@cardiologie?lang=fr")).text
    stranger = await visitor(lyon)
    assert "Bloc de branche" in (await stranger.get("/@cardiologie")).text
    assert "Cardiologie, Lyon" in (await stranger.get("/groups")).text
    await helene.post("/@cardiologie", {"do": "unfollow"})
    assert (await helene.get("/groups/cardiologie")).status == 404


async def test_moderators_take_posts_out_and_people_off(world: World, lyon: Site) -> None:
    lille = world["lille.test"]
    group = await a_group(lyon, moderator="chef")
    await world.follow("roy@lille.test", "cardiologie@lyon.test")
    post = await lille.publishes("roy", "Achetez @cardiologie@lyon.test")
    await world.settle()
    assert await has(lyon, group, post.uri)
    chef = await visitor(lyon, "chef")
    inside = await chef.get("/groups/cardiologie")
    assert "Achetez" in inside.text
    assert "@roy@lille.test" in inside.text
    own = await lyon.copy_of(post)
    roy = await lyon.find("roy@lille.test")
    assert roy is not None
    for do, fields in (("take-out", {"post": str(own.id)}), ("ban", {"account": str(roy.id)})):
        helene = await visitor(lyon, "helene")
        assert (await helene.post("/groups/cardiologie", {"do": do, **fields})).status == 403
        assert (await chef.post("/groups/cardiologie", {"do": do, **fields})).status == 303
    await world.settle()
    assert not await has(lyon, group, post.uri)
    assert await lyon.has(post)
    assert await lille.has(post)
    assert await lille.follow_of("roy", "cardiologie@lyon.test") == ""
    there = await lille.find("cardiologie@lyon.test")
    assert there is not None
    assert not await has(lille, there, post.uri)
    again = await lille.publishes("roy", "Achetez encore @cardiologie@lyon.test")
    await world.settle()
    assert not await has(lyon, group, again.uri)
    with pytest.raises(Forbidden):
        await lille.follows("roy", "cardiologie@lyon.test")


@pytest.mark.parametrize("do", ["appoint", "dismiss", "close"])
async def test_moderators_are_appointed_by_admins_only(lyon: Site, do: str) -> None:
    await a_group(lyon, moderator="chef")
    chef = await visitor(lyon, "chef")
    answer = await chef.post("/groups/cardiologie", {"do": do, "username": "helene", "account": "1"})
    assert answer.status == 403


async def test_admins_appoint_dismiss_and_close(lyon: Site) -> None:
    group = await a_group(lyon, moderator="chef")
    admin = await visitor(lyon, "admin", role="admin")
    await lyon.member("helene")
    assert (await admin.post("/groups/cardiologie", {"do": "appoint", "username": "helene"})).status == 303
    chef = await lyon.member("chef")
    assert (await admin.post("/groups/cardiologie", {"do": "dismiss", "account": str(chef.id)})).status == 303
    async with lyon.instance.store.view() as view:
        known = await accounts.find_many(view, await groups.moderators(view, group.id))
    assert [each.username for each in known.values()] == ["helene"]
    assert (await admin.post("/groups/cardiologie", {"do": "nonsense"})).status == 400
    assert (await admin.post("/groups/cardiologie", {"do": "take-out", "post": "1"})).status == 404
    assert (await admin.post("/groups/cardiologie", {"do": "close"})).status == 303
    assert (await _status(admin, "/@cardiologie"), await _status(admin, "/groups/cardiologie")) == (410, 404)


@pytest.mark.case("M11", "M12")
async def test_of_a_closed_group_strangers_see_the_handle_and_nothing_else(lyon: Site) -> None:
    await a_closed_group(lyon, moderator="chef")
    helene, chef, gris = [await visitor(lyon, name) for name in ("helene", "chef", "gris")]
    nobody = await visitor(lyon)
    await helene.post("/@rcp", {"do": "follow"})
    assert (await helene.get("/groups/rcp")).status == 404
    inside = await chef.get("/groups/rcp")
    assert TITLE in inside.text
    assert "@helene" in inside.text
    account = await lyon.find("helene")
    assert account is not None
    assert (await helene.post("/groups/rcp", {"do": "accept", "account": str(account.id)})).status == 403
    assert (await chef.post("/groups/rcp", {"do": "accept", "account": str(account.id)})).status == 303
    assert TITLE in (await helene.get("/groups/rcp")).text
    profile = await helene.get("/@rcp")
    assert "audience=group" in profile.text
    form = await helene.get("/compose?audience=group&text=@rcp%20")
    assert 'value="group"' in form.text
    sent = await helene.post("/compose", {"content": "@rcp Hamlet", "audience": "group"})
    assert sent.status == 303
    assert "Hamlet" in (await helene.get("/@rcp")).text
    assert "Hamlet" in (await helene.get(sent.location)).text
    pages = ("/", "/groups", "/@rcp", "/@helene", "/@helene?show=posts", "/directory", sent.location.partition("#")[0])
    for outsider in (nobody, gris):
        for page in (*pages, "/groups/rcp", "/search?q=rcp"):
            text = (await outsider.get(page)).text
            assert TITLE not in text, page
            assert "Hamlet" not in text, page
        assert 'href="/@rcp"' not in (await outsider.get(f"/search?q={TITLE}")).text
        assert sent.location.partition("#")[0] not in (await outsider.get("/search?q=Hamlet")).text
    assert (await gris.get(sent.location)).status == 404
    assert (await gris.post("/compose", {"content": "@rcp Hamlet", "audience": "group"})).status == 403
    # whoever is removed sees no more than a stranger
    assert (await chef.post("/groups/rcp", {"do": "remove", "account": str(account.id)})).status == 303
    assert (await helene.get("/groups/rcp")).status == 404
    assert TITLE not in (await helene.get("/groups")).text


async def test_moderators_find_who_asks_among_their_notifications_and_answer_there(lyon: Site) -> None:
    await a_closed_group(lyon, moderator="chef")
    helene, chef, gris = [await visitor(lyon, name) for name in ("helene", "chef", "gris")]
    for answer, joined in (("refuse", 404), ("accept", 200)):
        await helene.post("/@rcp", {"do": "follow"})
        told = await chef.get("/notifications?lang=fr")
        assert "demande à rejoindre votre groupe" in told.text
        assert TITLE in told.text
        account = await lyon.find("helene")
        assert account is not None
        assert f'name="account" value="{account.id}"' in told.text
        assert TITLE not in (await gris.get("/notifications")).text
        refused = await gris.post("/groups/rcp", {"do": answer, "account": str(account.id)})
        assert refused.status == 403
        assert (await chef.post("/groups/rcp", {"do": answer, "account": str(account.id)})).status == 303
        assert TITLE not in (await chef.get("/notifications")).text
        assert (await helene.get("/groups/rcp")).status == joined


async def _status(browser: Browser, url: str) -> int:
    return (await browser.get(url)).status
