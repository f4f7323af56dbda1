"""One door leads to other servers: nothing else opens a connection, and no proxy of the environment is believed."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

import medfed
from medfed.net.client import Net
from tests.support.peers import a_peer, always

PACKAGE = Path(medfed.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))

_LIBRARIES: Final = frozenset(
    {
        "aiohttp", "aiosmtplib", "asyncpg", "dns", "ftplib", "http.client", "http.server", "httpcore", "httpx",
        "imaplib", "poplib", "psycopg", "requests", "smtplib", "socket", "socketserver", "ssl", "telnetlib",
        "urllib.request", "urllib3", "websockets", "xmlrpc",
    }
)  # fmt: skip
"""What can speak with another machine, of the standard library and of the usual packages."""
_CALLS: Final = frozenset(
    {
        "create_connection", "create_datagram_endpoint", "create_server", "create_unix_connection", "open_connection",
        "open_unix_connection", "sock_connect", "start_server", "urlopen", "urlretrieve",
    }
)  # fmt: skip
_ALLOWED: Final[Mapping[str, frozenset[str]]] = {
    "cli/remote.py": frozenset({"open_unix_connection"}),  # commands speak with the server beside them
    "cli/serve.py": frozenset({"start_server"}),  # listens for a moment, to say that a port is taken
    "notifications/mail.py": frozenset({"smtplib"}),  # the operator's own relay, from the settings and nowhere else
    "storage/postgres.py": frozenset({"asyncpg"}),  # the operator's own database
}
_FETCHES: Final = frozenset({"fetch_document", "fetch_json"})


def _reaches_out(module: ast.Module) -> Iterator[str]:
    """Libraries that a module imports and functions that it calls, as far as they could open a connection."""
    for node in ast.walk(module):
        match node:
            case ast.Import(names=names):
                yield from (each.name for each in names if _is_one(each.name))
            case ast.ImportFrom(module=str(origin), names=names):
                yield from (origin for _ in [0] if _is_one(origin))
                yield from (f"{origin}.{each.name}" for each in names if _is_one(f"{origin}.{each.name}"))
            case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)) if name in _CALLS:
                yield name


def _is_one(name: str) -> bool:
    return any(name == library or name.startswith(f"{library}.") for library in _LIBRARIES)


@pytest.mark.case("B01")
def test_nothing_but_the_door_opens_a_connection() -> None:
    found = {
        str(path.relative_to(PACKAGE)): frozenset(_reaches_out(ast.parse(path.read_text("utf-8"))))
        for path in MODULES
        if PACKAGE / "net" not in path.parents
    }
    assert {name: what for name, what in found.items() if what} == _ALLOWED


@pytest.mark.case("B01")
def test_every_fetch_is_handed_the_one_client() -> None:
    """Nobody makes a client of their own; each document is fetched by `net.fetch`, whose first argument is the Net."""
    makers, fetches = set(), 0
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            if node.func.id == "Net":
                makers.add(str(path.relative_to(PACKAGE)))
            if node.func.id in _FETCHES:
                fetches += 1
                assert ast.unparse(node.args[0]).rpartition(".")[2] in ("net", "_net"), ast.unparse(node)
    assert makers == {"instance.py", "cli/demo/run.py"}  # the demonstration asks its own two servers
    assert fetches >= 8


def test_the_test_sees_what_it_looks_for() -> None:
    source = (
        "import http.client, json\nfrom urllib import request, parse\nfrom socket import socket as s\n"
        "async def f():\n    await asyncio.open_connection('a', 1)\n"
    )
    assert set(_reaches_out(ast.parse(source))) - {"socket.socket"} == {
        "http.client",
        "urllib.request",
        "socket",
        "open_connection",
    }


@pytest.mark.case("B14")
async def test_no_proxy_of_the_environment_is_ever_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_peer(always(502)) as proxy, a_peer(always(200, body=b"direct")) as peer:
        for name in ("http_proxy", "https_proxy", "all_proxy", "ftp_proxy"):
            for variable in (name, name.upper()):
                monkeypatch.setenv(variable, proxy.url)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.setenv(name, "")
        async with Net(allow_networks=["127.0.0.0/8"], allow_http=True) as net:
            response = await net.get(f"{peer.url}/", accept="*/*", limit=100)
        assert (response.status, response.body) == (200, b"direct")
        assert proxy.connections == 0
