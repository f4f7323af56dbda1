"""Custom emojis of peers, reactions and moved accounts, as clients of the Mastodon API see them."""

from medfed.relations import move as moving
from medfed.storage import accounts
from tests.api.client import Client
from tests.support.stranger import Stranger
from tests.support.world import Site

BLOB = {"type": "Emoji", "name": ":blob:", "icon": {"type": "Image", "url": "https://metz.test/blob.png"}}


async def test_emojis_are_listed_with_pictures_of_ours_and_reactions_are_favourites(lyon: Site, dupont: Client) -> None:
    noir = Stranger(lyon.world, "metz.test").person("noir")
    noir.home.documents["/users/noir"] = noir.document(name="Noir :blob:", tag=[BLOB])
    mine = (await dupont.post("/api/v1/statuses", {"status": "Bonjour"})).json
    await noir.tells(lyon, noir.activity("EmojiReact", mine["uri"], content=":blob:", tag=[BLOB]))
    await noir.tells(lyon, noir.activity("EmojiReact", mine["uri"], content="\N{FIRE}"))
    seen = (await dupont.get(f"/api/v1/statuses/{mine['id']}")).json
    assert seen["favourites_count"] == 1
    (liker,) = (await dupont.get(f"/api/v1/statuses/{mine['id']}/favourited_by")).json
    (emoji,) = liker["emojis"]
    assert emoji["shortcode"] == "blob"
    assert emoji["url"].startswith("https://lyon.test/media/emoji/")
    note = noir.note("<p>Oui :blob:</p>", tag=[BLOB], inReplyTo=mine["uri"])
    await noir.tells(lyon, noir.create(note))
    (answer,) = (await dupont.get(f"/api/v1/statuses/{mine['id']}/context")).json["descendants"]
    assert answer["emojis"] == [emoji]
    boost = (await dupont.post(f"/api/v1/statuses/{answer['id']}/reblog", {})).json
    assert boost["emojis"] == boost["reblog"]["emojis"] == [emoji]


async def test_an_account_that_moved_says_where_to(lyon: Site, dupont: Client) -> None:
    old, new = await lyon.member("durand"), await lyon.member("durand-2")
    here, levels = lyon.instance.here, lyon.instance.levels
    async with lyon.instance.store.transaction("move") as tx:
        await moving.add_alias(tx, here, levels, new, old)
        await moving.move(tx, here, levels, old, await accounts.get(tx, new.id), by="test")
    seen = (await dupont.get("/api/v1/accounts/lookup", acct="durand")).json
    assert seen["moved"]["acct"] == "durand-2"
    assert "moved" not in (await dupont.get("/api/v1/accounts/lookup", acct="durand-2")).json
    refused = await dupont.post(f"/api/v1/accounts/{seen['id']}/follow", {})
    assert refused.status == 403
