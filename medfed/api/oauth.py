"""OAuth 2 over HTTP for client applications: registration, tokens, revocation (RFC 6749, 7009, 7636, 8414, 9700)."""

import base64
import binascii
import hashlib
import re
from typing import Final, Literal
from urllib.parse import unquote_plus, urlsplit

from starlette.responses import Response

from medfed.accounts import sessions
from medfed.accounts.consent import DEFAULT_SCOPE, OUT_OF_BAND, Denied, check_role, issue_token, within
from medfed.accounts.tokens import SCOPES, check_scopes
from medfed.activitypub.here import Here
from medfed.api import entities
from medfed.api.auth import InvalidToken
from medfed.api.calls import Call, empty
from medfed.api.params import Params
from medfed.edge import Json
from medfed.instance import Instance
from medfed.kernel.errors import Invalid, Unauthenticated
from medfed.kernel.html import neutralise, safe_url
from medfed.kernel.secrets import hash_token, new_token, same_secret
from medfed.storage import oauth
from medfed.storage.database import Transaction, View
from medfed.storage.oauth import App, Code

REDIRECT_URIS: Final = 10
URI_LENGTH: Final = 2_000

_NAME: Final = 60
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*", re.IGNORECASE)
_NEVER_SCHEMES: Final = frozenset(
    {
        "about",
        "blob",
        "data",
        "file",
        "filesystem",
        "ftp",
        "javascript",
        "mailto",
        "vbscript",
        "view-source",
        "ws",
        "wss",
    }
)


# ── applications ─────────────────────────────────────────────────────────────────────────────────────────────


async def register_app(call: Call) -> Response:
    """Register a client application."""
    params, here = call.params, call.here
    secret = new_token()
    app = App(
        id=here.ids.new(),
        client_id=new_token(),
        client_secret=hash_token(secret),
        name=_app_name(params),
        website=_website(params),
        redirect_uris=_redirect_uris(params),
        scopes=check_scopes(params.optional_text("scopes") or DEFAULT_SCOPE),
        created_at=here.now(),
    )
    async with call.store.transaction("register app") as tx:
        await oauth.add_app(tx, app)
    return Json(entities.app(app, secret))


def _app_name(params: Params) -> str:
    name = neutralise(params.text("client_name", most=1_000), _NAME)
    if not name:
        raise Invalid("client_name is missing", {"client_name": "is missing"})
    return name


def _website(params: Params) -> str:
    website = params.text("website", most=URI_LENGTH)
    if website and not safe_url(website):
        raise Invalid("website is not a URL", {"website": "is not a URL"})
    return website


def _redirect_uris(params: Params) -> tuple[str, ...]:
    given = [uri for text in params.texts("redirect_uris") for uri in text.split()]
    uris = tuple(dict.fromkeys(given))
    if not uris:
        raise Invalid("redirect_uris is missing", {"redirect_uris": "is missing"})
    if len(uris) > REDIRECT_URIS:
        raise Invalid("too many redirect_uris", {"redirect_uris": f"at most {REDIRECT_URIS}"})
    for uri in uris:
        _check_redirect_uri(uri)
    return uris


def _check_redirect_uri(uri: str) -> None:
    problem = _problem_of(uri)
    if problem:
        raise Invalid(f"a redirect URI {problem}", {"redirect_uris": problem})


def _problem_of(uri: str) -> str:
    """What is wrong with a redirect URI; '' when nothing is (F24)."""
    if uri == OUT_OF_BAND:
        return ""
    if len(uri) > URI_LENGTH:
        return f"is longer than {URI_LENGTH} characters"
    try:
        parts = urlsplit(uri)
    except ValueError:
        return "is not a URI"
    if not _SCHEME.fullmatch(parts.scheme) or not uri.isprintable() or "\\" in uri:
        return "is not an absolute URI"
    if parts.fragment or "#" in uri:
        return "has a fragment"
    if parts.scheme.lower() in _NEVER_SCHEMES:
        return "has a scheme that is not allowed"
    if parts.scheme.lower() in ("http", "https") and not safe_url(uri):
        return "is not a URL"
    return ""


async def verify_app(call: Call) -> Response:
    """The application that the token belongs to."""
    app_id = call.caller.token.app_id if call.caller else None
    async with call.store.view() as view:
        app = await oauth.find_app_by_id(view, app_id) if app_id is not None else None
    if app is None:
        raise InvalidToken
    return Json(entities.app(app))


# ── tokens ───────────────────────────────────────────────────────────────────────────────────────────────────


async def token(call: Call) -> Response:
    """Exchange a code, or an application's own credentials, for a bearer token."""
    match call.params.text("grant_type"):
        case "authorization_code":
            return await _exchange_code(call)
        case "client_credentials":
            return await _for_the_app(call)
        case "password" if is_test_mode(call.instance):
            return await _for_a_password(call)
        case "":
            raise Denied("invalid_request", "grant_type is missing")
        case _:
            raise Denied("unsupported_grant_type", "only authorization_code and client_credentials are supported")


def is_test_mode(instance: Instance) -> bool:
    """Whether this instance runs for tests: anybody signs up, at once, without limits."""
    settings = instance.settings
    return (
        settings.registration.mode == "open" and settings.registration.confirm == "none" and not settings.limits.enabled
    )


