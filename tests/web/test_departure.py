"""What members do in their settings to move to another account, or to leave for good."""

from collections.abc import AsyncIterator

import pytest

from medfed.kernel.errors import NotFound
from tests.support.world import Site, a_world
from tests.web.browser import PASSWORD, visitor
from tests.web.test_forms import picture


@pytest.fixture
async def lyon() -> AsyncIterator[Site]:
    async with a_world("lyon.test") as world:
        yield world["lyon.test"]


async def test_a_member_moves_to_an_account_that_names_this_one(lyon: Site) -> None:
    browser, other = await visitor(lyon, "helene"), await visitor(lyon, "helene-2")
    move = {"target": "@helene-2", "move_password": PASSWORD}
    assert "does not name this one" in (await browser.post("/settings/move", move)).text
    assert (await other.post("/settings/aliases", {"alias": "@helene"})).status == 303
    assert "/users/helene<" in (await other.get("/settings")).text
    wrong = await browser.post("/settings/move", move | {"move_password": "no"})
    assert wrong.status == 422
    assert (await browser.post("/settings/move", move)).status == 303
    assert "@helene-2@" in (await other.get("/@helene")).text
    assert "has moved" in (await other.get("/@helene")).text
    assert (await browser.post("/settings/move", {"do": "back"})).status == 303
    again = await browser.post("/settings/move", move)
    assert "less than 30 days" in again.text
    (alias,) = (await lyon.member("helene-2")).also_known_as
    assert (await other.post("/settings/aliases", {"remove": alias})).status == 303
    assert (await lyon.member("helene-2")).also_known_as == ()


@pytest.mark.parametrize("typed", ["", "nobody at all", "@helene", "@nobody", "@x@127.0.0.1", "https://127.0.0.1/x"])
async def test_an_alias_that_cannot_be_is_refused_in_words(lyon: Site, typed: str) -> None:
    browser = await visitor(lyon, "helene")
    answer = await browser.post("/settings/aliases", {"alias": typed})
    assert answer.status == 422
    assert 'id="alias-error"' in answer.text


async def test_a_member_leaves_with_their_password_and_on_purpose(lyon: Site) -> None:
    browser, elsewhere = await visitor(lyon, "helene"), await visitor(lyon, "helene")
    reader = await visitor(lyon, "yanis")
    await browser.post("/settings", {"display_name": "Hélène"}, files={"avatar": picture()})
    (picture_key,) = {(await lyon.member("helene")).avatar}
    assert (await browser.post("/settings/delete", {"delete_password": "no", "sure": "1"})).status == 422
    assert (await browser.post("/settings/delete", {"delete_password": PASSWORD})).status == 422
    assert (await reader.get("/@helene")).status == 200
    assert (await browser.post("/settings/delete", {"delete_password": PASSWORD, "sure": "1"})).status == 303
    await lyon.world.settle()
    for one in (browser, elsewhere):
        assert (await one.get("/settings")).status == 303
    assert (await reader.get("/@helene")).status == 410
    assert (await reader.get(f"/media/{picture_key}")).status == 404
    with pytest.raises(NotFound):
        await lyon.instance.blobs.read(picture_key)
