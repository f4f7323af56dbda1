"""Quoting on the pages: from the button to the quote, what its author decides, and how that is taken back."""

from medfed.storage import posts
from tests.support.stranger import PUBLIC, Stranger
from tests.support.world import a_world
from tests.web.browser import visitor


async def test_a_member_quotes_with_a_click_and_the_author_takes_it_back() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        roy, blanc = await visitor(lyon, "dr-roy"), await visitor(lyon, "dr-blanc")
        await lyon.follows("dr-blanc", "dr-roy")
        await roy.post(
            "/compose", {"content": "Mots de Roy", "audience": "public", "quotable_by": "public", "do": "publish"}
        )
        (quoted,) = await lyon.home("dr-roy")
        id_ = quoted.rpartition("/")[2]
        assert f'href="/compose?quote={id_}"' in (await blanc.get("/")).text
        page = await blanc.get(f"/compose?quote={id_}")
        assert "Mots de Roy" in page.text
        sent = page.fields() | {"content": "À lire", "audience": "public", "do": "publish"}
        assert sent["quote"] == id_
        answer = await blanc.post("/compose", sent)
        assert answer.status == 303, answer.text
        shown = (await blanc.get(answer.location)).text
        assert "<blockquote" in shown
        assert "Mots de Roy" in shown
        assert (
            "vous a cité" in (await roy.get("/notifications")).text
            or "quoted you" in (await roy.get("/notifications")).text
        )
        policy = await roy.get(f"/posts/{id_}/policy")
        assert "À lire" in policy.text
        quoting = answer.location.partition("#")[0].rpartition("/")[2]
        assert (await blanc.get(f"/posts/{id_}/policy")).status == 404
        assert (await blanc.post(f"/posts/{id_}/policy", {"revoke": quoting})).status == 404
        assert (await roy.post(f"/posts/{id_}/policy", {"revoke": quoting})).status == 303
        assert "<blockquote" not in (await blanc.get(answer.location)).text


async def test_who_is_asked_finds_the_request_above_the_notifications() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        roy, blanc = await visitor(lyon, "dr-roy"), await visitor(lyon, "dr-blanc")
        quoted = await lyon.publishes("dr-roy", "Mots de Roy", quotable_by="ask")
        sent = {"content": "À lire", "audience": "public", "quote": str(quoted.id), "do": "publish"}
        answer = await blanc.post("/compose", sent)
        assert "<blockquote" not in (await blanc.get(answer.location)).text
        page = (await roy.get("/notifications")).text
        action = page.partition('action="/notifications/consents/')[2].partition('"')[0]
        assert (await blanc.post(f"/notifications/consents/{action}", {"do": "accept"})).status == 404
        assert (await roy.post(f"/notifications/consents/{action}", {"do": "accept"})).status == 303
        assert "<blockquote" in (await blanc.get(answer.location)).text
        assert "/notifications/consents/" not in (await roy.get("/notifications")).text


async def test_the_buttons_that_an_author_does_not_want_are_not_there() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        blanc = await visitor(lyon, "dr-blanc")
        post = await lyon.publishes("dr-roy", "Mots de Roy", answerable_by="mentioned")
        page = (await blanc.get(f"/@dr-roy/{post.id}")).text
        assert 'name="in_reply_to"' not in page
        assert "/compose?quote=" not in page
        refused = await blanc.post("/compose", {"content": "Mais", "in_reply_to": str(post.id), "do": "publish"})
        assert refused.status == 403
        denied = await blanc.post("/compose", {"content": "Voilà", "quote": str(post.id), "do": "publish"})
        assert denied.status == 403
        roy = await visitor(lyon, "dr-roy")
        await roy.post(f"/posts/{post.id}/policy", {"answerable_by": "public", "quotable_by": "public"})
        page = (await blanc.get(f"/@dr-roy/{post.id}")).text
        assert 'name="in_reply_to"' in page
        assert f"/compose?quote={post.id}" in page


async def test_a_relay_that_its_author_has_to_agree_to_says_so_to_who_made_it_alone() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        roy, blanc = await visitor(lyon, "dr-roy"), await visitor(lyon, "dr-blanc")
        await lyon.follows("dr-blanc", "dr-roy")
        me = (await lyon.member("dr-roy")).uri
        alice = Stranger(world, "good.test").person("alice")
        asked = {"manualApproval": [PUBLIC]}
        note = alice.note(
            "<p>À faire circuler</p>", cc=[me], interactionPolicy={"canAnnounce": asked, "canLike": asked}
        )
        assert await alice.tells(lyon, alice.create(note)) == "done: stored"
        async with lyon.instance.store.view() as view:
            post = await posts.find_by_uri(view, note["id"])
        assert post is not None
        for do in ("relay", "useful"):
            assert (await roy.post(f"/posts/{post.id}", {"do": do})).status == 303
        waits = "Vous seul voyez que vous l’avez relayé"
        mine = await roy.get("/?lang=fr")
        assert "À faire circuler" in mine.text
        assert waits in mine.text
        assert "À faire circuler" not in (await blanc.get("/")).text
        await world.settle()
        await alice.tells(lyon, alice.activity("Accept", alice.home.heard("Announce")[-1]["id"]))
        assert waits not in (await roy.get("/?lang=fr")).text
        assert "À faire circuler" in (await blanc.get("/")).text
