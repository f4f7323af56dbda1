"""What members do on pages: signing in and out, writing, cases, following, settings, attestations, administration."""

import re
from collections.abc import AsyncIterator
from html import unescape
from io import BytesIO
from urllib.parse import urlencode

import pytest
from PIL import Image

from medfed.domain.peers import OPENS_AFTER, Level
from medfed.kernel.clock import DAY, HOUR, MINUTE
from medfed.kernel.paging import Page
from medfed.storage import accounts, credentials, moderation, oauth, outbox, peers
from medfed.verification.issuer import create_key
from tests.support.world import Site, World, a_world
from tests.web.browser import PASSWORD, Browser, visitor


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with a_world("lyon.test") as made:
        async with made["lyon.test"].instance.store.transaction("key") as tx:
            await create_key(tx, made["lyon.test"].instance.here)
        yield made


@pytest.fixture
async def lyon(world: World) -> Site:
    return world["lyon.test"]


def picture() -> bytes:
    """A small PNG."""
    file = BytesIO()
    Image.new("RGB", (64, 48), "teal").save(file, "PNG")
    return file.getvalue()


# ── the door ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.case("F04")
async def test_the_session_cookie_is_opaque_and_out_of_reach_of_scripts(lyon: Site) -> None:
    await lyon.member("helene")
    browser = await (await visitor(lyon)).signs_in("helene")
    answer = await browser.post("/sign-in", {"username": "helene", "password": PASSWORD})
    cookie = next(value for name, value in answer.headers if name == "set-cookie" and "__Host-medfed=" in value)
    for part in ("Secure", "HttpOnly", "SameSite=lax", "Path=/"):
        assert part.lower() in cookie.lower()
    assert "domain" not in cookie.lower()
    assert len(browser.cookies["__Host-medfed"]) >= 43


@pytest.mark.case("F04")
async def test_signing_in_always_makes_a_new_session_and_ends_the_old_one(lyon: Site) -> None:
    browser = await visitor(lyon, "helene")
    old = dict(browser.cookies)
    await browser.post("/sign-in", {"username": "helene", "password": PASSWORD})
    assert browser.cookies["__Host-medfed"] != old["__Host-medfed"]
    assert (await Browser(lyon, cookies=old).get("/settings")).status == 303


@pytest.mark.case("F20")
async def test_a_wrong_password_an_unknown_name_and_a_closed_account_look_the_same(lyon: Site) -> None:
    await lyon.member("helene")
    await lyon.member("waiting", approved=False)
    pages = set()
    for name in ("helene", "nobody", "waiting", "nobody@lyon.test"):
        browser = await visitor(lyon)
        answer = await browser.post("/sign-in", {"username": name, "password": "wrong wrong"})
        assert answer.status == 401
        assert "__Host-medfed" not in browser.cookies
        pages.add(answer.text.replace(name, "NAME"))
    assert len(pages) == 1


async def test_the_name_that_was_typed_is_kept_and_the_password_is_not(lyon: Site) -> None:
    answer = await (await visitor(lyon, language="fr")).post(
        "/sign-in", {"username": "helene", "password": "wr0ng-one"}
    )
    assert 'value="helene"' in answer.text
    assert "wr0ng-one" not in answer.text
    assert "mot de passe erroné" in answer.text


async def test_a_stranger_is_shown_the_door_and_then_the_page_they_wanted(lyon: Site) -> None:
    browser = await visitor(lyon)
    answer = await browser.get("/cases/new?x=1")
    assert answer.location == "/sign-in?next=/cases/new%3Fx%3D1"
    assert (await browser.get(answer.location)).fields()["next"] == "/cases/new?x=1"


async def test_signing_out_ends_the_session_and_clears_the_browser(lyon: Site) -> None:
    browser = await visitor(lyon, "helene")
    kept = dict(browser.cookies)
    answer = await browser.post("/sign-out")
    assert answer.status == 303
    assert "cache" in answer.header("clear-site-data")
    assert "__Host-medfed" not in browser.cookies
    assert (await Browser(lyon, cookies=kept).get("/settings")).status == 303


async def test_an_idle_session_ends_and_one_in_use_goes_on(lyon: Site) -> None:
    browser = await visitor(lyon, "helene")
    for _ in range(4):
        lyon.world.clock.advance(20 * MINUTE)
        assert (await browser.get("/settings")).status == 200
    lyon.world.clock.advance(31 * MINUTE)
    assert (await browser.get("/settings")).status == 303


async def test_a_session_ends_after_twelve_hours_however_busy(lyon: Site) -> None:
    browser = await visitor(lyon, "helene")
    for _ in range(36):
        lyon.world.clock.advance(20 * MINUTE)
        last = await browser.get("/settings")
    lyon.world.clock.advance(1)
    assert last.status in (200, 303)
    assert (await browser.get("/settings")).status == 303


@pytest.mark.case("H14")
async def test_guessing_passwords_is_slow() -> None:
    async with a_world("lyon.test", limits={"enabled": True}) as world:
        site = world["lyon.test"]
        await site.member("helene")
        browser = await visitor(site)
        answers = [await browser.post("/sign-in", {"username": "Helene ", "password": f"guess {n}"}) for n in range(11)]
        assert [answer.status for answer in answers[:10]] == [401] * 10
        assert answers[10].status == 429
        assert int(answers[10].header("retry-after")) > 0
        world.clock.advance(1 * HOUR)
        assert (await browser.post("/sign-in", {"username": "helene", "password": "again"})).status == 401


