"""What members may write: one less than the limit, the limit, and one more is a clear refusal (H06)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from medfed.kernel import limits
from medfed.media import decode
from tests.api.client import Answer, Client, signed_in
from tests.api.test_medical import CASE, CASES
from tests.support.world import a_world

STATUSES = "/api/v1/statuses"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One thing that is written, as a body of so many."""

    limit: str
    named: str
    """What the refusal calls it."""
    body: Callable[[int], dict[str, Any]]
    path: str = field(default=STATUSES)


FIELDS = (
    Field(limit="POST_CHARACTERS", named="status", body=lambda n: {"status": "é" * n}),
    Field(limit="POST_CHARACTERS", named="status", body=lambda n: {"status": "é" * (n - 9), "spoiler_text": "é" * 9}),
    Field(limit="POLL_OPTIONS", named="poll.options", body=lambda n: poll([f"answer {at}" for at in range(n)])),
    Field(limit="POLL_OPTION_CHARACTERS", named="poll.options", body=lambda n: poll(["é" * n, "no"])),
    Field(limit="CASE_TITLE", named="title", body=lambda n: CASE | {"title": "é" * n}, path=CASES),
    Field(limit="CASE_FIELD", named="presentation", body=lambda n: CASE | {"presentation": "é" * n}, path=CASES),
)


def poll(options: list[str]) -> dict[str, Any]:
    return {"status": "Which?", "poll": {"options": options, "expires_in": 3_600}}


@pytest.mark.limit(*{one.limit for one in FIELDS})
@pytest.mark.case("H06")
async def test_what_is_too_long_is_refused_by_name_and_not_cut() -> None:
    async with a_world("lyon.test") as world:
        dupont = await signed_in(world["lyon.test"], "dr-dupont")
        for one in FIELDS:
            most: int = getattr(limits, one.limit)
            answers = [await dupont.post(one.path, one.body(most + by)) for by in (-1, 0, 1)]
            assert [answer.status for answer in answers] == [200, 200, 422], (one.limit, answers[-1].body[:300])
            assert one.named in answers[-1].json["details"]


@pytest.mark.limit("POST_ATTACHMENTS", "ALT_TEXT_LOCAL")
@pytest.mark.case("H06")
async def test_pictures_and_their_descriptions_have_a_limit(png: bytes) -> None:
    async with a_world("lyon.test") as world:
        dupont = await signed_in(world["lyon.test"], "dr-dupont")

        async def upload(description: str = "") -> Answer:
            return await dupont.upload("/api/v2/media", {"file": png}, {"description": description})

        described = [await upload("é" * (limits.ALT_TEXT_LOCAL + by)) for by in (-1, 0, 1)]
        assert [answer.status for answer in described] == [200, 200, 422]
        assert len(described[1].json["description"]) == limits.ALT_TEXT_LOCAL
        statuses = [await _posted(dupont, upload, limits.POST_ATTACHMENTS + by) for by in (-1, 0, 1)]
        assert statuses == [200, 200, 422]


async def _posted(client: Client, upload: Callable[[], Any], number: int) -> int:
    ids = [(await upload()).json["id"] for _ in range(number)]
    return (await client.post(STATUSES, {"status": "Look", "media_ids": ids})).status


@pytest.mark.limit("IMAGE_PIXELS")
@pytest.mark.case("E15")
def test_a_picture_may_have_as_many_pixels_as_its_limit() -> None:
    """The limit is the program's own argument; here it is small, so that the picture is."""
    out = BytesIO()
    Image.new("L", (20, 30)).save(out, "PNG")
    for pixels in (601, 600):
        header, _ = decode.convert(out.getvalue(), pixels=pixels, side=1_000, shape="keep")
        assert (header["width"], header["height"]) == (20, 30)
    with pytest.raises(decode.Refusal, match="too large"):
        decode.convert(out.getvalue(), pixels=599, side=1_000, shape="keep")


@pytest.fixture
def png() -> bytes:
    """A small image."""
    out = BytesIO()
    Image.new("RGB", (4, 3), (20, 120, 90)).save(out, "PNG")
    return out.getvalue()
