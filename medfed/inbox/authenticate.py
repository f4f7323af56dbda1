"""Who sent this? Bytes and headers become Authenticated here, and nowhere else."""

from dataclasses import dataclass
from typing import Final

from medfed.accounts.lookup import Lookup
from medfed.accounts.peers import PeerLevels
from medfed.activitypub import claims, keys, proofs, signatures
from medfed.activitypub.claims import SignatureClaim, SignedRequest
from medfed.activitypub.here import Here
from medfed.activitypub.uris import authority_of
from medfed.activitypub.wire import Activity, parse_activity
from medfed.domain.accounts import Account, AccountKey
from medfed.kernel import limits
from medfed.kernel.errors import (
    BadProof,
    BadSignature,
    Malformed,
    NotFound,
    OriginMismatch,
    PolicyRefusal,
    RemoteFailure,
    RemoteGone,
    Unreachable,
)
from medfed.storage import accounts
from medfed.storage.database import Store

_MEMORY: Final = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class Authenticated:
    """Evidence, made by `Gatekeeper` alone: `actor` said exactly `body`."""

    actor: Account
    activity: Activity
    body: bytes
    by: str
    """What vouches for it: cavage, rfc9421, proof, or gone (the actor's own server says that it is no more)."""


class NothingToDo(Exception):
    """Authentic or not, it cannot concern us: answered 202, nothing is stored (A08)."""


