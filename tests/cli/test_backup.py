"""A backup taken while it serves holds everything, shows nothing without its key, and is brought back whole."""

import asyncio
import io
import os
import random
import shutil
import stat
import subprocess
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import pytest

from medfed import settings
from medfed.cli import remote
from medfed.cli.actions import SOCKET
from medfed.kernel.age import Identity, Recipient, Writer
from medfed.kernel.paging import Page
from medfed.storage import moderation
from medfed.storage.connect import connect
from tests.cli.conftest import Done, Place, Serving
from tests.faults.tools import tool
from tests.support.databases import PostgresServer

CANARY: Final = b"canary-of-a-patient"


@pytest.mark.case("I19")
def test_a_backup_is_taken_while_it_serves_and_brought_back(
    place: Place, serving: Callable[..., Serving], tmp_path: Path
) -> None:
    serving()
    assert place.run("member", "create", "roy", "--email", "roy@lyon.example").status == 0
    _keep_an_image(place)
    copy = tmp_path / "copy"
    done = place.run("backup", str(copy))
    assert done.status == 0, done.err
    assert {part.name for part in copy.iterdir()} == {"backup.tar.age", "README.txt"}
    assert stat.S_IMODE((copy / "backup.tar.age").stat().st_mode) == 0o600
    written = b"".join(part.read_bytes() for part in copy.iterdir())
    for secret in (CANARY, b"roy@lyon", b"SQLite format", (place.data / "secret.key").read_bytes().strip()):
        assert secret not in written
    assert _recipient(place) in (copy / "README.txt").read_text()

    again = _elsewhere(place, tmp_path)
    assert again.run("restore", str(copy), "--identity", str(_key(place))).status == 0
    assert [member["username"] for member in again.run("member", "list", "--json").json] == ["roy"]
    assert again.run("audit", "verify").status == 0
    assert (again.data / "media" / "aa" / "image").read_bytes() == CANARY
    assert {stat.S_IMODE(path.stat().st_mode) for path in again.data.rglob("*") if path.is_file()} == {0o600}


@pytest.mark.case("I19")
def test_only_who_insists_gets_a_backup_that_everybody_can_read_and_the_audit_trail_says_so(
    place: Place, tmp_path: Path
) -> None:
    done = place.run("backup", str(tmp_path / "sealed"))
    assert _recipient(place) in done.err
    done = place.run("backup", str(tmp_path / "plain"), "--insecure-plaintext")
    assert done.status == 0
    assert "NOT ENCRYPTED" in done.err
    assert {part.name for part in (tmp_path / "plain").iterdir()} >= {"medfed.db", "secret.key", "medfed.toml"}
    acts = _audited(place)
    assert [act for act in acts if act[0].startswith("backup")] == [
        ("backup", f'{{"recipients":["{_recipient(place)}"]}}'),
        ("backup.plaintext", '{"recipients":[]}'),
    ]
    again = _elsewhere(place, tmp_path)
    assert again.run("restore", str(tmp_path / "plain")).status == 0, "no key is asked for"
    assert _audited(again) == acts, "and the copy says it of itself"


@pytest.mark.case("I19")
def test_without_somebody_who_could_read_it_there_is_no_backup(place: Place, tmp_path: Path) -> None:
    place.config.write_text(place.config.read_text().replace(f'["{_recipient(place)}"]', "[]"))
    refused = place.run("backup", str(tmp_path / "copy"))
    assert refused.status == 1
    assert "make a key with `medfed backup-key`" in refused.err
    assert not (tmp_path / "copy").exists()
    assert "there are no backups" in place.run("doctor").out
    refused = place.run("backup", str(tmp_path / "copy"), "--recipient", "age1nonsense")
    assert refused.status == 1
    assert "is no age recipient" in refused.err
    made = place.run("backup-key", str(tmp_path / "key"), "--json").json
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert place.run("backup", str(tmp_path / "copy"), "--recipient", made["recipient"]).status == 0
    again = _elsewhere(place, tmp_path)
    assert again.run("restore", str(tmp_path / "copy"), "--identity", str(tmp_path / "key")).status == 0
    refused = place.run("backup-key", str(tmp_path / "key"))
    assert refused.status == 1
    assert "is not overwritten" in refused.err


@pytest.mark.case("I19")
def test_an_instance_may_be_made_for_a_key_that_never_was_on_its_machine(empty: Place, tmp_path: Path) -> None:
    made = Identity.make()
    assert empty.run("init", "--domain", "lyon.example", "--recipient", str(made.recipient)).status == 0
    assert not _key(empty).exists()
    assert "opens every backup" not in empty.run("doctor").out
    assert empty.run("backup", str(tmp_path / "copy")).status == 0
    refused = empty.run("init", "--domain", "lyon.example", "--recipient", "me")
    assert refused.status == 1