@pytest.mark.case("G01")
async def test_nobody_signs_up_where_registration_is_closed() -> None:
    async with a_world("lyon.test", registration={"mode": "closed"}) as world:
        browser = await visitor(world["lyon.test"])
        assert (await browser.get("/sign-up")).status == 404
        assert (await browser.post("/sign-up", {"username": "eve"})).status == 404


async def test_who_signs_up_waits_until_an_administrator_lets_them_in(lyon: Site) -> None:
    stranger = await visitor(lyon)
    form = {"username": "nadia", "email": "nadia@example.org", "password": PASSWORD, "display_name": "Nadia"}
    refused = await stranger.post("/sign-up", form)
    assert refused.status == 422
    assert 'value="nadia"' in refused.text
    assert PASSWORD not in refused.text
    assert (await stranger.post("/sign-up", {**form, "agreement": "1"})).status == 200
    member = await lyon.find("nadia")
    assert member is not None
    async with lyon.instance.store.transaction("confirm") as tx:
        await accounts.confirm(tx, member.id, lyon.instance.here.now())
    assert (await stranger.post("/sign-in", {"username": "nadia", "password": PASSWORD})).status == 401
    boss = await visitor(lyon, "boss", role="admin")
    assert "nadia@example.org" in (await boss.get("/admin")).text
    assert (await boss.post(f"/admin/members/{member.id}")).status == 303
    assert (await stranger.post("/sign-in", {"username": "nadia", "password": PASSWORD})).status == 303


# ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_post_is_published_and_found_where_it_belongs(lyon: Site) -> None:
    browser = await visitor(lyon, "helene")
    answer = await browser.post("/compose", {"content": "Bonjour à #tous", "audience": "public", "do": "publish"})
    assert answer.status == 303
    for url in ("/", "/about", "/tags/tous", "/@helene?show=posts", answer.location):
        assert "Bonjour à" in (await browser.get(url)).text, url


async def test_a_post_with_a_mistake_is_shown_again_as_it_was_typed(lyon: Site) -> None:
    browser = await visitor(lyon, "helene")
    long = "Un texte trop long. " * 300
    answer = await browser.post("/compose", {"content": long, "summary": "Attention", "audience": "followers"})
    assert answer.status == 422
    assert long.strip() in answer.text
    assert 'value="Attention"' in answer.text
    assert "too long" in answer.text


async def test_checking_a_post_says_who_will_not_receive_it_and_publishes_nothing() -> None:
    async with a_world("lyon.test", "lille.test") as world:
        lyon = world["lyon.test"]
        await world["lille.test"].member("roy")
        await world.follow("roy@lille.test", "helene@lyon.test")
        browser = await visitor(lyon, "helene")
        before = await lyon.home("helene")
        checked = await browser.post("/compose", {"content": "Un cas", "audience": "verified", "do": "check"})
        assert checked.status == 200
        assert "0 of your 1 follower," in checked.text
        assert "@roy@lille.test" in checked.text
        assert "not one that yours trusts" in checked.text
        await lyon.judges("lille.test", Level.TRUSTED)
        checked = await browser.post("/compose", {"content": "Un cas", "audience": "verified", "do": "check"})
        assert "no attestation that counts" in checked.text
        checked = await browser.post("/compose", {"content": "Un cas", "audience": "followers", "do": "check"})
        assert "1 of your 1 follower," in checked.text
        assert await lyon.home("helene") == before


async def test_an_image_is_kept_through_a_mistake_and_published_with_its_description(lyon: Site) -> None:
    browser = await visitor(lyon, "helene")
    first = await browser.post(
        "/compose", {"content": "Voici", "audience": "public", "do": "publish"}, files={"image_1": picture()}
    )
    assert first.status == 422
    media = first.fields()["media_ids"]
    sent = {
        "content": "Voici",
        "audience": "public",
        "media_ids": media,
        f"alt_{media}": "Un rectangle",
        "do": "publish",
    }
    answer = await browser.post("/compose", sent)
    assert answer.status == 303
    page = (await browser.get(answer.location)).text
    assert 'alt="Un rectangle"' in page
    assert "/media/" in page


@pytest.mark.case("F08")
async def test_nobody_publishes_the_image_of_somebody_else(lyon: Site) -> None:
    helene, yanis = await visitor(lyon, "helene"), await visitor(lyon, "yanis")
    mine = await helene.post("/compose", {"content": "x", "do": "check"}, files={"image_1": picture()})
    media = mine.fields()["media_ids"]
    stolen = await yanis.post("/compose", {"content": "x", "media_ids": media, f"alt_{media}": "mine", "do": "publish"})
    assert stolen.status == 303
    assert "/media/" not in (await yanis.get(stolen.location)).text


