"""C19: what is secret is compared in constant time, and found by all of it or not at all."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

import medfed
from medfed.activitypub.here import Here
from medfed.activitypub.uris import Uris
from medfed.kernel.clock import FixedClock
from medfed.kernel.errors import NotFound
from medfed.kernel.ids import Ids
from medfed.kernel.secrets import Vault, hash_token, new_token, same_secret
from medfed.media import links

CLOCK: Final = FixedClock(1_795_600_000_000)
PACKAGE: Final = Path(medfed.__file__).parent
SECRET: Final = re.compile(
    r"secret|token|digest|h?mac\b|_mac|csrf|challenge|signature|hash|password|nonce|verifier|fingerprint|invitation"
)
NO_SECRETS: Final[Mapping[str, str]] = {
    "chosen.label not in signatures": "labels",
    "label in signatures": "labels",
    "credentials not in request.values('signature')": "two headers of one request",
    "group == token": "a word of a code list",
    "sha256(data).digest() == digest": "whether a file is whole: both are ours",
    "await self._digests.here_of(author) == announced.digest": "who follows whom, which the peer knows",
    "request.query_params.get('v') == file.digest": "the version of a style sheet, which everybody sees",
}
"""Comparisons of what is called like a secret and is none."""


def _comparisons() -> Iterator[tuple[str, str]]:
    """Every comparison of something that is called like a secret with something that is not written there."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Compare) or isinstance(node.ops[0], ast.Is | ast.IsNot):
                continue
            sides = [node.left, *node.comparators]
            constant = any(isinstance(side, ast.Constant) for side in sides)
            ordered = isinstance(node.ops[0], ast.Lt | ast.LtE | ast.Gt | ast.GtE)
            if not constant and not ordered and any(SECRET.search(_name(side)) for side in sides):
                yield str(path.relative_to(PACKAGE)), ast.unparse(node)


def _name(node: ast.expr) -> str:
    """What a value is called: the last name, what is called, and what is asked for by it."""
    match node:
        case ast.Name():
            return node.id
        case ast.Attribute():
            return node.attr
        case ast.Call():
            words = [arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
            return " ".join([_name(node.func), *words])
        case ast.Await():
            return _name(node.value)
        case ast.Subscript():
            return f"{_name(node.value)} {_name(node.slice)}"
        case ast.Constant():
            return str(node.value)
        case _:
            return ""


@pytest.mark.case("C19")
def test_nothing_secret_is_compared_by_an_operator_that_stops_at_the_first_difference() -> None:
    found = set(_comparisons())
    assert {text for _, text in found} >= set(NO_SECRETS), "an exception that is no longer needed"
    assert {each for each in found if each[1] not in NO_SECRETS} == set()


@pytest.mark.case("C19")
def test_the_comparison_in_constant_time_is_made_in_three_places() -> None:
    """Texts in kernel.secrets, where no letter of a stranger's can make it raise; digests and seals are bytes."""
    places = {
        path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py") if "compare_digest" in path.read_text()
    }
    assert places == {"kernel/secrets.py", "kernel/age.py", "activitypub/digests.py"}


@pytest.mark.case("C19")
def test_what_is_stored_of_a_secret_is_found_by_equality_alone() -> None:
    """Of tokens it is the hash: whoever learned how much of it agrees would know nothing of the token."""
    columns = re.compile(r"\b\w*(?:_hash|_hmac|csrf|client_secret|token)\b\s*(LIKE|<|>|BETWEEN|\|\|)", re.IGNORECASE)
    cut = re.compile(r"\b(?:SUBSTR|SUBSTRING|LEFT|STARTS_WITH|INSTR)\s*\(", re.IGNORECASE)
    for path in sorted((PACKAGE / "storage").rglob("*.py")):
        text = path.read_text("utf-8")
        found = [match[0] for match in columns.finditer(text) if "<>" not in match[0]]
        assert found == [], path
        for match in cut.finditer(text):
            assert not SECRET.search(text[match.start() : match.start() + 60]), path


@pytest.mark.case("C19")
def test_texts_are_the_same_or_not_whatever_letters_they_have() -> None:
    token = new_token()
    assert same_secret(token, token)
    for other in (token[:-1], token + "x", token[:-1] + "é", "", "é", "\ud800", hash_token(token)):
        assert not same_secret(token, other)
        assert not same_secret(other, token)
    assert same_secret("é", "é")


@pytest.mark.case("C19")
@pytest.mark.parametrize("mac", ["é", "0" * 32, "", "\ud800"])
def test_a_link_to_a_file_with_another_mac_leads_nowhere(mac: str) -> None:
    here = Here(
        name="", contact="", languages=("fr",), mode="open", uris=Uris(base="https://lyon.test", domain="lyon.test"),
        ids=Ids(CLOCK), clock=CLOCK, vault=Vault(bytes(32)),
    )  # fmt: skip
    with pytest.raises(NotFound):
        links.viewer_of(here, "a.webp", f"{CLOCK.now() + 1000}.7.{mac}")
