"""Very many hosts are down for a day: what waits for them costs a row each, and leaves when they are back.

How many, and how many posts each of them misses: MEDFED_FAULT_HOSTS and MEDFED_FAULT_POSTS.
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from bench.cast import Role
from medfed.accounts.lookup import store_actor
from medfed.activitypub.wire import read_actor
from medfed.domain.relations import Follow
from medfed.kernel.clock import DAY, HOUR, MINUTE
from medfed.kernel.errors import Unreachable
from medfed.net.message import Headers, OutgoingRequest, Response
from medfed.storage import relations
from medfed.storage.statements import sql
from tests.support.world import Site, World, a_world, some_keys

HOSTS: Final = int(os.environ.get("MEDFED_FAULT_HOSTS", "120"))
POSTS: Final = int(os.environ.get("MEDFED_FAULT_POSTS", "6"))
FEW: Final = 5
ATTEMPTS_A_DAY: Final = 8
"""At once, after 1, 5 and 15 minutes, 1, 2, 4 and 8 hours, each a fifth sooner or later (J02)."""
MEMORY: Final = 500 * 2**20
"""Of the whole process, at any moment (X13)."""
PATIENCE: Final = 10.0
A_TURN: Final = 8
"""Something new to hosts that were never down waits for one turn of each that catches up, not for all they miss (J07):
so many seconds, or that part of the time that the whole takes."""

_OWED = sql("SELECT COUNT(*) FROM delivery")


@dataclass(slots=True)
class Beyond:
    """A transport to all of them: nobody answers, then everybody."""

    up: set[str] = field(default_factory=set)
    all_up: bool = False
    tried: Counter[str] = field(default_factory=Counter)
    took: Counter[str] = field(default_factory=Counter)
    arrived: int = 0
    most: int = 0
    """Bytes of memory that this process had at most."""
    flowing: asyncio.Event = field(default_factory=asyncio.Event)
    """What waited is on its way, and half of it has arrived."""

    async def send(self, request: OutgoingRequest, _timeout: float, _limit: int) -> Response:
        self.tried[request.authority] += 1
        if not (self.all_up or request.authority in self.up):
            raise Unreachable("cannot connect", host=request.authority)
        self.took[request.authority] += 1
        self.arrived += 1
        if self.all_up and self.arrived > HOSTS * POSTS // 2:
            self.flowing.set()
        if self.arrived % 50 == 0:
            self.most = max(self.most, _resident())
        return Response(status=202, url=request.url, headers=Headers([]), body=b"")

    async def aclose(self) -> None:
        return


class _Forgotten(list[OutgoingRequest]):
    """Keeps nothing: a million requests are not for keeping."""

    def append(self, _request: OutgoingRequest) -> None:
        return


@asynccontextmanager
async def _many(database: str) -> AsyncIterator[tuple[World, Site, Beyond]]:
    async with a_world("lyon.test", databases=[database], federation={"allow_http": True}) as world:
        beyond, lyon = Beyond(up={f"up{number}.test" for number in range(FEW)}), world["lyon.test"]
        world.internet.beyond, world.internet.requests = beyond, _Forgotten()
        await lyon.member("dr-roy")
        names = [f"down{number}.test" for number in range(HOSTS)] + sorted(beyond.up)
        for start in range(0, len(names), 500):
            await _follow(lyon, names[start : start + 500])
        yield world, lyon, beyond


async def _follow(site: Site, hosts: list[str]) -> None:
    here, member, key = site.instance.here, await site.member("dr-roy"), some_keys().rsa
    async with site.instance.store.transaction("follow") as tx:
        for host in hosts:
            document = Role(host=host, name="reader", key=key).document()
            account = await store_actor(tx, here, read_actor(document, here.now()), domain=host)
            id_ = here.ids.new()
            await relations.put(
                tx,
                Follow(
                    id=id_, uri=f"{account.uri}/follows/{id_}", follower_id=account.id, target_id=member.id,
                    state="accepted", created_at=here.now(),
                ),
            )  # fmt: skip


@pytest.mark.slow
@pytest.mark.case("X13", "J02", "J07")
async def test_a_day_without_very_many_hosts_costs_little_and_ends_well(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with _many(database_url) as (world, lyon, beyond):
        sizes = [await _size(lyon)]
        for number in range(POSTS):
            await lyon.publishes("dr-roy", f"Avis {number}")
            sizes.append(await _size(lyon))
            await lyon.worker.settle()
            assert set(map(beyond.took.__getitem__, beyond.up)) == {number + 1}, "those that are up do not wait"
            await world.pass_time(MINUTE // 10)
        assert await _owed(lyon) == HOSTS * POSTS
        await _live_through(world, DAY)
        assert max(beyond.tried[host] for host in beyond.tried.keys() - beyond.up) <= ATTEMPTS_A_DAY + 2
        assert await _size(lyon) < sizes[-1] * 1.3 + 2**20
        half = POSTS // 2
        early, late = (sizes[half] - sizes[0]) / half, (sizes[-1] - sizes[half]) / (POSTS - half)
        assert late < early * 1.5 + 2**16, sizes
        beyond.all_up = True
        begun = time.perf_counter()
        newest = asyncio.create_task(_something_new(lyon, beyond))
        await _live_through(world, 15 * HOUR)
        seconds = time.perf_counter() - begun
        waited = await newest
        await lyon.worker.settle()
        left = await _owed(lyon)
    with capsys.disabled():
        print(  # noqa: T201
            f"\n  {HOSTS} hosts down, {HOSTS * POSTS} rows: {beyond.most / 2**20:.0f} MiB at most, "
            f"{late / HOSTS:.0f} bytes a row, drained {HOSTS * (POSTS + 1) / seconds:.0f} a second, "
            f"something new arrived after {waited:.1f} s"
        )
    assert left == 0
    assert set(beyond.took.values()) == {POSTS + 1}
    assert waited < max(PATIENCE, seconds / A_TURN)
    assert beyond.most < MEMORY


async def _something_new(site: Site, beyond: Beyond) -> float:
    """Seconds that a post of the moment takes to hosts that were never down, while the others catch up (J07)."""
    await beyond.flowing.wait()
    await site.publishes("dr-roy", "Avis urgent")
    begun = time.perf_counter()
    while any(beyond.took[host] <= POSTS for host in beyond.up):  # noqa: ASYNC110 - the worker tells nobody
        await asyncio.sleep(0.05)
    return time.perf_counter() - begun


async def _live_through(world: World, whole: int) -> None:
    """Time passes as the worker would see it: it looks when something falls due, not all the time."""
    for _ in range(whole // (15 * MINUTE)):
        await world.pass_time(15 * MINUTE)


async def _owed(site: Site) -> int:
    async with site.instance.store.view() as view:
        return int(await view.value(_OWED) or 0)


async def _size(site: Site) -> int:
    """Bytes that the database takes."""
    pages = sql(
        "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
        postgres="SELECT pg_database_size(current_database())",
    )
    async with site.instance.store.view() as view:
        return int(await view.value(pages) or 0)


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
