"""Accounts through the client API: profiles, follows, blocks, mutes, requests, search."""

import pytest

from medfed.domain.peers import Level
from tests.api.client import Client, signed_in
from tests.support.world import Site, a_world


async def test_a_member_sees_what_only_they_see_of_themselves(dupont: Client, anybody: Client) -> None:
    own = (await dupont.get("/api/v1/accounts/verify_credentials")).json
    assert own["source"]["privacy"] == "public"
    assert own["uri"] == "https://lyon.test/users/dr-dupont"
    public = (await anybody.get(f"/api/v1/accounts/{dupont.id}")).json
    assert "source" not in public
    assert public["medfed"] == {"kind": "person", "attestations": []}
    assert (await anybody.get("/api/v1/accounts/lookup", acct="dr-dupont@lyon.test")).json["id"] == dupont.id
    assert (await anybody.get("/api/v1/accounts/lookup", acct="instance.actor")).status == 404
    for picture in (public["avatar"], public["header"]):
        shown = await anybody.get(picture.removeprefix("https://lyon.test"))
        assert shown.headers["content-type"] == "image/png"


async def test_a_member_edits_their_profile_by_multipart(dupont: Client, png: bytes) -> None:
    fields = {
        "display_name": "Dr Dupont",
        "note": "Cardiologist. #ecg",
        "locked": "true",
        "fields_attributes[0][name]": "Site",
        "fields_attributes[0][value]": "https://example.org",
        "fields_attributes[1][name]": "",
        "fields_attributes[1][value]": "",
        "source[privacy]": "private",
        "source[sensitive]": "true",
        "source[language]": "fr",
    }
    edited = await dupont.upload("/api/v1/accounts/update_credentials", {"avatar": png}, fields, method="PATCH")
    assert edited.status == 200
    assert edited.json["display_name"] == "Dr Dupont"
    assert edited.json["locked"] is True
    assert edited.json["note"].startswith("<p>Cardiologist. <a")
    assert edited.json["source"]["note"] == "Cardiologist. #ecg"
    assert [field["name"] for field in edited.json["fields"]] == ["Site"]
    assert "<a href" in edited.json["fields"][0]["value"]
    assert edited.json["source"]["privacy"] == "private"
    assert "missing" not in edited.json["avatar"]
    defaults = (await dupont.get("/api/v1/preferences")).json
    assert defaults["posting:default:visibility"] == "private"
    assert defaults["posting:default:language"] == "fr"
    posted = (await dupont.post("/api/v1/statuses", {"status": "hello"})).json
    assert (posted["visibility"], posted["sensitive"], posted["language"]) == ("private", True, "fr")
    without = await dupont.delete("/api/v1/profile/avatar")
    assert "missing" in without.json["avatar"]


@pytest.mark.parametrize(
    "body",
    [
        {"display_name": "x" * 100},
        {"note": "x" * 2_000},
        {"fields_attributes": [{"name": "a", "value": "b"}] * 9},
        {"fields_attributes": ["a"]},
        {"source": {"privacy": "verified"}},
        {"source": {"language": "../.."}},
        {"locked": "maybe"},
        {"avatar": "text"},
    ],
)
async def test_a_profile_that_is_too_much_is_refused(dupont: Client, body: dict[str, object]) -> None:
    assert (await dupont.patch("/api/v1/accounts/update_credentials", body)).status == 422


async def test_following_shows_on_both_sides(dupont: Client, roy: Client, anybody: Client) -> None:
    done = (await dupont.post(f"/api/v1/accounts/{roy.id}/follow", {"reblogs": False, "notify": True})).json
    assert (done["following"], done["showing_reblogs"], done["notifying"]) == (True, False, True)
    again = (await dupont.post(f"/api/v1/accounts/{roy.id}/follow", {"notify": False})).json
    assert (again["showing_reblogs"], again["notifying"]) == (False, False)
    assert [one["id"] for one in (await roy.get(f"/api/v1/accounts/{roy.id}/followers")).json] == [dupont.id]
    assert [one["id"] for one in (await roy.get(f"/api/v1/accounts/{dupont.id}/following")).json] == [roy.id]
    assert (await anybody.get(f"/api/v1/accounts/{roy.id}/followers")).json == []
    both = (await roy.get("/api/v1/accounts/relationships", id=[dupont.id, "5"])).json
    assert [(one["id"], one["followed_by"]) for one in both] == [(dupont.id, True)]
    single = (await roy.get(f"/api/v1/accounts/relationships?id={dupont.id}")).json
    assert len(single) == 1
    repeated = await roy.get(f"/api/v1/accounts/relationships?id={dupont.id}&id={roy.id}")
    assert len(repeated.json) == 2
    told = (await roy.get("/api/v1/notifications")).json
    assert [one["type"] for one in told] == ["follow"]
    assert (await dupont.post(f"/api/v1/accounts/{roy.id}/unfollow")).json["following"] is False
    assert (await dupont.post(f"/api/v1/accounts/{dupont.id}/follow")).status == 422
    assert (await dupont.post("/api/v1/accounts/1/follow")).status == 404