@pytest.mark.parametrize(
    "data", [b"%PDF-1.7", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"GIF89a", b"\x89PNG\r\n\x1a\n"]
)
async def test_what_is_no_image_is_refused_beside_its_field(lyon: Site, data: bytes) -> None:
    browser = await visitor(lyon, "helene")
    answer = await browser.post("/compose", {"content": "Le texte reste", "do": "publish"}, files={"image_1": data})
    assert answer.status == 422
    assert "image_1-error" in answer.text
    assert "Le texte reste" in answer.text


async def test_a_poll_is_answered_once(lyon: Site) -> None:
    helene, yanis = await visitor(lyon, "helene"), await visitor(lyon, "yanis")
    sent = {"content": "?", "audience": "public", "poll_option_1": "Oui", "poll_option_2": "Non", "do": "publish"}
    path = (await helene.post("/compose", sent)).location
    id_ = path.rpartition("/")[2]
    assert (await yanis.post(f"/polls/{id_}", {"choices": "1", "back": path})).location == path
    assert (await yanis.post(f"/polls/{id_}", {"choices": "0"})).status == 422
    assert "100%" in (await yanis.get(path)).text


async def test_a_message_needs_somebody_to_be_for(lyon: Site) -> None:
    browser = await visitor(lyon, "helene")
    await lyon.member("yanis")
    answer = await browser.post("/compose", {"content": "Bonjour", "audience": "direct", "do": "publish"})
    assert answer.status == 422
    answer = await browser.post("/compose", {"content": "@yanis bonjour", "audience": "direct", "do": "publish"})
    assert answer.status == 303


async def test_reactions_are_made_and_taken_back(lyon: Site) -> None:
    post = await lyon.publishes("helene", "Bonjour")
    browser = await visitor(lyon, "yanis")
    for do, undo in (("useful", "unuseful"), ("relay", "unrelay"), ("keep", "unkeep")):
        answer = await browser.post(f"/posts/{post.id}", {"do": do, "back": "/?tab=local"})
        assert answer.location == f"/?tab=local#post-{post.id}"
        assert f'value="{undo}" aria-pressed="true"' in (await browser.get(f"/@helene/{post.id}")).text
        await browser.post(f"/posts/{post.id}", {"do": undo})
        assert f'value="{do}" aria-pressed="false"' in (await browser.get(f"/@helene/{post.id}")).text


async def test_only_its_author_deletes_a_post(lyon: Site) -> None:
    post = await lyon.publishes("helene", "Bonjour")
    assert (await (await visitor(lyon, "yanis")).post(f"/posts/{post.id}", {"do": "delete"})).status == 403
    helene = await visitor(lyon, "helene")
    assert (await helene.post(f"/posts/{post.id}", {"do": "delete", "back": f"/@helene/{post.id}"})).location == "/"
    assert (await helene.get(f"/@helene/{post.id}")).status == 404


# ── cases ────────────────────────────────────────────────────────────────────────────────────────────────────

CASE = {
    "title": "Vertige rotatoire",
    "presentation": "Brutal, **sans** surdité.",
    "question": "Imagerie ?",
    "specialties": ["neurology", "emergency-medicine"],
    "age_band": "50-54",
    "sex": "female",
    "stage": "help_wanted",
    "audience": "public",
    "consent": "none",
    "language": "fr",
    "do": "publish",
}


async def test_a_case_is_opened_answered_kept_corrected_and_solved(lyon: Site) -> None:
    author, reader = await visitor(lyon, "author"), await visitor(lyon, "reader")
    path = (await author.post("/cases/new", CASE)).location
    page = (await author.get(path)).text
    for part in ("Vertige rotatoire", "<strong>sans</strong>", "Woman, 50–54 years", "Neurology", "Imagerie ?"):
        assert part in page, part
    assert "Your case" not in (await reader.get(path)).text
    root = (await reader.get(path)).fields()["in_reply_to"]
    answered = await reader.post("/compose", {"content": "Oui, IRM.", "in_reply_to": root, "audience": "case"})
    answer_id = answered.location.rpartition("-")[2]
    assert "Oui, IRM." in (await author.get(path)).text
    assert (await reader.post(f"/posts/{answer_id}", {"do": "accept"})).status == 403
    assert (await author.post(f"/posts/{answer_id}", {"do": "accept", "back": path})).location == path
    kept = (await author.get(path)).text
    assert kept.count("Oui, IRM.") == 1
    assert "kept your answer" in (await reader.get("/notifications")).text
    form = (await author.get(f"{path}/edit")).fields()
    assert form["title"] == "Vertige rotatoire"
    assert (await author.post(f"{path}/edit", {**CASE, "title": "Vertige, suite"})).location == path
    assert (await reader.post(f"{path}/edit", CASE)).status == 403
    assert (await reader.post(f"{path}/stage", {"stage": "solved"})).status == 403
    await author.post(f"{path}/stage", {"stage": "solved", "outcome": "Névrite vestibulaire."})
    solved = (await reader.get(path)).text
    assert "Vertige, suite" in solved
    assert "Névrite vestibulaire." in solved
    assert "Solved" in solved


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"title": ""}, "This is needed."),
        ({"presentation": " "}, "This is needed."),
        ({"question": ""}, "Say what you ask your colleagues."),
        ({"specialties": []}, "This is needed."),
        ({"specialties": ["alchemy"]}, "Choose one of the list."),
        ({"age_band": "52"}, "Choose one of the list."),
        ({"title": "x" * 300}, "This is too long."),
    ],
)
async def test_a_case_that_lacks_something_says_what_and_keeps_the_rest(
    lyon: Site, change: dict[str, str], said: str
) -> None:
    browser = await visitor(lyon, "author")
    answer = await browser.post("/cases/new", {**CASE, **change})
    assert answer.status == 422
    assert said in answer.text
    assert change.get("question", "Imagerie ?") in answer.text
    assert "Vertige" not in (await browser.get("/cases")).text


