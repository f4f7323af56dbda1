"""Finds accounts of peers: by actor id, by key id, by handle. Fetches what is unknown or stale, and stores it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from medfed.activitypub.here import Here
from medfed.activitypub.strictjson import parse_object
from medfed.activitypub.uris import authority_of
from medfed.activitypub.wire import PeerActor, owner_of, read_actor
from medfed.domain.accounts import Account, AccountKey, Handle, ProfileField
from medfed.kernel import limits
from medfed.kernel.clock import DAY, MINUTE, Millis
from medfed.kernel.errors import (
    Malformed,
    NotFound,
    OriginMismatch,
    RemoteFailure,
    RemoteGone,
    RemoteRefused,
    Unreachable,
)
from medfed.kernel.html import clean, neutralise
from medfed.kernel.kept import Kept
from medfed.net.client import Net
from medfed.net.fetch import WEBFINGER_TYPES, fetch_document, fetch_json, same_document
from medfed.net.message import Signer
from medfed.storage import accounts, emojis, tasks
from medfed.storage.database import Store, Transaction

FRESH: Final = 1 * DAY
CHECK_ATTESTATIONS: Final = "credentials.check"
"""The kind of task that looks at what an account shows: {account_id}."""
_FAILED_FOR: Final = 5 * MINUTE
_FAILURES_KEPT: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failure:
    """A fetch that failed, remembered so that it is not repeated at once."""

    until: Millis
    again: Callable[[], RemoteFailure]


class Lookup:
    """Looks accounts up, asking their own server when it must.

    Never inside a transaction: what is fetched is stored in one of its own. A fetch that failed is not repeated
    for five minutes (C12).
    """

    def __init__(
        self, *, store: Store, net: Net, here: Here, sign_as_instance: Callable[[], Awaitable[Signer]]
    ) -> None:
        self._store = store
        self._net = net
        self._here = here
        self._sign = sign_as_instance
        self._failed: Kept[str, _Failure] = Kept(_FAILURES_KEPT)
        self._refetched: Kept[str, Millis] = Kept(_FAILURES_KEPT)
        self._under_way: dict[str, asyncio.Task[Account]] = {}

    async def known(self, uri: str) -> Account | None:
        """The account of an actor id if it is stored; asks nobody."""
        async with self._store.view() as view:
            return await accounts.find_by_uri(view, uri)

    async def actor(self, uri: str, *, max_age: Millis = FRESH) -> Account:
        """The account of an actor id, refreshed when older than `max_age`.

        Raises RemoteFailure, Malformed, OriginMismatch, NotFound (an unknown id on our own host: D11). A known
        account whose server does not answer is returned as it was.
        """
        known = await self.known(uri)
        if known is not None and (known.local or self._here.now() - known.fetched_at < max_age):
            return known
        if self._here.uris.is_ours(uri):
            raise NotFound("no such account here")
        try:
            return await self.refresh(uri)
        except RemoteGone:
            raise
        except RemoteFailure:
            if known is None:
                raise
            return known

    async def refresh(self, uri: str, *, timeout: float = limits.TOTAL_TIMEOUT) -> Account:  # noqa: ASYNC109
        """Fetch an actor from its own server and store it. Raises as `actor`.

        Whoever asks for the same actor meanwhile waits for the same fetch (C12).
        """
        failure = self._remembered(uri)
        if failure is not None:
            raise failure.again()
        fetching = self._under_way.get(uri)
        if fetching is None:
            fetching = asyncio.create_task(self._refresh(uri, timeout), name="fetch actor")
            self._under_way[uri] = fetching
            fetching.add_done_callback(lambda done: self._landed(uri, done))
        return await asyncio.shield(fetching)

    async def _refresh(self, uri: str, timeout: float) -> Account:  # noqa: ASYNC109
        try:
            actor = await self._fetch(uri, timeout)
        except (RemoteFailure, Malformed, OriginMismatch) as error:
            self._remember_failure(uri, error)
            raise
        known = await self.known(actor.id)
        domain = known.domain if known is not None else authority_of(actor.id)
        async with self._store.transaction("store actor") as tx:
            return await store_actor(tx, self._here, actor, domain=domain)

    def _landed(self, uri: str, done: "asyncio.Task[Account]") -> None:
        self._under_way.pop(uri, None)
        if not done.cancelled():
            done.exception()  # whoever asked may have gone away

    def may_refetch(self, uri: str) -> bool:
        """Whether an actor may be fetched because a signature does not fit the keys that we hold.

        Once per actor and five minutes (C13), whatever keys are named, or strangers could make us ask without
        end. A fetch that is under way, or failed a moment ago, may be asked for always: it is not repeated.
        """
        if self._remembered(uri) is not None or uri in self._under_way:
            return True
        now = self._here.now()
        if now - self._refetched.get(uri, 0) < limits.KEY_REFRESH_SECONDS * 1000:
            return False
        self._refetched[uri] = now
        return True

    async def handle(self, handle: Handle) -> Account:
        """The account called name@domain. Raises NotFound, RemoteFailure, Malformed, OriginMismatch."""
        domain = handle.domain or self._here.domain
        async with self._store.view() as view:
            known = await accounts.find_by_handle(view, handle.username, domain)
        if known is not None and (known.local or self._here.now() - known.fetched_at < FRESH):
            return known
        if domain in (self._here.domain, self._here.uris.authority):
            raise NotFound(f"there is no account @{handle.username} here")
        try:
            actor_uri = (await self._webfinger(handle.username, domain))[1]
        except RemoteGone:
            raise NotFound(f"{domain} knows no account @{handle.username}") from None
        account = await self.refresh(actor_uri)
        if domain in (account.host, account.domain):
            return account
        return await self._settle_domain(account, handle.username, domain)

    async def _settle_domain(self, account: Account, username: str, domain: str) -> Account:
        """A handle on another domain than the actor's counts if the actor's own host says so (D13)."""
        try:
            subject, actor_uri = await self._webfinger(account.username, account.host)
        except (RemoteFailure, Malformed):
            return account
        if actor_uri != account.uri or subject.casefold() != f"{username}@{domain}".casefold():
            return account
        actor = await self._fetch(account.uri, limits.TOTAL_TIMEOUT)
        async with self._store.transaction("store handle") as tx:
            return await store_actor(tx, self._here, actor, domain=domain)

    async def _webfinger(self, username: str, domain: str) -> tuple[str, str]:
        """(name@domain of the subject, actor id)."""
        resource = quote(f"acct:{username}@{domain}", safe=":@")
        url = f"{self.scheme_for(domain)}://{domain}/.well-known/webfinger?resource={resource}"
        fetched = await fetch_json(self._net, url, types=WEBFINGER_TYPES)
        document = parse_object(fetched.body)
        subject = document.get("subject")
        links = document.get("links")
        for link in links if isinstance(links, list) else []:
            if not isinstance(link, dict) or link.get("rel") != "self":
                continue
            kind, href = str(link.get("type", "")), link.get("href")
            if isinstance(href, str) and authority_of(href) and kind.startswith("application/"):
                return (str(subject or "").removeprefix("acct:"), href)
        raise Malformed(f"{domain} knows no ActivityPub actor of this name")

    def scheme_for(self, domain: str) -> str:
        """https; on a development federation (we are on http ourselves) http for hosts with a port."""
        return "http" if self._here.uris.base.startswith("http:") and ":" in domain else "https"

    async def _fetch(self, uri: str, timeout: float) -> PeerActor:  # noqa: ASYNC109
        fetched = await fetch_document(self._net, uri, sign=await self._sign(), timeout=timeout)
        document = parse_object(fetched.body)
        owner = owner_of(document)
        if not owner:
            raise Malformed("this is neither an actor nor a key of one")
        if self._here.uris.is_ours(owner):
            raise OriginMismatch("a peer's document claims an id of ours")
        elsewhere = same_document(requested=uri.partition("#")[0], final=fetched.url, claimed=owner)
        if elsewhere is None:
            return read_actor(document, self._here.now())
        again = await fetch_document(self._net, elsewhere, sign=await self._sign(), timeout=timeout)
        confirmed = read_actor(parse_object(again.body), self._here.now())
        if same_document(requested=elsewhere, final=again.url, claimed=confirmed.id) or confirmed.id != elsewhere:
            raise OriginMismatch("the actor's id leads to another actor")
        return confirmed

    def _remembered(self, uri: str) -> _Failure | None:
        failure = self._failed.get(uri)
        return failure if failure is not None and failure.until > self._here.now() else None

    def _remember_failure(self, uri: str, error: RemoteFailure | Malformed | OriginMismatch) -> None:
        """Asked again, the same is said again: what may be tried later still may, what is gone is still gone."""
        host, text = authority_of(uri), "this fetch failed a moment ago"
        again: Callable[[], RemoteFailure]
        match error:
            case Unreachable():
                again = lambda: Unreachable(text, host=host, retry_after=_FAILED_FOR // 1000)  # noqa: E731
            case RemoteGone(remote_status=status):
                again = lambda: RemoteGone(text, host=host, remote_status=status)  # noqa: E731
            case _:
                again = lambda: RemoteRefused(text, host=host)  # noqa: E731
        self._failed[uri] = _Failure(until=self._here.now() + _FAILED_FOR, again=again)


async def store_actor(tx: Transaction, here: Here, actor: PeerActor, *, domain: str) -> Account:
    """Store what an actor document says, sanitised. Keys that it no longer lists are forgotten."""
    now = here.now()
    account = Account(
        id=here.ids.new(),
        uri=actor.id,
        local=False,
        kind=actor.kind,
        username=actor.username,
        domain=domain,
        host=authority_of(actor.id),
        display_name=neutralise(actor.name, 100),
        summary=clean(actor.summary),
        url=actor.url,
        inbox=actor.inbox,
        shared_inbox=actor.shared_inbox,
        outbox=actor.outbox,
        followers_uri=actor.followers,
        following_uri=actor.following,
        attestations_uri=actor.attestations,
        avatar=actor.icon,
        header=actor.image,
        fields=tuple(ProfileField(name=neutralise(name, 255), value=clean(value)) for name, value in actor.fields),
        emojis=await emojis.put(tx, authority_of(actor.id), actor.emojis, here.ids.new),
        featured_uri=actor.featured,
        also_known_as=actor.also_known_as,
        moved_to=actor.moved_to,
        locked=actor.locked,
        discoverable=actor.discoverable,
        created_at=actor.published or now,
        updated_at=actor.updated or now,
        fetched_at=now,
    )
    id_ = await accounts.store(tx, account)
    for key in actor.keys:
        await accounts.add_key(
            tx,
            AccountKey(
                uri=key.id,
                account_id=id_,
                kind="rsa" if key.kind == "rsa" else "ed25519",
                public=key.public,
                created_at=now,
            ),
        )
    await accounts.keep_only_keys(tx, id_, [key.id for key in actor.keys])
    if actor.attestations:
        await tasks.ask(tx, here, CHECK_ATTESTATIONS, {"account_id": id_}, once=f"{id_}/actor/{now}")
    return await accounts.get(tx, id_)
