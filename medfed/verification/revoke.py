"""An issuer takes an attestation back, for good or for a while: the bit counts, the rest is haste and courtesy."""

from medfed.activitypub.here import Here
from medfed.domain.credentials import Attestation
from medfed.kernel.errors import Conflict
from medfed.storage import accounts, credentials, moderation
from medfed.storage.database import Transaction
from medfed.verification import announce, issuer
from medfed.verification.decide import decide_list


async def revoke(tx: Transaction, here: Here, attestation_id: int, *, reason: str, by: str) -> Attestation:
    """Withdraw an attestation for good; audited. Raises NotFound, Conflict when it was revoked before."""
    issued = await credentials.get_attestation(tx, attestation_id)
    if issued.state == "revoked":
        raise Conflict("this attestation was revoked before")
    await credentials.set_attestation(tx, issued.id, "revoked", revoked_at=here.now(), reason=reason)
    await _mark(tx, here, issued, issued.revocation_list, issued.revocation_index, raised=True)
    subject = await accounts.find_by_uri(tx, issued.subject_uri)
    if subject is not None and not subject.local:
        await announce.withdrawn(tx, here, issued, subject)
    await _record(tx, here, issued, "attestation.revoke", reason=reason, by=by)
    return await credentials.get_attestation(tx, issued.id)


async def suspend(tx: Transaction, here: Here, attestation_id: int, *, reason: str, by: str) -> None:
    """Suspend an attestation until `reinstate`; audited. Raises NotFound, Conflict."""
    issued = await credentials.get_attestation(tx, attestation_id)
    if issued.state not in ("accepted", "withdrawn"):
        raise Conflict("only an accepted attestation can be suspended")
    await credentials.set_attestation(tx, issued.id, "suspended", reason=reason)
    await _mark(tx, here, issued, issued.suspension_list, issued.suspension_index, raised=True)
    await _record(tx, here, issued, "attestation.suspend", reason=reason, by=by)


async def reinstate(tx: Transaction, here: Here, attestation_id: int, *, reason: str, by: str) -> None:
    """End a suspension; audited. Raises NotFound, Conflict."""
    issued = await credentials.get_attestation(tx, attestation_id)
    if issued.state != "suspended":
        raise Conflict("this attestation is not suspended")
    await credentials.set_attestation(tx, issued.id, "accepted")
    await _mark(tx, here, issued, issued.suspension_list, issued.suspension_index, raised=False)
    await _record(tx, here, issued, "attestation.reinstate", reason=reason, by=by)


async def _mark(tx: Transaction, here: Here, issued: Attestation, number: int, index: int, *, raised: bool) -> None:
    own = await issuer.mark(tx, here, number, index, raised=raised)
    await decide_list(tx, here, here.uris.status_list(number))
    concerning = await accounts.find_by_uri(tx, issued.subject_uri)
    await announce.list_changed(tx, here, own, concerning=concerning)


async def _record(tx: Transaction, here: Here, issued: Attestation, action: str, *, reason: str, by: str) -> None:
    await moderation.record(
        tx,
        at=here.now(),
        actor=by,
        action=action,
        subject=issued.subject_uri,
        detail={"id": str(issued.id), "reason": reason},
    )
