"""Decides again where credentials stand, from what is stored: no proof is verified twice, only bits are tested."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson

from medfed.activitypub import credentials as wire
from medfed.activitypub.here import Here
from medfed.activitypub.statuslist import BitString
from medfed.activitypub.uris import authority_of
from medfed.domain.credentials import Claim, Credential, Reason, StatusEntry
from medfed.domain.peers import Level, Peer
from medfed.domain.trust import Basis, Decision, Evidence, Held, StatusFact, TrustPolicy, did_of, recognise
from medfed.kernel.clock import Millis
from medfed.kernel.errors import BadProof, Malformed
from medfed.storage import accounts, credentials, issuer, peers, trust
from medfed.storage.database import Store, Transaction, View
from medfed.storage.trust import CachedList, KnownIssuer
from medfed.verification.issuer import ourselves

BATCH: Final = 1_000
PIECE: Final = 200


def basis_of(here: Here, policy: TrustPolicy, known: Iterable[Peer]) -> Basis:
    """What decides: the policy, and the peers that an admin trusts or blocks."""
    by_level: dict[Level, set[str]] = {level: set() for level in Level}
    for peer in known:
        if peer.level is not None:
            by_level[peer.level].add(did_of(peer.domain))
    return Basis(
        own=here.uris.did,
        own_name=here.name,
        policy=policy,
        trusted=frozenset(by_level[Level.TRUSTED]),
        blocked=frozenset(by_level[Level.BLOCKED]),
    )


async def basis(view: View, here: Here) -> Basis:
    """What decides today."""
    return basis_of(here, await trust.policy(view), await peers.everyone(view))


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A credential as far as cryptography goes: what it says, and which key made it, or what is wrong with it."""

    account_id: int
    claim: Claim
    proof_key: str
    fault: Reason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """What is known of the issuers, lists and accounts that some credentials depend on."""

    issuer_keys: Mapping[str, frozenset[str]]
    unsettled: frozenset[str]
    bits: Mapping[str, BitString]
    cached: Mapping[str, CachedList]
    own_purposes: Mapping[str, str]
    account_keys: Mapping[int, frozenset[str]]
    now: Millis = field(default=0)

    def evidence(self, found: Found) -> Evidence:
        """A credential with everything that is known of it."""
        claim = found.claim
        return Evidence(
            claim=claim,
            proof_key=found.proof_key,
            issuer_keys=self.issuer_keys.get(claim.issuer, frozenset()),
            settled=claim.issuer not in self.unsettled,
            bound=claim.subject_key.removeprefix("did:key:") in self.account_keys.get(found.account_id, frozenset()),
            statuses=tuple(self._fact(entry) for entry in claim.status),
            fault=found.fault,
        )

    def _fact(self, entry: StatusEntry) -> StatusFact:
        """What the list of an entry says; unknown when there is none, it is another's, or too short (N06)."""
        bits, cached = self.bits.get(entry.url), self.cached.get(entry.url)
        purpose = self.own_purposes.get(entry.url) or (cached.purpose if cached else "")
        if bits is None or purpose != entry.purpose or entry.index >= len(bits):
            return StatusFact(purpose=entry.purpose, raised=None)
        raised = bits.get(entry.index)
        if cached is None:
            return StatusFact(purpose=entry.purpose, raised=raised)
        return StatusFact(
            purpose=entry.purpose, raised=raised, fetched_at=cached.fetched_at, valid_until=cached.valid_until
        )


async def grounds(view: View, here: Here, found: Sequence[Found]) -> Grounds:
    """Gather what these credentials depend on."""
    now = here.now()
    dids = {each.claim.issuer for each in found}
    known = await trust.issuers(view, dids - {here.uris.did})
    if here.uris.did in dids:
        known[here.uris.did] = await ourselves(view, here)
    urls = {entry.url for each in found for entry in each.claim.status}
    own = {url: number for url in urls if (number := _own_number(here, url)) is not None}
    own_lists = await issuer.find_lists(view, set(own.values()))
    cached = {
        url: each for url, each in (await trust.cached_lists(view, urls - own.keys())).items() if _is_usable(each)
    }
    keys = await accounts.keys_of(view, {each.account_id for each in found})
    present = {url: own_lists[number] for url, number in own.items() if number in own_lists}
    return Grounds(
        issuer_keys={did: keys_of_issuer(each, now) for did, each in known.items()},
        unsettled=frozenset(did for did, each in known.items() if each.state == "key-discontinuity"),
        bits={url: BitString.from_bytes(each.bits) for url, each in (present | cached).items()},
        cached=cached,
        own_purposes={url: each.purpose for url, each in present.items()},
        account_keys={
            account_id: frozenset(key.public for key in held if key.kind == "ed25519" and key.is_shown(now))
            for account_id, held in keys.items()
        },
        now=now,
    )