@pytest.mark.case("I19")
def test_the_key_that_lies_beside_what_it_opens_is_complained_about_until_it_is_elsewhere(place: Place) -> None:
    assert f"{_key(place)} opens every backup" in place.run("doctor").out
    _key(place).unlink()
    assert "opens every backup" not in place.run("doctor").out


@pytest.mark.case("I19")
def test_a_backup_is_not_opened_without_its_key_and_nothing_is_written(place: Place, tmp_path: Path) -> None:
    assert place.run("backup", str(tmp_path / "copy")).status == 0
    other = place.run("backup-key", str(tmp_path / "other"), "--json").json["file"]
    (tmp_path / "text").write_text("AGE-SECRET-KEY-1QQQQ\n")
    again = _elsewhere(place, tmp_path)
    for arguments, said in (
        ([], "name the file with its key, --identity FILE"),
        (["--identity", other], "it was encrypted to another key than this"),
        (["--identity", str(tmp_path / "text")], "is no key that opens backups"),
        (["--identity", str(tmp_path / "copy" / "backup.tar.age")], "is no key that opens backups"),
    ):
        refused = again.run("restore", str(tmp_path / "copy"), *arguments)
        assert refused.status == 1
        assert said in refused.err
        assert list(again.folder.iterdir()) == []


@pytest.mark.case("I19")
def test_whoever_sits_at_the_terminal_is_asked_for_the_key(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert place.run("backup", str(tmp_path / "copy")).status == 0
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.prompt", lambda _question, *, err: f" {_key(place)} ")
    assert _elsewhere(place, tmp_path).run("restore", str(tmp_path / "copy")).status == 0


@pytest.mark.case("I19")
async def test_a_backup_of_a_postgresql_database_is_encrypted_and_brought_back_too(
    place: Place, postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool("pg_dump"), tool("pg_restore")
    there = Place(tmp_path / "there", place.capture)
    first, second = [await postgres.create(template="template0") for _ in range(2)]
    monkeypatch.setenv("MEDFED_DATABASE__URL", first)

    def run(at: Place, *arguments: str) -> Done:
        return at.spawn(*arguments, MEDFED_DATABASE__URL=os.environ["MEDFED_DATABASE__URL"])

    assert run(there, "init", "--domain", "nantes.example").status == 0
    assert run(there, "member", "create", "roy", "--email", "roy@nantes.example").status == 0
    copy = tmp_path / "copy"
    done = run(there, "backup", str(copy))
    assert done.status == 0, done.err
    assert {part.name for part in copy.iterdir()} == {"backup.tar.age", "README.txt"}
    assert {part.name for part in there.data.iterdir()} == {"secret.key"}
    monkeypatch.setenv("MEDFED_DATABASE__URL", second)
    again = _elsewhere(place, tmp_path)
    done = run(again, "restore", str(copy), "--identity", str(_key(there)))
    assert done.status == 0, done.err
    assert [member["username"] for member in run(again, "member", "list", "--json").json] == ["roy"]
    assert {part.name for part in again.data.iterdir()} == {"secret.key"}
    third = Place(tmp_path / "third", place.capture)
    refused = run(third, "restore", str(copy), "--identity", str(_key(there)))
    assert refused.status == 1, "the database is not empty"
    assert "pg_restore failed" in refused.err
    assert list(third.folder.iterdir()) == []


@pytest.mark.case("I19", "X22")
def test_a_backup_that_was_damaged_is_refused_before_anything_is_written(place: Place, tmp_path: Path) -> None:
    assert place.run("backup", str(tmp_path / "copy")).status == 0
    file, again, chance = tmp_path / "copy" / "backup.tar.age", _elsewhere(place, tmp_path), random.Random(7)
    whole = file.read_bytes()
    for _ in range(12):
        place_of_damage = chance.choice((chance.randrange(400), chance.randrange(len(whole))))
        flipped = bytearray(whole)
        flipped[place_of_damage] ^= 1 << chance.randrange(8)
        for damaged in (bytes(flipped), whole[:place_of_damage], whole + b"\0"):
            file.write_bytes(damaged)
            refused = again.run("restore", str(file.parent), "--identity", str(_key(place)))
            assert refused.status == 1
            assert f"{file} cannot be opened: it" in refused.err
            assert list(again.folder.iterdir()) == []
    file.write_bytes(whole)
    assert again.run("restore", str(file.parent), "--identity", str(_key(place))).status == 0


@pytest.mark.case("I19", "G11")
@pytest.mark.parametrize("name", ["../out", "/out", "media/../../out", "media", "media//x", "other", "medfed.toml"])
def test_who_knows_the_public_key_cannot_make_a_backup_that_writes_elsewhere(
    place: Place, tmp_path: Path, name: str
) -> None:
    copy, again = tmp_path / "copy", _elsewhere(place, tmp_path)
    copy.mkdir()
    toml = place.config.read_bytes()
    _seal(copy, place, {"medfed.toml": toml, "secret.key": b"ab" * 32, "medfed.db": b"", name: b"x"}, twice=name)
    refused = again.run("restore", str(copy), "--identity", str(_key(place)))
    assert refused.status == 1
    assert "is no" in refused.err
    assert list(again.folder.iterdir()) == []
    assert not (tmp_path / "out").exists()


@pytest.mark.case("I19", "G11")
@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE])
def test_nothing_but_files_is_taken_out_of_an_encrypted_backup(place: Place, tmp_path: Path, kind: bytes) -> None:
    copy, again = tmp_path / "copy", _elsewhere(place, tmp_path)
    copy.mkdir()
    _seal(copy, place, {"media/x": b""}, kind=kind)
    refused = again.run("restore", str(copy), "--identity", str(_key(place)))
    assert refused.status == 1
    assert "'media/x' is no file of a backup" in refused.err
    assert list(again.folder.iterdir()) == []