async def test_images_of_a_case_need_consent_and_a_description(lyon: Site) -> None:
    browser = await visitor(lyon, "author")
    answer = await browser.post("/cases/new", CASE, files={"image_1": picture()})
    assert answer.status == 422
    assert "Images need a basis of consent." in answer.text
    assert "Describe the image in one sentence." in answer.text
    media = answer.fields()["media_ids"]
    sent = {**CASE, "media_ids": media, f"alt_{media}": "IRM", "consent": "not_identifiable"}
    path = (await browser.post("/cases/new", sent)).location
    assert 'alt="IRM"' in (await browser.get(path)).text


async def test_passages_that_may_identify_the_patient_are_shown_before_a_case_is_published(lyon: Site) -> None:
    browser = await visitor(lyon, "author")
    named = {**CASE, "presentation": "Mme Duvernay, vue le 14/03/2026."}
    answer = await browser.post("/cases/new", named)
    assert answer.status == 422
    assert "<mark>Mme Duvernay</mark>" in answer.text
    assert "<mark>14/03/2026</mark>" in answer.text
    assert (await browser.post("/cases/new", {**named, "reread": "1"})).status == 303


@pytest.mark.case("N19")
async def test_what_certainly_identifies_the_patient_cannot_be_confirmed_away(lyon: Site) -> None:
    browser = await visitor(lyon, "author")
    answer = await browser.post("/cases/new", {**CASE, "history": "née le 14/03/1962", "reread": "1"})
    assert answer.status == 422
    assert "Some passages certainly identify the patient. Take them out." in answer.text
    assert "A passage here identifies the patient. Take it out." in answer.text
    path = (await browser.post("/cases/new", CASE)).location
    stage = await browser.post(f"{path}/stage", {"stage": "solved", "outcome": "Rappelée au 06 12 34 56 78"})
    assert stage.status == 422
    assert "06 12 34 56 78" not in (await browser.get(path)).text


async def test_a_case_is_found_by_its_words(lyon: Site) -> None:
    browser = await visitor(lyon, "author")
    await browser.post("/cases/new", CASE)
    assert "/cases/" in (await browser.get("/search?q=ROTATOIRE")).text
    found = (await (await visitor(lyon, "reader")).get("/search?q=surdit%C3%A9")).text
    assert found.count("Vertige rotatoire") == 1


async def test_a_verifier_sees_only_the_administration_that_is_theirs(lyon: Site) -> None:
    page = (await (await visitor(lyon, "verifier-1", role="verifier")).get("/admin")).text
    nav = page.partition('aria-label="Administration"')[2].partition("</nav>")[0]
    assert 'href="/admin/verification"' in nav
    assert 'href="/admin/peers"' not in nav
    assert 'href="/admin/reports"' not in nav


async def test_the_list_of_cases_is_filtered(lyon: Site) -> None:
    browser = await visitor(lyon, "author")
    await browser.post("/cases/new", CASE)
    assert "Vertige" in (await browser.get("/cases?specialty=neurology&stage=help_wanted")).text
    assert "Vertige" not in (await browser.get("/cases?specialty=cardiology")).text
    assert "Vertige" not in (await browser.get("/cases?stage=solved")).text


# ── people ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_following_across_instances_from_the_search() -> None:
    async with a_world("lyon.test", "lille.test") as world:
        lyon, lille = world["lyon.test"], world["lille.test"]
        await lille.publishes("roy", "Bonjour de Lille")
        browser = await visitor(lyon, "helene")
        found = await browser.get("/search?q=@roy@lille.test")
        assert "/@roy@lille.test" in found.text
        assert (await browser.post("/@roy@lille.test", {"do": "follow"})).status == 303
        assert "Asked" in (await browser.get("/@roy@lille.test")).text
        await world.settle()
        assert "Following" in (await browser.get("/@roy@lille.test")).text
        await lille.publishes("roy", "Et encore bonjour")
        await world.settle()
        assert "Et encore bonjour" in (await browser.get("/")).text


async def test_the_address_of_a_post_elsewhere_opens_it_here() -> None:
    async with a_world("lyon.test", "lille.test") as world:
        post = await world["lille.test"].publishes("roy", "Bonjour de Lille")
        browser = await visitor(world["lyon.test"], "helene")
        assert "Bonjour de Lille" in (await browser.get(f"/search?q={post.uri}")).text
        assert "Bonjour de Lille" in (await browser.get(f"/authorize_interaction?uri={post.url}")).text


