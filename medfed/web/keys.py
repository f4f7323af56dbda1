"""The administration of keys: those that an account of this instance signs with, and new ones, after a second look."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from starlette.responses import Response

from medfed.accounts.register import new_keys
from medfed.activitypub.keys import stored_key
from medfed.domain.accounts import Account, AccountKey, KeyState
from medfed.kernel.errors import Malformed, NotFound
from medfed.storage import accounts
from medfed.verification import rotate
from medfed.web.sheet import page
from medfed.web.views import FormView, KeyRowView
from medfed.web.visit import Visit, go
from medfed.web.words import N_

STATES: Final[Mapping[KeyState, str]] = {
    "current": N_("signs"),
    "overlapping": N_("replaced, still shown"),
    "bound": N_("replaced, shown for attestations"),
    "retired": N_("no longer shown"),
    "revoked": N_("revoked"),
}
_WHOSE: Final = frozenset({"instance", "member", "all"})
_HOW: Final = frozenset({"planned", "compromised"})
_NOBODY: Final = N_("There is no such account here.")


async def keys_page(visit: Visit) -> Response:
    """GET /admin/keys: those of a `member`, or of the instance."""
    name = visit.sent.text("member").strip()
    form = FormView(values={"whose": "member" if name else "instance", "member": name, "how": "planned"})
    try:
        return await _keys_page(visit, form, await _account(visit, name))
    except NotFound:
        return await _unknown(visit, form)


async def replace(visit: Visit) -> Response:
    """POST /admin/keys: `look` says what would happen, `rotate` does it. Raises Malformed."""
    sent = visit.sent
    whose, how, name = sent.text("whose"), sent.text("how"), sent.text("member").strip()
    if whose not in _WHOSE or how not in _HOW or sent.text("do") not in ("look", "rotate"):
        raise Malformed("that cannot be done with keys")
    form = FormView(values={"whose": whose, "how": how, "member": name})
    if whose == "member" and not name:
        return await _unknown(visit, form)
    try:
        account = await _account(visit, name if whose == "member" else "")
    except NotFound:
        return await _unknown(visit, form)
    if sent.text("do") == "look":
        return await _keys_page(visit, form, account, asked=True)
    await _replace(visit, account if whose != "all" else None, compromised=how == "compromised")
    place = f"/admin/keys?member={quote(name)}" if whose == "member" else "/admin/keys"
    return go(visit, place, "all-keys" if whose == "all" else "keys")


async def _replace(visit: Visit, account: Account | None, *, compromised: bool) -> None:
    here, store, by = visit.instance.here, visit.instance.store, visit.account.acct
    if account is None:
        async with store.transaction("rotate all keys") as tx:
            await rotate.rotate_everybody(tx, here, compromised=compromised, by=by)
        return
    new = await new_keys()
    async with store.transaction("rotate keys") as tx:
        current = await accounts.get(tx, account.id)
        await rotate.rotate_keys(tx, here, current, new, compromised=compromised, by=by)


async def _account(visit: Visit, name: str) -> Account:
    """The account of this name, or ('') the instance's own. Raises NotFound."""
    if not name:
        return await visit.instance.actor()
    async with visit.instance.store.view() as view:
        return await accounts.get_own(view, name.removeprefix("@"), visit.instance.here.domain)


async def _unknown(visit: Visit, form: FormView) -> Response:
    wrong = FormView(values=form.values, errors={"member": visit.say(_NOBODY)})
    return await _keys_page(visit, wrong, await visit.instance.actor(), status=422)


async def _keys_page(
    visit: Visit, form: FormView, account: Account, *, asked: bool = False, status: int = 200
) -> Response:
    async with visit.instance.store.view() as view:
        known = await accounts.keys(view, account.id)
    return await page(
        visit,
        "admin_keys",
        current="keys",
        administration=True,
        status=status,
        form=form,
        asked=asked,
        owner="" if account.kind == "Application" else f"@{account.username}",
        keys=tuple(_row(visit, key) for key in reversed(known)),
    )


def _row(visit: Visit, key: AccountKey) -> KeyRowView:
    state = key.state(visit.now)
    return KeyRowView(
        name=key.uri.partition("#")[2],
        kind="RSA" if key.kind == "rsa" else "Ed25519",
        state=visit.say(STATES[state]),
        ails=state == "revoked",
        since=key.created_at,
        until=key.shown_until,
        ended=state in ("retired", "revoked"),
        multikey=stored_key(key).multikey,
    )
