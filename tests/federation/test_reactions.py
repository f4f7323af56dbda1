"""Emojis from elsewhere: reactions with them, and pictures that texts name."""

from typing import Any

import pytest

from medfed.domain.emoji import EmojiCount
from medfed.storage import accounts, posts, reactions
from tests.federation.conftest import Open
from tests.support.stranger import Document, Puppet, Stranger
from tests.support.world import Site, World


def blob(name: str = "blob", url: str = "https://metz.test/blob.png") -> Document:
    """A custom emoji, as servers put it under `tag`."""
    return {"type": "Emoji", "name": f":{name}:", "icon": {"type": "Image", "mediaType": "image/png", "url": url}}


async def scene(world: World) -> tuple[Site, Puppet, str]:
    """dr-dupont of lyon has published something; a stranger reads it."""
    lyon = world["lyon.test"]
    post = await lyon.publishes("dr-dupont", "Dermatose inhabituelle")
    return lyon, Stranger(world, "metz.test").person("dr-noir"), post.uri


async def seen(site: Site, uri: str) -> tuple[int, list[tuple[str, bool, int]]]:
    """How often a post is liked, and its emojis: what, whether with a picture, how often."""
    async with site.instance.store.view() as view:
        post = await posts.find_by_uri(view, uri)
        assert post is not None
        found: list[EmojiCount] = (await reactions.with_emoji(view, [post.id])).get(post.id, [])
    return post.likes_count, [(each.emoji, each.emoji_id is not None, each.count) for each in found]


SHAPES: dict[str, tuple[str, dict[str, Any], tuple[str, bool]]] = {
    "Pleroma": ("EmojiReact", {"content": "\N{FIRE}"}, ("\N{FIRE}", False)),
    "Akkoma": ("EmojiReact", {"content": ":blob:", "tag": [blob()]}, (":blob:", True)),
    "Akkoma, of another host": ("EmojiReact", {"content": ":blob@far.test:", "tag": [blob()]}, (":blob:", True)),
    "Misskey": ("Like", {"content": "\u2764\ufe0f", "_misskey_reaction": "\u2764\ufe0f"}, ("\u2764\ufe0f", False)),
    "Misskey, custom": ("Like", {"_misskey_reaction": ":blob:", "tag": blob()}, (":blob:", True)),
    "a flag": ("EmojiReact", {"content": "\U0001f1eb\U0001f1f7"}, ("\U0001f1eb\U0001f1f7", False)),
    "a family": ("EmojiReact", {"content": "\U0001f468\u200d\U0001f469"}, ("\U0001f468\u200d\U0001f469", False)),
    "a keycap": ("EmojiReact", {"content": "1\ufe0f\u20e3"}, ("1\ufe0f\u20e3", False)),
}


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_reaction_is_a_favourite_with_an_emoji(open_world: Open, shape: str) -> None:
    kind, members, (emoji, pictured) = SHAPES[shape]
    async with open_world("lyon.test") as world:
        lyon, noir, uri = await scene(world)
        react = noir.activity(kind, uri, **members)
        assert await noir.tells(lyon, react) == "done: liked"
        assert await seen(lyon, uri) == (1, [(emoji, pictured, 1)])
        assert await lyon.told("dr-dupont") == ["favourite"]
        await noir.tells(lyon, noir.undo(react))
        assert await seen(lyon, uri) == (0, [])
        assert await lyon.told("dr-dupont") == []
        assert "undone" in await noir.tells(lyon, react | {"id": react["id"]}) or await seen(lyon, uri) == (0, [])


@pytest.mark.parametrize(
    "content",
    [
        "verified",
        "\N{LATIN SMALL LETTER E WITH ACUTE}",
        "\u202e\N{FIRE}",
        "\N{FIRE}" * 40,
        ":gone:",
        "",
        7,
        ["x"],
        "< b>",
    ],
)
async def test_what_is_no_emoji_is_a_plain_like(open_world: Open, content: Any) -> None:
    async with open_world("lyon.test") as world:
        lyon, noir, uri = await scene(world)
        await noir.tells(lyon, noir.activity("EmojiReact", uri, content=content))
        assert await seen(lyon, uri) == (1, [])


async def test_one_person_counts_once_however_many_emojis(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon, noir, uri = await scene(world)
        like, fire = noir.activity("Like", uri), noir.activity("EmojiReact", uri, content="\N{FIRE}")
        for each in (like, fire, noir.activity("EmojiReact", uri, content="\N{EYES}")):
            await noir.tells(lyon, each)
        count, emojis = await seen(lyon, uri)
        assert count == 1
        assert {each[0] for each in emojis} == {"\N{FIRE}", "\N{EYES}"}
        assert await lyon.told("dr-dupont") == ["favourite"]
        await noir.tells(lyon, noir.undo(fire))
        await noir.tells(lyon, noir.activity("Undo", like["id"]))
        assert await seen(lyon, uri) == (1, [("\N{EYES}", False, 1)])


@pytest.mark.case("A13")
async def test_nobody_reacts_to_what_they_were_not_given(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon, noir, _ = await scene(world)
        closed = await lyon.publishes("dr-dupont", "Pour mes abonnés", visibility="followers")
        became = await noir.tells(lyon, noir.activity("EmojiReact", closed.uri, content="\N{FIRE}"))
        assert became == "done: no such post"


async def test_nobody_takes_back_the_reaction_of_another(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon, noir, uri = await scene(world)
        mate = noir.home.person("mate")
        react = noir.activity("EmojiReact", uri, content="\N{FIRE}")
        await noir.tells(lyon, react)
        await mate.tells(lyon, mate.activity("Undo", {**react, "actor": mate.uri}))
        assert (await seen(lyon, uri))[0] == 1


async def test_emojis_of_texts_names_and_fields_are_kept_with_their_pictures(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon, noir, _ = await scene(world)
        noir.home.documents["/users/dr-noir"] = noir.document(
            name="Noir :blob:",
            tag=[blob(), blob("bad", "javascript:alert(1)"), {"type": "Emoji", "name": ":none:"}],
            attachment=[{"type": "PropertyValue", "name": "Ville", "value": "Metz :blob:"}],
        )
        note = noir.note("<p>Bonjour :blob: et :other:</p>", tag=[blob()], cc=["https://lyon.test/users/dr-dupont"])
        await noir.tells(lyon, noir.create(note))
        async with lyon.instance.store.view() as view:
            post = await posts.find_by_uri(view, note["id"])
            author = await accounts.find_by_uri(view, noir.uri)
        assert post is not None
        assert author is not None
        assert [each.shortcode for each in post.emojis] == [each.shortcode for each in author.emojis] == ["blob"]
        assert post.emojis[0].id == author.emojis[0].id
