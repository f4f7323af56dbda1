"""Files of a server that were damaged or taken away are noticed before it serves, and what the guide says helps."""

import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from medfed.kernel.errors import Misconfigured
from medfed.storage.sqlite import SqliteStore
from tests.cli.conftest import Done, Place, Serving
from tests.cli.test_serve import get

PAGE: Final = 4_096
TREES: Final = (2, 5, 10, 13)
"""The first byte of a page that belongs to the tree of a table or of an index."""
FLIPS: Final = 25


@pytest.fixture
def backed_up(place: Place, serving: Callable[..., Serving], tmp_path: Path) -> Place:
    """An instance with a member, a backup of it, and one more member after that."""
    server = serving()
    assert place.run("member", "create", "roy", "--email", "roy@lyon.example").status == 0
    assert place.run("backup", str(tmp_path / "copy")).status == 0
    assert place.run("member", "create", "noel", "--email", "noel@lyon.example").status == 0
    server.stops()
    return place


@pytest.mark.case("X22")
def test_a_damaged_page_keeps_the_server_from_starting_and_the_backup_brings_it_back(
    backed_up: Place, serving: Callable[..., Serving], tmp_path: Path
) -> None:
    database = backed_up.data / "medfed.db"
    data = bytearray(database.read_bytes())
    page = next(_trees(data, random.Random(7)))
    data[page] ^= 0x40
    database.write_bytes(data)
    refused = _does_not_start(backed_up)
    assert "is damaged" in refused.err
    assert "see docs/guide/backup.md" in refused.err
    doctor = backed_up.run("doctor")
    assert doctor.status == 1
    assert "the database is damaged" in doctor.out
    assert database.read_bytes() == bytes(data), "and nobody has made it worse"
    _as_the_guide_says(backed_up, tmp_path)
    server = serving()
    assert get(f"{server.url}/.well-known/webfinger?resource=acct:roy@lyon.example")[0] == 200
    server.stops()
    assert backed_up.run("audit", "verify").status == 0


@pytest.mark.case("X22")
async def test_every_flip_in_the_head_of_a_page_is_found(backed_up: Place, tmp_path: Path) -> None:
    """In stored text, it is not: SQLite keeps no checksums of pages. Images, audit and backups have their own."""
    whole, chance = (backed_up.data / "medfed.db").read_bytes(), random.Random(11)
    pages = _trees(whole, chance)
    for number in range(FLIPS):
        copy = tmp_path / f"{number}.db"
        data = bytearray(whole)
        data[next(pages)] ^= 1 << chance.choice((4, 5, 6, 7))
        copy.write_bytes(data)
        with pytest.raises(Misconfigured, match="damaged"):
            await SqliteStore.open(copy)


@pytest.mark.case("X22")
def test_a_log_that_was_taken_away_after_a_kill_is_missed(
    backed_up: Place, serving: Callable[..., Serving], tmp_path: Path
) -> None:
    server, log = serving(), backed_up.data / "medfed.db-wal"
    assert backed_up.run("member", "create", "last", "--email", "last@lyon.example").status == 0
    server.process.kill()
    server.process.wait(20)
    assert log.stat().st_size > 0
    log.rename(tmp_path / "log")
    refused = _does_not_start(backed_up)
    assert f"{log} is missing" in refused.err
    doctor = backed_up.run("doctor")
    assert doctor.status == 1
    assert f"{log} is missing" in doctor.out
    (tmp_path / "log").rename(log)
    assert "last" in _members(backed_up), "put back, it holds what was accepted last"
    log.unlink(missing_ok=True)
    assert "last" in _members(backed_up), "after a stop in order, nothing is in it"


@pytest.mark.case("X22")
def test_without_the_log_an_operator_may_go_on_who_says_so(backed_up: Place, serving: Callable[..., Serving]) -> None:
    server = serving()
    assert backed_up.run("member", "create", "last", "--email", "last@lyon.example").status == 0
    server.process.kill()
    server.process.wait(20)
    (backed_up.data / "medfed.db-wal").unlink()
    assert _does_not_start(backed_up).status == 1
    (backed_up.data / "medfed.lock").unlink()
    assert set(_members(backed_up)) == {"roy", "noel"}
    serving()


