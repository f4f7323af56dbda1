"""The part of a person in front of a browser, when an application asks for access: sign in, read, allow."""

import re
from collections.abc import Mapping
from html import unescape
from http.cookiejar import CookieJar
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit
from urllib.request import HTTPCookieProcessor, OpenerDirector, build_opener


def allow(url: str, username: str, password: str) -> str:
    """Follow an application's link to the end; the code that the last page shows."""
    browser = build_opener(HTTPCookieProcessor(CookieJar()))
    at, _ = _open(browser, url)
    at, page = _open(browser, urljoin(at, "/sign-in"), _form(at) | {"username": username, "password": password})
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
    at, page = _open(
        browser,
        urljoin(at, "/oauth/authorize"),
        {name: unescape(value) for name, value in hidden.items()} | {"do": "allow"},
    )
    code = parse_qs(urlsplit(at).query)["code"][0]
    assert code in page, "the page does not show the code"
    return code


def _form(at: str) -> dict[str, str]:
    return {"next": parse_qs(urlsplit(at).query)["next"][0]}


def _open(browser: OpenerDirector, url: str, form: Mapping[str, str] | None = None) -> tuple[str, str]:
    with browser.open(url, urlencode(form).encode() if form else None, timeout=30) as answer:
        return answer.url, answer.read().decode()
