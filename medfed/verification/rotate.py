"""Gives an account of this instance new keys, and keeps what is attested of it: audited, and told to peers."""

from dataclasses import dataclass
from typing import Final

from medfed.accounts import rotate
from medfed.accounts.register import NewKeys
from medfed.accounts.rotate import Replaced
from medfed.activitypub.here import Here
from medfed.domain.accounts import Account
from medfed.domain.credentials import Credential
from medfed.kernel.clock import Millis
from medfed.storage import accounts, credentials, moderation, tasks
from medfed.storage.database import Transaction
from medfed.verification import issuer
from medfed.verification.decide import decide_account

TASK: Final = "keys.rotate"
"""The kind of task that gives one account new keys: {account_id, compromised, by}."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """What came of it. `bound_again`: attestations by this instance, which name the new key now; `unbound`: those by
    others that no longer count, until their issuers bind them to the new key."""

    account: Account
    keys: Replaced
    bound_again: int
    unbound: int


async def rotate_keys(
    tx: Transaction, here: Here, account: Account, new: NewKeys, *, compromised: bool, by: str
) -> Rotated:
    """New keys for an own account; audited. Nobody is signed out. For the order, and what it raises: accounts.rotate.

    What others attest is bound to the key that the account had: unless that was stolen, it is shown for as long.
    """
    now = here.now()
    foreign = await _by_others(tx, here, account, now)
    bound = {} if compromised else _needed(foreign)
    replaced = await rotate.replace_keys(tx, here, account, new, compromised=compromised, bound_until=bound)
    again = await issuer.bind_again(tx, here, account.uri, new.ed25519.public.multikey)
    await decide_account(tx, here, account.id)
    whose = "instance" if account.uri == here.uris.instance_actor else "member"
    await moderation.record(
        tx,
        at=now,
        actor=by,
        action=f"{whose}.keys-{'compromised' if compromised else 'rotated'}",
        subject=account.uri,
        detail={"new": [key.uri for key in replaced.new], "old": [key.uri for key in replaced.old]},
    )
    return Rotated(account=account, keys=replaced, bound_again=again, unbound=len(foreign) if compromised else 0)


async def rotate_everybody(tx: Transaction, here: Here, *, compromised: bool, by: str) -> int:
    """New keys for every account of this instance, its own actor included, one task each; how many.

    A pair of keys takes 100 ms to make, so that this may take minutes; it goes on after whatever interrupts it.
    """
    own = await accounts.own(tx)
    for account in own:
        payload = {"account_id": account.id, "compromised": compromised, "by": by}
        await tasks.ask(tx, here, TASK, payload, once=f"{account.id}/{here.now()}")
    return len(own)


async def _by_others(tx: Transaction, here: Here, account: Account, now: Millis) -> list[Credential]:
    """What other issuers say of an account that still holds."""
    known = await credentials.of_account(tx, account.id)
    return [
        each
        for each in known
        if each.claim.issuer != here.uris.did and each.claim.valid_until > now and each.consent != "withdrawn"
    ]


def _needed(held: list[Credential]) -> dict[str, Millis]:
    """Until when each key (a Multikey) is needed, to recognise the account by."""
    needed: dict[str, Millis] = {}
    for each in held:
        key = each.claim.subject_key.removeprefix("did:key:")
        needed[key] = max(needed.get(key, 0), each.claim.valid_until)
    return needed
