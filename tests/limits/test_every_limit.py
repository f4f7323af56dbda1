"""Every limit is held on both sides of its edge by a test that names it, or is no edge that input could cross (H05)."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from medfed.kernel import limits

TESTS: Final = Path(__file__).parent.parent
MARK: Final = re.compile(r"mark\.limit\(([^)]*)\)")
IN_TABLES: Final = re.compile(r'\blimit="([A-Z_]+)"')
UNITS: Final = frozenset({"KIB", "MIB"})
NO_EDGES: Final[Mapping[str, str]] = {
    "DNS_TIMEOUT": "a time: tests/unit/net/test_pool.py has resolvers that are slower",
    "CONNECT_TIMEOUT": "a time: tests/unit/net/test_pool.py",
    "TLS_TIMEOUT": "a time: tests/unit/net/test_pool.py",
    "READ_TIMEOUT": "a time: tests/unit/net/test_pool.py",
    "TOTAL_TIMEOUT": "a time: tests/unit/net/test_pool.py and test_client.py",
    "KEY_FETCH_TIMEOUT": "a time: tests/federation/test_origins.py has a peer that is slower",
    "CONNECTIONS_PER_HOST": "our own thrift: tests/unit/net/test_pool.py counts connections",
    "IDLE_CONNECTIONS": "our own thrift: tests/unit/net/test_pool.py counts connections",
    "IDLE_SECONDS": "our own thrift: tests/unit/net/test_pool.py",
    "DNS_CACHE_SECONDS": "our own thrift: tests/unit/net/test_pool.py",
    "DNS_CACHE_HOSTS": "our own thrift: what is forgotten is looked up anew",
    "DNS_THREADS": "our own thrift",
}


def test_every_limit_is_tested_at_its_edge() -> None:
    text = "\n".join(path.read_text() for path in TESTS.rglob("test_*.py"))
    held = {name for call in MARK.findall(text) for name in re.findall(r'"([A-Z_]+)"', call)}
    held |= set(IN_TABLES.findall(text))
    named = {name for name in vars(limits) if name.isupper()} - UNITS
    assert held <= named
    assert not held & set(NO_EDGES)
    assert named - held - set(NO_EDGES) == set()
