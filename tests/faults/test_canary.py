"""What was deleted is in no file any more: not in a row, not in a free page, not in the log of the database (I14)."""

from pathlib import Path

import pytest

from medfed.kernel.clock import DAY
from medfed.storage.sqlite import SqliteStore
from tests.support.stranger import PUBLIC, Stranger
from tests.support.world import Site, a_world


@pytest.mark.case("I14")
async def test_the_words_of_a_deleted_post_are_in_no_file() -> None:
    async with a_world("lyon.test") as world:
        lyon, reader = world["lyon.test"], Stranger(world, "peer.test").person("reader")
        away = Stranger(world, "away.test").person("reader")
        for each in (reader, away):
            await each.tells(lyon, each.activity("Follow", (await lyon.member("dr-roy")).uri))
        await world.settle()
        world.down("away.test")
        post = await lyon.publishes("dr-roy", "canari-un #canari-deux")
        await lyon.edits("dr-roy", post, "canari-trois " * 300)
        await world.settle()
        assert await _found(lyon, "canari")
        await lyon.deletes("dr-roy", post)
        await world.settle()
        assert await _found(lyon, "canari-un", "canari-trois") == {}
        world.up("away.test")
        await world.pass_time(DAY)
        assert [activity["type"] for activity in away.home.received if activity["type"] != "Accept"] == ["Delete"]


@pytest.mark.case("I14", "I15")
async def test_the_words_that_a_peer_deleted_are_in_no_file() -> None:
    async with a_world("lyon.test") as world:
        lyon, writer = world["lyon.test"], Stranger(world, "peer.test").person("writer")
        member = await lyon.member("dr-roy")
        create = writer.create("<p>canari-quatre</p>", to=[PUBLIC, member.uri])
        assert (await writer.tells(lyon, create)).startswith("done")
        assert await _found(lyon, "canari-quatre")
        await writer.tells(lyon, writer.activity("Delete", create["object"]["id"], to=[PUBLIC]))
        assert await _found(lyon, "canari-quatre") == {}


async def _found(site: Site, *words: str) -> dict[str, int]:
    """Files below the data directory that hold any of these words, and how often."""
    store = site.instance.store
    assert isinstance(store, SqliteStore)
    await store._writer.ask(store._checkpoints.fold)
    counts = {path.name: _count(path, words) for path in site.instance.settings.instance.data_dir.rglob("*")}
    return {name: count for name, count in counts.items() if count}


def _count(path: Path, words: tuple[str, ...]) -> int:
    content = path.read_bytes() if path.is_file() else b""
    return sum(content.count(word.encode()) for word in words)
