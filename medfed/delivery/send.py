"""Delivers what is owed: one lane per host, in order, signed as its author, settled in the database."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from medfed.accounts.promise import WAKE, WITHHELD_FOR
from medfed.accounts.sign import CRASHES, REFUSALS, Knocking, Manners
from medfed.activitypub import followersync
from medfed.activitypub.manners import CAVAGE, REMEMBERED_FOR, remembered
from medfed.delivery.hosts import (
    ASIDE_FOR,
    BROKE,
    MISSING_FOR,
    MISSING_TRIES,
    STEPS,
    Outcome,
    Verdict,
    chance,
    outcome_of,
    retry_at,
)
from medfed.domain.peers import Peer
from medfed.domain.posts import RESTRICTED
from medfed.instance import Instance
from medfed.kernel.clock import SECOND, Millis
from medfed.kernel.errors import MedfedError
from medfed.net.fetch import require_success
from medfed.net.message import Response
from medfed.storage import accounts, outbox, peers
from medfed.storage.database import Transaction
from medfed.storage.outbox import WITHDRAWALS, Delivery, Due

log: Final = logging.getLogger(__name__)

LANES: Final = 64
"""Hosts that are delivered to at the same time, those that take their time not counted."""
MOST_LANES: Final = 256
DOUBTFUL_LANES: Final = 32
"""How many of all may be taken by hosts that failed last time: they keep no lane from the others."""
SLOW_AFTER: Final = 1.0
"""Seconds after which a lane no longer counts among `LANES`, so that slow hosts do not make the others wait."""
REFILL: Final = LANES // 4
LOOK_EVERY: Final = 0.02
FOUND_AT_ONCE: Final = 1_000
FOUND_FOR: Final = 1.0
"""Seconds for which lanes that were found due are begun without looking again."""
BATCH: Final = 50
SETTLE_AFTER: Final = 10
"""How many deliveries of a lane may be made twice after a crash; the receiver knows them by their ids."""
ELSEWHERE: Final = 1 * SECOND
"""How long a lane that another process has is not asked for again."""
_SETTLED: Final[frozenset[Verdict]] = frozenset({"gone", "missing", "aside", "withheld", "refused", "pointless"})
"""After these a lane goes on with what is owed next."""
_TYPE: Final = {"content-type": "application/activity+json"}
_SYNCHRONISES: Final = frozenset({"Create", "Update", "Announce"})
"""What says with it who on the receiver's host follows the author (FEP-8fcf), if it is for followers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _UnderWay:
    task: "asyncio.Task[None]"
    since: float
    doubtful: bool


