"""Quotes with consent (FEP-044f), and interaction policies: who may do what with a post, and who has agreed."""

from typing import Any

import pytest

from medfed.domain.posts import AS_PUBLIC, Post, Quote, Visibility
from medfed.kernel.clock import HOUR, iso
from medfed.storage import posts, quotes
from tests.api.client import signed_in
from tests.federation.conftest import Open
from tests.support.stranger import PUBLIC, Document, Puppet, Stranger
from tests.support.world import Site, World, a_world
from tests.web.browser import visitor


async def _scene(world: World) -> tuple[Site, Puppet, Puppet]:
    """lyon.test with dr-roy, who follows alice of good.test; carol of other.test is quoted."""
    lyon = world["lyon.test"]
    alice, carol = Stranger(world, "good.test").person("alice"), Stranger(world, "other.test").person("carol")
    await lyon.member("dr-roy")
    await lyon.follows("dr-roy", alice.handle)
    await world.settle()
    (asked, *_) = alice.home.heard("Follow")[-1:]
    await alice.tells(lyon, alice.activity("Accept", asked))
    return lyon, alice, carol


def _stamp(author: Puppet, quoting: str, quoted: str, **members: Any) -> str:
    """The author's server shows that they agree; where."""
    url = f"{author.home.base}/stamps/1"
    document: Document = {
        "id": url,
        "type": "QuoteAuthorization",
        "attributedTo": author.uri,
        "interactingObject": quoting,
        "interactionTarget": quoted,
    }
    return author.home.serves("/stamps/1", document | members)


async def _copy(site: Site, uri: str) -> Post | None:
    async with site.instance.store.view() as view:
        return await posts.find_by_uri(view, uri)


async def _quote(site: Site, uri: str) -> Quote:
    post = await _copy(site, uri)
    assert post is not None
    async with site.instance.store.view() as view:
        return (await quotes.of_posts(view, [post.id]))[post.id]


async def _arrives(lyon: Site, alice: Puppet, quoted: str, stamp: str | None, name: str = "quote") -> Document:
    """alice's post that quotes another."""
    id_ = f"{alice.home.base}/notes/quoting"
    note = alice.note("<p>Look</p>", id=id_, **{name: quoted}, quoteAuthorization=stamp)
    assert await alice.tells(lyon, alice.create(note)) == "done: stored"
    return note


# ── what peers quote ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.case("D16")
@pytest.mark.parametrize("name", ["quote", "quoteUrl", "quoteUri", "_misskey_quote"])
async def test_a_quote_that_its_author_agreed_to_is_shown(open_world: Open, name: str) -> None:
    async with open_world("lyon.test") as world:
        lyon, alice, carol = await _scene(world)
        quoted = carol.note("<p>Words of Carol</p>")
        quoting = f"{alice.home.base}/notes/quoting"
        stamp = _stamp(carol, quoting, quoted["id"])
        await _arrives(lyon, alice, quoted["id"], stamp, name)
        assert await _quote(lyon, quoting) == Quote(
            post_id=(await _quote(lyon, quoting)).post_id,
            quoted_uri=quoted["id"],
            quoted_id=getattr(await _copy(lyon, quoted["id"]), "id", None),
            stamp_uri=stamp,
            state="accepted",
        )
        client = await signed_in(lyon, "dr-roy")
        (status,) = (await client.get("/api/v1/timelines/home")).json
        assert status["quote"]["state"] == "accepted"
        assert status["quote"]["quoted_status"]["uri"] == quoted["id"]
        assert "Words of Carol" in (await (await visitor(lyon, "dr-roy")).get("/")).text


@pytest.mark.case("D16")
@pytest.mark.parametrize(
    "wrong",
    ["none", "missing", "foreign", "of another post", "for another post", "by another", "own id", "no stamp", "later"],
)
async def test_a_quote_without_its_authors_consent_is_not_shown(wrong: str) -> None:
    async with a_world("lyon.test") as world:
        lyon, alice, carol = await _scene(world)
        quoted = carol.note("<p>Words of Carol</p>")
        quoting = f"{alice.home.base}/notes/quoting"
        stamp: str | None = _stamp(carol, quoting, quoted["id"])
        match wrong:
            case "none":
                stamp = None
            case "missing":
                stamp = f"{carol.home.base}/stamps/404"
            case "foreign":
                stamp = _stamp(alice, quoting, quoted["id"], attributedTo=carol.uri)
            case "of another post":
                _stamp(carol, quoting, f"{carol.home.base}/notes/other")
            case "for another post":
                _stamp(carol, f"{alice.home.base}/notes/other", quoted["id"])
            case "by another":
                _stamp(carol, quoting, quoted["id"], attributedTo=carol.home.person("bob").uri)
            case "own id":
                _stamp(carol, quoting, quoted["id"], id=f"{alice.home.base}/stamps/1")
            case "no stamp":
                _stamp(carol, quoting, quoted["id"], type="LikeAuthorization")
            case _:
                carol.home.documents["/stamps/1"] = 410
        await _arrives(lyon, alice, quoted["id"], stamp)
        found = await _quote(lyon, quoting)
        assert (found.state, found.stamp_uri) == ("pending", "")
        client = await signed_in(lyon, "dr-roy")
        (status,) = (await client.get("/api/v1/timelines/home")).json
        assert status["quote"] == {"state": "pending", "quoted_status": None}
        shown = (await (await visitor(lyon, "dr-roy")).get("/")).text
        assert "Words of Carol" not in shown
        assert "The quoted post is not available." in shown


