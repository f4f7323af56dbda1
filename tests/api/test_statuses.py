"""Statuses through the client API: posted, read, edited, deleted, liked, passed on; and refused."""

import pytest

from tests.api.client import Client
from tests.support.world import Site


async def test_a_status_is_posted_and_shown_in_the_home_of_its_author(dupont: Client) -> None:
    posted = await dupont.post("/api/v1/statuses", {"status": "Bonjour #Santé", "language": "fr"})
    assert posted.status == 200
    status = posted.json
    assert status["content"].startswith("<p>Bonjour ")
    assert (status["visibility"], status["language"]) == ("public", "fr")
    assert [tag["name"] for tag in status["tags"]] == ["sante"]
    assert status["id"].isdigit()
    assert status["account"]["id"] == dupont.id
    home = await dupont.get("/api/v1/timelines/home")
    assert [one["id"] for one in home.json] == [status["id"]]


async def test_forms_and_trailing_slashes_do_as_well_as_json(dupont: Client) -> None:
    posted = await dupont.form(
        "/api/v1/statuses/",
        ("status", "Which?"),
        ("poll[options][]", "A"),
        ("poll[options][]", "B"),
        ("poll[expires_in]", "3600"),
        ("poll[multiple]", "true"),
    )
    assert posted.status == 200
    poll = posted.json["poll"]
    assert [option["title"] for option in poll["options"]] == ["A", "B"]
    assert poll["multiple"] is True
    assert (await dupont.get(f"/api/v1/statuses/{posted.json['id']}/")).status == 200


async def test_the_same_idempotency_key_gives_the_same_status(dupont: Client, roy: Client) -> None:
    first = await dupont.post("/api/v1/statuses", {"status": "once"}, idempotency_key="k1")
    again = await dupont.post("/api/v1/statuses", {"status": "once"}, idempotency_key="k1")
    other = await roy.post("/api/v1/statuses", {"status": "once"}, idempotency_key="k1")
    assert first.json["id"] == again.json["id"] != other.json["id"]
    listed = await dupont.get(f"/api/v1/accounts/{dupont.id}/statuses")
    assert len(listed.json) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"status": ""}, "status"),
        ({"status": "x" * 5_001}, "status"),
        ({"status": "x", "visibility": "secret"}, "visibility"),
        ({"status": "x", "scheduled_at": "2030-01-01T00:00:00Z"}, "scheduled_at"),
        ({"status": "x", "quoted_status_id": "1"}, "quoted_status_id"),
        ({"status": "x", "quote_approval_policy": "friends"}, "quote_approval_policy"),
        ({"status": "x", "interaction_policy": {"can_reply": {"always": ["x"]}}}, "interaction_policy.can_reply"),
        ({"status": "x", "media_ids": ["99"]}, "media_ids"),
        ({"status": "x", "media_ids": ["a"]}, "media_ids"),
        ({"status": "x", "poll": {"options": ["a", "b"], "expires_in": 1}}, "poll.expires_in"),
        ({"status": "x", "poll": {"options": ["a", "a"]}}, "poll.options"),
        ({"status": "x", "poll": "a"}, "poll"),
        ({"status": ["a", {"b": 1}]}, "status"),
        ({"status": "x", "sensitive": "perhaps"}, "sensitive"),
    ],
)
async def test_what_cannot_be_published_is_named(dupont: Client, body: dict[str, object], field: str) -> None:
    refused = await dupont.post("/api/v1/statuses", body)
    assert refused.status == 422
    assert field in refused.json["details"]


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b'{"status": "a\\u0000b"}', b"\xff"])
async def test_what_cannot_be_read_is_refused(dupont: Client, body: bytes) -> None:
    refused = await dupont.send("POST", "/api/v1/statuses", body, {"content-type": "application/json"})
    assert refused.status == 400


async def test_a_body_of_another_kind_is_refused(dupont: Client) -> None:
    assert (await dupont.send("POST", "/api/v1/statuses", b"x", {"content-type": "text/xml"})).status == 415


async def test_a_body_that_is_too_large_is_refused(dupont: Client) -> None:
    body = b"status=" + b"a" * (1024 * 1024)
    sent = {"content-type": "application/x-www-form-urlencoded"}
    assert (await dupont.send("POST", "/api/v1/statuses", body, sent)).status == 413


async def test_a_mention_of_a_member_becomes_a_link_and_a_notification(dupont: Client, roy: Client) -> None:
    posted = await dupont.post("/api/v1/statuses", {"status": "@dr-roy @nobody and @x@far.test"})
    assert [one["acct"] for one in posted.json["mentions"]] == ["dr-roy"]
    assert "@nobody" in posted.json["content"]
    told = await roy.get("/api/v1/notifications")
    assert [(one["type"], one["status"]["id"]) for one in told.json] == [("mention", posted.json["id"])]


