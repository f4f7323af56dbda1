"""A verifier attests what somebody is: for a member, or, by an offer, for an account on a peer."""

from dataclasses import dataclass

import orjson

from medfed.activitypub import credentials as wire
from medfed.activitypub.here import Here
from medfed.domain.accounts import Account
from medfed.domain.credentials import (
    LONGEST_VALIDITY,
    Attestation,
    Claim,
    Consent,
    Credential,
    ceiling,
    check_claim,
    methods_for,
    rank,
    type_for,
)
from medfed.domain.trust import Decision, Recognised
from medfed.kernel.clock import DAY, Millis, iso
from medfed.kernel.errors import Invalid
from medfed.notifications.notify import notify
from medfed.storage import accounts, credentials, moderation
from medfed.storage.database import Transaction, View
from medfed.verification import announce, issuer
from medfed.verification.decide import Found, decide


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What is to be attested. `methods`: how it was made sure; empty: the least that the level asks for.

    `valid_for` is in milliseconds.
    """

    profession: str
    specialties: tuple[str, ...] = ()
    country: str = ""
    assurance: str = "substantial"
    methods: tuple[str, ...] = ()
    valid_for: Millis = 365 * DAY


async def attest(
    tx: Transaction,
    here: Here,
    subject: Account,
    statement: Statement,
    *,
    by: str,
    verifier: Account | None = None,
    accepted: bool = False,
) -> Attestation:
    """Issue an attestation; audited as done `by`. It appears once the subject accepts.

    `accepted`: the subject, a member here, has said yes beforehand, so it is published at once. Raises Invalid for
    what cannot be attested, and for an account without a key to bind it to.
    """
    claim, places = await _claim(tx, here, subject, statement)
    signed = orjson.dumps(wire.issue(claim, await issuer.current(tx, here), now=here.now())).decode()
    published = accepted and subject.local
    id_ = _id_of(here, claim.uri)
    attestation = Attestation(
        id=id_,
        uri=claim.uri,
        subject_uri=subject.uri,
        types=claim.types,
        profession=claim.profession,
        specialties=claim.specialties,
        country=claim.country,
        assurance=claim.assurance,
        valid_from=claim.valid_from,
        valid_until=claim.valid_until,
        document=signed,
        revocation_list=places[0],
        revocation_index=places[1],
        suspension_list=places[2],
        suspension_index=places[3],
        state="accepted" if published else "offered",
        offer_uri=here.uris.activity(here.uris.instance_actor, id_),
        issued_by=verifier.id if verifier else None,
        issued_at=here.now(),
    )
    await credentials.add_attestation(tx, attestation)
    await moderation.record(
        tx,
        at=here.now(),
        actor=by,
        action="attestation.issue",
        subject=subject.handle,
        detail={"id": str(id_), "profession": claim.profession, "level": claim.assurance},
    )
    if subject.local:
        await _hand_over(tx, here, subject, attestation, claim, published=published)
    else:
        await announce.offer(tx, here, attestation, subject)
    return attestation


def _id_of(here: Here, uri: str) -> int:
    return int(uri.removeprefix(here.uris.credential(0).removesuffix("0")))


async def _claim(
    tx: Transaction, here: Here, subject: Account, statement: Statement
) -> tuple[Claim, tuple[int, int, int, int]]:
    """What will be said, and its places on our status lists."""
    specialties = tuple(dict.fromkeys(statement.specialties))
    assurance = check_claim(
        profession=statement.profession,
        specialties=specialties,
        country=statement.country,
        assurance=statement.assurance,
        valid_for=statement.valid_for,
    )
    methods = statement.methods or methods_for(assurance)
    if rank(ceiling(methods)) < rank(assurance):
        raise Invalid(
            f"evidence of this kind supports {ceiling(methods)!r} at most",
            {"level": f"the evidence supports {ceiling(methods)!r} at most"},
        )
    places = await issuer.allocate(tx, here)
    valid_from, valid_until = _validity(here.now(), statement.valid_for)
    claim = Claim(
        uri=here.uris.credential(here.ids.new()),
        issuer=here.uris.did,
        issuer_name=here.name,
        subject=subject.uri,
        subject_host=subject.host,
        subject_key=await _subject_key(tx, subject, here.now()),
        types=(type_for(specialties),),
        profession=statement.profession,
        specialties=specialties,
        country=statement.country,
        assurance=assurance,
        methods=methods,
        verified_on=iso(here.now())[:10],
        valid_from=valid_from,
        valid_until=valid_until,
        status=issuer.status_entries(here, places),
    )
    return claim, places


def _validity(now: Millis, valid_for: Millis) -> tuple[Millis, Millis]:
    """From this morning, for whole days when whole days were asked for: the hour of issue is nobody's business."""
    start = now - now % DAY
    if valid_for % DAY:
        return start, now - now % 1_000 + valid_for
    return start, min(start + valid_for + DAY, start + LONGEST_VALIDITY)


async def _subject_key(view: View, subject: Account, now: Millis) -> str:
    keys = [key for key in await accounts.keys(view, subject.id) if key.kind == "ed25519" and key.is_shown(now)]
    if not keys:
        raise Invalid(f"@{subject.handle} has no Ed25519 key that an attestation could be bound to")
    return f"did:key:{keys[-1].public}"


async def _hand_over(
    tx: Transaction, here: Here, member: Account, attestation: Attestation, claim: Claim, *, published: bool
) -> None:
    """A member of this instance gets what this instance attests."""
    signer = await issuer.current(tx, here)
    found = Found(account_id=member.id, claim=claim, proof_key=signer.key.public.multikey)
    decision = (await decide(tx, here, [found]))[0]
    credential = as_credential(
        here,
        found,
        decision,
        document=attestation.document,
        consent="published" if published else "offered",
        offer_uri=attestation.offer_uri,
    )
    await credentials.put(tx, credential)
    if published:
        await announce.shown(tx, here, member, credential, kind="Add")
    else:
        speaker = await announce.instance_actor(tx, here)
        await notify(tx, here, to=member.id, kind="attestation_offer", from_id=speaker.id)


def as_credential(
    here: Here, found: Found, decision: Decision, *, document: str, consent: Consent, offer_uri: str = ""
) -> Credential:
    """A new record of a credential that was found."""
    now = here.now()
    return Credential(
        id=here.ids.new(),
        account_id=found.account_id,
        claim=found.claim,
        document=document,
        proof_key=found.proof_key,
        consent=consent,
        offer_uri=offer_uri,
        fault=found.fault,
        state=decision.state,
        reason=decision.reason,
        assurance=decision.assurance if isinstance(decision, Recognised) else found.claim.supported_assurance,
        path=decision.path,
        first_seen=now,
        checked_at=now,
        recheck_at=decision.recheck_at,
    )