def _own_number(here: Here, url: str) -> int | None:
    number = url.removeprefix(here.uris.status_list(0).removesuffix("0"))
    return int(number) if number != url and number.isascii() and number.isdigit() and len(number) < 10 else None


def _is_usable(cached: CachedList) -> bool:
    return bool(cached.bits) and did_of(authority_of(cached.url)) == cached.issuer


def keys_of_issuer(known: KnownIssuer, now: Millis) -> frozenset[str]:
    """The Multikeys that an issuer's stored document lists for assertions today; none when it cannot be read."""
    if not known.document:
        return frozenset()
    try:
        return wire.read_issuer(orjson.loads(known.document), known.did, now=now)
    except (BadProof, Malformed):
        return frozenset()


def as_found(credential: Credential) -> Found:
    """A stored credential, to be decided again."""
    return Found(
        account_id=credential.account_id,
        claim=credential.claim,
        proof_key=credential.proof_key,
        fault=credential.fault,
    )


async def decide(view: View, here: Here, found: Sequence[Found], *, by: Basis | None = None) -> list[Decision]:
    """Where each of these stands, in their order."""
    if not found:
        return []
    decides = by or await basis(view, here)
    known = await grounds(view, here, found)
    return [recognise(decides, known.evidence(each), known.now) for each in found]


Batches = Callable[[int], Awaitable[list[Credential]]]
"""Credentials after an id, oldest first, some at a time."""


async def decide_again(tx: Transaction, here: Here, batches: Batches) -> int:
    """Decide stored credentials again and keep what has changed; how many stand differently now."""
    decides = await basis(tx, here)
    changed = after = 0
    while batch := await batches(after):
        changed += await _decide_batch(tx, here, batch, decides)
        after = batch[-1].id
    return changed


async def _decide_batch(tx: Transaction, here: Here, batch: Sequence[Credential], decides: Basis) -> int:
    decisions = await decide(tx, here, [as_found(each) for each in batch], by=decides)
    pairs = list(zip(batch, decisions, strict=True))
    await credentials.decide_many(tx, pairs, here.now())
    return sum(each.state is not decision.state for each, decision in pairs)


async def decide_everything(tx: Transaction, here: Here) -> int:
    """The policy has changed."""
    return await decide_again(tx, here, lambda after: credentials.everything(tx, after=after, limit=BATCH))


async def decide_issuer(tx: Transaction, here: Here, did: str) -> int:
    """Something about an issuer has changed."""
    return await decide_again(tx, here, lambda after: credentials.by_issuer(tx, did, after=after, limit=BATCH))


async def decide_list(tx: Transaction, here: Here, url: str) -> int:
    """A status list has changed."""
    return await decide_again(tx, here, lambda after: credentials.on_list(tx, url, after=after, limit=BATCH))


async def decide_list_in_pieces(store: Store, here: Here, url: str) -> None:
    """A status list was fetched again, and next to nothing has changed: nobody waits for this, so it lets others in."""
    after: int | None = 0
    while after is not None:
        async with store.transaction("decide about a list") as tx:
            batch = await credentials.on_list(tx, url, after=after, limit=PIECE)
            await _decide_batch(tx, here, batch, await basis(tx, here))
        after = batch[-1].id if len(batch) == PIECE else None


async def decide_account(tx: Transaction, here: Here, account_id: int) -> int:
    """The keys of an account have changed."""

    async def once(after: int) -> list[Credential]:
        return await credentials.of_account(tx, account_id) if after == 0 else []

    return await decide_again(tx, here, once)


async def held_by_everybody(view: View, here: Here) -> list[Held]:
    """Every credential that somebody shows, with what a decision needs: for a dry run."""
    held: list[Held] = []
    after = 0
    while batch := await credentials.everything(view, after=after, limit=BATCH):
        known = await grounds(view, here, [as_found(each) for each in batch])
        names = await accounts.find_many(view, {each.account_id for each in batch})
        held += [
            Held(account=names[each.account_id].handle, uri=each.claim.uri, evidence=known.evidence(as_found(each)))
            for each in batch
            if each.consent == "published"
        ]
        after = batch[-1].id
    return held