async def test_whoever_wants_to_be_asked_decides(lyon: Site, dupont: Client) -> None:
    shy = await signed_in(lyon, "shy", locked=True)
    assert (await dupont.post(f"/api/v1/accounts/{shy.id}/follow")).json["requested"] is True
    asked = (await shy.get("/api/v1/follow_requests")).json
    assert [one["id"] for one in asked] == [dupont.id]
    assert (await shy.get("/api/v1/accounts/verify_credentials")).json["source"]["follow_requests_count"] == 1
    assert (await shy.post(f"/api/v1/follow_requests/{dupont.id}/authorize")).json["followed_by"] is True
    assert (await shy.post(f"/api/v1/follow_requests/{dupont.id}/authorize")).status == 404
    assert (await shy.post(f"/api/v1/follow_requests/{dupont.id}/reject")).status == 404
    removed = await shy.post(f"/api/v1/accounts/{dupont.id}/remove_from_followers")
    assert removed.json["followed_by"] is False
    await dupont.post(f"/api/v1/accounts/{shy.id}/follow")
    assert (await shy.post(f"/api/v1/follow_requests/{dupont.id}/reject")).status == 200
    assert (await shy.get("/api/v1/follow_requests")).json == []


async def test_a_block_hides_each_from_the_other(dupont: Client, roy: Client) -> None:
    id_ = (await dupont.post("/api/v1/statuses", {"status": "hello"})).json["id"]
    assert (await dupont.post(f"/api/v1/accounts/{roy.id}/block")).json["blocking"] is True
    assert (await roy.get(f"/api/v1/statuses/{id_}")).status == 404
    assert (await roy.post(f"/api/v1/accounts/{dupont.id}/follow")).status == 403
    assert (await roy.get(f"/api/v1/accounts/{dupont.id}/statuses")).json == []
    assert [one["id"] for one in (await dupont.get("/api/v1/blocks")).json] == [roy.id]
    assert (await dupont.post(f"/api/v1/accounts/{roy.id}/unblock")).json["blocking"] is False
    assert (await roy.get(f"/api/v1/statuses/{id_}")).status == 200


async def test_a_mute_empties_lists_and_ends_in_time(lyon: Site, dupont: Client, roy: Client) -> None:
    await dupont.post("/api/v1/statuses", {"status": "hello"})
    muted = await roy.post(f"/api/v1/accounts/{dupont.id}/mute", {"duration": 60, "notifications": False})
    assert (muted.json["muting"], muted.json["muting_notifications"]) == (True, False)
    assert (await roy.get("/api/v1/timelines/public")).json == []
    assert [one["id"] for one in (await roy.get("/api/v1/mutes")).json] == [dupont.id]
    lyon.world.clock.advance(61_000)
    assert len((await roy.get("/api/v1/timelines/public")).json) == 1
    await roy.post(f"/api/v1/accounts/{dupont.id}/mute")
    assert (await roy.post(f"/api/v1/accounts/{dupont.id}/unmute")).json["muting"] is False


async def test_familiar_followers_are_whom_one_follows_oneself(lyon: Site, dupont: Client, roy: Client) -> None:
    third = await signed_in(lyon, "third")
    await roy.post(f"/api/v1/accounts/{third.id}/follow")
    await dupont.post(f"/api/v1/accounts/{roy.id}/follow")
    found = (await dupont.get("/api/v1/accounts/familiar_followers", id=[third.id, roy.id])).json
    assert [(one["id"], [who["id"] for who in one["accounts"]]) for one in found] == [
        (third.id, [roy.id]),
        (roy.id, []),
    ]


async def test_accounts_are_found_by_name_and_resolved_by_handle() -> None:
    async with a_world("lyon.test", "lille.test") as world:
        lyon, lille = world["lyon.test"], world["lille.test"]
        dupont = await signed_in(lyon, "dr-dupont")
        await lille.member("dr-roy")
        post = await lille.publishes("dr-roy", "Bonjour de Lille")
        assert (await dupont.get("/api/v1/accounts/search", q="dr-du")).json[0]["acct"] == "dr-dupont"
        unknown = await dupont.get("/api/v2/search", q="@dr-roy@lille.test", type="accounts")
        assert unknown.json["accounts"] == []
        asked = await dupont.get("/api/v2/search", q="@dr-roy@lille.test", resolve=True)
        assert [one["acct"] for one in asked.json["accounts"]] == ["dr-roy@lille.test"]
        known = await dupont.get("/api/v2/search", q="dr-roy@lille.test")
        assert len(known.json["accounts"]) == 1
        followed = await dupont.get("/api/v1/accounts/search", q="dr-roy@lille.test", following=True)
        assert followed.json == []
        for url in (post.uri, post.url):
            found = await dupont.get("/api/v2/search", q=url, resolve=True)
            assert [one["uri"] for one in found.json["statuses"]] == [post.uri], url
        own = await dupont.get("/api/v2/search", q="https://lyon.test/@dr-dupont")
        assert [one["acct"] for one in own.json["accounts"]] == ["dr-dupont"]
        actor = await dupont.get("/api/v2/search", q="https://lille.test/users/dr-roy", resolve=True)
        assert [one["acct"] for one in actor.json["accounts"]] == ["dr-roy@lille.test"]


