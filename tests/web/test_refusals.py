"""A form that is refused: nothing that was written is lost, and the page says what to do."""

import re
from collections.abc import AsyncIterator
from io import BytesIO

import pytest
from PIL import Image

from tests.support.world import Site, World, a_world
from tests.web.browser import Browser, visitor

WRITTEN = "Douleur thoracique depuis trois jours, majorée à l’effort"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with a_world("lyon.test") as made:
        yield made


@pytest.fixture
async def lyon(world: World) -> Site:
    return world["lyon.test"]


@pytest.mark.parametrize(
    ("url", "field"), [("/compose", "content"), ("/cases/new", "presentation"), ("/report", "comment")]
)
async def test_who_was_signed_out_while_writing_gets_back_what_they_wrote(lyon: Site, url: str, field: str) -> None:
    browser = await visitor(lyon, "helene", language="fr")
    browser.cookies.clear()
    answer = await browser.post(url, {field: WRITTEN, "back": url, "password": "not to be shown"})
    assert answer.status == 401
    assert WRITTEN in answer.text
    assert "not to be shown" not in answer.text
    assert f'href="/sign-in?next={url}"' in answer.text
    assert "Vous n’êtes plus connecté" in answer.text


async def test_a_button_pressed_after_the_session_ended_leads_to_the_door_and_back(lyon: Site) -> None:
    browser = await visitor(lyon, "helene")
    browser.cookies.clear()
    answer = await browser.post("/posts/1", {"do": "useful", "back": "/cases?stage=urgent"})
    assert (answer.status, answer.location) == (303, "/sign-in?next=/cases%3Fstage%3Durgent")


async def test_a_form_from_an_earlier_session_is_refused_and_given_back(lyon: Site) -> None:
    browser = await visitor(lyon, "helene", language="fr")
    answer = await browser.post("/compose", {"content": WRITTEN, "do": "publish"}, token="of another session")
    assert answer.status == 403
    assert WRITTEN in answer.text
    assert "Open its page again" in answer.text


@pytest.mark.case("F13")
async def test_a_form_of_another_site_is_not_even_read(lyon: Site) -> None:
    answer = await (await visitor(lyon, "helene")).post("/compose", {"content": WRITTEN}, sec_fetch_site="cross-site")
    assert answer.status == 403
    assert WRITTEN not in answer.text


@pytest.mark.case("F14")
@pytest.mark.parametrize("field", ["media_ids", "drop_media", "choices", "older", "end"])
async def test_an_endless_number_is_refused_like_any_other_nonsense(lyon: Site, field: str) -> None:
    post = await lyon.publishes("yanis", "Bonsoir")
    browser = await visitor(lyon, "helene")
    form = {field: "9" * 5_000, "media_ids": "9" * 5_000, "content": WRITTEN}
    for url in ("/compose", f"/polls/{post.id}", "/settings/sessions"):
        assert (await browser.post(url, form)).status < 500, url
    assert (await browser.get(f"/?{field}={'9' * 5_000}")).status < 500


async def test_every_mistake_of_a_form_is_named_and_leads_to_its_field(lyon: Site) -> None:
    browser = await visitor(lyon, "helene")
    file = BytesIO()
    Image.new("RGB", (64, 48), "teal").save(file, "PNG")
    answer = await browser.post("/cases/new", {"do": "publish", "consent": "none"}, files={"image_1": file.getvalue()})
    assert answer.status == 422
    summary = answer.text.partition('id="errors"')[2].partition("</ul>")[0]
    anchors = re.findall(r'href="#([^"]+)"', summary)
    assert {"title", "specialties", "presentation", "consent"} <= set(anchors)
    assert [anchor for anchor in anchors if f'id="{anchor}"' not in answer.text] == []
    assert "Title: This is needed." in summary


async def test_what_was_said_once_is_taken_from_the_browser_as_securely_as_it_was_put_there(lyon: Site) -> None:
    """A browser ignores a cookie named __Host- that is not Secure, even one that ends it."""
    browser: Browser = await visitor(lyon, "helene")
    await browser.post("/compose", {"content": "Bonjour", "audience": "public", "do": "publish"})
    answer = await browser.get("/")
    ended = [value for name, value in answer.headers if name == "set-cookie" and "_flash=" in value]
    assert len(ended) == 1
    assert "max-age=0" in ended[0].lower()
    assert "secure" in ended[0].lower()


async def test_only_a_strangers_view_of_a_profile_lets_a_form_lead_elsewhere(lyon: Site) -> None:
    """Following from one's own instance is a form that is answered by a redirect to it."""
    await lyon.member("yanis")
    stranger, member = await visitor(lyon), await visitor(lyon, "helene")
    assert "form-action 'self' https:;" in (await stranger.get("/@yanis")).header("content-security-policy")
    assert "form-action 'self';" in (await member.get("/@yanis")).header("content-security-policy")
    assert "form-action 'self';" in (await stranger.get("/about")).header("content-security-policy")
