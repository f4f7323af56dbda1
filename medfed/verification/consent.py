"""A member decides what of their attestations appears: nothing does without them."""

from medfed.activitypub.here import Here
from medfed.domain.accounts import Account
from medfed.domain.credentials import Credential, CredentialState
from medfed.kernel.errors import Conflict, NotFound
from medfed.storage import credentials
from medfed.storage.database import Transaction
from medfed.verification import announce
from medfed.verification.standing import as_of


async def accept(tx: Transaction, here: Here, member: Account, credential_id: int) -> None:
    """Accept an offer and publish it. Raises NotFound, Conflict when it is no longer on offer, or stands no longer."""
    credential = await _own(tx, member, credential_id)
    if credential.consent != "offered":
        raise Conflict("this attestation is not on offer")
    _refuse_ended(here, credential)
    await _move(tx, here, credential, "published", "accepted")
    await announce.answer(tx, here, member, credential, "Accept")
    await announce.shown(tx, here, member, credential, kind="Add")


async def decline(tx: Transaction, here: Here, member: Account, credential_id: int) -> None:
    """Refuse an offer. Raises NotFound, Conflict when it is no longer on offer."""
    credential = await _own(tx, member, credential_id)
    if credential.consent != "offered":
        raise Conflict("this attestation is not on offer")
    await _move(tx, here, credential, "declined", "declined")
    await announce.answer(tx, here, member, credential, "Reject")


async def withdraw(tx: Transaction, here: Here, member: Account, credential_id: int) -> None:
    """Take an attestation off the profile; it can be put back. Raises NotFound, Conflict when it is not there."""
    credential = await _own(tx, member, credential_id)
    if credential.consent != "published":
        raise Conflict("this attestation is not on the profile")
    await credentials.set_consent(tx, credential.id, "withdrawn")
    await announce.shown(tx, here, member, credential, kind="Remove")


async def publish(tx: Transaction, here: Here, member: Account, credential_id: int) -> None:
    """Put a withdrawn attestation back. Raises NotFound, Conflict when it was not withdrawn, or stands no longer."""
    credential = await _own(tx, member, credential_id)
    if credential.consent != "withdrawn":
        raise Conflict("this attestation was not taken off the profile")
    _refuse_ended(here, credential)
    await credentials.set_consent(tx, credential.id, "published")
    await announce.shown(tx, here, member, credential, kind="Add")


def _refuse_ended(here: Here, credential: Credential) -> None:
    """What its issuer has taken back, or time has, is not put on a profile. Raises Conflict."""
    now = as_of(credential, here.now())
    if now.state in (CredentialState.REVOKED, CredentialState.EXPIRED, CredentialState.INVALID):
        raise Conflict(f"this attestation no longer stands: {now.reason.text}")


async def _own(tx: Transaction, member: Account, credential_id: int) -> Credential:
    credential = await credentials.find(tx, credential_id)
    if credential is None or credential.account_id != member.id:
        raise NotFound("there is no such attestation")
    return credential


async def _move(tx: Transaction, here: Here, credential: Credential, consent: str, state: str) -> None:
    """Keep the decision, and, when we issued it ourselves, what became of the offer."""
    await credentials.set_consent(tx, credential.id, consent)
    if credential.claim.issuer == here.uris.did:
        issued = await credentials.find_attestation_by_uri(tx, credential.claim.uri)
        if issued is not None and issued.state == "offered":
            await credentials.set_attestation(tx, issued.id, state)
