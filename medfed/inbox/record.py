"""Records what was admitted; what needs no other server for it takes effect in the same commit."""

import logging
from functools import partial
from typing import Final

from medfed.accounts.identify import Identifier
from medfed.accounts.lookup import Lookup
from medfed.accounts.promise import WAKE as DELIVERY
from medfed.inbox.admit import Admitted
from medfed.inbox.handling import Handling
from medfed.inbox.quota import Quota
from medfed.inbox.resolve import Fetchers, Resolved
from medfed.inbox.routes import Receives, route
from medfed.instance import Instance
from medfed.kernel.clock import MINUTE, Millis
from medfed.kernel.errors import Refused, RemoteFailure, StorageDown
from medfed.net.client import NeedsNetwork, NoNet
from medfed.net.message import Signer
from medfed.posts.fetch import PostFetcher
from medfed.storage import inbox_log, peers
from medfed.storage.database import Transaction
from medfed.storage.inbox_log import Arrival, State

log: Final = logging.getLogger(__name__)

_HEARD_AGAIN_AFTER: Final = MINUTE
_HOSTS_KEPT: Final = 10_000


class _NotNow(Exception):
    """Another request brought the same activity, or an earlier one of its actor's waits: no effect is kept."""


class Recorder:
    """Writes arrivals down, once each. When it returns, they will survive a power cut.

    Most activities need nobody's help: a post of a known actor, a like, an Undo. They are applied here, in the
    savepoint that records them. One that needs another server (an unknown author above, say), that comes behind one
    of its actor's that waits, or whose handler fails, waits for the worker.
    """

    def __init__(self, instance: Instance) -> None:
        here, store, net = instance.here, instance.store, NoNet()
        lookup = Lookup(store=store, net=net, here=here, sign_as_instance=_sign_nothing)
        posts = PostFetcher(store=store, net=net, here=here, lookup=lookup, sign_as_instance=_sign_nothing)
        self._store = store
        identifier = Identifier(store=store, lookup=lookup, levels=instance.levels, here=here)
        self._stored = Fetchers(here=here, store=store, lookup=lookup, posts=posts, identifier=identifier)
        """Finds what is stored, and asks nobody."""
        self._handling = Handling(here=here, levels=instance.levels)
        self._heard: dict[str, Millis] = {}
        self._quota = Quota()

    async def take(self, arrival: Arrival, admitted: Admitted) -> bool:
        """Store an arrival, with its effect if that is possible now; whether it waits for the worker.

        Raises StorageDown, and TooMany for a host that is over its share of the day: nothing was kept.
        """
        host, size, now = admitted.actor.host, len(arrival.body), arrival.received_at
        self._quota.check(host, size, now)
        waits = await self._take(arrival, admitted)
        self._quota.count(host, size, now)
        return waits

    async def _take(self, arrival: Arrival, admitted: Admitted) -> bool:
        line = route(admitted.activity)
        if line is None:
            return await self._settle(arrival, admitted, "done", f"not understood: {admitted.activity.what}")
        try:
            resolved = await line.resolve(self._stored, admitted)
            return await self._apply(line, arrival, admitted, resolved)
        except (NeedsNetwork, _NotNow):
            return await self._wait(arrival, admitted)
        except (Refused, RemoteFailure) as error:
            return await self._settle(arrival, admitted, "refused", f"{type(error).__name__}: {error}")
        except StorageDown:
            raise
        except Exception:
            log.exception("applying %s failed; the worker tries again", arrival.uri)
            return await self._wait(arrival, admitted)

    async def _apply(self, line: Receives, arrival: Arrival, admitted: Admitted, resolved: Resolved) -> bool:
        async def effect(tx: Transaction) -> bool:
            await self._hear(tx, admitted.actor.host, arrival.received_at)
            note = await line.apply(tx, self._handling, admitted, resolved)
            # Asked last, and with the record: hardly any comes twice or behind another, and what it did is undone.
            if not await inbox_log.settle_new(tx, arrival, state="done", note=note):
                raise _NotNow
            return False

        return await self._store.arrive(f"take {arrival.kind[:40]}", effect)

    async def _settle(self, arrival: Arrival, admitted: Admitted, state: State, note: str) -> bool:
        """Write down what came of it, unless it has to be judged after one that waits."""

        async def settle(tx: Transaction) -> bool:
            await self._hear(tx, admitted.actor.host, arrival.received_at)
            if await inbox_log.settle_new(tx, arrival, state=state, note=note):
                return False
            return await inbox_log.record(tx, arrival)

        return await self._store.arrive("settle arrival", settle)

    async def _wait(self, arrival: Arrival, admitted: Admitted) -> bool:
        async def wait(tx: Transaction) -> bool:
            await self._hear(tx, admitted.actor.host, arrival.received_at)
            return await inbox_log.record(tx, arrival)

        return await self._store.arrive("record arrival", wait)

    async def _hear(self, tx: Transaction, host: str, now: Millis) -> None:
        """Write down that a host lives, if it is a minute since we last did."""
        if 0 <= now - self._heard.get(host, 0) < _HEARD_AGAIN_AFTER:
            return
        if await peers.heard_from(tx, host, now):
            tx.wake(DELIVERY)
        fresh = self._quota.fresh(host, now)
        total = await peers.use(tx, host, now, activities=fresh[0], size=fresh[1])
        tx.after_commit(partial(self._remember, host, now, fresh, total))

    def _remember(self, host: str, now: Millis, fresh: tuple[int, int], total: tuple[int, int]) -> None:
        """Only what was kept: an arrival that is refused takes with it what it had written."""
        self._quota.written(host, now, fresh, total)
        if len(self._heard) > _HOSTS_KEPT:
            self._heard.clear()
        self._heard[host] = now


async def _sign_nothing() -> Signer:
    raise NeedsNetwork