async def test_an_edit_keeps_the_earlier_version(dupont: Client, roy: Client) -> None:
    id_ = (await dupont.post("/api/v1/statuses", {"status": "frist"})).json["id"]
    edited = await dupont.put(f"/api/v1/statuses/{id_}", {"status": "first", "spoiler_text": "typo"})
    assert edited.json["content"] == "<p>first</p>"
    assert edited.json["edited_at"] is not None
    assert edited.json["sensitive"] is True
    history = (await roy.get(f"/api/v1/statuses/{id_}/history")).json
    assert [one["content"] for one in history] == ["<p>frist</p>", "<p>first</p>"]
    source = (await dupont.get(f"/api/v1/statuses/{id_}/source")).json
    assert source == {"id": id_, "text": "first", "spoiler_text": "typo"}


async def test_earlier_versions_do_not_show_the_files_and_polls_of_today(dupont: Client, png: bytes) -> None:
    file = (await dupont.upload("/api/v2/media", {"file": png}, {"description": "An ECG"})).json["id"]
    id_ = (await dupont.post("/api/v1/statuses", {"status": "an ECG follows"})).json["id"]
    await dupont.put(f"/api/v1/statuses/{id_}", {"status": "an ECG", "media_ids": [file]})
    before, after = (await dupont.get(f"/api/v1/statuses/{id_}/history")).json
    assert before["media_attachments"] == []
    assert [one["description"] for one in after["media_attachments"]] == ["An ECG"]
    poll = {"options": ["aspirin", "nothing"], "expires_in": 3_600}
    asked = (await dupont.post("/api/v1/statuses", {"status": "Which?", "poll": poll})).json["id"]
    (only,) = (await dupont.get(f"/api/v1/statuses/{asked}/history")).json
    assert only["poll"] == {"options": [{"title": "aspirin"}, {"title": "nothing"}]}


async def test_a_deleted_status_is_gone_and_its_text_is_handed_back(dupont: Client) -> None:
    id_ = (await dupont.post("/api/v1/statuses", {"status": "Oops @nobody"})).json["id"]
    deleted = await dupont.delete(f"/api/v1/statuses/{id_}")
    assert deleted.json["text"] == "Oops @nobody"
    assert (await dupont.get(f"/api/v1/statuses/{id_}")).status == 404


async def test_a_thread_has_what_is_above_and_below(dupont: Client, roy: Client) -> None:
    root = (await dupont.post("/api/v1/statuses", {"status": "root"})).json["id"]
    middle = (await roy.post("/api/v1/statuses", {"status": "middle", "in_reply_to_id": root})).json
    leaf = (await dupont.post("/api/v1/statuses", {"status": "leaf", "in_reply_to_id": middle["id"]})).json["id"]
    thread = (await dupont.get(f"/api/v1/statuses/{middle['id']}/context")).json
    assert [one["id"] for one in thread["ancestors"]] == [root]
    assert [one["id"] for one in thread["descendants"]] == [leaf]
    assert middle["in_reply_to_account_id"] == dupont.id


@pytest.mark.parametrize(
    ("do", "undo", "shows", "counts"),
    [
        ("favourite", "unfavourite", "favourited", "favourites_count"),
        ("reblog", "unreblog", "reblogged", "reblogs_count"),
        ("bookmark", "unbookmark", "bookmarked", None),
    ],
)
async def test_what_is_done_with_a_status_shows_and_can_be_taken_back(
    dupont: Client, roy: Client, do: str, undo: str, shows: str, counts: str | None
) -> None:
    id_ = (await dupont.post("/api/v1/statuses", {"status": "hello"})).json["id"]
    assert (await roy.post(f"/api/v1/statuses/{id_}/{do}")).status == 200
    assert (await roy.post(f"/api/v1/statuses/{id_}/{do}")).status == 200
    seen = (await roy.get(f"/api/v1/statuses/{id_}")).json
    assert seen[shows] is True
    assert counts is None or seen[counts] == 1
    assert (await dupont.get(f"/api/v1/statuses/{id_}")).json[shows] is False
    undone = await roy.post(f"/api/v1/statuses/{id_}/{undo}")
    assert undone.json[shows] is False
    assert counts is None or undone.json[counts] == 0


async def test_a_boost_shows_what_it_passes_on(dupont: Client, roy: Client) -> None:
    id_ = (await dupont.post("/api/v1/statuses", {"status": "hello", "spoiler_text": "CW"})).json["id"]
    boost = (await roy.post(f"/api/v1/statuses/{id_}/reblog")).json
    assert boost["account"]["id"] == roy.id
    assert boost["reblog"]["id"] == id_
    assert boost["content"] == boost["reblog"]["content"]
    assert boost["spoiler_text"] == "CW"
    who = (await dupont.get(f"/api/v1/statuses/{id_}/reblogged_by")).json
    assert [one["id"] for one in who] == [roy.id]


