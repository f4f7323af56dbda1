"""What applications may do for members: what they ask for, what members grant, and the tokens that say so.

OAuth 2 without its HTTP (RFC 6749, 7636, 9207, 9700). The consent page calls `check_authorization_request` to know
what is asked for, and `grant` or `deny` for where to send the browser.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlencode, urlsplit

from medfed.accounts.tokens import check_scopes
from medfed.activitypub.here import Here
from medfed.domain.accounts import Member
from medfed.kernel.clock import MINUTE
from medfed.kernel.errors import Forbidden, Invalid
from medfed.kernel.secrets import hash_token, new_token
from medfed.storage import oauth
from medfed.storage.database import Transaction, View
from medfed.storage.oauth import App, Code, Token

OUT_OF_BAND: Final = "urn:ietf:wg:oauth:2.0:oob"
"""Instead of a redirect, the code is shown to the member, who types it in: the page /oauth/authorize/native."""
CODE_LIFETIME: Final = 1 * MINUTE
DEFAULT_SCOPE: Final = "read"
STATE: Final = 2_000

_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_FOLLOW: Final = frozenset(
    f"{access}:{what}" for access in ("read", "write") for what in ("follows", "blocks", "mutes")
)


class Denied(Invalid):
    """OAuth's own kind of refusal: `code` is one of RFC 6749's, `scheme` how the application tried to say who it is."""

    status = 400

    def __init__(self, code: str, description: str, *, scheme: Literal["Basic", "Bearer"] = "Bearer") -> None:
        super().__init__(description)
        self.code = code
        self.scheme = scheme
        self.status = 401 if code == "invalid_client" else 400


class DeniedToApplication(Denied):
    """A refusal that the application is told of, at a redirect URI that it registered (RFC 6749, 4.1.2.1)."""

    def __init__(self, denied: Denied, *, redirect_uri: str, state: str) -> None:
        super().__init__(denied.code, str(denied))
        self.redirect_uri = redirect_uri
        self.state = state

    def url(self, here: Here) -> str:
        """Where to send the browser."""
        answer = {"error": self.code, "error_description": str(self)}
        return _redirect(here, self.redirect_uri, self.state, answer)


def covers(granted: str, needed: str) -> bool:
    """Whether granted scopes include the needed one: `read` includes `read:statuses`."""
    held = set(granted.split())
    if needed in held:
        return True
    parent = needed.rpartition(":")[0]
    return (parent != "" and parent in held) or ("follow" in held and needed in _FOLLOW)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequest:
    """What an application asks of a member, checked."""

    app: App
    redirect_uri: str
    scopes: str
    state: str
    challenge: str


async def check_authorization_request(view: View, params: Mapping[str, str]) -> AuthorizationRequest:
    """What the query of GET /oauth/authorize asks for.

    Raises Denied, for a page, where it is not known whom to answer: nothing is ever sent to a URI that the
    application did not register (F01). Raises DeniedToApplication for everything else.
    """
    app = await oauth.find_app(view, params.get("client_id", ""))
    if app is None:
        raise Denied("invalid_client", "the application is not known here")
    redirect_uri = params.get("redirect_uri", "")
    if redirect_uri not in app.redirect_uris:
        raise Denied("invalid_request", "the redirect URI is not one that the application registered")
    state = _state(params)
    try:
        return _asked(params, app, redirect_uri, state)
    except Denied as denied:
        if redirect_uri == OUT_OF_BAND:
            raise
        raise DeniedToApplication(denied, redirect_uri=redirect_uri, state=state) from None


def _asked(params: Mapping[str, str], app: App, redirect_uri: str, state: str) -> AuthorizationRequest:
    if not params.get("response_type"):
        raise Denied("invalid_request", "response_type is missing")
    if params["response_type"] != "code":
        raise Denied("unsupported_response_type", "only the authorization code flow is supported")
    if params.get("response_mode", "query") != "query":
        raise Denied("invalid_request", "only the response mode query is supported")
    if params.get("prompt") == "none":
        raise Denied("interaction_required", "a member is always asked")
    return AuthorizationRequest(
        app=app,
        redirect_uri=redirect_uri,
        scopes=within(params.get("scope") or DEFAULT_SCOPE, app.scopes),
        state=state,
        challenge=_challenge(params),
    )


def _state(params: Mapping[str, str]) -> str:
    state = params.get("state", "")
    if len(state) > STATE:
        # RFC 6749, 4.1.2: the exact value that came, or the application takes the answer for a forgery.
        raise Denied("invalid_request", f"the state is longer than {STATE} characters")
    return state


def _challenge(params: Mapping[str, str]) -> str:
    challenge = params.get("code_challenge", "")
    if not challenge:
        if params.get("code_challenge_method"):
            raise Denied("invalid_request", "code_challenge is missing")
        return ""
    # RFC 7636, 4.3: without a method the challenge would be "plain", which protects nothing.
    if params.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(challenge):
        raise Denied("invalid_request", "only the code challenge method S256 is supported")
    return challenge


def within(wanted: str, granted: str) -> str:
    """The scopes in `wanted`, if `granted` covers them all. Raises Denied."""
    try:
        scopes = check_scopes(wanted)
    except Invalid as error:
        raise Denied("invalid_scope", str(error)) from None
    outside = [scope for scope in scopes.split() if not covers(granted, scope)]
    if outside:
        raise Denied("invalid_scope", f"the application did not register for {outside[0]}")
    return scopes


async def grant(tx: Transaction, here: Here, member: Member, request: AuthorizationRequest) -> str:
    """The member consents: the URL to send the browser to, with a code that lives a minute and is good once.

    Raises Forbidden for scopes of administration that the member's role does not carry (F24).
    """
    check_role(member, request.scopes)
    code = new_token()
    await oauth.add_code(
        tx,
        Code(
            code_hash=hash_token(code),
            app_id=request.app.id,
            account_id=member.account.id,
            redirect_uri=request.redirect_uri,
            scopes=request.scopes,
            challenge=request.challenge,
            expires_at=here.now() + CODE_LIFETIME,
        ),
    )
    return _redirect(here, request.redirect_uri, request.state, {"code": code})


def deny(here: Here, request: AuthorizationRequest) -> str:
    """The member does not consent: the URL to send the browser to."""
    answer = {"error": "access_denied", "error_description": "the member did not consent"}
    return _redirect(here, request.redirect_uri, request.state, answer)


def _redirect(here: Here, redirect_uri: str, state: str, answer: Mapping[str, str]) -> str:
    query = urlencode({**answer, **({"state": state} if state else {}), "iss": here.uris.base})
    if redirect_uri == OUT_OF_BAND:
        return f"{here.uris.base}/oauth/authorize/native?{query}"
    joiner = "&" if urlsplit(redirect_uri).query else "?"
    return f"{redirect_uri}{joiner}{query}"


def check_role(member: Member, scopes: str) -> None:
    """Raises Forbidden for scopes of administration that the member's role does not carry (F24)."""
    if any(scope.startswith("admin:") for scope in scopes.split()) and not member.is_at_least("moderator"):
        raise Forbidden("admin scopes are for moderators and admins")


async def issue_token(
    tx: Transaction, here: Here, app: App, *, account_id: int | None, scopes: str, code_hash: str | None = None
) -> dict[str, object]:
    """A new bearer token, as a Token entity; only its hash is stored."""
    secret, now = new_token(), here.now()
    await oauth.add_token(
        tx,
        Token(
            token_hash=hash_token(secret),
            app_id=app.id,
            account_id=account_id,
            scopes=scopes,
            created_at=now,
            code_hash=code_hash,
        ),
    )
    return {"access_token": secret, "token_type": "Bearer", "scope": scopes, "created_at": now // 1000}
