"""Clocks that are set forward and back, or stand still, while work goes on: nothing is lost or out of order (X10)."""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from bench import stage
from bench.cast import Cast
from medfed.kernel.clock import DAY, HOUR, MINUTE, FixedClock
from medfed.kernel.ids import Ids
from medfed.kernel.paging import Page
from medfed.storage import moderation
from medfed.storage.connect import connect
from medfed.storage.database import Store
from medfed.storage.statements import sql
from tests.faults.abuse import SENDERS, Scene, Senders, a_scene
from tests.faults.history import Aftermath, violations
from tests.faults.tools import faketime
from tests.support.stranger import Stranger
from tests.support.world import a_world

_IN_ORDER = sql("SELECT uri FROM post ORDER BY id")

FROZEN: Final = "frozen"
STEPS: Final[Mapping[str, int]] = {
    "+0": 202,
    "+600": 202,
    "+0 ": 202,
    "-600": 401,
    "+31536000": 401,
    FROZEN: 202,
    "+0  ": 202,
}
"""Where the server's clock is set, in seconds from the right time, and how it answers what is signed now: a
sender whose request was read before may still get the other answer."""


@pytest.mark.slow
@pytest.mark.case("X10")
async def test_a_clock_that_is_stepped_under_load_costs_nothing(tmp_path: Path, empty_database_url: str) -> None:
    library = faketime()
    cast = Cast.hire(hosts=6, per_host=2)
    async with a_scene(tmp_path, empty_database_url, cast, followed=True, following=True) as scene:
        posts = await stage.promise_posts(scene.place, [f"Avis {number}" for number in range(60)])
        await scene.ask_peer("/-/behave", json.dumps({"delay": 0.05, "failing": 0.02}).encode())
        offset = tmp_path / "offset"
        offset.write_text("+0")
        lie = [f"LD_PRELOAD={library}", f"FAKETIME_TIMESTAMP_FILE={offset}", "FAKETIME_CACHE_DURATION=1"]
        lie += ["DONT_FAKE_MONOTONIC=1", "FAKETIME_DONT_FAKE_MONOTONIC=1", "TZ=UTC"]
        scene.server = replace(scene.server, arguments=["/usr/bin/env", *lie, *scene.server.arguments])
        await stage.answers(scene.server.start(), scene.place.authority, within=60)
        senders = Senders(scene)
        sending = asyncio.create_task(senders.run())
        for step, expected in STEPS.items():
            offset.write_text(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}" if step == FROZEN else step.strip())
            await _become(senders, expected)
        senders.stopped = True
        await sending
        await scene.ask_peer("/-/behave", b"{}")
        await scene.everybody_speaks()
        await _come_to_rest(scene, posts)
        known = await _in_order(scene.place.database)
        offset.write_text("-200")
        await stage.answers(scene.server.start(), scene.place.authority, within=60)
        await scene.everybody_speaks(1_000_000)
        scene.server.stop()
        now = await _in_order(scene.place.database)
        assert (now[: len(known)], len(now)) == (known, len(known) + len(cast.roles))


async def _become(senders: Senders, expected: int) -> None:
    """The server hears of the new time, answers what was under way, and most of what comes then as expected."""
    try:
        async with asyncio.timeout(60):
            while True:
                await _answers(senders, 3 * SENDERS)
                await _answers(senders, 30)
                assert senders.statuses.keys() <= {202, 401}
                if max(senders.statuses, key=senders.statuses.__getitem__) == expected:
                    return
    except TimeoutError:
        pytest.fail(f"most are not answered {expected}: {senders.statuses}")


async def _answers(senders: Senders, count: int) -> None:
    """Begin to count anew, and wait for so many answers."""
    senders.statuses = Counter()
    async with asyncio.timeout(60):
        while senders.statuses.total() < count:  # noqa: ASYNC110 - another process answers
            await asyncio.sleep(0.02)


async def _in_order(url: str) -> list[str]:
    store = await connect(url, durable=False)
    try:
        async with store.view() as view:
            return [row["uri"] for row in await view.all(_IN_ORDER)]
    finally:
        await store.aclose()


async def _come_to_rest(scene: Scene, posts: list[str]) -> None:
    await scene.come_to_rest("inbox_log")
    await scene.come_to_rest("delivery")
    scene.history.received = json.loads(await scene.ask_peer("/-/received"))
    scene.server.stop()
    scene.history.promised = [f"{uri}/activity" for uri in posts]
    scene.history.audience = {role.host for role in scene.cast.roles}
    after = await Aftermath.of(scene.place.database)
    scene.history.sent |= {f"{uri}/activity" for uri in after.posts}
    assert violations(scene.history, after) == []


@pytest.mark.case("X10", "J02")
@pytest.mark.parametrize("step", [10 * MINUTE, -10 * MINUTE, -DAY, 3 * DAY, 365 * DAY])
async def test_what_waits_for_its_time_is_neither_forgotten_nor_done_twice(database_url: str, step: int) -> None:
    async with a_world("lyon.test", databases=[database_url]) as world:
        lyon, reader = world["lyon.test"], Stranger(world, "peer.test").person("reader")
        await reader.tells(lyon, reader.activity("Follow", (await lyon.member("dr-roy")).uri))
        await world.settle()
        world.down("peer.test")
        posts = [await lyon.publishes("dr-roy", f"Avis {number}") for number in range(3)]
        await world.pass_time(MINUTE)
        await world.pass_time(step)
        posts.append(await lyon.publishes("dr-roy", "Après"))
        await world.pass_time(HOUR)
        world.up("peer.test")
        await world.pass_time(13 * HOUR + max(0, -step))
        assert [each["object"]["id"] for each in reader.home.heard("Create")] == [post.uri for post in posts]
        arrived = await reader.tells(lyon, reader.create())
        assert arrived.startswith("done")


@pytest.mark.case("X10", "I22")
async def test_a_clock_that_was_set_back_reorders_neither_ids_nor_the_audit(store: Store) -> None:
    clock = FixedClock()
    before, after_a_restart = Ids(clock), Ids(clock)
    minted = [before.new() for _ in range(3)]
    clock.advance(-10 * MINUTE)
    minted += [before.new() for _ in range(3)]
    after_a_restart.follow(minted[-1])
    minted += [after_a_restart.new() for _ in range(3)]
    assert minted == sorted(set(minted))
    for at in (clock.now(), clock.now() - HOUR, clock.now() + HOUR):
        async with store.transaction("audit") as tx:
            await moderation.record(tx, at=at, actor="test", action="test", subject=str(at))
    async with store.view() as view:
        trail = await moderation.audit(view, Page())
        assert [entry.seq for entry in trail] == [3, 2, 1]
        assert await moderation.first_broken_link(view) is None


@pytest.mark.case("X10")
async def test_what_a_clock_put_off_that_ran_ahead_is_called_in_when_it_is_set_right(database_url: str) -> None:
    async with a_world("lyon.test", databases=[database_url]) as world:
        lyon, reader = world["lyon.test"], Stranger(world, "peer.test").person("reader")
        await reader.tells(lyon, reader.activity("Follow", (await lyon.member("dr-roy")).uri))
        await world.settle()
        right = world.clock.now()
        world.clock.advance(365 * DAY)
        world.down("peer.test")
        post = await lyon.publishes("dr-roy", "Avis")
        await world.settle()
        world.clock.at = right
        world.up("peer.test")
        await world.pass_time(DAY)
        assert reader.home.heard("Create") == []
        await lyon.worker._mind_the_clock(right + 365 * DAY)
        await world.settle()
        assert [each["object"]["id"] for each in reader.home.heard("Create")] == [post.uri]
