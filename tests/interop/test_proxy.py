"""What the proxy of deploy/ lets through and what it says of whom, with the real nginx before a real server (F17)."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Final

import pytest

from tests.interop.named import NamedMedfed
from tests.interop.network import Network
from tests.interop.servers import ROOT, Unavailable

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("proxy")]

NAME: Final = "lyon.test"
SMUGGLED: Final = f"GET /api/v1/smuggled HTTP/1.1\r\nHost: {NAME}\r\nX-Rest: "
ATTACKER, OTHER = "127.0.0.66", "127.0.0.77"
TRICKS: Final = {
    "CL.TE": f"Content-Length: {5 + len(SMUGGLED)}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "TE.CL": f"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n{len(SMUGGLED):x}\r\n{SMUGGLED}\r\n0\r\n\r\n",
    "TE with a space": f"Content-Length: 5\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "TE unknown": f"Content-Length: 5\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "TE twice": "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\nContent-Length: 5\r\n\r\n"
    f"0\r\n\r\n{SMUGGLED}",
    "TE folded": f"Content-Length: 5\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n{SMUGGLED}",
    "CL twice": f"Content-Length: 0\r\nContent-Length: {len(SMUGGLED)}\r\n\r\n{SMUGGLED}",
    "CL with a plus": f"Content-Length: +0\r\n\r\n{SMUGGLED}",
    "CL negative": f"Content-Length: -1\r\n\r\n{SMUGGLED}",
    "line feeds alone": f"X-A: b\nContent-Length: 0\n\n{SMUGGLED}",
    "a header that is folded": f"X-A: b\r\n Content-Length: 0\r\nContent-Length: 0\r\n\r\n{SMUGGLED}",
    "NUL in a header": f"X-A: b\0c\r\nContent-Length: 0\r\n\r\n{SMUGGLED}",
    "Host twice": f"Host: other.test\r\nContent-Length: 0\r\n\r\n{SMUGGLED}",
    "chunk with an extension": f'Transfer-Encoding: chunked\r\n\r\n0;a="\r\n"\r\n\r\n{SMUGGLED}',
    "chunk size that overflows": f"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{SMUGGLED}",
    "chunk that ends in a line feed": f"Transfer-Encoding: chunked\r\n\r\n1\nx\n0\n\n{SMUGGLED}",
}
AMBIGUOUS: Final = (
    "CL.TE",
    "TE.CL",
    "TE twice",
    "CL twice",
    "CL negative",
    "CL with a plus",
    "NUL in a header",
    "Host twice",
)


class Limited(NamedMedfed):
    """With the rate limits of production."""

    def __init__(self, folder: object, network: Network, name: str) -> None:
        super().__init__(folder, network, name)  # type: ignore[arg-type]
        del self._environment["MEDFED_LIMITS__ENABLED"]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    network = Network(tmp_path_factory.mktemp("proxy") / "network", [NAME])
    try:
        network.start()
    except Unavailable as why:
        network.stop()
        pytest.skip(str(why))
    yield network
    network.stop()


@pytest.fixture(scope="module")
def lyon(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NamedMedfed]:
    server = Limited(tmp_path_factory.mktemp("lyon"), network, NAME)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def _exchange(network: Network, port: int, asked: Sequence[tuple[str, str]]) -> list[str]:
    """What came back to each of these texts, sent from these addresses to 127.0.0.1."""
    command = [sys.executable, "-m", "tests.interop.raw", str(network.ca_file), NAME, str(port)]
    done = subprocess.run(
        network.inside(command),
        input=json.dumps(asked),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said: list[str] = json.loads(done.stdout)
    return said


def _post(rest: str) -> str:
    return f"POST /api/v1/apps HTTP/1.1\r\nHost: {NAME}\r\n{rest}"


def _get(path: str, *headers: str) -> str:
    return "\r\n".join([f"GET {path} HTTP/1.1", f"Host: {NAME}", "Connection: close", *headers, "", ""])


def _statuses(said: str) -> list[int]:
    return [int(status) for status in re.findall(r"HTTP/1\.1 (\d{3})", said)]


@pytest.mark.case("F17")
@pytest.mark.parametrize("trick", TRICKS)
def test_nobody_else_gets_the_answer_to_what_was_smuggled(lyon: NamedMedfed, network: Network, trick: str) -> None:
    victims = [(OTHER, _get("/api/v1/instance"))] * 4
    first, *others = _exchange(network, 443, [(ATTACKER, _post(TRICKS[trick])), *victims])
    for said in others:
        assert _statuses(said) == [200]
        assert NAME in said.partition("\r\n\r\n")[2]
    assert "smuggled" not in "".join(others)
    statuses = _statuses(first)
    if trick in AMBIGUOUS:
        assert statuses == [400]
    assert len(statuses) <= 2, "what comes after the first request on the attacker's own connection is the attacker's"
    assert not any(200 <= status < 300 for status in statuses)


@pytest.mark.case("F17")
@pytest.mark.parametrize("trick", TRICKS)
def test_without_the_proxy_what_can_be_read_in_two_ways_is_refused_too(
    lyon: NamedMedfed, network: Network, trick: str
) -> None:
    first, other = _exchange(network, lyon.port, [("127.0.0.1", _post(TRICKS[trick])), (OTHER, _get("/livez"))])
    assert _statuses(other) == [200]
    statuses = _statuses(first)
    if trick in AMBIGUOUS or trick.startswith("TE"):
        assert statuses[:1] in ([400], [501])
        assert len(statuses) == 1, "and nothing after it is read"
    assert not any(200 <= status < 300 for status in statuses)


def _left(said: str) -> int:
    found = re.search(r"x-ratelimit-remaining: (\d+)", said, re.IGNORECASE)
    assert found is not None, said[:500]
    return int(found[1])


@pytest.mark.case("F17", "H13")
def test_who_names_another_address_is_counted_by_their_own(lyon: NamedMedfed, network: Network) -> None:
    lies = (
        "X-Forwarded-For: 6.6.6.{}",
        "X-Forwarded-For: 127.0.0.1, 6.6.6.{}",
        "Forwarded: for=6.6.6.{}",
        "X-Real-IP: 6.6.6.{}",
    )
    asked = [(ATTACKER, _get("/api/v1/instance", lie.format(number))) for number, lie in enumerate(lies)]
    left = [_left(said) for said in _exchange(network, 443, [*asked, ("127.0.0.88", _get("/api/v1/instance"))])]
    *attackers, other = left
    assert attackers == list(range(attackers[0], attackers[0] - len(lies), -1))
    assert other > attackers[-1]


@pytest.mark.case("F17", "H13")
def test_past_the_proxy_only_the_proxy_is_believed(lyon: NamedMedfed, network: Network) -> None:
    spoofed = [("127.0.0.99", _get("/api/v1/instance", f"X-Forwarded-For: 7.7.7.{number}")) for number in range(3)]
    left = [_left(said) for said in _exchange(network, lyon.port, spoofed)]
    assert left == [left[0], left[0] - 1, left[0] - 2]
    told = [("127.0.0.1", _get("/api/v1/instance", f"X-Forwarded-For: 8.8.8.{number}")) for number in range(3)]
    left = [_left(said) for said in _exchange(network, lyon.port, told)]
    assert left == [left[0]] * 3


@pytest.mark.case("F17")
def test_no_header_moves_a_request_to_another_host_path_or_method(lyon: NamedMedfed, network: Network) -> None:
    lyon.member("ada")
    lies = (
        "X-Forwarded-Host: evil.test", "X-Forwarded-Proto: gopher", "Forwarded: host=evil.test;proto=http",
        "X-Forwarded-Port: 666", "X-Forwarded-Prefix: /evil.test", "X-Original-URL: /admin", "X-Rewrite-URL: /admin",
        "X-HTTP-Method-Override: DELETE",
    )  # fmt: skip
    paths = ("/api/v1/instance", f"/.well-known/webfinger?resource=acct:ada@{NAME}", "/users/ada", "/")
    for path in paths:
        honest, lied = _exchange(network, 443, [(ATTACKER, _get(path)), (ATTACKER, _get(path, *lies))])
        assert _statuses(honest) == _statuses(lied) == [200]
        assert "evil.test" not in lied
        assert "gopher" not in lied
