"""Lists through the client API: who sees what in which, paging, notifications, markers, conversations."""

from decimal import Decimal

import pytest

from tests.api import oracle
from tests.api.client import Client, signed_in
from tests.support.world import Site


async def written(client: Client, count: int) -> list[str]:
    """Ids, newest first."""
    ids = [(await client.post("/api/v1/statuses", {"status": f"number {n}"})).json["id"] for n in range(count)]
    return ids[::-1]


async def test_pages_follow_from_the_link_header_without_gaps(dupont: Client) -> None:
    ids = await written(dupont, 7)
    path, seen = "/api/v1/timelines/home?limit=3", []
    while path:
        page = await dupont.get(path)
        seen += [one["id"] for one in page.json]
        path = page.link("next")
    assert seen == ids
    middle = await dupont.get("/api/v1/timelines/home", limit=3, max_id=ids[2])
    assert [one["id"] for one in middle.json] == ids[3:6]
    before = await dupont.get(middle.link("prev"))
    assert [one["id"] for one in before.json] == ids[:3]
    nearest = await dupont.get("/api/v1/timelines/home", limit=2, min_id=ids[6])
    assert [one["id"] for one in nearest.json] == ids[4:6]
    newest = await dupont.get("/api/v1/timelines/home", limit=2, since_id=ids[6])
    assert [one["id"] for one in newest.json] == ids[:2]


async def test_a_link_keeps_the_rest_of_the_query(dupont: Client, anybody: Client) -> None:
    await written(dupont, 2)
    page = await anybody.get("/api/v1/timelines/public", local=True, limit=1)
    assert "local=true" in page.link("next")
    assert "limit=1" in page.link("next")


@pytest.mark.parametrize(
    "query", ["limit=x", "limit=-1", "max_id=abc", "max_id=99999999999999999999999", "min_id=1.5", "only_media=perhaps"]
)
async def test_a_page_that_cannot_be_read_is_refused(anybody: Client, query: str) -> None:
    assert (await anybody.get(f"/api/v1/timelines/public?{query}")).status == 422


async def test_a_page_is_never_longer_than_the_limit(dupont: Client) -> None:
    await written(dupont, 3)
    assert len((await dupont.get("/api/v1/timelines/home", limit=0)).json) == 1
    assert len((await dupont.get("/api/v1/timelines/home", limit=100_000)).json) == 3


@pytest.mark.case("M01")
@pytest.mark.parametrize("visibility", ["private", "direct"])
async def test_what_is_not_for_one_is_on_no_surface(
    lyon: Site, dupont: Client, anybody: Client, visibility: str
) -> None:
    friend, other = await signed_in(lyon, "friend"), await signed_in(lyon, "other")
    await friend.post(f"/api/v1/accounts/{dupont.id}/follow")
    body = {"status": "@friend the secret word is ZEBRA", "visibility": visibility}
    posted = (await dupont.post("/api/v1/statuses", body)).json
    id_, url = posted["id"], posted["uri"]
    await dupont.put(f"/api/v1/statuses/{id_}", body | {"spoiler_text": "ZEBRA too"})
    await dupont.post(f"/api/v1/statuses/{id_}/favourite")
    surfaces = (
        f"/api/v1/statuses/{id_}",
        f"/api/v1/statuses/{id_}/context",
        f"/api/v1/statuses/{id_}/history",
        f"/api/v1/statuses/{id_}/source",
        f"/api/v1/statuses/{id_}/favourited_by",
        f"/api/v1/statuses/{id_}/reblogged_by",
        f"/api/v1/polls/{id_}",
        f"/api/v1/statuses?id[]={id_}",
        "/api/v1/timelines/home",
        "/api/v1/timelines/public",
        "/api/v1/timelines/tag/zebra",
        f"/api/v1/accounts/{dupont.id}/statuses",
        f"/api/v1/accounts/{dupont.id}/statuses?pinned=true",
        "/api/v1/conversations",
        f"/api/v1/conversations/{id_}",
        "/api/v1/notifications",
        "/api/v2/notifications",
        "/api/v1/bookmarks",
        "/api/v1/favourites",
        "/api/v2/search?q=ZEBRA",
        f"/api/v2/search?q={url}",
        "/api/medfed/v1/cases",
    )
    for client in (other, anybody):
        for action in ("favourite", "reblog", "bookmark", "pin"):
            assert (await client.post(f"/api/v1/statuses/{id_}/{action}")).status in (401, 404)
        for path in surfaces:
            answer = await client.get(path)
            assert b"ZEBRA" not in answer.body, path
            assert answer.status in (200, 401, 404), path
    assert b"ZEBRA" in (await friend.get(f"/api/v1/statuses/{id_}")).body
    reply = await other.post("/api/v1/statuses", {"status": "me too", "in_reply_to_id": id_})
    assert reply.status == 404