@pytest.mark.parametrize("query", ["@nobody@nowhere.test", "https://nowhere.test/x", "@@@", "https://", "@a@b@c"])
async def test_what_cannot_be_looked_up_is_said_in_words(lyon: Site, query: str) -> None:
    browser = await visitor(lyon, "helene")
    answer = await browser.get(f"/search?q={query}")
    assert answer.status == 200
    assert "Nothing was found" in answer.text or "does not answer" in answer.text


async def test_a_locked_account_is_asked_and_answers() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        await lyon.member("helene", locked=True)
        helene, yanis = await visitor(lyon, "helene"), await visitor(lyon, "yanis")
        await yanis.post("/@helene", {"do": "follow"})
        asked = await helene.get("/notifications")
        assert "asks to follow you" in asked.text
        follower = await lyon.find("yanis")
        assert follower is not None
        assert (await helene.post(f"/notifications/requests/{follower.id}", {"do": "accept"})).status == 303
        assert "Following" in (await yanis.get("/@helene")).text
        assert (await helene.post(f"/notifications/requests/{follower.id}", {"do": "accept"})).status == 404


async def test_a_stranger_is_sent_to_their_own_instance_to_follow() -> None:
    async with a_world("lyon.test", "lille.test") as world:
        await world["lyon.test"].member("helene")
        await world["lille.test"].member("roy")
        browser = await visitor(world["lyon.test"])
        page = await browser.get("/@helene")
        assert page.fields()["target"] == "@helene"
        answer = await browser.post("/remote-follow", {"handle": "@roy@lille.test", "target": "@helene"})
        assert answer.status == 303
        assert answer.location == "https://lille.test/authorize_interaction?uri=acct%3Ahelene%40lyon.test"
        assert (await browser.post("/remote-follow", {"handle": "@x@nowhere.test", "target": "@helene"})).status == 404
        assert (await browser.post("/remote-follow", {"handle": "roy", "target": "@helene"})).status == 400


async def test_a_report_reaches_the_moderators_who_settle_it(lyon: Site) -> None:
    post = await lyon.publishes("paul", "Mme Untel, chambre 12")
    yanis = await visitor(lyon, "yanis")
    asked = await yanis.post(f"/posts/{post.id}", {"do": "report_identity"})
    assert asked.location == f"/report?post={post.id}&category=identity"
    sent = {"post": str(post.id), "category": "identity", "comment": "Un nom de patiente"}
    assert (await yanis.post("/report", sent)).status == 303
    moderator = await visitor(lyon, "moderator-1", role="moderator")
    queue = (await moderator.get("/admin/reports")).text
    assert "Un nom de patiente" in queue
    assert "chambre 12" in queue
    async with lyon.instance.store.view() as view:
        report = (await moderation.reports(view, Page(), open_only=True))[0]
    assert (await moderator.post(f"/admin/reports/{report.id}", {"do": "remove_posts"})).status == 400
    settled = await moderator.post(f"/admin/reports/{report.id}", {"do": "remove_posts", "note": "Identité"})
    assert settled.status == 303
    assert not await lyon.has(post)
    assert (await moderator.post(f"/admin/reports/{report.id}", {"do": "dismiss", "note": "x"})).status == 404


# ── settings ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_settings_are_kept(lyon: Site) -> None:
    browser = await visitor(lyon, "helene")
    sent = {
        "display_name": "Hélène Marchetti",
        "bio": "Cardiologue. <b>gras</b>",
        "discoverable": "1",
        "language": "fr",
        "theme": "dark",
        "post_audience": "public",
        "post_language": "fr",
    }
    assert (await browser.post("/settings", sent, files={"avatar": picture()})).status == 303
    page = (await browser.get("/settings")).text
    assert '<html lang="fr" data-theme="dark">' in page
    profile = (await browser.get("/@helene")).text
    assert "Hélène Marchetti" in profile
    assert "&lt;b&gt;gras" in profile
    assert "/media/" in profile


async def test_a_wrong_picture_changes_nothing(lyon: Site) -> None:
    browser = await visitor(lyon, "helene")
    answer = await browser.post("/settings", {"display_name": "Autre"}, files={"avatar": b"%PDF-"})
    assert answer.status == 422
    account = await lyon.find("helene")
    assert account is not None
    assert account.display_name == ""


@pytest.mark.case("F06")
async def test_a_new_password_ends_every_other_session(lyon: Site) -> None:
    here, elsewhere = await visitor(lyon, "helene"), await visitor(lyon, "helene")
    wrong = await here.post("/settings/password", {"current_password": "no", "new_password": "another good one"})
    assert wrong.status == 422
    easy = await here.post("/settings/password", {"current_password": PASSWORD, "new_password": "helene"})
    assert easy.status == 422
    sent = {"current_password": PASSWORD, "new_password": "another good one"}
    assert (await here.post("/settings/password", sent)).status == 303
    assert (await here.get("/settings")).status == 200
    assert (await elsewhere.get("/settings")).status == 303


async def test_another_browser_can_be_signed_out_and_nobody_elses(lyon: Site) -> None:
    here, elsewhere = await visitor(lyon, "helene"), await visitor(lyon, "helene")
    other = await visitor(lyon, "yanis")
    found = set(_ends((await here.get("/settings")).text))
    assert len(found) == 1
    await other.post("/settings/sessions", {"end": found.pop()})
    assert (await elsewhere.get("/settings")).status == 200
    (ended,) = _ends((await here.get("/settings")).text)
    await here.post("/settings/sessions", {"end": ended})
    assert (await elsewhere.get("/settings")).status == 303


