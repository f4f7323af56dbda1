"""Who visits: the session behind a request, its language, theme and time zone, and what a page says about itself."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from enum import IntEnum
from typing import Final
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from medfed.accounts import sessions
from medfed.domain.accounts import Account, Member
from medfed.edge import client_address, instance_of, network_of
from medfed.instance import Instance
from medfed.kernel.allowance import Allowance
from medfed.kernel.clock import MINUTE, Millis
from medfed.kernel.errors import TooMany, Unauthenticated
from medfed.kernel.secrets import hash_token, same_secret
from medfed.storage.oauth import Session
from medfed.web.render import Pages, negotiate
from medfed.web.sent import Sent, own_path
from medfed.web.views import Theme

LANGUAGE: Final = "medfed_language"
THEME: Final = "medfed_theme"
ZONE: Final = "medfed_zone"
_YEAR: Final = 365 * 24 * 3600
_TRIES_KEPT: Final = 10_000


class Access(IntEnum):
    """Who may open a page; each includes those after it, but for verifiers and moderators, who differ."""

    ANYBODY = 0
    MEMBER = 1
    VERIFIER = 2
    MODERATOR = 3
    STAFF = 4
    """Verifiers, moderators and admins."""
    ADMIN = 5


class Tries:
    """Counts attempts in memory, so that guessing takes long: by address and by name (H14)."""

    def __init__(self, *, enabled: bool) -> None:
        self._enabled = enabled
        self._made = Allowance(kept=_TRIES_KEPT)

    def take(self, key: str, now: Millis, *, most: int, within: Millis = 5 * MINUTE) -> None:
        """Count one attempt. Raises TooMany."""
        if not self._enabled:
            return
        wait = self._made.take(key, now, most=most, per=within)
        if wait:
            raise TooMany("too many attempts; try again later", retry_after=1 + wait // 1_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """What every page of one instance shares."""

    pages: Pages
    tries: Tries


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A request, and who makes it. `sent` is the form of a POST, the query of a GET."""

    front: Front
    request: Request
    instance: Instance
    language: str
    theme: Theme = "auto"
    zone: tzinfo = UTC
    session: Session | None = None
    member: Member | None = None
    sent: Sent = field(default_factory=Sent)

    @property
    def viewer(self) -> Account | None:
        """The account of whoever is signed in."""
        return self.member.account if self.member else None

    @property
    def account(self) -> Account:
        """The account of the member. Raises Unauthenticated when nobody is signed in."""
        if self.member is None:
            raise Unauthenticated("sign in first")
        return self.member.account

    @property
    def now(self) -> Millis:
        """The time."""
        return self.instance.here.now()

    @property
    def path(self) -> str:
        """Where this page lives, with its query."""
        query = self.request.url.query
        return self.request.url.path + (f"?{query}" if query else "")

    @property
    def address(self) -> str:
        """Where the visitor connects from: what counts as one address."""
        return network_of(client_address(self.request.scope, self.instance.settings.http.trusted_proxies))

    def param(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def say(self, message: str, **values: object) -> str:
        """A message in the visitor's language."""
        return self.front.pages.say(self.language, message, **values)

    def word(self, vocabulary: str, code: str) -> str:
        """The word for a code, in the visitor's language."""
        return self.front.pages.word(self.language, vocabulary, code)

    def preference(self, name: str, default: str) -> str:
        """What the member has chosen for themselves."""
        chosen = self.member.preferences.get(name) if self.member else None
        return chosen if isinstance(chosen, str) and chosen else default

    def may(self, access: Access) -> bool:
        """Whether this visitor may open what `access` guards."""
        member = self.member
        if access is Access.ANYBODY:
            return True
        if member is None:
            return False
        if access is Access.MEMBER or member.role == "admin":
            return True
        roles: Mapping[Access, tuple[str, ...]] = {
            Access.VERIFIER: ("verifier",),
            Access.MODERATOR: ("moderator",),
            Access.STAFF: ("verifier", "moderator"),
        }
        return member.role in roles.get(access, ())


# ── cookies ──────────────────────────────────────────────────────────────────────────────────────────────────


def session_cookie(instance: Instance) -> str:
    """The name of the session's cookie.

    `__Host-` keeps it to this host and to https (F04). Where there is no https (development), browsers share cookies
    between the ports of a host, so that the name holds ours.
    """
    uris = instance.here.uris
    if uris.base.startswith("https:"):
        return "__Host-medfed"
    return f"medfed_{re.sub(r'[^A-Za-z0-9]', '_', uris.authority)}"


def flash_cookie(instance: Instance) -> str:
    """The name of the cookie that carries what just happened to the next page."""
    return f"{session_cookie(instance)}_flash"


def is_secure(instance: Instance) -> bool:
    """Whether browsers reach us by https."""
    return instance.here.uris.base.startswith("https:")


def set_cookie(response: Response, instance: Instance, name: str, value: str, *, max_age: int | None = None) -> None:
    """A cookie that scripts cannot read and other sites' forms do not send."""
    response.set_cookie(
        name, value, max_age=max_age, path="/", secure=is_secure(instance), httponly=True, samesite="lax"
    )


def drop_cookie(response: Response, instance: Instance, name: str) -> None:
    """End a cookie."""
    set_cookie(response, instance, name, "", max_age=0)


def remember(response: Response, instance: Instance, name: str, value: str) -> None:
    """Keep a preference in the browser for a year."""
    set_cookie(response, instance, name, value, max_age=_YEAR)


# ── who it is ────────────────────────────────────────────────────────────────────────────────────────────────


async def visit_of(front: Front, request: Request) -> Visit:
    """Who makes this request; asks the database once for each request."""
    known = request.scope.get("medfed.visit")
    if isinstance(known, Visit):
        return known
    instance = instance_of(request)
    session, member = await _signed_in(request, instance)
    visit = Visit(
        front=front,
        request=request,
        instance=instance,
        language=_language(request, instance, member),
        theme=_theme(request, member),
        zone=_zone(request.cookies.get(ZONE, "")),
        session=session,
        member=member,
    )
    request.scope["medfed.visit"] = visit
    return visit


async def _signed_in(request: Request, instance: Instance) -> tuple[Session | None, Member | None]:
    token = request.cookies.get(session_cookie(instance), "")
    if not token:
        return None, None
    try:
        async with instance.store.view() as view:
            session, member = await sessions.resume(view, instance.here, token)
    except Unauthenticated:
        return None, None
    if sessions.is_due_for_touch(session, instance.here.now()):
        async with instance.store.transaction("touch session") as tx:
            await sessions.touch(tx, instance.here, session)
    return session, member


def is_own_session(visit: Visit, session: Session) -> bool:
    """Whether a session is the one of this visit."""
    token = visit.request.cookies.get(session_cookie(visit.instance), "")
    return same_secret(session.token_hash, hash_token(token))


def _language(request: Request, instance: Instance, member: Member | None) -> str:
    chosen = request.query_params.get("lang") or (member.language if member else "") or request.cookies.get(LANGUAGE)
    default = next((code for code in instance.here.languages if code in ("en", "fr")), "en")
    return negotiate(request.headers.get("accept-language"), chosen=chosen, default=default)


def _theme(request: Request, member: Member | None) -> Theme:
    chosen = member.preferences.get("theme") if member else request.cookies.get(THEME)
    if chosen == "light":
        return "light"
    return "dark" if chosen == "dark" else "auto"


def _zone(name: str) -> tzinfo:
    """The browser's time zone, else the machine's."""
    if re.fullmatch(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+){0,2}", name[:60]):
        try:
            return ZoneInfo(name)
        except (OSError, ValueError):
            pass
    return datetime.now().astimezone().tzinfo or UTC


# ── going elsewhere ──────────────────────────────────────────────────────────────────────────────────────────


def go(visit: Visit, path: str, flash: str = "") -> Response:
    """Redirect to a page of ours after a POST; `flash` is a key of flashes.FLASHES that the page will say."""
    response = RedirectResponse(own_path(path), 303)
    if flash:
        set_cookie(response, visit.instance, flash_cookie(visit.instance), flash, max_age=60)
    return response


def back(visit: Visit, flash: str = "", *, default: str = "/") -> Response:
    """Redirect to the page that a form was on."""
    return go(visit, own_path(visit.sent.text("back"), default), flash)


def with_form(visit: Visit, sent: Sent) -> Visit:
    """The same visit, with what it sends; a page that refuses it gives back what was typed."""
    visit = replace(visit, sent=sent)
    visit.request.scope["medfed.visit"] = visit
    return visit
