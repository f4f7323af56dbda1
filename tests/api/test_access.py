"""Every route: without a token, with a wrong one, with the wrong scope, as an application, as a member, as an admin."""

import re

import pytest
from starlette.types import Message

from medfed.accounts.tokens import SCOPES
from medfed.api.calls import Line
from medfed.api.routes import ROUTES
from medfed.storage import accounts, oauth
from tests.api.client import Client, app_token, member_of, signed_in
from tests.support.world import Site

GUARDED = [line for line in ROUTES if line.who != "anyone"]
SCOPED = [line for line in ROUTES if line.scopes]
OTHER_SCOPES = "read:lists write:conversations"


def name_of(line: Line) -> str:
    return f"{line.method} {line.path}"


def path_of(line: Line) -> str:
    return re.sub(r"\{\w+\}", "7", line.path)


async def send(client: Client, line: Line) -> int:
    return (await client.send(line.method, path_of(line), None if line.method == "GET" else {})).status


def test_every_route_says_who_may_call_it_and_is_there_once() -> None:
    assert len({(line.method, line.path) for line in ROUTES}) == len(ROUTES)
    for line in ROUTES:
        assert line.says, f"{name_of(line)} does not say what it does"
        assert set(line.scopes) <= SCOPES, name_of(line)
        if line.who in ("member", "admin") and line.path != "/api/v1/announcements":
            assert line.scopes, f"{name_of(line)} needs a scope"
        if line.method != "GET" and line.path.startswith("/api/"):
            writes = all(scope.startswith(("write", "admin:write")) for scope in line.scopes)
            assert writes or line.path in ("/api/v1/apps", "/api/medfed/v1/policy/dry-run"), name_of(line)


@pytest.mark.case("F07")
async def test_without_a_token_nothing_that_needs_one_is_done(lyon: Site) -> None:
    for line in GUARDED:
        assert await send(Client(site=lyon), line) == 401, name_of(line)


@pytest.mark.case("F07")
async def test_a_wrong_token_is_worse_than_none(lyon: Site) -> None:
    for line in SCOPED:
        assert await send(Client(site=lyon, token="nonsense"), line) == 401, name_of(line)


@pytest.mark.case("F02")
async def test_a_token_in_the_query_is_not_looked_at(lyon: Site, dupont: Client, anybody: Client) -> None:
    assert (await anybody.get("/api/v1/timelines/home", access_token=dupont.token)).status == 401


@pytest.mark.case("F07")
async def test_a_token_of_another_scope_is_refused(lyon: Site) -> None:
    client = await signed_in(lyon, "dr-roy", OTHER_SCOPES)
    for line in SCOPED:
        if not set(line.scopes) & set(OTHER_SCOPES.split()):
            assert await send(client, line) == 403, name_of(line)


@pytest.mark.case("F07")
async def test_an_application_by_itself_does_nothing_for_members(lyon: Site) -> None:
    client = await app_token(lyon, "read write follow push")
    for line in GUARDED:
        if line.who == "member" and line.path != "/api/v1/announcements":
            assert await send(client, line) == 401, name_of(line)
        if line.who == "admin":
            assert await send(client, line) in (401, 403), name_of(line)


@pytest.mark.case("F07")
async def test_the_exact_scope_is_enough(lyon: Site) -> None:
    for line in SCOPED:
        if line.who == "admin":
            continue
        for scope in line.scopes:
            client = await signed_in(lyon, "dr-roy", scope)
            assert await send(client, line) not in (401, 403), f"{name_of(line)} with {scope}"


@pytest.mark.case("F07")
async def test_what_is_for_admins_is_for_nobody_else(lyon: Site) -> None:
    admin = await signed_in(lyon, "chief", "admin:read admin:write", role="admin")
    moderator = await signed_in(lyon, "warden", "admin:read admin:write", role="moderator")
    narrow = await signed_in(lyon, "chief", "read write")
    for line in ROUTES:
        if line.who == "admin":
            assert await send(moderator, line) == 403, name_of(line)
            assert await send(narrow, line) == 403, name_of(line)
            assert await send(admin, line) not in (401, 403), name_of(line)


@pytest.mark.case("F06")
async def test_a_revoked_token_ends_at_once(lyon: Site, dupont: Client) -> None:
    assert dupont.account is not None
    async with lyon.instance.store.transaction("revoke") as tx:
        await oauth.revoke_everything(tx, dupont.account.id, lyon.instance.here.now())
    assert (await dupont.get("/api/v1/accounts/verify_credentials")).status == 401