def _ends(page: str) -> list[str]:
    return [part.partition('"')[0] for part in page.split('name="end" value="')[1:]]


# ── attestations and the administration ──────────────────────────────────────────────────────────────────────


async def test_an_attestation_is_asked_for_granted_accepted_shown_and_withdrawn(lyon: Site) -> None:
    helene, verifier = await visitor(lyon, "helene"), await visitor(lyon, "verifier-1", role="verifier")
    asked = {
        "profession": "physician",
        "specialty": "cardiology",
        "country": "fr",
        "scheme": "rpps",
        "number": "10001234567",
    }
    assert (await helene.post("/verification", {**asked, "country": "France"})).status == 422
    assert (await helene.post("/verification", asked)).status == 303
    queue = await verifier.get("/admin/verification")
    assert "10001234567" not in queue.text
    item = queue.text.partition("/admin/verification?item=")[2].partition('"')[0]
    assert "10001234567" in (await verifier.get(f"/admin/verification?item={item}")).text
    weak = {"do": "approve", "level": "high", "methods": ["document-review"], "reason": "Carte vue"}
    refused = await verifier.post(f"/admin/verification/{item}", weak)
    assert refused.status == 422
    assert "does not support this level" in refused.text
    strong = {**weak, "level": "substantial", "methods": ["registry-lookup", "document-review"]}
    assert (await verifier.post(f"/admin/verification/{item}", {**strong, "reason": ""})).status == 422
    assert (await verifier.post(f"/admin/verification/{item}", strong)).status == 303
    assert (await verifier.post(f"/admin/verification/{item}", strong)).status == 409
    offers = (await helene.get("/verification")).text
    assert "Offered to you" in offers
    own = offers.partition('action="/verification/')[2].partition('"')[0]
    stranger = await visitor(lyon)
    assert "Cardiologist" not in (await stranger.get("/@helene")).text
    assert (await stranger.get(f"/credentials/{own}")).status == 404
    assert (await verifier.post(f"/verification/{own}", {"do": "accept"})).status == 404
    assert (await helene.post(f"/verification/{own}", {"do": "accept"})).status == 303
    profile = (await stranger.get("/@helene")).text
    assert "Cardiologist" in profile
    assert "Lyon" in profile
    explained = (await stranger.get(f"/credentials/{own}")).text
    assert "substantial" in explained
    assert "issued by this instance itself" in explained
    async with lyon.instance.store.view() as view:
        issued = (await credentials.attestations(view, Page()))[0]
    withdrawn = await verifier.post("/admin/verification/revoke", {"credential": str(issued.id), "reason": "Fin"})
    assert withdrawn.status == 303
    assert "withdrawn" in (await stranger.get("/@helene")).text


@pytest.mark.case("F08")
async def test_a_verifier_cannot_decide_about_themselves(lyon: Site) -> None:
    verifier = await visitor(lyon, "verifier-1", role="verifier")
    await verifier.post("/verification", {"profession": "nurse", "country": "FR"})
    page = (await verifier.get("/admin/verification")).text
    item = page.partition("/admin/verification?item=")[2].partition('"')[0]
    assert (await verifier.get(f"/admin/verification?item={item}")).status == 403
    assert (await verifier.post(f"/admin/verification/{item}", {"do": "approve", "reason": "moi"})).status == 403
    issue = {"subject": "verifier-1", "profession": "physician", "level": "high"}
    assert (await verifier.post("/admin/verification/issue", issue)).status == 403


async def test_a_verifier_attests_somebody_by_name_and_a_wrong_name_is_said(lyon: Site) -> None:
    await lyon.member("helene")
    verifier = await visitor(lyon, "verifier-1", role="verifier")
    sent = {"subject": "nobody", "profession": "nurse", "country": "FR", "level": "low"}
    wrong = await verifier.post("/admin/verification/issue", sent)
    assert wrong.status == 422
    assert "Nobody of this name" in wrong.text
    assert (await verifier.post("/admin/verification/issue", {**sent, "subject": "helene"})).status == 303
    assert "offers you an attestation" in (await (await visitor(lyon, "helene")).get("/notifications")).text


async def test_an_administrator_sets_the_level_of_a_peer(lyon: Site) -> None:
    boss = await visitor(lyon, "boss", role="admin")
    assert (await boss.post("/admin/peers", {"domain": "not a domain", "level": "trusted"})).status == 422
    assert (await boss.post("/admin/peers", {"domain": "lille.test", "level": "loved"})).status == 422
    assert (await boss.post("/admin/peers", {"domain": "lyon.test", "level": "trusted"})).status == 422
    assert (await boss.post("/admin/peers", {"domain": "Lille.test", "level": "trusted"})).status == 303
    async with lyon.instance.store.view() as view:
        peer = await peers.find(view, "lille.test")
    assert peer is not None
    assert peer.level is Level.TRUSTED
    assert lyon.instance.levels.is_trusted("lille.test")
    page = (await boss.get("/admin/peers")).text
    assert "lille.test" in page
    assert "set the level of lille.test to “Trusted”" in (await boss.get("/admin/audit")).text