@pytest.mark.case("I19")
def test_a_backup_is_opened_without_medfed_too(place: Place, tmp_path: Path) -> None:
    """The text beside it says how."""
    age = tool("age")
    assert place.run("member", "create", "roy", "--email", "roy@lyon.example").status == 0
    copy, out = tmp_path / "copy", tmp_path / "out"
    assert place.run("backup", str(copy)).status == 0
    out.mkdir()
    command = [age, "--decrypt", "--identity", str(_key(place)), str(copy / "backup.tar.age")]
    tar = subprocess.run(command, capture_output=True, check=True).stdout
    subprocess.run(["tar", "--extract", "--directory", out], input=tar, check=True)
    again = _elsewhere(place, tmp_path)
    assert again.run("restore", str(out)).status == 0
    assert [member["username"] for member in again.run("member", "list", "--json").json] == ["roy"]


def _key(place: Place) -> Path:
    return place.folder / "backup-key.txt"


def _recipient(place: Place) -> str:
    return settings.load(place.config, {}).backup.recipients[0]


def _elsewhere(place: Place, tmp_path: Path) -> Place:
    again = Place(folder=tmp_path / "again", capture=place.capture)
    again.folder.mkdir()
    return again


def _keep_an_image(place: Place) -> None:
    image = place.data / "media" / "aa" / "image"
    image.parent.mkdir(parents=True)
    image.write_bytes(CANARY)


def _audited(place: Place) -> list[tuple[str, str]]:
    async def read() -> list[tuple[str, str]]:
        store = await connect(f"sqlite:///{place.data / 'medfed.db'}")
        try:
            async with store.view() as view:
                entries = await moderation.audit(view, Page(limit=40))
                return [(entry.action, entry.detail) for entry in reversed(entries)]
        finally:
            await store.aclose()

    return asyncio.run(read())


def _seal(
    folder: Path, place: Place, files: Mapping[str, bytes], *, twice: str = "", kind: bytes = tarfile.REGTYPE
) -> None:
    """What anybody can make who knows the public key."""
    with (folder / "backup.tar.age").open("wb") as target:
        sealing = Writer(target, [Recipient.parse(_recipient(place))])
        with tarfile.open(fileobj=sealing, mode="w|") as tar:
            for name in (*files, *[twice] * bool(twice)):
                about = tarfile.TarInfo(name)
                about.type, about.size, about.linkname = kind, len(files[name]), "secret.key"
                tar.addfile(about, io.BytesIO(files[name]))
        sealing.finish()


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

    again = _elsewhere(place, tmp_path)
    done = again.run("restore", str(copy), "--identity", str(_key(place)), "--erased", str(ledger))
    assert done.status == 0, done.err
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
    assert place.run("backup", str(copy), "--insecure-plaintext").status == 0
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
    again = _elsewhere(place, tmp_path)
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
    copied = Path(asyncio.run(remote.ask(place.data / SOCKET, "backup", {"recipients": []}))["folder"])
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
    key = _key(there).read_bytes()
    shutil.rmtree(config.parent)
    config.parent.mkdir()
    _key(there).write_bytes(key)
    _key(there).chmod(0o600)
    (tmp_path / "damaged").mkdir()
    refused = there.run("restore", str(tmp_path / "damaged"))
    assert refused.status == 1
    assert _key(there).read_bytes() == key
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
    refused = trial.run("restore", str(tmp_path / "copy"), "--identity", str(_key(place)))
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


def test_a_key_that_is_handed_over_has_to_be_the_one_of_the_backup(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert place.run("backup", str(tmp_path / "copy")).status == 0
    credential = tmp_path / "credential"
    credential.write_text("ab" * 32)
    monkeypatch.setenv("MEDFED_SECRET_KEY_FILE", str(credential))
    again = _elsewhere(place, tmp_path)
    command = ["restore", str(tmp_path / "copy"), "--identity", str(_key(place))]
    refused = again.run(*command)
    assert refused.status == 1
    assert "holds another key than the backup" in refused.err
    assert list(again.folder.iterdir()) == []
    credential.write_bytes((place.data / "secret.key").read_bytes())
    assert again.run(*command).status == 0
    assert not (again.data / "secret.key").exists()
