"""Forms with files that were made to cost much: refused or read, and nothing else stops (H01, H03)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import pytest
import pytest_asyncio

from tests.api.client import Client, signed_in
from tests.support.world import a_world
from tests.web.browser import Browser, visitor

B: Final = b"--limit\r\n"
PART: Final = b'Content-Disposition: form-data; name="file"; filename="a.png"\r\n'
END: Final = b"\r\n--limit--\r\n"
MIB: Final = 1024 * 1024

HOSTILE: Final[dict[str, tuple[str, bytes]]] = {
    "a long preamble": ("limit", b"\r\n" * MIB + B + PART + b"\r\nx" + END),
    "a long epilogue": ("limit", B + PART + b"\r\nx" + END + b"\r\n-" * MIB),
    "nearly the boundary, again and again": ("limit", B + PART + b"\r\n" + b"\r\n--limi" * 200_000 + END),
    "ten thousand headers of a part": ("limit", B + PART + b"X: y\r\n" * 10_000 + b"\r\nx" + END),
    "one header without end": ("limit", B + b"Content-Disposition: form-data; " + b'name="a"; ' * 200_000 + END),
    "ten thousand parts": ("limit", (B + b'Content-Disposition: form-data; name="a"\r\n\r\nx\r\n') * 10_000 + END),
    "ten thousand files": ("limit", (B + PART + b"\r\nx\r\n") * 10_000 + END),
    "a name of a megabyte": ("limit", B + b'Content-Disposition: form-data; name="' + b"a" * MIB + b'"\r\n\r\nx' + END),
    "an escape in each letter": (
        "limit",
        B + b"Content-Disposition: form-data; name*=utf-8''" + b"%41" * 300_000 + END,
    ),
    "no end": ("limit", B + PART + b"\r\n" + b"x" * MIB),
    "no boundary": ("", B + PART + b"\r\nx" + END),
    "a boundary of a megabyte": ("l" * MIB, B + PART + b"\r\nx" + END),
    "a boundary of backslashes": ('"' + "\\" * 100_000, B + PART + b"\r\nx" + END),
    "a negative length of a part": ("limit", B + PART + b"Content-Length: -1\r\n\r\nx" + END),
    "nothing": ("limit", b""),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def callers() -> AsyncIterator[tuple[Client, Browser]]:
    """An application and a browser of members of one instance."""
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        yield await signed_in(lyon, "dr-roy"), await visitor(lyon, "dr-noel")


# Starlette leaves the file of a part without an end to the collector, which closes it at once.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.case("H03")
@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.asyncio(loop_scope="module")
async def test_a_hostile_form_is_answered_and_others_meanwhile(callers: tuple[Client, Browser], kind: str) -> None:
    client, browser = callers
    boundary, body = HOSTILE[kind]
    content_type = f"multipart/form-data; boundary={boundary}"
    hostile = client.send("POST", "/api/v2/media", body, {"content-type": content_type})
    answer, other = await asyncio.gather(hostile, client.get("/api/v1/preferences"))
    assert answer.status in (400, 413, 415, 422), answer.body[:200]
    assert other.status == 200
    page = await browser._ask("POST", "/compose", body, {"content-type": content_type, "origin": browser.origin})
    assert page.status in (303, 400, 403, 413, 415, 422), page.status


@pytest.mark.case("H03")
@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data" + "; a=b" * 100_000,
        "multipart/form-data; boundary=" + '"a\\"' * 50_000,
        "multipart/" + "a" * 100_000,
        " ;" * 100_000 + "multipart/form-data",
        "application/x-www-form-urlencoded" + ";charset=" * 50_000,
    ],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_a_content_type_that_was_made_to_be_parsed_slowly_is_refused(
    callers: tuple[Client, Browser], content_type: str
) -> None:
    client, browser = callers
    answer = await client.send("POST", "/api/v2/media", b"x=1", {"content-type": content_type})
    assert answer.status in (400, 413, 415, 422)
    page = await browser._ask("POST", "/compose", b"x=1", {"content-type": content_type, "origin": browser.origin})
    assert page.status in (303, 400, 403, 413, 415, 422), page.status


@pytest.mark.case("H21")
@pytest.mark.parametrize(
    "query", ["%", "_", "*", "a", " ".join(["garde"] * 200), "é" * 5_000, '"' * 200, "(" * 500, "\\" * 300]
)
@pytest.mark.asyncio(loop_scope="module")
async def test_a_search_that_was_made_to_cost_much_is_answered_or_refused(
    callers: tuple[Client, Browser], query: str
) -> None:
    client, browser = callers
    for number in range(3):
        assert (await client.post("/api/v1/statuses", {"status": f"garde {number} % _ *"})).status == 200
    answer = await client.get("/api/v2/search", q=query)
    assert answer.status in (200, 422)
    assert answer.status == 422 or len(answer.json["statuses"]) <= 20
    assert (await browser.get("/search?q=" + query[:200].replace("%", "%25"))).status == 200
