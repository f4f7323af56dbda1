"""Bitstring status lists: the right bit, and never a good answer from a bad list."""

import gzip
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medfed.activitypub import multibase, statuslist
from medfed.activitypub.statuslist import MINIMUM_LENGTH, BitString
from medfed.kernel import limits
from medfed.kernel.errors import Malformed
from tests.unit.activitypub.vectors import vector


@pytest.mark.case("N06")
@pytest.mark.parametrize("case", vector("bitstring-status-list/derived.json")["lists"])
def test_exactly_the_published_bits_are_set(case: dict[str, Any]) -> None:
    bits = BitString.decode(case["encodedList"])
    assert len(bits) == case["length"]
    assert [index for index in range(len(bits)) if bits.get(index)] == case["set"]


def test_the_list_of_the_specification_is_read() -> None:
    example = vector("bitstring-status-list/example.json")
    bits = BitString.decode(example["statusListCredential"]["credentialSubject"]["encodedList"])
    entry = example["credential"]["credentialStatus"][0]
    assert len(bits) == vector("bitstring-status-list/example.json")["facts"]["minimumEntries"]
    assert not bits.get(statuslist.parse_index(entry["statusListIndex"]))


@settings(max_examples=25)
@given(st.sets(st.integers(0, MINIMUM_LENGTH - 1), max_size=20))
def test_a_list_comes_back_as_it_was_encoded(indexes: set[int]) -> None:
    bits = BitString()
    for index in indexes:
        bits.set(index)
    read = BitString.decode(bits.encode())
    assert read.to_bytes() == bits.to_bytes() == BitString.from_bytes(bits.to_bytes()).to_bytes()
    assert all(read.get(index) for index in indexes)
    for index in indexes:
        read.clear(index)
    assert not any(read.to_bytes())


def test_encoding_does_not_depend_on_the_time() -> None:
    assert BitString().encode() == BitString().encode()
    assert multibase.decode(BitString().encode())[4:8] == bytes(4)


def test_the_first_entry_is_the_leftmost_bit() -> None:
    bits = BitString()
    bits.set(0)
    assert bits.to_bytes()[0] == 0x80


@pytest.mark.case("N06")
@pytest.mark.parametrize("index", [-1, MINIMUM_LENGTH, 2**31])
def test_there_is_no_answer_outside_the_list(index: int) -> None:
    bits = BitString()
    for ask in (bits.get, bits.set, bits.clear):
        with pytest.raises(Malformed):
            ask(index)


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.0", "1e3", " 1", "٣", "0x10", "1" * 11])
def test_an_index_that_is_not_a_number_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        statuslist.parse_index(text)


def encoded(data: bytes) -> str:
    return multibase.encode_base64url(data)


GOOD = gzip.compress(bytes(MINIMUM_LENGTH // 8), mtime=0)


@pytest.mark.case("N06")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "z" + encoded(GOOD)[1:],
        encoded(GOOD)[1:],
        encoded(GOOD) + "==",
        encoded(b""),
        encoded(bytes(MINIMUM_LENGTH // 8)),
        encoded(zlib.compress(bytes(MINIMUM_LENGTH // 8))),
        encoded(GOOD[:-1]),
        encoded(GOOD[:-8] + bytes(8)),
        encoded(GOOD + b"\0"),
        encoded(GOOD + GOOD),
        encoded(gzip.compress(bytes(MINIMUM_LENGTH // 8 - 1), mtime=0)),
        encoded(gzip.compress(b"", mtime=0)),
    ],
    ids=lambda text: text[:12],
)
def test_a_damaged_or_short_list_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        BitString.decode(text)


@pytest.mark.case("N06")
@pytest.mark.limit("STATUS_LIST")
def test_a_list_inflates_to_a_mebibyte_and_no_further() -> None:
    assert len(BitString.decode(encoded(gzip.compress(bytes(limits.STATUS_LIST))))) == limits.STATUS_LIST * 8
    for size in (limits.STATUS_LIST + 1, 200 * limits.MIB):
        with pytest.raises(Malformed, match="too long"):
            BitString.decode(encoded(gzip.compress(bytes(size), compresslevel=1)))


@pytest.mark.parametrize("length", [0, MINIMUM_LENGTH - 8, MINIMUM_LENGTH + 1])
def test_a_list_that_would_single_out_its_members_cannot_be_made(length: int) -> None:
    with pytest.raises(Malformed):
        BitString(length)
