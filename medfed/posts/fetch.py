"""Fetches posts of peers by id: what a boost names, what an answer answers, what a member searches for."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from medfed.accounts.lookup import Lookup
from medfed.activitypub.here import Here
from medfed.activitypub.listings import Listing, read_listing
from medfed.activitypub.stamps import Stamp, read_stamp
from medfed.activitypub.strictjson import parse_object
from medfed.activitypub.uris import authority_of, same_origin
from medfed.activitypub.wire import (
    Activity,
    Document,
    PeerPost,
    read_activity,
    read_post,
    reference,
    type_of,
)
from medfed.domain.accounts import Account
from medfed.domain.posts import AS_PUBLIC, Post
from medfed.kernel import limits
from medfed.kernel.errors import Malformed, NotFound, OriginMismatch, RemoteFailure, RemoteGone
from medfed.net.client import Net
from medfed.net.fetch import fetch_collection, fetch_document, same_document
from medfed.net.message import Signer
from medfed.posts.receive import Around, receive
from medfed.storage import accounts, posts
from medfed.storage.database import Store


@dataclass(slots=True)
class Budget:
    """How many more fetches one piece of work may cause; shared by everything it leads to (H08)."""

    left: int = limits.RESOLVE_FETCHES

    def spend(self) -> bool:
        """Take one; False when there is none."""
        if self.left <= 0:
            return False
        self.left -= 1
        return True


class PostFetcher:
    """Fetches and stores posts of peers, with their authors and what stands above them."""

    def __init__(
        self,
        *,
        store: Store,
        net: Net,
        here: Here,
        lookup: Lookup,
        sign_as_instance: Callable[[], Awaitable[Signer]],
    ) -> None:
        self._store = store
        self._net = net
        self._here = here
        self._lookup = lookup
        self._sign = sign_as_instance

    async def known(self, uri: str) -> Post | None:
        """The stored post of an object id; asks nobody."""
        async with self._store.view() as view:
            return await posts.find_by_uri(view, uri)

    async def post(self, uri: str, budget: Budget | None = None, *, quiet: bool = False) -> Post:
        """The post of an object id, fetched and stored with its ancestors when unknown; `quiet`: it is no news.

        Raises NotFound (unknown, deleted, out of budget), RemoteFailure, Malformed, OriginMismatch.
        """
        known = await self.known(uri)
        if known is not None:
            return known
        if self._here.uris.is_ours(uri):
            raise NotFound("no such post here")
        budget = budget or Budget()
        said = await self.read(uri, budget)
        known = await self.known(said.id)
        if known is not None:
            return known
        author = await self._lookup.actor(said.author)
        await self.ancestors(said.in_reply_to, budget)
        around = await self.around(said, budget)
        async with self._store.transaction("store fetched post") as tx:
            stored = await receive(tx, self._here, author, said, around, quiet=quiet)
            stored = stored or await posts.find_by_uri(tx, said.id)
        if stored is None:
            raise NotFound("that post was deleted")
        return stored

    async def read(self, uri: str, budget: Budget) -> PeerPost:
        """Fetch and read an object, without storing it."""
        return read_post(await self.document(uri, budget), self._here.now())

    async def document(self, uri: str, budget: Budget) -> Document:
        """Fetch what is at an id, from where it says itself that it is.

        Raises NotFound (out of budget), RemoteFailure, Malformed, OriginMismatch.
        """
        if not budget.spend():
            raise NotFound("that thread is too long to be fetched at once")
        document, elsewhere = await self._at(uri)
        return document if elsewhere is None else await self._itself(elsewhere)

    async def activity(self, uri: str) -> Activity:
        """An activity, as its own server shows it. Raises RemoteFailure, Malformed, OriginMismatch."""
        return read_activity(await self._itself(uri))

    async def stamp(self, uri: str) -> Stamp:
        """The authorization of a quote, as it stands at its own address.

        Raises RemoteFailure, Malformed, OriginMismatch.
        """
        return read_stamp(await self._itself(uri))

    async def is_gone(self, uri: str, *, certain: bool) -> bool:
        """Whether its own server says that an object is no more: by 410 or a Tombstone, or, unless `certain`, by 404.

        Raises RemoteFailure for no answer at all, Malformed, OriginMismatch.
        """
        try:
            return type_of(await self._itself(uri)) == "Tombstone"
        except RemoteGone as gone:
            return gone.host == authority_of(uri) and (gone.remote_status == 410 or not certain)

    async def _itself(self, uri: str) -> Document:
        """What stands at an id and says that this is its id."""
        document, _ = await self._at(uri)
        if _id_of(document) != uri:
            raise OriginMismatch("what stands there has another id")
        return document

    async def _at(self, uri: str) -> tuple[Document, str | None]:
        """What stands at an address, and the address where it has to be fetched before it is believed, if another."""
        fetched = await fetch_document(self._net, uri, sign=await self._sign())
        document = parse_object(fetched.body)
        claimed = _id_of(document)
        if self._here.uris.is_ours(claimed):
            raise OriginMismatch("a peer's document claims an id of ours")
        return document, same_document(requested=uri.partition("#")[0], final=fetched.url, claimed=claimed)

    async def ancestors(self, uri: str, budget: Budget) -> None:
        """Make sure that what stands above is stored, as far as it can be had; from the oldest down."""
        chain: list[PeerPost] = []
        seen: set[str] = set()
        while uri and uri not in seen and len(chain) < limits.REPLY_DEPTH:
            seen.add(uri)
            if self._here.uris.is_ours(uri) or await self.known(uri) is not None:
                break
            try:
                said = await self.read(uri, budget)
            except (RemoteFailure, Malformed, OriginMismatch, NotFound):
                break
            chain.append(said)
            uri = said.in_reply_to
        for said in reversed(chain):
            await self.keep(said, budget)

    async def keep(self, said: PeerPost, budget: Budget, *, quiet: bool = False) -> Post | None:
        """Store what was read; `quiet`: it is no news.

        None when its author cannot be had or is not welcome, when it is stored already, or was deleted.
        """
        if await self._lookup.known(said.author) is None and not budget.spend():
            return None
        try:
            author = await self._lookup.actor(said.author)
        except (RemoteFailure, Malformed, OriginMismatch, NotFound):
            return None
        if not author.active:
            return None
        around = await self.around(said, budget)
        async with self._store.transaction("store fetched post") as tx:
            return await receive(tx, self._here, author, said, around, quiet=quiet)

    async def listed(self, uri: str, budget: Budget) -> list[str]:
        """The ids that a collection lists, from its first pages, all of one server.

        Raises NotFound (out of budget), RemoteFailure, Malformed, OriginMismatch; not for what comes after a page.
        """
        ids: dict[str, None] = {}
        page, seen = uri, set[str]()
        while page and page not in seen and len(seen) < limits.THREAD_PAGES and len(ids) < limits.THREAD_POSTS:
            seen.add(page)
            try:
                listing = await self._listing(page, uri, budget)
            except (RemoteFailure, Malformed, OriginMismatch, NotFound):
                if ids:
                    break
                raise
            ids |= dict.fromkeys(listing.ids)
            page = listing.next
        return list(ids)[: limits.THREAD_POSTS]

    async def _listing(self, page: str, collection: str, budget: Budget) -> Listing:
        if not budget.spend():
            raise NotFound("that thread is too long to be fetched at once")
        return read_listing(await fetch_collection(self._net, page, of=collection, sign=await self._sign()))

    async def around(self, said: PeerPost, budget: Budget) -> Around:
        """The accounts that a post addresses: known ones, and mentioned ones that can be had."""
        wanted = list(dict.fromkeys([*said.mentions, *_actors(said)]))
        if not wanted:
            return Around()
        async with self._store.view() as view:
            known = await accounts.find_by_uris(view, wanted)
        addressed: dict[str, Account] = {}
        for uri in wanted:
            account = known.get(uri)
            if account is None and uri in said.mentions:
                account = await self._mentioned(uri, said, budget)
            if account is not None:
                addressed[uri] = account
        return Around(addressed=addressed)

    async def _mentioned(self, uri: str, said: PeerPost, budget: Budget) -> Account | None:
        """Only the author's own neighbours are looked up: strangers elsewhere are not ours to be pointed at."""
        if self._here.uris.is_ours(uri) or not same_origin(uri, said.id) or not budget.spend():
            return None
        try:
            return await self._lookup.actor(uri)
        except (RemoteFailure, Malformed, OriginMismatch, NotFound):
            return None


def _actors(said: PeerPost) -> Iterable[str]:
    """Ids in to and cc that may be actors: neither everybody nor, by any name we know, the author's followers."""
    others = (AS_PUBLIC, f"{said.author}/followers")
    return [uri for uri in (*said.to, *said.cc) if uri.startswith("http") and uri not in others]


def _id_of(document: Document) -> str:
    id_ = document.get("id")
    if not isinstance(id_, str) or not reference(id_):
        raise Malformed("the object has no id")
    return id_
