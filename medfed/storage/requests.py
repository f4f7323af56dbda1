"""What members ask the verifiers of this instance to attest; what they submit is sealed, and erased on decision."""

from dataclasses import asdict, dataclass
from typing import Final, Literal

import orjson

from medfed.kernel.clock import Millis
from medfed.kernel.errors import NotFound
from medfed.storage.database import Row, Transaction, View
from medfed.storage.statements import sql

_COLUMNS: Final = """
    r.id, r.account_id, r.profession, r.specialties, r.country, r.scheme, r.sealed, r.number_hmac, r.evidence_hash,
    r.state, r.attestation_id, r.decided_by, r.decided_at, r.reason, r.created_at
"""
_BY_ID = sql(f"SELECT {_COLUMNS} FROM verification_request r WHERE r.id = :id")
_WAITING = sql(f"SELECT {_COLUMNS} FROM verification_request r WHERE r.state = 'waiting' ORDER BY r.id LIMIT :limit")
_OF_ACCOUNT = sql(f"SELECT {_COLUMNS} FROM verification_request r WHERE r.account_id = :id ORDER BY r.id DESC")
_CLAIMED = sql(
    """
    SELECT DISTINCT r.account_id FROM verification_request r
    WHERE r.number_hmac = :number AND r.account_id <> :account_id AND r.state IN ('waiting', 'approved')
    """
)
_ADD = sql(
    """
    INSERT INTO verification_request (
        id, account_id, profession, specialties, country, scheme, sealed, number_hmac, evidence_hash, state,
        attestation_id, decided_by, decided_at, reason, created_at
    ) VALUES (
        :id, :account_id, :profession, :specialties, :country, :scheme, :sealed, :number_hmac, :evidence_hash, :state,
        :attestation_id, :decided_by, :decided_at, :reason, :created_at
    )
    """
)
_CLOSE = sql(
    """
    UPDATE verification_request SET state = :state, sealed = :nothing, attestation_id = :attestation_id,
        decided_by = :by, decided_at = :at, reason = :reason
    WHERE id = :id AND state = 'waiting'
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationRequest:
    """A member asks to be attested. `sealed` is empty once it is decided; the number's HMAC stays (N10)."""

    id: int
    account_id: int
    profession: str
    specialties: tuple[str, ...]
    country: str
    scheme: str
    sealed: bytes
    number_hmac: str
    evidence_hash: str
    state: Literal["waiting", "approved", "refused", "withdrawn"]
    created_at: Millis
    attestation_id: int | None = None
    decided_by: int | None = None
    decided_at: Millis | None = None
    reason: str = ""


async def get(view: View, id_: int) -> VerificationRequest:
    """The request with this id. Raises NotFound."""
    row = await view.one_or_none(_BY_ID, id=id_)
    if row is None:
        raise NotFound("no such request")
    return _request(row)


async def waiting(view: View, limit: int = 200) -> list[VerificationRequest]:
    """What waits for a verifier, longest first."""
    return [_request(row) for row in await view.all(_WAITING, limit=limit)]


async def of_account(view: View, account_id: int) -> list[VerificationRequest]:
    """What a member asked for, newest first."""
    return [_request(row) for row in await view.all(_OF_ACCOUNT, id=account_id)]


async def others_with(view: View, number_hmac: str, account_id: int) -> list[int]:
    """Other accounts that claim, or were attested with, the same number."""
    return [row["account_id"] for row in await view.all(_CLAIMED, number=number_hmac, account_id=account_id)]


async def add(tx: Transaction, request: VerificationRequest) -> None:
    """Store a request."""
    await tx.run(_ADD, **(asdict(request) | {"specialties": orjson.dumps(request.specialties).decode()}))


async def close(
    tx: Transaction, id_: int, *, state: str, by: int, at: Millis, reason: str, attestation_id: int | None = None
) -> bool:
    """Decide a request and erase its evidence; False if it was decided before."""
    closed = await tx.run(
        _CLOSE, id=id_, state=state, nothing=b"", attestation_id=attestation_id, by=by, at=at, reason=reason
    )
    return closed > 0


def _request(row: Row) -> VerificationRequest:
    return VerificationRequest(**(dict(row) | {"specialties": tuple(orjson.loads(row["specialties"]))}))
