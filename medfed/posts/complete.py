"""Completes a thread that a member opens: answers that were never sent to us are fetched from where they stand.

A peer lists them in the conversation's `context` (FEP-7888, FEP-f228), if the server of its first post keeps one, or in
the `replies` of each post. What they list is a hint: a post counts as it stands on its own server, and only if what it
answers is in the thread.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Final

from medfed.accounts.peers import PeerLevels
from medfed.activitypub.here import Here
from medfed.activitypub.uris import authority_of, same_origin
from medfed.activitypub.wire import PeerPost
from medfed.domain.peers import Level
from medfed.domain.posts import OPEN, Post
from medfed.kernel import limits
from medfed.kernel.clock import DAY, SECOND
from medfed.kernel.errors import Malformed, NotFound, OriginMismatch, RemoteFailure
from medfed.posts.fetch import Budget, PostFetcher
from medfed.storage import posts, tasks, threads
from medfed.storage.database import Store

TASK: Final = "thread.complete"

COOLDOWN: Final = limits.THREAD_COOLDOWN_SECONDS * SECOND

NEWS: Final = 7 * DAY
"""How long a post is news for those who follow its author: for so long its Create may still be on its way."""


async def ask(store: Store, here: Here, post: Post) -> None:
    """Have the thread of a post completed in the background, unless that was done lately. Opens a transaction."""
    now = here.now()
    since = now - COOLDOWN
    async with store.view() as view:
        if not await threads.is_due(view, post.conversation_id, since):
            return
    async with store.transaction("ask for thread") as tx:
        if not await threads.visit(tx, post.conversation_id, now=now, since=since):
            return
        await tasks.ask(tx, here, TASK, {"post_id": post.id}, once=post.conversation_id)


async def complete(store: Store, here: Here, levels: PeerLevels, fetcher: PostFetcher, post_id: int) -> int:
    """Fetch and store what is missing in the thread of a post; how many posts. Opens transactions, one a post.

    Never more than THREAD_FETCHES requests, in whatever way the thread is listed (H08).
    """
    budget = Budget(left=limits.THREAD_FETCHES)
    async with store.view() as view:
        post = await posts.find(view, post_id)
        first = await posts.find(view, post.conversation_id) if post is not None else None
    if post is None:
        return 0
    if first is not None and first.in_reply_to_uri and first.in_reply_to_id is None and _is_shared(first):
        await fetcher.ancestors(first.in_reply_to_uri, budget)
    async with store.view() as view:
        # What stands above may have been found meanwhile, and be the beginning of the thread now.
        post = await posts.get(view, post_id)
        stored = await posts.conversation(view, post.conversation_id)
        places = await threads.places(view, [each.id for each in stored])
    work = _Completion(here, levels, fetcher, budget, stored)
    root = next((each for each in stored if each.id == post.conversation_id), None)
    context = places[root.id].context if root is not None and root.id in places else ""
    if root is not None and not root.local and _is_shared(root) and same_origin(context, root.uri):
        await work.take_all(await work.listed(context))
    if work.found == 0:
        shared = [each.id for each in stored if not each.local and _is_shared(each)]
        await work.walk(places[id_].replies for id_ in shared if id_ in places)
    return work.found


def _is_shared(post: Post) -> bool:
    """Whether another server may be asked about it: what is for a few is not to be had by asking."""
    return post.visibility in OPEN or post.visibility == "verified"


class _Completion:
    """One completion of one thread, with what it has found so far."""

    def __init__(
        self, here: Here, levels: PeerLevels, fetcher: PostFetcher, budget: Budget, stored: Sequence[Post]
    ) -> None:
        self._here = here
        self._levels = levels
        self._fetcher = fetcher
        self._budget = budget
        self._least = Level.TRUSTED if any(post.visibility == "verified" for post in stored) else Level.FEDERATED
        self._thread = {post.uri for post in stored}
        self._seen = set(self._thread)
        self._early: dict[str, list[PeerPost]] = {}
        self._below: deque[str] = deque()
        self.found = 0

    async def walk(self, collections: Iterable[str]) -> None:
        """Follow the replies of known posts, and of those found there, nearest first."""
        self._below.extend(uri for uri in collections if uri)
        asked: set[str] = set()
        while self._below and self._budget.left > 0:
            collection = self._below.popleft()
            if collection not in asked:
                asked.add(collection)
                await self.take_all(await self.listed(collection))

    async def listed(self, uri: str) -> list[str]:
        """The ids that a collection lists, from its first pages; [] when it cannot be had."""
        if not self._may_ask(uri):
            return []
        try:
            return await self._fetcher.listed(uri, self._budget)
        except (RemoteFailure, Malformed, OriginMismatch, NotFound):
            return []

    async def take_all(self, ids: Iterable[str]) -> None:
        """Fetch the posts that we do not have, and store those that belong to the thread."""
        for id_ in ids:
            if id_ in self._seen or not self._may_ask(id_):
                continue
            self._seen.add(id_)
            try:
                said = await self._fetcher.read(id_, self._budget)
            except (RemoteFailure, Malformed, OriginMismatch, NotFound):
                continue
            if not said.is_vote:
                await self._take(said)

    def _may_ask(self, uri: str) -> bool:
        host = authority_of(uri)
        level = self._levels.of(host)
        return bool(host) and not self._here.uris.is_ours(uri) and (level is Level.TRUSTED or level is self._least)

    async def _take(self, said: PeerPost) -> None:
        """Store a post whose parent is in the thread, and then those that waited for it."""
        if said.in_reply_to not in self._thread:
            self._early.setdefault(said.in_reply_to, []).append(said)
            return
        waiting = deque([said])
        while waiting:
            said = waiting.popleft()
            is_old = said.published is not None and self._here.now() - said.published > NEWS
            if await self._fetcher.keep(said, self._budget, quiet=is_old) is None:
                continue
            self.found += 1
            self._thread.add(said.id)
            self._below.append(said.replies)
            waiting.extend(self._early.pop(said.id, ()))
