"""Signing in, out and up, through pages."""

from typing import Final

from starlette.responses import RedirectResponse, Response

from medfed.accounts import sessions
from medfed.accounts.passwords import hash_password
from medfed.accounts.register import SignUp, SignUpRules, check_sign_up, confirm, new_keys, sign_up
from medfed.kernel.clock import MINUTE
from medfed.kernel.errors import Invalid, NotFound, Unauthenticated
from medfed.web.consent import lead_on, once_signed_in
from medfed.web.problems import in_words
from medfed.web.sent import own_path
from medfed.web.sheet import page
from medfed.web.views import FormView
from medfed.web.visit import Visit, drop_cookie, go, session_cookie, set_cookie
from medfed.web.words import N_

_BY_ADDRESS: Final = 25
_BY_NAME: Final = 10


async def sign_in_page(visit: Visit) -> Response:
    """GET /sign-in; with `another`, also for a member who would rather be another one."""
    wanted = own_path(visit.sent.text("next"))
    if visit.member is not None and not visit.sent.text("another"):
        return RedirectResponse(wanted, 303)
    return await _door(visit, FormView(), wanted)


async def _door(visit: Visit, form: FormView, wanted: str, status: int = 200) -> Response:
    mode = _rules(visit).mode
    offered = "" if mode in ("closed", "invite") else mode
    response = await page(visit, "sign_in", status=status, counted=True, form=form, next=wanted, sign_up=offered)
    await lead_on(visit, response, wanted)
    return response


async def sign_in(visit: Visit) -> Response:
    """POST /sign-in: always a new session (F04); one sentence for every reason to refuse (F20)."""
    sent, instance = visit.sent, visit.instance
    name, wanted = sent.text("username"), once_signed_in(own_path(sent.text("next")))
    visit.front.tries.take(f"address {visit.address}", visit.now, most=_BY_ADDRESS)
    visit.front.tries.take(f"name {name.strip().casefold()[:320]}", visit.now, most=_BY_NAME)
    try:
        member = await sessions.authenticate(instance.store, instance.here, name, sent.text("password"))
    except Unauthenticated:
        wrong = visit.say(N_("Unknown name, wrong password, or an account that is not open."))
        form = FormView(values={"username": name}, errors={"form": wrong})
        return await _door(visit, form, wanted, 401)
    async with instance.store.transaction("sign in") as tx:
        if visit.session is not None:
            await sessions.sign_out(tx, visit.session)
        signed_in = await sessions.sign_in(
            tx, instance.here, member, user_agent=visit.request.headers.get("user-agent", "")
        )
    response = go(visit, wanted)
    set_cookie(response, instance, session_cookie(instance), signed_in.token)
    response.headers["cache-control"] = "no-store"
    return response


async def sign_out(visit: Visit) -> Response:
    """POST /sign-out: the session ends here, and nothing of it stays in the browser."""
    instance = visit.instance
    if visit.session is not None:
        async with instance.store.transaction("sign out") as tx:
            await sessions.sign_out(tx, visit.session)
    response = go(visit, "/", "signed-out")
    drop_cookie(response, instance, session_cookie(instance))
    response.headers["clear-site-data"] = '"cache", "storage"'
    return response


# ── signing up ───────────────────────────────────────────────────────────────────────────────────────────────


def _rules(visit: Visit) -> SignUpRules:
    chosen = visit.instance.settings.registration
    return SignUpRules(mode=chosen.mode, confirm=chosen.confirm)


async def sign_up_page(visit: Visit) -> Response:
    """GET /sign-up; a 404 where registration is closed (G01)."""
    if _rules(visit).mode == "closed":
        raise NotFound("this instance takes no registrations")
    return await _sign_up_page(visit, FormView(values={"invitation": visit.sent.text("invitation")}))


async def _sign_up_page(visit: Visit, form: FormView, status: int = 200) -> Response:
    return await page(visit, "sign_up", status=status, counted=True, form=form, mode=_rules(visit).mode)


async def post_sign_up(visit: Visit) -> Response:
    """POST /sign-up."""
    sent, instance, rules = visit.sent, visit.instance, _rules(visit)
    if rules.mode == "closed":
        raise NotFound("this instance takes no registrations")
    visit.front.tries.take(f"sign-up {visit.address}", visit.now, most=5, within=30 * MINUTE)
    form = SignUp(
        username=sent.text("username").strip(),
        email=sent.text("email"),
        password=sent.text("password"),
        agreement=bool(sent.text("agreement")),
        language=visit.language,
        display_name=sent.text("display_name"),
        invitation=sent.text("invitation"),
    )
    try:
        check_sign_up(instance.here, rules, form)
        hashed, keys = await hash_password(form.password), await new_keys()
        async with instance.store.transaction("sign up") as tx:
            member = await sign_up(tx, instance.here, rules, form, password_hash=hashed, keys=keys)
    except Invalid as error:
        return await _sign_up_page(visit, FormView(values=sent.values(), errors=in_words(visit, error)), 422)
    waits = "email" if member.confirmed_at is None else "approval" if member.approved_at is None else ""
    return await page(visit, "signed_up", waits=waits)


async def confirm_page(visit: Visit) -> Response:
    """GET /confirm: a button, so that no mail scanner confirms by looking."""
    return await page(visit, "confirm", token=visit.sent.text("token"))


async def post_confirm(visit: Visit) -> Response:
    """POST /confirm."""
    async with visit.instance.store.transaction("confirm address") as tx:
        member = await confirm(tx, visit.instance.here, visit.sent.text("token"))
    if member.approved_at is None:
        return await page(visit, "signed_up", waits="approval")
    return go(visit, "/sign-in", "confirmed")