async def test_consent_that_comes_with_an_update_counts_and_is_taken_back_by_its_author_alone(
    open_world: Open,
) -> None:
    async with open_world("lyon.test") as world:
        lyon, alice, carol = await _scene(world)
        quoted = carol.note("<p>Words of Carol</p>")
        note = await _arrives(lyon, alice, quoted["id"], None)
        stamp = _stamp(carol, note["id"], quoted["id"])
        world.clock.advance(HOUR)
        await alice.tells(lyon, alice.activity("Update", note | {"quoteAuthorization": stamp}, to=[PUBLIC]))
        assert (await _quote(lyon, note["id"])).state == "accepted"
        bob = carol.home.person("bob")
        assert await bob.tells(lyon, bob.activity("Delete", stamp)) == "done: remembered"
        assert (await _quote(lyon, note["id"])).state == "accepted"
        assert await carol.tells(lyon, carol.activity("Delete", stamp)) == "done: quote revoked"
        assert (await _quote(lyon, note["id"])).state == "revoked"
        carol.home.documents["/stamps/1"] = 410
        edited = note | {"quoteAuthorization": stamp, "updated": iso(world.clock.now())}
        await alice.tells(lyon, alice.activity("Update", edited, to=[PUBLIC]))
        assert (await _quote(lyon, note["id"])).state == "revoked"
        assert "Words of Carol" not in (await (await visitor(lyon, "dr-roy")).get("/")).text


async def test_who_quotes_themselves_need_not_agree() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice, _ = await _scene(world)
        note = await _arrives(lyon, alice, alice.note("<p>Earlier</p>")["id"], None)
        assert (await _quote(lyon, note["id"])).state == "accepted"


@pytest.mark.case("D17")
@pytest.mark.parametrize("audience", ["followers", "direct"])
async def test_what_is_not_for_everybody_is_not_shown_by_quoting_it(audience: str) -> None:
    async with a_world("lyon.test") as world:
        lyon, alice, carol = await _scene(world)
        to = [carol.followers] if audience == "followers" else [lyon.instance.here.uris.actor("dr-roy")]
        quoted = carol.note("<p>Words of Carol</p>", to=to, cc=[])
        stamp = _stamp(carol, f"{alice.home.base}/notes/quoting", quoted["id"])
        note = await _arrives(lyon, alice, quoted["id"], stamp)
        assert (await _quote(lyon, note["id"])).state == "rejected"
        assert "Words of Carol" not in (await (await visitor(lyon, "dr-roy")).get("/")).text


@pytest.mark.case("D17")
@pytest.mark.parametrize("visibility", ["public", "followers"])
async def test_a_post_of_ours_is_quoted_by_nobody_not_even_through_a_boost(visibility: Visibility) -> None:
    async with a_world("lyon.test") as world:
        lyon, alice, _ = await _scene(world)
        ours = await lyon.publishes("dr-roy", "Words of Roy", visibility=visibility)
        target = ours.uri
        if visibility == "public":
            boost = alice.activity("Announce", ours.uri, to=[PUBLIC])
            assert await alice.tells(lyon, boost) == "done: passed on"
            target = boost["id"]
        note = await _arrives(lyon, alice, target, _stamp(alice, f"{alice.home.base}/notes/quoting", target))
        assert (await _quote(lyon, note["id"])).state == "rejected"


# ── what of ours may be done ─────────────────────────────────────────────────────────────────────────────────


async def test_a_post_says_who_may_do_what_with_it() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice, _ = await _scene(world)
        me = await lyon.member("dr-roy")
        await alice.tells(lyon, alice.activity("Follow", me.uri))
        everybody, nobody = [AS_PUBLIC], [me.uri]
        expected: dict[Visibility, list[list[str]]] = {
            "public": [everybody, everybody, everybody, nobody],
            "unlisted": [everybody, everybody, everybody, nobody],
            "followers": [[me.uri, me.followers_uri], [me.uri, me.followers_uri], nobody, nobody],
        }
        for visibility, allowed in expected.items():
            post = await lyon.publishes("dr-roy", "Bonjour", visibility=visibility)
            policy = (await alice.asks(lyon, post.uri)).json["interactionPolicy"]
            names = ("canLike", "canReply", "canAnnounce", "canQuote")
            assert [policy[name]["automaticApproval"] for name in names] == allowed
            assert all(policy[name]["manualApproval"] == [] for name in names)


async def test_who_asks_to_quote_is_refused_and_of_what_they_may_not_read_they_hear_nothing(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon, alice, _ = await _scene(world)
        ours = await lyon.publishes("dr-roy", "Bonjour")
        closed = await lyon.publishes("dr-roy", "Bonjour", visibility="followers")
        note = alice.note(quote=ours.uri)
        asked = alice.activity("QuoteRequest", ours.uri, instrument=note)
        assert await alice.tells(lyon, asked) == "done: refused"
        (refused,) = alice.home.heard("Reject")
        assert refused["actor"] == ours.uri.partition("/posts/")[0]
        assert refused["object"] == {
            "type": "QuoteRequest", "id": asked["id"], "actor": alice.uri, "object": ours.uri, "instrument": note["id"],
        }  # fmt: skip
        hidden = alice.activity("QuoteRequest", closed.uri, instrument=alice.note(quote=closed.uri))
        assert await alice.tells(lyon, hidden) == "done: no such post"
        assert len(alice.home.heard("Reject")) == 1


@pytest.mark.case("M14")
async def test_an_answer_to_what_its_author_may_not_read_is_not_taken() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice, carol = await _scene(world)
        me = await lyon.member("dr-roy")
        await alice.tells(lyon, alice.activity("Follow", me.uri))
        closed = await lyon.publishes("dr-roy", "Bonjour", visibility="followers")
        assert await alice.tells(lyon, alice.create(inReplyTo=closed.uri)) == "done: stored"
        became = await carol.tells(lyon, carol.create(inReplyTo=closed.uri))
        assert became.startswith("refused"), became
