"""What members let others do with their posts, and what others let members do: asked, granted, refused, taken back."""

from typing import Any

import pytest

from medfed.domain.interactions import Consent
from medfed.domain.posts import AS_PUBLIC, Post, Quote
from medfed.kernel import limits
from medfed.kernel.errors import Forbidden, Invalid
from medfed.kernel.paging import Page
from medfed.posts import consents as deciding
from medfed.storage import accounts, consents, groups, posts, quotes, reactions
from tests.federation.conftest import Open
from tests.support.stranger import PUBLIC, Document, Puppet, Stranger
from tests.support.world import Site, World, a_world


async def _quote(site: Site, post: Post) -> Quote:
    async with site.instance.store.view() as view:
        known = await posts.find_by_uri(view, post.uri)
        assert known is not None
        return (await quotes.of_posts(view, [known.id]))[known.id]


async def _waiting(site: Site, username: str) -> list[Consent]:
    member = await site.member(username)
    async with site.instance.store.view() as view:
        return await consents.waiting(view, member.id, Page())


async def _decides(site: Site, username: str, id_: int, *, grants: bool) -> None:
    member, instance = await site.member(username), site.instance
    async with instance.store.transaction("decide") as tx:
        await deciding.decide(tx, instance.here, instance.levels, member, id_, grants=grants)


async def _revokes(site: Site, username: str, quoted: Post, quoting: Post) -> None:
    member, instance = await site.member(username), site.instance
    ours, theirs = await site.copy_of(quoted), await site.copy_of(quoting)
    async with instance.store.transaction("revoke") as tx:
        await deciding.revoke(tx, instance.here, instance.levels, member, ours, theirs)


async def _two(world: World) -> tuple[Site, Site]:
    """lyon.test with dr-roy and lille.test with dr-blanc, who follow each other."""
    await world.follow("dr-roy@lyon.test", "dr-blanc@lille.test")
    await world.follow("dr-blanc@lille.test", "dr-roy@lyon.test")
    return world["lyon.test"], world["lille.test"]


async def _peer(world: World) -> tuple[Site, Puppet]:
    """lyon.test with dr-roy, and alice of good.test; they follow each other."""
    lyon, alice = world["lyon.test"], Stranger(world, "good.test").person("alice")
    me = await lyon.member("dr-roy")
    await lyon.follows("dr-roy", alice.handle)
    await world.settle()
    await alice.tells(lyon, alice.activity("Accept", alice.home.heard("Follow")[-1]))
    await alice.tells(lyon, alice.activity("Follow", me.uri))
    return lyon, alice


def _policy(**rules: Any) -> Document:
    return {"interactionPolicy": rules}


async def _arrives(lyon: Site, alice: Puppet, **members: Any) -> Post:
    note = alice.note("<p>Words of Alice</p>", **members)
    assert await alice.tells(lyon, alice.create(note)) == "done: stored"
    async with lyon.instance.store.view() as view:
        found = await posts.find_by_uri(view, note["id"])
    assert found is not None
    return found


