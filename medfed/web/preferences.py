"""A member's own settings: profile, display, password, signed-in browsers and applications."""

from collections.abc import Mapping, Sequence
from typing import Final

from starlette.responses import Response

from medfed.accounts import passwords, profile, sessions
from medfed.domain.accounts import Account
from medfed.domain.interactions import QUOTE_CHOICES
from medfed.kernel.errors import Invalid, TooLarge, Unauthenticated, Unsupported
from medfed.kernel.paging import id_of
from medfed.storage import accounts, oauth
from medfed.storage.database import Transaction, View
from medfed.web.problems import in_words, reason
from medfed.web.render import LANGUAGES
from medfed.web.sheet import page
from medfed.web.views import FormView, SessionView
from medfed.web.visit import (
    LANGUAGE,
    THEME,
    Visit,
    go,
    is_own_session,
    remember,
    session_cookie,
    set_cookie,
)
from medfed.web.words import LANGUAGES as POST_LANGUAGES
from medfed.web.words import N_, THEMES


async def settings(visit: Visit) -> Response:
    """GET /settings."""
    return await _page(visit, FormView(values=_values(visit)))


def _values(visit: Visit) -> dict[str, str]:
    account = visit.account
    return {
        "display_name": account.display_name,
        "bio": account.summary_source,
        "locked": "1" if account.locked else "",
        "discoverable": "1" if account.discoverable else "",
        "language": visit.member.language if visit.member else "",
        "theme": visit.preference("theme", "auto"),
        "post_audience": visit.preference("visibility", "followers"),
        "post_language": visit.preference("language", visit.language),
        "post_quotes": visit.preference("quotes", "nobody"),
    }


async def settings_page(visit: Visit, errors: Mapping[str, str], *, typed: Sequence[str]) -> Response:
    """The settings as they are, with what is wrong with one of the smaller forms, and what was typed there."""
    values = _values(visit) | {name: visit.sent.text(name) for name in typed}
    return await _page(visit, FormView(values=values, errors=errors), 422)


async def _page(visit: Visit, form: FormView, status: int = 200) -> Response:
    async with visit.instance.store.view() as view:
        browsers = await _browsers(view, visit)
        applications = await _applications(view, visit)
        moved = await accounts.find_by_uri(view, visit.account.moved_to) if visit.account.moved_to else None
    return await page(
        visit,
        "settings",
        current="settings",
        status=status,
        form=form,
        sessions=browsers,
        applications=applications,
        aliases=visit.account.also_known_as,
        moved_to=f"@{moved.handle}" if moved else visit.account.moved_to,
    )


async def _browsers(view: View, visit: Visit) -> tuple[SessionView, ...]:
    found = await oauth.sessions_of(view, visit.account.id, visit.now)
    return tuple(
        SessionView(
            # Enough of the hash to tell one's own sessions apart, too little to be worth anything.
            id=f"s{each.token_hash[:16]}",
            name=browser_name(each.user_agent) or visit.say(N_("A browser")),
            last_seen=each.last_seen,
            current=is_own_session(visit, each),
        )
        for each in found
    )


async def _applications(view: View, visit: Visit) -> tuple[SessionView, ...]:
    return tuple(
        SessionView(
            id=f"a{each['id']}", name=each["name"], last_seen=each["since"], scopes=tuple(str(each["scopes"]).split())
        )
        for each in await oauth.apps_of(view, visit.account.id)
    )


