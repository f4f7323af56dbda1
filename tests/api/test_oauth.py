"""Sign-in of applications: the code flow as it should go, and every way in which it must not."""

import base64
import hashlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import pytest_asyncio

from medfed.accounts import consent
from medfed.accounts.consent import Denied, DeniedToApplication
from medfed.kernel.errors import Forbidden
from tests.api.client import Answer, Client, app_token, member_of, signed_in
from tests.support.world import Site, a_world

CALLBACK = "https://app.test/cb"
VERIFIER = "v" * 60
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
PKCE = {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A registered application."""

    client: Client
    client_id: str
    secret: str

    @property
    def site(self) -> Site:
        return self.client.site

    def query(self, **changed: str) -> dict[str, str]:
        """What it sends the browser to /oauth/authorize with."""
        asked = {
            "client_id": self.client_id,
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "scope": "read write",
            "state": "s1",
        }
        return {name: value for name, value in (asked | changed).items() if value}

    async def code(self, username: str = "dr-dupont", **changed: str) -> dict[str, str]:
        """A member consents; what came back in the redirect."""
        member = await member_of(self.site, username)
        async with self.site.instance.store.transaction("consent") as tx:
            request = await consent.check_authorization_request(tx, self.query(**changed))
            url = await consent.grant(tx, self.site.instance.here, member, request)
        return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}

    async def exchange(self, code: str, **changed: str) -> Answer:
        """Exchange a code."""
        body = {
            "grant_type": "authorization_code",
            "code": code,
            "client_id": self.client_id,
            "client_secret": self.secret,
            "redirect_uri": CALLBACK,
        }
        return await self.client.form(
            "/oauth/token", *((name, value) for name, value in (body | changed).items() if value)
        )


async def register(site: Site, **changed: Any) -> App:
    client = Client(site=site)
    body = {"client_name": "An app", "redirect_uris": CALLBACK, "scopes": "read write follow"} | changed
    made = await client.post("/api/v1/apps", body)
    assert made.status == 200
    return App(client=client, client_id=made.json["client_id"], secret=made.json["client_secret"])


@pytest_asyncio.fixture
async def app(lyon: Site) -> App:
    return await register(lyon)


async def test_a_code_becomes_a_token_that_works(app: App) -> None:
    answer = await app.code()
    assert answer["state"] == "s1"
    assert answer["iss"] == "https://lyon.test"
    given = await app.exchange(answer["code"])
    assert given.status == 200
    assert given.json["scope"] == "read write"
    client = Client(site=app.site, token=given.json["access_token"])
    assert (await client.get("/api/v1/accounts/verify_credentials")).json["acct"] == "dr-dupont"
    assert (await client.get("/api/v1/apps/verify_credentials")).json["name"] == "An app"
    assert (await client.get("/oauth/userinfo")).json["preferred_username"] == "dr-dupont"


async def test_a_client_may_authenticate_with_basic(app: App) -> None:
    code = (await app.code())["code"]
    basic = base64.b64encode(f"{app.client_id}:{app.secret}".encode()).decode()
    given = await app.client.send(
        "POST",
        "/oauth/token",
        f"grant_type=authorization_code&code={code}&redirect_uri={CALLBACK}".encode(),
        {"content-type": "application/x-www-form-urlencoded", "authorization": f"Basic {basic}"},
    )
    assert given.status == 200


@pytest.mark.case("F01")
async def test_a_code_that_comes_twice_revokes_what_it_gave(app: App) -> None:
    code = (await app.code())["code"]
    first = await app.exchange(code)
    again = await app.exchange(code)
    assert (again.status, again.json["error"]) == (400, "invalid_grant")
    client = Client(site=app.site, token=first.json["access_token"])
    assert (await client.get("/api/v1/accounts/verify_credentials")).status == 401


@pytest.mark.case("F01")
async def test_a_code_is_for_the_application_that_asked_for_it(app: App) -> None:
    code = (await app.code())["code"]
    other = await register(app.site)
    refused = await app.exchange(code, client_id=other.client_id, client_secret=other.secret)
    assert (refused.status, refused.json["error"]) == (400, "invalid_grant")
    assert (await app.exchange(code)).status == 200


@pytest.mark.case("F01")
async def test_a_code_is_old_after_a_minute(app: App) -> None:
    code = (await app.code())["code"]
    app.site.world.clock.advance(60_000)
    assert (await app.exchange(code)).json["error"] == "invalid_grant"


@pytest.mark.case("F01")
@pytest.mark.parametrize(
    "uri",
    [
        "https://app.test/cb/",
        "https://app.test/cb/more",
        "https://app.test/cb?x=1",
        "https://app.test/cb#x",
        "https://app.test/CB",
        "https://sub.app.test/cb",
        "https://app.test:443/cb",
        "http://app.test/cb",
        "https://app.test.evil.test/cb",
        "https://evil.test/cb",
        "http://localhost:9/cb",
        "",
    ],
)
async def test_a_redirect_uri_is_compared_exactly(app: App, uri: str) -> None:
    async with app.site.instance.store.view() as view:
        with pytest.raises(Denied):
            await consent.check_authorization_request(view, app.query(redirect_uri=uri))
    code = (await app.code())["code"]
    assert (await app.exchange(code, redirect_uri=uri)).status == 400


@pytest.mark.case("F01")
@pytest.mark.parametrize(
    "changed",
    [
        {"code_challenge": CHALLENGE, "code_challenge_method": "plain"},
        {"code_challenge": CHALLENGE},
        {"code_challenge_method": "S256"},
        {"code_challenge": "short", "code_challenge_method": "S256"},
    ],
)
async def test_only_s256_challenges_are_taken(app: App, changed: dict[str, str]) -> None:
    async with app.site.instance.store.view() as view:
        with pytest.raises(Denied):
            await consent.check_authorization_request(view, app.query(**changed))


@pytest.mark.case("F01")
async def test_a_client_without_a_secret_must_have_used_pkce(app: App) -> None:
    plain = (await app.code())["code"]
    assert (await app.exchange(plain, client_secret="")).status == 401
    assert (await app.exchange(plain, client_secret="", code_verifier=VERIFIER)).status == 401
    code = (await app.code(**PKCE))["code"]
    assert (await app.exchange(code, client_secret="")).json["error"] == "invalid_grant"
    assert (await app.exchange(code, client_secret="", code_verifier="w" * 60)).json["error"] == "invalid_grant"
    assert (await app.exchange(code, client_secret="", code_verifier=VERIFIER)).status == 200


@pytest.mark.case("F01")
async def test_a_challenge_is_asked_of_clients_with_a_secret_too(app: App) -> None:
    code = (await app.code(**PKCE))["code"]
    assert (await app.exchange(code)).json["error"] == "invalid_grant"
    assert (await app.exchange(code, code_verifier=VERIFIER)).status == 200


async def test_a_wrong_secret_is_refused(app: App) -> None:
    code = (await app.code())["code"]
    refused = await app.exchange(code, client_secret="wrong")
    assert (refused.status, refused.json["error"]) == (401, "invalid_client")


@pytest.mark.case("F02")
@pytest.mark.parametrize(
    "changed",
    [
        {"response_type": "token"},
        {"response_type": "code token"},
        {"response_type": ""},
        {"response_mode": "fragment"},
        {"prompt": "none"},
        {"client_id": "nobody"},
        {"scope": "read admin:write"},
        {"scope": "push"},
        {"scope": "everything"},
    ],
)
async def test_what_cannot_be_asked_for_is_refused(app: App, changed: dict[str, str]) -> None:
    async with app.site.instance.store.view() as view:
        with pytest.raises(Denied):
            await consent.check_authorization_request(view, app.query(**changed))


@pytest.mark.case("F01", "F02")
@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": ""}, "invalid_request"),
        ({"scope": "everything"}, "invalid_scope"),
        ({"code_challenge": CHALLENGE, "code_challenge_method": "plain"}, "invalid_request"),
    ],
)
async def test_a_known_application_is_told_what_it_asks_wrongly(app: App, changed: dict[str, str], code: str) -> None:
    async with app.site.instance.store.view() as view:
        with pytest.raises(DeniedToApplication) as told:
            await consent.check_authorization_request(view, app.query(**changed))
        with pytest.raises(Denied) as page:
            await consent.check_authorization_request(view, app.query(**changed, redirect_uri="https://evil.test/"))
    assert not isinstance(page.value, DeniedToApplication)
    where, _, query = told.value.url(app.site.instance.here).partition("?")
    answer = parse_qs(query)
    assert where == CALLBACK
    assert (answer["error"], answer["state"], answer["iss"]) == ([code], ["s1"], ["https://lyon.test"])
    assert answer["error_description"][0]


@pytest.mark.case("F02")
@pytest.mark.parametrize(
    "grant", ["password", "implicit", "refresh_token", "urn:ietf:params:oauth:grant-type:jwt-bearer"]
)
async def test_other_grants_are_refused(app: App, grant: str) -> None:
    body = {
        "grant_type": grant,
        "client_id": app.client_id,
        "client_secret": app.secret,
        "username": "dr-dupont",
        "password": "secret",
    }
    refused = await app.client.post("/oauth/token", body)
    assert (refused.status, refused.json["error"]) == (400, "unsupported_grant_type")


async def test_a_missing_grant_is_named(app: App) -> None:
    refused = await app.client.form("/oauth/token", ("client_id", app.client_id))
    assert (refused.status, refused.json["error"]) == (400, "invalid_request")


async def test_a_refusal_names_the_scheme_and_the_reason(app: App) -> None:
    fields = (("grant_type", "client_credentials"),)
    basic = base64.b64encode(f"{app.client_id}:wrong".encode()).decode()
    body = urlencode(fields).encode()
    headers = {"content-type": "application/x-www-form-urlencoded", "authorization": f"Basic {basic}"}
    tried = await app.client.send("POST", "/oauth/token", body, headers)
    assert tried.headers["www-authenticate"] == 'Basic realm="medfed"'
    missing = await app.client.get("/api/v1/timelines/home")
    assert missing.headers["www-authenticate"] == 'Bearer realm="medfed"'
    wrong = await Client(site=app.site, token="nonsense").get("/api/v1/timelines/home")
    assert 'error="invalid_token"' in wrong.headers["www-authenticate"]
    narrow = await signed_in(app.site, "dr-dupont", "read:accounts")
    outside = await narrow.get("/api/v1/timelines/home")
    assert outside.status == 403
    assert 'error="insufficient_scope", scope="read:statuses"' in outside.headers["www-authenticate"]


@pytest.mark.case("F24")
@pytest.mark.parametrize(
    "uris",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "https://app.test/#fragment",
        "//app.test/cb",
        "/cb",
        "https:///cb",
        "https://app.test/\\cb",
        "https://app.test/" + "a" * 2_001,
        " ".join(f"https://app{number}.test/cb" for number in range(100)),
        "",
    ],
)
async def test_redirect_uris_that_lead_astray_are_not_registered(anybody: Client, uris: str) -> None:
    refused = await anybody.post("/api/v1/apps", {"client_name": "x", "redirect_uris": uris})
    assert refused.status == 422
    assert "redirect_uris" in refused.json["details"]


@pytest.mark.parametrize("uri", ["urn:ietf:wg:oauth:2.0:oob", "myapp://callback", "http://localhost:8080/cb"])
async def test_redirect_uris_of_native_applications_are_registered(anybody: Client, uri: str) -> None:
    made = await anybody.form("/api/v1/apps", ("client_name", "x"), ("redirect_uris[]", uri))
    assert made.json["redirect_uris"] == [uri]


async def test_an_application_without_redirects_gets_the_code_on_a_page(lyon: Site) -> None:
    app = await register(lyon, redirect_uris=consent.OUT_OF_BAND)
    member = await member_of(lyon, "dr-dupont")
    async with lyon.instance.store.transaction("consent") as tx:
        request = await consent.check_authorization_request(tx, app.query(redirect_uri=consent.OUT_OF_BAND))
        url = await consent.grant(tx, lyon.instance.here, member, request)
    assert url.startswith("https://lyon.test/oauth/authorize/native?code=")


async def test_a_member_who_does_not_consent_is_sent_back_with_that(app: App) -> None:
    async with app.site.instance.store.view() as view:
        request = await consent.check_authorization_request(view, app.query())
    url = consent.deny(app.site.instance.here, request)
    answer = parse_qs(urlsplit(url).query)
    assert answer["error"] == ["access_denied"]
    assert answer["state"] == ["s1"]
    assert "code" not in answer


async def test_a_state_comes_back_whole_or_the_request_is_refused(app: App) -> None:
    assert (await app.code(state="s" * consent.STATE))["state"] == "s" * consent.STATE
    with pytest.raises(Denied, match="state"):
        await app.code(state="s" * (consent.STATE + 1))


@pytest.mark.case("F24")
async def test_scopes_of_administration_are_not_granted_by_ordinary_members(lyon: Site) -> None:
    app = await register(lyon, scopes="read admin:read")
    with pytest.raises(Forbidden):
        await app.code(scope="admin:read")
    await lyon.member("chief", role="admin")
    assert "code" in await app.code("chief", scope="admin:read")


async def test_narrow_scopes_are_within_wide_ones(app: App) -> None:
    code = (await app.code(scope="read:statuses write:favourites"))["code"]
    given = await app.exchange(code)
    client = Client(site=app.site, token=given.json["access_token"])
    assert (await client.get("/api/v1/timelines/home")).status == 200
    assert (await client.post("/api/v1/statuses", {"status": "x"})).status == 403


async def test_a_revoked_token_ends_and_only_its_application_revokes_it(app: App) -> None:
    token = (await app.exchange((await app.code())["code"])).json["access_token"]
    other = await register(app.site)
    mine = {"client_id": app.client_id, "client_secret": app.secret, "token": token}
    theirs = {"client_id": other.client_id, "client_secret": other.secret, "token": token}
    client = Client(site=app.site, token=token)
    assert (await app.client.post("/oauth/revoke", theirs)).status == 400
    assert (await client.get("/api/v1/accounts/verify_credentials")).status == 200
    assert (await app.client.post("/oauth/revoke", mine)).status == 200
    assert (await client.get("/api/v1/accounts/verify_credentials")).status == 401
    assert (await app.client.post("/oauth/revoke", mine)).status == 200
    assert (await app.client.post("/oauth/revoke", mine | {"client_secret": "wrong"})).status == 401


async def test_an_application_gets_a_token_of_its_own_only_with_its_secret(app: App) -> None:
    body = {"grant_type": "client_credentials", "client_id": app.client_id, "scope": "read"}
    assert (await app.client.post("/oauth/token", body)).status == 401
    given = await app.client.post("/oauth/token", body | {"client_secret": app.secret})
    client = Client(site=app.site, token=given.json["access_token"])
    assert (await client.get("/api/v1/apps/verify_credentials")).status == 200
    assert (await client.get("/api/v1/accounts/verify_credentials")).status == 401
    wide = await app.client.post("/oauth/token", body | {"client_secret": app.secret, "scope": "push"})
    assert wide.json["error"] == "invalid_scope"


async def test_the_server_says_what_it_can_do(anybody: Client) -> None:
    said = (await anybody.get("/.well-known/oauth-authorization-server")).json
    assert said["issuer"] == "https://lyon.test"
    assert said["code_challenge_methods_supported"] == ["S256"]
    assert said["grant_types_supported"] == ["authorization_code", "client_credentials"]


SIGN_UP = {
    "username": "new-one",
    "email": "new@example.org",
    "password": "correct horse 7",
    "agreement": True,
    "locale": "fr",
}


async def test_in_the_test_mode_people_sign_up_and_sign_in_by_password() -> None:
    async with a_world("lyon.test", registration={"mode": "open", "confirm": "none"}) as world:
        lyon = world["lyon.test"]
        client = await app_token(lyon, "read write follow")
        made = await client.post("/api/v1/accounts", SIGN_UP)
        assert made.status == 200
        new = Client(site=lyon, token=made.json["access_token"])
        assert (await new.get("/api/v1/accounts/verify_credentials")).json["acct"] == "new-one"
        app = await register(lyon)
        body = {"grant_type": "password", "client_id": app.client_id, "client_secret": app.secret, "scope": "read"}
        by_name = await app.client.post("/oauth/token", body | {"username": "new-one", "password": "correct horse 7"})
        assert by_name.status == 200
        by_mail = body | {"username": "new@example.org", "password": "correct horse 7"}
        assert (await app.client.post("/oauth/token", by_mail)).status == 200
        wrong = await app.client.post("/oauth/token", body | {"username": "new-one", "password": "wrong"})
        assert (wrong.status, wrong.json["error"]) == (400, "invalid_grant")
        assert (await client.post("/api/v1/accounts", SIGN_UP)).status == 422


@pytest.mark.parametrize("mode", ["open", "approval"])
async def test_who_signs_up_waits_until_they_are_let_in(mode: str) -> None:
    async with a_world("lyon.test", registration={"mode": mode, "confirm": "email"}) as world:
        lyon = world["lyon.test"]
        client = await app_token(lyon, "read write")
        made = await client.post("/api/v1/accounts", SIGN_UP)
        new = Client(site=lyon, token=made.json["access_token"])
        assert (await new.get("/api/v1/accounts/verify_credentials")).status == 403


async def test_a_closed_instance_takes_nobody() -> None:
    async with a_world("lyon.test", registration={"mode": "closed"}) as world:
        client = await app_token(world["lyon.test"], "read write")
        assert (await client.post("/api/v1/accounts", SIGN_UP)).status == 403


@pytest.mark.parametrize(
    ("changed", "field"),
    [({"username": "a b"}, "username"), ({"email": "x"}, "email"), ({"password": "1"}, "password"),
     ({"agreement": False}, "agreement")],
)  # fmt: skip
async def test_a_sign_up_that_lacks_something_says_what(changed: dict[str, object], field: str) -> None:
    async with a_world("lyon.test", registration={"mode": "open", "confirm": "none"}) as world:
        client = await app_token(world["lyon.test"], "read write")
        refused = await client.post("/api/v1/accounts", SIGN_UP | changed)
        assert refused.status == 422
        assert field in refused.json["details"]


async def test_a_member_cannot_sign_up_others_without_the_scope(lyon: Site) -> None:
    client = await signed_in(lyon, "dr-roy", "read")
    assert (await client.post("/api/v1/accounts", SIGN_UP)).status == 403
