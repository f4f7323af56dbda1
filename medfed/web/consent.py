"""The page on which a member lets an application in, or does not."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from starlette.responses import RedirectResponse, Response

from medfed.accounts.consent import (
    AuthorizationRequest,
    DeniedToApplication,
    check_authorization_request,
    check_role,
    deny,
    grant,
)
from medfed.kernel.errors import Unauthenticated
from medfed.storage import oauth
from medfed.web.door import POLICY
from medfed.web.sent import Sent
from medfed.web.sheet import page
from medfed.web.views import ApplicationView
from medfed.web.visit import Visit, go

_ASKED: Final = (
    "client_id", "redirect_uri", "response_type", "scope", "state", "code_challenge", "code_challenge_method",
    "response_mode", "prompt",
)  # fmt: skip
_AUTHORITY: Final = re.compile(r"[A-Za-z0-9.:\[\]-]+")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")


async def authorize(visit: Visit) -> Response:
    """GET /oauth/authorize: what the application would be able to do. Raises consent.Denied, Forbidden."""
    if visit.sent.text("force_login").lower() in ("true", "1"):
        return RedirectResponse(_other_account(visit), 303)
    params = _params(visit.sent)
    try:
        async with visit.instance.store.view() as view:
            asked = await check_authorization_request(view, params)
    except DeniedToApplication as denied:
        return RedirectResponse(denied.url(visit.instance.here), 303)
    if visit.member is not None:
        check_role(visit.member, asked.scopes)
    response = await page(
        visit,
        "authorize",
        app=ApplicationView(
            name=asked.app.name,
            website=asked.app.website or None,
            host=_host(asked),
            scopes=tuple(asked.scopes.split()),
        ),
        request=params,
        other_account=_other_account(visit),
    )
    _let_forms_lead_to(response, asked.redirect_uri)
    return response


async def post_authorize(visit: Visit) -> Response:
    """POST /oauth/authorize: back to the application, with a code or without. Raises consent.Denied, Forbidden."""
    if visit.member is None:
        raise Unauthenticated("sign in first")
    here = visit.instance.here
    try:
        async with visit.instance.store.transaction("authorize application") as tx:
            asked = await check_authorization_request(tx, _params(visit.sent))
            url = await grant(tx, here, visit.member, asked) if visit.sent.text("do") == "allow" else deny(here, asked)
    except DeniedToApplication as denied:
        url = denied.url(here)
    return RedirectResponse(url, 303)


async def native(visit: Visit) -> Response:
    """GET /oauth/authorize/native: the code, for an application without a web address."""
    code = visit.sent.text("code")
    if not code:
        return go(visit, "/", "application-denied")
    return await page(visit, "authorized", code=code[:200])


async def lead_on(visit: Visit, response: Response, path: str) -> None:
    """Let the form of this page end at an application, where `path` is the request of one that is known."""
    where, _, query = path.partition("?")
    asked = dict(parse_qsl(query))
    if where != "/oauth/authorize" or "client_id" not in asked:
        return
    async with visit.instance.store.view() as view:
        app = await oauth.find_app(view, asked["client_id"])
    if app is not None and asked.get("redirect_uri") in app.redirect_uris:
        _let_forms_lead_to(response, asked["redirect_uri"])


def _let_forms_lead_to(response: Response, redirect_uri: str) -> None:
    """Browsers hold every redirect that answers a form to form-action, too."""
    response.headers["content-security-policy"] = POLICY.format(forms=_form_target(redirect_uri))


def once_signed_in(path: str) -> str:
    """The page of consent after the sign-in that `force_login` asks for; any other path as it is."""
    where, _, query = path.partition("?")
    if where != "/oauth/authorize" or "force_login" not in query:
        return path
    kept = [(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name != "force_login"]
    return f"{where}?{urlencode(kept)}"


def _other_account(visit: Visit) -> str:
    """The door for a member who is signed in, with this page behind it."""
    return f"/sign-in?another=1&next={quote(once_signed_in(visit.path), safe='/')}"


def _params(sent: Sent) -> Mapping[str, str]:
    return {name: sent.text(name) for name in _ASKED if sent.text(name)}


def _host(asked: AuthorizationRequest) -> str:
    """Where the application would be answered: what cannot be invented."""
    parts = urlsplit(asked.redirect_uri)
    return parts.netloc or parts.scheme or asked.redirect_uri


def _form_target(redirect_uri: str) -> str:
    parts = urlsplit(redirect_uri)
    if parts.scheme in ("https", "http") and _AUTHORITY.fullmatch(parts.netloc):
        return f" {parts.scheme}://{parts.netloc}"
    if _SCHEME.fullmatch(parts.scheme) and parts.scheme not in ("javascript", "data", "urn"):
        return f" {parts.scheme}:"
    return ""
