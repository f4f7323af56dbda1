"""Two servers agree again on who follows an author (FEP-8fcf), when an Undo, an Accept or a Reject was lost."""

import logging
from collections.abc import Sequence
from typing import Final

from medfed.activitypub import followersync
from medfed.activitypub.followersync import Announced
from medfed.activitypub.here import Here
from medfed.domain.accounts import Account
from medfed.kernel import limits
from medfed.kernel.allowance import Allowance
from medfed.kernel.clock import HOUR, SECOND, Millis
from medfed.kernel.errors import Malformed
from medfed.net.client import Net
from medfed.net.fetch import fetch_collection
from medfed.net.message import Signer
from medfed.relations import follow as relating
from medfed.relations.digests import FollowerDigests
from medfed.storage import accounts, relations, shares, tasks
from medfed.storage.database import Store, Transaction

log: Final = logging.getLogger(__name__)

TASK: Final = "followers.synchronise"
"""The kind of task that asks an author's server who of ours follows the author: {account_id, url}."""


class Comparer:
    """Compares what an author's server announces with what is known here, and asks for the list if that differs.

    How often that may happen is counted for all processes together: a peer that never agrees costs us a request in ten
    minutes, and not more than some in an hour for all its authors. What this process asked for it remembers itself, so
    that a peer that never agrees does not have it write each time.
    """

    def __init__(self, *, store: Store, here: Here, digests: FollowerDigests) -> None:
        self._store = store
        self._here = here
        self._digests = digests
        self._authors = Allowance()

    async def compare(self, author: Account, announced: Announced) -> bool:
        """Whether the list is going to be asked for."""
        if await self._digests.here_of(author) == announced.digest:
            return False
        now = self._here.now()
        if self._authors.take(author.uri, now, most=1, per=limits.FOLLOWERS_SYNC_SECONDS * SECOND):
            return False
        async with self._store.transaction("ask who follows") as tx:
            if not await self._may_ask(tx, author, now):
                return False
            payload = {"account_id": author.id, "url": announced.url}
            await tasks.ask(tx, self._here, TASK, payload, once=author.id)
        return True

    async def _may_ask(self, tx: Transaction, author: Account, now: Millis) -> bool:
        each, of_host = limits.FOLLOWERS_SYNC_SECONDS * SECOND, limits.FOLLOWERS_SYNCS_PER_HOST
        if not await shares.take(tx, f"followers/{author.uri}", most=1, per=each, now=now):
            return False
        return await shares.take(tx, f"followers/{author.host}", most=of_host, per=HOUR, now=now)


async def synchronise(store: Store, here: Here, net: Net, sign: Signer, author: Account, url: str) -> None:
    """Ask an author's server who of ours follows the author, and settle what differs.

    Raises RemoteFailure, Malformed, OriginMismatch; then nothing was changed.
    """
    async with store.view() as view:
        before = await relations.followers_here(view, author.id)
    listed = await _listed(net, sign, author, url)
    async with store.transaction("synchronise followers") as tx:
        ended = await _end_unknown(tx, author, before, listed)
        accepted, undone = await _settle_listed(tx, here, author, listed)
    log.info("followers of %s: %d ended, %d accepted, %d undone", author.uri, ended, accepted, undone)


async def _listed(net: Net, sign: Signer, author: Account, url: str) -> frozenset[str]:
    """Everybody on the list, from its first page to its last: half a list would end the follows on the other half."""
    found: set[str] = set()
    total: int | None = None
    seen: set[str] = set()
    while url:
        if url in seen or len(seen) >= limits.FOLLOWERS_PAGES or len(found) > limits.FOLLOWERS_LISTED:
            raise Malformed("the list of followers has no end")
        seen.add(url)
        listing = await fetch_collection(net, url, of=author.uri, sign=sign, max_array=limits.FOLLOWERS_LISTED)
        part = followersync.read_part(listing)
        total = part.total if total is None else total
        found.update(id_ for id_ in part.ids if id_)
        url = part.next
    if total is not None and total > len(found):
        raise Malformed("the list of followers is not whole")
    return frozenset(found)


async def _end_unknown(
    tx: Transaction, author: Account, before: Sequence[tuple[int, str]], listed: frozenset[str]
) -> int:
    """Follows that the author does not know of are over; one that was accepted while we asked is not touched."""
    ended = 0
    for follow_id, uri in before:
        if uri in listed:
            continue
        follower = await accounts.find_by_uri(tx, uri)
        known = await relations.find(tx, follower.id, author.id) if follower else None
        if follower is not None and known is not None and known.id == follow_id:
            ended += await relating.rejected(tx, follower, author)
    return ended


async def _settle_listed(tx: Transaction, here: Here, author: Account, listed: frozenset[str]) -> tuple[int, int]:
    """Who is listed and asked to follow was accepted; who is listed and does not follow has an Undo sent."""
    ours = [uri for uri in listed if here.uris.is_ours(uri)]
    accepted = undone = 0
    for member in (await accounts.find_by_uris(tx, ours)).values():
        known = await relations.find(tx, member.id, author.id)
        if not member.local or not member.active or (known is not None and known.state == "accepted"):
            continue
        if known is not None:
            accepted += await relating.accepted(tx, member, author)
        elif undone < limits.FOLLOWERS_UNDONE:
            await relating.disown(tx, here, member, author)
            undone += 1
    return accepted, undone
