"""base58btc and base64url as Multibase."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medfed.activitypub import multibase
from medfed.kernel.errors import Malformed


@given(st.binary(max_size=100) | st.binary(max_size=10).map(lambda tail: bytes(5) + tail))
def test_bytes_come_back_from_either_base(data: bytes) -> None:
    assert multibase.decode(multibase.encode_base58btc(data)) == data
    assert multibase.decode(multibase.encode_base64url(data)) == data


@given(st.text("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz", max_size=40))
def test_every_base58_text_is_the_only_one_for_its_bytes(text: str) -> None:
    assert multibase.encode_base58btc(multibase.decode("z" + text)) == "z" + text


def test_the_examples_of_the_multibase_specification_are_read() -> None:
    assert multibase.decode("z7paNL19xttacUY") == b"yes mani !"
    assert multibase.decode("ueWVzIG1hbmkgIQ") == b"yes mani !"
    assert multibase.decode("z17paNL19xttacUY") == b"\0yes mani !"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "f00",
        "Zabc",
        "z0",
        "zO",
        "zl",
        "z+",
        "zé",
        "z" + "2" * 2049,
        "ueWVzIG1hbmkgIQ==",
        "u a",
        "ua",
        "u+/",
        "u=",
        "uaé",
    ],
)
def test_other_bases_and_foreign_characters_are_refused(text: str) -> None:
    with pytest.raises(Malformed):
        multibase.decode(text)