@pytest.mark.case("F09")
async def test_what_is_resolved_is_shown_only_to_whom_it_is_for() -> None:
    async with a_world("lyon.test", "lille.test") as world:
        lyon, lille = world["lyon.test"], world["lille.test"]
        dupont, other = await signed_in(lyon, "dr-dupont"), await signed_in(lyon, "other")
        await lille.judges("lyon.test", Level.FEDERATED)
        await world.follow("dr-dupont@lyon.test", "dr-roy@lille.test")
        post = await lille.publishes("dr-roy", "for followers", visibility="followers")
        await world.settle()
        assert len((await dupont.get("/api/v2/search", q=post.uri, resolve=True)).json["statuses"]) == 1
        assert (await other.get("/api/v2/search", q=post.uri, resolve=True)).json["statuses"] == []
        assert (await Client(site=lyon).get("/api/v2/search", q=post.uri, resolve=True)).status == 401


@pytest.mark.case("F09")
@pytest.mark.parametrize(
    "query",
    [
        "https://127.0.0.1/x",
        "http://localhost:22/",
        "https://lyon.test/users/nobody",
        "https://nowhere.test/users/x",
        "https://lyon.test/@",
        "https://lyon.test/@a/b/c",
        "https://",
        "http://[::1",
        "@a@127.0.0.1",
        "x@nowhere.test",
        "javascript:alert(1)",
        "%_!%' OR 1=1 --",
        '"*^()',
    ],
)
async def test_a_search_that_leads_nowhere_finds_nothing(dupont: Client, query: str) -> None:
    found = await dupont.get("/api/v2/search", q=query, resolve=True)
    assert found.status == 200
    assert found.json == {"accounts": [], "statuses": [], "hashtags": []}


@pytest.mark.case("M02")
async def test_what_may_not_be_read_is_not_found_nor_counted_nor_tagged(
    dupont: Client, roy: Client, anybody: Client
) -> None:
    for visibility in ("private", "direct"):
        await dupont.post("/api/v1/statuses", {"status": f"cholangite {visibility} #rareté", "visibility": visibility})
    seen = await roy.get("/api/v2/search", q="cholangite")
    assert seen.json["statuses"] == []
    assert (await roy.get("/api/v2/search", q="#rareté")).json["hashtags"] == []
    assert (await roy.get("/api/v1/timelines/tag/rareté")).json == []
    assert (await roy.get("/api/v1/timelines/public")).json == []
    assert (await anybody.get(f"/api/v1/accounts/{dupont.id}/statuses", tagged="rareté")).json == []
    assert len((await dupont.get("/api/v2/search", q="cholangite")).json["statuses"]) == 2
    await dupont.post("/api/v1/statuses", {"status": "open #rareté"})
    found = await roy.get("/api/v2/search", q="rare", type="hashtags")
    assert [one["name"] for one in found.json["hashtags"]] == ["rarete"]


async def test_a_report_is_filed_about_what_its_author_may_read(dupont: Client, roy: Client) -> None:
    open_ = (await dupont.post("/api/v1/statuses", {"status": "spam"})).json["id"]
    hidden = (await dupont.post("/api/v1/statuses", {"status": "x", "visibility": "direct"})).json["id"]
    body = {"account_id": dupont.id, "status_ids": [open_, hidden], "comment": "Spam", "category": "spam"}
    filed = await roy.post("/api/v1/reports/", body)
    assert filed.status == 200
    assert filed.json["status_ids"] == [open_]
    assert filed.json["target_account"]["id"] == dupont.id
    assert (await roy.post("/api/v1/reports", body | {"category": "boring"})).status == 422
    assert (await roy.post("/api/v1/reports", {"comment": "x"})).status == 422
    assert (await roy.post("/api/v1/reports", {"account_id": "7"})).status == 404


async def test_the_directory_lists_whoever_wants_to_be_found(dupont: Client, roy: Client) -> None:
    await roy.patch("/api/v1/accounts/update_credentials", {"discoverable": False})
    found = (await roy.get("/api/v1/directory", local=True)).json
    assert [one["acct"] for one in found] == ["dr-dupont"]


async def test_a_file_field_in_which_nothing_was_chosen_changes_no_picture(dupont: Client, png: bytes) -> None:
    """What a browser sends for it: a file without name and content. Phanpy's profile form does."""
    path = "/api/v1/accounts/update_credentials"
    before = (await dupont.upload(path, {"avatar": png}, method="PATCH")).json["avatar"]
    body = (
        b'--limit\r\ncontent-disposition: form-data; name="avatar"; filename=""\r\n'
        b"content-type: application/octet-stream\r\n\r\n\r\n"
        b'--limit\r\ncontent-disposition: form-data; name="note"\r\n\r\nCardiologist\r\n--limit--\r\n'
    )
    headers = {"content-type": "multipart/form-data; boundary=limit"}
    answer = await dupont.send("PATCH", path, body, headers)
    assert answer.status == 200
    assert (answer.json["source"]["note"], answer.json["avatar"]) == ("Cardiologist", before)