class Gatekeeper:
    """Authenticates what comes to an inbox. Holds parsed public keys; the accounts come from storage."""

    def __init__(self, *, store: Store, lookup: Lookup, levels: PeerLevels, here: Here) -> None:
        self._store = store
        self._lookup = lookup
        self._levels = levels
        self._here = here
        self._parsed: dict[str, keys.PublicKey] = {}

    async def authenticate(self, request: SignedRequest) -> Authenticated:
        """Who signed the request, and what they say.

        Raises BadSignature, BadProof, OriginMismatch (401), Malformed (400), PolicyRefusal (403), Unreachable
        (503: the sender's own server does not answer, so that the sender tries again), NothingToDo.
        """
        claim = signatures.read_claim(request, self._here.now())
        signer_host = self._refuse_host(claim.key_id)
        activity = parse_activity(request.body)
        if self._levels.is_blocked(authority_of(activity.actor)):
            raise PolicyRefusal("this instance does not federate with that host")
        found = await self._find(claim.key_id)
        if found is not None and found[1].uri == activity.actor:
            actor = await self._verified(claim, found, activity)
            return Authenticated(actor=actor, activity=activity, body=request.body, by=claim.scheme)
        if found is not None:
            self._verify(claim, found[0])
            return await self._forwarded(activity, request.body)
        if signer_host != authority_of(activity.actor):
            raise BadSignature("the key is not one of the actor's")
        return await self._from_stranger(claim, activity, request.body)

    async def identify(self, request: SignedRequest) -> Account:
        """Who signed a GET: the same rules, without an activity. Raises BadSignature, PolicyRefusal, Unreachable."""
        claim = signatures.read_claim(request, self._here.now())
        self._refuse_host(claim.key_id)
        found = await self._find(claim.key_id)
        if found is None:
            owner_uri = claim.key_id.partition("#")[0]
            await self._fetch_actor(owner_uri)
            found = await self._find(claim.key_id)
        if found is None:
            raise BadSignature("the key could not be found")
        try:
            self._verify(claim, found[0])
        except BadSignature:
            found = await self._refreshed(claim.key_id, found[1])
            self._verify(claim, found[0])
        return found[1]

    def _refuse_host(self, key_id: str) -> str:
        host = authority_of(key_id)
        if not host or self._here.uris.is_ours(key_id):
            raise BadSignature("the key id is not a URL of a peer")
        if self._levels.is_blocked(host):
            raise PolicyRefusal("this instance does not federate with that host")
        return host

    async def _find(self, key_id: str) -> tuple[AccountKey, Account] | None:
        async with self._store.view() as view:
            return await accounts.find_key_with_owner(view, key_id)

    async def _verified(self, claim: SignatureClaim, found: tuple[AccountKey, Account], activity: Activity) -> Account:
        """Verify with the key that we hold; once more with a fresh one, for the peer may have rotated it (C13)."""
        key, actor = found
        try:
            self._verify(claim, key)
        except BadSignature:
            if _deletes_itself(activity):
                return await self._confirmed_gone(actor)
            key, actor = await self._refreshed(claim.key_id, actor)
            self._verify(claim, key)
        return actor

    async def _refreshed(self, key_id: str, actor: Account) -> tuple[AccountKey, Account]:
        if not self._lookup.may_refresh_key(key_id):
            raise BadSignature("the signature does not verify")
        await self._fetch_actor(actor.uri)
        found = await self._find(key_id)
        if found is None or found[1].uri != actor.uri:
            raise BadSignature("the actor no longer lists this key")
        return found

    async def _from_stranger(self, claim: SignatureClaim, activity: Activity, body: bytes) -> Authenticated:
        """A key that we do not hold: it counts if the actor's own document lists it (C07)."""
        known = await self._lookup.known(activity.actor)
        if _deletes_itself(activity):
            if known is None:
                raise NothingToDo
            gone = await self._confirmed_gone(known)
            return Authenticated(actor=gone, activity=activity, body=body, by="gone")
        if known is not None and not self._lookup.may_refresh_key(claim.key_id):
            raise BadSignature("the key is not one of the actor's")
        await self._fetch_actor(activity.actor)
        found = await self._find(claim.key_id)
        if found is None or found[1].uri != activity.actor:
            raise BadSignature("the key is not one of the actor's")
        self._verify(claim, found[0])
        return Authenticated(actor=found[1], activity=activity, body=body, by=claim.scheme)

    async def _forwarded(self, activity: Activity, body: bytes) -> Authenticated:
        """Signed by somebody else than its actor: it counts if it carries the actor's own proof (C02, D19)."""
        if "proof" not in activity.document:
            raise BadSignature("the activity was signed by another than its actor")
        proof = proofs.read(activity.document, now=self._here.now())
        if authority_of(proof.verification_method) != authority_of(activity.actor):
            raise BadProof("the proof is not by the activity's actor")
        found = await self._find(proof.verification_method)
        if found is None:
            await self._fetch_actor(activity.actor)
            found = await self._find(proof.verification_method)
        if found is None or found[1].uri != activity.actor:
            raise BadProof("the actor does not list the key of the proof")
        proofs.verify(proof, self._public(found[0]))
        return Authenticated(actor=found[1], activity=activity, body=body, by="proof")

    async def _fetch_actor(self, uri: str) -> Account:
        try:
            return await self._lookup.refresh(uri, timeout=limits.KEY_FETCH_TIMEOUT)
        except Unreachable:
            raise
        except (RemoteFailure, Malformed, OriginMismatch, NotFound) as error:
            raise BadSignature("the actor's keys could not be fetched") from error

    async def _confirmed_gone(self, actor: Account) -> Account:
        """The server of an actor that deletes itself no longer shows its key; it has to say 404 or 410 (A08)."""
        try:
            await self._lookup.refresh(actor.uri, timeout=limits.KEY_FETCH_TIMEOUT)
        except RemoteGone as gone:
            if gone.remote_status == 410:
                return actor
            raise BadSignature("the actor is not there, and was not said to be gone") from gone
        except (Malformed, OriginMismatch, NotFound) as error:
            raise BadSignature("the actor's keys could not be fetched") from error
        raise BadSignature("the signature does not verify")

    def _verify(self, claim: SignatureClaim, key: AccountKey) -> None:
        claims.verify(claim, self._public(key))

    def _public(self, key: AccountKey) -> keys.PublicKey:
        parsed = self._parsed.get(key.public)
        if parsed is None:
            parsed = keys.parse_public_pem(key.public) if key.kind == "rsa" else keys.parse_multikey(key.public)
            if len(self._parsed) >= _MEMORY:
                self._parsed.clear()
            self._parsed[key.public] = parsed
        return parsed


def _deletes_itself(activity: Activity) -> bool:
    return activity.kind == "Delete" and activity.object_id == activity.actor
