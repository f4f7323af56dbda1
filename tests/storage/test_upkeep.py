"""Stored files and the database are looked after: what rotted is told and not served, what nothing names goes."""

import os
import time
from io import BytesIO
from pathlib import Path

import orjson
import pytest
from PIL import Image

from medfed.kernel.clock import DAY, HOUR, SECOND
from medfed.kernel.errors import StorageDown
from medfed.kernel.paging import Page
from medfed.media import upkeep
from medfed.storage import moderation
from medfed.storage.sqlite import SqliteStore
from medfed.storage.statements import sql
from tests.api.client import signed_in
from tests.support.world import Site, a_world

EVERY_SHELF = tuple(f"{number:02x}" for number in range(256))


def png() -> bytes:
    out = BytesIO()
    Image.new("RGB", (40, 30), (20, 120, 90)).save(out, "PNG")
    return out.getvalue()


async def upload(site: Site) -> list[Path]:
    """The files of an image and its preview."""
    client = await signed_in(site, "dr-roy")
    assert (await client.upload("/api/v2/media", {"file": png()})).status == 200
    return files(site)


def files(site: Site) -> list[Path]:
    return sorted(path for path in site.instance.settings.media_dir.rglob("*") if path.is_file())


def age(path: Path, site: Site, by: int) -> None:
    """As if a file had been written so many milliseconds ago."""
    at = (site.world.clock.now() - by) / SECOND
    os.utime(path, (at, at))


async def look(site: Site) -> upkeep.Found:
    return await upkeep.look_after(site.instance.store, site.instance.blobs, EVERY_SHELF, site.world.clock.now())


async def told(site: Site) -> list[tuple[str, int]]:
    async with site.instance.store.view() as view:
        entries = await moderation.audit(view, Page(limit=40))
    return [(entry.action, orjson.loads(entry.detail)["count"]) for entry in entries if entry.actor == "medfed"]


@pytest.mark.case("I11")
async def test_a_bit_that_flipped_in_a_file_is_found_and_the_file_is_not_served(database_url: str) -> None:
    async with a_world("lyon.test", databases=[database_url]) as world:
        lyon = world["lyon.test"]
        image, preview = await upload(lyon)
        assert await look(lyon) == upkeep.Found()
        data = bytearray(image.read_bytes())
        data[len(data) // 2] ^= 1
        image.write_bytes(data)
        preview.unlink()
        found = await look(lyon)
        assert (found.damaged, found.missing, found.removed) == ((image.name,), (preview.name,), ())
        with pytest.raises(StorageDown, match="damaged"):
            await lyon.instance.blobs.read(image.name)
        assert sorted(await told(lyon)) == [("files.damaged", 1), ("files.missing", 1)]


@pytest.mark.case("I12")
async def test_a_file_that_a_crash_left_without_a_row_is_collected_after_a_day(database_url: str) -> None:
    async with a_world("lyon.test", databases=[database_url]) as world:
        lyon = world["lyon.test"]
        kept = await upload(lyon)
        orphan = await lyon.instance.blobs.write(b"pixels", "png")
        (path,) = set(files(lyon)) - set(kept)
        half = path.with_suffix(".part")
        half.write_bytes(b"pix")
        for each in (*kept, path):
            age(each, lyon, DAY - 1 * SECOND)
        assert await look(lyon) == upkeep.Found()
        assert half.exists()
        for each in (*kept, path, half):
            age(each, lyon, DAY)
        os.utime(half, (0, 0))
        assert (await look(lyon)).removed == (orphan,)
        assert files(lyon) == kept
        assert await told(lyon) == []


@pytest.mark.case("I11")
def test_every_shelf_has_its_turn_once_a_day() -> None:
    turns = [shelf for hour in range(24) for shelf in upkeep.due(1_795_600_000_000 + hour * HOUR)]
    assert sorted(turns) == list(EVERY_SHELF)


@pytest.mark.case("I11")
async def test_a_page_of_the_database_that_rotted_is_found(tmp_path: Path) -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        for number in range(50):
            await lyon.publishes("dr-roy", f"Post {number}")
        assert await lyon.instance.store.damage() == []
        copy = tmp_path / "copy.db"
        assert isinstance(lyon.instance.store, SqliteStore)
        await lyon.instance.store.copy_to(copy)
        data = bytearray(copy.read_bytes())
        page = data.index(b"<p>Post 25</p>") // 4_096 * 4_096
        data[page : page + 4_096] = b"\xa5" * 4_096
        copy.write_bytes(data)
        store = await SqliteStore.open(copy, role="tool")
        try:
            assert await store.damage() != []
        finally:
            await store.aclose()


@pytest.mark.case("I11")
async def test_damage_of_the_database_is_told_each_day(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_world("lyon.test", databases=[database_url]) as world:
        lyon = world["lyon.test"]
        await lyon.worker.settle()
        assert await told(lyon) == []
        monkeypatch.setattr(type(lyon.instance.store), "damage", _damaged)
        for days in (1, 2):
            await world.pass_time(DAY)
            assert await told(lyon) == [("database.damaged", 2)] * days


async def _damaged(_store: object, *, within: float | None = None) -> list[str]:
    return ["Tree 12 page 7: btreeInitPage() returns error code 11", "another"]


@pytest.mark.case("I11", "X22")
async def test_reading_a_database_through_ends_when_its_time_is_over(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "large.db", durable=False)
    try:
        async with store.transaction("fill") as tx:
            await tx.run(sql("CREATE TABLE much (id INTEGER PRIMARY KEY, words TEXT NOT NULL)"))
            for _ in range(400):
                await tx.run(sql("INSERT INTO much (words) VALUES (hex(randomblob(20000)))"))
        for seconds in (0.0, 0.001, 60.0):
            begun = time.monotonic()
            assert await store.damage(within=seconds) == []
            assert time.monotonic() - begun < seconds + 5
        async with store.view() as view:
            assert await view.value(sql("SELECT COUNT(*) FROM much")) == 400
    finally:
        await store.aclose()
