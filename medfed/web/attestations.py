"""Attestations on pages: one explained, a member's own, and the verifiers' queue."""

from dataclasses import replace
from typing import Final

from starlette.responses import Response

from medfed.domain.accounts import Account, Member, parse_handle
from medfed.domain.credentials import METHODS, Attestation, Credential, CredentialState
from medfed.kernel.clock import DAY, Millis
from medfed.kernel.errors import (
    Conflict,
    Forbidden,
    Invalid,
    Malformed,
    NotFound,
    RemoteFailure,
    Unauthenticated,
    Untrusted,
)
from medfed.kernel.paging import Page
from medfed.storage import accounts, credentials, requests
from medfed.storage.database import View
from medfed.storage.requests import VerificationRequest
from medfed.verification import consent
from medfed.verification.attest import Statement, attest
from medfed.verification.requests import SCHEMES, Opened, Submission, approve, ask, open_request, refuse, take_back
from medfed.verification.revoke import revoke
from medfed.verification.standing import as_of, states_for
from medfed.web.casework import specialties
from medfed.web.present import people, person
from medfed.web.problems import in_words
from medfed.web.proofs import credential_view
from medfed.web.sent import number
from medfed.web.sheet import page
from medfed.web.views import (
    ChoiceView,
    CredentialView,
    FormView,
    IssuedState,
    IssuedView,
    PersonView,
    RequestStatus,
    StampView,
    VerificationItemView,
    VerificationRequestView,
)
from medfed.web.visit import Access, Visit, go
from medfed.web.words import METHODS as METHOD_WORDS
from medfed.web.words import N_

ANSWER_WITHIN: Final = 3 * DAY
"""How soon a verifier should have looked at a request."""
_LISTED: Final = 50


# ── one attestation ──────────────────────────────────────────────────────────────────────────────────────────


async def credential(visit: Visit) -> Response:
    """GET /credentials/ID, for browsers: by our id of it, or by that of an attestation of ours. Raises NotFound."""
    id_ = number(visit.param("id"))
    async with visit.instance.store.view() as view:
        found = await _find(view, visit, id_)
        holder = (await people(view, visit, [found.account_id])).get(found.account_id)
    if holder is None:
        raise NotFound("there is no such attestation")
    return await page(visit, "credential", credential=credential_view(visit, as_of(found, visit.now), holder))


async def _find(view: View, visit: Visit, id_: int) -> Credential:
    """What its holder shows; what they do not, they alone see."""
    known = await credentials.find(view, id_)
    candidates = [known] if known else await credentials.by_uri(view, visit.instance.here.uris.credential(id_))
    for each in candidates:
        own = visit.viewer is not None and visit.viewer.id == each.account_id
        if each.consent == "published" or own:
            return each
    raise NotFound("there is no such attestation")


# ── one's own ────────────────────────────────────────────────────────────────────────────────────────────────


async def own(visit: Visit) -> Response:
    """GET /verification."""
    return await _own_page(visit, FormView(values={"profession": "physician"}))


async def _own_page(visit: Visit, form: FormView, status: int = 200) -> Response:
    async with visit.instance.store.view() as view:
        held = [as_of(each, visit.now) for each in await credentials.of_account(view, visit.account.id)]
        asked = await requests.of_account(view, visit.account.id)
        shown = (await states_for(view, visit.instance.here, [visit.account.id])).get(visit.account.id, [])
    holder = person(visit, visit.account, shown)

    def views(*consents: str) -> tuple[CredentialView, ...]:
        return tuple(
            credential_view(visit, each, holder, action=f"/verification/{each.id}")
            for each in held
            if each.consent in consents
        )

    return await page(
        visit,
        "verification",
        current="verification",
        status=status,
        credentials=views("published", "withdrawn"),
        offers=views("offered"),
        requests=tuple(_request(each) for each in asked if each.state != "withdrawn"),
        form=form,
        specialties=specialties(visit),
        schemes=scheme_choices(visit),
    )


def _request(each: VerificationRequest) -> VerificationRequestView:
    status: RequestStatus = (
        "approved" if each.state == "approved" else "refused" if each.state == "refused" else "waiting"
    )
    return VerificationRequestView(
        id=str(each.id),
        profession=each.profession,
        specialty=each.specialties[0] if each.specialties else None,
        status=status,
        at=each.created_at,
        answer=each.reason,
    )


_SCHEME_NAMES: Final = {
    "": N_("No number"),
    "rpps": "RPPS (France)",
    "adeli": "ADELI (France)",
    "npi": "NPI (United States)",
    "gmc": "GMC (United Kingdom)",
    "nmc": "NMC (United Kingdom)",
    "gphc": "GPhC (Great Britain)",
    "hcpc": "HCPC (United Kingdom)",
    "lanr": "LANR (Deutschland)",
    "inami": "INAMI / RIZIV (Belgique, België)",
    "big": "BIG (Nederland)",
    "gln": "GLN (Schweiz, Suisse)",
    "ahpra": "AHPRA (Australia)",
    "other": N_("Another register"),
}


