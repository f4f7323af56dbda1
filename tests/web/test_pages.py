"""Every page for every kind of visitor: who may open it, what browsers are told, and that nonsense breaks none."""

import re
from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medfed.domain.posts import Post
from medfed.web.door import Line
from medfed.web.routes import PAGES
from medfed.web.sent import own_path
from medfed.web.visit import Access
from tests.support.world import Site, World, a_world
from tests.web.browser import PASSWORD, Browser, visitor

ROLES: Final = ("", "member", "verifier", "moderator", "admin")


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with a_world("lyon.test") as made:
        yield made


@pytest.fixture
async def lyon(world: World) -> Site:
    return world["lyon.test"]


def opens(access: Access, role: str) -> bool:
    """Whether somebody of this role ('' is a stranger) may open such a page."""
    allowed = {
        Access.ANYBODY: ROLES,
        Access.MEMBER: ROLES[1:],
        Access.VERIFIER: ("verifier", "admin"),
        Access.MODERATOR: ("moderator", "admin"),
        Access.STAFF: ("verifier", "moderator", "admin"),
        Access.ADMIN: ("admin",),
    }
    return role in allowed[access]


def address(line: Line, post: Post) -> str:
    """A path of this line that exists, or one that could."""
    return line.path.replace("{handle}", "helene").replace("{id}", str(post.id)).replace("{tag}", "ecg")


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.case("F07", "F16")
async def test_every_page_opens_for_those_it_is_for_and_for_nobody_else(lyon: Site, role: str) -> None:
    post = await lyon.publishes("helene", "Un #ecg pour la fin de garde")
    browser = await visitor(lyon, f"the-{role}" if role else "", role=role or "member")
    for line in PAGES:
        if line.method != "GET":
            continue
        url = address(line, post)
        answer = await browser.get(url)
        assert answer.status < 500, url
        if opens(line.access, role):
            assert answer.status in (200, 302, 303, 400, 401, 404), (url, answer.status)
            assert not answer.location.startswith("/sign-in"), url
        elif role:
            assert answer.status == 403, url
        else:
            assert answer.status == 303
            assert answer.location.startswith("/sign-in?next="), url
        if role:
            assert answer.header("cache-control") == "private, no-store", url
        assert "Cookie" in answer.header("vary"), url
        assert "default-src 'none'" in answer.header("content-security-policy"), url
        assert "unsafe" not in answer.header("content-security-policy")


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.case("F07", "F13")
async def test_every_form_is_refused_without_the_right_role_or_the_right_token(lyon: Site, role: str) -> None:
    post = await lyon.publishes("helene", "Un #ecg pour la fin de garde")
    browser = await visitor(lyon, f"the-{role}" if role else "", role=role or "member")
    for line in PAGES:
        if line.method != "POST":
            continue
        url = address(line, post)
        foreign = await browser.post(url, {}, sec_fetch_site="cross-site")
        other = await browser.post(url, {}, origin="https://evil.example")
        opaque = await browser.post(url, {}, origin="null")
        if opens(line.access, role):
            assert {foreign.status, other.status, opaque.status} == {403}, url
        else:
            assert {foreign.status, other.status, opaque.status} <= {303, 403}, url
        if role:
            assert (await browser.post(url, {}, token="not-the-token")).status == 403, url
            assert (await browser.post(url, {}, token="")).status == 403, url
    assert (await lyon.copy_of(post)).likes_count == 0


async def test_only_the_way_to_consent_keeps_the_window_that_opened_it(lyon: Site) -> None:
    """Applications open it in a pop-up, and take it for closed when it is cut off from them."""
    stranger = await visitor(lyon)
    for path, status in (("/oauth/authorize?client_id=x", 303), ("/sign-in?next=/oauth/authorize", 200)):
        answer = await stranger.get(path)
        assert (answer.status, answer.header("cross-origin-opener-policy")) == (status, "unsafe-none")
        assert answer.header("x-frame-options") == "DENY"
    assert (await stranger.get("/")).header("cross-origin-opener-policy") == "same-origin"


