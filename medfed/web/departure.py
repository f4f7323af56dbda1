"""Settings that end or redirect an account: other accounts of the same person, moving away, leaving for good."""

from starlette.responses import Response

from medfed.accounts import leave, passwords
from medfed.domain.accounts import Member
from medfed.kernel.errors import Conflict, Invalid, Malformed, MedfedError, Unauthenticated
from medfed.relations import move as moving
from medfed.web.preferences import settings_page
from medfed.web.problems import in_words, reason
from medfed.web.visit import Visit, drop_cookie, go, session_cookie
from medfed.web.words import N_


async def aliases(visit: Visit) -> Response:
    """POST /settings/aliases: name another account as one's own (`alias`), or take that back (`remove`)."""
    instance, typed, removed = visit.instance, visit.sent.text("alias").strip(), visit.sent.text("remove")
    if removed:
        async with instance.store.transaction("drop alias") as tx:
            await moving.drop_alias(tx, instance.here, instance.levels, visit.account, removed)
        return go(visit, "/settings", "saved")
    try:
        other = await moving.named(instance.lookup, typed)
        async with instance.store.transaction("add alias") as tx:
            await moving.add_alias(tx, instance.here, instance.levels, visit.account, other)
    except MedfedError as error:
        return await _refused(visit, "alias", error)
    return go(visit, "/settings", "saved")


async def move(visit: Visit) -> Response:
    """POST /settings/move: send one's followers to another account, or (`do` is back) be here again."""
    instance = visit.instance
    if visit.sent.text("do") == "back":
        async with instance.store.transaction("stay") as tx:
            await moving.stay(tx, instance.here, instance.levels, visit.account)
        return go(visit, "/settings", "saved")
    wrong = await _wrong_password(visit, "move_password")
    if wrong is not None:
        return wrong
    try:
        new = await moving.named(instance.lookup, visit.sent.text("target").strip())
        async with instance.store.transaction("move") as tx:
            await moving.move(tx, instance.here, instance.levels, visit.account, new, by=visit.account.acct)
    except MedfedError as error:
        return await _refused(visit, "target", error)
    return go(visit, "/settings", "moved")


async def delete(visit: Visit) -> Response:
    """POST /settings/delete: leave for good."""
    instance = visit.instance
    wrong = await _wrong_password(visit, "delete_password")
    if wrong is not None:
        return wrong
    if not visit.sent.text("sure"):
        return await _again(visit, {"sure": visit.say(N_("This has to be accepted."))})
    async with instance.store.transaction("leave") as tx:
        await leave.leave(tx, instance.here, instance.levels, visit.account, by=visit.account.acct)
    response = go(visit, "/", "left")
    drop_cookie(response, instance, session_cookie(instance))
    return response


def _member(visit: Visit) -> Member:
    if visit.member is None:
        raise Unauthenticated("sign in first")
    return visit.member


async def _wrong_password(visit: Visit, field: str) -> Response | None:
    """The page again, unless the member has given their password."""
    member = _member(visit)
    visit.front.tries.take(f"password {member.account.id}", visit.now, most=10)
    try:
        await passwords.verify(member.password_hash, visit.sent.text(field))
    except Unauthenticated:
        return await _again(visit, {field: visit.say(N_("This is not your present password."))})
    return None


async def _refused(visit: Visit, field: str, error: MedfedError) -> Response:
    if isinstance(error, Invalid):
        return await _again(visit, {field: next(iter(in_words(visit, error).values()))})
    if isinstance(error, Conflict):
        return await _again(visit, {field: reason(visit, str(error))})
    if isinstance(error, Malformed):
        return await _again(visit, {field: visit.say(N_("Write an address such as @name@hospital.example."))})
    return await _again(
        visit, {field: visit.say(N_("That account could not be found, or its server does not answer."))}
    )


async def _again(visit: Visit, errors: dict[str, str]) -> Response:
    return await settings_page(visit, errors, typed=("alias", "target"))
