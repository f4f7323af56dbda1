"""The only door to other servers: every request that leaves this house is made by a `Net`."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from medfed import __version__
from medfed.kernel import limits
from medfed.kernel.errors import Blocked, MedfedError, RemoteRefused, Unreachable
from medfed.kernel.transactions import refuse_inside_transaction
from medfed.net.guard import Policy, Url, parse_networks, resolve_reference
from medfed.net.message import OutgoingRequest, Response, Signer, Transport
from medfed.net.pool import Pool, tls_context

_REDIRECTS = (301, 302, 303, 307, 308)


def nobody_is_blocked(_authority: str) -> bool:
    """The rule of an instance without rules about its peers."""
    return False


async def everybody_is_met(_authority: str) -> None:
    """The rule of an instance that does not mind how many hosts it gets to know."""


class Net:
    """Speaks HTTP with other servers under one policy.

    Each hop of each request passes the same checks, in this order: no write transaction is open; the URL is
    one that we use; our rules do not block the host (`is_blocked` is asked with the authority, host[:port]);
    whoever is asked for a document may be met (`meet`, likewise, raises Unreachable if not: H09);
    and, where sockets are used, every address of the name is allowed.
    """

    def __init__(
        self,
        *,
        public_url: str = "",
        allow_networks: Sequence[str] = (),
        allow_http: bool = False,
        ca_file: Path | None = None,
        is_blocked: Callable[[str], bool] = nobody_is_blocked,
        meet: Callable[[str], Awaitable[None]] = everybody_is_met,
        transport: Transport | None = None,
    ) -> None:
        self._policy = Policy(allow_networks=parse_networks(allow_networks), allow_http=allow_http)
        self._is_blocked = is_blocked
        self._meet = meet
        self._transport = transport or Pool(self._policy, tls=tls_context(ca_file))
        about = f" (+{public_url})" if public_url else ""
        self._user_agent = f"medfed/{__version__}{about}"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections; requests under way fail with Unreachable."""
        await self._transport.aclose()

    async def get(
        self,
        url: str,
        *,
        accept: str,
        limit: int,
        sign: Signer | None = None,
        timeout: float = limits.TOTAL_TIMEOUT,  # noqa: ASYNC109
        redirects: int = limits.REDIRECTS,
        headers: Mapping[str, str] | None = None,
        compressed: bool = False,
        meet: bool = True,
    ) -> Response:
        """Fetch `url`, following at most `redirects` redirects, all within `timeout` seconds.

        Each hop is checked and signed anew; `headers` (conditional requests, a token) go only to the first
        authority. `limit` is in decoded body bytes. Without `meet`, hosts are not counted as met: for what may lie
        anywhere and leads nowhere, like pictures. Any status but a followed redirect is returned.
        Raises Blocked, Unreachable, RemoteRefused (a redirect that is not followed, a body over the limit).
        """
        deadline = time.monotonic() + timeout
        coding = "gzip" if compressed else "identity"
        own = {"accept": accept, "accept-encoding": coding}
        to = self._admit("GET", url)
        origin = (to.scheme, to.authority)
        seen = {str(to)}
        while True:
            extra = headers if headers and (to.scheme, to.authority) == origin else {}
            if meet:
                await self._meet(to.authority)
            request = self._request("GET", to, own, extra, b"")
            response = await self._knock(request, sign, deadline, limit)
            if response.status not in _REDIRECTS:
                return response
            if len(seen) > redirects:
                raise RemoteRefused("too many redirects", host=to.authority, remote_status=response.status)
            to = self._follow(to, response)
            if str(to) in seen:
                raise RemoteRefused("redirects in a circle", host=to.authority, remote_status=response.status)
            seen.add(str(to))
            if time.monotonic() >= deadline:
                raise Unreachable("took too long altogether", host=to.authority)

    async def post(
        self,
        url: str,
        *,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        sign: Signer | None = None,
        timeout: float = limits.TOTAL_TIMEOUT,  # noqa: ASYNC109
        limit: int = limits.FETCHED_SMALL,
    ) -> Response:
        """Send `body`; redirects are returned like any other status, an answer over `limit` is cut off.

        Raises Blocked, Unreachable, RemoteRefused.
        """
        to = self._admit("POST", url)
        own = {"accept-encoding": "identity", "content-length": str(len(body))}
        request = self._request("POST", to, own, headers or {}, body)
        return await self._knock(request, sign, time.monotonic() + timeout, limit)

    def _admit(self, method: str, url: str) -> Url:
        refuse_inside_transaction(f"{method} {url}")
        to = self._policy.parse(url)
        if self._is_blocked(to.authority):
            raise Blocked("this instance does not talk to that host", host=to.authority)
        return to

    def _request(
        self,
        method: str,
        to: Url,
        own: Mapping[str, str],
        extra: Mapping[str, str],
        body: bytes,
    ) -> OutgoingRequest:
        fields = {"host": to.authority, "user-agent": self._user_agent, **own}
        fields |= {name.lower(): value for name, value in extra.items()}
        return OutgoingRequest(method=method, to=to, headers=fields, body=body)

    async def _knock(self, request: OutgoingRequest, sign: Signer | None, deadline: float, limit: int) -> Response:
        """Make one request, as often as its signer wants to sign it otherwise, `limits.KNOCKS` times at most."""
        if sign is None:
            return await self._transport.send(request, deadline - time.monotonic(), limit)
        knocking = sign(request)
        headers = next(knocking)
        for knock in range(1, limits.KNOCKS + 1):
            fields = {**request.headers, **{name.lower(): value for name, value in headers.items()}}
            response = await self._transport.send(replace(request, headers=fields), deadline - time.monotonic(), limit)
            try:
                headers = knocking.send(response)
            except StopIteration as settled:
                answer: Response = settled.value
                return answer
            if knock == limits.KNOCKS or time.monotonic() >= deadline:
                break
        return response

    def _follow(self, here: Url, response: Response) -> Url:
        locations = response.headers.all("location")
        if len(locations) != 1:
            raise RemoteRefused("a redirect to nowhere", host=here.authority, remote_status=response.status)
        there = self._admit("GET", resolve_reference(here, _as_text(locations[0])))
        if here.scheme == "https" and there.scheme == "http":
            raise Blocked("a redirect from https to http", host=here.authority)
        return there


class NeedsNetwork(MedfedError):
    """What was asked for is not stored here, and whoever asked may not wait for other servers."""


class NoNet(Net):
    """A door that stays shut, for work that has to do with what is stored here."""

    def __init__(self) -> None:
        super().__init__(transport=_Shut())

    def _admit(self, method: str, url: str) -> Url:
        raise NeedsNetwork(f"{method} {url}")


class _Shut:
    async def send(self, request: OutgoingRequest, *_: float) -> Response:
        raise NeedsNetwork(f"{request.method} {request.to}")

    async def aclose(self) -> None:
        return


def _as_text(location: str) -> str:
    """Servers that put raw non-ASCII into Location mean UTF-8."""
    try:
        return location.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return location
