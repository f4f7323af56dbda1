"""Who sent this? Bytes and headers become Authenticated here, and nowhere else."""

from dataclasses import dataclass

from medfed.accounts.identify import Identifier
from medfed.accounts.lookup import Lookup
from medfed.accounts.peers import PeerLevels
from medfed.activitypub import signatures
from medfed.activitypub.claims import SignatureClaim, SignedRequest
from medfed.activitypub.here import Here
from medfed.activitypub.uris import authority_of
from medfed.activitypub.wire import Activity, parse_activity
from medfed.domain.accounts import Account, AccountKey
from medfed.inbox.hearsay import Hearsay
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Authenticated:
    """Evidence, made by `Gatekeeper` and by `inbox.origin` alone: `actor` said `body`."""

    actor: Account
    activity: Activity
    body: bytes
    by: str
    """What vouches for it: cavage, rfc9421, proof, origin (the actor's own server says so when it is asked), or gone
    (it says that the actor is no more)."""
    covered: tuple[str, ...] = ()
    """Headers that the actor signed together with it; none when the request is not the actor's."""
    proven: bool = False
    """Whether the actor's own proof is on it, so that it can be passed on."""


class NothingToDo(Exception):
    """Authentic or not, it cannot concern us: answered 202, nothing is stored (A08)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gatekeeper:
    """Authenticates what comes to an inbox."""

    identifier: Identifier
    lookup: Lookup
    levels: PeerLevels
    here: Here

    async def authenticate(self, request: SignedRequest) -> Authenticated | Hearsay:
        """Who signed the request, and what they say; or what they say that somebody else said.

        Raises BadSignature, BadProof, OriginMismatch (401), Malformed (400), PolicyRefusal (403), Unreachable
        (503: the sender's own server does not answer, so that the sender tries again), NothingToDo.
        """
        claim = signatures.read_claim(request, self.here.now())
        signer_host = self.identifier.refuse_host(claim.key_id)
        activity = parse_activity(request.body)
        if self.levels.is_blocked(authority_of(activity.actor)):
            raise PolicyRefusal("this instance does not federate with that host")
        found = await self.identifier.find(claim.key_id)
        if found is None and _is_passed_on(claim, activity):
            found = await self._forwarder(claim.key_id)
        if found is None:
            if signer_host != authority_of(activity.actor):
                raise BadSignature("the key is not one of the actor's")
            return await self._from_stranger(claim, activity, request.body)
        if found[1].uri != activity.actor:
            return await self._forwarded(await self.identifier.verified(claim, found), activity, request.body)
        if found[1].gone_at is not None and not _deletes_itself(activity):
            # Its own server decides whether it is back (D21): the key that we kept does not.
            return await self._from_stranger(claim, activity, request.body)
        if _deletes_itself(activity):
            actor = await self._leaving(claim, found)
        else:
            actor = await self.identifier.verified(claim, found)
        return await self._signed(claim, actor, activity, request.body)

    async def _signed(self, claim: SignatureClaim, actor: Account, activity: Activity, body: bytes) -> Authenticated:
        """Signed by its actor. A proof on it goes before the signature (FEP-8b32), if it is one that we can judge."""
        proven = "proof" in activity.document and await self.identifier.vouched(activity, actor)
        return Authenticated(
            actor=actor, activity=activity, body=body, by=claim.scheme, covered=claim.covered, proven=proven
        )

    async def _from_stranger(self, claim: SignatureClaim, activity: Activity, body: bytes) -> Authenticated:
        """A key that we do not hold: it counts if the actor's own document lists it (C07)."""
        known = await self.lookup.known(activity.actor)
        if _deletes_itself(activity):
            if known is None:
                raise NothingToDo
            gone = await self._confirmed_gone(known)
            return Authenticated(actor=gone, activity=activity, body=body, by="gone")
        if known is not None and not self.lookup.may_refetch(activity.actor):
            raise BadSignature("the key is not one of the actor's")
        await self.identifier.fetch(activity.actor)
        found = await self.identifier.find(claim.key_id)
        if found is None or found[1].uri != activity.actor:
            raise BadSignature("the key is not one of the actor's")
        self.identifier.verify(claim, found[0])
        return await self._signed(claim, found[1], activity, body)

    async def _forwarder(self, key_id: str) -> tuple[AccountKey, Account] | None:
        """Somebody new who passes on what another has proven; None when the key leads to no actor that lists it."""
        try:
            await self.identifier.introduce(key_id.partition("#")[0])
        except BadSignature:
            return None
        return await self.identifier.find(key_id)

    async def _forwarded(self, passer: Account, activity: Activity, body: bytes) -> Authenticated | Hearsay:
        """Signed by somebody else than its actor: it counts if it carries the actor's own proof (C02, D19)."""
        try:
            return await self._proven(activity, body)
        except (BadProof, BadSignature) as problem:
            return Hearsay(passer=passer, activity=activity, problem=problem)

    async def _proven(self, activity: Activity, body: bytes) -> Authenticated:
        if "proof" not in activity.document:
            raise BadSignature("the activity was signed by another than its actor")
        actor = await self.identifier.proven(activity)
        return Authenticated(actor=actor, activity=activity, body=body, by="proof", proven=True)

    async def _leaving(self, claim: SignatureClaim, found: tuple[AccountKey, Account]) -> Account:
        """An actor deletes itself: the key that we hold may be the last that there is of it."""
        try:
            self.identifier.verify(claim, found[0])
        except BadSignature:
            return await self._confirmed_gone(found[1])
        return found[1]

    async def _confirmed_gone(self, actor: Account) -> Account:
        """The server of an actor that deletes itself no longer shows its key; it has to say 410 (A08)."""
        if not self.lookup.may_refetch(actor.uri):
            raise BadSignature("the signature does not verify")
        try:
            await self.lookup.refresh(actor.uri, timeout=limits.KEY_FETCH_TIMEOUT)
        except RemoteGone as gone:
            if gone.remote_status == 410:
                return actor
            raise BadSignature("the actor is not there, and was not said to be gone") from gone
        except Unreachable:
            raise
        except (RemoteFailure, Malformed, OriginMismatch, NotFound) as error:
            raise BadSignature("the actor's keys could not be fetched") from error
        raise BadSignature("the signature does not verify")


def _is_passed_on(claim: SignatureClaim, activity: Activity) -> bool:
    """Whether the author's own proof came with another's signature, to judge by the key id."""
    return "proof" in activity.document and claim.key_id.partition("#")[0] != activity.actor


def _deletes_itself(activity: Activity) -> bool:
    return activity.kind == "Delete" and activity.object_id == activity.actor
