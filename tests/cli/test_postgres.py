"""On PostgreSQL several processes serve one instance, and commands go to the database themselves."""

import signal
import subprocess

import pytest

from tests.cli.conftest import CLEAN, Place
from tests.cli.test_serve import get
from tests.support.databases import PostgresServer


@pytest.fixture
async def database(postgres: PostgresServer) -> str:
    return await postgres.create(template="template0")


@pytest.fixture
def hospital(empty: Place, database: str, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("MEDFED_DATABASE__URL", database)
    done = empty.run("init", "--domain", "lyon.example")
    assert done.status == 0, done.err
    return empty


def test_two_processes_serve_and_all_of_them_stop(hospital: Place, database: str) -> None:
    process = subprocess.Popen(
        hospital.command("serve", "--port", "0", "--workers", "2"),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=CLEAN | {"MEDFED_DATABASE__URL": database},
    )
    assert process.stderr is not None
    try:
        line = process.stderr.readline()
        assert line.startswith("listening on "), line
        assert line.rstrip().endswith("in 2 processes")
        url = line.split()[2]
        assert all(get(f"{url}/livez")[0] == 200 for _ in range(10))
        made = hospital.run("member", "create", "roy", "--email", "roy@lyon.example", "--json")
        assert made.status == 0, made.err
        assert get(f"{url}/.well-known/webfinger?resource=acct:roy@lyon.example")[0] == 200
        assert not (hospital.data / "medfed.sock").exists()
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        process.stderr.close()


def test_init_does_not_touch_an_instance_that_the_database_holds(hospital: Place, database: str) -> None:
    other = Place(hospital.folder.with_name("other"), hospital.capture)
    done = other.run("init", "--domain", "lille.example")
    assert done.status == 1
    assert "holds an instance already" in done.err
    assert list(other.folder.iterdir()) == []
    assert hospital.run("doctor").status == 0
