"""A browser without a window: it keeps cookies, follows redirects when told to, and fills in forms by their fields."""

import gzip
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

from medfed.accounts.passwords import hash_password
from medfed.domain.accounts import Account
from medfed.storage import accounts
from tests.support.world import Site

PASSWORD = "a long enough password"
_HASHES: dict[str, str] = {}


@dataclass(slots=True)
class Answer:
    """What came back."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def text(self) -> str:
        """The page."""
        return self.body.decode()

    def header(self, name: str) -> str:
        """A header, '' when it is missing."""
        return ", ".join(value for key, value in self.headers if key == name)

    @property
    def location(self) -> str:
        """Where it redirects to."""
        return self.header("location")

    def fields(self) -> dict[str, str]:
        """The hidden fields of all forms, and what is typed in the others."""
        reader = _Fields()
        reader.feed(self.text)
        return reader.found


class _Fields(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self._area = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "input" and given.get("type") in ("hidden", "text", "email"):
            self.found.setdefault(given.get("name", ""), given.get("value", ""))
        if tag == "textarea":
            self._area = given.get("name", "")

    def handle_data(self, data: str) -> None:
        if self._area:
            self.found.setdefault(self._area, data.removeprefix("\n"))
            self._area = ""


@dataclass(slots=True)
class Browser:
    """Somebody in front of one instance."""

    site: Site
    cookies: dict[str, str] = field(default_factory=dict)
    language: str = "en"
    csrf: str = ""

    @property
    def origin(self) -> str:
        """Where the instance lives."""
        return self.site.instance.here.uris.base

    async def get(self, url: str, **headers: str) -> Answer:
        """GET a page."""
        return await self._ask("GET", url, b"", headers)

    async def post(
        self,
        url: str,
        fields: Mapping[str, str | Sequence[str]] | None = None,
        *,
        token: str | None = None,
        files: Mapping[str, bytes] | None = None,
        **headers: str,
    ) -> Answer:
        """POST a form; the token of the session goes with it unless another is given."""
        sent = {"csrf": self.csrf if token is None else token, **(fields or {})}
        kind, body = _multipart(sent, files) if files else _urlencoded(sent)
        return await self._ask("POST", url, body, {"content-type": kind, "origin": self.origin, **headers})

    async def signs_in(self, username: str) -> "Browser":
        """Sign in as a member, whose password is set for the occasion."""
        account = await self.site.find(username)
        assert account is not None
        await give_password(self.site, account)
        answer = await self.post("/sign-in", {"username": username, "password": PASSWORD})
        assert answer.status == 303, answer.text
        self.csrf = (await self.get("/settings")).fields()["csrf"]
        return self

    async def _ask(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        parts = urlsplit(url)
        base = urlsplit(self.origin)
        sent = {
            "host": base.netloc,
            "accept": "text/html,application/xhtml+xml,*/*;q=0.8",
            "accept-language": self.language,
            "content-length": str(len(body)),
            **(
                {"cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())} if self.cookies else {}
            ),
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        scope: MutableMapping[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": base.scheme,
            "path": unquote(parts.path),
            "raw_path": parts.path.encode("utf-8"),
            "query_string": parts.query.encode("utf-8"),
            "root_path": "",
            "headers": [(name.encode(), value.encode("utf-8")) for name, value in sent.items()],
            "client": ("198.51.100.9", 50_000),
            "server": (base.hostname, base.port or 443),
            "state": {},
        }
        return await self._exchange(scope, body)

    async def _exchange(self, scope: MutableMapping[str, Any], body: bytes) -> Answer:
        answer = Answer(status=0, headers=[], body=b"")

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = [(name.decode().lower(), value.decode()) for name, value in message["headers"]]
            elif message["type"] == "http.response.body":
                answer.body += message.get("body", b"")

        await self.site.app(scope, receive, send)
        if answer.header("content-encoding") == "gzip":
            answer.body = gzip.decompress(answer.body)
        for name, value in answer.headers:
            if name == "set-cookie":
                self._keep(value)
        return answer

    def _keep(self, cookie: str) -> None:
        pair, _, attributes = cookie.partition(";")
        name, _, value = pair.partition("=")
        value = value.strip('"')
        if "max-age=0" in attributes.lower() or not value:
            self.cookies.pop(name, None)
        else:
            self.cookies[name] = value


def _urlencoded(fields: Mapping[str, str | Sequence[str]]) -> tuple[str, bytes]:
    return "application/x-www-form-urlencoded", urlencode(fields, doseq=True).encode()


def _multipart(fields: Mapping[str, str | Sequence[str]], files: Mapping[str, bytes]) -> tuple[str, bytes]:
    boundary = "----a-boundary-that-no-text-holds"
    parts = []
    for name, value in fields.items():
        head = f'--{boundary}\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n'
        parts += [f"{head}{one}\r\n".encode() for one in ([value] if isinstance(value, str) else value)]
    for name, data in files.items():
        head = f'--{boundary}\r\ncontent-disposition: form-data; name="{name}"; filename="f"\r\n\r\n'
        parts.append(head.encode() + data + b"\r\n")
    return f"multipart/form-data; boundary={boundary}", b"".join([*parts, f"--{boundary}--\r\n".encode()])


async def give_password(site: Site, account: Account) -> None:
    """Give a member the password of tests; hashing takes 30 ms, once."""
    if PASSWORD not in _HASHES:
        _HASHES[PASSWORD] = await hash_password(PASSWORD)
    async with site.instance.store.transaction("set password") as tx:
        await accounts.set_password(tx, account.id, _HASHES[PASSWORD])


async def visitor(site: Site, username: str = "", *, role: str = "member", language: str = "en") -> Browser:
    """A browser: a stranger's, or that of a member who has signed in."""
    browser = Browser(site, language=language)
    if not username:
        return browser
    await site.member(username, role=role)
    return await browser.signs_in(username)
