"""Objects as other software sends them: taken or refused, never a crash; shown with their words, and never unsafely."""

import re
from pathlib import Path
from typing import Any, Final

import orjson
import pytest

from tests.api.client import Client, signed_in
from tests.federation.conftest import Open
from tests.support.stranger import Document, Puppet, Stranger
from tests.web.browser import Browser, visitor

FOLDER: Final = Path(__file__).parent.parent / "vectors" / "peers"
VARIANTS: Final = [
    (f"{path.stem}: {row['name']}", row["shown"], row["object"])
    for path in sorted(FOLDER.glob("*.json"))
    for row in orjson.loads(path.read_bytes())
]
UNSAFE: Final = re.compile(
    r"<(?:script(?! nonce| src=\"/static/)|iframe|object|embed|style|svg onload|form action=.https?://evil)"
    r"|<[^>]*\son\w+\s*=|javascript:|\u202e",
    re.IGNORECASE,
)
"""What must not come from a peer's words into a page."""


@pytest.mark.case("A21", "A22", "E01")
async def test_whatever_other_software_sends_is_taken_or_refused_and_shown_safely(open_world: Open) -> None:
    """Delivered by its author, delivered without an activity around it, and looked up by its address."""
    async with open_world("lyon.test") as world:
        lyon, alice = world["lyon.test"], Stranger(world, "good.test").person("alice")
        await lyon.follows("dr-roy", alice.handle)
        client, browser = await signed_in(lyon, "dr-dupont"), await visitor(lyon, "dr-noel")
        told = [_own(alice, f"/told/{number}", object_) for number, (_, _, object_) in enumerate(VARIANTS)]
        kept = [_own(alice, f"/kept/{number}", object_) for number, (_, _, object_) in enumerate(VARIANTS)]
        for (name, _, _), document in zip(VARIANTS, told, strict=True):
            about = {each: document[each] for each in ("to", "cc") if each in document}
            for body in (alice.activity("Create", document, **about), document, document | {"actor": alice.uri}):
                answer = await alice.sends(lyon, body)
                assert answer.status in (202, 400, 401, 403), (name, answer.status, answer.body)
        await world.settle()
        for (name, shown, _), *documents in zip(VARIANTS, told, kept, strict=True):
            for document in documents:
                await _is_shown(client, browser, str(document["id"]), shown, name)


def _own(author: Puppet, path: str, object_: Document) -> Document:
    """The object under an address of its author's host, served there."""
    document = object_ if object_["id"] else object_ | {"id": author.home.base + path}
    author.home.documents[path] = document
    return document


async def _is_shown(client: Client, browser: Browser, uri: str, shown: str | None, name: str) -> None:
    found = await client.get("/api/v2/search", q=uri, resolve="true", type="statuses")
    assert found.status == 200, (name, found.body)
    if shown is None and not found.json["statuses"]:
        return
    (status,) = found.json["statuses"]
    page = await browser.get(f"/@{status['account']['acct']}/{status['id']}")
    assert page.status == 200, name
    said: Any = orjson.dumps({key: value for key, value in status.items() if key != "account"}).decode()
    for where in (said, page.text):
        assert shown is None or shown.replace("'", "") in _plain(where), (name, shown, _plain(where)[:3_000])
        assert not UNSAFE.search(where.replace('type="application/javascript"', "")), (name, UNSAFE.search(where))


def _plain(text: str) -> str:
    """Without tags, entities and apostrophes, which a page and a JSON document write differently."""
    text = re.sub(r"<[^>]*>", "", text)
    text = text.replace("&#39;", "").replace("&#x27;", "").replace("’", "").replace("'", "")
    return text.replace("&lt;", "<").replace("&amp;", "&").replace("&nbsp;", " ")
