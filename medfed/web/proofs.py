"""Attestations explained: what one says, who says so, and why it counts here or does not."""

from collections.abc import Mapping
from typing import Final

from medfed.domain.credentials import Credential, Reason, Step
from medfed.kernel.clock import Millis, parse_iso
from medfed.web.present import stamp
from medfed.web.views import CredentialView, PathStepView, PersonView
from medfed.web.visit import Visit
from medfed.web.words import N_

_NOTES: Final[Mapping[str, str]] = {
    "own": N_("It was issued by this instance itself."),
    "peer": N_("This instance trusts %(issuer)s."),
    "rule": N_("The rule %(rule)s of the trust policy admits it."),
    "issuer-denied": N_("This instance denies the issuer by name."),
    "key-denied": N_("This instance denies the key that it was signed with."),
    "type": N_("This issuer does not count here for this kind of attestation."),
    "jurisdiction": N_("This issuer does not count here for this country."),
    "profession": N_("This issuer does not count here for this profession."),
    "specialty": N_("This issuer does not count here for this specialty."),
    "subject-host": N_("This issuer does not count here for accounts on %(host)s."),
    "assurance": N_("Its level is below the one that is asked for here."),
    "too-old": N_("It was issued longer ago than is accepted here."),
    "list-expired": N_("The list that names the issuer has expired."),
    "not-yet-valid": N_("It is not valid yet."),
    "issuer-key-gone": N_("The issuer no longer signs with the key that it was made with."),
    "subject-key": N_("It was made for another key of this account."),
    "proof": N_("Its signature does not hold."),
    "malformed": N_("It is malformed."),
    "other-subject": N_("It is about somebody else."),
    "not-listed": N_("The account does not show it."),
    "issuer-silent": N_("The keys of the issuer cannot be had."),
}
"""What a reason adds to the sentence of its state."""


def note(visit: Visit, reason: Reason) -> str | None:
    """A reason in words, when it says more than the state does."""
    said = _NOTES.get(reason.code)
    if said is None:
        return None
    known = {"issuer": "", "rule": "", "host": "", **reason.args}
    return visit.say(said, **known)


def credential_view(
    visit: Visit,
    credential: Credential,
    holder: PersonView,
    *,
    action: str | None = None,
) -> CredentialView:
    """An attestation, whole."""
    claim = credential.claim
    small = stamp(credential)
    return CredentialView(
        id=str(credential.id),
        stamp=small,
        holder=holder,
        issuer=small.issuer,
        types=claim.types,
        specialties=claim.specialties,
        country=claim.country or None,
        assurance=credential.assurance,
        method=claim.methods[0] if claim.methods else None,
        verified_at=_day(claim.verified_on),
        valid_until=claim.valid_until,
        checked_at=credential.checked_at or None,
        path=tuple(_step(each) for each in credential.path) if len(credential.path) > 1 else (),
        note=note(visit, credential.reason),
        document_href=claim.uri,
        published=credential.consent == "published",
        action=action,
    )


def _step(step: Step) -> PathStepView:
    return PathStepView(name=step.name, role=step.role)


def _day(text: str) -> Millis | None:
    try:
        return parse_iso(f"{text}T12:00:00Z") if text else None
    except ValueError:
        return None
