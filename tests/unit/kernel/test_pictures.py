"""Custom emojis become pictures in texts, and nowhere else."""

import pytest

from medfed.kernel.html import clean, with_pictures

SOURCES = {"blob": "/media/emoji/1"}
IMAGE = '<img class="emoji" src="/media/emoji/1" alt=":blob:" title=":blob:" width="20" height="20" loading="lazy">'


def test_a_name_in_a_text_is_a_picture() -> None:
    assert with_pictures("<p>a :blob: b</p>", SOURCES) == f"<p>a {IMAGE} b</p>"


@pytest.mark.case("E03")
@pytest.mark.parametrize(
    "html",
    [
        '<p><a href="https://x.test/:blob:" rel="nofollow">x</a></p>',
        '<p><a href="https://x.test/?a=>:blob:<" rel="nofollow">x</a></p>',
        "<p>a:blob:b ::blob:: :Blob: :other: : blob :</p>",
        "<p>12:blob:30</p>",
    ],
)
def test_a_name_in_a_tag_or_in_a_word_stays_as_it_is(html: str) -> None:
    cleaned = clean(html)
    assert with_pictures(cleaned, SOURCES) == cleaned


def test_a_text_without_emojis_is_not_touched() -> None:
    assert with_pictures("<p>:blob:</p>", {}) == "<p>:blob:</p>"