@pytest.mark.case("X22")
def test_a_file_that_is_no_database_or_is_cut_off_is_refused(backed_up: Place) -> None:
    database = backed_up.data / "medfed.db"
    whole = database.read_bytes()
    for damaged in (
        b"\0" * 100 + whole[100:],
        whole[: len(whole) // 2],
        whole[: 3 * PAGE + 17],
        b"no database at all" * 300,
    ):
        database.write_bytes(damaged)
        refused = _does_not_start(backed_up)
        assert "see docs/guide/backup.md" in refused.err
        assert "Traceback" not in refused.err
    database.write_bytes(whole)
    assert set(_members(backed_up)) == {"roy", "noel"}


@pytest.mark.case("X22", "G16")
def test_an_audit_trail_with_a_gap_is_told(backed_up: Place) -> None:
    for number in (2, 3):
        assert backed_up.run("backup", str(backed_up.folder / f"copy{number}")).status == 0
    assert backed_up.run("audit", "verify").status == 0
    _forget(backed_up, 2)
    refused = backed_up.run("audit", "verify")
    assert refused.status == 1
    assert "the audit trail is broken at entry 2" in refused.err
    assert "the audit trail is broken at entry 2" in backed_up.run("doctor").out


@pytest.mark.case("X22", "G16")
def test_an_audit_trail_whose_end_was_cut_off_is_told(backed_up: Place, serving: Callable[..., Serving]) -> None:
    assert backed_up.run("backup", str(backed_up.folder / "copy2")).status == 0
    serving().stops()
    _forget(backed_up, 2)
    said = "the audit trail was cut off: entry 2, which was there, is gone"
    for command in (["audit", "verify"], ["doctor"]):
        done = backed_up.run(*command)
        assert done.status == 1
        assert said in done.out + done.err
    server = serving()
    assert any(said in line for line in server.said)
    assert backed_up.run("backup", str(backed_up.folder / "copy3")).status == 0
    server.stops()
    assert "entry 2, which was there, is another" in backed_up.run("audit", "verify").err, "nor is it covered up"
    (backed_up.data / "audit-head.txt").unlink()
    assert backed_up.run("audit", "verify").status == 0, "as the sentence says"


@pytest.mark.case("X22", "I14")
def test_a_list_of_the_erased_that_was_cut_off_or_lost_is_made_whole_again(
    backed_up: Place, serving: Callable[..., Serving]
) -> None:
    ledger = backed_up.data / "erased.txt"
    for name, damage in (("roy", "cut"), ("noel", "lost")):
        assert backed_up.run("member", "delete", name, "--yes").status == 0
        serving().stops()
        whole = ledger.read_text()
        assert f"/users/{name} " in whole
        if damage == "cut":
            ledger.write_text(whole[: whole.rindex(" ") + 3])
        else:
            ledger.unlink()
        serving().stops()
        lines = ledger.read_text().splitlines()
        assert set(whole.splitlines()) <= set(lines)


def _does_not_start(place: Place) -> Done:
    done = place.spawn("serve", "--port", "0")
    assert done.status == 1
    assert done.err.startswith("medfed: ")
    assert done.err.count("\n") == 1, "one sentence"
    return done


def _as_the_guide_says(place: Place, tmp_path: Path) -> None:
    """Put the data directory aside, bring the backup back, with the list of what was erased since."""
    aside = place.folder / "data.damaged"
    place.data.rename(aside)
    erased = ["--erased", str(aside / "erased.txt")] if (aside / "erased.txt").exists() else []
    done = place.run("restore", str(tmp_path / "copy"), *erased)
    assert done.status == 0, done.err
    shutil.rmtree(aside)


def _forget(place: Place, seq: int) -> None:
    with closing(sqlite3.connect(place.data / "medfed.db", isolation_level=None)) as raw:
        assert raw.execute("DELETE FROM audit WHERE seq = ?", (seq,)).rowcount == 1


def _members(place: Place) -> list[str]:
    return [member["username"] for member in place.run("member", "list", "--json").json]


def _trees(data: bytes | bytearray, chance: random.Random) -> Iterator[int]:
    """Where pages of trees begin, in random order, all but the first (which begins with the file's own head)."""
    found = [start for start in range(PAGE, len(data), PAGE) if data[start] in TREES]
    assert len(found) > FLIPS
    return iter(chance.sample(found, len(found)))
