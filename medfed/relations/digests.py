"""The digests of followers (FEP-8fcf), of an author of ours host by host and of a peer's here, kept in memory."""

from collections import OrderedDict
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Final, Generic, TypeVar

from medfed.activitypub import followersync
from medfed.activitypub.followersync import Announced
from medfed.activitypub.here import Here
from medfed.domain.accounts import Account
from medfed.kernel.clock import MINUTE, Millis
from medfed.storage import accounts, relations
from medfed.storage.database import Store

_FRESH: Final = 1 * MINUTE
"""How long a digest is used without looking whether another process has changed a follow."""
_OURS_KEPT: Final = 200
_PEERS_KEPT: Final = 10_000


@dataclass(frozen=True, slots=True)
class _OfAuthor:
    """What is announced of an author of ours, by host."""

    collection: str
    url: str
    by_host: dict[str, str]


class FollowerDigests:
    """Answers without asking the database for each delivery.

    A stale answer harms nobody: whoever finds that it differs asks for the list, and the list is always read anew.
    """

    def __init__(self, *, store: Store, here: Here) -> None:
        self._store = store
        self._here = here
        self._ours: _Memory[_OfAuthor] = _Memory(_OURS_KEPT)
        self._peers: _Memory[str] = _Memory(_PEERS_KEPT)
        store.on_wake(relations.CHANGED, self._forget)

    async def announced(self, author_id: int, host: str) -> str:
        """The header for a delivery of an author of ours to a host."""
        known = self._ours.get(author_id, self._here.now())
        if known is None:
            known = self._ours.put(author_id, await self._of_author(author_id), self._here.now())
        said = known.by_host.get(host) or followersync.digest(())
        return followersync.write(Announced(collection=known.collection, url=known.url, digest=said))

    async def here_of(self, author: Account) -> str:
        """The digest of the members who follow a peer's author, as far as we know."""
        known = self._peers.get(author.id, self._here.now())
        if known is None:
            async with self._store.view() as view:
                members = await relations.followers_here(view, author.id)
            digest = followersync.digest(uri for _, uri in members)
            known = self._peers.put(author.id, digest, self._here.now())
        return known

    async def _of_author(self, author_id: int) -> _OfAuthor:
        async with self._store.view() as view:
            author = await accounts.get(view, author_id)
            rows = await relations.followers_by_host(view, author_id)
        by_host = {
            host: followersync.digest(uri for _, uri in followers)
            for host, followers in groupby(rows, key=itemgetter(0))
        }
        return _OfAuthor(author.followers_uri, self._here.uris.followers_synchronization(author.uri), by_host)

    def _forget(self) -> None:
        self._ours.clear()
        self._peers.clear()


_T = TypeVar("_T")


class _Memory(Generic[_T]):
    """Remembers as many answers as it may, each for a while."""

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._known: OrderedDict[int, tuple[Millis, _T]] = OrderedDict()

    def get(self, key: int, now: Millis) -> _T | None:
        at, value = self._known.get(key, (now - _FRESH, None))
        return value if 0 <= now - at < _FRESH else None

    def put(self, key: int, value: _T, now: Millis) -> _T:
        self._known[key] = (now, value)
        self._known.move_to_end(key)
        if len(self._known) > self._kept:
            self._known.popitem(last=False)
        return value

    def clear(self) -> None:
        self._known.clear()