# ── between two instances ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.case("D16")
async def test_a_member_quotes_a_peers_who_agrees_beforehand_and_no_longer(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test") as world:
        lyon, lille = await _two(world)
        quoted = await lille.publishes("dr-blanc", "Mots de Blanc", quotable_by="public")
        await world.settle()
        quoting = await lyon.publishes("dr-roy", "À lire", quoted=quoted)
        assert (await _quote(lyon, quoting)).state == "pending"
        await world.settle()
        ours, theirs = await _quote(lyon, quoting), await _quote(lille, quoting)
        assert (ours.state, theirs.state) == ("accepted", "accepted")
        assert ours.stamp_uri == theirs.stamp_uri
        assert ours.stamp_uri.startswith("https://lille.test/users/dr-blanc/authorizations/")
        assert "quote" in await lille.told("dr-blanc")
        bob = Stranger(world, "good.test").person("bob")
        stamp = (await bob.asks(lille, ours.stamp_uri)).json
        assert {name: stamp[name] for name in ("type", "id", "attributedTo")} == {
            "type": "QuoteAuthorization",
            "id": ours.stamp_uri,
            "attributedTo": "https://lille.test/users/dr-blanc",
        }
        assert (stamp["interactingObject"], stamp["interactionTarget"]) == (quoting.uri, quoted.uri)
        document = (await bob.asks(lyon, quoting.uri)).json
        assert document["quote"] == document["quoteUri"] == document["_misskey_quote"] == quoted.uri
        assert document["quoteAuthorization"] == ours.stamp_uri
        assert 'class="quote-inline"' in document["content"]

        await _revokes(lille, "dr-blanc", quoted, quoting)
        await world.settle()
        assert (await _quote(lyon, quoting)).state == (await _quote(lille, quoting)).state == "revoked"
        assert (await bob.asks(lille, ours.stamp_uri)).status == 410
        document = (await bob.asks(lyon, quoting.uri)).json
        assert "quoteAuthorization" not in document
        assert "_misskey_quote" not in document
        again = await lyon.publishes("dr-roy", "Encore", quoted=quoted)
        await world.settle()
        assert (await _quote(lyon, again)).state == "accepted"
        assert (await _quote(lyon, quoting)).state == "revoked"


async def test_who_is_asked_each_time_decides_each_time(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test") as world:
        lyon, lille = await _two(world)
        quoted = await lille.publishes("dr-blanc", "Mots de Blanc", quotable_by="ask")
        await world.settle()
        first = await lyon.publishes("dr-roy", "À lire absolument", quoted=quoted)
        second = await lyon.publishes("dr-roy", "À oublier", quoted=quoted)
        await world.settle()
        assert (await _quote(lyon, first)).state == (await _quote(lille, first)).state == "pending"
        assert "quote_request" in await lille.told("dr-blanc")
        refused, granted = await _waiting(lille, "dr-blanc")
        assert granted.object_uri == first.uri
        assert "À lire absolument" in granted.excerpt
        with pytest.raises(Exception, match="nobody asks"):
            await _decides(lille, "dr-noir", granted.id, grants=True)
        await _decides(lille, "dr-blanc", granted.id, grants=True)
        await _decides(lille, "dr-blanc", refused.id, grants=False)
        await world.settle()
        assert [(await _quote(site, first)).state for site in (lyon, lille)] == ["accepted", "accepted"]
        assert [(await _quote(site, second)).state for site in (lyon, lille)] == ["rejected", "rejected"]
        assert await _waiting(lille, "dr-blanc") == []
        assert "quote_request" not in await lille.told("dr-blanc")
        with pytest.raises(Exception, match="nobody asks"):
            await _decides(lille, "dr-blanc", refused.id, grants=True)


async def test_an_edit_of_what_a_member_quotes_is_told_to_that_member() -> None:
    async with a_world("lyon.test", "lille.test") as world:
        lyon, lille = await _two(world)
        quoted = await lille.publishes("dr-blanc", "Mots de Blanc", quotable_by="followers")
        await world.settle()
        await lyon.publishes("dr-roy", "À lire", quoted=quoted)
        await world.settle()
        world.clock.advance(60_000)
        await lille.edits("dr-blanc", quoted, "Autres mots")
        await world.settle()
        assert "quoted_update" in await lyon.told("dr-roy")
        assert f"{quoted.uri.partition('/posts/')[0]}/followers" in str((await lyon.copy_of(quoted)).policy)


async def test_among_members_the_policy_answers_at_once() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        await lyon.member("dr-blanc")
        own = await lyon.publishes("dr-roy", "Mes mots")
        assert (await _quote(lyon, await lyon.publishes("dr-roy", "Rappel", quoted=own))).state == "accepted"
        with pytest.raises(Forbidden):
            await lyon.publishes("dr-blanc", "À lire", quoted=own)
        open_ = await lyon.publishes("dr-roy", "Mes mots", quotable_by="public")
        quoting = await lyon.publishes("dr-blanc", "À lire", quoted=open_)
        assert (await _quote(lyon, quoting)).state == "accepted"
        assert "quote" in await lyon.told("dr-roy")
        followers = await lyon.publishes("dr-roy", "Mes mots", quotable_by="followers")
        with pytest.raises(Forbidden):
            await lyon.publishes("dr-blanc", "À lire", quoted=followers)
        asked = await lyon.publishes("dr-roy", "Mes mots", quotable_by="ask")
        waiting = await lyon.publishes("dr-blanc", "À lire", quoted=asked)
        (request,) = await _waiting(lyon, "dr-roy")
        await _decides(lyon, "dr-roy", request.id, grants=True)
        assert (await _quote(lyon, waiting)).state == "accepted"


@pytest.mark.case("D17", "M13")
@pytest.mark.parametrize("visibility", ["followers", "direct"])
async def test_what_is_not_for_everybody_is_quoted_by_nobody_else_whatever_it_says(visibility: Any) -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = await _peer(world)
        to = [alice.followers] if visibility == "followers" else [lyon.instance.here.uris.actor("dr-roy")]
        everybody = _policy(canQuote={"automaticApproval": [PUBLIC]})
        closed = await _arrives(lyon, alice, to=to, cc=[], **everybody)
        with pytest.raises(Forbidden):
            await lyon.publishes("dr-roy", "À lire", quoted=closed)
        ours = await lyon.publishes("dr-roy", f"@{alice.handle}", visibility=visibility, quotable_by="public")
        asked = alice.activity("QuoteRequest", ours.uri, instrument=f"{alice.home.base}/notes/1")
        assert await alice.tells(lyon, asked) == "done: refused"
        assert (await alice.asks(lyon, ours.uri)).json["interactionPolicy"]["canQuote"]["automaticApproval"] == [
            ours.uri.partition("/posts/")[0]
        ]


@pytest.mark.case("M13")
async def test_a_quote_is_for_no_more_readers_than_what_it_quotes() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = await _peer(world)
        everybody = _policy(canQuote={"automaticApproval": [PUBLIC]})
        quiet = await _arrives(lyon, alice, to=[alice.followers], cc=[PUBLIC], **everybody)
        assert (await lyon.publishes("dr-roy", "À lire", quoted=quiet)).visibility == "unlisted"
        with pytest.raises(Invalid, match="private message"):
            await lyon.publishes("dr-roy", "@dr-roy À lire", visibility="direct", quoted=quiet)
        named = await lyon.publishes("dr-roy", f"@{alice.handle} À lire", visibility="direct", quoted=quiet)
        assert named.visibility == "direct"


# ── a peer is asked ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.case("D16")
async def test_the_stamp_comes_with_the_accept_of_the_quoted_author_alone() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = await _peer(world)
        evil = Stranger(world, "evil.test").person("mallory")
        await evil.tells(lyon, evil.activity("Follow", (await lyon.member("dr-roy")).uri))
        quoted = await _arrives(lyon, alice, **_policy(canQuote={"manualApproval": PUBLIC}))
        quoting = await lyon.publishes("dr-roy", "À lire", quoted=quoted)
        await world.settle()
        (request,) = alice.home.heard("QuoteRequest")
        assert (request["actor"], request["object"]) == (quoting.uri.partition("/posts/")[0], quoted.uri)
        assert request["instrument"]["id"] == quoting.uri
        assert request["instrument"]["quote"] == quoted.uri
        assert "_misskey_quote" not in request["instrument"]
        assert evil.home.heard("QuoteRequest") == []
        stamp = f"{alice.home.base}/stamps/1"
        forged = evil.activity("Accept", request, result=f"{evil.home.base}/stamps/1")
        assert (await evil.tells(lyon, forged)).startswith("refused")
        elsewhere = alice.activity("Accept", request["id"], result=f"{evil.home.base}/stamps/1")
        assert (await alice.tells(lyon, elsewhere)).startswith("refused")
        assert (await _quote(lyon, quoting)).state == "pending"
        assert await alice.tells(lyon, alice.activity("Accept", request["id"], result=stamp)) == "done: quote accepted"
        (update,) = evil.home.heard("Update")
        assert update["object"]["quoteAuthorization"] == stamp
        deleted = alice.activity("Delete", {"id": stamp, "type": "QuoteAuthorization"})
        assert await alice.tells(lyon, deleted) == "done: quote revoked"
        assert "quoteAuthorization" not in evil.home.heard("Update")[-1]["object"]


async def test_a_refusal_is_remembered_and_a_peer_that_says_nothing_lets_nobody_quote() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = await _peer(world)
        with pytest.raises(Forbidden):
            await lyon.publishes("dr-roy", "À lire", quoted=await _arrives(lyon, alice))
        quoted = await _arrives(lyon, alice, **_policy(canQuote={"automaticApproval": [alice.followers]}))
        quoting = await lyon.publishes("dr-roy", "À lire", quoted=quoted)
        await world.settle()
        (request,) = alice.home.heard("QuoteRequest")
        assert await alice.tells(lyon, alice.activity("Reject", request)) == "done: quote rejected"
        assert (await _quote(lyon, quoting)).state == "rejected"


# ── a peer asks ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_peer_asks_gets_a_stamp_and_may_ask_again(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon, alice = await _peer(world)
        ours = await lyon.publishes("dr-roy", "Bonjour", quotable_by="followers")
        note = alice.note(quote=ours.uri)
        asked = alice.activity("QuoteRequest", ours.uri, instrument=note)
        assert await alice.tells(lyon, asked) == "done: granted"
        (accept,) = alice.home.heard("Accept")[-1:]
        assert accept["object"]["id"] == asked["id"]
        assert accept["object"]["instrument"] == note["id"]
        assert (
            await alice.tells(lyon, alice.activity("QuoteRequest", ours.uri, instrument=note["id"])) == "done: granted"
        )
        assert alice.home.heard("Accept")[-1]["result"] == accept["result"]
        quoting = alice.create(note | {"quoteAuthorization": accept["result"]})
        assert await alice.tells(lyon, quoting) == "done: stored"
        async with lyon.instance.store.view() as view:
            stored = await posts.find_by_uri(view, note["id"])
            assert stored is not None
            assert (await quotes.of_posts(view, [stored.id]))[stored.id].state == "accepted"
            assert await quotes.count(view, [ours.id]) == {ours.id: 1}
        assert "quote" in await lyon.told("dr-roy")
        bob = alice.home.person("bob")
        stranger = bob.activity("QuoteRequest", ours.uri, instrument=f"{alice.home.base}/notes/of-bob")
        assert await bob.tells(lyon, stranger) == "done: refused"


@pytest.mark.case("D16")
async def test_a_request_for_what_another_says_or_for_another_post_is_refused() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = await _peer(world)
        ours = await lyon.publishes("dr-roy", "Bonjour", quotable_by="public")
        bob = alice.home.person("bob")
        wrong: list[object] = [
            "https://evil.test/notes/1",
            bob.note(quote=ours.uri),
            alice.note(quote="https://lyon.test/users/dr-roy/posts/1"),
            None,
        ]
        for instrument in wrong:
            asked = alice.activity("QuoteRequest", ours.uri, instrument=instrument)
            assert (await alice.tells(lyon, asked)).startswith("refused"), instrument
        mine = f"{alice.home.base}/notes/shared"
        assert await alice.tells(lyon, alice.activity("QuoteRequest", ours.uri, instrument=mine)) == "done: granted"
        theirs = bob.activity("QuoteRequest", ours.uri, instrument=mine)
        assert (await bob.tells(lyon, theirs)).startswith("refused")


@pytest.mark.limit("REQUESTS_WAITING")
async def test_who_asks_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medfed.kernel.limits.REQUESTS_WAITING", 2)
    async with a_world("lyon.test") as world:
        lyon, alice = await _peer(world)
        ours = await lyon.publishes("dr-roy", "Bonjour", quotable_by="ask")
        became = [
            await alice.tells(lyon, alice.activity("QuoteRequest", ours.uri, instrument=f"{alice.home.base}/notes/{n}"))
            for n in range(3)
        ]
        assert became == ["done: waiting", "done: waiting", "done: refused"]
        assert len(await _waiting(lyon, "dr-roy")) == 2


@pytest.mark.limit("EXCERPT")
@pytest.mark.parametrize("by", [-1, 0, 1])
async def test_a_request_shows_the_beginning_of_what_it_is_for(by: int) -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = await _peer(world)
        ours = await lyon.publishes("dr-roy", "Bonjour", quotable_by="ask")
        note = alice.note("é" * (limits.EXCERPT + by), quote=ours.uri)
        assert await alice.tells(lyon, alice.activity("QuoteRequest", ours.uri, instrument=note)) == "done: waiting"
        (waiting,) = await _waiting(lyon, "dr-roy")
        assert len(waiting.excerpt) == limits.EXCERPT + min(by, 0)


# ── likes, answers and boosts ────────────────────────────────────────────────────────────────────────────────


async def test_an_answer_that_its_author_does_not_let_is_told_so_and_not_kept(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon, alice = await _peer(world)
        carol = Stranger(world, "other.test").person("carol")
        ours = await lyon.publishes("dr-roy", f"@{carol.handle} bonjour", answerable_by="mentioned")
        refused = alice.create(inReplyTo=ours.uri)
        assert await alice.tells(lyon, refused) == "done: its author does not let it be answered"
        (reject,) = alice.home.heard("Reject")
        assert (reject["object"], reject["target"]) == (refused["object"]["id"], ours.uri)
        assert await carol.tells(lyon, carol.create(inReplyTo=ours.uri)) == "done: stored"
        below = carol.create(inReplyTo=refused["object"]["id"])
        await carol.tells(lyon, below)
        async with lyon.instance.store.view() as view:
            assert await posts.find_by_uri(view, refused["object"]["id"]) is None
            assert [post.account_id for post in await posts.replies(view, ours.id)] != []
        policy = (await alice.asks(lyon, ours.uri)).json["interactionPolicy"]["canReply"]
        assert policy == {"automaticApproval": [(await lyon.member("dr-roy")).uri, carol.uri], "manualApproval": []}


async def test_a_follower_answers_and_is_given_a_stamp_for_other_servers() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = await _peer(world)
        carol = Stranger(world, "other.test").person("carol")
        ours = await lyon.publishes("dr-roy", "Bonjour", answerable_by="followers")
        answer = alice.create(inReplyTo=ours.uri)
        assert await alice.tells(lyon, answer) == "done: stored"
        accept = alice.home.heard("Accept")[-1]
        assert (accept["object"], accept["target"]) == (answer["object"]["id"], ours.uri)
        assert AS_PUBLIC in accept["cc"]
        stamp = (await alice.asks(lyon, accept["result"])).json
        assert (stamp["type"], stamp["interactingObject"]) == ("ReplyAuthorization", answer["object"]["id"])
        polite = f"{alice.home.base}/notes/polite"
        asked = alice.activity("ReplyRequest", ours.uri, instrument=alice.note(id=polite, inReplyTo=ours.uri))
        assert await alice.tells(lyon, asked) == "done: granted"
        assert alice.home.heard("Accept")[-1]["object"]["type"] == "ReplyRequest"
        hers = carol.activity("ReplyRequest", ours.uri, instrument=carol.note(inReplyTo=ours.uri))
        assert await carol.tells(lyon, hers) == "done: refused"
        assert carol.home.heard("Reject")[-1]["object"]["id"] == hers["id"]
        assert (await carol.tells(lyon, carol.create(inReplyTo=ours.uri))).startswith("done: its author does not")


async def test_likes_and_boosts_are_asked_for_and_granted() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = await _peer(world)
        ours = await lyon.publishes("dr-roy", "Bonjour")
        for kind, wanted in (("LikeRequest", "LikeAuthorization"), ("AnnounceRequest", "AnnounceAuthorization")):
            inner = alice.activity(kind.removesuffix("Request"), ours.uri)
            asked = alice.activity(kind, ours.uri, instrument=inner)
            assert await alice.tells(lyon, asked) == "done: granted"
            result = alice.home.heard("Accept")[-1]["result"]
            assert (await alice.asks(lyon, result)).json["type"] == wanted


@pytest.mark.parametrize("spelt", [("automaticApproval", "manualApproval"), ("always", "approvalRequired")])
async def test_members_do_nothing_that_a_peers_author_does_not_let_them(spelt: tuple[str, str]) -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = await _peer(world)
        nobody = {spelt[0]: [alice.uri]}
        closed = await _arrives(lyon, alice, **_policy(canLike=nobody, canReply=nobody, canAnnounce=nobody))
        with pytest.raises(Forbidden):
            await lyon.likes("dr-roy", closed)
        with pytest.raises(Forbidden):
            await lyon.boosts("dr-roy", closed)
        with pytest.raises(Forbidden):
            await lyon.publishes("dr-roy", "Réponse", reply_to=closed)
        followers = {spelt[0]: alice.followers}
        open_ = await _arrives(lyon, alice, **_policy(canLike=followers, canReply=followers, canAnnounce={}))
        await lyon.likes("dr-roy", open_)
        await lyon.boosts("dr-roy", open_)
        await lyon.publishes("dr-roy", "Réponse", reply_to=open_)
        async with lyon.instance.store.view() as view:
            assert await reactions.reacts(view, open_.id, (await lyon.member("dr-roy")).id)
        me = lyon.instance.here.uris.actor("dr-roy")
        tag = {"type": "Mention", "href": me, "name": "@dr-roy@lyon.test"}
        spoken = await _arrives(lyon, alice, tag=[tag], cc=[me], **_policy(canReply=nobody))
        await lyon.publishes("dr-roy", "Réponse", reply_to=spoken)


# ── members ask before they answer ───────────────────────────────────────────────────────────────────────────


async def test_an_answer_that_its_author_has_to_agree_to_is_seen_by_nobody_before(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon, alice = await _peer(world)
        carol = Stranger(world, "other.test").person("carol")
        await carol.tells(lyon, carol.activity("Follow", (await lyon.member("dr-roy")).uri))
        await lyon.follows("dr-blanc", "dr-roy")
        asked = await _arrives(lyon, alice, **_policy(canReply={"manualApproval": [PUBLIC]}))
        answer = await lyon.publishes("dr-roy", "Réponse #ecg", reply_to=asked)
        await world.settle()
        (create,) = alice.home.heard("Create")
        assert create["object"]["id"] == answer.uri
        assert carol.home.heard("Create") == []
        assert not await lyon.may_read("dr-blanc", answer)
        assert await lyon.may_read("dr-roy", answer)
        assert (await carol.asks(lyon, answer.uri)).status == 404
        assert (await lyon.copy_of(asked)).replies_count == 0
        world.clock.advance(60_000)
        await lyon.edits("dr-roy", answer, "Réponse #ecg revue")
        await world.settle()
        assert alice.home.heard("Update") == carol.home.heard("Update") == []
        forged = carol.activity("Accept", answer.uri, result=f"{carol.home.base}/stamps/1")
        assert (await carol.tells(lyon, forged)).startswith("refused")
        stamp = f"{alice.home.base}/stamps/1"
        accept = alice.activity("Accept", {"id": answer.uri, "type": "Note"}, result=stamp)
        assert await alice.tells(lyon, accept) == "done: answer published"
        (told,) = carol.home.heard("Create")
        assert told["object"]["replyAuthorization"] == stamp
        assert "revue" in told["object"]["content"]
        assert await lyon.may_read("dr-blanc", answer)
        assert answer.uri in await lyon.home("dr-blanc") or asked.uri not in await lyon.home("dr-blanc")
        assert (await lyon.copy_of(asked)).replies_count == 1
        assert await alice.tells(lyon, alice.activity("Accept", answer.uri, result=stamp)) == "done: accepted already"


async def test_a_refused_answer_stays_with_who_wrote_it_and_is_taken_back_from_who_was_asked() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = await _peer(world)
        asked = await _arrives(lyon, alice, **_policy(canReply={"automaticApproval": [alice.followers]}))
        answer = await lyon.publishes("dr-roy", "Réponse", reply_to=asked)
        await world.settle()
        bob = alice.home.person("bob")
        assert (await bob.tells(lyon, bob.activity("Reject", answer.uri))).startswith("refused")
        assert await alice.tells(lyon, alice.activity("Reject", answer.uri)) == "done: answer rejected"
        assert (await lyon.copy_of(answer)).permit == "refused"
        assert not await lyon.may_read("dr-blanc", answer)
        await lyon.deletes("dr-roy", answer)
        await world.settle()
        assert alice.home.heard("Delete")[-1]["object"]["id"] == answer.uri


async def test_two_instances_agree_on_who_answers_as_a_follower() -> None:
    async with a_world("lyon.test", "lille.test") as world:
        lyon, lille = await _two(world)
        asked = await lille.publishes("dr-blanc", "Mots de Blanc", answerable_by="followers")
        await world.settle()
        answer = await lyon.publishes("dr-roy", "Réponse", reply_to=asked)
        assert answer.is_held
        await world.settle()
        assert (await lyon.copy_of(answer)).permit.startswith("https://lille.test/users/dr-blanc/authorizations/")
        assert await lille.has(answer)
        with pytest.raises(Forbidden):
            await lyon.publishes("dr-petit", "Réponse", reply_to=asked)


async def test_an_answer_that_waits_quotes_nobody() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = await _peer(world)
        asked = await _arrives(lyon, alice, **_policy(canReply={"manualApproval": [PUBLIC]}))
        with pytest.raises(Invalid):
            await lyon.publishes("dr-roy", "Réponse", reply_to=asked, quoted=await lyon.publishes("dr-roy", "Moi"))


# ── members ask before they like and pass on ─────────────────────────────────────────────────────────────────

_ASKED: list[Document] = [
    {"manualApproval": [PUBLIC]},
    {"approvalRequired": PUBLIC},
    {"automaticApproval": ["https://good.test/users/alice/followers"]},
]


async def _asking(world: World, rule: Document) -> tuple[Site, Puppet, Puppet, Post]:
    """lyon.test, whose dr-roy carol follows; alice, and a post of hers that is liked and passed on by this rule."""
    lyon, alice = await _peer(world)
    carol = Stranger(world, "other.test").person("carol")
    await carol.tells(lyon, carol.activity("Follow", (await lyon.member("dr-roy")).uri))
    await lyon.follows("dr-blanc", "dr-roy")
    return lyon, alice, carol, await _arrives(lyon, alice, **_policy(canLike=rule, canAnnounce=rule))


async def _counts(site: Site, post: Post) -> tuple[int, int]:
    found = await site.copy_of(post)
    return found.likes_count, found.boosts_count


async def _listed(site: Site, post: Post) -> int:
    """How many are shown to like a post, or to have passed it on."""
    async with site.instance.store.view() as view:
        liked = await reactions.likers(view, post.id, Page())
        return len([*liked, *await reactions.boosters(view, post.id, Page())])


@pytest.mark.parametrize("rule", _ASKED)
async def test_a_boost_is_passed_on_when_its_author_agrees(open_world: Open, rule: Document) -> None:
    async with open_world("lyon.test") as world:
        lyon, alice, carol, asked = await _asking(world, rule)
        await lyon.boosts("dr-roy", asked)
        await world.settle()
        (announce,) = alice.home.heard("Announce")
        assert carol.home.heard("Announce") == []
        assert await lyon.home("dr-blanc") == []
        assert (await _counts(lyon, asked), await _listed(lyon, asked)) == ((0, 0), 0)
        assert (await carol.asks(lyon, announce["id"])).status == 404
        forged = carol.activity("Accept", announce["id"], result=f"{carol.home.base}/stamps/1")
        assert (await carol.tells(lyon, forged)).startswith("refused")
        elsewhere = alice.activity("Accept", announce["id"], result=f"{carol.home.base}/stamps/1")
        assert (await alice.tells(lyon, elsewhere)).startswith("refused")
        stamp = f"{alice.home.base}/stamps/1"
        accept = alice.activity("Accept", announce["id"], result=stamp)
        assert await alice.tells(lyon, accept) == "done: boost published"
        (passed,) = carol.home.heard("Announce")
        assert (passed["id"], passed["approvedBy"], passed["announceAuthorization"]) == (announce["id"], stamp, stamp)
        assert await lyon.home("dr-blanc") == [announce["id"]]
        assert (await _counts(lyon, asked), await _listed(lyon, asked)) == ((0, 1), 1)
        assert (await carol.asks(lyon, announce["id"])).json["announceAuthorization"] == stamp
        again = alice.activity("Accept", {"id": announce["id"], "type": "Announce"}, result=stamp)
        assert await alice.tells(lyon, again) == "done: accepted already"
        await lyon.boosts("dr-roy", asked, undo=True)
        await world.settle()
        assert [each["object"]["id"] for each in carol.home.heard("Undo")] == [announce["id"]]


async def test_an_accept_without_a_stamp_is_itself_what_lets_a_boost_stand() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice, carol, asked = await _asking(world, _ASKED[0])
        await lyon.boosts("dr-roy", asked)
        await world.settle()
        accept = alice.activity("Accept", alice.home.heard("Announce")[-1]["id"])
        assert await alice.tells(lyon, accept) == "done: boost published"
        assert carol.home.heard("Announce")[-1]["approvedBy"] == accept["id"]


@pytest.mark.parametrize("by", ["its author", "whoever asked"])
async def test_a_boost_that_never_was_let_is_taken_back_from_whom_it_was_said_to_and_nobody_else(
    open_world: Open, by: str
) -> None:
    async with open_world("lyon.test") as world:
        lyon, alice, carol, asked = await _asking(world, _ASKED[0])
        await lyon.boosts("dr-roy", asked)
        await world.settle()
        uri = alice.home.heard("Announce")[-1]["id"]
        assert (await carol.tells(lyon, carol.activity("Reject", uri))).startswith("refused")
        if by == "its author":
            assert await alice.tells(lyon, alice.activity("Reject", uri)) == "done: boost rejected"
        else:
            await lyon.boosts("dr-roy", asked, undo=True)
            await world.settle()
        assert carol.home.heard("Undo") == carol.home.heard("Announce") == []
        assert alice.home.heard("Undo")[-1]["object"]["id"] == uri
        async with lyon.instance.store.view() as view:
            assert await posts.find_boost(view, asked.id, (await lyon.member("dr-roy")).id) is None


@pytest.mark.parametrize("rule", _ASKED)
async def test_a_like_counts_when_its_author_agrees(open_world: Open, rule: Document) -> None:
    async with open_world("lyon.test") as world:
        lyon, alice, carol, asked = await _asking(world, rule)
        await lyon.likes("dr-roy", asked)
        await lyon.likes("dr-roy", asked)
        await world.settle()
        (like,) = alice.home.heard("Like")
        assert (await _counts(lyon, asked), await _listed(lyon, asked)) == ((0, 0), 0)
        async with lyon.instance.store.view() as view:
            assert await reactions.reacts(view, asked.id, (await lyon.member("dr-roy")).id)
        assert (await carol.tells(lyon, carol.activity("Accept", like["id"]))).startswith("refused")
        hinted = alice.activity("Accept", {"id": like["id"], "type": "Like"}, result=f"{alice.home.base}/stamps/1")
        assert await alice.tells(lyon, hinted) == "done: like counted"
        assert (await _counts(lyon, asked), await _listed(lyon, asked)) == ((1, 0), 1)
        assert await alice.tells(lyon, alice.activity("Accept", like["id"])) == "done: accepted already"
        assert (await carol.tells(lyon, carol.activity("Reject", like["id"]))).startswith("refused")
        assert await alice.tells(lyon, alice.activity("Reject", like["id"])) == "done: like rejected"
        assert await _counts(lyon, asked) == (0, 0)


async def test_a_like_that_waits_is_told_to_no_group_before_it_is_let() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice, carol, asked = await _asking(world, _ASKED[0])
        group = carol.home.person("cardio", type="Group")
        await lyon.instance.lookup.actor(group.uri)
        async with lyon.instance.store.transaction("passed on") as tx:
            known = await accounts.find_by_uri(tx, group.uri)
            assert known is not None
            await groups.passed_on(tx, known.id, asked.id, lyon.instance.here.now())
        await lyon.likes("dr-roy", asked)
        await world.settle()
        assert carol.home.heard("Like") == []
        like = alice.home.heard("Like")[-1]
        assert await alice.tells(lyon, alice.activity("Accept", like["id"])) == "done: like counted"
        assert [each["id"] for each in carol.home.heard("Like")] == [like["id"]]


@pytest.mark.parametrize("visibility", ["public", "followers"])
async def test_two_instances_need_no_asking_for_what_every_reader_may(open_world: Open, visibility: Any) -> None:
    async with open_world("lyon.test", "lille.test") as world:
        lyon, lille = await _two(world)
        post = await lille.publishes("dr-blanc", "Mots de Blanc", visibility=visibility)
        await world.settle()
        await lyon.likes("dr-roy", post)
        await world.settle()
        assert await _counts(lyon, post) == await _counts(lille, post) == (1, 0)
