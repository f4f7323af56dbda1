"""Another process that holds the database delays what arrives, or has it refused; nothing is lost or done twice."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.stranger import Document, Puppet, Stranger
from tests.support.world import Site, a_world


@contextmanager
def _held(site: Site, *statements: str) -> Iterator[None]:
    """Another connection keeps its transaction open."""
    other = sqlite3.connect(site.instance.settings.instance.data_dir / "medfed.db", isolation_level=None)
    try:
        for statement in statements:
            other.execute(statement).fetchall()
        yield
    finally:
        other.close()


async def _a_mention(site: Site, puppet: Puppet) -> Document:
    member = await site.member("dr-roy")
    await site.instance.lookup.actor(puppet.uri)
    return puppet.activity("Create", puppet.note("Bonjour", to=[member.uri]))


@pytest.mark.case("X08")
async def test_what_arrives_waits_for_a_lock_and_is_applied_once() -> None:
    async with a_world("lyon.test") as world:
        lyon, writer = world["lyon.test"], Stranger(world, "peer.test").person("writer")
        activity = await _a_mention(lyon, writer)
        with _held(lyon, "BEGIN EXCLUSIVE"):
            arriving = asyncio.create_task(writer.sends(lyon, activity))
            await asyncio.sleep(0.5)
            assert not arriving.done()
        assert (await arriving).status == 202
        await world.settle()
        assert (await lyon.became(activity["id"])).startswith("done")
        assert await lyon.told("dr-roy") == ["mention"]


@pytest.mark.slow
@pytest.mark.case("X08")
async def test_what_cannot_wait_any_longer_is_refused_and_may_come_again() -> None:
    async with a_world("lyon.test") as world:
        lyon, writer = world["lyon.test"], Stranger(world, "peer.test").person("writer")
        activity = await _a_mention(lyon, writer)
        with _held(lyon, "BEGIN EXCLUSIVE"):
            assert (await writer.sends(lyon, activity)).status == 503
        assert (await writer.sends(lyon, activity)).status == 202
        await world.settle()
        assert await lyon.told("dr-roy") == ["mention"]


@pytest.mark.case("X08")
async def test_a_long_reader_holds_up_nothing() -> None:
    async with a_world("lyon.test") as world:
        lyon, writer = world["lyon.test"], Stranger(world, "peer.test").person("writer")
        activity = await _a_mention(lyon, writer)
        with _held(lyon, "BEGIN", "SELECT COUNT(*) FROM post"):
            assert (await writer.tells(lyon, activity)).startswith("done")
        assert await lyon.told("dr-roy") == ["mention"]
