"""On PostgreSQL several processes serve one instance, and commands go to the database themselves."""

import asyncio
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest

from medfed.cli.actions import load
from medfed.cli.serve import _opened
from medfed.instance import open_instance
from medfed.storage import migrate
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


@pytest.fixture
def servers(hospital: Place, database: str) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts `medfed serve --workers 2`, and ends it after the test."""
    started: list[subprocess.Popen[str]] = []

    def start(port: str = "0") -> subprocess.Popen[str]:
        process = subprocess.Popen(
            hospital.command("serve", "--port", port, "--workers", "2"),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=CLEAN | {"MEDFED_DATABASE__URL": database},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.terminate()
        process.wait(30)
        assert process.stderr is not None
        process.stderr.close()


def _url(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    return process.stderr.readline().split()[2]


def test_a_port_that_is_taken_is_one_clear_sentence_for_several_processes_too(
    servers: Callable[..., subprocess.Popen[str]],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = servers(str(port))
        assert process.wait(30) == 1
        assert process.stderr is not None
        assert process.stderr.read() == f"medfed: cannot listen on 127.0.0.1:{port}: Address already in use\n"


def test_processes_whose_parent_was_killed_stop_and_give_the_port_back(
    servers: Callable[..., subprocess.Popen[str]],
) -> None:
    process = servers()
    url = _url(process)
    assert get(f"{url}/livez")[0] == 200
    process.kill()
    process.wait(10)
    until = time.monotonic() + 30
    while _is_taken(int(url.rpartition(":")[2])):
        assert time.monotonic() < until
        time.sleep(0.1)


def _is_taken(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


async def test_processes_that_find_a_database_half_set_up_finish_it_once(
    hospital: Place, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDFED_DATABASE__URL", await postgres.create(template="template0"))
    settings = load(str(hospital.config))

    async def start() -> str:
        async with _opened(settings) as instance:
            return (await instance.actor()).uri

    async with open_instance(settings, role="server") as instance:
        await migrate.migrate(instance.store)
    assert len(set(await asyncio.gather(start(), start(), start()))) == 1
