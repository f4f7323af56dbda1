"""Looks at what accounts of peers show, and at what issuers say of it. All fetching comes before any transaction."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

import orjson

from medfed.activitypub import credentials as wire
from medfed.activitypub.credentials import UnverifiedCredential
from medfed.activitypub.did import did_web_url
from medfed.activitypub.here import Here
from medfed.activitypub.strictjson import parse_object
from medfed.activitypub.uris import authority_of
from medfed.domain.accounts import Account
from medfed.domain.credentials import Claim, Consent, Credential, CredentialState, Reason
from medfed.domain.trust import Decision, did_of, host_of, recognise
from medfed.kernel import limits
from medfed.kernel.clock import MINUTE, Millis
from medfed.kernel.errors import BadProof, Malformed, OriginMismatch, RemoteFailure, Unreachable
from medfed.net.client import Net
from medfed.net.fetch import CREDENTIAL_TYPES, DID_TYPES, fetch_document, fetch_json
from medfed.net.message import Signer
from medfed.notifications.notify import notify
from medfed.storage import accounts, credentials, trust
from medfed.storage.database import Store, Transaction
from medfed.storage.trust import CachedList, KnownIssuer
from medfed.verification import pins, work
from medfed.verification.attest import as_credential
from medfed.verification.decide import (
    Found,
    basis,
    decide,
    decide_account,
    decide_issuer,
    decide_list_in_pieces,
    grounds,
)
from medfed.verification.issuer import ourselves

AT_ONCE: Final = 8
ISSUERS_AT_ONCE: Final = 8
"""How many issuers one look at an account may have us fetch."""
_REFETCH: Final = 1 * MINUTE
_LOOK_AGAIN: Final = 15 * MINUTE

_FAILURES: Final = (RemoteFailure, Malformed, BadProof, OriginMismatch)

_T = TypeVar("_T")


@dataclass(slots=True)
class _Gathered:
    """What was fetched for one look, to be stored in one go."""

    issuers: dict[str, KnownIssuer] = field(default_factory=dict)
    lists: dict[str, CachedList] = field(default_factory=dict)
    found: list[tuple[Found, str]] = field(default_factory=list)
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What a credential says, what is wrong with it (None: it is authentic), and what it is worth here."""

    claim: Claim
    fault: Reason | None
    decision: Decision


