"""Every kind of object in every shape of its properties: taken, kept, shown with its words, and never a crash."""

import re
from collections.abc import Callable, Iterator
from typing import Final

import pytest

from medfed.kernel.clock import HOUR, iso
from tests.api.client import signed_in
from tests.support.stranger import PUBLIC, Document, Puppet, Stranger
from tests.support.world import Site, a_world
from tests.web.browser import visitor

KINDS: Final = (
    "Note", "Article", "Page", "Question", "Event", "Video", "Audio", "Image", "Document", "ChatMessage",
    "Place", "Review", "Comment", "Quotation", "Album", "Podcast", "Recipe", "https://example.org/ns#Observation",
)  # fmt: skip
PLAIN: Final = frozenset({"Note", "Question", "ChatMessage"})

Shape = Callable[[Document, str], Document]


def _without(*names: str) -> Shape:
    return lambda document, _: {name: value for name, value in document.items() if name not in names}


def _with(**members: object) -> Shape:
    return lambda document, _: document | members


def _in(name: str, wrap: Callable[[object], object]) -> Shape:
    return lambda document, _: document | {name: wrap(document[name])}


LINK: Final = {"type": "Link", "href": "https://good.test/page", "mediaType": "text/html"}
SHAPES: Final[dict[str, Shape]] = {
    "as it is": lambda document, _: document,
    "content in one language": lambda document, word: document | {"content": None, "contentMap": {"fr": word}},
    "content in languages": lambda document, word: document | {"contentMap": {"en": "word", "fr": word}},
    "title in a language": lambda document, word: document | {"name": None, "nameMap": {"fr": f"Titre {word}"}},
    "addressed by a string": lambda document, _: document | {"to": PUBLIC, "cc": []},
    "addressed in short": _with(to="as:Public", cc=None),
    "unlisted": lambda document, _: document | {"to": document["cc"], "cc": [PUBLIC]},
    "for everybody in audience": _with(to=[], audience=PUBLIC),
    "kinds in a list": _in("type", lambda kind: [kind, "https://example.org/ns#Extra"]),
    "author in a list": _in("attributedTo", lambda uri: [uri]),
    "author as an object": _in("attributedTo", lambda uri: {"id": uri, "type": "Person"}),
    "no date": _without("published"),
    "date in another zone": _with(published="2026-11-24T08:15:00.123456+02:00"),
    "date of no calendar": _with(published="yesterday"),
    "address as links": _with(url=[LINK, LINK | {"mediaType": "application/magnet", "href": "magnet:?xt=1"}]),
    "address of nothing": _with(url=[]),
    "address elsewhere": _with(url="https://elsewhere.test/page"),
    "one tag": _with(tag={"type": "Hashtag", "name": "#ecg", "href": "https://good.test/tags/ecg"}),
    "tags of many minds": _with(tag=[None, "x", 7, {"type": "Hashtag"}, {"type": "Emoji", "name": ":x:"}, LINK]),
    "one file": _with(attachment={"type": "Image", "url": "https://files.good.test/a.png", "name": "alt"}),
    "files of many minds": _with(attachment=[None, "x", LINK, {"type": "Audio", "url": [LINK]}, {"href": "x"}]),
    "answers nothing": _with(inReplyTo=[]),
    "answers what is gone": _with(inReplyTo="https://gone.test/notes/1"),
    "a warning": lambda document, word: document | {"summary": f"Attention {word}", "sensitive": True},
    "warned as a word": _with(sensitive="true"),
    "counts that are none": _with(votersCount="many", likes=3, shares=-1, replies=7),
    "policies that are none": _with(interactionPolicy={"canReply": 7, "canQuote": {"always": [{}, None, 3]}}),
    "a quote of nothing": _with(quote=[], quoteAuthorization={}),
    "a place and times": _with(
        startTime="2027-01-01T10:00:00Z", duration="PT1H", location={"type": "Place", "name": "X"}
    ),
    "proofs that are none": _with(proof={"type": "DataIntegrityProof"}, signature={"type": "RsaSignature2017"}),
    "no context, odd members": lambda document, _: document | {"": 1, "@type": "x", "toot:x": {"@value": 1}},
    "dressed up": lambda document, word: (
        document | {"content": f"<div onclick=x><script>x</script><b>{word}</b><img src=x onerror=y></div>"}
    ),
}