def scheme_choices(visit: Visit) -> tuple[ChoiceView, ...]:
    """The registers that a number can be of."""
    return tuple(ChoiceView(value=code, word=visit.say(_SCHEME_NAMES.get(code, code.upper()))) for code in SCHEMES)


async def post_own(visit: Visit) -> Response:
    """POST /verification: ask the verifiers of this instance to attest."""
    sent, instance = visit.sent, visit.instance
    specialty = sent.text("specialty")
    submission = Submission(
        profession=sent.text("profession"),
        specialties=(specialty,) if specialty else (),
        country=sent.text("country").strip().upper(),
        scheme=sent.text("scheme"),
        number=sent.text("number").strip(),
        note=sent.text("statement"),
    )
    try:
        async with instance.store.transaction("ask for attestation") as tx:
            await ask(tx, instance.here, visit.account, submission)
    except Invalid as error:
        return await _own_page(visit, FormView(values=sent.values(), errors=in_words(visit, error)), 422)
    return go(visit, "/verification", "requested")


async def decide_own(visit: Visit) -> Response:
    """POST /verification/ID: accept or refuse an offer, put an attestation on the profile or take it off.

    Raises NotFound, Conflict.
    """
    deeds = {
        "accept": (consent.accept, "attestation-published"),
        "refuse": (consent.decline, "refused"),
        "publish": (consent.publish, "attestation-published"),
        "withdraw": (consent.withdraw, "attestation-withdrawn"),
    }
    if visit.sent.text("do") not in deeds:
        raise Malformed("that cannot be done with an attestation")
    deed, flash = deeds[visit.sent.text("do")]
    async with visit.instance.store.transaction("decide on attestation") as tx:
        await deed(tx, visit.instance.here, visit.account, number(visit.param("id")))
    return go(visit, "/verification", flash)


async def take_back_own(visit: Visit) -> Response:
    """POST /verification/requests/ID: no longer ask. Raises NotFound, Forbidden, Conflict."""
    async with visit.instance.store.transaction("take request back") as tx:
        await take_back(tx, visit.instance.here, visit.account, number(visit.param("id")))
    return go(visit, "/verification", "saved")


# ── the verifiers' queue ─────────────────────────────────────────────────────────────────────────────────────


def _verifier(visit: Visit) -> Member:
    if visit.member is None:
        raise Unauthenticated("sign in first")
    return visit.member


async def queue(visit: Visit) -> Response:
    """GET /admin/verification; `item` opens a request, which is recorded (N30)."""
    return await _queue_page(visit, FormView(values={"profession": "physician"}))


async def _queue_page(visit: Visit, form: FormView, status: int = 200, *, item: str = "") -> Response:
    wanted = item or visit.sent.text("item")
    opened = await _opened(visit, number(wanted)) if wanted else None
    async with visit.instance.store.view() as view:
        waiting = await requests.waiting(view)
        issued = await credentials.attestations(view, Page(limit=_LISTED))
        holders = await accounts.find_by_uris(view, {each.subject_uri for each in issued})
        shown = {each.account_id for each in waiting} | {each.id for each in holders.values()}
        shown |= {each.id for each in opened.also_claimed_by} if opened else set()
        them = await people(view, visit, shown)
    return await page(
        visit,
        "admin_verification",
        current="verification",
        administration=True,
        status=status,
        queue=tuple(_item(visit, each, them) for each in waiting if each.account_id in them),
        item=_open_item(visit, opened, them) if opened else None,
        issued=tuple(
            _issued(visit, each, them[holders[each.subject_uri].id]) for each in issued if each.subject_uri in holders
        ),
        form=form,
        specialties=specialties(visit),
        methods=tuple(ChoiceView(value=code, word=visit.say(METHOD_WORDS[code])) for code in METHODS),
    )


async def _opened(visit: Visit, id_: int) -> Opened | None:
    """A request with what was submitted; None when it was decided meanwhile. Raises NotFound, Forbidden."""
    async with visit.instance.store.transaction("open verification request") as tx:
        try:
            return await open_request(tx, visit.instance.here, _verifier(visit), id_)
        except Conflict:
            return None


def _item(
    visit: Visit, each: VerificationRequest, them: dict[int, PersonView], *, current: bool = False
) -> VerificationItemView:
    due = each.created_at + ANSWER_WITHIN
    return VerificationItemView(
        id=str(each.id),
        href=f"/admin/verification?item={each.id}",
        person=them[each.account_id],
        profession=each.profession,
        specialty=each.specialties[0] if each.specialties else None,
        country=each.country or None,
        asked_at=each.created_at,
        due_at=due,
        overdue=due < visit.now,
        current=current,
    )