class Recogniser:
    """Verifies what peers say of practitioners. Never used inside a transaction."""

    def __init__(
        self, *, store: Store, net: Net, here: Here, sign_as_instance: Callable[[], Awaitable[Signer]]
    ) -> None:
        self._store = store
        self._net = net
        self._here = here
        self._sign = sign_as_instance

    # ── accounts ─────────────────────────────────────────────────────────────────────────────────────────────

    async def check_account(self, account_id: int) -> None:
        """Fetch what an account of a peer shows, verify it, and decide what it is worth here.

        What it shows no longer is kept, and counts for nothing. Raises Unreachable.
        """
        async with self._store.view() as view:
            account = await accounts.find(view, account_id)
        if account is None or not account.active:
            return
        if account.local:
            async with self._store.transaction("decide about a member") as tx:
                await decide_account(tx, self._here, account_id)
            return
        documents = await self._shown(account) if account.attestations_uri else []
        gathered = await self._gather(account, documents)
        async with self._store.transaction("store attestations") as tx:
            await self._keep_known(tx, gathered)
            await self._keep_shown(tx, account, gathered)
            if gathered.again:
                at = self._here.now() + _LOOK_AGAIN
                await work.look_at(tx, self._here, account.id, cause="again", at=at)

    async def receive_offer(self, account_id: int, *, uri: str, offer_uri: str, issuer_actor: str) -> None:
        """Fetch what an issuer offers to a member, and tell them.

        Raises Unreachable when its keys cannot be had now; RemoteFailure, Malformed, OriginMismatch, BadProof.
        """
        async with self._store.view() as view:
            member = await accounts.get(view, account_id)
            offerer = await accounts.find_by_uri(view, issuer_actor)
        read = wire.read_credential(await self._credential(uri))
        if host_of(read.claim.issuer) != authority_of(issuer_actor) or read.claim.uri != uri:
            raise OriginMismatch("only its issuer offers a credential")
        if read.claim.subject != member.uri:
            raise OriginMismatch("the credential is about somebody else")
        gathered = await self._gather(member, [read.document])
        _refuse_unproven(gathered)
        async with self._store.transaction("store offer") as tx:
            await self._keep_known(tx, gathered)
            stored = await self._keep(tx, gathered.found, consent="offered", offer_uri=offer_uri)
            if stored and offerer is not None:
                await notify(tx, self._here, to=member.id, kind="attestation_offer", from_id=offerer.id)

    async def _shown(self, account: Account) -> list[wire.Document]:
        """The credentials that an account's collection has, or leads to; what cannot be had is left out."""
        uri = account.attestations_uri
        fetched = await fetch_document(self._net, uri, sign=await self._sign())
        if authority_of(fetched.url) != account.host:
            raise OriginMismatch("the collection is on another host than its owner")
        items = wire.read_collection(parse_object(fetched.body), uri=uri, owner=account.uri)
        documents: list[wire.Document] = []
        for item in items:
            if isinstance(item, dict) and "proof" in item:
                documents.append(item)
                continue
            link = item.get("id") if isinstance(item, dict) else item
            try:
                documents.append(await self._credential(link))
            except _FAILURES:
                continue
        return documents

    async def _credential(self, uri: object) -> wire.Document:
        if not isinstance(uri, str) or not authority_of(uri):
            raise Malformed("a credential without a URL")
        fetched = await fetch_json(
            self._net, uri, types=CREDENTIAL_TYPES, limit=limits.CREDENTIAL, sign=await self._sign()
        )
        return parse_object(fetched.body)

    # ── verifying ────────────────────────────────────────────────────────────────────────────────────────────

    async def examine(self, document: wire.Document, *, issuer_document: wire.Document | None = None) -> "Examined":
        """What a credential says, and what it is worth here. Raises Malformed for what is none.

        With `issuer_document` nothing is fetched: its keys count as the issuer's, and status is what is known here.
        Whether the subject holds the key is checked if the account is known here.
        """
        read = wire.read_credential(document)
        async with self._store.view() as view:
            subject = await accounts.find_by_uri(view, read.claim.subject)
        gathered = _Gathered()
        account_id = subject.id if subject else 0
        if issuer_document is None:
            await self._verify_all(gathered, account_id, read.claim.subject, [read])
            async with self._store.transaction("remember issuers") as tx:
                await self._keep_known(tx, gathered)
        else:
            gathered.found = [(_offline(read, account_id, issuer_document, self._here.now()), "")]
        found = gathered.found[0][0]
        async with self._store.view() as view:
            known = (await grounds(view, self._here, [found])).evidence(found)
            decides = await basis(view, self._here)
        if issuer_document is not None:
            known = replace(known, issuer_keys=known.issuer_keys | {found.proof_key})
        if subject is None:
            known = replace(known, bound=True)
        decision = recognise(decides, known, self._here.now())
        return Examined(claim=read.claim, fault=found.fault, decision=decision)

    async def _gather(self, account: Account, documents: Iterable[wire.Document]) -> _Gathered:
        gathered = _Gathered()
        await self._verify_all(gathered, account.id, account.uri, _readable(documents))
        return gathered

    async def _verify_all(
        self, gathered: _Gathered, account_id: int, subject: str, read: Sequence[UnverifiedCredential]
    ) -> None:
        dids = list(dict.fromkeys(each.claim.issuer for each in read))[:ISSUERS_AT_ONCE]
        gathered.issuers = await self._issuers(dids)
        for each in read:
            if each.claim.issuer not in gathered.issuers:
                continue
            key, fault = await self._verified(gathered, each)
            if fault is None and each.claim.subject != subject:
                fault = Reason(code="other-subject")
            gathered.again |= fault is not None and fault.code == "issuer-silent"
            found = Found(account_id=account_id, claim=each.claim, proof_key=key, fault=fault)
            gathered.found.append((found, orjson.dumps(each.document).decode()))
        urls = {entry.url for found, _ in gathered.found if found.fault is None for entry in found.claim.status}
        gathered.lists = await self._lists(urls, gathered.issuers)

    async def _verified(self, gathered: _Gathered, read: UnverifiedCredential) -> tuple[str, Reason | None]:
        """The key that made a credential, or what is wrong. An unknown key makes us ask its issuer once more."""
        issuer, now = gathered.issuers[read.claim.issuer], self._here.now()
        name = {"issuer": read.claim.issuer_name or host_of(read.claim.issuer)}
        if not issuer.document:
            return "", Reason(code="issuer-silent", args=name | {"detail": issuer.last_error})
        try:
            return wire.verify(read, orjson.loads(issuer.document), now=now).key, None
        except BadProof as error:
            if now - issuer.tried_at < _REFETCH or issuer.did == self._here.uris.did:
                return "", Reason(code="proof", args={"detail": str(error)})
        gathered.issuers[issuer.did] = await self._fetched_issuer(issuer)
        return await self._verified(gathered, read)

    # ── issuers ──────────────────────────────────────────────────────────────────────────────────────────────

    async def _issuers(self, dids: Iterable[str]) -> dict[str, KnownIssuer]:
        """What is known of these issuers, fetched where it is missing or no longer fresh."""
        wanted, now = list(dids), self._here.now()
        async with self._store.view() as view:
            known = await trust.issuers(view, wanted)
            if self._here.uris.did in wanted:
                known[self._here.uris.did] = await ourselves(view, self._here)
        stale = [
            known.get(did, KnownIssuer(did=did))
            for did in wanted
            if did not in known or (known[did].fresh_until <= now and did != self._here.uris.did)
        ]
        fetched = await _at_once([self._fetched_issuer(each) for each in stale])
        return known | {each.did: each for each in fetched}

    async def _fetched_issuer(self, known: KnownIssuer) -> KnownIssuer:
        now = self._here.now()
        try:
            url = did_web_url(known.did)
            host = host_of(known.did)
            if self._is_plain(host):
                url = f"http:{url.removeprefix('https:')}"
            fetched = await fetch_json(self._net, url, types=DID_TYPES, timeout=limits.KEY_FETCH_TIMEOUT)
            if authority_of(fetched.url) != host:
                raise OriginMismatch("the DID document is on another host")
            return pins.seen(known, parse_object(fetched.body), now=now)
        except _FAILURES as error:
            return pins.missed(known, f"{type(error).__name__}: {error}", now=now)

    def _is_plain(self, host: str) -> bool:
        """Whether a host is spoken to without TLS: on a development federation, when it has a port."""
        return self._here.uris.base.startswith("http:") and ":" in host

    # ── status lists ─────────────────────────────────────────────────────────────────────────────────────────

    async def _lists(
        self, urls: Iterable[str], issuers: dict[str, KnownIssuer], *, max_age: Millis = 15 * MINUTE
    ) -> dict[str, CachedList]:
        """Status lists of peers, fetched where they are missing or older than `max_age`."""
        wanted = [url for url in urls if not self._here.uris.is_ours(url)]
        now = self._here.now()
        async with self._store.view() as view:
            known = await trust.cached_lists(view, wanted)
            revoked = await trust.revoked_keys(view)
        due = [url for url in wanted if url not in known or known[url].tried_at + max_age <= now]
        fetched = await _at_once([self._fetched_list(url, known.get(url), issuers, revoked) for url in due])
        return {each.url: each for each in fetched}

    async def _fetched_list(
        self, url: str, known: CachedList | None, issuers: dict[str, KnownIssuer], revoked_keys: frozenset[str]
    ) -> CachedList:
        """A list as it is now, or as we had it with what went wrong."""
        now, did = self._here.now(), did_of(authority_of(url))
        before = known or CachedList(url=url, issuer=did, purpose="")
        try:
            issuer = issuers.get(did)
            if issuer is None or not issuer.document:
                raise BadProof("the keys of its issuer are not known")
            fetched = await fetch_json(
                self._net, url, types=CREDENTIAL_TYPES, limit=limits.STATUS_LIST, timeout=limits.KEY_FETCH_TIMEOUT
            )
            said, keys = parse_object(fetched.body), orjson.loads(issuer.document)
            newer = read_list(said, keys, url=url, revoked_keys=revoked_keys, now=now)
        except _FAILURES as error:
            return replace(before, tried_at=now, last_error=f"{type(error).__name__}: {error}"[:300])
        if newer.valid_from < before.valid_from:
            return replace(before, tried_at=now, last_error="an older list than before was served")
        return newer

    # ── what refreshing uses ─────────────────────────────────────────────────────────────────────────────────

    async def refresh_lists(self, urls: Iterable[str], *, max_age: Millis = 0) -> None:
        """Fetch these lists now, and decide again about all that depends on them."""
        wanted = list(urls)
        issuers = await self._issuers({did_of(authority_of(url)) for url in wanted})
        lists = await self._lists(wanted, issuers, max_age=max_age)
        async with self._store.transaction("store status lists") as tx:
            await self._keep_known(tx, _Gathered(issuers=issuers, lists=lists))
        for url in lists:
            await decide_list_in_pieces(self._store, self._here, url)

    async def refresh_issuers(self, known: Iterable[KnownIssuer]) -> None:
        """Fetch these DID documents now, and decide again about all that was made with their keys."""
        fetched = await _at_once([self._fetched_issuer(each) for each in known])
        for each in fetched:
            async with self._store.transaction("store issuer") as tx:
                await trust.put_issuer(tx, each)
                await decide_issuer(tx, self._here, each.did)
                await self._look_at_orphans(tx, each)

    async def _look_at_orphans(self, tx: Transaction, issuer: KnownIssuer) -> None:
        """Credentials whose key has ended may have been signed anew where they are shown."""
        for credential in await credentials.by_issuer(tx, issuer.did):
            if credential.reason.code == "issuer-key-gone":
                cause = f"key/{issuer.fetched_at}"
                await work.look_at(tx, self._here, credential.account_id, cause=cause)

    # ── storing ──────────────────────────────────────────────────────────────────────────────────────────────

    async def _keep_known(self, tx: Transaction, gathered: _Gathered) -> None:
        for issuer in gathered.issuers.values():
            if issuer.did != self._here.uris.did:
                await trust.put_issuer(tx, issuer)
        for each in gathered.lists.values():
            if each.last_error:
                await trust.list_failed(tx, each)
            else:
                await trust.put_list(tx, each)

    async def _keep_shown(self, tx: Transaction, account: Account, gathered: _Gathered) -> None:
        """What an account shows is published; what it showed before and shows no longer is withdrawn."""
        await self._keep(tx, gathered.found, consent="published", offer_uri="")
        shown = {found.claim.uri for found, _ in gathered.found}
        for known in await credentials.of_account(tx, account.id):
            if known.claim.uri not in shown:
                gone = Reason(code="not-listed")
                await credentials.put(
                    tx, replace(known, consent="withdrawn", fault=gone, state=CredentialState.INVALID, reason=gone)
                )

    async def _keep(
        self, tx: Transaction, found: Sequence[tuple[Found, str]], *, consent: Consent, offer_uri: str
    ) -> list[Credential]:
        decisions = await decide(tx, self._here, [each for each, _ in found])
        kept = []
        for (each, document), decision in zip(found, decisions, strict=True):
            known = await credentials.find_of(tx, each.account_id, each.claim.uri)
            if consent == "offered" and known is not None and known.consent != "offered":
                continue  # what a member has decided is not asked again
            credential = as_credential(
                self._here, each, decision, document=document, consent=consent, offer_uri=offer_uri
            )
            await credentials.put(tx, credential)
            kept.append(credential)
        return kept