async def test_what_is_for_followers_cannot_be_passed_on_by_them(dupont: Client, roy: Client) -> None:
    await roy.post(f"/api/v1/accounts/{dupont.id}/follow")
    id_ = (await dupont.post("/api/v1/statuses", {"status": "hello", "visibility": "private"})).json["id"]
    assert (await roy.get(f"/api/v1/statuses/{id_}")).status == 200
    assert (await roy.post(f"/api/v1/statuses/{id_}/reblog")).status == 403


async def test_only_ones_own_open_statuses_are_pinned(dupont: Client, roy: Client) -> None:
    id_ = (await dupont.post("/api/v1/statuses", {"status": "hello"})).json["id"]
    assert (await dupont.post(f"/api/v1/statuses/{id_}/pin")).json["pinned"] is True
    pinned = await roy.get(f"/api/v1/accounts/{dupont.id}/statuses", pinned=True)
    assert [one["id"] for one in pinned.json] == [id_]
    assert (await roy.post(f"/api/v1/statuses/{id_}/pin")).status == 422
    assert (await dupont.post(f"/api/v1/statuses/{id_}/unpin")).json["pinned"] is False


async def test_a_poll_is_answered_once(dupont: Client, roy: Client) -> None:
    body = {"status": "Which?", "poll": {"options": ["A", "B"], "expires_in": 3600}}
    id_ = (await dupont.post("/api/v1/statuses", body)).json["poll"]["id"]
    before = (await roy.get(f"/api/v1/polls/{id_}")).json
    assert (before["voted"], before["own_votes"]) == (False, [])
    after = (await roy.post(f"/api/v1/polls/{id_}/votes", {"choices": ["1"]})).json
    assert (after["voted"], after["own_votes"], after["votes_count"]) == (True, [1], 1)
    assert (await roy.post(f"/api/v1/polls/{id_}/votes", {"choices": [0]})).status == 422
    assert (await dupont.post(f"/api/v1/polls/{id_}/votes", {"choices": [0]})).status == 422
    assert (await roy.post(f"/api/v1/polls/{id_}/votes", {"choices": ["x"]})).status == 422
    plain = (await dupont.post("/api/v1/statuses", {"status": "none"})).json["id"]
    assert (await roy.get(f"/api/v1/polls/{plain}")).status == 404


async def test_an_upload_is_described_attached_once_and_then_no_longer_found(
    dupont: Client, roy: Client, png: bytes
) -> None:
    fields = {"description": "A plain square", "focus": "0.5,-0.5"}
    one = await dupont.upload("/api/v2/media", {"file": png}, fields)
    assert one.status == 200
    assert one.json["meta"]["focus"] == {"x": 0.5, "y": -0.5}
    id_ = one.json["id"]
    assert (await roy.get(f"/api/v1/media/{id_}")).status == 404
    assert (await roy.put(f"/api/v1/media/{id_}", {"description": "mine now"})).status == 404
    changed = await dupont.put(f"/api/v1/media/{id_}", {"description": "Still a square"})
    assert changed.json["description"] == "Still a square"
    assert changed.json["meta"]["focus"] == {"x": 0.5, "y": -0.5}
    stolen = await roy.post("/api/v1/statuses", {"status": "mine", "media_ids": [id_]})
    assert stolen.status == 422
    posted = await dupont.post("/api/v1/statuses", {"status": "look", "media_ids": [id_]})
    assert [file["description"] for file in posted.json["media_attachments"]] == ["Still a square"]
    assert (await dupont.get(f"/api/v1/media/{id_}")).status == 404
    again = await dupont.post("/api/v1/statuses", {"status": "again", "media_ids": [id_]})
    assert again.status == 422
    edit = {"status": "look", "media_ids": [id_], "media_attributes": [{"id": id_, "description": "New words"}]}
    edited = await dupont.put(f"/api/v1/statuses/{posted.json['id']}", edit)
    assert [file["description"] for file in edited.json["media_attachments"]] == ["New words"]


@pytest.mark.parametrize("focus", ["2,0", "nan,0", "1", "a,b", "inf,-inf"])
async def test_a_focal_point_outside_the_image_is_refused(dupont: Client, png: bytes, focus: str) -> None:
    assert (await dupont.upload("/api/v2/media", {"file": png}, {"focus": focus})).status == 422


async def test_an_upload_needs_a_file_that_is_an_image(dupont: Client) -> None:
    assert (await dupont.upload("/api/v2/media", {}, {"description": "x"})).status == 422
    assert (await dupont.upload("/api/v2/media", {"file": b"%PDF-1.7 ..."})).status == 415
    assert (await dupont.form("/api/v2/media", ("file", "text"))).status == 422


async def test_statuses_by_id_leave_out_what_may_not_be_read(lyon: Site, dupont: Client, roy: Client) -> None:
    open_ = (await dupont.post("/api/v1/statuses", {"status": "open"})).json["id"]
    closed = (await dupont.post("/api/v1/statuses", {"status": "closed", "visibility": "direct"})).json["id"]
    found = await roy.get("/api/v1/statuses", id=[closed, open_, "1"])
    assert [one["id"] for one in found.json] == [open_]
