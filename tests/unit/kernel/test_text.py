"""Links, mentions and hashtags are found as Mastodon finds them, in linear time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medfed.kernel.text import find, fold_hashtag, hashtags, length, mentions
from tests.support.growth import grows_linearly
from tests.unit.kernel.test_html import rendered


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("@roy", [("roy", "")]),
        ("salut @Roy@Lille.Test!", [("Roy", "lille.test")]),
        ("(@roy, @dupont@chu.example:8443)", [("roy", ""), ("dupont", "chu.example:8443")]),
        ("@roy @ROY", [("ROY", "")]),
        ("@dr-roy.", [("dr-roy", "")]),
        ("écrire à roy@lille.test", []),
        ("https://a.example/@roy", []),
        ("@@roy", []),
        ("a@roy", []),
        ("@roy@", []),
    ],
)
def test_mentions(text: str, found: list[tuple[str, str]]) -> None:
    assert mentions(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("#Santé et #santé publique", ["sante"]),
        ("#COVID19, #2026 #19e", ["covid19", "19e"]),
        ("＃医学 #स्वास्थ्य", ["医学", "स्वास्थ्य"]),
        ("a#b https://a.example/#ancre &#39;", []),
        ("#saint·e #·", ["saint·e"]),
    ],
)
def test_hashtags(text: str, found: list[str]) -> None:
    assert hashtags(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("voir https://a.example.", ["https://a.example"]),
        ("(https://a.example/b_(c))", ["https://a.example/b_(c)"]),
        ("http://a.example/x?y=1#z, et", ["http://a.example/x?y=1#z"]),
        ("https://chu-lyon.example@evil.example/", []),
        ("ftp://a.example javascript:x", []),
        ("https://évry.example/ü", ["https://évry.example/ü"]),
    ],
)
def test_links(text: str, found: list[str]) -> None:
    assert [each.text for each in find(text) if each.kind == "url"] == found


@pytest.mark.parametrize(
    ("name", "folded"),
    [
        ("Santé", "sante"),
        ("ＣＯＶＩＤ", "covid"),
        ("Straße", "strasse"),
        ("Ø", "o"),
        ("स्वास्थ्य", "स्वास्थ्य"),
        ("ガン", "ガン"),
    ],
)
def test_a_hashtag_is_folded_as_on_mastodon(name: str, folded: str) -> None:
    assert fold_hashtag(name) == folded
    assert fold_hashtag(folded) == folded


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("abc", 3),
        ("https://a.example/" + "x" * 500, 23),
        ("@roy@lille.test", 4),
        ("e\u0301", 1),
        ("👩\u200d⚕\ufe0f", 1),
        ("🇫🇷🇧🇪", 2),
        ("👍🏽", 1),
    ],
)
def test_characters_are_counted_as_clients_count_them(text: str, count: int) -> None:
    assert length(text) == count


@given(st.text(alphabet="@#a.é/:htps-_ \n)(·", max_size=200))
def test_what_is_found_is_in_order_and_in_the_text(text: str) -> None:
    at = 0
    for found in find(text):
        assert at <= found.start < found.end <= len(text)
        assert text[found.start : found.end].lstrip("@#＃").lower() == found.text.lower()
        at = found.end


@pytest.mark.case("H12")
@pytest.mark.parametrize(
    "piece",
    ["@", "@a", "@a@", "@a.", "@a@b", "@a@b.", "#", "#a", "#a·", "#1", "https://", "https://a", "https://a)", "(https://a",
     "http://a.b/(((", "a.a.", "é", "\u0301", "_", "@_-", "#·", "@a@a@a:1", ")", "🇫"],
)  # fmt: skip
@pytest.mark.parametrize("joint", ["", " "])
def test_a_hundred_kilobytes_of_malice_take_linear_time(piece: str, joint: str) -> None:
    malice = (piece + joint) * (100_000 // len(piece + joint))
    grows_linearly(lambda text: (find(text), length(text), fold_hashtag(text)), malice)


@pytest.mark.case("H12")
def test_a_post_full_of_links_is_rendered_in_linear_time() -> None:
    grows_linearly(rendered, "https://a.example/x #a @roy\n" * 400)