class Deliverer:
    """Delivers for one instance; a lane is never held by two tasks, nor by two processes."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._busy: dict[str, _UnderWay] = {}
        """Lanes that are under way, the oldest first."""
        self._doubtful = 0
        self._resting: dict[str, Millis] = {}
        """Lanes that are left alone for a while, and until when: another process has them, or they failed oddly."""
        self._found: deque[Due] = deque()
        """Lanes that were due when they were last looked for, and are not begun yet."""
        self._found_until = 0.0
        self._look_at = 0.0
        self._look: asyncio.TimerHandle | None = None

    async def run_due(self) -> bool:
        """Start the lanes that are due; True if any was started."""
        room, now = self._room(), time.monotonic()
        if room <= 0:
            return False
        if room < REFILL and now < self._look_at:
            self._look_soon()
            return False
        self._look_at = now + LOOK_EVERY
        return await self._begin(self._next(room)) or await self._begin(await self._look_for(room, now))

    async def _look_for(self, room: int, now: float) -> list[Due]:
        """Find lanes that are due: more than there is room for, since finding them costs the same."""
        async with self._instance.store.view() as view:
            due = await outbox.due(
                view, self._instance.here.now(), busy=self._not_now(), limit=FOUND_AT_ONCE, doubtful=DOUBTFUL_LANES
            )
        self._found = deque(due)
        self._found_until = now + FOUND_FOR
        return self._next(room)

    def _next(self, room: int) -> list[Due]:
        """Lanes that were found a moment ago, as many as there is room for."""
        if time.monotonic() >= self._found_until:
            return []
        not_now = frozenset(self._not_now())
        doubtful = DOUBTFUL_LANES - self._doubtful
        chosen: list[Due] = []
        while self._found and len(chosen) < room:
            lane = self._found.popleft()
            if lane.host in not_now or (lane.doubtful and doubtful <= 0):
                continue
            doubtful -= lane.doubtful
            chosen.append(lane)
        return chosen

    async def _begin(self, due: Sequence[Due]) -> bool:
        """Start lanes, unless nothing is owed there any more; whether one was started."""
        if not due:
            return False
        async with self._instance.store.view() as view:
            first = await outbox.waiting(view, [lane.first_id for lane in due])
            known = await peers.find_many(view, first) if first else {}
        for lane in due:
            if lane.host in first and lane.host not in self._busy:
                self._start(lane, first[lane.host], known.get(lane.host))
        return bool(first)

    def _room(self) -> int:
        """How many lanes may be started: those that a slow host keeps open for long take no place but the last."""
        quick = time.monotonic() - SLOW_AFTER
        lanes = self._busy.values()
        oldest = next(iter(lanes), None)
        if oldest is None or (oldest.since > quick and not self._doubtful):
            counted = len(lanes)  # asked whenever a lane ends, and mostly none of them is slow
        else:
            counted = sum(lane.since > quick for lane in lanes if not lane.doubtful)
        return min(LANES - counted, MOST_LANES - len(lanes))

    def _not_now(self) -> list[str]:
        """Hosts that are delivered to already, here or elsewhere, or whose lane has just failed."""
        now = self._instance.here.now()
        self._resting = {host: until for host, until in self._resting.items() if until > now}
        return [*self._busy, *self._resting]

    def _look_soon(self) -> None:
        """While nearly all lanes are taken, hosts are looked for some times a second, not as each lane ends."""
        if self._look is None:
            self._look = asyncio.get_running_loop().call_later(LOOK_EVERY, self._look_again)

    def _look_again(self) -> None:
        self._look = None
        self._instance.store.wake(WAKE)

    def _start(self, lane: Due, first: Delivery, peer: Peer | None) -> None:
        task = asyncio.create_task(self._lane(lane, first, peer), name=f"lane {lane.host}")
        self._busy[lane.host] = _UnderWay(task=task, since=time.monotonic(), doubtful=lane.doubtful)
        self._doubtful += lane.doubtful
        task.add_done_callback(partial(self._free, lane.host))

    def _free(self, host: str, done: asyncio.Task[None]) -> None:
        self._doubtful -= self._busy.pop(host).doubtful
        if not done.cancelled() and (error := done.exception()) is not None:
            log.error("lane %s failed", host, exc_info=error)
            self._resting[host] = self._instance.here.now() + STEPS[1]
        if self._room() >= REFILL:
            self._instance.store.wake(WAKE)
        else:
            self._look_soon()

    def rest_no_longer(self) -> None:
        """Forget which lanes were to be left alone, and until when: the clock said something else then."""
        self._resting.clear()

    async def settle(self) -> None:
        """Wait until every lane that is under way has ended."""
        while self._busy:
            await asyncio.gather(*self._tasks(), return_exceptions=True)
            await asyncio.sleep(0)

    async def aclose(self) -> None:
        """Stop; what was not settled is owed still."""
        if self._look is not None:
            self._look.cancel()
        under_way = self._tasks()
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    def _tasks(self) -> "list[asyncio.Task[None]]":
        return [lane.task for lane in self._busy.values()]

    async def _lane(self, lane: Due, first: Delivery, peer: Peer | None) -> None:
        """Deliver to one host, unless another process does."""
        async with self._instance.store.alone(f"lane {lane.host}") as mine:
            if mine:
                await self._drain(lane, first, peer)
            else:
                self._resting[lane.host] = self._instance.here.now() + ELSEWHERE

    async def _drain(self, lane: Due, first: Delivery, peer: Peer | None) -> None:
        """Deliver to one host, in order, what it was owed when it was found due, or until an attempt fails."""
        habits = self._habits(lane.host, peer)
        goes_on, last = await self._deliver_in_order(lane.host, [first], peer, habits), lane.first_id
        while goes_on and last < lane.last_id:
            async with self._instance.store.view() as view:
                owed = await outbox.lane(view, lane.host, BATCH)
                peer = await peers.find(view, lane.host)
            if not owed:
                return
            goes_on, last = await self._deliver_in_order(lane.host, owed, peer, habits), owed[-1].id

    def _habits(self, host: str, peer: Peer | None) -> Manners:
        """How a host was found to take our signatures, as far as that is not too long ago."""
        habits = Manners()
        manner = remembered(self._kept(peer))
        if manner is not None:
            habits.learn(host, manner)
        return habits

    def _kept(self, peer: Peer | None) -> str:
        return peer.signs_with if peer is not None and peer.signs_until > self._instance.here.now() else ""

    async def _deliver_in_order(self, host: str, owed: Sequence[Delivery], peer: Peer | None, habits: Manners) -> bool:
        """False when the lane has to rest."""
        done: list[Delivery] = []
        kept = self._kept(peer)
        gone: set[str] = set()
        for delivery in owed:
            if delivery.inbox in gone:
                continue
            outcome = await self._attempt(delivery, habits)
            if outcome.verdict == "done":
                done.append(delivery)
                if len(done) >= SETTLE_AFTER:
                    kept, done = await self._settle_done(host, done, habits, kept), []
                continue
            kept, done = await self._settle_done(host, done, habits, kept), []
            if not await self._settle_failure(host, delivery, outcome, peer):
                return False
            if outcome.verdict == "gone":
                gone.add(delivery.inbox)
        await self._settle_done(host, done, habits, kept)
        return True

    async def _settle_done(self, host: str, done: Sequence[Delivery], habits: Manners, kept: str) -> str:
        """Settle what has arrived; how the host is now known to take signatures, which was `kept` so far."""
        if not done:
            return kept
        there_again = {delivery.inbox for delivery in done if delivery.missing_since is not None}
        now = self._instance.here.now()
        manner = habits.of(host)
        takes = manner.lasting.says if manner is not None else kept

        async def settle(tx: Transaction) -> None:
            await outbox.done_many(tx, [delivery.id for delivery in done])
            for inbox in there_again:
                await outbox.found(tx, inbox)
            await peers.sent_to(tx, host, now)
            if takes != kept:
                await peers.replace_scheme(tx, host, takes, known=kept, until=now + REMEMBERED_FOR, at=now)

        # Lanes that end at about the same time share a commit.
        await self._instance.store.arrive("settle deliveries", settle)
        return takes

    async def _settle_failure(self, host: str, delivery: Delivery, outcome: Outcome, peer: Peer | None) -> bool:
        """Whether the lane may go on with its next delivery."""
        now = self._instance.here.now()
        failures = (peer.failures if peer else 0) + 1
        next_at = retry_at(now, failures, retry_after=outcome.retry_after, chance=chance())
        verdict = _judged(delivery, outcome.verdict, now, failures)

        async def settle(tx: Transaction) -> bool:
            if verdict in _SETTLED:
                await self._settle_one(tx, delivery, verdict, outcome.error)
                return True
            await outbox.failed(tx, delivery.id, outcome.error)
            if verdict == "later":
                asked_until = now + outcome.retry_after * SECOND if outcome.retry_after else 0
                await peers.failed(tx, host, at=now, next_at=next_at, error=outcome.error, asked_until=asked_until)
            return False

        goes_on = await self._instance.store.arrive("settle failure", settle)
        if not goes_on:
            log.info("delivery to %s failed, tried again later: %s", host, outcome.error)
        if verdict == "broken":
            self._resting[host] = now + STEPS[1] * 2**delivery.attempts
        return goes_on

    async def _settle_one(self, tx: Transaction, delivery: Delivery, verdict: Verdict, error: str) -> None:
        """A delivery that holds its lane up no longer."""
        now = self._instance.here.now()
        match verdict:
            case "gone":
                await outbox.drop_inbox(tx, delivery.inbox)
                await outbox.found(tx, delivery.inbox)
                await accounts.mark_gone_at(tx, delivery.inbox, now)
            case "missing":
                await outbox.missing(tx, delivery.inbox, now)
                await outbox.park(tx, delivery.id, error, again_at=now + ASIDE_FOR)
            case "aside":
                await outbox.park(tx, delivery.id, error, again_at=now + ASIDE_FOR)
            case "withheld":
                await outbox.withhold(tx, delivery.id, error, until=now + WITHHELD_FOR)
            case "refused":
                await outbox.park(tx, delivery.id, error)
            case _:
                await outbox.done(tx, delivery.id)

    async def _attempt(self, delivery: Delivery, habits: Manners) -> Outcome:
        if self._instance.levels.is_blocked(delivery.host):
            return Outcome(verdict="withheld", error="the peer is blocked")
        if _is_overtaken(delivery):
            return Outcome(verdict="pointless", error="the post is deleted")
        if delivery.visibility in RESTRICTED and not self._instance.levels.is_trusted(delivery.host):
            return Outcome(verdict="withheld", error="the peer is no longer trusted")
        try:
            require_success(await self._post(delivery, habits))
        except MedfedError as error:
            return outcome_of(error, delivery.attempts, habits.complaint)
        except Exception as error:
            log.exception("the delivery of %s to %s broke", delivery.uri, delivery.host)
            return Outcome(verdict="broken", error=f"{type(error).__name__}: {error}")
        return Outcome(verdict="done")

    async def _post(self, delivery: Delivery, habits: Manners) -> Response:
        keys = await self._instance.keyring.both(delivery.account_id, said_at=delivery.created_at)
        is_known = habits.of(delivery.host) is not None and not delivery.attempts
        sign = Knocking(
            keys=keys,
            clock=self._instance.here.clock,
            manners=habits,
            first=CAVAGE,
            confusing=REFUSALS if is_known else REFUSALS | CRASHES,
        )
        headers = _TYPE
        if delivery.to_followers and delivery.kind in _SYNCHRONISES:
            announced = await self._instance.followers.announced(delivery.account_id, delivery.host)
            headers = _TYPE | {followersync.HEADER: announced}
        return await self._instance.net.post(delivery.inbox, body=delivery.body, headers=headers, sign=sign)


def _judged(delivery: Delivery, verdict: Verdict, now: Millis, failures: int) -> Verdict:
    """What an outcome means for a delivery that has a past (J04, J05, J09), to a host that failed so often in a row."""
    if verdict == "missing" and _has_long_been_missing(delivery, now):
        return "gone"
    if _is_to_be_given_up(delivery, verdict, now, failures):
        # That a peer was never told of a deletion is for an administrator to know; the sweep writes it into the audit.
        return "refused" if delivery.kind in WITHDRAWALS else "pointless"
    if verdict == "broken" and delivery.attempts + 1 >= BROKE:
        return "refused"
    return verdict


def _is_to_be_given_up(delivery: Delivery, verdict: Verdict, now: Millis, failures: int) -> bool:
    """Whether it is too old, and not only by a clock that was set a year ahead: it was tried for hours, too (X10)."""
    if now < delivery.keep_until:
        return False
    if verdict in ("later", "aside", "missing"):
        return max(delivery.attempts + 1, failures) >= len(STEPS)
    return verdict in ("refused", "broken")


def _has_long_been_missing(delivery: Delivery, now: Millis) -> bool:
    since, tries = delivery.missing_since, delivery.missing_tries
    return since is not None and tries is not None and now - since >= MISSING_FOR and tries + 1 >= MISSING_TRIES


def _is_overtaken(delivery: Delivery) -> bool:
    """Of a post that is deleted since nothing leaves but what says so, which is behind this in the lane (J10)."""
    return delivery.kind != "Delete" and delivery.post_id is not None and delivery.visibility is None