@pytest.mark.case("F16", "F18")
async def test_pages_carry_the_headers_that_browsers_keep_them_safe_by(lyon: Site) -> None:
    answer = await (await visitor(lyon)).get("/about")
    assert answer.header("x-content-type-options") == "nosniff"
    assert answer.header("referrer-policy") == "same-origin"
    assert answer.header("cross-origin-opener-policy") == "same-origin"
    assert answer.header("cross-origin-resource-policy") == "same-origin"
    assert "max-age=31536000" in answer.header("strict-transport-security")
    policy = answer.header("content-security-policy")
    for part in ("frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'", "script-src 'self'"):
        assert part in policy


async def test_a_stranger_reads_the_pages_in_the_language_of_their_browser(lyon: Site) -> None:
    french = await (await visitor(lyon, language="fr-FR,fr;q=0.9")).get("/sign-in")
    english = await (await visitor(lyon, language="en")).get("/sign-in")
    assert '<html lang="fr"' in french.text
    assert "Entre soignants" in french.text
    assert '<html lang="en"' in english.text
    assert "Among clinicians" in english.text


async def test_a_stranger_can_choose_the_language_and_keeps_it(lyon: Site) -> None:
    browser = await visitor(lyon, language="en")
    assert '<html lang="fr"' in (await browser.get("/about?lang=fr")).text
    assert '<html lang="fr"' in (await browser.get("/about")).text
    assert '<html lang="en"' in (await browser.get("/about?lang=xx")).text or browser.cookies


@pytest.mark.parametrize(
    "url", ["/nothing", "/@nobody", "/@a@b@c", "/@helene/1", "/cases/0", "/cases/x", "/credentials/1"]
)
async def test_what_is_not_there_is_a_page_that_says_so(lyon: Site, url: str) -> None:
    await lyon.member("helene")
    answer = await (await visitor(lyon, language="fr")).get(url)
    assert answer.status == 404
    assert "n’existe pas, ou pas pour vous" in answer.text
    assert "noindex" in answer.text


async def test_programs_are_refused_without_a_page(lyon: Site) -> None:
    answer = await (await visitor(lyon)).get("/nothing", accept="application/activity+json")
    assert answer.status == 404
    assert answer.header("content-type") == "application/json"


async def test_peers_that_ask_for_a_page_are_led_to_the_document(lyon: Site) -> None:
    post = await lyon.publishes("helene", "Bonjour")
    browser = await visitor(lyon)
    answer = await browser.get(f"/@helene/{post.id}", accept="application/activity+json")
    assert (answer.status, answer.location) == (302, post.uri)
    answer = await browser.get(
        "/@helene", accept='application/ld+json; profile="https://www.w3.org/ns/activitystreams"'
    )
    assert (answer.status, answer.location) == (302, "https://lyon.test/users/helene")


# ── static files ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_style_sheet_is_compressed_and_cached_until_it_changes(lyon: Site) -> None:
    browser = await visitor(lyon)
    page = await browser.get("/sign-in")
    found = re.search(r"/static/medfed\.css\?v=[0-9a-f]{16}", page.text)
    assert found is not None
    sheet = await browser.get(found[0], accept_encoding="gzip")
    assert sheet.header("content-encoding") == "gzip"
    assert "immutable" in sheet.header("cache-control")
    assert sheet.header("content-type").startswith("text/css")
    plain = await browser.get("/static/medfed.css")
    assert "immutable" not in plain.header("cache-control")
    assert (await browser.get("/static/medfed.css", if_none_match=plain.header("etag"))).status == 304


@pytest.mark.parametrize("name", ["nothing.css", "..%2f__init__.py", "%2e%2e", "../render.py"])
async def test_nothing_but_static_files_is_served_as_one(lyon: Site, name: str) -> None:
    assert (await (await visitor(lyon)).get(f"/static/{name}")).status == 404


# ── where a visitor is sent ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.case("F12")
@pytest.mark.parametrize(
    "path",
    [
        "//evil.example", "/\\evil.example", "\\\\evil", "https://evil.example", "javascript:alert(1)",
        "%2f%2fevil.example", "/%2f%2fevil.example/../", "/%5cevil.example", "/%252f%252fevil", "evil", "", "///evil",
        "/\tevil", "/a\r\nb: c", "/%0d%0aset-cookie:a=b", "/" + "a" * 9_000,
    ],
)  # fmt: skip
async def test_nobody_is_led_off_this_instance_by_signing_in(lyon: Site, path: str) -> None:
    assert own_path(path, "/home") in ("/home", path)
    browser = await visitor(lyon)
    await lyon.member("helene")
    await browser.signs_in("helene")
    answer = await browser.post("/sign-in", {"username": "helene", "password": PASSWORD, "next": path})
    assert answer.status == 303
    assert answer.location == "/"


