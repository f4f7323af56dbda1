"""What may be sent to us: bodies and signatures of one less than the limit, the limit, and one more (H05, H06)."""

import asyncio
from typing import Any

import orjson
import pytest
from starlette.requests import Request

from medfed.activitypub.claims import SignedRequest
from medfed.activitypub.keys import generate_ed25519
from medfed.edge import read_body
from medfed.kernel import limits
from medfed.kernel.errors import BadSignature, TooLarge
from tests.api.client import signed_in
from tests.support.stranger import Document, Stranger
from tests.support.world import a_world
from tests.unit.activitypub.requests import KEY_ID, NOW, SCHEMES, a_post, signed, with_headers
from tests.web.browser import visitor

AROUND = (-1, 0, 1)


@pytest.mark.limit("INBOX_BODY")
@pytest.mark.case("H05")
async def test_an_activity_may_be_as_large_as_its_limit() -> None:
    async with a_world("lyon.test") as world:
        lyon, mallory = world["lyon.test"], Stranger(world, "good.test").person("mallory")
        await lyon.follows("dr-roy", mallory.handle)

        def padded(size: int) -> bytes:
            bare = mallory.create(mallory.note(padding=""))
            bare["object"]["padding"] = "x" * (size - len(orjson.dumps(bare)))
            return orjson.dumps(bare)

        answers = [await mallory.sends(lyon, padded(limits.INBOX_BODY + by)) for by in AROUND]
        assert [answer.status for answer in answers] == [202, 202, 413]


@pytest.mark.case("H05")
async def test_every_property_a_thousand_times_too_long_leaves_little_behind() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = world["lyon.test"], Stranger(world, "good.test").person("alice")
        await lyon.follows("dr-roy", alice.handle)
        long = "e" * 200_000
        everything: Document = {
            "name": long, "summary": long, "content": long, "source": {"content": long}, "contentMap": {"fr": long},
            "url": f"https://good.test/{long}", "context": f"https://good.test/{long}", "inReplyTo": long,
            "tag": [{"type": "Hashtag", "name": f"#{long}"}], "attachment": [{"type": "Image", "url": long}],
            "oneOf": [{"name": long}], "audiencePolicy": {"profession": [long]}, "case": {"presentation": long},
            "published": long, "conversation": long, "language": long,
        }  # fmt: skip
        for name, value in everything.items():
            note = alice.note(**{name: value})
            assert (await alice.sends(lyon, alice.create(note))).status in (202, 400), name
        await world.settle()
        assert max(len(row) for rows in (await lyon.contents()).values() for row in rows) < 1_500_000


@pytest.mark.limit("API_BODY")
@pytest.mark.case("H05")
async def test_a_call_may_be_as_large_as_its_limit() -> None:
    async with a_world("lyon.test") as world:
        client = await signed_in(world["lyon.test"], "dr-roy")
        bare = orjson.dumps({"status": ""})
        bodies = [{"status": "x" * (limits.API_BODY + by - len(bare))} for by in AROUND]
        answers = [await client.post("/api/v1/statuses", body) for body in bodies]
        assert [answer.status for answer in answers] == [422, 422, 413]


@pytest.mark.limit("UPLOAD_BODY")
@pytest.mark.case("H05")
async def test_an_upload_may_be_as_large_as_its_limit() -> None:
    """In the interface and on the pages: what is announced as more is refused before any of it is read."""
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        client, browser = await signed_in(lyon, "dr-roy"), await visitor(lyon, "dr-noel")
        statuses = []
        for by in AROUND:
            announced = {"content_length": str(limits.UPLOAD_BODY + by)}
            kind = {"content-type": "multipart/form-data; boundary=limit"}
            by_api = await client.send("POST", "/api/v2/media", b"--limit--\r\n", kind | announced)
            by_page = await browser.post("/compose", {"content": "x"}, files={"image1": b"x"}, **announced)
            statuses.append((by_api.status == 413, by_page.status == 413))
        assert statuses == [(False, False), (False, False), (True, True)]


@pytest.mark.limit("INBOX_BODY", "API_BODY", "UPLOAD_BODY")
@pytest.mark.parametrize("most", [limits.INBOX_BODY, limits.UPLOAD_BODY])
async def test_a_body_is_counted_while_it_arrives_whatever_was_announced(most: int) -> None:
    async def read(size: int) -> int:
        sent, part = 0, 256 * limits.KIB

        async def receive() -> dict[str, Any]:
            nonlocal sent
            await asyncio.sleep(0)
            now = min(part, size - sent)
            sent += now
            return {"type": "http.request", "body": bytes(now), "more_body": sent < size}

        scope = {"type": "http", "method": "POST", "headers": [], "path": "/", "query_string": b""}
        return len(await read_body(Request(scope, receive), most))

    assert [await read(most - 1), await read(most)] == [most - 1, most]
    with pytest.raises(TooLarge):
        await read(most + 1)


@pytest.mark.limit("SIGNATURE_HEADER")
@pytest.mark.case("H05")
@pytest.mark.parametrize("scheme", ["cavage", "rfc9421"])
def test_a_signature_header_is_read_up_to_its_limit(scheme: str) -> None:
    """What pads it is a parameter that no one knows, before or after the ones that count."""
    key = generate_ed25519()
    request, header = signed(scheme, a_post(), key), "signature" if scheme == "cavage" else "signature-input"
    (written,) = request.values(header)

    def padded(by: int) -> SignedRequest:
        room = limits.SIGNATURE_HEADER + by - len(written) - len(',x=""')
        value = f'x="{"x" * room}",{written}' if scheme == "cavage" else f'{written};x="{"x" * room}"'
        assert len(value) == limits.SIGNATURE_HEADER + by
        return with_headers(request, **{header: value})

    for by in (-1, 0):
        assert SCHEMES[scheme].read(padded(by), NOW).key_id == KEY_ID
    with pytest.raises(BadSignature, match="exactly one"):
        SCHEMES[scheme].read(padded(1), NOW)


@pytest.mark.limit("KEY_ID")
@pytest.mark.case("H05")
@pytest.mark.parametrize("scheme", ["cavage", "rfc9421"])
def test_the_id_of_a_key_is_read_up_to_its_limit(scheme: str) -> None:
    key = generate_ed25519()

    def read(by: int) -> int:
        key_id = KEY_ID + "x" * (limits.KEY_ID + by - len(KEY_ID))
        request = a_post()
        headers = SCHEMES[scheme].sign(request, key_id=key_id, key=key, now=NOW)
        return len(SCHEMES[scheme].read(with_headers(request, **{"host": request.authority, **headers}), NOW).key_id)

    assert [read(-1), read(0)] == [limits.KEY_ID - 1, limits.KEY_ID]
    with pytest.raises(BadSignature):
        read(1)


@pytest.mark.limit("JSON_DEPTH")
@pytest.mark.case("H07")
@pytest.mark.parametrize("by", AROUND)
async def test_an_activity_may_be_as_deep_as_its_limit(by: int) -> None:
    async with a_world("lyon.test") as world:
        lyon, mallory = world["lyon.test"], Stranger(world, "good.test").person("mallory")
        note = mallory.create(mallory.note(deep=0))
        depth = limits.JSON_DEPTH + by - 2  # the activity and the note are two
        body = orjson.dumps(note).replace(b'"deep":0', b'"deep":' + b"[" * depth + b"0" + b"]" * depth)
        assert (await mallory.sends(lyon, body)).status == (400 if by > 0 else 202)
