"""The digests of followers (FEP-8fcf), of an author of ours host by host and of a peer's here, kept in memory."""

from dataclasses import dataclass
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Final

from medfed.activitypub import followersync
from medfed.activitypub.followersync import Announced
from medfed.activitypub.here import Here
from medfed.domain.accounts import Account
from medfed.kernel.clock import MINUTE
from medfed.storage import accounts, relations
from medfed.storage.database import Store
from medfed.storage.remembered import Remembered

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
        self._ours: Remembered[int, _OfAuthor] = Remembered(
            store, here.now, channels=(relations.CHANGED,), kept_for=_FRESH, most=_OURS_KEPT
        )
        self._peers: Remembered[int, str] = Remembered(
            store, here.now, channels=(relations.CHANGED,), kept_for=_FRESH, most=_PEERS_KEPT
        )

    async def announced(self, author_id: int, host: str) -> str:
        """The header for a delivery of an author of ours to a host."""
        known = await self._ours.get(author_id, partial(self._of_author, author_id))
        said = known.by_host.get(host) or followersync.digest(())
        return followersync.write(Announced(collection=known.collection, url=known.url, digest=said))

    async def here_of(self, author: Account) -> str:
        """The digest of the members who follow a peer's author, as far as we know."""
        return await self._peers.get(author.id, partial(self._of_peer, author.id))

    async def _of_peer(self, author_id: int) -> str:
        async with self._store.view() as view:
            members = await relations.followers_here(view, author_id)
        return followersync.digest(uri for _, uri in members)

    async def _of_author(self, author_id: int) -> _OfAuthor:
        async with self._store.view() as view:
            author = await accounts.get(view, author_id)
            rows = await relations.followers_by_host(view, author_id)
        by_host = {
            host: followersync.digest(uri for _, uri in followers)
            for host, followers in groupby(rows, key=itemgetter(0))
        }
        return _OfAuthor(author.followers_uri, self._here.uris.followers_synchronization(author.uri), by_host)
