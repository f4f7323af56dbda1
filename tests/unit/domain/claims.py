"""Claims and credentials for tests: a cardiologist in Lyon, attested by a society."""

from typing import Any

from medfed.domain.credentials import Claim, Credential, CredentialState, Reason, StatusEntry
from medfed.domain.trust import Evidence, StatusFact
from medfed.kernel.clock import DAY, HOUR

NOW = 1_795_600_000_000
SOCIETY = "did:web:society.example"
KEY = "z6MkmEq87wkHCYnWnNZkigeDMGTN7oUw1upkhzd77KuXERS1"


def a_claim(**changes: Any) -> Claim:
    """What a society says of a cardiologist."""
    values: dict[str, Any] = {
        "uri": "https://society.example/credentials/1",
        "issuer": SOCIETY,
        "issuer_name": "Society",
        "subject": "https://lyon.example/users/alice",
        "subject_host": "lyon.example",
        "subject_key": f"did:key:{KEY}",
        "types": ("SpecialtyCredential",),
        "profession": "physician",
        "specialties": ("cardiology",),
        "country": "FR",
        "assurance": "substantial",
        "methods": ("national-idp",),
        "verified_on": "2026-11-20",
        "valid_from": NOW - DAY,
        "valid_until": NOW + 300 * DAY,
        "status": (
            StatusEntry(url="https://society.example/credentials/status/1", index=5, purpose="revocation"),
            StatusEntry(url="https://society.example/credentials/status/2", index=6, purpose="suspension"),
        ),
    }
    return Claim(**(values | changes))


def fresh(purpose: Any = "revocation", *, raised: bool | None = False) -> StatusFact:
    """A list that was fetched an hour ago."""
    return StatusFact(purpose=purpose, raised=raised, fetched_at=NOW - HOUR, valid_until=NOW + 23 * HOUR)


def evidence(*, claim: Claim | None = None, **changes: Any) -> Evidence:
    """A sound credential, freshly confirmed."""
    values: dict[str, Any] = {
        "claim": claim or a_claim(),
        "proof_key": KEY,
        "issuer_keys": frozenset({KEY}),
        "statuses": (fresh(), fresh("suspension")),
    }
    return Evidence(**(values | changes))


def a_credential(*, claim: Claim | None = None, **changes: Any) -> Credential:
    """A trusted credential."""
    said = claim or a_claim()
    values: dict[str, Any] = {
        "id": 1,
        "account_id": 1,
        "claim": said,
        "document": "{}",
        "proof_key": KEY,
        "consent": "published",
        "offer_uri": "",
        "fault": None,
        "state": CredentialState.TRUSTED,
        "reason": Reason(code="own"),
        "assurance": said.supported_assurance,
        "path": (),
        "first_seen": NOW,
        "checked_at": NOW,
        "recheck_at": NOW + 23 * HOUR,
    }
    return Credential(**(values | changes))