@pytest.mark.parametrize("path", ["/", "/cases?stage=urgent", "/@helene/1#reply", "/search?q=a%20b", "/@a@b.example"])
def test_a_path_of_ours_is_kept(path: str) -> None:
    assert own_path(path) == path


@pytest.mark.case("F12")
@given(st.text(max_size=60))
def test_no_text_whatever_leads_elsewhere(text: str) -> None:
    path = own_path(text)
    assert path.startswith("/")
    assert not path.startswith(("//", "/\\"))


# ── nonsense ─────────────────────────────────────────────────────────────────────────────────────────────────

_NASTY: Final = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        ["-1", "0", "9" * 30, "9223372036854775807", "9223372036854775808", "%00", "'", '"', "\\", "٣", "１"]
    ),
)


@pytest.mark.case("F14")
@pytest.mark.parametrize("role", ["", "admin"])
async def test_no_address_and_no_query_breaks_a_page(lyon: Site, role: str) -> None:
    post = await lyon.publishes("helene", "Un #ecg")
    browser = await visitor(lyon, "boss" if role else "", role=role or "member")
    names = ("older", "newer", "q", "tab", "show", "specialty", "stage", "page", "next", "to", "in_reply_to",
             "audience", "item", "domain", "uri", "account", "post", "token", "lang", "profession")  # fmt: skip
    lines = [line for line in PAGES if line.method == "GET"]
    seen: list[tuple[str, int]] = []

    @settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(lines), st.lists(st.tuples(st.sampled_from(names), _NASTY), max_size=3), _NASTY)
    def collect(line: Line, query: list[tuple[str, str]], part: str) -> None:
        seen.append((_nasty_url(line, query, part, post), 0))

    collect()
    for url, _ in seen:
        answer = await browser.get(url)
        assert answer.status < 500, url


def _nasty_url(line: Line, query: list[tuple[str, str]], part: str, post: Post) -> str:
    said = part.encode("utf-8", "replace").decode()
    path = re.sub(r"\{\w+\}", quote(said, safe="") or str(post.id), line.path)
    cleaned = [(name, value.encode("utf-8", "replace").decode()) for name, value in query]
    return f"{path}?{urlencode(cleaned)}"


@pytest.mark.case("F14", "H01")
async def test_no_form_breaks_a_page(lyon: Site) -> None:
    post = await lyon.publishes("helene", "Un #ecg")
    browser = await visitor(lyon, "boss", role="admin")
    junk = ("", "x", "-1", "9" * 25, "\x00", "é" * 300, "\N{GRINNING FACE}")
    names = ("do", "content", "audience", "media_ids", "choices", "stage", "title", "specialties", "domain", "level",
             "policy", "subject", "end", "uri", "handle", "target", "token", "did", "credential", "back")  # fmt: skip
    for line in PAGES:
        if line.method != "POST" or line.path in ("/sign-out", "/settings/sessions", "/settings/password", "/sign-in"):
            continue
        for value in junk:
            answer = await browser.post(address(line, post), dict.fromkeys(names, value))
            assert answer.status < 500 or answer.status == 503, (line.path, value, answer.text[-300:])


@pytest.mark.case("H01", "H02")
async def test_a_form_beyond_the_limits_is_refused(lyon: Site) -> None:
    browser = await visitor(lyon, "helene")
    assert (await browser.post("/compose", {"content": "x" * 1_100_000})).status == 413
    many = {f"field-{number}": "x" for number in range(300)}
    assert (await browser.post("/compose", many)).status == 400
    assert (await browser.post("/compose", {}, content_encoding="gzip")).status == 415
    assert (await browser.post("/compose", {}, content_type="application/json")).status == 415


def test_the_table_of_pages_has_each_line_once() -> None:
    lines = [(line.method, line.path) for line in PAGES]
    assert len(lines) == len(set(lines))


async def test_a_page_says_what_happened_once(lyon: Site) -> None:
    browser: Browser = await visitor(lyon, "helene")
    await browser.post("/compose", {"content": "Bonjour", "audience": "public", "do": "publish"})
    assert "Published." in (await browser.get("/")).text
    assert "Published." not in (await browser.get("/")).text
