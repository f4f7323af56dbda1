"""Delivers what is owed: one lane per host, in order, signed as its author, settled in the database."""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from typing import Final

from medfed.accounts.sign import signer
from medfed.activitypub.claims import Scheme
from medfed.delivery.hosts import REMEMBER_SCHEME, Outcome, chance, outcome_of, retry_at
from medfed.domain.peers import Peer
from medfed.instance import Instance
from medfed.kernel.errors import MedfedError
from medfed.net.fetch import require_success
from medfed.net.message import Response
from medfed.storage import outbox, peers, posts
from medfed.storage.outbox import Delivery

log: Final = logging.getLogger(__name__)

LANES: Final = 64
"""Hosts that are delivered to at the same time."""
BATCH: Final = 50
_TYPE: Final = {"content-type": "application/activity+json"}
_TRY_THE_OTHER: Final = frozenset({400, 401, 403, 500, 501, 502})
"""Answers of a peer that may merely not understand the signature scheme."""


class Deliverer:
    """Delivers for one instance; a lane is never held by two tasks of one process."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._busy: dict[str, asyncio.Task[None]] = {}

    async def run_due(self) -> bool:
        """Start the lanes that are due; True if any was started."""
        now = self._instance.here.now()
        room = LANES - len(self._busy)
        if room <= 0:
            return False
        async with self._instance.store.view() as view:
            hosts = await outbox.due_hosts(view, now, busy=list(self._busy), limit=room)
        for host in hosts:
            task = asyncio.create_task(self._lane(host), name=f"lane {host}")
            self._busy[host] = task
            task.add_done_callback(partial(self._free, host))
        return bool(hosts)

    def _free(self, host: str, done: asyncio.Task[None]) -> None:
        self._busy.pop(host, None)
        if not done.cancelled() and (error := done.exception()) is not None:
            log.error("lane %s failed", host, exc_info=error)
        self._instance.store.wake("delivery")

    async def settle(self) -> None:
        """Wait until every lane that is under way has ended."""
        while self._busy:
            await asyncio.gather(*self._busy.values(), return_exceptions=True)
            await asyncio.sleep(0)

    async def aclose(self) -> None:
        """Stop; what was not settled is owed still."""
        for task in list(self._busy.values()):
            task.cancel()
        await asyncio.gather(*list(self._busy.values()), return_exceptions=True)

    async def _lane(self, host: str) -> None:
        """Deliver to one host, in order, until nothing is owed or an attempt fails."""
        while True:
            async with self._instance.store.view() as view:
                owed = await outbox.lane(view, host, BATCH)
                peer = await peers.find(view, host)
            if not owed or not await self._deliver_in_order(host, owed, peer):
                return

    async def _deliver_in_order(self, host: str, owed: Sequence[Delivery], peer: Peer | None) -> bool:
        """False when the lane has to rest."""
        done: list[int] = []
        for delivery in owed:
            outcome = await self._attempt(delivery, peer)
            if outcome.verdict == "done":
                done.append(delivery.id)
                continue
            await self._settle_done(host, done)
            done = []
            if not await self._settle_failure(host, delivery, outcome, peer):
                return False
        await self._settle_done(host, done)
        return True

    async def _settle_done(self, host: str, ids: Sequence[int]) -> None:
        if not ids:
            return
        async with self._instance.store.transaction("settle deliveries") as tx:
            await outbox.done_many(tx, ids)
            await peers.sent_to(tx, host, self._instance.here.now())

    async def _settle_failure(self, host: str, delivery: Delivery, outcome: Outcome, peer: Peer | None) -> bool:
        """Whether the lane may go on with its next delivery."""
        now = self._instance.here.now()
        async with self._instance.store.transaction("settle failure") as tx:
            if outcome.verdict == "gone" or now >= delivery.keep_until:
                await outbox.done(tx, delivery.id)
                return True
            if outcome.verdict == "refused":
                await outbox.park(tx, delivery.id, outcome.error)
                return True
            failures = (peer.failures if peer else 0) + 1
            await outbox.failed(tx, delivery.id, outcome.error)
            next_at = retry_at(now, failures, retry_after=outcome.retry_after, chance=chance())
            await peers.failed(tx, host, at=now, next_at=next_at, error=outcome.error)
        log.info("delivery to %s failed, tried again later: %s", host, outcome.error)
        return False

    async def _attempt(self, delivery: Delivery, peer: Peer | None) -> Outcome:
        if self._instance.levels.is_blocked(delivery.host):
            return Outcome(verdict="gone", error="the peer is blocked")
        if not await self._still_allowed(delivery):
            return Outcome(verdict="gone", error="the peer may no longer have this")
        try:
            await self._send(delivery, peer)
        except MedfedError as error:
            return outcome_of(error)
        return Outcome(verdict="done")

    async def _still_allowed(self, delivery: Delivery) -> bool:
        """What is for verified practitioners leaves only while the peer is trusted (J11, M15)."""
        if delivery.post_id is None or delivery.kind == "Delete" or self._instance.levels.is_trusted(delivery.host):
            return True
        async with self._instance.store.view() as view:
            post = await posts.find(view, delivery.post_id)
        return post is None or post.visibility != "verified"

    async def _send(self, delivery: Delivery, peer: Peer | None) -> None:
        """Knock, and once more with the other signature scheme if the first may not have been understood."""
        now = self._instance.here.now()
        remembered = peer.signs_with if peer is not None and peer.signs_until > now else ""
        first: Scheme = "cavage" if remembered == "cavage" else "rfc9421"
        response = await self._post(delivery, first)
        if response.status in _TRY_THE_OTHER and not remembered:
            other: Scheme = "cavage" if first == "rfc9421" else "rfc9421"
            second = await self._post(delivery, other)
            if second.status < 300:
                await self._remember(delivery.host, other)
                return
        require_success(response)
        if not remembered:
            await self._remember(delivery.host, first)

    async def _post(self, delivery: Delivery, scheme: Scheme) -> Response:
        async with self._instance.store.view() as view:
            key_id, key = await self._instance.keyring.rsa(view, delivery.account_id)
        sign = signer(key_id, key, self._instance.here.clock, scheme)
        return await self._instance.net.post(delivery.inbox, body=delivery.body, headers=_TYPE, sign=sign)

    async def _remember(self, host: str, scheme: Scheme) -> None:
        now = self._instance.here.now()
        async with self._instance.store.transaction("remember signature scheme") as tx:
            await peers.remember_scheme(tx, host, scheme, until=now + REMEMBER_SCHEME, at=now)
