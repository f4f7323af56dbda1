"""This instance as an issuer: its key, its DID document, its status lists."""

import secrets
from dataclasses import replace
from typing import Final, Literal

import orjson

from medfed.activitypub import credentials as wire
from medfed.activitypub.here import Here
from medfed.activitypub.keys import generate_ed25519, load_private
from medfed.activitypub.statuslist import MINIMUM_LENGTH, BitString
from medfed.domain.credentials import Attestation, StatusEntry
from medfed.kernel.clock import DAY, HOUR, SECOND, Millis, iso
from medfed.kernel.errors import Misconfigured
from medfed.storage import credentials, issuer, moderation
from medfed.storage.database import Transaction, View
from medfed.storage.issuer import OwnList, SealedKey
from medfed.storage.trust import KnownIssuer
from medfed.verification import announce

RESIGN_AFTER: Final = 6 * HOUR
_OVERLAP: Final = 30 * DAY
"""How long peers have to fetch what was signed anew, when a key is only rotated."""
_FULL: Final = MINIMUM_LENGTH // 2
"""Half of the places: a random one is then still found at once."""


async def create_key(tx: Transaction, here: Here) -> None:
    """Make the key that this instance attests with, unless there is one; at init."""
    if not await issuer.keys(tx):
        await _add_key(tx, here)


async def _add_key(tx: Transaction, here: Here) -> str:
    now = here.now()
    taken = {key.id for key in await issuer.keys(tx)}
    named = f"{here.uris.did}#key-{iso(now)[:7]}"
    id_ = named if named not in taken else f"{named}-{len(taken) + 1}"
    key = generate_ed25519()
    sealed = here.vault.seal(key.to_pkcs8(), purpose=id_)
    await issuer.add_key(tx, SealedKey(id=id_, public=key.public.multikey, sealed=sealed, created_at=now))
    return id_


async def current(view: View, here: Here) -> wire.Issuer:
    """Who signs what we attest today. Raises Misconfigured when this instance has no key."""
    now = here.now()
    for key in await issuer.keys(view):
        if key.revoked_at is None and (key.expires_at is None or key.expires_at > now):
            return wire.Issuer(
                did=here.uris.did,
                name=here.name,
                method=key.id,
                key=load_private(here.vault.open(key.sealed, purpose=key.id)),
            )
    raise Misconfigured("this instance has no key to attest with; run `medfed init`")


async def document(view: View, here: Here) -> wire.Document:
    """What /.well-known/did.json answers."""
    keys = [
        wire.IssuerKey(id=key.id, public=key.public, expires_at=key.expires_at, revoked_at=key.revoked_at)
        for key in await issuer.keys(view)
    ]
    return wire.did_document(here.uris, keys)


async def ourselves(view: View, here: Here) -> KnownIssuer:
    """This instance as it knows other issuers: always fresh, always confirmed."""
    text = orjson.dumps(await document(view, here)).decode()
    return KnownIssuer(did=here.uris.did, document=text, fetched_at=here.now())


async def replace_key(tx: Transaction, here: Here, *, compromised: bool, by: str) -> None:
    """A new key; everything that lives is signed anew, then the old ones end, and every peer is told; audited."""
    old = [key for key in await issuer.keys(tx) if key.revoked_at is None]
    await _add_key(tx, here)
    now = here.now()
    signer = await current(tx, here)
    after = 0
    while batch := await credentials.live_attestations(tx, now, after=after):
        for attestation in batch:
            await _sign_again(tx, attestation, signer, now)
        after = batch[-1].id
    await sign_lists(tx, here, older_than=now + 1)
    for key in old:
        if compromised:
            await issuer.end_key(tx, key.id, expires_at=now, revoked_at=now)
        else:
            await issuer.end_key(tx, key.id, expires_at=now + _OVERLAP, revoked_at=None)
    await announce.keys_changed(tx, here)
    action = "issuer.key-compromised" if compromised else "issuer.key-rotated"
    await moderation.record(tx, at=now, actor=by, action=action, subject=signer.method)