_BROWSERS: Final = (("Firefox/", "Firefox"), ("Edg/", "Edge"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS: Final = (
    ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)  # fmt: skip


def browser_name(user_agent: str) -> str:
    """A browser and its system, as their owner would call them."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    return ", ".join(part for part in (browser, system) if part)


async def post_settings(visit: Visit) -> Response:
    """POST /settings."""
    sent, instance = visit.sent, visit.instance
    errors: dict[str, str] = {}
    avatar = await _avatar(visit, errors)
    if not errors:
        errors = await _save(visit, avatar)
    if errors:
        return await _page(visit, FormView(values=sent.values(), errors=errors), 422)
    response = go(visit, "/settings", "saved")
    remember(response, instance, THEME, _theme(visit))
    if sent.text("language") in LANGUAGES:
        remember(response, instance, LANGUAGE, sent.text("language"))
    return response


async def _save(visit: Visit, avatar: str | None) -> dict[str, str]:
    """Keep profile and preferences; what is wrong with them, by field."""
    sent, instance = visit.sent, visit.instance
    change = profile.ProfileEdit(
        display_name=sent.text("display_name"),
        bio=sent.text("bio"),
        locked=bool(sent.text("locked")),
        discoverable=bool(sent.text("discoverable")),
        avatar=avatar,
    )
    try:
        async with instance.store.transaction("change settings") as tx:
            edited = await profile.edit(tx, instance.here, instance.levels, visit.account, change)
            await _keep_preferences(tx, visit)
    except Invalid as error:
        return in_words(visit, error)
    for key in edited.unused:
        await instance.blobs.delete(key)
    return {}


async def _avatar(visit: Visit, errors: dict[str, str]) -> str | None:
    data = visit.sent.files.get("avatar")
    if data is None:
        return None
    try:
        return await visit.instance.images.accept_avatar(data)
    except (Invalid, TooLarge, Unsupported) as error:
        errors["avatar"] = reason(visit, error.safe)
        return None


def _theme(visit: Visit) -> str:
    chosen = visit.sent.text("theme")
    return chosen if chosen in THEMES else "auto"


async def _keep_preferences(tx: Transaction, visit: Visit) -> None:
    sent, member = visit.sent, visit.member
    if member is None:
        raise Unauthenticated("sign in first")
    chosen: Mapping[str, tuple[str, object]] = {
        "theme": (_theme(visit), THEMES),
        "visibility": (sent.text("post_audience"), profile.VISIBILITIES),
        "language": (sent.text("post_language"), POST_LANGUAGES),
        "quotes": (sent.text("post_quotes"), QUOTE_CHOICES),
    }
    kept = {name: value for name, (value, known) in chosen.items() if value in known}  # type: ignore[operator]
    language = sent.text("language")
    await accounts.set_preferences(
        tx,
        member.account.id,
        language=language if language in LANGUAGES else "",
        preferences={**member.preferences, **kept},
    )


async def change_password(visit: Visit) -> Response:
    """POST /settings/password: everything that was signed in ends, but for this browser (F06)."""
    sent, instance, member = visit.sent, visit.instance, visit.member
    if member is None:
        raise Unauthenticated("sign in first")
    visit.front.tries.take(f"password {member.account.id}", visit.now, most=10)
    errors: dict[str, str] = {}
    try:
        await passwords.verify(member.password_hash, sent.text("current_password"))
        passwords.check_password(sent.text("new_password"), username=member.account.username, email=member.email)
    except Unauthenticated:
        errors["current_password"] = visit.say(N_("This is not your present password."))
    except Invalid as error:
        errors["new_password"] = next(iter(in_words(visit, error).values()))
    if errors:
        return await _page(visit, FormView(values=_values(visit), errors=errors), 422)
    hashed = await passwords.hash_password(sent.text("new_password"))
    async with instance.store.transaction("change password") as tx:
        await sessions.change_password(tx, instance.here, member.account.id, hashed, by=member.account.acct)
        again = await sessions.sign_in(
            tx, instance.here, member, user_agent=visit.request.headers.get("user-agent", "")
        )
    response = go(visit, "/settings", "password")
    set_cookie(response, instance, session_cookie(instance), again.token)
    return response


async def end_session(visit: Visit) -> Response:
    """POST /settings/sessions: end a browser's session, or an application's access."""
    ended, instance = visit.sent.text("end"), visit.instance
    async with instance.store.transaction("end session") as tx:
        await _end(tx, visit, visit.account, ended)
    return go(visit, "/settings", "ended")


async def _end(tx: Transaction, visit: Visit, account: Account, ended: str) -> None:
    app_id = id_of(ended.removeprefix("a"))
    if ended.startswith("a") and app_id is not None:
        await oauth.revoke_app(tx, account.id, app_id, visit.now)
    for each in await oauth.sessions_of(tx, account.id, visit.now):
        if ended == f"s{each.token_hash[:16]}":
            await oauth.end_session(tx, each.token_hash)
    tx.wake(sessions.ENDED)