@pytest.mark.case("M01")
async def test_what_was_kept_disappears_when_it_may_no_longer_be_read(dupont: Client, roy: Client) -> None:
    await roy.post(f"/api/v1/accounts/{dupont.id}/follow")
    id_ = (await dupont.post("/api/v1/statuses", {"status": "ZEBRA", "visibility": "private"})).json["id"]
    await roy.post(f"/api/v1/statuses/{id_}/bookmark")
    await roy.post(f"/api/v1/statuses/{id_}/favourite")
    assert len((await roy.get("/api/v1/bookmarks")).json) == 1
    assert len((await roy.get("/api/v1/favourites")).json) == 1
    await roy.post(f"/api/v1/accounts/{dupont.id}/unfollow")
    for path in ("/api/v1/bookmarks", "/api/v1/favourites", "/api/v1/timelines/home"):
        assert (await roy.get(path)).json == []


async def test_scripts_read_the_newest_id_of_a_group_without_loss(lyon: Site, dupont: Client) -> None:
    """It is a JSON number: a script that sends it back as a read marker has to send the same digits."""
    for number in range(12):
        await (await signed_in(lyon, f"fan{number}")).post(f"/api/v1/accounts/{dupont.id}/follow")
    groups = (await dupont.get("/api/v2/notifications")).json["notification_groups"]
    read = [one["most_recent_notification_id"] for one in groups]
    # Python writes a float as JavaScript does: with as few digits as tell it from its neighbours.
    assert [int(Decimal(repr(float(id_)))) for id_ in read] == read
    assert sorted(set(read), reverse=True) == read
    assert [str(id_) for id_ in read] == [one["id"] for one in (await dupont.get("/api/v1/notifications")).json]


async def test_notifications_of_one_post_form_a_group(lyon: Site, dupont: Client) -> None:
    id_ = (await dupont.post("/api/v1/statuses", {"status": "useful"})).json["id"]
    fans = [await signed_in(lyon, f"fan{number}") for number in range(3)]
    for fan in fans:
        await fan.post(f"/api/v1/statuses/{id_}/favourite")
    await fans[0].post(f"/api/v1/accounts/{dupont.id}/follow")
    whole = (await dupont.get("/api/v2/notifications")).json
    follow, likes = whole["notification_groups"]
    assert (follow["type"], likes["type"]) == ("follow", "favourite")
    assert likes["notifications_count"] == 3
    assert likes["status_id"] == id_
    assert likes["sample_account_ids"] == [fan.id for fan in fans[::-1]]
    assert [one["id"] for one in whole["statuses"]] == [id_]
    assert len(whole["accounts"]) == 3
    short = (await dupont.get("/api/v2/notifications", expand_accounts="partial_avatars")).json
    assert len(short["accounts"]) == 2
    assert [sorted(one) for one in short["partial_accounts"]] == [
        ["acct", "avatar", "avatar_description", "avatar_static", "bot", "id", "locked", "url"]
    ]
    behind = (await dupont.get(f"/api/v2/notifications/{likes['group_key']}/accounts")).json
    assert len(behind) == 3
    one = (await dupont.get(f"/api/v2/notifications/{likes['group_key']}")).json
    assert one["notification_groups"][0]["notifications_count"] == 3
    assert (await fans[0].get(f"/api/v2/notifications/{likes['group_key']}")).status == 404
    assert (await dupont.post(f"/api/v2/notifications/{likes['group_key']}/dismiss")).status == 200
    assert (await dupont.get(f"/api/v2/notifications/{likes['group_key']}")).status == 404
    assert (await dupont.get("/api/v2/notifications/nonsense")).status == 404
    assert len((await dupont.get("/api/v1/notifications")).json) == 1