async def bind_again(tx: Transaction, here: Here, subject_uri: str, multikey: str) -> int:
    """Bind what this instance attests of an account to its new Ed25519 key; how many attestations.

    Only for a key that this instance itself has given the account: it vouched for the person, who stays the same.
    """
    now, signer = here.now(), await current(tx, here)
    issued = await credentials.attestations_of(tx, subject_uri)
    living = [each for each in issued if each.revoked_at is None and each.valid_until > now]
    for attestation in living:
        await _sign_again(tx, attestation, signer, now, subject_key=f"did:key:{multikey}")
    return len(living)


async def _sign_again(
    tx: Transaction, attestation: Attestation, signer: wire.Issuer, now: Millis, *, subject_key: str = ""
) -> None:
    claim = wire.read_credential(orjson.loads(attestation.document)).claim
    claim = replace(claim, subject_key=subject_key or claim.subject_key)
    signed = orjson.dumps(wire.issue(claim, signer, now=now)).decode()
    await credentials.replace_document(tx, attestation.id, signed)
    for known in await credentials.by_uri(tx, attestation.uri):
        changed = replace(known, claim=claim, document=signed, proof_key=signer.key.public.multikey)
        await credentials.put(tx, changed)


# ── status lists ─────────────────────────────────────────────────────────────────────────────────────────────


async def allocate(tx: Transaction, here: Here) -> tuple[int, int, int, int]:
    """(revocation list, index in it, suspension list, index in it): free places, drawn at random."""
    number = await issuer.newest_list(tx)
    if number is None or await credentials.count_on_list(tx, number) >= _FULL:
        number = 1 if number is None else number + 2
        await _write(tx, here, number, "revocation", BitString(), 0)
        await _write(tx, here, number + 1, "suspension", BitString(), 0)
    return number, await _free_place(tx, number), number + 1, await _free_place(tx, number + 1)


async def _free_place(tx: Transaction, number: int) -> int:
    while True:
        index = secrets.randbelow(MINIMUM_LENGTH)
        if not await credentials.is_index_taken(tx, number, index):
            return index


def status_entries(here: Here, places: tuple[int, int, int, int]) -> tuple[StatusEntry, ...]:
    """What a credential says of its places on our lists."""
    revocation, place, suspension, other_place = places
    return (
        StatusEntry(url=here.uris.status_list(revocation), index=place, purpose="revocation"),
        StatusEntry(url=here.uris.status_list(suspension), index=other_place, purpose="suspension"),
    )


async def mark(tx: Transaction, here: Here, number: int, index: int, *, raised: bool) -> OwnList:
    """Set or clear a bit and sign the list anew. Raises Misconfigured for a list that is not there."""
    own = await issuer.find_list(tx, number)
    if own is None:
        raise Misconfigured(f"status list {number} is missing")
    bits = BitString.from_bytes(own.bits)
    if raised:
        bits.set(index)
    else:
        bits.clear(index)
    return await _write(tx, here, number, own.purpose, bits, own.signed_at)


async def sign_lists(tx: Transaction, here: Here, *, older_than: Millis) -> int:
    """Sign anew every list that was last signed before `older_than`; how many."""
    old = await issuer.signed_before(tx, older_than - 1)
    for own in old:
        await _write(tx, here, own.number, own.purpose, BitString.from_bytes(own.bits), own.signed_at)
    return len(old)


async def _write(
    tx: Transaction,
    here: Here,
    number: int,
    purpose: Literal["revocation", "suspension"],
    bits: BitString,
    signed_before: Millis,
) -> OwnList:
    # Whole seconds reach the wire, and peers take a list only if it is newer.
    now = max(here.now(), signed_before + SECOND)
    signed = wire.status_list(here.uris.status_list(number), purpose, bits, await current(tx, here), now=now)
    own = OwnList(
        number=number,
        purpose=purpose,
        bits=bits.to_bytes(),
        document=orjson.dumps(signed).decode(),
        signed_at=now,
    )
    await issuer.put_list(tx, own)
    return own
