"""Claims, runs and settles background work: arrivals to apply, deliveries to make, tasks to do.

Wakes on commit, in this process or another; and by itself when something falls due.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from functools import partial
from itertools import groupby
from typing import Final

from medfed.accounts.peers import WAKE as PEERS
from medfed.accounts.promise import WAKE as DELIVERY
from medfed.delivery.send import Deliverer
from medfed.domain.accounts import Account
from medfed.inbox.handling import Handling
from medfed.inbox.http import WAKE as INBOX
from medfed.inbox.process import Processor
from medfed.inbox.resolve import Fetchers
from medfed.instance import Instance
from medfed.kernel.clock import HOUR, MINUTE, SECOND, Millis
from medfed.kernel.errors import MedfedError, StorageDown, Unreachable
from medfed.storage import accounts, heartbeat, inbox_log, outbox, peers, tasks
from medfed.storage.inbox_log import Arrival
from medfed.storage.tasks import Task
from medfed.worker.routes import ROUTES

log: Final = logging.getLogger(__name__)

BATCH: Final = 200
AT_ONCE: Final = 64
PATIENCE: Final = 1.0
"""Seconds that others wait for those whose activities make us ask slow servers."""
ELSEWHERE: Final = 1 * SECOND
"""How long what one actor sent, and another process is applying, is not asked for again."""
TRIES: Final = 5
LONGEST_SLEEP: Final = 30 * SECOND
HEARTBEAT: Final = 15 * SECOND
LONGEST_WAIT: Final = 25 * HOUR
"""More than anything waits for that failed: a peer may ask for a day of patience."""


class Worker:
    """Does the background work of one instance, in one process."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._deliverer = Deliverer(instance)
        self._processor = Processor(
            store=instance.store,
            fetchers=Fetchers.of(instance),
            handling=Handling(here=instance.here, levels=instance.levels),
        )
        self._lines: dict[str, asyncio.Task[None]] = {}
        """What is being applied, by actor."""
        self._elsewhere: dict[str, Millis] = {}
        """Actors whose activities another process applies, and until when they are not asked for."""
        self._running: dict[int, asyncio.Task[None]] = {}
        """What is being done, by the id of the task."""
        self._tasks_elsewhere: dict[int, Millis] = {}
        """Tasks that another process does, and until when they are not asked for."""
        self._routes = {line.kind: line for line in ROUTES}
        self.beat: Millis = 0
        """When a loop last came round; readiness looks at it."""

    async def start(self) -> None:
        """Make sure that recurring tasks are scheduled, and that the levels of peers are those of the database."""
        await self._instance.levels.reload(self._instance.store)
        await self._beat()
        await self._schedule()

    async def _schedule(self) -> None:
        """Begin with everything that recurs, and with what was put off for longer than we ever put anything off."""
        now = self._instance.here.now()
        async with self._instance.store.transaction("schedule recurring tasks") as tx:
            await peers.call_in(tx, now + LONGEST_WAIT)
            await inbox_log.call_in(tx, now, now + LONGEST_WAIT)
            for line in ROUTES:
                if line.every is not None:
                    await tasks.enqueue(
                        tx, id_=self._instance.here.ids.new(), kind=line.kind, payload={}, run_at=now, once=line.kind
                    )

    async def run(self) -> None:
        """Start, and work until cancelled."""
        await self.start()
        await self.work()

    async def work(self) -> None:
        """Work until cancelled, after `start`. What was not settled then is still there."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._forever(INBOX, self.apply_arrivals, inbox_log.next_due), name="inbox")
                group.create_task(self._forever(DELIVERY, self._deliverer.run_due, outbox.next_due), name="delivery")
                group.create_task(self._forever(tasks.WAKE, self.run_tasks, tasks.next_due), name="tasks")
                group.create_task(self._beat_on(), name="heartbeat")
                group.create_task(self._forever(PEERS, self._reload_levels, _never), name="peers")
        finally:
            going_on = [*self._lines.values(), *self._running.values()]
            for each in going_on:
                each.cancel()
            await asyncio.gather(*going_on, return_exceptions=True)
            await self._deliverer.aclose()

    async def settle(self) -> None:
        """Do everything that is due now, and what it leads to; for tests and simulations."""
        busy = True
        while busy:
            busy = await self.apply_arrivals()
            await asyncio.gather(*self._lines.values())
            busy = await self._deliverer.run_due() or busy
            await self._deliverer.settle()
            busy = await self.run_tasks() or busy
            await asyncio.gather(*self._running.values())

    async def _forever(
        self,
        channel: str,
        work: Callable[[], Awaitable[bool]],
        next_due: Callable[..., Awaitable[Millis | None]],
    ) -> None:
        woken = asyncio.Event()
        stop = self._instance.store.on_wake(channel, woken.set)
        try:
            while True:
                woken.clear()
                self.beat = self._instance.here.now()
                await self._round(channel, woken, work, next_due)
        finally:
            stop()

    async def _round(
        self,
        channel: str,
        woken: asyncio.Event,
        work: Callable[[], Awaitable[bool]],
        next_due: Callable[..., Awaitable[Millis | None]],
    ) -> None:
        """The outermost frame of background work: whatever goes wrong in it is logged, and the work goes on."""
        try:
            if not await work():
                await self._sleep(woken, next_due)
        except StorageDown as error:
            log.error("the %s loop waits for the database: %s", channel, error)  # noqa: TRY400 - no news in its trace
            await asyncio.sleep(1)
        except Exception:
            log.exception("the %s loop failed and goes on", channel)
            await asyncio.sleep(1)

    async def _sleep(self, woken: asyncio.Event, next_due: Callable[..., Awaitable[Millis | None]]) -> None:
        async with self._instance.store.view() as view:
            due = await next_due(view)
        wait = LONGEST_SLEEP if due is None else min(LONGEST_SLEEP, max(due - self._instance.here.now(), 100))
        try:
            await asyncio.wait_for(woken.wait(), wait / 1000)
        except TimeoutError:
            return

    async def _beat_on(self) -> None:
        """Let processes that only serve know that there is a worker; mind the clock."""
        before = self._instance.here.now()
        while True:
            try:
                before = await self._mind_the_clock(before)
                await self._beat()
            except MedfedError as error:
                log.error("the heartbeat was not written: %s", error)  # noqa: TRY400 - no news in its trace
            await asyncio.sleep(HEARTBEAT / 1000)

    async def _mind_the_clock(self, before: Millis) -> Millis:
        """What a clock that ran ahead put off must not wait until that time has really come (X10)."""
        now = self._instance.here.now()
        if now < before:
            log.warning("the clock was set back by %d s", (before - now) // SECOND)
            self._elsewhere.clear()
            self._tasks_elsewhere.clear()
            self._deliverer.rest_no_longer()
            await self._schedule()
            for channel in (INBOX, DELIVERY, "tasks"):
                self._instance.store.wake(channel)
        return now

    async def _beat(self) -> None:
        async with self._instance.store.transaction("heartbeat") as tx:
            await heartbeat.beat(tx, self._instance.here.now())

    async def _reload_levels(self) -> bool:
        await self._instance.levels.reload(self._instance.store)
        return False

    # ── arrivals ─────────────────────────────────────────────────────────────────────────────────────────────

    async def apply_arrivals(self) -> bool:
        """Apply what is due: each actor's in order, different actors' side by side. False when nothing was due.

        Who makes us wait (for a thread on a slow server, say) is left to finish by themselves.
        """
        now = self._instance.here.now()
        async with self._instance.store.view() as view:
            waiting = await inbox_log.waiting(view, now, BATCH, busy=self._not_now(now))
            actors = await accounts.find_by_uris(view, {arrival.actor_uri for arrival in waiting})
        if not waiting:
            return False
        ordered = sorted(waiting, key=lambda arrival: (arrival.actor_uri, arrival.id))
        room = asyncio.Semaphore(AT_ONCE)
        for uri, line in groupby(ordered, key=lambda arrival: arrival.actor_uri):
            task = asyncio.create_task(
                self._apply_in_order(uri, list(line), actors.get(uri), room), name=f"apply {uri}"
            )
            self._lines[uri] = task
            task.add_done_callback(partial(self._end_line, uri))
        await asyncio.wait(list(self._lines.values()), timeout=PATIENCE)
        return True

    def _end_line(self, uri: str, done: "asyncio.Task[None]") -> None:
        self._lines.pop(uri, None)
        if not done.cancelled() and (error := done.exception()) is not None:
            log.error("applying what %s sent failed", uri, exc_info=error)

    def _not_now(self, now: Millis) -> list[str]:
        self._elsewhere = {uri: until for uri, until in self._elsewhere.items() if until > now}
        return [*self._lines, *self._elsewhere]

    async def _apply_in_order(
        self, uri: str, line: Iterable[Arrival], actor: Account | None, room: asyncio.Semaphore
    ) -> None:
        async with room, self._instance.store.alone(f"apply {uri}") as mine:
            if not mine:
                self._elsewhere[uri] = self._instance.here.now() + ELSEWHERE
                return
            for arrival in line:
                await self._apply(arrival, actor)

    async def _apply(self, arrival: Arrival, actor: Account | None) -> None:
        try:
            await self._processor.process(arrival, actor)
        except Exception as error:
            log.exception("applying %s failed", arrival.uri)
            await self._set_aside(arrival, f"{type(error).__name__}: {error}")

    async def _set_aside(self, arrival: Arrival, note: str) -> None:
        """A poison activity is tried a few times and then put where an admin sees it; nothing waits for it (J09)."""
        async with self._instance.store.transaction("set arrival aside") as tx:
            if arrival.attempts + 1 >= TRIES:
                await inbox_log.give_up(tx, arrival.id, note)
            else:
                next_at = self._instance.here.now() + MINUTE * 2**arrival.attempts
                await inbox_log.retry_at(tx, arrival.id, next_at=next_at, note=note)

    # ── tasks ────────────────────────────────────────────────────────────────────────────────────────────────

    async def run_tasks(self) -> bool:
        """Begin the tasks that are due, as far as there is room. False when there were none to begin.

        A task that takes long (a slow issuer is polled, say) is left to finish by itself; the others wait no
        longer than PATIENCE for it.
        """
        now = self._instance.here.now()
        async with self._instance.store.view() as view:
            due = await tasks.due(view, now, BATCH)
        self._tasks_elsewhere = {id_: until for id_, until in self._tasks_elsewhere.items() if until > now}
        free = [task for task in due if task.id not in self._running and task.id not in self._tasks_elsewhere]
        begun = [self._begin_task(task) for task in free[: AT_ONCE - len(self._running)]]
        if not begun:
            return False
        done, _ = await asyncio.wait(begun, timeout=PATIENCE)
        for each in done:
            each.result()
        return True

    def _begin_task(self, task: Task) -> "asyncio.Task[None]":
        running = asyncio.create_task(self._claim_and_run(task), name=f"task {task.once}")
        self._running[task.id] = running
        running.add_done_callback(partial(self._end_task, task))
        return running

    def _end_task(self, task: Task, done: "asyncio.Task[None]") -> None:
        self._running.pop(task.id, None)
        if not done.cancelled() and (error := done.exception()) is not None:
            log.error("task %s could not be settled: %s", task.once, error)

    async def _claim_and_run(self, task: Task) -> None:
        """Do one task, and nobody else meanwhile, however much longer than its lease it takes."""
        async with self._instance.store.alone(f"task {task.id}") as mine:
            now = self._instance.here.now()
            if not mine:
                self._tasks_elsewhere[task.id] = now + ELSEWHERE
                return
            lease = now + tasks.LEASE
            async with self._instance.store.transaction("claim task") as tx:
                claimed = await tasks.claim(tx, task.id, now=now, until=lease)
            if claimed:
                await self._run_task(replace(task, lease=lease))

    async def _run_task(self, task: Task) -> None:
        line = self._routes.get(task.kind)
        if line is None:
            async with self._instance.store.transaction("bury task") as tx:
                await tasks.bury(tx, task.id, "no such kind of task")
            return
        try:
            await line.run(self._instance, task.payload)
        except Unreachable as error:
            await self._again(task, f"{error}", wait=MINUTE * 2 ** min(task.attempts, 9))
        except Exception as error:
            log.exception("task %s failed", task.once)
            if task.attempts + 1 >= TRIES and line.every is None:
                async with self._instance.store.transaction("bury task") as tx:
                    await tasks.bury(tx, task.id, f"{type(error).__name__}: {error}")
            else:
                await self._again(task, f"{type(error).__name__}: {error}", wait=MINUTE * 2 ** min(task.attempts, 6))
        else:
            await self._finish(task, line.period(self._instance.settings))

    async def _finish(self, task: Task, every: Millis | None) -> None:
        async with self._instance.store.transaction("finish task") as tx:
            if every is None:
                await tasks.finish(tx, task)
            else:
                await tasks.again(tx, task, run_at=self._instance.here.now() + every, attempts=0)

    async def _again(self, task: Task, error: str, *, wait: Millis) -> None:
        async with self._instance.store.transaction("retry task") as tx:
            run_at = self._instance.here.now() + wait
            await tasks.again(tx, task, run_at=run_at, attempts=task.attempts + 1, error=error)


async def _never(_view: object) -> Millis | None:
    return None
