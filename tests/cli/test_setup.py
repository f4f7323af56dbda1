"""From nothing to an instance, and no further than once."""

import asyncio
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from click import Context, Group

from medfed import __version__, cli, settings
from medfed.cli import setup
from medfed.instance import Instance, open_instance
from medfed.kernel.errors import Misconfigured
from medfed.storage import issuer
from tests.cli.conftest import Place


def test_help_names_every_command() -> None:
    done = subprocess.run([sys.executable, "-m", "medfed", "--help"], capture_output=True, text=True, check=True)
    assert all(line.name in done.stdout for line in cli.COMMANDS)


def test_the_version_is_said_by_a_checkout_too(empty: Place) -> None:
    done = empty.spawn("--version")
    assert (done.status, done.out) == (0, f"medfed {__version__}\n")


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom medfed.cli import run\nrun(['--help'])\n"
        "heavy = {'pydantic', 'starlette', 'uvicorn', 'cryptography', 'aiosqlite', 'PIL', 'nh3'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


@pytest.mark.case("I16")
def test_init_makes_everything_that_an_instance_needs_for_its_owner_only(place: Place) -> None:
    made = settings.load(place.config, {})
    assert made.instance.name == "CHU de Lyon"
    assert made.instance.public_url == "https://lyon.example"
    assert stat.S_IMODE(place.data.stat().st_mode) == 0o700
    for name in ("secret.key", "medfed.db"):
        assert stat.S_IMODE((place.data / name).stat().st_mode) & 0o077 == 0

    async def look() -> None:
        async with open_instance(made, role="tool") as instance:
            assert (await instance.actor()).uri == "https://lyon.example/actor"
            async with instance.store.view() as view:
                assert len(await issuer.keys(view)) == 1

    asyncio.run(look())


def test_init_refuses_to_overwrite_a_configuration_or_an_instance(place: Place) -> None:
    before = {path: path.read_bytes() for path in place.folder.rglob("*") if path.is_file() and path.suffix != ".lock"}
    again = place.run("init", "--domain", "other.example")
    assert again.status == 1
    assert "exists already" in again.err
    assert again.err.count("\n") == 1
    aside = place.config.rename(place.folder / "aside.toml")
    again = place.run("init", "--domain", "other.example")
    assert again.status == 1
    assert "there is an instance in this folder" in again.err
    assert not place.config.exists()
    aside.rename(place.config)
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--domain", "https://lyon.example"], "not a domain"),
        (["--domain", "lyon.example/x"], "not a domain"),
        (["--domain", "lyon..example"], "not a domain"),
        (["--domain", "lyon.example", "--public-url", "lyon.example"], "not a public URL"),
        (["--domain", "lyon.example", "--public-url", "https://lyon.example/medfed"], "not a public URL"),
    ],
)
def test_init_refuses_what_is_no_domain_and_leaves_nothing(empty: Place, arguments: list[str], word: str) -> None:
    done = empty.run("init", *arguments)
    assert done.status == 1
    assert word in done.err
    assert not empty.folder.exists()


