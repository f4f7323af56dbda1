"""What attestations say, how sure they are of it, and where each stands with us."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal, TypeAlias

from medfed.domain import codes
from medfed.domain.posts import Requirement
from medfed.kernel.clock import DAY, Millis
from medfed.kernel.errors import Invalid

LONGEST_VALIDITY: Final = 400 * DAY
SKEW: Final = 5 * 60 * 1000
"""How far ahead of ours, in milliseconds, an issuer's clock may be."""

Assurance: TypeAlias = Literal["low", "substantial", "high"]
ASSURANCES: Final[tuple[Assurance, ...]] = ("low", "substantial", "high")
"""In order, in the words of eIDAS."""

LICENCE: Final = "LicenceCredential"
SPECIALTY: Final = "SpecialtyCredential"
EMPLOYMENT: Final = "EmploymentCredential"
MEMBERSHIP: Final = "MembershipCredential"
PSEUDONYMOUS: Final = "VerifiedPractitionerCredential"
CREDENTIAL_TYPES: Final = (LICENCE, SPECIALTY, EMPLOYMENT, MEMBERSHIP, PSEUDONYMOUS)
PRACTICE: Final = frozenset({LICENCE, SPECIALTY, PSEUDONYMOUS})
"""Types that say that somebody practises: only these open what is for verified practitioners."""

METHODS: Final = (
    "national-idp",
    "registry-lookup",
    "in-person",
    "document-review",
    "employer-hr",
    "institutional-email",
    "peer-vouch",
)
"""How an issuer may have made sure; a closed list."""

_METHODS_FOR: Final[Mapping[Assurance, tuple[str, ...]]] = {
    "low": ("document-review",),
    "substantial": ("registry-lookup", "document-review"),
    "high": ("in-person", "registry-lookup"),
}


Consent: TypeAlias = Literal["offered", "published", "declined", "withdrawn"]
"""What the holder has decided; for a peer's account, what its server shows."""


class CredentialState(StrEnum):
    """Where a credential stands here."""

    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"
    STALE = "stale"
    SUSPENDED = "suspended"
    REVOKED = "revoked"
    EXPIRED = "expired"
    INVALID = "invalid"
    KEY_DISCONTINUITY = "key-discontinuity"


