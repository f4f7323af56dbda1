"""Files are stored under random names, for good, and can be reached by no other name."""

import errno
import os
from pathlib import Path

import pytest

from medfed.kernel.errors import NoRoom, NotFound
from medfed.media.blobs import FileBlobs, mime_of


async def test_what_is_written_can_be_read_until_it_is_deleted(tmp_path: Path) -> None:
    blobs = FileBlobs(tmp_path / "media")
    key = await blobs.write(b"pixels", "png")
    assert await blobs.read(key) == b"pixels"
    assert mime_of(key) == "image/png"
    assert (tmp_path / "media" / key[:2] / key[2:4] / key).stat().st_mode & 0o777 == 0o600
    await blobs.delete(key)
    await blobs.delete(key)
    with pytest.raises(NotFound):
        await blobs.read(key)


@pytest.mark.case("E18")
async def test_names_are_random(tmp_path: Path) -> None:
    blobs = FileBlobs(tmp_path)
    keys = {await blobs.write(b"x", "jpg") for _ in range(20)}
    assert len(keys) == 20
    assert all(len(bytes.fromhex(key.removesuffix(".jpg"))) * 8 >= 128 for key in keys)


@pytest.mark.case("I21")
@pytest.mark.parametrize(
    "key",
    ["../secret.key", "..", "", "/etc/passwd", "%2e%2e/secret.key", "a" * 32, "a" * 32 + ".svg", "a" * 32 + ".jpg/..",
     "A" * 32 + ".jpg", "a" * 32 + ".jpg\0", "a" * 32 + ".jpg\n", "\\..\\x", "a" * 5_000, "//" + "a" * 32 + ".jpg"],
)  # fmt: skip
async def test_a_path_is_not_a_key(tmp_path: Path, key: str) -> None:
    blobs = FileBlobs(tmp_path / "media")
    (tmp_path / "secret.key").write_text("x")
    with pytest.raises(NotFound):
        await blobs.read(key)
    with pytest.raises(NotFound):
        await blobs.delete(key)
    with pytest.raises(NotFound):
        mime_of(key)


async def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NoRoom):
        await FileBlobs(tmp_path).write(b"x", "jpg")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []  # noqa: ASYNC240
