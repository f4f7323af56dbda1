"""Who calls the client API: bearer tokens, what their scopes cover, and whose they are."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from starlette.requests import Request

from medfed.accounts.consent import covers
from medfed.domain.accounts import Member
from medfed.kernel.errors import Forbidden, Unauthenticated
from medfed.kernel.secrets import hash_token
from medfed.storage import accounts, oauth
from medfed.storage.database import View
from medfed.storage.oauth import Token

Who: TypeAlias = Literal["anyone", "app", "member", "admin"]
"""Who may call: anybody, whoever holds a token, members, admins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls. `member` is None for an application's own token."""

    token: Token
    member: Member | None


def bearer(request: Request) -> str | None:
    """The bearer token of the Authorization header; one in the query is not looked at (F02)."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


class InvalidToken(Unauthenticated):
    """A token came, and it is none, or none any more (RFC 6750, 3.1)."""

    def __init__(self) -> None:
        super().__init__("the access token is invalid")


class InsufficientScope(Forbidden):
    """The token is not good for this; any one of `scopes` would be (RFC 6750, 3.1)."""

    def __init__(self, scopes: tuple[str, ...]) -> None:
        super().__init__("this action is outside the authorized scopes")
        self.scopes = scopes


async def identify(view: View, token: str) -> Caller:
    """Whose a token is. Raises InvalidToken, and Forbidden for a member whose login is not open."""
    known = await oauth.find_token(view, hash_token(token))
    if known is None:
        raise InvalidToken
    if known.account_id is None:
        return Caller(token=known, member=None)
    member = await accounts.find_member(view, known.account_id)
    if member is None:
        raise InvalidToken
    if not member.may_sign_in:
        raise Forbidden(_why_closed(member))
    return Caller(token=known, member=member)


def _why_closed(member: Member) -> str:
    if member.disabled_at is not None or not member.account.active:
        return "your login is disabled"
    if member.confirmed_at is None:
        return "your e-mail address is not confirmed yet"
    return "your registration is not approved yet"


def check(caller: Caller | None, *, who: Who, scopes: tuple[str, ...]) -> None:
    """Raises Unauthenticated or Forbidden unless this caller may; one of `scopes` is enough."""
    if caller is None:
        if who != "anyone":
            raise Unauthenticated("the access token is missing")
        return
    if scopes and not any(covers(caller.token.scopes, scope) for scope in scopes):
        raise InsufficientScope(scopes)
    if who in ("member", "admin") and caller.member is None:
        raise Unauthenticated("this method requires an authenticated user")
    if who == "admin" and (caller.member is None or not caller.member.is_at_least("admin")):
        raise Forbidden("this is for admins")