def _refuse_unproven(gathered: _Gathered) -> None:
    """What its issuer cannot be shown to have said is not put before a member. Raises Unreachable, BadProof."""
    for found, _ in gathered.found:
        if found.fault is not None and found.fault.code == "issuer-silent":
            raise Unreachable(found.fault.text, host=host_of(found.claim.issuer))
        if found.fault is not None:
            raise BadProof(found.fault.text)


def _offline(read: UnverifiedCredential, account_id: int, issuer_document: wire.Document, now: Millis) -> Found:
    """Verify a credential with a DID document at hand."""
    try:
        key = wire.verify(read, issuer_document, now=now).key
    except BadProof as error:
        fault = Reason(code="proof", args={"detail": str(error)})
        return Found(account_id=account_id, claim=read.claim, proof_key="", fault=fault)
    return Found(account_id=account_id, claim=read.claim, proof_key=key)


def read_list(
    document: wire.Document, issuer_document: wire.Document, *, url: str, revoked_keys: frozenset[str], now: Millis
) -> CachedList:
    """Read and verify a status list as that of `url`. Raises Malformed, BadProof: also for a key that is revoked here.

    Whoever has a stolen key could otherwise clear what its issuer has revoked (C14).
    """
    read = wire.read_status_list(document, now=now)
    if read.url != url:
        raise Malformed("the status list is another one than was asked for")
    verified = wire.verify_status_list(read, issuer_document, now=now)
    if verified.key in revoked_keys:
        raise BadProof("the key of the status list is revoked here")
    return CachedList(
        url=verified.url,
        issuer=verified.issuer,
        purpose=verified.purpose,
        bits=verified.bits.to_bytes(),
        valid_from=verified.valid_from,
        valid_until=verified.valid_until,
        ttl=verified.ttl,
        fetched_at=now,
        tried_at=now,
    )


def _readable(documents: Iterable[wire.Document]) -> list[UnverifiedCredential]:
    """Those that are credentials as we know them, each once."""
    found: dict[str, UnverifiedCredential] = {}
    for document in documents:
        try:
            read = wire.read_credential(document)
        except Malformed:
            continue
        found.setdefault(read.claim.uri, read)
    return list(found.values())


async def _at_once(errands: Sequence[Coroutine[Any, Any, _T]]) -> list[_T]:
    """Run errands side by side, some at a time; their results in order."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def through(errand: Coroutine[Any, Any, _T]) -> _T:
        async with gate:
            return await errand

    return list(await asyncio.gather(*(through(errand) for errand in errands)))