async def test_the_page_of_deliveries_says_what_one_wants_to_know_at_three_in_the_morning(lyon: Site) -> None:
    boss = await visitor(lyon, "boss", role="admin")
    member = await lyon.member("helene")
    now, new_id = lyon.instance.here.now(), lyon.instance.here.ids.new
    activity = outbox.Outgoing(
        id=new_id(), uri="https://lyon.test/1", account_id=member.id, kind="Delete", body=b"{}",
        created_at=now, keep_until=now + 30 * DAY,
    )  # fmt: skip
    async with lyon.instance.store.transaction("owe") as tx:
        await outbox.enqueue(tx, activity, [outbox.Inbox(host="lille.test", url="https://lille.test/inbox")])
        await peers.sent_to(tx, "lille.test", now - 3 * DAY)
        for _ in range(OPENS_AFTER):
            await peers.failed(
                tx, "lille.test", at=now - 2 * DAY, next_at=now + DAY, error="Unreachable: cannot connect"
            )
    page = " ".join(re.sub(r"<[^>]+>", " ", (await boss.get("/admin/queue")).text).split())
    for said in (
        "down: asked by one delivery at a time", "first failed 2 days ago", "last took something 3 days ago",
        "1 deletion or withdrawal", "given up in 30 days", "Unreachable: cannot connect", "Try now", "Drop",
    ):  # fmt: skip
        assert said in page, page[page.find("Waiting") :]


async def test_an_administrator_sees_what_peers_are_owed_tries_again_and_drops(lyon: Site) -> None:
    boss = await visitor(lyon, "boss", role="admin")
    assert "Nothing is owed" in (await boss.get("/admin/queue")).text
    member = await lyon.member("helene")
    now, new_id = lyon.instance.here.now(), lyon.instance.here.ids.new
    activity = outbox.Outgoing(
        id=new_id(), uri="https://lyon.test/1", account_id=member.id, kind="Create", body=b"{}",
        created_at=now, keep_until=now + DAY,
    )  # fmt: skip
    async with lyon.instance.store.transaction("owe") as tx:
        inboxes = [outbox.Inbox(host=host, url=f"https://{host}/inbox") for host in ("lille.test", "nantes.test")]
        await outbox.enqueue(tx, activity, inboxes)
        (owed,) = await outbox.lane(tx, "lille.test", 1)
        await outbox.park(tx, owed.id, "RemoteRefused: <b>403</b>")
    page = (await boss.get("/admin/queue")).text
    assert "not by itself" in page
    assert "RemoteRefused: &lt;b&gt;403" in page
    assert (await boss.post("/admin/queue/retry", {"host": "lille.test"})).status == 303
    assert "not by itself" not in (await boss.get("/admin/queue")).text
    assert (await boss.post("/admin/queue/drop", {"host": "lille.test"})).status == 303
    page = (await boss.get("/admin/queue")).text
    assert "nantes.test" in page
    assert 'value="lille.test"' not in page
    assert "dropped what was waiting for lille.test" in (await boss.get("/admin/audit")).text
    somebody = await visitor(lyon, "somebody", role="moderator")
    for path in ("/admin/queue/retry", "/admin/queue/drop"):
        assert (await somebody.post(path, {"host": "nantes.test"})).status in (403, 404)


async def test_the_policy_is_tried_before_it_is_applied(lyon: Site) -> None:
    boss = await visitor(lyon, "boss", role="admin")
    policy = 'version = 0\n[peers]\n"lille.test" = "blocked"\n'
    broken = await boss.post("/admin/policy", {"policy": "version = ", "do": "dry_run"})
    assert broken.status == 422
    assert "version = " in broken.text
    tried = await boss.post("/admin/policy", {"policy": policy, "do": "dry_run"})
    assert tried.status == 200
    assert "lille.test: from “Federated” to “Blocked”" in tried.text
    assert not lyon.instance.levels.is_blocked("lille.test")
    assert (await boss.post("/admin/policy", {"policy": policy, "do": "apply"})).status == 400
    sent = {"policy": policy, "do": "apply", "base": tried.fields()["base"]}
    assert (await boss.post("/admin/policy", sent)).status == 303
    assert lyon.instance.levels.is_blocked("lille.test")
    assert (await boss.post("/admin/policy", sent)).status == 409


async def test_the_audit_says_when_it_was_tampered_with(lyon: Site) -> None:
    boss = await visitor(lyon, "boss", role="admin")
    for level in ("limited", "trusted"):
        await boss.post("/admin/peers", {"domain": "lille.test", "level": level})
    assert "Chain unbroken" in (await boss.get("/admin/audit")).text