def _open_item(visit: Visit, opened: Opened, them: dict[int, PersonView]) -> VerificationItemView:
    request = opened.request
    return replace(
        _item(visit, request, them, current=True),
        statement=opened.note,
        scheme=visit.say(_SCHEME_NAMES.get(request.scheme, request.scheme.upper())) if request.scheme else "",
        number=opened.number,
        also=tuple(them[each.id] for each in opened.also_claimed_by if each.id in them),
    )


def _issued(visit: Visit, each: Attestation, holder: PersonView) -> IssuedView:
    state = _state(each, visit.now)
    look = {"accepted": CredentialState.TRUSTED, "offered": CredentialState.TRUSTED}.get(state)
    return IssuedView(
        id=str(each.id),
        holder=holder,
        stamp=StampView(
            state=look.value if look else state if state in ("revoked", "suspended", "expired") else "trusted",
            profession=each.profession,
            specialty=each.specialties[0] if each.specialties else None,
            issuer=visit.instance.here.name,
            href=f"/credentials/{each.id}",
            ended_at=each.revoked_at,
        ),
        issued_at=each.issued_at,
        valid_until=each.valid_until,
        state=state,
        can_revoke=state in ("offered", "accepted", "suspended"),
    )


def _state(each: Attestation, now: Millis) -> IssuedState:
    if each.state in ("declined", "withdrawn"):
        return "declined" if each.state == "declined" else "hidden"
    if each.state not in ("revoked",) and each.valid_until <= now:
        return "expired"
    if each.state == "revoked":
        return "revoked"
    if each.state == "suspended":
        return "suspended"
    return "accepted" if each.state == "accepted" else "offered"


async def decide(visit: Visit) -> Response:
    """POST /admin/verification/ID: approve or refuse. Raises NotFound, Forbidden, Conflict."""
    sent, id_ = visit.sent, number(visit.param("id"))
    try:
        await _decide(visit, id_, sent.text("reason").strip())
    except Invalid as error:
        form = FormView(
            values=sent.values(),
            chosen={"methods": frozenset(sent.every("methods"))},
            errors=in_words(visit, error),
        )
        return await _queue_page(visit, form, 422, item=str(id_))
    return go(visit, "/admin/verification", "decided")


async def _decide(visit: Visit, id_: int, reason: str) -> None:
    sent, here, verifier = visit.sent, visit.instance.here, _verifier(visit)
    if not reason:
        raise Invalid("a reason is needed", {"reason": "is missing"})
    async with visit.instance.store.transaction("decide verification request") as tx:
        if sent.text("do") != "approve":
            await refuse(tx, here, verifier, id_, reason=reason)
            return
        request = await requests.get(tx, id_)
        statement = Statement(
            profession=request.profession,
            specialties=request.specialties,
            country=request.country,
            assurance=sent.text("level"),
            methods=sent.every("methods"),
        )
        await approve(tx, here, verifier, id_, statement, reason=reason)


async def issue(visit: Visit) -> Response:
    """POST /admin/verification/issue: attest somebody whom the verifier knows; they have to accept it."""
    sent, instance = visit.sent, visit.instance
    specialty = sent.text("specialty")
    try:
        subject = await _subject(visit)
        if subject.id == visit.account.id and not visit.may(Access.ADMIN):
            raise Forbidden("nobody verifies themselves")
        statement = Statement(
            profession=sent.text("profession"),
            specialties=(specialty,) if specialty else (),
            country=sent.text("country").strip().upper(),
            assurance=sent.text("level"),
        )
        async with instance.store.transaction("attest") as tx:
            await attest(tx, instance.here, subject, statement, by=visit.account.handle, verifier=visit.account)
    except Invalid as error:
        return await _queue_page(visit, FormView(values=sent.values(), errors=in_words(visit, error)), 422)
    return go(visit, "/admin/verification", "attested")


async def _subject(visit: Visit) -> Account:
    """Whom the form names. Raises Invalid."""
    try:
        found = await visit.instance.lookup.handle(parse_handle(visit.sent.text("subject")))
    except (Malformed, NotFound, RemoteFailure, Untrusted):
        raise Invalid("nobody of this name was found", {"subject": "nobody of this name"}) from None
    if found.kind == "Application":
        raise Invalid("nobody of this name was found", {"subject": "nobody of this name"})
    return found


async def withdraw(visit: Visit) -> Response:
    """POST /admin/verification/revoke: take an attestation back for good. Raises NotFound, Conflict, Malformed."""
    sent, instance = visit.sent, visit.instance
    reason = sent.text("reason").strip()[:200]
    if not reason:
        raise Malformed("a withdrawal needs a reason")
    async with instance.store.transaction("revoke attestation") as tx:
        await revoke(tx, instance.here, number(sent.text("credential")), reason=reason, by=visit.account.handle)
    return go(visit, "/admin/verification", "withdrawn")