async def test_a_group_stands_on_one_page_with_all_that_it_counts(either: Site) -> None:
    dupont = await signed_in(either, "dr-dupont")
    liked = (await dupont.post("/api/v1/statuses", {"status": "useful"})).json["id"]
    passed = (await dupont.post("/api/v1/statuses", {"status": "short"})).json["id"]
    for number in range(10):
        fan = await signed_in(either, f"fan{number}")
        await fan.post(f"/api/v1/statuses/{liked}/favourite")
        if number < 3:
            await fan.post(f"/api/v1/statuses/{passed}/reblog")
            await fan.post(f"/api/v1/accounts/{dupont.id}/follow")
    path, groups = "/api/v2/notifications?limit=2", []
    while path:
        page = await dupont.get(path)
        groups += page.json["notification_groups"]
        path = page.link("next")
    told = [(one["type"], one["notifications_count"]) for one in groups]
    assert told == [("favourite", 10), ("follow", 1), ("reblog", 3), ("follow", 1), ("follow", 1)]
    assert len(groups[0]["sample_account_ids"]) == 8
    assert (await dupont.get("/api/v2/notifications/unread_count")).json == {"count": 5}
    assert (await dupont.get(f"/api/v2/notifications/{groups[0]['group_key']}")).json["notification_groups"][0][
        "notifications_count"
    ] == 10
    newest = groups[0]["page_max_id"]
    assert (await dupont.get("/api/v2/notifications", since_id=newest)).json["notification_groups"] == []
    likes = (await dupont.get("/api/v2/notifications", types=["favourite"], grouped_types=["reblog"])).json
    assert {one["notifications_count"] for one in likes["notification_groups"]} == {1}
    assert len({one["group_key"] for one in likes["notification_groups"]}) == 10


async def test_notifications_are_chosen_counted_dismissed_and_cleared(dupont: Client, roy: Client) -> None:
    id_ = (await dupont.post("/api/v1/statuses", {"status": "useful"})).json["id"]
    await roy.post(f"/api/v1/statuses/{id_}/favourite")
    await roy.post(f"/api/v1/statuses/{id_}/reblog")
    await roy.post("/api/v1/statuses", {"status": "@dr-dupont thanks"})
    kinds = [one["type"] for one in (await dupont.get("/api/v1/notifications")).json]
    assert kinds == ["mention", "reblog", "favourite"]
    some = (await dupont.get("/api/v1/notifications", types=["reblog", "nonsense"])).json
    assert [one["type"] for one in some] == ["reblog"]
    rest = (await dupont.get("/api/v1/notifications", exclude_types=["reblog", "mention"])).json
    assert [one["type"] for one in rest] == ["favourite"]
    assert (await dupont.get("/api/v1/notifications", account_id="77")).json == []
    assert (await dupont.get("/api/v1/notifications/unread_count")).json == {"count": 3}
    await dupont.post("/api/v1/markers", {"notifications": {"last_read_id": some[0]["id"]}})
    assert (await dupont.get("/api/v2/notifications/unread_count")).json == {"count": 1}
    assert (await dupont.get(f"/api/v1/notifications/{some[0]['id']}")).json["type"] == "reblog"
    assert (await roy.get(f"/api/v1/notifications/{some[0]['id']}")).status == 404
    await roy.post(f"/api/v1/notifications/{some[0]['id']}/dismiss")
    assert len((await dupont.get("/api/v1/notifications")).json) == 3
    await dupont.post(f"/api/v1/notifications/{some[0]['id']}/dismiss")
    assert len((await dupont.get("/api/v1/notifications")).json) == 2
    await dupont.post("/api/v1/notifications/clear")
    assert (await dupont.get("/api/v1/notifications")).json == []