def _objects(alice: Puppet) -> Iterator[tuple[str, str, Document]]:
    """(what it is, the word that has to be shown, the object), served under its own address."""
    number = 0
    for kind in KINDS:
        for name, shape in SHAPES.items():
            number += 1
            word = f"mot{number:04}"
            path = f"/objects/{number}"
            document: Document = {
                "id": alice.home.base + path,
                "type": kind,
                "attributedTo": alice.uri,
                "name": None if kind in PLAIN else f"Titre {word}",
                "content": f"<p>{word}</p>",
                "published": "2026-11-20T08:15:00Z",
                "to": [PUBLIC],
                "cc": [alice.followers],
            }
            if kind == "Question":
                document |= {
                    "oneOf": [{"type": "Note", "name": "Oui"}, {"type": "Note", "name": "Non"}],
                    "endTime": iso(alice.home.world.clock.now() + HOUR),
                }
            shaped = shape(document, word)
            alice.home.documents[path] = {"@context": "https://www.w3.org/ns/activitystreams", **shaped}
            yield f"{kind}, {name}", word, shaped


@pytest.mark.case("A21", "A22", "E01")
async def test_every_kind_of_object_in_every_shape_is_kept_and_shown() -> None:
    """Half of them delivered in a Create, half of them only looked up by their address; all read in a list."""
    async with a_world("lyon.test") as world:
        lyon, alice = world["lyon.test"], Stranger(world, "good.test").person("alice")
        client = await signed_in(lyon, "dr-dupont")
        objects = list(_objects(alice))
        assert len(objects) > 500
        for number, (name, _, document) in enumerate(objects):
            if number % 2:
                about = {each: document[each] for each in ("to", "cc") if document.get(each)}
                answer = await alice.sends(lyon, alice.activity("Create", document, **about))
                assert answer.status == 202, (name, answer.status, answer.body)
            else:
                found = await client.get("/api/v2/search", q=document["id"], resolve="true", type="statuses")
                assert found.status == 200, (name, found.body)
                assert len(found.json["statuses"]) == 1, name
            if number % 100 == 99:
                await world.settle()
        await world.settle()
        await _are_shown(lyon, alice, {word: name for name, word, _ in objects})


async def _are_shown(lyon: Site, alice: Puppet, wanted: dict[str, str]) -> None:
    client, browser = await signed_in(lyon, "dr-dupont"), await visitor(lyon, "dr-noel")
    known = await lyon.find(alice.handle)
    assert known is not None
    told, cursor = "", ""
    while True:
        more = {"max_id": cursor} if cursor else {}
        page = (await client.get(f"/api/v1/accounts/{known.id}/statuses", limit="40", **more)).json
        if not page:
            break
        cursor = page[-1]["id"]
        told += "".join(f"{one['content']} {one['spoiler_text']} " for one in page)
    read, path = "", f"/@{alice.handle}?show=posts"
    while path:
        answer = await browser.get(path)
        assert answer.status == 200, path
        read += answer.text
        older = re.search(r'href="([^"]*older=[^"]*)"', answer.text)
        path = older[1].replace("&amp;", "&") if older else ""
    assert [name for word, name in wanted.items() if word not in told] == []
    # A profile leaves out answers.
    assert [
        name for word, name in wanted.items() if word not in read and not name.endswith(", answers what is gone")
    ] == []
    for where in (told, read):
        assert "onerror" not in where
        assert "<script>x" not in where
