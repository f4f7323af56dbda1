"""A client of the API, through ASGI; every answer that Mastodon describes is held against that description."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

import orjson

from medfed.accounts import tokens
from medfed.domain.accounts import Account, Member
from medfed.storage import accounts
from tests.api import oracle
from tests.support.world import Site

EVERYTHING = "read write follow push profile"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read."""
        return orjson.loads(self.body)

    def link(self, relation: str) -> str:
        """The path and query of a link; '' when there is none."""
        for part in self.headers.get("link", "").split(", "):
            url, _, rest = part.partition("; ")
            if rest == f'rel="{relation}"':
                parts = urlsplit(url.strip("<>"))
                return f"{parts.path}?{parts.query}"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Calls one site, with a token or without."""

    site: Site
    token: str = ""
    account: Account | None = None
    address: str = "192.0.2.7"
    judged: bool = True
    """Whether answers are held against Mastodon's description."""

    @property
    def id(self) -> str:
        """The account's id, as clients see it."""
        assert self.account is not None
        return str(self.account.id)

    async def get(self, path: str, **params: Any) -> Answer:
        """GET with a query."""
        query = urlencode(_flat(params))
        return await self.send("GET", f"{path}{'&' if '?' in path else '?'}{query}" if query else path)

    async def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        """POST JSON."""
        return await self.send("POST", path, body, headers)

    async def put(self, path: str, body: Any = None) -> Answer:
        """PUT JSON."""
        return await self.send("PUT", path, body)

    async def patch(self, path: str, body: Any = None) -> Answer:
        """PATCH JSON."""
        return await self.send("PATCH", path, body)

    async def delete(self, path: str) -> Answer:
        """DELETE."""
        return await self.send("DELETE", path)

    async def form(self, path: str, *pairs: tuple[str, str], method: str = "POST") -> Answer:
        """Send a form, names as they are."""
        headers = {"content-type": "application/x-www-form-urlencoded"}
        return await self.send(method, path, urlencode(pairs).encode(), headers)

    async def upload(
        self, path: str, files: Mapping[str, bytes], fields: Mapping[str, str] | None = None, method: str = "POST"
    ) -> Answer:
        """Send a multipart form."""
        parts = [
            f'--limit\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            for name, value in (fields or {}).items()
        ]
        parts += [
            f'--limit\r\nContent-Disposition: form-data; name="{name}"; filename="a.png"\r\n'.encode()
            + b"Content-Type: image/png\r\n\r\n"
            + data
            + b"\r\n"
            for name, data in files.items()
        ]
        body = b"".join(parts) + b"--limit--\r\n"
        return await self.send(method, path, body, {"content-type": "multipart/form-data; boundary=limit"})

    async def send(
        self, method: str, target: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Any request; a body that is no bytes is sent as JSON."""
        sent = {"host": self.site.instance.here.uris.authority}
        if self.token:
            sent["authorization"] = f"Bearer {self.token}"
        if body is not None and not isinstance(body, bytes):
            body, sent["content-type"] = orjson.dumps(body), "application/json"
        sent |= {name.replace("_", "-"): value for name, value in (headers or {}).items()}
        answer = await self._carry(method, target, body or b"", sent)
        assert answer.status < 500, f"{method} {target}: {answer.status} {answer.body!r}"
        if (
            self.judged
            and answer.status == 200
            and answer.headers.get("content-type", "").startswith("application/json")
        ):
            path = target.partition("?")[0]
            wrong = oracle.complaints(method, path, answer.json)
            assert not wrong, "\n".join(wrong)
        return answer

    async def _carry(self, method: str, target: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        path, _, query = target.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "https",
            "path": unquote(path),
            "raw_path": quote(path, safe="/%").encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            "client": (self.address, 40_000),
            "server": (self.site.instance.here.uris.authority, 443),
        }
        started: dict[str, Any] = {}
        parts: list[bytes] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                started.update(message)
            else:
                parts.append(message.get("body", b""))

        await self.site.app(scope, receive, send)
        return Answer(
            status=started["status"],
            headers={name.decode(): value.decode() for name, value in started["headers"]},
            body=b"".join(parts),
        )


def _flat(params: Mapping[str, Any]) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for name, value in params.items():
        if isinstance(value, list):
            pairs += [(f"{name}[]", str(one)) for one in value]
        else:
            pairs.append((name, str(value).lower() if isinstance(value, bool) else str(value)))
    return pairs


async def member_of(site: Site, username: str) -> Member:
    """The member behind a name."""
    account = await site.member(username)
    async with site.instance.store.view() as view:
        member = await accounts.find_member(view, account.id)
    assert member is not None
    return member


async def signed_in(site: Site, username: str, scopes: str = EVERYTHING, **more: Any) -> Client:
    """A client with a token of a member, who is made if there is none."""
    account = await site.member(username, **more)
    member = await member_of(site, username)
    async with site.instance.store.transaction("token") as tx:
        token = await tokens.issue(tx, site.instance.here, member, scopes, by="test")
    return Client(site=site, token=token, account=account)


async def app_token(site: Site, scopes: str) -> Client:
    """A client with an application's own token."""
    made = await Client(site=site).post(
        "/api/v1/apps", {"client_name": "An app", "redirect_uris": "https://app.test/cb", "scopes": scopes}
    )
    given = await Client(site=site).post(
        "/oauth/token",
        {
            "grant_type": "client_credentials",
            "client_id": made.json["client_id"],
            "client_secret": made.json["client_secret"],
            "scope": scopes,
        },
    )
    return Client(site=site, token=given.json["access_token"])