REASONS: Final[Mapping[str, str]] = {
    # trusted
    "own": "attested by this instance",
    "peer": "this instance trusts {issuer}",
    "rule": "recognised by the rule {rule!r} of this instance",
    # untrusted
    "issuer-unknown": "this instance does not recognise {issuer}",
    "issuer-denied": "this instance denies {issuer}",
    "key-denied": "this instance denies the key that {issuer} signed with",
    "type": "{issuer} is not recognised here for a {type}",
    "jurisdiction": "{issuer} is not recognised here for {country}",
    "profession": "{issuer} is not recognised here for the profession {profession}",
    "specialty": "{issuer} is not recognised here for the specialty {specialty}",
    "subject-host": "{issuer} is not recognised here for accounts on {host}",
    "assurance": "an assurance of {assurance} is less than the {minimum} that is asked for here",
    "too-old": "issued longer ago than is accepted here",
    "list-expired": "the list that recognises {issuer} has expired",
    # in time
    "expired": "its validity has ended",
    "not-yet-valid": "it is not valid yet",
    # status
    "revoked": "withdrawn by {issuer}",
    "suspended": "suspended by {issuer}",
    "status-unknown": "whether {issuer} has withdrawn it is not known",
    "status-old": "{issuer} has not confirmed it lately",
    "overdue": "it has not been confirmed lately",
    # keys
    "issuer-keys": "{issuer} changed all its keys at once; an administrator has to confirm them",
    "subject-key": "it was made for another key of this account; {issuer} has to confirm it",
    # invalid
    "malformed": "it is malformed: {detail}",
    "proof": "its proof does not hold: {detail}",
    "issuer-key-gone": "{issuer} no longer signs with the key that it was made with",
    "issuer-silent": "the keys of {issuer} cannot be had: {detail}",
    "other-subject": "it is about somebody else",
    "not-listed": "the account does not show it",
}
"""A sentence for every reason; what is in braces is in the reason's `args`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a credential stands where it does: a code of REASONS, and what its sentence speaks of."""

    code: str
    args: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The sentence in English."""
        return REASONS[self.code].format(**self.args)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One station between this instance and the issuer: who, and as what."""

    did: str
    name: str
    role: Literal["yours", "list", "issuer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusEntry:
    """Where an issuer says whether a credential still stands."""

    url: str
    index: int
    purpose: Literal["revocation", "suspension"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What an authentic credential says, in our words."""

    uri: str
    issuer: str
    issuer_name: str
    subject: str
    subject_host: str
    subject_key: str
    types: tuple[str, ...]
    profession: str
    specialties: tuple[str, ...]
    country: str
    assurance: Assurance
    methods: tuple[str, ...]
    verified_on: str
    valid_from: Millis
    valid_until: Millis
    status: tuple[StatusEntry, ...]

    @property
    def supported_assurance(self) -> Assurance:
        """The assurance that its evidence carries, at most the one that it claims."""
        return lower_of(self.assurance, ceiling(self.methods))


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A credential of an account, local or peer, as we know it, and where it stands until `recheck_at`."""

    id: int
    account_id: int
    claim: Claim
    document: str
    proof_key: str
    consent: Consent
    offer_uri: str
    fault: Reason | None
    state: CredentialState
    reason: Reason
    assurance: Assurance
    path: tuple[Step, ...]
    first_seen: Millis
    checked_at: Millis
    recheck_at: Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestation:
    """A credential that this instance issued."""

    id: int
    uri: str
    subject_uri: str
    types: tuple[str, ...]
    profession: str
    specialties: tuple[str, ...]
    country: str
    assurance: Assurance
    valid_from: Millis
    valid_until: Millis
    document: str
    revocation_list: int
    revocation_index: int
    suspension_list: int
    suspension_index: int
    state: Literal["offered", "accepted", "declined", "withdrawn", "revoked", "suspended"]
    offer_uri: str
    issued_by: int | None
    issued_at: Millis
    revoked_at: Millis | None = None
    reason: str = ""


def rank(assurance: str) -> int:
    """The place of an assurance in the order; -1 for what is none."""
    return ASSURANCES.index(assurance) if assurance in ASSURANCES else -1


def lower_of(one: Assurance, other: Assurance) -> Assurance:
    """The weaker of two."""
    return min(one, other, key=rank)


def ceiling(methods: Iterable[str]) -> Assurance:
    """The most that evidence gathered by these methods supports. What is not on our list adds nothing."""
    used = set(methods)
    if "national-idp" in used or {"in-person", "registry-lookup"} <= used:
        return "high"
    if "registry-lookup" in used and used & {"document-review", "employer-hr"}:
        return "substantial"
    return "low"


def methods_for(assurance: Assurance) -> tuple[str, ...]:
    """The least that has to have been done before attesting at this level; whoever attests says that it was."""
    return _METHODS_FOR[assurance]


def type_for(specialties: Iterable[str]) -> str:
    """The type of an attestation of a profession: of specialties in it, or of the right to practise."""
    return SPECIALTY if any(True for _ in specialties) else LICENCE


def standing(credential: Credential, now: Millis) -> CredentialState:
    """Where a credential stands at `now`: what was decided, or less when its time has passed since."""
    if credential.state in (CredentialState.INVALID, CredentialState.REVOKED):
        return credential.state
    if now >= credential.claim.valid_until:
        return CredentialState.EXPIRED
    if credential.state is CredentialState.TRUSTED and now >= credential.recheck_at:
        return CredentialState.STALE
    return credential.state


def satisfies(requirement: Requirement, held: Iterable[Credential]) -> bool:
    """Whether these credentials, all of one account, are enough. Only trusted ones count: stale closes gates.

    One credential has to say all of it: a nurse here who is a physician elsewhere is no physician here.
    """
    if rank(requirement.min_assurance) < 0:
        return False
    allowed = _named(requirement.professions)
    enough = [credential for credential in held if _counts(requirement, allowed, credential)]
    if not requirement.specialties:
        return bool(enough)
    wanted = set(requirement.specialties)
    return any(wanted & set(credential.claim.specialties) for credential in enough)


def _named(tokens: tuple[str, ...]) -> frozenset[str] | None:
    """The professions that are allowed; None: every one."""
    return frozenset().union(*map(codes.professions_named, tokens)) if tokens else None


def _counts(requirement: Requirement, allowed: frozenset[str] | None, credential: Credential) -> bool:
    claim = credential.claim
    return (
        credential.state is CredentialState.TRUSTED
        and not PRACTICE.isdisjoint(claim.types)
        and rank(credential.assurance) >= rank(requirement.min_assurance)
        and (allowed is None or claim.profession in allowed)
        and (not requirement.countries or claim.country in requirement.countries)
    )


def check_claim(
    *, profession: str, specialties: tuple[str, ...], country: str, assurance: str, valid_for: Millis
) -> Assurance:
    """Check what is about to be attested; the assurance. Raises Invalid, which names each field that is wrong."""
    wrong: dict[str, str] = {}
    if profession not in codes.PROFESSIONS:
        wrong["profession"] = f"{profession[:60]!r} is not one of our profession codes"
    unknown = [code for code in specialties if code not in codes.SPECIALTIES]
    if unknown:
        wrong["specialties"] = f"{unknown[0][:60]!r} is not one of our specialty codes"
    if country and country not in codes.COUNTRIES:
        wrong["country"] = f"{country[:20]!r} is not a country; write two capital letters, such as FR"
    if not 0 < valid_for <= LONGEST_VALIDITY:
        wrong["valid_for"] = f"from 1 to {LONGEST_VALIDITY // DAY} days"
    level = next((each for each in ASSURANCES if each == assurance), None)
    if level is None:
        wrong["level"] = "low, substantial or high"
    if wrong or level is None:
        raise Invalid("; ".join(f"{name}: {what}" for name, what in wrong.items()), wrong)
    return level