def test_init_that_fails_half_way_leaves_nothing(empty: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(_instance: Instance) -> None:
        raise Misconfigured("the disk is full")

    monkeypatch.setattr(setup, "make_identity", fails)
    done = empty.run("init", "--domain", "lyon.example")
    assert (done.status, done.err) == (1, "medfed: the disk is full\n")
    assert list(empty.folder.iterdir()) == []


def test_init_uses_a_folder_that_is_there_and_a_key_that_is_kept_elsewhere(
    empty: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty.data.mkdir(parents=True)
    (empty.data / "note.txt").write_text("kept")
    key = empty.folder / "credential"
    key.write_text("ab" * 32)
    monkeypatch.setenv("MEDFED_SECRET_KEY_FILE", str(key))
    assert empty.run("init", "--domain", "lyon.example", "--json").json["domain"] == "lyon.example"
    assert not (empty.data / "secret.key").exists()
    assert (empty.data / "note.txt").read_text() == "kept"
    assert empty.run("member", "list").status == 0
    monkeypatch.delenv("MEDFED_SECRET_KEY_FILE")
    assert "there is no key file" in empty.run("member", "list").err


def test_a_name_with_quotes_and_tricks_is_written_as_toml(empty: Place) -> None:
    assert empty.run("init", "--domain", "lyon.example", "--name", 'Hôpital "É"\n\x7f\\ 🏥').status == 0
    assert settings.load(empty.config, {}).instance.name == 'Hôpital "É" \\ 🏥'


def test_without_a_configuration_every_command_says_what_to_do(empty: Place) -> None:
    for command in (["serve"], ["member", "list"], ["doctor"], ["migrate"]):
        done = empty.run(*command)
        assert done.status == 1
        assert "run `medfed init --domain DOMAIN`" in done.err


def test_an_unknown_key_names_the_nearest_known_one(place: Place) -> None:
    with place.config.open("a") as file:
        file.write('\n[registration]\nmod = "open"\n')
    done = place.run("member", "list")
    assert done.status == 1
    assert "unknown configuration key registration.mod; did you mean registration.mode?" in done.err


def test_secrets_and_other_files_are_looked_for_beside_the_configuration(place: Place) -> None:
    (place.folder / "database").write_text("sqlite:///data/elsewhere.db\n")
    (place.folder / "mail").write_text("smtp://medfed:secret@mail.example\n")
    with place.config.open("a") as file:
        file.write('[database]\nurl_file = "database"\n[mail]\nurl_file = "mail"\n[federation]\nca_file = "ca.pem"\n')
    found = settings.load(place.config, {"MEDFED_INSTANCE__LANGUAGES": '["fr", "de"]'})
    assert found.database_url == f"sqlite:///{place.data / 'elsewhere.db'}"
    assert found.mail.url == "smtp://medfed:secret@mail.example"
    assert found.federation.ca_file == str(place.folder / "ca.pem")
    assert found.instance.languages == ("fr", "de")
    (place.folder / "mail").unlink()
    assert f"the secret file {place.folder / 'mail'} cannot be read" in place.run("member", "list").err


def test_a_store_that_this_version_does_not_know_is_refused(place: Place) -> None:
    done = place.spawn("member", "list", MEDFED_MEDIA__STORE="s3://bucket/prefix")
    assert (done.status, done.out) == (1, "")
    assert "media.store: must start with file:///" in done.err


@pytest.mark.parametrize("key", ["00" * 32, "not hex", ""])
@pytest.mark.case("I16")
def test_the_wrong_key_does_not_start(place: Place, key: str) -> None:
    (place.data / "secret.key").write_text(key)
    done = place.run("doctor")
    assert done.status == 1
    assert "key" in done.out + done.err
    assert "Traceback" not in done.err


def test_whatever_answers_and_ends_answers_in_json_too() -> None:
    found = [(line.name, cli.root.get_command(Context(cli.root), line.name)) for line in cli.COMMANDS]
    single = [(name, each) for name, each in found if not isinstance(each, Group)]
    single += [
        (f"{name} {sub}", each)
        for name, group in found
        if isinstance(group, Group)
        for sub, each in group.commands.items()
    ]
    mute = {name for name, each in single if each and "--json" not in [o for p in each.params for o in p.opts]}
    assert mute == {"serve", "worker", "demo", "bench"}


def test_usage_errors_have_their_own_exit_status(place: Place) -> None:
    for arguments in (["init"], ["nonsense"], ["member", "create", "x"], ["peer", "set", "a.example", "adored"], []):
        assert place.run(*arguments).status == 2


def test_a_database_that_is_not_there_is_one_sentence_without_the_password(place: Place) -> None:
    done = place.spawn("member", "list", MEDFED_DATABASE__URL="postgresql://medfed:hunter2@127.0.0.1:1/medfed")
    assert done.status == 1
    assert done.err.count("\n") == 1
    assert "Traceback" not in done.err
    assert "hunter2" not in done.err
    assert "127.0.0.1" in done.err or "PostgreSQL" in done.err


def test_migrate_says_what_it_would_do_and_does_it_once(place: Place) -> None:
    (place.data / "medfed.db").unlink()
    planned = place.run("migrate", "--dry-run", "--json").json
    assert planned["migrations"]
    assert "is not up to date; run `medfed migrate`" in place.run("member", "list").err
    assert place.run("migrate", "--json").json["migrations"] == planned["migrations"]
    assert place.run("migrate", "--json").json["migrations"] == []
    assert place.run("doctor").status == 0


def test_doctor_puts_into_words_what_stops_every_other_command(place: Place) -> None:
    (place.data / "medfed.db").write_bytes(b"not a database at all, whatever its name says" * 100)
    done = place.run("doctor", "--json")
    assert done.status == 1
    (finding,) = done.json["findings"]
    assert finding["weight"] == "problem"
    assert "file is not a database" in finding["says"]


def test_doctor_finds_what_others_could_read(place: Place) -> None:
    place.data.chmod(0o755)
    (place.data / "secret.key").chmod(0o644)
    done = place.run("doctor", "--json")
    problems = [each["says"] for each in done.json["findings"] if each["weight"] == "problem"]
    assert done.status == 1
    assert len(problems) == 2
    assert all("chmod" in problem for problem in problems)


def test_a_copied_folder_is_an_instance_too(place: Place, tmp_path: Path) -> None:
    place.run("member", "create", "roy", "--email", "roy@lyon.example")
    shutil.copytree(place.folder, tmp_path / "copy")
    assert [
        each["username"] for each in Place(tmp_path / "copy", place.capture).run("member", "list", "--json").json
    ] == ["roy"]


@pytest.mark.parametrize("domain", ["https://lyon.example", "lyon.example/x", "lyon example", "roy@lyon.example", ""])
def test_a_domain_in_the_settings_that_is_none_is_refused_in_a_sentence(place: Place, domain: str) -> None:
    text = place.config.read_text()
    place.config.write_text(text.replace('domain = "lyon.example"', f'domain = "{domain}"'))
    done = place.run("doctor")
    assert done.status == 1
    assert "instance.domain is" in done.err
    assert "write it like chu-lyon.example" in done.err
