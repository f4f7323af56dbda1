"""Whose key signed a request: finds keys of peers' actors, verifies with them, and notices that they were rotated."""

from functools import partial
from typing import Final

from medfed.accounts.lookup import Lookup
from medfed.accounts.peers import PeerLevels
from medfed.activitypub import claims, keys, proofs, signatures
from medfed.activitypub.claims import SignatureClaim, SignedRequest
from medfed.activitypub.here import Here
from medfed.activitypub.uris import authority_of
from medfed.activitypub.wire import Activity
from medfed.domain.accounts import Account, AccountKey
from medfed.kernel import limits
from medfed.kernel.allowance import Allowance
from medfed.kernel.clock import MINUTE, SECOND, Millis
from medfed.kernel.errors import (
    BadProof,
    BadSignature,
    Malformed,
    NotFound,
    OriginMismatch,
    PolicyRefusal,
    RemoteFailure,
    TooMany,
    Unreachable,
)
from medfed.kernel.kept import Kept
from medfed.storage import accounts, trust
from medfed.storage.database import Store, View
from medfed.storage.remembered import Remembered

_MEMORY: Final = 4_096
_REMEMBERED: Final = 10 * SECOND
"""How long a key may be used without looking whether another process has changed it."""


class Identifier:
    """Identifies peers' actors by their signatures.

    Remembers keys and whose they are for seconds, and forgets them all when any account changes: a peer that sends
    much is looked up once. What it sends is judged again when it is applied, by what is stored then.
    """

    def __init__(self, *, store: Store, lookup: Lookup, levels: PeerLevels, here: Here) -> None:
        self._store = store
        self._lookup = lookup
        self._levels = levels
        self._here = here
        self._parsed: Kept[str, keys.PublicKey] = Kept(_MEMORY)
        self._known: Kept[str, tuple[Millis, tuple[AccountKey, Account]]] = Kept(_MEMORY)
        self._revoked: Remembered[None, frozenset[str]] = Remembered(
            store, here.now, channels=(trust.CHANGED,), kept_for=_REMEMBERED, most=1
        )
        self._changes = 0
        self._introductions = Allowance()
        self._unproven: Kept[int, str] = Kept(_MEMORY)
        """Accounts that were fetched because of a signature that is not verified yet, and the hosts that were asked."""
        store.on_wake(accounts.CHANGED, self._forget)
        store.on_wake(trust.CHANGED, self._forget)

    async def signer_of(self, request: SignedRequest) -> Account:
        """Who signed a GET. Raises BadSignature, PolicyRefusal (a blocked host), Unreachable."""
        claim = signatures.read_claim(request, self._here.now())
        self.refuse_host(claim.key_id)
        found = await self.find(claim.key_id)
        if found is None:
            await self.introduce(claim.key_id.partition("#")[0])
            found = await self.find(claim.key_id)
        if found is None:
            raise BadSignature("the key is not one that its actor lists")
        return await self.verified(claim, found)

    def refuse_host(self, key_id: str) -> str:
        """The host of a key id, host[:port]. Raises BadSignature for no URL of a peer (C09), PolicyRefusal."""
        host = authority_of(key_id)
        if not host or self._here.uris.is_ours(key_id):
            raise BadSignature("the key id is not a URL of a peer")
        if self._levels.is_blocked(host):
            raise PolicyRefusal("this instance does not federate with that host")
        return host

    async def find(self, key_id: str) -> tuple[AccountKey, Account] | None:
        """A key that is stored, and whose it is; none that was withdrawn, or that the policy revokes (C14)."""
        now = self._here.now()
        remembered = self._known.get(key_id)
        if remembered is not None and 0 <= now - remembered[0] < _REMEMBERED:
            return remembered[1]
        changes = self._changes
        async with self._store.view() as view:
            found = await accounts.find_key_with_owner(view, key_id)
            if found is not None and not await self._stands(view, found[0], now):
                return None
        if found is not None and changes == self._changes:
            self._known[key_id] = (now, found)
        return found

    async def _stands(self, view: View, key: AccountKey, now: Millis) -> bool:
        if not key.is_shown(now):
            return False
        revoked = await self._revoked.get(None, partial(trust.revoked_keys, view))
        return not revoked or self.public(key).multikey not in revoked

    def _forget(self) -> None:
        """Some account, or the policy, has changed. A look-up that is under way may have seen it as it was."""
        self._changes += 1
        self._known.clear()

    async def verified(self, claim: SignatureClaim, found: tuple[AccountKey, Account]) -> Account:
        """The owner, if the signature verifies: with the stored key, or with a fresh one, for the peer may have
        rotated it (C13). Raises BadSignature, Unreachable.
        """
        key, actor = found
        try:
            self.verify(claim, key)
        except BadSignature:
            key, actor = await self._refreshed(claim.key_id, actor)
            self.verify(claim, key)
        return actor

    def verify(self, claim: SignatureClaim, key: AccountKey) -> None:
        """Raises BadSignature unless the key made the signature."""
        claims.verify(claim, self.public(key))
        if self._unproven and (host := self._unproven.pop(key.account_id, None)) is not None:
            self._introductions.give_back(host)

    def public(self, key: AccountKey) -> keys.PublicKey:
        """A stored key, parsed once."""
        parsed = self._parsed.get(key.public)
        if parsed is None:
            parsed = self._parsed[key.public] = keys.stored_key(key)
        return parsed

    async def proven(self, activity: Activity) -> Account:
        """Who said an activity, by the actor's own proof on it (FEP-8b32), whoever brought it (C02, D19).

        Raises BadProof, and BadSignature and Unreachable like `fetch`.
        """
        proof = proofs.read(activity.document, now=self._here.now())
        if authority_of(proof.verification_method) != authority_of(activity.actor):
            raise BadProof("the proof is not by the activity's actor")
        found = await self.find(proof.verification_method)
        if found is None:
            await self.introduce(activity.actor)
            found = await self.find(proof.verification_method)
        if found is None or found[1].uri != activity.actor:
            raise BadProof("the actor does not list the key of the proof")
        proofs.verify(proof, self.public(found[0]))
        return found[1]

    async def vouched(self, activity: Activity, actor: Account) -> bool:
        """Whether an actor's own proof is on what it said; False when none is that we can judge: nobody is asked.

        Raises BadProof: it is false, and goes before any other signature (FEP-8b32).
        """
        proof = proofs.understood(activity.document, now=self._here.now())
        found = await self.find(proof.verification_method) if proof is not None else None
        if proof is None or found is None:
            return False
        if found[1].id != actor.id:
            raise BadProof("the proof is not by the activity's actor")
        proofs.verify(proof, self.public(found[0]))
        return True

    async def fetch(self, uri: str) -> Account:
        """Fetch an actor with its keys. Raises BadSignature when it cannot be had, Unreachable when later perhaps.

        Anybody can name a key on any host: TooMany when that was done too often without a signature to it (H09).
        """
        host = authority_of(uri)
        wait = self._introductions.take(host, self._here.now(), most=limits.INTRODUCTIONS, per=MINUTE)
        if wait:
            raise TooMany("too many keys of that host were named lately", retry_after=wait // SECOND + 1)
        try:
            return self._fetched(host, await self._lookup.refresh(uri, timeout=limits.KEY_FETCH_TIMEOUT))
        except Unreachable:
            raise
        except (RemoteFailure, Malformed, OriginMismatch, NotFound) as error:
            raise BadSignature("the actor's keys could not be fetched") from error

    def _fetched(self, host: str, actor: Account) -> Account:
        self._unproven[actor.id] = host
        return actor

    async def introduce(self, uri: str) -> None:
        """Fetch the owner of a key that we do not hold, at the key's address; there only every so often."""
        if self._lookup.may_refetch(uri):
            await self.fetch(uri)

    async def _refreshed(self, key_id: str, actor: Account) -> tuple[AccountKey, Account]:
        if not self._lookup.may_refetch(actor.uri):
            raise BadSignature("the signature does not verify")
        await self.fetch(actor.uri)
        found = await self.find(key_id)
        if found is None or found[1].uri != actor.uri:
            raise BadSignature("the actor no longer lists this key")
        return found