# ── applications ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_member_lets_an_application_in_or_does_not(lyon: Site) -> None:
    await _application(lyon)
    query = "client_id=phanpy&redirect_uri=https%3A%2F%2Fphanpy.example%2F&response_type=code&scope=read&state=s1"
    stranger = await visitor(lyon)
    asked = await stranger.get(f"/oauth/authorize?{query}")
    assert asked.location.startswith("/sign-in?next=/oauth/authorize")
    assert (await stranger.get(asked.location)).fields()["next"] == f"/oauth/authorize?{query}"
    browser = await visitor(lyon, "helene")
    page = await browser.get(f"/oauth/authorize?{query}")
    assert page.status == 200
    assert "Phanpy" in page.text
    assert "form-action 'self' https://phanpy.example;" in page.header("content-security-policy")
    sent = {name: value for name, value in page.fields().items() if name not in ("csrf", "back")}
    denied = await browser.post("/oauth/authorize", {**sent, "do": "deny"})
    assert denied.location.startswith("https://phanpy.example/?error=access_denied")
    allowed = await browser.post("/oauth/authorize", {**sent, "do": "allow"})
    assert allowed.location.startswith("https://phanpy.example/?code=")
    assert "state=s1" in allowed.location


@pytest.mark.case("F01")
@pytest.mark.parametrize(
    "query",
    [
        "client_id=nobody&redirect_uri=https%3A%2F%2Fphanpy.example%2F&response_type=code",
        "client_id=phanpy&redirect_uri=https%3A%2F%2Fevil.example%2F&response_type=code",
        "",
    ],
)
async def test_an_application_that_asks_wrongly_is_told_so_on_a_page(lyon: Site, query: str) -> None:
    await _application(lyon)
    browser = await visitor(lyon, "helene")
    answer = await browser.get(f"/oauth/authorize?{query}")
    assert answer.status in (400, 401)
    assert "<h1>" in answer.text
    assert not answer.location


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_application_that_is_known_is_told_itself(lyon: Site, method: str) -> None:
    await _application(lyon)
    browser = await visitor(lyon, "helene")
    asked = {"client_id": "phanpy", "redirect_uri": "https://phanpy.example/", "response_type": "token", "state": "s1"}
    if method == "GET":
        answer = await browser.get(f"/oauth/authorize?{urlencode(asked)}")
    else:
        answer = await browser.post("/oauth/authorize", {**asked, "do": "allow"})
    assert answer.location.startswith("https://phanpy.example/?error=unsupported_response_type&")
    assert "state=s1" in answer.location


@pytest.mark.parametrize(("host", "allowed"), [("phanpy.example", " https://phanpy.example"), ("evil.example", "")])
async def test_the_door_lets_a_refusal_reach_the_application_that_sent_the_member(
    lyon: Site, host: str, allowed: str
) -> None:
    await _application(lyon)
    asked = {"client_id": "phanpy", "redirect_uri": f"https://{host}/", "response_type": "token"}
    stranger = await visitor(lyon)
    door = await stranger.get((await stranger.get(f"/oauth/authorize?{urlencode(asked)}")).location)
    assert f"form-action 'self'{allowed};" in door.header("content-security-policy")


async def test_who_changes_the_language_at_the_door_still_goes_where_they_wanted(lyon: Site) -> None:
    stranger = await visitor(lyon)
    door = await stranger.get("/sign-in?next=/oauth/authorize%3Fclient_id%3Dphanpy%26scope%3Dread")
    link = next(part for part in re.findall(r'href="([^"]*)"', door.text) if "lang=" in part)
    other = await stranger.get(f"/sign-in{unescape(link)}")
    assert other.fields()["next"] == "/oauth/authorize?client_id=phanpy&scope=read"


async def test_an_application_can_be_let_in_by_another_account(lyon: Site) -> None:
    await _application(lyon)
    for name in ("helene", "otto"):
        await lyon.member(name)
    ask = "/oauth/authorize?client_id=phanpy&redirect_uri=https%3A%2F%2Fphanpy.example%2F&response_type=code"
    browser = await visitor(lyon, "helene")
    page = await browser.get(ask)
    assert 'href="/sign-in?another=1&amp;next=/oauth/authorize' in page.text
    forced = await browser.get(f"{ask}&force_login=true")
    door = await browser.get(forced.location)
    assert (door.status, door.fields()["next"]) == (200, ask)


async def test_who_signs_in_because_an_application_insists_is_asked_once(lyon: Site) -> None:
    await _application(lyon)
    await lyon.member("helene")
    browser = await (await visitor(lyon)).signs_in("helene")
    ask = "/oauth/authorize?client_id=phanpy&redirect_uri=https%3A%2F%2Fphanpy.example%2F&response_type=code"
    asked = await browser.get(f"{ask}&force_login=true")
    fields = (await browser.get(asked.location)).fields()
    entered = await browser.post("/sign-in", {**fields, "username": "helene", "password": PASSWORD})
    assert entered.location == ask


async def test_a_refused_application_without_an_address_gets_no_empty_code(lyon: Site) -> None:
    browser = await visitor(lyon, "helene")
    back = await browser.get("/oauth/authorize/native?error=access_denied")
    assert (back.status, back.location) == (303, "/")


async def _application(site: Site) -> None:
    async with site.instance.store.transaction("app") as tx:
        app = oauth.App(
            id=site.instance.here.ids.new(),
            client_id="phanpy",
            client_secret="",
            name="Phanpy",
            website="https://phanpy.example",
            redirect_uris=("https://phanpy.example/",),
            scopes="read write",
            created_at=site.instance.here.now(),
        )
        await oauth.add_app(tx, app)
