"""What strangers may write as JSON, and what is refused before anyone interprets it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medfed.activitypub import strictjson
from medfed.kernel import limits
from medfed.kernel.errors import Malformed

INTEGERS = st.integers(min_value=-limits.JSON_INT, max_value=limits.JSON_INT)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20) | st.text(
    '\\"{}[]:,u0019-e.', max_size=20
)
VALUES = st.recursive(
    st.none() | st.booleans() | INTEGERS | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5),
    max_leaves=20,
)


@given(VALUES, st.booleans(), st.sampled_from([None, 1]))
def test_every_honest_document_is_read_as_it_was_written(value: object, ascii_only: bool, indent: int) -> None:
    data = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    assert strictjson.parse(data) == value


@given(st.dictionaries(TEXT, VALUES, min_size=1, max_size=5), st.booleans(), st.data())
@pytest.mark.case("D20")
def test_a_key_written_twice_is_refused_wherever_it_is(
    members: dict[str, object], ascii_only: bool, data: st.DataObject
) -> None:
    again = data.draw(st.sampled_from(sorted(members)))
    pairs = [f"{json.dumps(key, ensure_ascii=ascii_only)}:{json.dumps(value)}" for key, value in members.items()]
    text = f'[0,{{"deeper":{{{",".join(pairs)},{json.dumps(again)}:null}}}}]'
    with pytest.raises(Malformed):
        strictjson.parse(text.encode())


@pytest.mark.parametrize("text", ['{"a":1,"a":1}', '{"a":1,"\\u0061":2}', '{"\\\\":1,"\\\\":2}', '{"\\"":1,"\\"":":"}'])
def test_keys_are_compared_after_their_escapes_are_read(text: str) -> None:
    with pytest.raises(Malformed, match="same key twice"):
        strictjson.parse(text.encode())


@pytest.mark.parametrize(
    "text",
    ["9007199254740992", "-9007199254740992", "18446744073709551616", "9" * 5000, '{"a":[12345678901234567]}'],
)
@pytest.mark.limit("JSON_INT")
def test_an_integer_that_a_double_cannot_hold_is_refused(text: str) -> None:
    with pytest.raises(Malformed, match=r"integer|not valid"):
        strictjson.parse(text.encode())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("9007199254740991", 9007199254740991),
        ("-9007199254740991", -9007199254740991),
        ("1.00000000000000000001", 1.0),
        ("12345678901234567890e0", 12345678901234567890.0),
        ('"9007199254740992000"', "9007199254740992000"),
    ],
)
def test_the_largest_integers_and_long_floats_and_digits_in_strings_are_read(text: str, value: object) -> None:
    assert strictjson.parse(text.encode()) == value


@pytest.mark.case("H07")
@pytest.mark.parametrize("shape", ["list", "object"])
def test_nesting_is_read_up_to_the_limit_and_refused_beyond(shape: str) -> None:
    opening, closing = ("[", "]") if shape == "list" else ('{"a":', "}")

    def nested(depth: int) -> bytes:
        return f"{opening * depth}0{closing * depth}".encode()

    strictjson.parse(nested(limits.JSON_DEPTH))
    for depth in (limits.JSON_DEPTH + 1, 1_000, 100_000):
        with pytest.raises(Malformed):
            strictjson.parse(nested(depth))


def test_arrays_and_documents_are_read_up_to_their_limits() -> None:
    strictjson.parse(json.dumps([0] * limits.JSON_ARRAY).encode())
    with pytest.raises(Malformed, match="array"):
        strictjson.parse(json.dumps([0] * (limits.JSON_ARRAY + 1)).encode())

    rows = [[0] * 999 for _ in range(20)]
    strictjson.parse(json.dumps([*rows[:-1], [0] * 978]).encode())
    with pytest.raises(Malformed, match="too many values"):
        strictjson.parse(json.dumps(rows).encode())
    strictjson.parse(json.dumps(rows).encode(), max_nodes=20_001)
    strictjson.parse(json.dumps([0] * 5_000).encode(), max_array=5_000)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"NaN",
        b"[Infinity]",
        b"1e400",
        b"[1,]",
        b"{'a':1}",
        b"\xef\xbb\xbf{}",
        b'"\\ud800"',
        b'"\xff"',
        b"01",
        b"1 2",
    ],
)
def test_what_is_not_json_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        strictjson.parse(data)


@given(st.binary(max_size=60) | st.text('{}[]":,\\0129eE.-tfn u', max_size=60).map(str.encode))
def test_no_bytes_make_the_reader_fail_in_another_way(data: bytes) -> None:
    try:
        strictjson.parse(data)
    except Malformed:
        return
    json.loads(data)


def test_only_an_object_is_a_document() -> None:
    assert strictjson.parse_object(b'{"a":1}') == {"a": 1}
    for data in (b"[]", b'"a"', b"null"):
        with pytest.raises(Malformed, match="object"):
            strictjson.parse_object(data)


def test_a_nul_character_is_refused_and_talk_of_one_is_not() -> None:
    with pytest.raises(Malformed, match="NUL"):
        strictjson.parse(rb'{"content": "a\u0000b"}')
    assert strictjson.parse(rb'{"content": "write \\u0000"}') == {"content": "write \\u0000"}


def test_a_large_float_does_not_make_an_integer_beside_it_too_big() -> None:
    assert strictjson.parse(b"[-1000000000000000, 9.223372036854776e+18]") == [-(10**15), 2.0**63]
