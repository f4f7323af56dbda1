"""What every endpoint of the client API is handed, and what is checked before it is called."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from starlette.requests import Request
from starlette.responses import Response

from medfed.activitypub.here import Here
from medfed.api import auth
from medfed.api.auth import Caller, Who
from medfed.api.limits import OF_ADDRESS, OF_MEMBER, OF_TOKEN, RATES, Limit, Limiter, Rate
from medfed.api.paging import links
from medfed.api.params import Params, read_params
from medfed.domain.accounts import Account, Member
from medfed.edge import Json, Route, client_address, instance_of, network_of
from medfed.instance import Instance
from medfed.kernel.errors import NotFound, Refused, Unauthenticated
from medfed.kernel.paging import id_of
from medfed.storage.database import Store

PRIVATE: Final[Mapping[str, str]] = {"cache-control": "private, no-store", "vary": "Authorization, Accept, Origin"}
"""No answer of the client API is kept by caches on the way (F16)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, checked: who calls, with which parameters."""

    request: Request
    instance: Instance
    params: Params
    caller: Caller | None
    limiter: Limiter

    @property
    def here(self) -> Here:
        """This instance."""
        return self.instance.here

    @property
    def store(self) -> Store:
        """The database."""
        return self.instance.store

    @property
    def viewer(self) -> Account | None:
        """Whose eyes see the answer."""
        return self.caller.member.account if self.caller and self.caller.member else None

    @property
    def member(self) -> Member:
        """The member who calls. Raises Unauthenticated."""
        if self.caller is None or self.caller.member is None:
            raise Unauthenticated("this method requires an authenticated user")
        return self.caller.member

    @property
    def account(self) -> Account:
        """The account of the member who calls. Raises Unauthenticated."""
        return self.member.account

    def part(self, name: str) -> str:
        """A part of the path. Raises NotFound when nothing can be called so."""
        text = str(self.request.path_params[name])
        if "\0" in text:
            raise NotFound("there is nothing of this name")
        return text

    def id(self, name: str = "id") -> int:
        """An id in the path. Raises NotFound when it cannot be one."""
        id_ = id_of(self.part(name))
        if id_ is None:
            raise NotFound("there is nothing of this id")
        return id_

    def count(self, limit: Limit) -> None:
        """Count what only some calls of an endpoint cost. Raises TooMany."""
        if self.viewer is not None:
            self.limiter.count([(f"{limit.value} member {self.viewer.id}", RATES[limit])])

    def links(self, cursors: list[int]) -> Mapping[str, str]:
        """The Link header of a page with these cursors."""
        return links(self.here, self.request, cursors)


Method: TypeAlias = Callable[[Call], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the table: an endpoint, who may call it, with which of the scopes, how often."""

    method: str
    path: str
    call: Method
    who: Who
    scopes: tuple[str, ...]
    limit: Limit
    uploads: bool
    reads: Any = None
    """medfed's own API: the pydantic model of the body."""
    answers: Any = None
    """medfed's own API: the pydantic type of the answer."""
    says: str = field(default="")


def _line(method: str) -> Callable[..., Line]:
    def line(
        path: str,
        call: Method,
        *scopes: str,
        who: Who = "member",
        limit: Limit = Limit.USUAL,
        uploads: bool = False,
        reads: Any = None,
        answers: Any = None,
    ) -> Line:
        return Line(
            method=method,
            path=path,
            call=call,
            who=who,
            scopes=scopes,
            limit=limit,
            uploads=uploads,
            reads=reads,
            answers=answers,
            says=(call.__doc__ or "").strip(),
        )

    return line


get, post, put, patch, delete = (_line(method) for method in ("GET", "POST", "PUT", "PATCH", "DELETE"))


def as_route(line: Line, limiter: Limiter) -> Route:
    """The route of a line: count, identify, check, read, then call."""

    async def endpoint(request: Request) -> Response:
        instance = instance_of(request)
        address = network_of(client_address(request.scope, instance.settings.http.trusted_proxies))
        try:
            caller = await _identify(instance, request) if line.scopes or line.who != "anyone" else None
        except Refused:
            limiter.count([(f"address {address}", OF_ADDRESS)])
            raise
        room = limiter.count(_buckets(line, caller, address))
        auth.check(caller, who=line.who, scopes=line.scopes)
        params = await read_params(request, uploads=line.uploads)
        response = await line.call(
            Call(request=request, instance=instance, params=params, caller=caller, limiter=limiter)
        )
        for name, value in {**PRIVATE, **(room.headers if room else {})}.items():
            response.headers.setdefault(name, value)
        return response

    return Route(method=line.method, path=line.path, endpoint=endpoint, info=line)


async def _identify(instance: Instance, request: Request) -> Caller | None:
    token = auth.bearer(request)
    if token is None:
        return None
    async with instance.store.view() as view:
        return await auth.identify(view, token)


def _buckets(line: Line, caller: Caller | None, address: str) -> list[tuple[str, Rate]]:
    buckets: list[tuple[str, Rate]] = []
    who = f"address {address}"
    if caller is None:
        buckets.append((who, OF_ADDRESS))
    else:
        buckets.append((f"token {caller.token.token_hash}", OF_TOKEN))
    if caller is not None and caller.member is not None:
        who = f"member {caller.member.account.id}"
        buckets.append((who, OF_MEMBER))
    if line.limit in RATES:
        buckets.append((f"{line.limit.value} {who}", RATES[line.limit]))
    return buckets


def empty(status: int = 200) -> Response:
    """{}: what Mastodon answers when there is nothing to say."""
    return Json({}, status_code=status)
