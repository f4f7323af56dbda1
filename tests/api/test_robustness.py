"""Nothing that a caller sends is a reason for a 500, and a page costs the same whatever is on it."""

import re
from random import Random
from typing import Any
from urllib.parse import quote, urlencode

import orjson
import pytest

from medfed.api.routes import ROUTES
from medfed.storage.database import View
from tests.api.client import Client, signed_in
from tests.support.world import Site

NAMES = (
    "id", "status", "media_ids", "poll", "spoiler_text", "visibility", "sensitive", "language", "in_reply_to_id",
    "limit", "max_id", "min_id", "since_id", "q", "type", "resolve", "offset", "acct", "choices", "focus",
    "description", "file", "account_id", "status_ids", "category", "comment", "timeline", "home", "notifications",
    "types", "exclude_types", "client_name", "redirect_uris", "scopes", "website", "grant_type", "code", "client_id",
    "client_secret", "redirect_uri", "code_verifier", "scope", "token", "username", "email", "password", "agreement",
    "locale", "display_name", "note", "fields_attributes", "locked", "source", "avatar", "header", "media_attributes",
    "title", "presentation", "history", "question", "patient", "specialties", "stage", "audience", "requires",
    "consent", "outcome", "before", "specialty", "level", "rules", "deny", "peers", "version", "revoked_keys",
    "duration", "reblogs", "notify", "scheduled_at", "only_media", "tagged", "pinned",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    "", "x", "0", "-1", "1", "true", "9" * 40, "1.5", "null", "[]", "{}", "é" * 3, "日本語", "\u202e", "a\nb", "%00",
    "'\"--", "x" * 3_000, 0, -1, 2**63, 2**70, 1.5, True, None, [], {}, [[]], [{}], ["1", "2"], [1, [2]], {"a": "b"},
    {"options": ["a", "b"], "expires_in": 3600}, {"last_read_id": "1"}, {"privacy": "public"}, [{"name": "a"}],
    {"0": {"name": "a", "value": "b"}}, {"professions": [1]}, {"age_band": 3}, "https://nowhere.test/x",
    "@x@nowhere.test",
)  # fmt: skip
PARTS = ("1", "0", "x", "日本", "%2e%2e", "%0d%0aSet-Cookie:a=b", "99999999999999999999", "-1", "lille.test", "a%00b")


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_is_sent_is_answered(either: Site, png: bytes, seed: int) -> None:
    random = Random(seed)
    member = await signed_in(either, "dr-dupont", "read write follow push profile")
    admin = await signed_in(either, "chief", "read write admin:read admin:write", role="admin")
    known = (await member.post("/api/v1/statuses", {"status": "there is something"})).json["id"]
    for line in ROUTES:
        client = admin if line.who == "admin" else member
        for _ in range(3):
            path = re.sub(r"\{\w+\}", lambda _: random.choice((*PARTS, known)), line.path)
            values = {random.choice(NAMES): random.choice(VALUES) for _ in range(random.randrange(6))}
            await _send(client, random, line.method, path, values, png)


async def _send(client: Client, random: Random, method: str, path: str, values: dict[str, Any], png: bytes) -> None:
    """In a random form; the client fails on every 5xx."""
    flat = [(name, str(value)) for name, value in values.items()]
    kind = random.randrange(4)
    if method == "GET" or kind == 0:
        await client.send(method, f"{path}?{urlencode(flat)}")
    elif kind == 1:
        body = orjson.dumps({name: value for name, value in values.items() if not _is_huge(value)})
        await client.send(method, path, body, {"content-type": "application/json"})
    elif kind == 2:
        pairs = [(f"{name}{random.choice(('', '[]', '[a]', '[][b]', '[0][c]'))}", value) for name, value in flat]
        await client.form(path, *pairs, method=method)
    else:
        files = {random.choice(NAMES): png} if random.randrange(2) else {}
        fields = {name: value.replace("\n", " ") for name, value in flat}
        await client.upload(path, files, fields, method=method)


def _is_huge(value: object) -> bool:
    return isinstance(value, int) and value >= 2**63


