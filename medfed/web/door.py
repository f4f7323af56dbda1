"""The door of every page: who may enter, whether a form is really ours, and the headers of what leaves."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from medfed.edge import Endpoint, Route
from medfed.kernel.errors import Forbidden, NotFound, Unauthenticated
from medfed.kernel.secrets import same_secret
from medfed.web.render import LANGUAGES
from medfed.web.sent import query, read_form
from medfed.web.visit import LANGUAGE, Access, Front, Visit, drop_cookie, flash_cookie, remember, visit_of, with_form

TOO_OLD: Final = "this form is from before you signed in; open its page again and send it from there"
FOREIGN: Final = "this form came from another site"

Handler: TypeAlias = Callable[[Visit], Awaitable[Response]]

POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; media-src 'self'; font-src 'none'; "
    "connect-src 'self'; manifest-src 'self'; form-action 'self'{forms}; frame-ancestors 'none'; base-uri 'none'"
)
_FROM_APPLICATIONS: Final = ("/oauth/authorize", "/sign-in")
_HEADERS: Final = {
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the table of pages."""

    method: str
    path: str
    handler: Handler
    access: Access = Access.MEMBER


def route(front: Front, line: Line) -> Route:
    """A line of the table, guarded."""
    return Route(method=line.method, path=line.path, endpoint=_guarded(front, line), info=line.access)


def _guarded(front: Front, line: Line) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        if "\0" in request.scope["path"]:
            raise NotFound("there is no such page")
        visit = await visit_of(front, request)
        if visit.member is not None and not visit.may(line.access):
            raise Forbidden("this page is not for your role")
        if line.method != "POST":
            _refuse_strangers(visit, line)
            return dressed(visit, await line.handler(with_form(visit, query(request))))
        _refuse_foreign(visit)
        async with read_form(request) as sent:
            # Read even when it is refused: whoever was signed out while writing gets it back.
            visit = with_form(visit, sent)
            _refuse_strangers(visit, line)
            _refuse_unsigned(visit)
            return dressed(visit, await line.handler(visit))

    return endpoint


def _refuse_strangers(visit: Visit, line: Line) -> None:
    """Raises Unauthenticated, which shows them the way in."""
    if not visit.may(line.access):
        raise Unauthenticated("sign in first")


# ── forms ────────────────────────────────────────────────────────────────────────────────────────────────────


def _refuse_foreign(visit: Visit) -> None:
    """A form has to come from a page of ours (F13). Raises Forbidden.

    Every browser says where a POST comes from, in Sec-Fetch-Site or at least in Origin; what says neither is no
    browser and carries nobody's cookies but its own.
    """
    headers = visit.request.headers
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        if site not in ("same-origin", "none"):
            raise Forbidden(FOREIGN)
    elif origin is not None and not _is_ours(visit, origin):
        raise Forbidden(FOREIGN)


def _is_ours(visit: Visit, origin: str) -> bool:
    base = visit.instance.here.uris.base
    return origin == base or urlsplit(origin).netloc == visit.request.headers.get("host", "") != ""


def _refuse_unsigned(visit: Visit) -> None:
    """With a session, the form carries the session's token. Raises Forbidden."""
    if visit.session is not None and not same_secret(visit.sent.text("csrf"), visit.session.csrf):
        raise Forbidden(TOO_OLD)


# ── headers ──────────────────────────────────────────────────────────────────────────────────────────────────


def dressed(visit: Visit, response: Response) -> Response:
    """The answer with what every page says to browsers and caches."""
    headers = response.headers
    headers.setdefault("content-security-policy", POLICY.format(forms=""))
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)
    if visit.request.url.path.startswith(_FROM_APPLICATIONS):
        # Applications open these in a pop-up and wait for it; cut off from its opener, it looks closed to them.
        headers["cross-origin-opener-policy"] = "unsafe-none"
    # What is made for one reader is for no cache; what is public differs by language and by cookie (F16).
    headers.setdefault("cache-control", "private, no-store" if visit.member else "private, no-cache")
    headers.setdefault("vary", "Cookie, Accept, Accept-Language")
    _keep_language(visit, response)
    if response.status_code == 200 and flash_cookie(visit.instance) in visit.request.cookies:
        # What was said once is not said again.
        drop_cookie(response, visit.instance, flash_cookie(visit.instance))
    return response


def _keep_language(visit: Visit, response: Response) -> None:
    chosen = visit.request.query_params.get("lang", "")
    if chosen in LANGUAGES and visit.member is None:
        remember(response, visit.instance, LANGUAGE, chosen)
