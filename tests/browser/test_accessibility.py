"""WCAG 2.2 AA by axe: every page, for everybody who may open it, in both languages, widths and themes.

What fails is named as page, theme, rule and element. Pages of a served instance come first, in French on a phone; then
the samples of all templates, which show what no short story does (each state of a stamp, a dry run, a refused form), in
English on a desk: so each template is seen both ways.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import resources
from io import BytesIO
from typing import Any, Final

import pytest
from PIL import Image

from medfed.web.render import Pages
from medfed.web.routes import PAGES
from medfed.web.static import files
from medfed.web.visit import Access
from tests.browser.test_journey import PASSWORD, sign_in
from tests.interop.servers import Medfed, Member
from tests.web.samples import samples

LEVELS: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
PHONE: Final = ("fr", 390)
DESK: Final = ("en", 1280)
ROLES: Final = ("stranger", "member", "verifier", "admin")
ACCESS: Final[Mapping[str, frozenset[Access]]] = {
    "stranger": frozenset({Access.ANYBODY}),
    "member": frozenset({Access.ANYBODY, Access.MEMBER}),
    "verifier": frozenset({Access.VERIFIER, Access.STAFF}),
    "admin": frozenset({Access.VERIFIER, Access.MODERATOR, Access.STAFF, Access.ADMIN}),
}
"""Whose pages each role is shown: together, everybody's."""
RUN: Final = """
async (only) => {
    const found = await axe.run(document, {runOnly: only, resultTypes: ["violations"]});
    return found.violations.flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${node.target.join(" ")}`));
}
"""


