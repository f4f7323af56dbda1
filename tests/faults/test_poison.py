"""Activities that break whoever applies them, among many that do not: these are applied, those are put aside (J09).

How many, one in a hundred of them poison: MEDFED_FAULT_ARRIVALS.
"""

import os
import time
from dataclasses import replace
from typing import Any, Final

import pytest

from medfed.activitypub.wire import Activity
from medfed.inbox import routes
from medfed.inbox.routes import Receives
from medfed.kernel.clock import HOUR
from medfed.storage.statements import sql
from tests.support.stranger import PUBLIC, Document, Puppet, Stranger
from tests.support.world import Site, World, a_world

ARRIVALS: Final = int(os.environ.get("MEDFED_FAULT_ARRIVALS", "300"))
ONE_IN: Final = 100
AUTHORS: Final = 5
POISON: Final = "poison"
_STATES = sql("SELECT state, COUNT(*) AS n FROM inbox_log GROUP BY state")
_NOTES = sql("SELECT note FROM inbox_log WHERE state = 'dead'")


class _Broken(Exception):
    """What a fault of ours raises."""


@pytest.mark.slow
@pytest.mark.case("X16", "J09")
async def test_poison_is_put_aside_and_holds_up_nobody(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_world("lyon.test", databases=[database_url]) as world:
        lyon = world["lyon.test"]
        home = Stranger(world, "peer.test")
        authors = [home.person(f"author{number}") for number in range(AUTHORS)]
        for author in authors:
            assert (await author.tells(lyon, author.create())).startswith("done")
        alone = await _take(world, authors, [_post(authors, number) for number in range(ARRIVALS)])
        _break_on_poison(monkeypatch)
        mixed = [_post(authors, number, poison=number % ONE_IN == 0) for number in range(ARRIVALS)]
        beside = await _take(world, authors, mixed)
        poisoned = len(range(0, ARRIVALS, ONE_IN))
        assert await _states(lyon) == {"done": AUTHORS + 2 * ARRIVALS - poisoned, "waiting": poisoned}
        assert beside < 2 * alone + 2
        for _ in range(6):
            await world.pass_time(HOUR)
        assert await _states(lyon) == {"done": AUTHORS + 2 * ARRIVALS - poisoned, "dead": poisoned}
        async with lyon.instance.store.view() as view:
            assert {row["note"] for row in await view.all(_NOTES)} == {"_Broken: poison"}
        monkeypatch.undo()
        assert (await authors[0].tells(lyon, authors[0].create())).startswith("done")


@pytest.mark.case("X16")
async def test_what_breaks_parsers_is_refused_at_the_door_and_the_next_one_is_taken() -> None:
    async with a_world("lyon.test") as world:
        lyon, author = world["lyon.test"], Stranger(world, "peer.test").person("author")
        assert (await author.tells(lyon, author.create())).startswith("done")
        deep = b'{"a":' * 5_000 + b"1" + b"}" * 5_000
        for body in (deep, b"[" * 100_000, b'{"id": 1e400}', b"\xff\xfe", b"null", b'{"type": "\\ud800"}'):
            assert 400 <= (await author.sends(lyon, body)).status < 500, body[:20]
        for content in ("<" * 60_000, "@a" * 30_000, "<a href=" * 7_000, "&" * 60_000, "#" * 60_000, "<b>" * 20_000):
            begun = time.process_time()
            await author.tells(lyon, author.create(content))
            assert time.process_time() - begun < 5, content[:10]
        assert (await author.tells(lyon, author.create())).startswith("done")
        assert world.internet.crashes == []


def _post(authors: list[Puppet], number: int, *, poison: bool = False) -> Document:
    author = authors[number % AUTHORS]
    return author.create(f"<p>{POISON if poison else 'Avis'} {number}</p>", to=[PUBLIC])


def _break_on_poison(monkeypatch: pytest.MonkeyPatch) -> None:
    def route(activity: Activity) -> Receives | None:
        line = routes.route(activity)
        return replace(line, apply=_breaks) if line is not None and POISON in str(activity.document) else line

    for where in ("record", "process"):
        monkeypatch.setattr(f"medfed.inbox.{where}.route", route)


async def _breaks(*_: Any) -> str:
    raise _Broken(POISON)


async def _take(world: World, authors: list[Puppet], activities: list[Document]) -> float:
    """Seconds of processor time that it takes to take all of them in."""
    lyon, by_uri = world["lyon.test"], {author.uri: author for author in authors}
    begun = time.process_time()
    for activity in activities:
        assert (await by_uri[activity["actor"]].sends(lyon, activity)).status == 202
    await world.settle()
    return time.process_time() - begun


async def _states(site: Site) -> dict[str, int]:
    async with site.instance.store.view() as view:
        return {row["state"]: row["n"] for row in await view.all(_STATES)}
