"""Remembers the keys of issuers, so that whoever takes over a domain does not take over its attestations."""

from dataclasses import replace
from typing import Final

import orjson

from medfed.activitypub import credentials as wire
from medfed.activitypub.here import Here
from medfed.kernel.clock import HOUR, MINUTE, Millis
from medfed.kernel.errors import BadProof, NotFound
from medfed.storage import moderation, trust
from medfed.storage.database import Transaction
from medfed.storage.trust import KnownIssuer
from medfed.verification.decide import decide_issuer, keys_of_issuer

FRESH: Final = 1 * HOUR
RETRY: Final = 5 * MINUTE


def seen(known: KnownIssuer, document: wire.Document, *, now: Millis) -> KnownIssuer:
    """What is known of an issuer once `document` has been fetched as its own. Raises BadProof for one without keys.

    The keys seen first are pinned; a document that shares none with them is kept, and counts for nothing until an
    admin confirms it (credentials.md § 3.3).
    """
    keys = wire.read_issuer(document, known.did, now=now)
    if not keys:
        raise BadProof("the DID document lists no key for assertions")
    continuous = not known.pinned or not keys.isdisjoint(known.pinned)
    return replace(
        known,
        document=orjson.dumps(document).decode(),
        pinned=tuple(sorted(keys)) if continuous else known.pinned,
        state="known" if continuous else "key-discontinuity",
        fetched_at=now,
        fresh_until=now + FRESH,
        tried_at=now,
        last_error="",
    )


def missed(known: KnownIssuer, error: str, *, now: Millis) -> KnownIssuer:
    """What is known of an issuer whose document could not be had: the same, to be tried again soon."""
    return replace(known, tried_at=now, fresh_until=now + RETRY, last_error=error[:300])


async def confirm(tx: Transaction, here: Here, did: str, *, by: str) -> int:
    """An admin confirms that an issuer's new keys are its own; audited. How many credentials stand differently now.

    Raises NotFound for an issuer that nobody heard of.
    """
    known = (await trust.issuers(tx, [did])).get(did)
    if known is None:
        raise NotFound("this issuer is not known here")
    keys = keys_of_issuer(known, here.now())
    await trust.put_issuer(tx, replace(known, pinned=tuple(sorted(keys)), state="known"))
    await moderation.record(
        tx, at=here.now(), actor=by, action="issuer.confirm-keys", subject=did, detail={"keys": sorted(keys)}
    )
    return await decide_issuer(tx, here, did)