@pytest.fixture(scope="module")
def axe() -> str:
    """The script. Skips, and says why, where it was not installed."""
    pytest.importorskip("axe_playwright_python", reason="axe is not installed")
    return (resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def seeded(site: Medfed) -> Mapping[str, str]:
    """An instance with something on every page; what to put into their paths."""
    roles = {"marchetti": "member", "belkacem": "member", "roussel": "verifier", "oyono": "admin"}
    people = {name: _member(site, name, role) for name, role in roles.items()}
    marchetti, belkacem = people["marchetti"], people["belkacem"]
    for name in ("marchetti", "belkacem"):
        site.run("attest", "issue", name, "--profession", "physician", "--specialty", "cardiology", "--country", "FR",
                 "--level", "substantial")  # fmt: skip
    picture = BytesIO()
    Image.new("RGB", (320, 200), "teal").save(picture, "PNG")
    image = marchetti.upload(picture.getvalue(), "An ECG of four leads, with biphasic T waves")
    case = marchetti.post(
        "/api/medfed/v1/cases", title="Chest pain that went away", presentation="At rest, twenty minutes.",
        patient={"age_band": "50-54", "sex": "female"}, specialties=["cardiology"], question="Angiography tonight?",
        stage="urgent", audience="public", media_ids=[image], language="en", consent={"basis": "not_identifiable"},
    )  # fmt: skip
    answer = belkacem.post("/api/v1/statuses", status="Yes, tonight.", in_reply_to_id=case["status_id"])
    marchetti.post(f"/api/medfed/v1/cases/{case['id']}/accept", status_id=answer["id"])
    poll = belkacem.post("/api/v1/statuses", status="How long? #anticoagulation", visibility="public",
                         poll={"options": ["Three months", "Six months"], "expires_in": 86_400})  # fmt: skip
    belkacem.post("/api/v1/statuses", status="@marchetti A word in private", visibility="direct")
    them = marchetti.get("/api/v1/accounts/lookup?acct=belkacem")
    marchetti.post(f"/api/v1/accounts/{them['id']}/follow")
    marchetti.post("/api/v1/reports", account_id=them["id"], status_ids=[poll["id"]], comment="A test")
    site.run("peer", "set", "peer.example", "trusted")
    site.run("group", "create", "cardiologie", "--title", "Cardiologie, Lyon", "--closed", "--moderator", "marchetti")
    own = marchetti.post("/api/v1/statuses", status="Who may answer this?", visibility="public")
    app = marchetti.post("/api/v1/apps", client_name="An application", scopes="read write",
                         redirect_uris="https://app.example/callback")  # fmt: skip
    attested = marchetti.get(f"/api/medfed/v1/accounts/{marchetti.get('/api/v1/accounts/verify_credentials')['id']}"
                             "/attestations")  # fmt: skip
    return {
        "case": case["id"],
        "poll": poll["id"],
        "own": own["id"],
        "client": app["client_id"],
        "credential": attested[0]["id"],
    }


def _member(site: Medfed, name: str, role: str) -> Member:
    site.run("member", "create", name, "--email", f"{name}@example.org", "--role", role, "--password-stdin",
             stdin=PASSWORD)  # fmt: skip
    return Member(site, name, site.run("token", "create", name).strip())


def addresses(seeded: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Every line of the table of pages, and the addresses at which it is looked at."""
    ask = f"client_id={seeded['client']}&redirect_uri=https://app.example/callback&response_type=code&scope=read"
    pkce = "code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
    return {
        "/": ("/", "/?tab=cases", "/?tab=local"),
        "/@{handle}": ("/@belkacem", "/@belkacem?show=posts", "/@cardiologie", "/@nobody"),
        "/@{handle}/{id}": (f"/@belkacem/{seeded['poll']}",),
        "/authorize_interaction": ("/authorize_interaction?uri=@belkacem",),
        "/cases/{id}": (f"/cases/{seeded['case']}",),
        "/cases/{id}/edit": (f"/cases/{seeded['case']}/edit",),
        "/confirm": ("/confirm?token=none",),
        "/credentials/{id}": (f"/credentials/{seeded['credential']}",),
        "/groups/{name}": ("/groups/cardiologie",),
        "/posts/{id}/policy": (f"/posts/{seeded['own']}/policy",),
        "/oauth/authorize": (f"/oauth/authorize?{ask}&{pkce}",),
        "/oauth/authorize/native": ("/oauth/authorize/native?code=none",),
        "/report": (f"/report?post={seeded['poll']}",),
        "/search": ("/search", "/search?q=belkacem"),
        "/tags/{tag}": ("/tags/anticoagulation",),
    }


def urls(role: str, seeded: Mapping[str, str]) -> Iterator[str]:
    """The addresses that a role is shown."""
    known = addresses(seeded)
    for line in PAGES:
        # The door leads a member straight in.
        led_in = role != "stranger" and line.path == "/sign-in"
        if line.method == "GET" and line.access in ACCESS[role] and not led_in:
            yield from known.get(line.path, (line.path,))


@contextmanager
def sighted(chromium: Any, axe: str, width: int) -> Iterator[Any]:
    """A browser of that width that can look at a page as a checker does."""
    context = chromium.new_context(viewport={"width": width, "height": 900}, reduced_motion="reduce")
    # An init script is the browser's own: the content policy of our pages does not hold it back.
    context.add_init_script(axe)
    yield context.new_page()
    context.close()


def violations(page: Any) -> list[str]:
    """What breaks a rule, in light; and the colours once more, in dark."""
    page.emulate_media(color_scheme="light")
    found = [f"light, {each}" for each in page.evaluate(RUN, {"type": "tag", "values": LEVELS})]
    page.emulate_media(color_scheme="dark")
    return found + [f"dark, {each}" for each in page.evaluate(RUN, {"type": "rule", "values": ["color-contrast"]})]


@pytest.mark.parametrize("role", ROLES)
def test_every_page_can_be_used_by_everybody(
    chromium: Any, axe: str, site: Medfed, seeded: Mapping[str, str], role: str
) -> None:
    wrong, (language, width) = [], PHONE
    names = {"member": "marchetti", "verifier": "roussel", "admin": "oyono"}
    with sighted(chromium, axe, width) as page:
        if role in names:
            sign_in(page, site, names[role])
        for url in urls(role, seeded):
            answer = page.goto(f"{site.url}{url}{'&' if '?' in url else '?'}lang={language}")
            assert answer.status == (404 if url == "/@nobody" else 200), url
            assert page.locator("html").get_attribute("lang") == language
            wrong += [f"{url} ({role}), {each}" for each in violations(page)]
    assert wrong == []


def test_every_state_of_a_page_can_be_used_by_everybody(chromium: Any, axe: str) -> None:
    language, width = DESK
    pages, shown = Pages(), samples(language)
    html = {name: pages.page(each.template, each.frame, **each.views) for name, each in shown.items()}

    def answer(route: Any) -> None:
        folder, _, name = route.request.url.partition("?")[0].removeprefix("http://samples.test/").partition("/")
        file = files().get(name)
        if folder == "page":
            route.fulfill(body=html[name], content_type="text/html; charset=utf-8")
        elif folder == "static" and file is not None:
            route.fulfill(body=file.body, content_type=file.mime)
        else:
            route.abort()

    wrong = []
    with sighted(chromium, axe, width) as page:
        page.route("**/*", answer)
        for name in shown:
            page.goto(f"http://samples.test/page/{name}")
            wrong += [f"sample {name}, {each}" for each in violations(page)]
    assert wrong == []
