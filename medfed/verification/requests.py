"""A member asks to be attested; a verifier decides; what was submitted is erased with the decision."""

import hashlib
from dataclasses import dataclass
from typing import Final

import orjson

from medfed.activitypub.here import Here
from medfed.domain import codes
from medfed.domain.accounts import Account, Member
from medfed.domain.credentials import Attestation
from medfed.kernel.errors import Conflict, Forbidden, Invalid, TooMany
from medfed.storage import accounts, moderation, requests
from medfed.storage.database import Transaction, View
from medfed.storage.requests import VerificationRequest
from medfed.verification.attest import Statement, attest

SCHEMES: Final = (
    "",
    "rpps",
    "adeli",
    "npi",
    "gmc",
    "nmc",
    "gphc",
    "hcpc",
    "lanr",
    "inami",
    "big",
    "gln",
    "ahpra",
    "other",
)
_WAITING: Final = 3
_LONGEST: Final = 2_000
_SEALED_FOR: Final = "verification evidence"
_NUMBER: Final = "licence number"


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What a member submits: readable by verifiers only, and only until the decision."""

    profession: str
    specialties: tuple[str, ...] = ()
    country: str = ""
    scheme: str = ""
    number: str = ""
    note: str = ""


async def ask(tx: Transaction, here: Here, account: Account, submission: Submission) -> VerificationRequest:
    """Put a request into the verifiers' queue. Raises Invalid, TooMany."""
    _check(submission)
    asked = await requests.of_account(tx, account.id)
    if sum(request.state == "waiting" for request in asked) >= _WAITING:
        raise TooMany("enough of your requests are waiting for a verifier", 3600)
    plain = orjson.dumps({"number": submission.number, "note": submission.note})
    number = _canonical(submission.number)
    request = VerificationRequest(
        id=here.ids.new(),
        account_id=account.id,
        profession=submission.profession,
        specialties=submission.specialties,
        country=submission.country,
        scheme=submission.scheme,
        sealed=here.vault.seal(plain, purpose=_SEALED_FOR),
        number_hmac=here.vault.fingerprint(f"{submission.scheme}\0{number}", purpose=_NUMBER) if number else "",
        evidence_hash=hashlib.sha256(plain).hexdigest(),
        state="waiting",
        created_at=here.now(),
    )
    await requests.add(tx, request)
    return request


def _check(submission: Submission) -> None:
    wrong: dict[str, str] = {}
    if submission.profession not in codes.PROFESSIONS:
        wrong["profession"] = "not one of our profession codes"
    if any(code not in codes.SPECIALTIES for code in submission.specialties) or len(submission.specialties) > 10:
        wrong["specialties"] = "not one of our specialty codes, or too many"
    if submission.country and submission.country not in codes.COUNTRIES:
        wrong["country"] = "two capital letters, such as FR"
    if submission.scheme not in SCHEMES:
        wrong["scheme"] = f"one of {', '.join(SCHEMES[1:])}"
    if len(submission.number) > 60 or len(submission.note) > _LONGEST:
        wrong["note"] = f"at most {_LONGEST} characters"
    if wrong:
        raise Invalid("; ".join(f"{name}: {what}" for name, what in wrong.items()), wrong)


def _canonical(number: str) -> str:
    """The number without what people write between its digits."""
    return "".join(character for character in number.casefold() if character.isalnum())


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A request as a verifier sees it. `also_claimed_by`: other accounts with the same number (N10)."""

    request: VerificationRequest
    number: str
    note: str
    also_claimed_by: tuple[Account, ...]


async def open_request(tx: Transaction, here: Here, verifier: Member, request_id: int) -> Opened:
    """Read what was submitted; that is recorded (N30). Raises Forbidden, NotFound, Conflict when it is decided."""
    request = await _waiting(tx, verifier, request_id)
    evidence = orjson.loads(here.vault.open(request.sealed, purpose=_SEALED_FOR))
    asker = await accounts.get(tx, request.account_id)
    await moderation.record(
        tx,
        at=here.now(),
        actor=verifier.account.handle,
        action="verification.open",
        subject=asker.handle,
        detail={"id": str(request.id)},
    )
    return Opened(
        request=request, number=evidence["number"], note=evidence["note"], also_claimed_by=await _others(tx, request)
    )


async def _others(view: View, request: VerificationRequest) -> tuple[Account, ...]:
    if not request.number_hmac:
        return ()
    ids = await requests.others_with(view, request.number_hmac, request.account_id)
    return tuple((await accounts.find_many(view, ids)).values())


async def _waiting(view: View, verifier: Member, request_id: int) -> VerificationRequest:
    if not verifier.is_at_least("verifier"):
        raise Forbidden("only verifiers decide about attestations")
    request = await requests.get(view, request_id)
    if request.account_id == verifier.account.id:
        raise Forbidden("nobody verifies themselves")
    if request.state != "waiting":
        raise Conflict("this request was decided before")
    return request


async def approve(
    tx: Transaction, here: Here, verifier: Member, request_id: int, statement: Statement, *, reason: str = ""
) -> Attestation:
    """Attest what was asked for, and erase the evidence. It appears once the member accepts.

    Raises Forbidden, NotFound, Conflict (decided before, or the number belongs to another account), Invalid.
    """
    request = await _waiting(tx, verifier, request_id)
    if await _others(tx, request):
        raise Conflict("another account here claims the same number; refuse one of them first")
    subject = await accounts.get(tx, request.account_id)
    issued = await attest(
        tx, here, subject, statement, by=verifier.account.handle, verifier=verifier.account, accepted=False
    )
    await _close(tx, here, verifier, request, "approved", reason=reason, attestation_id=issued.id)
    return issued


async def refuse(tx: Transaction, here: Here, verifier: Member, request_id: int, *, reason: str) -> None:
    """Refuse, with a reason for the member, and erase the evidence. Raises Forbidden, NotFound, Conflict, Invalid."""
    request = await _waiting(tx, verifier, request_id)
    if not reason.strip():
        raise Invalid("a refusal needs a reason", {"reason": "needed"})
    await _close(tx, here, verifier, request, "refused", reason=reason.strip()[:_LONGEST])


async def _close(
    tx: Transaction,
    here: Here,
    verifier: Member,
    request: VerificationRequest,
    state: str,
    *,
    reason: str,
    attestation_id: int | None = None,
) -> None:
    await requests.close(
        tx,
        request.id,
        state=state,
        by=verifier.account.id,
        at=here.now(),
        reason=reason,
        attestation_id=attestation_id,
    )
    asker = await accounts.get(tx, request.account_id)
    await moderation.record(
        tx,
        at=here.now(),
        actor=verifier.account.handle,
        action=f"verification.{state}",
        subject=asker.handle,
        detail={"id": str(request.id), "evidence": request.evidence_hash},
    )


async def take_back(tx: Transaction, here: Here, account: Account, request_id: int) -> None:
    """A member no longer asks; what they submitted is erased. Raises NotFound, Forbidden, Conflict."""
    request = await requests.get(tx, request_id)
    if request.account_id != account.id:
        raise Forbidden("this is not your request")
    if not await requests.close(tx, request.id, state="withdrawn", by=account.id, at=here.now(), reason=""):
        raise Conflict("this request was decided before")
