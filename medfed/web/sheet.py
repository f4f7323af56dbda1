"""Puts a page together: the frame of whoever reads around what it shows."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import urlencode

from starlette.responses import HTMLResponse, Response

from medfed.kernel.paging import Page, id_of
from medfed.storage import accounts, notifications, peers
from medfed.storage.database import View
from medfed.verification.standing import states_for
from medfed.web.flashes import FLASHES
from medfed.web.present import person
from medfed.web.views import (
    FlashView,
    Frame,
    InstanceView,
    NavView,
    PagingView,
    PersonView,
    admin_nav,
    initials,
    main_nav,
)
from medfed.web.visit import Access, Visit, flash_cookie

PER_PAGE: Final = 20
_READ: Final = "notifications"
_ADMINISTRATION: Final[Mapping[str, Access]] = {
    "overview": Access.STAFF,
    "peers": Access.ADMIN,
    "verification": Access.VERIFIER,
    "reports": Access.MODERATOR,
    "policy": Access.ADMIN,
    "audit": Access.ADMIN,
    "queue": Access.ADMIN,
    "keys": Access.ADMIN,
    "back": Access.MEMBER,
}
"""Who is shown which entry of the administration: those who may open it."""


async def page(
    visit: Visit,
    template: str,
    *,
    current: str = "",
    status: int = 200,
    administration: bool = False,
    alternate: str | None = None,
    indexed: bool = False,
    counted: bool = False,
    **views: object,
) -> Response:
    """The HTML of a template for this visit. `current` names its entry in the navigation.

    `counted`: the page says how many members and peers there are.
    """
    async with visit.instance.store.view() as view:
        frame = await frame_of(
            view,
            visit,
            current=current,
            administration=administration,
            alternate=alternate,
            indexed=indexed,
            counted=counted,
        )
    html = visit.front.pages.page(template, frame, **views)
    return HTMLResponse(html, status_code=status)


async def frame_of(
    view: View,
    visit: Visit,
    *,
    current: str,
    administration: bool,
    alternate: str | None,
    indexed: bool,
    counted: bool,
) -> Frame:
    """What surrounds a page."""
    return Frame(
        language=visit.language,
        instance=await _house(view, visit, counted=counted),
        now=visit.now,
        csrf=visit.session.csrf if visit.session else "",
        path=visit.path if visit.request.method in ("GET", "HEAD") else "/",
        zone=visit.zone,
        theme=visit.theme,
        viewer=await _viewer(view, visit),
        nav=await _navigation(view, visit, current, administration=administration),
        flash=_flash(visit),
        alternate=alternate,
        indexed=indexed,
    )


async def _house(view: View, visit: Visit, *, counted: bool) -> InstanceView:
    here = visit.instance.here
    return InstanceView(
        name=here.name,
        domain=here.domain,
        letters=initials(here.name),
        contact=here.contact or None,
        source_href=visit.instance.settings.instance.source_url,
        members=await accounts.count_members(view) if counted else 0,
        peers=len(await peers.everyone(view)) if counted else 0,
    )


async def _viewer(view: View, visit: Visit) -> PersonView | None:
    if visit.viewer is None:
        return None
    held = await states_for(view, visit.instance.here, [visit.viewer.id])
    return person(visit, visit.viewer, held.get(visit.viewer.id, ()))


async def _navigation(view: View, visit: Visit, current: str, *, administration: bool) -> NavView | None:
    if visit.viewer is None:
        return None
    if administration:
        nav = admin_nav(current)
        return replace(nav, items=tuple(item for item in nav.items if visit.may(_ADMINISTRATION[item.key])))
    unread = await notifications.count_after(view, visit.viewer.id, await last_read(view, visit))
    return main_nav(current, notices=unread, administrator=visit.may(Access.STAFF))


async def last_read(view: View, visit: Visit) -> int:
    """The newest notification that the member has marked as read."""
    markers = await notifications.markers(view, visit.account.id, [_READ])
    return int(markers[_READ]["last_read"]) if _READ in markers else 0


def _flash(visit: Visit) -> FlashView | None:
    key = visit.request.cookies.get(flash_cookie(visit.instance), "")
    if key not in FLASHES:
        return None
    return FlashView(text=visit.say(FLASHES[key]))


# ── paging ───────────────────────────────────────────────────────────────────────────────────────────────────


def asked_page(visit: Visit, limit: int = PER_PAGE) -> Page:
    """Which part of a list the address asks for: `older` than an id, or `newer`. Nonsense is the first page."""
    older, newer = visit.sent.text("older"), visit.sent.text("newer")
    if (below := id_of(older)) is not None:
        return Page(limit=limit, max_id=below)
    if (above := id_of(newer)) is not None:
        return Page(limit=limit, min_id=above)
    return Page(limit=limit)


def paging(visit: Visit, wanted: Page, ids: list[int], **kept: str) -> PagingView:
    """Links to what is newer and older than these ids, the newest first; `kept` are the other parameters."""
    path = visit.request.url.path
    others = {name: value for name, value in kept.items() if value}
    first_page = wanted == Page(limit=wanted.limit)
    full = len(ids) >= wanted.limit

    def link(name: str, id_: int) -> str:
        return f"{path}?{urlencode({**others, name: str(id_)})}"

    has_newer = ids and not first_page and (full or not wanted.forwards)
    has_older = ids and (full or wanted.forwards)
    return PagingView(
        newer=link("newer", ids[0]) if has_newer else None,
        older=link("older", ids[-1]) if has_older else None,
    )
