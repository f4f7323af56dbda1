"""Applies what was accepted: fetch what it needs, then effect and tick in one transaction, exactly once."""

from dataclasses import dataclass

from medfed.accounts.peers import PeerLevels
from medfed.activitypub.wire import parse_activity
from medfed.domain.accounts import Account
from medfed.inbox.admit import again
from medfed.inbox.handling import Handling
from medfed.inbox.resolve import Fetchers
from medfed.inbox.routes import route
from medfed.kernel.clock import DAY, MINUTE, Millis
from medfed.kernel.errors import NotFound, Refused, RemoteFailure, Unreachable
from medfed.storage import inbox_log
from medfed.storage.database import Store, Transaction
from medfed.storage.inbox_log import Arrival

GIVE_UP_AFTER: Millis = 3 * DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Processor:
    """Applies arrivals."""

    store: Store
    fetchers: Fetchers
    handling: Handling

    @property
    def levels(self) -> PeerLevels:
        """What peers may do today."""
        return self.handling.levels

    async def process(self, arrival: Arrival, actor: Account | None) -> None:
        """Apply one arrival of `actor`, or settle why not, or put it off."""
        try:
            await self._apply(arrival, actor)
        except Unreachable as error:
            await self._put_off(arrival, str(error), error.retry_after)
        except (Refused, RemoteFailure) as error:
            await self._refuse(arrival, f"{type(error).__name__}: {error}")

    async def _apply(self, arrival: Arrival, actor: Account | None) -> None:
        activity = parse_activity(arrival.body)
        if actor is None:
            raise NotFound("the actor is no longer known")
        proven = "proof" in activity.document and await self.fetchers.identifier.vouched(activity, actor)
        admitted = again(actor, activity, self.levels.of(actor.host), body=arrival.body, proven=proven)
        line = route(activity)
        if line is None:
            await self._finish(arrival, f"not understood: {activity.what}")
            return
        resolved = await line.resolve(self.fetchers, admitted)

        async def effect_and_tick(tx: Transaction) -> None:
            if await inbox_log.finish(tx, arrival.id):
                note = await line.apply(tx, self.handling, admitted, resolved)
                await inbox_log.annotate(tx, arrival.id, note)

        # Each in a savepoint of its own; those of different actors share a commit.
        await self.store.arrive(f"apply {activity.kind[:40]}", effect_and_tick)

    async def _finish(self, arrival: Arrival, note: str) -> None:
        async with self.store.transaction("tick arrival") as tx:
            await inbox_log.finish(tx, arrival.id, note=note)

    async def _refuse(self, arrival: Arrival, note: str) -> None:
        async with self.store.transaction("refuse arrival") as tx:
            await inbox_log.refuse(tx, arrival.id, note)

    async def _put_off(self, arrival: Arrival, note: str, seconds: int | None) -> None:
        now = self.fetchers.here.now()
        if now - arrival.received_at > GIVE_UP_AFTER:
            await self._refuse(arrival, note)
            return
        wait = seconds * 1000 if seconds else MINUTE * 2 ** min(arrival.attempts, 9)
        async with self.store.transaction("put arrival off") as tx:
            await inbox_log.retry_at(tx, arrival.id, next_at=now + wait, note=note)
