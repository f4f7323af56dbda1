"""A case from the first word to the kept answer, in a browser without JavaScript, on a phone and at a desk."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.interop.servers import Medfed

PASSWORD = "a long enough password 7"
WIDTHS = (390, 1280)


@contextmanager
def visitor(chromium: Any, width: int, locale: str = "en-GB") -> Iterator[Any]:
    """A page of one visitor, without JavaScript; whatever the browser complains of ends the test."""
    context = chromium.new_context(
        viewport={"width": width, "height": 900}, locale=locale, java_script_enabled=False, reduced_motion="reduce"
    )
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("response", lambda answer: complaints.append(answer.url) if answer.status >= 500 else None)
    yield page
    assert complaints == []
    context.close()


def create(site: Medfed, name: str) -> None:
    """A member who can sign in."""
    site.run("member", "create", name, "--email", f"{name}@example.org", "--password-stdin", stdin=PASSWORD)


def sign_in(page: Any, site: Medfed, name: str) -> None:
    """Through the form."""
    page.goto(f"{site.url}/sign-in")
    page.fill("input[name=username]", name)
    page.fill("input[name=password]", PASSWORD)
    page.click("main form button")
    assert page.url == f"{site.url}/"


def fits(page: Any, width: int) -> None:
    """Nothing scrolls sideways."""
    page.wait_for_load_state()
    assert page.evaluate("document.documentElement.scrollWidth") <= width, page.url


@pytest.mark.parametrize("width", WIDTHS)
def test_a_case_is_published_answered_and_solved_without_javascript(chromium: Any, site: Medfed, width: int) -> None:
    author, colleague = f"author{width}", f"colleague{width}"
    create(site, author)
    create(site, colleague)
    title = f"Recurrent syncope on effort, {width}"
    with visitor(chromium, width) as page:
        sign_in(page, site, author)
        fits(page, width)
        page.goto(f"{site.url}/cases/new")
        fits(page, width)
        page.fill("[name=title]", title)
        page.fill("[name=presentation]", "Two episodes on effort, brief, with complete recovery.")
        page.fill("[name=question]", "Which examination first?")
        page.select_option("[name=specialties]", ["cardiology"])
        page.locator("label:has([name=audience][value=public])").first.click()
        page.locator("button[name=do][value=publish]:visible").first.click()
        assert "/cases/" in page.url, page.locator("main").inner_text()[:800]
        assert page.locator("h1").inner_text() == title
        fits(page, width)
        where = page.url
    with visitor(chromium, width) as page:
        sign_in(page, site, colleague)
        page.goto(where)
        page.fill("[name=content]", "Echocardiography, to look for an obstruction.")
        page.locator("button[name=do][value=publish]:visible").first.click()
        assert "look for an obstruction" in page.content()
        fits(page, width)
    with visitor(chromium, width) as page:
        sign_in(page, site, author)
        page.goto(f"{site.url}/notifications")
        assert "look for an obstruction" in page.content()
        fits(page, width)


@pytest.mark.parametrize("width", WIDTHS)
def test_what_strangers_see_fits_and_is_in_their_language(chromium: Any, site: Medfed, width: int) -> None:
    for locale, word in (("fr-FR", "Connexion"), ("en-GB", "Sign in")):
        with visitor(chromium, width, locale) as page:
            for path in ("/", "/sign-in", "/directory", "/cases", "/about"):
                assert page.goto(f"{site.url}{path}").status == 200
                fits(page, width)
            page.goto(f"{site.url}/")
            assert word in page.content()


def test_a_page_that_does_not_exist_says_so_in_words(chromium: Any, site: Medfed) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    assert page.goto(f"{site.url}/@nobody").status == 404
    assert "does not exist" in page.content() or "n’existe pas" in page.content()
    context.close()