async def _exchange_code(call: Call) -> Response:
    code_hash = hash_token(call.params.text("code"))
    now = call.here.now()
    async with call.store.transaction("exchange code") as tx:
        app, authenticated = await _client(tx, call)
        code = await oauth.find_code(tx, code_hash)
        if code is None or code.app_id != app.id:
            raise Denied("invalid_grant", "the code is not valid")
        _check_verifier(code, call.params.text("code_verifier"), authenticated=authenticated)
        is_stale = code.expires_at <= now or code.redirect_uri != call.params.text("redirect_uri")
        is_reused = not is_stale and not await oauth.use_code(tx, code_hash, now)
        if is_stale or is_reused:
            # RFC 6749, 4.1.2: a code that comes twice may have been stolen, and so may what it was exchanged for.
            await oauth.revoke_tokens_of_code(tx, code_hash, now)
            tx.wake(sessions.ENDED)
            given = None
        else:
            given = await _new_token(
                tx, call.here, app, account_id=code.account_id, scopes=code.scopes, code_hash=code_hash
            )
    if given is None:
        raise Denied("invalid_grant", "the code is not valid")
    return given


def _check_verifier(code: Code, verifier: str, *, authenticated: bool) -> None:
    if not code.challenge:
        if not authenticated:
            raise Denied("invalid_client", "a client without a secret must use PKCE")
        if verifier:
            raise Denied("invalid_grant", "the code was asked for without a challenge")
        return
    digest = hashlib.sha256(verifier.encode()).digest()
    answer = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    if not _VERIFIER.fullmatch(verifier) or not same_secret(answer, code.challenge):
        raise Denied("invalid_grant", "the code verifier does not fit the challenge")


async def _for_the_app(call: Call) -> Response:
    async with call.store.transaction("client credentials") as tx:
        app, authenticated = await _client(tx, call)
        if not authenticated:
            raise Denied("invalid_client", "the client secret is missing")
        scopes = within(call.params.text("scope") or DEFAULT_SCOPE, app.scopes)
        return await _new_token(tx, call.here, app, account_id=None, scopes=scopes)


async def _for_a_password(call: Call) -> Response:
    try:
        member = await sessions.authenticate(
            call.store, call.here, call.params.text("username"), call.params.text("password")
        )
    except Unauthenticated as error:
        raise Denied("invalid_grant", str(error)) from None
    async with call.store.transaction("password grant") as tx:
        app, _ = await _client(tx, call)
        scopes = within(call.params.text("scope") or DEFAULT_SCOPE, app.scopes)
        check_role(member, scopes)
        return await _new_token(tx, call.here, app, account_id=member.account.id, scopes=scopes)


async def _new_token(
    tx: Transaction, here: Here, app: App, *, account_id: int | None, scopes: str, code_hash: str | None = None
) -> Response:
    return Json(await issue_token(tx, here, app, account_id=account_id, scopes=scopes, code_hash=code_hash))


async def _client(view: View, call: Call) -> tuple[App, bool]:
    """(the application that asks, whether it proved it with its secret). Raises Denied for a wrong secret."""
    # RFC 6749, 5.2: the scheme of the challenge is the one that was tried.
    scheme: Literal["Basic", "Bearer"] = "Basic" if _is_basic(call) else "Bearer"
    client_id, secret = _credentials(call)
    app = await oauth.find_app(view, client_id)
    if app is None:
        raise Denied("invalid_client", "the application is not known here", scheme=scheme)
    if secret is None:
        return app, False
    if not same_secret(hash_token(secret), app.client_secret):
        raise Denied("invalid_client", "the client secret is wrong", scheme=scheme)
    return app, True


def _is_basic(call: Call) -> bool:
    return call.request.headers.get("authorization", "").partition(" ")[0].lower() == "basic"


def _credentials(call: Call) -> tuple[str, str | None]:
    """Of the Basic header (RFC 6749, 2.3.1), else of the form."""
    if not _is_basic(call):
        return call.params.text("client_id"), call.params.optional_text("client_secret") or None
    encoded = call.request.headers["authorization"].partition(" ")[2]
    try:
        client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise Denied("invalid_client", "the Authorization header cannot be read", scheme="Basic") from None
    return unquote_plus(client_id), unquote_plus(secret)


async def revoke(call: Call) -> Response:
    """End a token (RFC 7009). An unknown one is revoked already."""
    token_hash = hash_token(call.params.text("token"))
    async with call.store.transaction("revoke token") as tx:
        app, _ = await _client(tx, call)
        known = await oauth.find_token(tx, token_hash)
        if known is None:
            return empty()
        # A public client has no secret to show: holding the token is proof enough to end it.
        if known.app_id != app.id:
            raise Denied("unauthorized_client", "the token belongs to another application")
        await oauth.revoke_token(tx, token_hash, call.here.now())
        tx.wake(sessions.ENDED)
    return empty()


async def userinfo(call: Call) -> Response:
    """Who the token belongs to, in OpenID Connect's words."""
    own = call.account
    shown = entities.account(call.here, own)
    return Json(
        {
            "iss": call.here.uris.base,
            "sub": own.uri,
            "name": own.name,
            "preferred_username": own.username,
            "profile": own.url,
            "picture": shown["avatar"],
        }
    )


async def metadata(call: Call) -> Response:
    """What this authorization server can do (RFC 8414)."""
    base = call.here.uris.base
    grants = ["authorization_code", "client_credentials"]
    if is_test_mode(call.instance):
        grants.append("password")
    return Json(
        {
            "issuer": base,
            "authorization_endpoint": f"{base}/oauth/authorize",
            "token_endpoint": f"{base}/oauth/token",
            "revocation_endpoint": f"{base}/oauth/revoke",
            "userinfo_endpoint": f"{base}/oauth/userinfo",
            "app_registration_endpoint": f"{base}/api/v1/apps",
            "service_documentation": f"{base}/about",
            "scopes_supported": sorted(SCOPES),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": grants,
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
            "authorization_response_iss_parameter_supported": True,
        },
        headers={"cache-control": "max-age=300, public"},
    )
