"""Offer, Accept and Reject of attestations, what accounts show, what issuers withdraw, and their keys."""

from medfed.domain.accounts import Account
from medfed.domain.credentials import Attestation
from medfed.domain.peers import Level
from medfed.domain.trust import did_of
from medfed.inbox.admit import Admitted
from medfed.inbox.handlers import posts, relations
from medfed.inbox.handling import Handling
from medfed.inbox.resolve import Resolved
from medfed.kernel.errors import OriginMismatch, PolicyRefusal
from medfed.storage import accounts, credentials, requests
from medfed.storage.database import Transaction
from medfed.storage.requests import VerificationRequest
from medfed.verification import refresh, work


async def offer(tx: Transaction, use: Handling, admitted: Admitted, _resolved: Resolved) -> str:
    """An issuer offers a member an attestation; it is fetched, and the member is asked."""
    _refuse_strangers(admitted)
    activity = admitted.activity
    member = await _holder_of(tx, activity.target_id) or await _addressed(tx, admitted)
    if member is None or not activity.object_id:
        return "no such member"
    await work.fetch_offer(
        tx,
        use.here,
        account_id=member.id,
        uri=activity.object_id,
        offer_uri=activity.id,
        issuer_actor=admitted.actor.uri,
    )
    return "to be fetched"


def _refuse_strangers(admitted: Admitted) -> None:
    if admitted.level not in (Level.FEDERATED, Level.TRUSTED):
        raise PolicyRefusal("attestations are exchanged with federated peers")


async def _holder_of(tx: Transaction, collection: str) -> Account | None:
    """The member whose collection of attestations this is."""
    found = await accounts.find_by_uri(tx, collection.removesuffix("/attestations")) if collection else None
    return found if found is not None and found.local and found.attestations_uri == collection else None


async def _addressed(tx: Transaction, admitted: Admitted) -> Account | None:
    known = await accounts.find_by_uris(tx, admitted.activity.to)
    return next((account for account in known.values() if account.local and account.kind != "Application"), None)


async def accept(tx: Transaction, use: Handling, admitted: Admitted, resolved: Resolved) -> str:
    """A practitioner accepts an attestation of ours; or an actor lets a member follow."""
    offered = await _own_offer(tx, admitted)
    if offered is None:
        return await relations.accept(tx, use, admitted, resolved)
    if offered.state != "offered":
        return "answered already"
    await credentials.set_attestation(tx, offered.id, "accepted")
    return "attestation accepted"


async def reject(tx: Transaction, use: Handling, admitted: Admitted, resolved: Resolved) -> str:
    """A practitioner refuses an attestation of ours; or an actor refuses to be followed."""
    offered = await _own_offer(tx, admitted)
    if offered is None:
        return await relations.reject(tx, use, admitted, resolved)
    if offered.state != "offered":
        return "answered already"
    await credentials.set_attestation(tx, offered.id, "declined")
    return "attestation refused"


async def _own_offer(tx: Transaction, admitted: Admitted) -> Attestation | None:
    """The offer of ours that an answer is to; only its subject answers it."""
    offered = await credentials.find_attestation_by_offer(tx, admitted.activity.object_id)
    if offered is not None and offered.subject_uri != admitted.actor.uri:
        raise OriginMismatch("only the one it was offered to answers an offer")
    return offered


async def add(tx: Transaction, use: Handling, admitted: Admitted, resolved: Resolved) -> str:
    """A practitioner shows an attestation: their collection is looked at; or a post is pinned, or answered."""
    if _is_about_pins(admitted):
        return await posts.pin(tx, use, admitted, resolved)
    if not _is_about_own_collection(admitted):
        return await posts.add(tx, use, admitted, resolved)
    await work.look_at(tx, use.here, admitted.actor.id, cause=admitted.activity.id)
    return "to be looked at"


async def remove(tx: Transaction, use: Handling, admitted: Admitted, _resolved: Resolved) -> str:
    """A practitioner takes an attestation off their profile: it is gone at once; or a post is no longer pinned."""
    if _is_about_pins(admitted):
        return await posts.unpin(tx, admitted)
    if not _is_about_own_collection(admitted):
        return "nothing that is kept here"
    known = await credentials.find_of(tx, admitted.actor.id, admitted.activity.object_id)
    if known is not None:
        await credentials.set_consent(tx, known.id, "withdrawn")
    await work.look_at(tx, use.here, admitted.actor.id, cause=admitted.activity.id)
    return "to be looked at"


def _is_about_pins(admitted: Admitted) -> bool:
    target = admitted.activity.target_id
    return bool(target) and target == admitted.actor.featured_uri


def _is_about_own_collection(admitted: Admitted) -> bool:
    target = admitted.activity.target_id
    return bool(target) and target == admitted.actor.attestations_uri


async def update_list(tx: Transaction, use: Handling, admitted: Admitted, _resolved: Resolved) -> str:
    """A status list, from whoever passes it on: it proves itself, and counts if it is newer."""
    return await refresh.pushed(tx, use.here, dict(admitted.activity.object or {}), cause=admitted.activity.id)


async def update_actor(tx: Transaction, use: Handling, admitted: Admitted, resolved: Resolved) -> str:
    """The actor was fetched anew before this transaction; an issuer's keys, and what it lets us see, after it."""
    if admitted.actor.kind == "Application":
        host, cause = admitted.actor.host, admitted.activity.id
        await work.fetch_issuer(tx, use.here, did_of(host), cause=cause)
        await work.look_at_host(tx, use.here, host, cause=cause)
    return await posts.update_actor(tx, use, admitted, resolved)


async def delete(tx: Transaction, use: Handling, admitted: Admitted, resolved: Resolved) -> str:
    """An issuer says that a credential no longer stands, and its lists are asked; or a post or an actor is no more."""
    known = await credentials.by_uri(tx, admitted.activity.object_id)
    if not known:
        return await posts.delete(tx, use, admitted, resolved)
    urls = sorted({entry.url for each in known for entry in each.claim.status})
    await work.fetch_lists(tx, use.here, urls, cause=admitted.activity.id)
    return "its status is to be asked"


async def request(tx: Transaction, use: Handling, admitted: Admitted, _resolved: Resolved) -> str:
    """A peer's practitioner asks this instance to attest: a verifier decides, and offers or does not."""
    _refuse_strangers(admitted)
    if admitted.activity.object_id != use.here.uris.instance_actor or admitted.actor.kind != "Person":
        return "not asked of this instance"
    asked = await requests.of_account(tx, admitted.actor.id)
    if any(each.state == "waiting" for each in asked):
        return "waiting already"
    await requests.add(
        tx,
        VerificationRequest(
            id=use.here.ids.new(),
            account_id=admitted.actor.id,
            profession="",
            specialties=(),
            country="",
            scheme="",
            sealed=b"",
            number_hmac="",
            evidence_hash="",
            state="waiting",
            created_at=use.here.now(),
        ),
    )
    return "waits for a verifier"
