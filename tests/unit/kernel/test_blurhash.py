"""What is a blurhash, and what only looks like one."""

import pytest

from medfed.activitypub.wire import read_post
from medfed.kernel.blurhash import is_blurhash

GOOD = "LEHV6nWB2yk8pyo0adR*.7kCMdnj"
BAD = ["", "abc", GOOD[:-1], GOOD + "jé", "L" * 200, '"' * 28, "~" + GOOD[1:], "\u0660" * 6]


def test_a_well_formed_blurhash_is_one() -> None:
    assert is_blurhash(GOOD)


@pytest.mark.case("E14")
@pytest.mark.parametrize("text", BAD)
def test_a_malformed_blurhash_is_none(text: str) -> None:
    assert not is_blurhash(text)


@pytest.mark.case("E14")
@pytest.mark.parametrize("text", [GOOD, *BAD])
def test_a_malformed_blurhash_of_a_peer_is_left_out(text: str) -> None:
    image = {"type": "Image", "mediaType": "image/png", "url": "https://good.test/1.png", "blurhash": text}
    note = {"id": "https://good.test/1", "type": "Note", "attributedTo": "https://good.test/a", "attachment": [image]}
    (attachment,) = read_post(note, 0).attachments
    assert attachment.blurhash == (GOOD if text == GOOD else "")