async def test_everything_works_on_both_engines(either: Site) -> None:
    dupont, roy = await signed_in(either, "dr-dupont"), await signed_in(either, "dr-roy")
    assert (await roy.post(f"/api/v1/accounts/{dupont.id}/follow")).json["following"] is True
    poll = {"options": ["a", "b"], "expires_in": 3600}
    body = {"status": "@dr-roy which? #ecg", "poll": poll, "visibility": "private"}
    id_ = (await dupont.post("/api/v1/statuses", body, idempotency_key="k")).json["id"]
    assert (await dupont.post("/api/v1/statuses", body, idempotency_key="k")).json["id"] == id_
    assert (await roy.post(f"/api/v1/polls/{id_}/votes", {"choices": [0]})).json["voted"] is True
    for deed in ("favourite", "bookmark"):
        assert (await roy.post(f"/api/v1/statuses/{id_}/{deed}")).status == 200
    direct = (await roy.post("/api/v1/statuses", {"status": "@dr-dupont psst", "visibility": "direct"})).json["id"]
    open_ = (await roy.post("/api/v1/statuses", {"status": "for all #ecg"})).json["id"]
    assert (await dupont.post(f"/api/v1/statuses/{open_}/reblog")).json["reblog"]["id"] == open_
    case = {
        "title": "A",
        "presentation": "B",
        "question": "C",
        "specialties": ["cardiology"],
        "audience": "public",
    }
    case_id = (await dupont.post("/api/medfed/v1/cases", case)).json["id"]
    assert [one["id"] for one in (await roy.get("/api/medfed/v1/cases", specialty="cardiology")).json] == [case_id]
    for path in (
        "/api/v1/timelines/home",
        "/api/v1/timelines/public",
        "/api/v1/timelines/tag/ecg",
        "/api/v1/notifications",
        "/api/v2/notifications",
        f"/api/v1/accounts/{roy.id}/statuses?exclude_replies=true&exclude_reblogs=true&tagged=ecg",
        "/api/v1/accounts/search?q=dr-",
        "/api/v1/directory",
    ):
        assert (await dupont.get(path)).json, path
    for path in ("/api/v1/bookmarks", "/api/v1/favourites"):
        assert [one["id"] for one in (await roy.get(path)).json] == [id_], path
    (conversation,) = (await dupont.get("/api/v1/conversations")).json
    assert conversation["last_status"]["id"] == direct
    assert (await dupont.post(f"/api/v1/conversations/{conversation['id']}/read")).json["unread"] is False
    assert len((await dupont.get("/api/v2/search", q="ecg")).json["hashtags"]) == 1
    assert (await roy.get("/api/v1/accounts/familiar_followers", id=[dupont.id])).json[0]["accounts"] == []
    assert (await dupont.delete(f"/api/v1/statuses/{id_}")).status == 200


@pytest.mark.parametrize(
    "body",
    [
        b"--limit",
        b"--limit\r\n",
        b"--limit\r\nContent-Disposition: form-data\r\n\r\nx\r\n--limit--\r\n",
        b'--limit\r\nContent-Disposition: form-data; name="status"\r\n\r\na\0b\r\n--limit--\r\n',
        b"nonsense",
    ],
)
async def test_a_broken_multipart_form_is_refused(dupont: Client, body: bytes) -> None:
    sent = {"content-type": "multipart/form-data; boundary=limit"}
    assert (await dupont.send("POST", "/api/v1/statuses", body, sent)).status in (400, 422)
    none = await dupont.send("POST", "/api/v1/statuses", body, {"content-type": "multipart/form-data"})
    assert none.status == 400


@pytest.mark.case("F15")
async def test_links_are_under_our_own_origin_whatever_the_host_header_says(dupont: Client, anybody: Client) -> None:
    await dupont.post("/api/v1/statuses", {"status": "#日本"})
    page = await anybody.send("GET", "/api/v1/timelines/tag/日本", headers={"host": "evil.test/x?"})
    assert page.headers["link"].startswith(f"<https://lyon.test/api/v1/timelines/tag/{quote('日本')}?")


async def test_a_key_whose_status_was_deleted_makes_a_new_one(dupont: Client) -> None:
    first = (await dupont.post("/api/v1/statuses", {"status": "a"}, idempotency_key="k")).json["id"]
    await dupont.delete(f"/api/v1/statuses/{first}")
    second = await dupont.post("/api/v1/statuses", {"status": "a"}, idempotency_key="k")
    assert second.status == 200
    assert second.json["id"] != first


@pytest.mark.parametrize(
    "path", ["/api/v1/timelines/home", "/api/v1/notifications", "/api/v2/notifications", "/api/v1/bookmarks"]
)
async def test_a_page_costs_the_same_whatever_is_on_it(
    lyon: Site, dupont: Client, roy: Client, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    await roy.post(f"/api/v1/accounts/{dupont.id}/follow")
    for number in range(12):
        body = {"status": f"@dr-roy number {number} #tag", "poll": {"options": ["a", "b"], "expires_in": 3600}}
        id_ = (await dupont.post("/api/v1/statuses", body)).json["id"]
        await roy.post(f"/api/v1/statuses/{id_}/bookmark")
    counted = 0
    every = View.all
    one = View.one_or_none

    async def all_(self: View, *arguments: Any, **named: Any) -> Any:
        nonlocal counted
        counted += 1
        return await every(self, *arguments, **named)

    async def one_or_none(self: View, *arguments: Any, **named: Any) -> Any:
        nonlocal counted
        counted += 1
        return await one(self, *arguments, **named)

    monkeypatch.setattr(View, "all", all_)
    monkeypatch.setattr(View, "one_or_none", one_or_none)
    costs = []
    for limit in (2, 10):
        counted = 0
        assert len((await roy.get(path, limit=limit)).body) > 1_000
        costs.append(counted)
    assert costs[0] == costs[1]
    assert costs[0] <= 24
