"""RFC 8785: the published vectors, and agreement with another implementation."""

import hashlib
import json
import math
import struct
from collections.abc import Iterator
from itertools import islice

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from medfed.activitypub import jcs
from medfed.kernel import limits
from medfed.kernel.errors import Malformed
from tests.unit.activitypub.vectors import text, vector

INTEGERS = st.integers(min_value=-limits.JSON_INT, max_value=limits.JSON_INT)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.text(
    '\ue000\ufb01😀aé\x00\x1f\x7f\\"/', max_size=4
)
PLAIN = st.none() | st.booleans() | INTEGERS | TEXT


def trees(leaves: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=6), max_leaves=15
    )


@pytest.mark.parametrize("name", ["arrays", "french", "structures", "unicode", "values", "weird"])
def test_the_documents_of_the_rfc_have_their_published_form(name: str) -> None:
    expected = text(f"jcs/output/{name}.json").rstrip("\n")
    assert jcs.canonicalize(vector(f"jcs/input/{name}.json")).decode() == expected


@given(trees(PLAIN))
def test_documents_without_floats_agree_with_another_implementation(value: object) -> None:
    assert jcs.canonicalize(value) == rfc8785.dumps(value)  # type: ignore[arg-type]


@given(trees(PLAIN | st.floats(allow_nan=False, allow_infinity=False)))
def test_documents_with_floats_agree_with_another_implementation(value: object) -> None:
    canonical = jcs.canonicalize(value)
    assert canonical == rfc8785.dumps(value)  # type: ignore[arg-type]
    # As JavaScript reads it: 2^53 as a float is written without a point.
    assert jcs.canonicalize(json.loads(canonical, parse_int=float)) == canonical


def es6_numbers() -> Iterator[tuple[str, float]]:
    numbers = vector("jcs/es6-numbers.json")
    yield from ((pattern, _double(pattern)) for pattern in numbers["staticU64"])
    yield from ((pattern, _double(pattern)) for pattern in (f"{0x0010000000000000 + i:x}" for i in range(2000)))
    block = bytes(32)
    while True:
        block = hashlib.sha256(block).digest()
        for (bits,) in struct.iter_unpack("<Q", block):
            number = _double(f"{bits:x}")
            if number and math.isfinite(number):
                yield f"{bits:x}", number


def _double(pattern: str) -> float:
    (number,) = struct.unpack(">d", int(pattern, 16).to_bytes(8, "big"))
    return float(number)


@pytest.mark.parametrize("count", [1_000, 10_000])
def test_numbers_are_written_as_ecmascript_writes_them(count: int) -> None:
    expected = next(item for item in vector("jcs/es6-numbers.json")["checksums"] if item["lines"] == count)
    lines = "".join(
        f"{pattern.lstrip('0') or '0'},{jcs.canonicalize(number).decode()}\n"
        for pattern, number in islice(es6_numbers(), count)
    )
    assert hashlib.sha256(lines.encode()).hexdigest() == expected["sha256"]


@pytest.mark.parametrize("sample", vector("jcs/es6-numbers.json")["samples"], ids=lambda sample: sample["expected"])
def test_the_edges_of_notation_are_where_ecmascript_has_them(sample: dict[str, str]) -> None:
    assert jcs.canonicalize(_double(sample["hex"])).decode() == sample["expected"]


def test_keys_are_ordered_by_utf16_code_units() -> None:
    assert jcs.canonicalize({"\ufb01": 1, "😀": 2, "a": 3}).decode() == '{"a":3,"😀":2,"\ufb01":1}'


@pytest.mark.parametrize(
    "value",
    [
        2**53,
        -(2**53),
        [1.5, 2**53],
        float("nan"),
        float("inf"),
        "\ud800",
        {"\ud800": 1},
        [1.5, "\udfff"],
        {1: 2},
        {1.5: 2, "a": 1.5},
        b"bytes",
        {"a": {1, 2}},
        [1.5, object()],
    ],
)
def test_what_json_cannot_carry_has_no_canonical_form(value: object) -> None:
    with pytest.raises(Malformed):
        jcs.canonicalize(value)


@pytest.mark.parametrize("leaf", [0, 0.5])
def test_bottomless_documents_are_refused(leaf: object) -> None:
    value: object = leaf
    for _ in range(5_000):
        value = [value]
    with pytest.raises(Malformed):
        jcs.canonicalize(value)


def test_tuples_and_integral_floats_are_written_like_what_they_equal() -> None:
    assert jcs.canonicalize({"a": (1.0, 1, True)}) == b'{"a":[1,1,true]}'
