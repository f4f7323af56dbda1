"""A backup taken while it serves holds everything, and is brought back into an empty place only."""

import stat
from collections.abc import Callable
from pathlib import Path

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


def test_a_backup_does_not_overwrite_and_a_restore_needs_an_empty_place(place: Place, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    assert place.run("backup", str(copy)).status == 0
    refused = place.run("backup", str(copy))
    assert refused.status == 1
    assert "exists" in refused.err
    full = place.run("restore", str(copy))
    assert full.status == 1
    assert "is not empty" in full.err


def test_a_folder_that_is_no_backup_is_refused(place: Place, tmp_path: Path) -> None:
    empty = Place(folder=tmp_path / "empty", capture=place.capture)
    empty.folder.mkdir()
    (tmp_path / "nothing").mkdir()
    refused = empty.run("restore", str(tmp_path / "nothing"))
    assert refused.status == 1
    assert "is no backup" in refused.err
    assert not empty.config.exists()
