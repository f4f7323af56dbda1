"""Replaces the keys that an account of this instance signs with: in good time, or because they were stolen."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from medfed.accounts.promise import promise_profile
from medfed.accounts.register import NewKeys, store_keys
from medfed.activitypub.here import Here
from medfed.activitypub.keys import FRAGMENTS, KeyKind, key_name
from medfed.domain.accounts import Account, AccountKey
from medfed.kernel.clock import DAY, Millis
from medfed.kernel.errors import Gone, Invalid
from medfed.storage import accounts, credentials, outbox
from medfed.storage.database import Transaction
from medfed.storage.outbox import Inbox

OVERLAP: Final = 7 * DAY
"""How long the key before is still shown: as long as a delivery that it signs is tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaced:
    """The keys that sign from now on, and those that they replace, each as it is stored now."""

    new: tuple[AccountKey, ...]
    old: tuple[AccountKey, ...]


async def replace_keys(
    tx: Transaction,
    here: Here,
    account: Account,
    new: NewKeys,
    *,
    compromised: bool,
    bound_until: Mapping[str, Millis],
) -> Replaced:
    """Give an own account new keys, and tell peers, in this order: publish, announce, sign, retire (ADR 0018).

    In good time: the actor shows both, and what tells of the new ones is signed with the old ones, which peers hold.
    Compromised: the old ones are gone with the commit, peers find the new ones at the actor, and everybody is told.
    `bound_until`: until when a public Ed25519 key (a Multikey) is needed to recognise the account by, if longer.
    Raises Invalid for a peer's account, Gone.
    """
    if not account.local:
        raise Invalid("only its own server gives an account keys")
    if account.gone_at is not None:
        raise Gone("this account is closed")
    now = here.now()
    known = await accounts.keys(tx, account.id)
    old = [key for key in known if key.is_shown(now)]
    uris = {kind: f"{account.uri}#{key_name(kind, _next(known, kind))}" for kind in FRAGMENTS}
    await store_keys(tx, here, account, new, uris)
    for key in old:
        if compromised:
            await accounts.retire_key(tx, key.uri, now, revoked_at=now)
            await accounts.forget_private_part(tx, key.uri)
        else:
            # One that was replaced before, and still overlapped, has had its time.
            end = now + OVERLAP if key.retired_at is None else min(key.retired_at, now)
            await accounts.retire_key(tx, key.uri, end, bound_until=bound_until.get(key.public, 0))
    changed = replace(account, updated_at=now)
    await accounts.store(tx, changed)
    await promise_profile(tx, here, changed, await _concerned(tx, here, account, everybody=compromised))
    stored = {key.uri: key for key in await accounts.keys(tx, account.id)}
    return Replaced(
        new=tuple(stored[uri] for uri in uris.values()),
        old=tuple(stored[key.uri] for key in old),
    )


def _next(known: list[AccountKey], kind: KeyKind) -> int:
    """A number that no key of the account had: peers that remember keys by their ids look the new one up."""
    return 1 + sum(key.kind == kind for key in known)


async def _concerned(tx: Transaction, here: Here, account: Account, *, everybody: bool) -> list[Inbox]:
    """Who has to hear of it: all who may hold the key if it was stolen, else those who hear from the account."""
    if everybody or account.uri == here.uris.instance_actor:
        return await outbox.everybody(tx)
    followed = await outbox.inboxes_on(tx, await credentials.hosts_followed(tx, account.id))
    return list({inbox.host: inbox for inbox in [*followed, *await outbox.follower_inboxes(tx, account.id)]}.values())