@pytest.mark.case("F05")
async def test_a_disabled_or_suspended_member_is_refused(lyon: Site, dupont: Client, roy: Client) -> None:
    assert dupont.account is not None
    assert roy.account is not None
    now = lyon.instance.here.now()
    async with lyon.instance.store.transaction("close") as tx:
        await accounts.disable(tx, dupont.account.id, now)
        await accounts.suspend(tx, roy.account.id, now)
    for client in (dupont, roy):
        for path in ("/api/v1/accounts/verify_credentials", "/api/v1/timelines/home", "/api/v1/timelines/public"):
            assert (await client.get(path)).status == 403
        assert (await client.post("/api/v1/statuses", {"status": "still here"})).status == 403


@pytest.mark.case("F22")
async def test_scripts_of_other_origins_may_call_the_api_but_never_with_cookies(anybody: Client) -> None:
    for path in ("/api/v1/instance", "/oauth/token", "/.well-known/oauth-authorization-server"):
        preflight = await anybody.send("OPTIONS", path, headers={"origin": "https://app.test"})
        assert preflight.status == 204
        assert preflight.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in preflight.headers
    shown = await anybody.get("/api/v1/instance")
    assert "Link" in shown.headers["access-control-expose-headers"]


async def test_scripts_of_other_origins_read_every_refusal(anybody: Client, dupont: Client) -> None:
    """Without the header a browser hides the whole answer, and the application can only say: failed."""
    answers = (
        await anybody.get("/api/v1/timelines/home"),
        await dupont.get("/api/v1/statuses/1"),
        await dupont.get("/api/v1/nothing-of-ours"),
        await dupont.delete("/api/v1/instance"),
        await dupont.post("/api/v1/statuses", {"status": ""}),
        await dupont.send("POST", "/oauth/token", {"grant_type": "none"}),
    )
    assert [answer.status for answer in answers] == [401, 404, 404, 405, 422, 400]
    for answer in answers:
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "Retry-After" in answer.headers["access-control-expose-headers"]
        assert answer.json["error"]


async def test_scripts_of_other_origins_read_that_something_crashed(
    lyon: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("not foreseen")

    monkeypatch.setattr("medfed.api.server.posts.count_local", broken)
    said: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        said.append(message)

    scope = {"type": "http", "method": "GET", "path": "/api/v1/instance", "query_string": b"", "headers": []}
    with pytest.raises(RuntimeError, match="not foreseen"):
        await lyon.app(scope, receive, send)
    assert said[0]["status"] == 500
    assert (b"access-control-allow-origin", b"*") in said[0]["headers"]


@pytest.mark.case("F16")
async def test_nothing_of_the_api_is_kept_by_caches(dupont: Client, anybody: Client) -> None:
    for client in (dupont, anybody):
        answer = await client.get("/api/v1/timelines/public")
        assert answer.headers["cache-control"] == "private, no-store"
        assert "Authorization" in answer.headers["vary"]
    assert (await anybody.get("/api/v1/timelines/home")).headers["cache-control"] == "private, no-store"


@pytest.mark.case("F08")
async def test_ids_of_others_lead_nowhere_and_change_nothing(lyon: Site, dupont: Client, roy: Client) -> None:
    """What Roy owns, whatever its id, is out of Dupont's reach; the state is the same afterwards."""
    hidden = (await roy.post("/api/v1/statuses", {"status": "for me", "visibility": "direct"})).json["id"]
    await dupont.post("/api/v1/statuses", {"status": "@dr-roy hello", "visibility": "direct"})
    notice = (await roy.get("/api/v1/notifications")).json[0]["id"]
    case = (
        await roy.post(
            "/api/medfed/v1/cases",
            {
                "title": "A",
                "presentation": "B",
                "question": "C",
                "specialties": ["cardiology"],
                "audience": "followers",
            },
        )
    ).json["id"]
    before = await state_of(roy, hidden)
    for line in ROUTES:
        if "{id}" not in line.path and "{group}" not in line.path:
            continue
        for id_ in (hidden, notice, case, f"ungrouped-{notice}", "0", "99999999999999999999", "x", "-1", "%00"):
            path = re.sub(r"\{(id|group)\}", id_, line.path)
            answer = await dupont.send(line.method, path, None if line.method == "GET" else {"status": "mine"})
            if answer.status == 200 and answer.json != {} and answer.json != []:
                pytest.fail(f"{line.method} {path}: {answer.body!r}")
            assert answer.status in (200, 404, 422), f"{line.method} {path}: {answer.status}"
    assert await state_of(roy, hidden) == before


async def state_of(client: Client, status_id: str) -> object:
    shown = (await client.get(f"/api/v1/statuses/{status_id}")).json
    told = (await client.get("/api/v1/notifications")).json
    cases = (await client.get("/api/medfed/v1/cases")).json
    return shown, told, cases, (await client.get("/api/v1/bookmarks")).json


async def test_a_member_without_roles_gets_no_token_for_administration(lyon: Site) -> None:
    member = await member_of(lyon, "dr-roy")
    assert member.role == "member"
    client = await app_token(lyon, "read write")
    assert (await client.get("/api/medfed/v1/policy")).status in (401, 403)
