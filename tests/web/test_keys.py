"""The page of keys: what signs is shown to administrators, and replaced after a second look."""

from collections.abc import AsyncIterator

import pytest

from medfed.storage import accounts
from tests.support.world import Site, a_world
from tests.web.browser import visitor

UNTOUCHED = {"main-key": "current", "ed25519-key": "current"}


@pytest.fixture
async def lyon() -> AsyncIterator[Site]:
    async with a_world("lyon.test") as world:
        yield world["lyon.test"]


async def states(site: Site, uri: str) -> dict[str, str]:
    """What has become of each key of an account, by what follows # in its id."""
    now = site.instance.here.now()
    async with site.instance.store.view() as view:
        owner = await accounts.find_by_uri(view, uri)
        assert owner is not None
        return {key.uri.partition("#")[2]: key.state(now) for key in await accounts.keys(view, owner.id)}


async def test_an_administrator_replaces_a_members_keys_after_a_second_look(lyon: Site) -> None:
    boss = await visitor(lyon, "boss", role="admin")
    member = await lyon.member("helene")
    lyon.world.clock.advance(1_000)
    page = (await boss.get("/admin/keys?member=helene")).text
    assert "of @helene" in page
    assert "main-key" in page
    form = {"whose": "member", "member": "helene", "how": "planned"}
    looked = await boss.post("/admin/keys", form | {"do": "look"})
    assert looked.status == 200
    assert "New keys for @helene?" in looked.text
    assert "shown for another week" in looked.text
    assert await states(lyon, member.uri) == UNTOUCHED
    done = await boss.post("/admin/keys", form | {"do": "rotate"})
    assert (done.status, done.location) == (303, "/admin/keys?member=helene")
    after = {"main-key": "overlapping", "ed25519-key": "overlapping"}
    assert await states(lyon, member.uri) == after | {"main-key-2": "current", "ed25519-key-2": "current"}
    assert "replaced, still shown" in (await boss.get("/admin/keys?member=helene")).text
    assert "gave @helene new keys in good time" in (await boss.get("/admin/audit")).text


@pytest.mark.case("C18")
async def test_stolen_keys_are_revoked_from_the_page_and_nobody_is_signed_out(lyon: Site) -> None:
    boss = await visitor(lyon, "boss", role="admin")
    helene = await visitor(lyon, "helene")
    form = {"whose": "member", "member": "@helene", "how": "compromised"}
    assert "revoked at once" in (await boss.post("/admin/keys", form | {"do": "look"})).text
    assert (await boss.post("/admin/keys", form | {"do": "rotate"})).status == 303
    assert (await states(lyon, f"{lyon.instance.here.uris.base}/users/helene"))["main-key"] == "revoked"
    assert (await helene.get("/settings")).status == 200
    assert "revoked the keys of @helene" in (await boss.get("/admin/audit")).text


async def test_the_keys_of_the_instance_and_of_every_account_are_replaced(lyon: Site) -> None:
    boss = await visitor(lyon, "boss", role="admin")
    member, us = await lyon.member("helene"), lyon.instance.here.uris.instance_actor
    lyon.world.clock.advance(1_000)
    assert "of the instance itself" in (await boss.get("/admin/keys")).text
    form = {"member": "", "how": "planned", "do": "rotate"}
    assert (await boss.post("/admin/keys", form | {"whose": "instance"})).status == 303
    assert (await states(lyon, us))["main-key-2"] == "current"
    assert (await states(lyon, member.uri))["main-key"] == "current"
    lyon.world.clock.advance(1_000)
    assert (await boss.post("/admin/keys", form | {"whose": "all"})).status == 303
    await lyon.worker.settle()
    assert (await states(lyon, us))["main-key-3"] == "current"
    assert (await states(lyon, member.uri))["main-key-2"] == "current"


async def test_the_page_is_french_for_who_reads_french(lyon: Site) -> None:
    await lyon.member("boss", role="admin", language="fr")
    boss = await visitor(lyon, "boss", language="fr")
    assert "Remplacer des clés" in (await boss.get("/admin/keys")).text


@pytest.mark.parametrize("name", ["nobody", "", "instance.actor", "<b>"])
async def test_whom_nobody_knows_is_given_no_keys(lyon: Site, name: str) -> None:
    boss = await visitor(lyon, "boss", role="admin")
    for do in ("look", "rotate"):
        sent = await boss.post("/admin/keys", {"whose": "member", "member": name, "how": "planned", "do": do})
        assert sent.status == 422
        assert "There is no such account here." in sent.text
        assert "<b>&" not in sent.text


@pytest.mark.parametrize("wrong", [{"whose": "them"}, {"how": "somehow"}, {"do": "it"}])
async def test_what_the_page_does_not_offer_is_refused(lyon: Site, wrong: dict[str, str]) -> None:
    boss = await visitor(lyon, "boss", role="admin")
    form = {"whose": "instance", "member": "", "how": "planned", "do": "rotate"} | wrong
    assert (await boss.post("/admin/keys", form)).status == 400
    assert await states(lyon, lyon.instance.here.uris.instance_actor) == {
        "main-key": "current",
        "ed25519-key": "current",
    }


async def test_only_administrators_see_and_replace_keys(lyon: Site) -> None:
    for role in ("member", "verifier", "moderator"):
        somebody = await visitor(lyon, f"some-{role}", role=role)
        assert (await somebody.get("/admin/keys")).status == 403
        form = {"whose": "instance", "member": "", "how": "compromised", "do": "rotate"}
        assert (await somebody.post("/admin/keys", form)).status == 403
    assert await states(lyon, lyon.instance.here.uris.instance_actor) == {
        "main-key": "current",
        "ed25519-key": "current",
    }