async def test_markers_remember_how_far_one_has_read(dupont: Client, roy: Client) -> None:
    assert (await dupont.get("/api/v1/markers", timeline=["home", "notifications"])).json == {}
    await dupont.form("/api/v1/markers", ("home[last_read_id]", "12"))
    again = (await dupont.post("/api/v1/markers", {"home": {"last_read_id": "34"}})).json
    assert (again["home"]["last_read_id"], again["home"]["version"]) == ("34", 2)
    assert oracle.fits("Marker", again["home"]) == []
    assert (await roy.get("/api/v1/markers", timeline=["home"])).json == {}
    assert (await dupont.post("/api/v1/markers", {"home": {"last_read_id": "x"}})).status == 422


async def test_conversations_are_for_those_in_them(lyon: Site, dupont: Client, roy: Client) -> None:
    other = await signed_in(lyon, "other")
    first = (await dupont.post("/api/v1/statuses", {"status": "@dr-roy hello", "visibility": "direct"})).json["id"]
    body = {"status": "@dr-dupont hi", "visibility": "direct", "in_reply_to_id": first}
    last = (await roy.post("/api/v1/statuses", body)).json["id"]
    (shown,) = (await dupont.get("/api/v1/conversations/")).json
    assert shown["last_status"]["id"] == last
    assert [one["id"] for one in shown["accounts"]] == [roy.id]
    assert shown["unread"] is True
    read = (await dupont.post(f"/api/v1/conversations/{shown['id']}/read")).json
    assert read["unread"] is False
    assert (await dupont.get("/api/v1/conversations")).json[0]["unread"] is False
    assert (await roy.get("/api/v1/conversations")).json[0]["unread"] is False
    assert (await other.get("/api/v1/conversations")).json == []
    assert (await other.post(f"/api/v1/conversations/{shown['id']}/read")).status == 404


async def test_clients_find_what_they_look_for_at_the_start(dupont: Client, anybody: Client) -> None:
    await dupont.post("/api/v1/statuses", {"status": "one"})
    old = (await anybody.get("/api/v1/instance/")).json
    assert old["stats"] == {"user_count": 1, "status_count": 1, "domain_count": 0}
    assert "streaming_api" not in old["urls"]
    new = (await anybody.get("/api/v2/instance/")).json
    assert new["configuration"]["statuses"]["max_characters"] == 5_000
    assert new["version"].startswith("4.3.0 (compatible; medfed ")
    assert new["configuration"]["urls"]["streaming"] is None
    for path in ("custom_emojis", "instance/rules", "trends/tags", "trends/statuses", "trends/links"):
        assert (await anybody.get(f"/api/v1/{path}")).json == []
    for path in ("v1/lists", "v2/filters", "v1/filters", "v1/followed_tags", "v1/announcements", "v1/featured_tags"):
        assert (await dupont.get(f"/api/{path}")).json == []
    assert (await dupont.get("/api/v1/push/subscription")).status == 404
    assert (await dupont.get("/api/v1/timelines/list/1")).status == 404
    assert (await anybody.get("/api/v1/tags/Sant%C3%A9")).json["name"] == "sante"
    assert (await dupont.get("/api/v2/notifications/policy")).json["for_new_accounts"] == "accept"
    assert (await anybody.get("/api/v1/nothing")).status == 404
    assert (await anybody.send("DELETE", "/api/v1/instance")).status == 405
