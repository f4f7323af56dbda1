"""Whose a URI is: one answer, however it is spelt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medfed.activitypub import uris
from medfed.activitypub.uris import authority_of

_PARTS = st.sampled_from([
    "http", "https", "HTTPS", "ftp", "://", ":/", "//", "a.test", "A.test", "b-2.example", "xn--caf-dma.fr", "café.fr",
    ".", "..", ":", ":80", ":443", ":8000", ":65535", ":65536", ":080", ":0", ":x", "@", "user@", "\\", "[::1]",
    "127.0.0.1", "/", "?", "#", "%2f", " ", "\t", "\n", "_", "-",
])  # fmt: skip


@pytest.mark.case("D12")
@given(st.lists(_PARTS, max_size=8).map("".join) | st.text(max_size=30).map("https://a.test".__add__))
def test_the_quick_reader_of_uris_says_what_the_careful_one_says(uri: str) -> None:
    assert authority_of(uri) == uris._authority_of_any(uri)


@pytest.mark.case("D12")
@pytest.mark.parametrize(
    ("uri", "authority"),
    [
        ("https://a.test/users/x", "a.test"),
        ("https://a.test:443/users/x", "a.test"),
        ("http://a.test:443/users/x", "a.test:443"),
        ("HTTPS://A.Test./x", "a.test"),
        ("https://a.test:65536/", ""),
        ("https://user@a.test/", ""),
        ("https://a.test\\@evil.test/", ""),
        ("https://café.test/", ""),
        ("ftp://a.test/", ""),
        ("/users/x", ""),
    ],
)
def test_a_uri_belongs_to_a_host_in_plain_words_or_to_nobody(uri: str, authority: str) -> None:
    assert authority_of(uri) == authority
