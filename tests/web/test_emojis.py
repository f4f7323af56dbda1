"""Emojis of peers on pages: pictures in texts, reactions under posts, nothing beside a name."""

import re
from collections.abc import AsyncIterator

import pytest

from tests.support.stranger import Stranger
from tests.support.world import Site, a_world
from tests.web.browser import visitor


@pytest.fixture
async def lyon() -> AsyncIterator[Site]:
    async with a_world("lyon.test") as world:
        yield world["lyon.test"]


async def test_emojis_are_pictures_through_us_and_reactions_stand_under_a_post(lyon: Site) -> None:
    post = await lyon.publishes("helene", "Un #ecg")
    noir = Stranger(lyon.world, "metz.test").person("noir")
    blob = {"type": "Emoji", "name": ":blob:", "icon": {"type": "Image", "url": "https://metz.test/blob.png"}}
    noir.home.documents["/users/noir"] = noir.document(name="Noir :blob:", summary="<p>Bonjour :blob:</p>", tag=[blob])
    await noir.tells(lyon, noir.activity("EmojiReact", post.uri, content=":blob:", tag=[blob]))
    await noir.tells(lyon, noir.activity("EmojiReact", post.uri, content="\N{FIRE}"))
    note = noir.note("<p>Oui :blob:</p>", tag=[blob], inReplyTo=post.uri)
    await noir.tells(lyon, noir.create(note))
    browser = await visitor(lyon, "helene")
    page = (await browser.get(f"/@helene/{post.id}")).text
    assert 'class="reactions"' in page
    assert "\N{FIRE} 1" in page
    assert re.search(r'Oui <img class="emoji" src="/media/emoji/\d+" alt=":blob:"', page)
    assert "metz.test/blob.png" not in page
    profile = (await browser.get("/@noir@metz.test")).text
    assert "<h1><bdi>Noir</bdi></h1>" in profile  # a picture beside a name could be taken for a stamp
    assert re.search(r'Bonjour <img class="emoji"', profile)
