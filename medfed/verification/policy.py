"""The trust policy of this instance: shown whole, tried dry, applied with all its consequences, audited."""

from collections.abc import Mapping
from dataclasses import replace

from medfed.accounts.peers import set_level as judge
from medfed.activitypub.here import Here
from medfed.activitypub.keys import parse_multikey, stored_key
from medfed.domain.peers import Level, Peer, effective
from medfed.domain.trust import Effects, TrustPolicy, did_of, explain
from medfed.kernel.errors import BadSignature, Conflict, Invalid
from medfed.storage import accounts, moderation, peers, trust
from medfed.storage.database import Transaction, View
from medfed.verification import announce, work
from medfed.verification.decide import basis, basis_of, decide_everything, decide_issuer, held_by_everybody


async def current(view: View) -> TrustPolicy:
    """The policy in force, with the levels of all peers that an admin has judged."""
    known = await peers.everyone(view)
    levels = {peer.domain: peer.level for peer in known if peer.level is not None}
    return replace(await trust.policy(view), peers=levels)


async def dry_run(view: View, here: Here, new: TrustPolicy) -> Effects:
    """What `apply` would change: for which peers, follows and attestations."""
    _check(here, new)
    known = {peer.domain: peer for peer in await peers.everyone(view)}
    wanted = _levels_wanted(known, new)
    after = {domain: replace(known.get(domain, Peer(domain=domain)), level=level) for domain, level in wanted.items()}
    return explain(
        await basis(view, here),
        basis_of(here, new, after.values()),
        levels=[
            (domain, effective(known.get(domain), here.mode), effective(peer, here.mode))
            for domain, peer in sorted(after.items())
        ],
        follows=await trust.follows_by_host(view),
        held=await held_by_everybody(view, here),
        now=here.now(),
    )


def _levels_wanted(known: Mapping[str, Peer], new: TrustPolicy) -> dict[str, Level | None]:
    """The level that each peer would have: what the document does not name is left to the mode."""
    if new.peers is None:
        return {domain: peer.level for domain, peer in known.items()}
    wanted: dict[str, Level | None] = dict.fromkeys(known)
    wanted.update(new.peers)
    return wanted


async def apply(tx: Transaction, here: Here, new: TrustPolicy, *, base: int, by: str) -> TrustPolicy:
    """Put a policy in force, decide everything again, and audit it; the policy with its new version.

    `base` is the version that the new one was made from. Raises Conflict when another came in between, Invalid.
    """
    _check(here, new)
    before = await trust.policy(tx)
    if base != before.version:
        raise Conflict(f"version {before.version} of the policy came in between; look at it again")
    known = {peer.domain: peer for peer in await peers.everyone(tx)}
    for domain, level in sorted(_levels_wanted(known, new).items()):
        peer = known.get(domain)
        if level is not (peer.level if peer else None):
            await judge(tx, here, domain, level, by=by, note=peer.note if peer else "")
            await _look_at_each_other(tx, here, domain, level)
    applied = replace(new, version=before.version + 1, peers=None)
    await trust.add_policy(tx, applied, author=by, at=here.now())
    changed = await decide_everything(tx, here)
    await moderation.record(
        tx,
        at=here.now(),
        actor=by,
        action="policy.apply",
        subject=f"version {applied.version}",
        detail={"rules": [rule.id for rule in applied.rules], "deny": list(applied.deny), "changed": changed},
    )
    return await current(tx)


async def multikey_of(view: View, text: str) -> str:
    """The Multikey that an admin means: itself, or the id of a key that we know. Raises Invalid.

    A key of an account here is not revoked by policy, which binds nobody else: the account gets another one.
    """
    found = await accounts.find_key_with_owner(view, text)
    if found is not None and found[1].local:
        raise Invalid("this key is of an account here; replace it: medfed member rotate-keys NAME --compromised")
    try:
        return stored_key(found[0]).multikey if found is not None else parse_multikey(text).multikey
    except BadSignature:
        raise Invalid(
            f"{text[:80]!r} is neither a Multikey (z6Mk…, z4MX…) nor the id of a key that is known here"
        ) from None


async def revoke_key(tx: Transaction, here: Here, multikey: str, *, by: str) -> TrustPolicy | None:
    """Put a policy in force that revokes one key more; audited. None when it did so already."""
    before = await trust.policy(tx)
    if multikey in before.revoked_keys:
        return None
    new = replace(before, revoked_keys=(*before.revoked_keys, multikey))
    return await apply(tx, here, new, base=before.version, by=by)


def _check(here: Here, new: TrustPolicy) -> None:
    if here.uris.did in new.deny:
        raise Invalid("an instance always recognises its own attestations; it cannot deny itself")
    if new.peers is not None and here.uris.authority in new.peers:
        raise Invalid("an instance has no level for itself")


async def set_level(tx: Transaction, here: Here, domain: str, level: Level | None, *, by: str, note: str = "") -> int:
    """Judge a peer, and decide again about what its issuer says; how many attestations stand differently now.

    Raises Invalid for what is no domain. This, not accounts.peers.set_level, is what admins' actions call.
    """
    await judge(tx, here, domain, level, by=by, note=note)
    name = domain.strip().lower().rstrip(".")
    await _look_at_each_other(tx, here, name, level)
    return await decide_issuer(tx, here, did_of(name))


async def _look_at_each_other(tx: Transaction, here: Here, domain: str, level: Level | None) -> None:
    """Attestations are shown to federated peers: what either side was refused before is there for it now."""
    if effective(Peer(domain=domain, level=level), here.mode) in (Level.FEDERATED, Level.TRUSTED):
        await work.look_at_host(tx, here, domain, cause=f"level/{here.now()}")
        await announce.look_again(tx, here, [domain])
