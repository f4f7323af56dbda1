"""A backup taken while it serves holds everything, and is brought back into an empty place only."""

import asyncio
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from medfed.cli import remote
from medfed.cli.actions import SOCKET
from tests.cli.conftest import Place, Serving


def test_a_backup_is_taken_while_it_serves_and_brought_back(
    place: Place, serving: Callable[..., Serving], tmp_path: Path
) -> None:
    serving()
    assert place.run("member", "create", "roy", "--email", "roy@lyon.example").status == 0
    copy = tmp_path / "copy"
    done = place.run("backup", str(copy))
    assert done.status == 0, done.err
    assert {part.name for part in copy.iterdir()} >= {"medfed.db", "secret.key", "medfed.toml"}
    assert stat.S_IMODE((copy / "secret.key").stat().st_mode) == 0o600

    again = Place(folder=tmp_path / "again", capture=place.capture)
    again.folder.mkdir()
    assert again.run("restore", str(copy)).status == 0
    assert [member["username"] for member in again.run("member", "list", "--json").json] == ["roy"]
    assert again.run("audit", "verify").status == 0


@pytest.mark.case("I06")
def test_a_member_who_left_after_the_backup_is_not_brought_back(
    place: Place, serving: Callable[..., Serving], tmp_path: Path
) -> None:
    server = serving()
    for name in ("roy", "noel"):
        assert place.run("member", "create", name, "--email", f"{name}@lyon.example").status == 0
    copy = tmp_path / "copy"
    assert place.run("backup", str(copy)).status == 0
    assert place.run("member", "delete", "noel", "--yes").status == 0
    server.stops()
    ledger = place.data / "erased.txt"
    assert "/users/noel " in ledger.read_text()

    again = Place(folder=tmp_path / "again", capture=place.capture)
    again.folder.mkdir()
    assert again.run("restore", str(copy), "--erased", str(ledger)).status == 0
    assert {member["username"] for member in again.run("member", "list", "--json").json} == {"roy", "noel"}
    restored = serving(at=again)
    assert "deleted again, as after the backup: 1\n" in restored.said
    assert [member["username"] for member in again.run("member", "list", "--json").json] == ["roy"]


@pytest.mark.case("G11")
@pytest.mark.parametrize("kind", ["link out", "link to a folder", "dead link", "pipe"])
def test_a_backup_that_leads_elsewhere_is_refused_before_anything_is_written(
    place: Place, tmp_path: Path, kind: str
) -> None:
    copy, secret = tmp_path / "copy", tmp_path / "secret"
    assert place.run("backup", str(copy)).status == 0
    secret.mkdir()
    (secret / "shadow").write_text("secret")
    trap = copy / "media" / "aa" / "trap"
    trap.parent.mkdir(parents=True)
    match kind:
        case "link out":
            trap.symlink_to(secret / "shadow")
        case "link to a folder":
            trap.symlink_to(secret)
        case "dead link":
            trap.symlink_to(tmp_path / "nowhere")
        case _:
            os.mkfifo(trap)
    again = Place(folder=tmp_path / "again", capture=place.capture)
    again.folder.mkdir()
    refused = again.run("restore", str(copy))
    assert refused.status == 1
    assert refused.err == f"medfed: {copy} is no backup of medfed: media/aa/trap is no plain file\n"
    assert list(again.folder.iterdir()) == []


def test_a_server_that_is_confined_writes_in_its_own_folder_only(
    place: Place, serving: Callable[..., Serving], tmp_path: Path
) -> None:
    """systemd shows the server no folder but its data: what it copies is brought elsewhere by the command."""
    serving()
    with pytest.raises(remote.RefusedThere):
        asyncio.run(remote.ask(place.data / SOCKET, "backup", {"directory": str(tmp_path)}))
    copied = Path(asyncio.run(remote.ask(place.data / SOCKET, "backup", {}))["folder"])
    assert copied.parent == place.data
    assert [part.name for part in copied.iterdir()] == ["medfed.db"]


def test_a_backup_leaves_nothing_else_behind(place: Place, tmp_path: Path) -> None:
    before = {part.name for part in place.data.iterdir()}
    assert place.run("backup", str(tmp_path / "copy")).status == 0
    assert {part.name for part in place.data.iterdir()} == before


def test_a_backup_that_cannot_be_written_says_so_and_leaves_nothing(place: Place, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    refused = place.run("backup", str(tmp_path / "file" / "copy"))
    assert refused.status == 1
    assert refused.err == f"medfed: {tmp_path / 'file' / 'copy'}: Not a directory\n"
    (place.data / "secret.key").unlink()
    assert place.run("backup", str(tmp_path / "copy")).status == 1
    assert not (tmp_path / "copy").exists()


def test_a_backup_does_not_overwrite_and_a_restore_needs_an_empty_place(place: Place, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    assert place.run("backup", str(copy)).status == 0
    refused = place.run("backup", str(copy))
    assert refused.status == 1
    assert "exists" in refused.err
    full = place.run("restore", str(copy))
    assert full.status == 1
    assert "is not empty" in full.err


def test_a_configuration_may_lie_in_the_data_directory(empty: Place, tmp_path: Path) -> None:
    """As it does where deploy/ puts it, on systemd and in containers."""
    config = tmp_path / "var" / "medfed.toml"
    there = Place(config.parent, empty.capture)
    assert there.run("init", "--domain", "lyon.example", "--data-dir", str(config.parent)).status == 0
    assert there.run("backup", str(tmp_path / "copy")).status == 0
    shutil.rmtree(config.parent)
    done = there.run("restore", str(tmp_path / "copy"))
    assert done.status == 0, done.err
    assert there.run("audit", "verify").status == 0
    assert {stat.S_IMODE(part.stat().st_mode) for part in config.parent.iterdir()} == {0o600}


def test_a_restore_that_is_refused_leaves_no_configuration_that_points_to_the_original(
    place: Place, tmp_path: Path
) -> None:
    place.config.write_text(place.config.read_text().replace('"data"', f'"{place.data}"'))
    assert place.run("backup", str(tmp_path / "copy")).status == 0
    trial = Place(tmp_path / "trial", place.capture)
    trial.folder.mkdir()
    refused = trial.run("restore", str(tmp_path / "copy"))
    assert refused.status == 1
    assert "is not empty" in refused.err
    assert not trial.config.exists()


def test_a_folder_that_is_no_backup_is_refused(place: Place, tmp_path: Path) -> None:
    empty = Place(folder=tmp_path / "empty", capture=place.capture)
    empty.folder.mkdir()
    (tmp_path / "nothing").mkdir()
    refused = empty.run("restore", str(tmp_path / "nothing"))
    assert refused.status == 1
    assert "is no backup" in refused.err
    assert not empty.config.exists()
