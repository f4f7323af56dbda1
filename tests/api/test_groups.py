"""Groups through the client API: accounts to follow and to write to by mention; closed ones keep to themselves."""

from dataclasses import replace

import pytest

from tests.api.client import Client, signed_in
from tests.federation.test_closed_groups import a_closed_group, let_in
from tests.federation.test_groups import a_group
from tests.support.world import Site


async def test_a_group_is_an_account_to_follow_and_to_mention(lyon: Site, dupont: Client) -> None:
    group = await a_group(lyon)
    shown = (await dupont.get("/api/v1/accounts/lookup", acct="cardiologie")).json
    assert (shown["group"], shown["locked"], shown["display_name"]) == (True, False, "Cardiologie, Lyon")
    assert (await dupont.post(f"/api/v1/accounts/{group.id}/follow")).json["following"] is True
    said = (await dupont.post("/api/v1/statuses", {"status": "Bloc @cardiologie", "visibility": "public"})).json
    passed = (await dupont.get(f"/api/v1/accounts/{group.id}/statuses")).json
    assert [each["reblog"]["id"] for each in passed] == [said["id"]]
    assert (await dupont.post(f"/api/v1/accounts/{group.id}/unfollow")).json["following"] is False


@pytest.mark.case("M11")
async def test_a_closed_group_is_written_to_in_private_and_hidden_from_others(lyon: Site, dupont: Client) -> None:
    group = await a_closed_group(lyon)
    gris = await signed_in(lyon, "gris")
    assert (await dupont.post(f"/api/v1/accounts/{group.id}/follow")).json["requested"] is True
    assert await let_in(lyon, "dr-dupont", group)
    said = (await dupont.post("/api/v1/statuses", {"status": "Hamlet @rcp", "visibility": "private"})).json
    assert (said["visibility"], said["medfed"]["visibility"]) == ("private", "group")
    assert (await gris.get(f"/api/v1/statuses/{said['id']}")).status == 404
    shown = (await gris.get("/api/v1/accounts/lookup", acct="rcp")).json
    assert (shown["display_name"], shown["note"], shown["followers_count"]) == ("", "", 0)
    assert (await gris.get(f"/api/v1/accounts/{group.id}/followers")).json == []
    assert (await gris.get(f"/api/v1/accounts/{dupont.id}/following")).json == []
    assert [each["acct"] for each in (await dupont.get(f"/api/v1/accounts/{dupont.id}/following")).json] == ["rcp"]
    await gris.post(f"/api/v1/accounts/{dupont.id}/follow")
    (familiar,) = (await gris.get("/api/v1/accounts/familiar_followers", id=str(group.id))).json
    assert familiar["accounts"] == []
    assert (await gris.get("/api/v1/accounts/search", q="Ophelia")).json == []


async def test_who_moderates_is_told_by_name_who_asks_to_join(lyon: Site, dupont: Client) -> None:
    group = await a_closed_group(lyon)
    chief, gris = await signed_in(lyon, "dr-chef"), await signed_in(lyon, "gris")
    await dupont.post(f"/api/v1/accounts/{group.id}/follow")
    chief = replace(chief, judged=False)  # Mastodon has no such kind
    (told,) = (await chief.get("/api/v1/notifications", types="group_request")).json
    assert (told["account"]["username"], told["medfed"]["group"]["username"]) == ("dr-dupont", "rcp")
    assert (await chief.get("/api/v1/notifications")).json == [], "clients do not know this kind"
    assert (await chief.get("/api/v1/follow_requests")).json == []
    assert (await gris.get("/api/v1/notifications", types="group_request")).json == []
    assert (await gris.get(f"/api/v1/notifications/{told['id']}")).status == 404
