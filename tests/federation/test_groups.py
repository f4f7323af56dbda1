"""Groups (FEP-1b12): a group of ours passes on what its members write, and what peers' groups pass on arrives here."""

from typing import Any

import pytest

from medfed.accounts import groups as making
from medfed.domain.accounts import Account
from medfed.domain.peers import Level
from medfed.domain.posts import Poll, PollOption, Post
from medfed.kernel.clock import HOUR
from medfed.relations import follow as relating
from medfed.storage import accounts, groups, posts
from tests.federation.conftest import Open
from tests.support.stranger import PUBLIC, Document, Puppet, Stranger
from tests.support.world import Site, World, some_keys


async def a_group(
    site: Site, name: str = "cardiologie", *, moderator: str = "dr-chef", moderated: bool = False
) -> Account:
    """A group of `site`, moderated by a member."""
    chief = await site.member(moderator)
    async with site.instance.store.transaction("make group") as tx:
        return await making.create(
            tx,
            site.instance.here,
            site.instance.levels,
            username=name,
            keys=some_keys(),
            title="Cardiologie, Lyon",
            moderated=moderated,
            moderators=[chief],
            by="test",
        )


async def groups_of(site: Site, uri: str) -> list[str]:
    """Handles of the groups that have a post, as `site` knows."""
    async with site.instance.store.view() as view:
        post = await posts.find_by_uri(view, uri)
        known = await accounts.find_many(view, await groups.of_post(view, post.id)) if post is not None else {}
    return [account.handle for account in known.values()]


class Lemmy:
    """A peer with a group that a member here follows, and people; and somebody elsewhere who writes into the group."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.home = Stranger(world, "lemmy.test")
        self.group = self.home.person("cardio", type="Group")
        self.beta = self.home.person("beta")
        self.elsewhere = Stranger(world, "good.test")
        self.alice = self.elsewhere.person("alice")

    async def followed(self) -> Site:
        """The site whose dr-dupont follows the group."""
        lyon = self.world["lyon.test"]
        await lyon.follows("dr-dupont", "cardio@lemmy.test")
        await self.world.settle()
        (asked,) = self.home.heard("Follow")
        await self.group.tells(lyon, self.group.activity("Accept", asked))
        assert await lyon.follow_of("dr-dupont", "cardio@lemmy.test") == "accepted"
        return lyon

    def page(self, author: Puppet, **members: Any) -> Document:
        """A discussion's first post, as Lemmy writes it."""
        page = {"type": "Page", "name": "Bloc de branche", "audience": self.group.uri, "to": [self.group.uri, PUBLIC]}
        return author.note("<p>Que faire ?</p>", **(page | members))

    def passes_on(self, activity: Document) -> Document:
        """An Announce, as Lemmy wraps what its members do."""
        bare = {name: value for name, value in activity.items() if name != "@context" or "proof" in activity}
        return self.group.activity("Announce", bare, to=[PUBLIC], cc=[self.group.followers])

    def create(self, author: Puppet, note: Document) -> Document:
        """A Create, as Lemmy writes it."""
        return author.activity("Create", note, to=[PUBLIC], cc=[self.group.uri], audience=self.group.uri)


async def text_of(site: Site, uri: str) -> str:
    """The words of a post as a site has them; "" when it has none."""
    async with site.instance.store.view() as view:
        post = await posts.find_by_uri(view, uri)
    return post.content if post is not None else ""


async def likes_of(site: Site, post: Post) -> int:
    """How many like a post, as a site knows."""
    return (await site.copy_of(post)).likes_count


# ── what our groups pass on ──────────────────────────────────────────────────────────────────────────────────


async def test_a_members_post_reaches_the_members_of_the_group_everywhere(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test", "metz.test") as world:
        lyon, lille, metz = world.instances.values()
        await a_group(lyon)
        await world.follow("dr-roy@lille.test", "cardiologie@lyon.test")
        await world.follow("dr-noir@metz.test", "cardiologie@lyon.test")
        await lyon.follows("dr-dupont", "cardiologie@lyon.test")
        assert await lille.follow_of("dr-roy", "cardiologie@lyon.test") == "accepted"

        post = await lille.publishes("dr-roy", "Bloc de branche @cardiologie@lyon.test")
        await world.settle()
        copies = [await site.copy_of(post) for site in world.instances.values()]
        for site, name in ((lyon, "dr-dupont"), (metz, "dr-noir")):
            shown = await site.home(name)
            assert len(shown) == 1
            assert shown[0].startswith("https://lyon.test/users/cardiologie/activities/")
        assert all(copy.is_open for copy in copies)
        for site in (lyon, metz, lille):
            assert await groups_of(site, post.uri) == ["cardiologie@lyon.test"]


async def gathered(world: World) -> tuple[Site, Site, Site]:
    """A group at lyon with a member on each of three instances."""
    lyon, lille, metz = world.instances.values()
    await a_group(lyon)
    await world.follow("dr-roy@lille.test", "cardiologie@lyon.test")
    await world.follow("dr-noir@metz.test", "cardiologie@lyon.test")
    await lyon.follows("dr-dupont", "cardiologie@lyon.test")
    return lyon, lille, metz


async def test_answers_come_to_every_host_but_not_into_every_home(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test", "metz.test") as world:
        lyon, lille, metz = await gathered(world)
        post = await lille.publishes("dr-roy", "Bloc de branche @cardiologie@lyon.test")
        await world.settle()
        homes = [await site.home(name) for site, name in ((lyon, "dr-dupont"), (lille, "dr-roy"))]
        answer = await metz.publishes("dr-noir", "Un ECG de repos ?", reply_to=post)
        await world.settle()
        assert [await site.has(answer) for site in (lyon, lille, metz)] == [True, True, True]
        assert await groups_of(lyon, answer.uri) == await groups_of(lille, answer.uri) == ["cardiologie@lyon.test"]
        assert await lyon.home("dr-dupont") == homes[0]
        further = await lille.publishes("dr-roy", "Normal.", reply_to=answer)
        await world.settle()
        assert (await lyon.copy_of(further)).in_reply_to_id == (await lyon.copy_of(answer)).id
        assert await metz.has(further)


async def test_what_members_do_to_a_post_comes_to_every_host(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test", "metz.test") as world:
        lyon, lille, metz = await gathered(world)
        post = await lille.publishes("dr-roy", "Bloc de branche @cardiologie@lyon.test")
        await world.settle()
        await metz.likes("dr-noir", post)
        await lyon.likes("dr-dupont", post)
        await world.settle()
        assert [await likes_of(site, post) for site in (lyon, lille, metz)] == [2, 2, 2]
        await metz.likes("dr-noir", post, undo=True)
        await world.settle()
        assert [await likes_of(site, post) for site in (lyon, lille, metz)] == [1, 1, 1]
        world.clock.advance(60_000)
        await lille.edits("dr-roy", post, "Bloc de branche gauche @cardiologie@lyon.test")
        await world.settle()
        for site in (lyon, metz):
            assert "gauche" in await text_of(site, post.uri)
        await lille.deletes("dr-roy", post)
        await world.settle()
        assert [await site.has(post) for site in (lyon, lille, metz)] == [False, False, False]
        assert await lyon.home("dr-dupont") == await metz.home("dr-noir") == []


async def test_a_group_passes_on_nothing_by_those_who_are_no_members(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test", "metz.test") as world:
        lyon, lille, metz = await gathered(world)
        spam = await lille.publishes("dr-gris", "Achetez @cardiologie@lyon.test")
        own = await lyon.publishes("dr-vert", "Moi aussi @cardiologie")
        await world.settle()
        assert await lyon.has(spam)
        assert not await metz.has(spam)
        assert not await metz.has(own)
        assert await lyon.home("dr-dupont") == []
        # in a discussion neither, and a reaction is not either
        post = await lyon.publishes("dr-dupont", "Bloc de branche @cardiologie")
        await world.settle()
        answer = await lille.publishes("dr-gris", "Achetez", reply_to=post)
        await lille.likes("dr-gris", post)
        await world.settle()
        assert await lyon.has(answer)
        assert not await metz.has(answer)
        assert [await likes_of(site, post) for site in (lyon, metz)] == [1, 0]


async def test_who_has_left_is_no_member_any_more_but_may_still_take_back(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test", "metz.test") as world:
        _, lille, metz = await gathered(world)
        before = await lille.publishes("dr-roy", "Avant @cardiologie@lyon.test")
        await world.settle()
        roy, group = await lille.find("dr-roy"), await lille.find("cardiologie@lyon.test")
        assert roy is not None
        assert group is not None
        async with lille.instance.store.transaction("leave") as tx:
            await relating.unfollow(tx, lille.instance.here, roy, group)
        await world.settle()
        after = await lille.publishes("dr-roy", "Après @cardiologie@lyon.test")
        world.clock.advance(60_000)
        await lille.edits("dr-roy", before, "Achetez @cardiologie@lyon.test")
        await world.settle()
        assert not await metz.has(after)
        assert "Achetez" not in await text_of(metz, before.uri)
        await lille.deletes("dr-roy", before)
        await world.settle()
        assert not await metz.has(before)


async def test_in_a_moderated_group_only_moderators_begin_discussions(open_world: Open) -> None:
    async with open_world("lyon.test", "metz.test") as world:
        lyon, metz = world.instances.values()
        await a_group(lyon, moderated=True)
        await world.follow("dr-noir@metz.test", "cardiologie@lyon.test")
        refused = await metz.publishes("dr-noir", "Une question @cardiologie@lyon.test")
        chiefs = await lyon.publishes("dr-chef", "Réunion @cardiologie")
        await world.settle()
        assert await groups_of(lyon, refused.uri) == []
        assert await groups_of(metz, chiefs.uri) == ["cardiologie@lyon.test"]
        answer = await metz.publishes("dr-noir", "Présente", reply_to=chiefs)
        await world.settle()
        assert await groups_of(lyon, answer.uri) == ["cardiologie@lyon.test"]


@pytest.mark.parametrize("visibility", ["followers", "direct"])
async def test_what_is_for_a_few_is_not_passed_on(open_world: Open, visibility: Any) -> None:
    async with open_world("lyon.test", "metz.test") as world:
        lyon, metz = world.instances.values()
        await a_group(lyon)
        await world.follow("dr-noir@metz.test", "cardiologie@lyon.test")
        await lyon.follows("dr-dupont", "cardiologie@lyon.test")
        post = await lyon.publishes("dr-dupont", "Entre nous @cardiologie", visibility=visibility)
        theirs = await metz.publishes("dr-noir", "Entre nous @cardiologie@lyon.test", visibility=visibility)
        await world.settle()
        assert await groups_of(lyon, post.uri) == await groups_of(lyon, theirs.uri) == []
        assert not await metz.has(post)


async def test_a_blocked_peer_gets_nothing_and_brings_nothing(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test", "metz.test") as world:
        lyon, lille, metz = await gathered(world)
        await lyon.judges("metz.test", Level.BLOCKED)
        post = await lille.publishes("dr-roy", "Bloc de branche @cardiologie@lyon.test")
        spam = await metz.publishes("dr-noir", "Achetez @cardiologie@lyon.test")
        await world.settle()
        assert await lyon.has(post)
        assert not await metz.has(post)
        assert not await lille.has(spam)


async def test_who_lets_nobody_pass_a_post_on_is_heeded_by_groups(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon = world["lyon.test"]
        group = await a_group(lyon)
        away = Stranger(world, "lemmy.test")
        beta = away.person("beta")
        await beta.tells(lyon, beta.activity("Follow", group.uri))
        policy = {"canAnnounce": {"automaticApproval": [beta.uri], "manualApproval": []}}
        note = beta.note("<p>Entre nous</p>", to=[PUBLIC, group.uri], interactionPolicy=policy)
        assert await beta.tells(lyon, beta.create(note)) == "done: stored"
        assert away.heard("Announce") == []
        assert await groups_of(lyon, note["id"]) == []


async def test_on_the_wire_it_is_as_lemmy_and_as_mastodon_read_it(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon = world["lyon.test"]
        group = await a_group(lyon)
        away = Stranger(world, "lemmy.test")
        beta = away.person("beta")
        asked = beta.activity("Follow", group.uri)
        await beta.tells(lyon, asked)
        assert [each["object"]["id"] for each in away.heard("Accept")] == [asked["id"]]

        await lyon.follows("dr-dupont", "cardiologie@lyon.test")
        post = await lyon.publishes("dr-dupont", "Bloc de branche @cardiologie")
        await world.settle()
        wrapped, boost = sorted(away.heard("Announce"), key=lambda each: isinstance(each["object"], str))
        assert wrapped["actor"] == boost["actor"] == group.uri
        assert wrapped["to"] == [PUBLIC]
        assert wrapped["cc"] == [group.followers_uri]
        create = wrapped["object"]
        assert (create["type"], create["actor"]) == ("Create", "https://lyon.test/users/dr-dupont")
        assert create["audience"] == create["object"]["audience"] == group.uri
        assert create["proof"]["verificationMethod"].startswith("https://lyon.test/users/dr-dupont#")
        assert boost["object"] == post.uri

        # a member's own activity travels as it was said
        page = beta.note("<p>Que faire ?</p>", type="Page", name="Une question", to=[group.uri, PUBLIC], cc=[])
        said = beta.activity("Create", page, to=[group.uri, PUBLIC], cc=[], audience=group.uri)
        await beta.tells(lyon, said)
        assert away.heard("Announce")[2]["object"] == said


async def test_a_group_is_found_and_says_who_moderates_it(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon = world["lyon.test"]
        group = await a_group(lyon, moderated=True)
        rita = Stranger(world, "lemmy.test").person("rita")
        found = await rita.asks(lyon, "/.well-known/webfinger?resource=acct:cardiologie@lyon.test")
        assert group.uri in found.body.decode()
        document = (await rita.asks(lyon, group.uri)).json
        assert (document["type"], document["name"]) == ("Group", "Cardiologie, Lyon")
        assert document["postingRestrictedToMods"] is True
        collection = (await rita.asks(lyon, document["attributedTo"])).json
        assert collection["orderedItems"] == ["https://lyon.test/users/dr-chef"]
        outbox = (await rita.asks(lyon, document["outbox"])).json
        assert outbox["totalItems"] == 0
        await lyon.member("dr-dupont")
        assert (await rita.asks(lyon, "https://lyon.test/users/dr-dupont/moderators")).status == 404


# ── what peers' groups pass on ───────────────────────────────────────────────────────────────────────────────


async def test_a_post_that_a_lemmy_group_passes_on_is_in_the_homes_of_its_members(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        peer = Lemmy(world)
        lyon = await peer.followed()
        page = peer.page(peer.beta)
        told = peer.passes_on(peer.create(peer.beta, page))
        assert await peer.group.tells(lyon, told) == "done: passed on"
        assert await lyon.home("dr-dupont") == [told["id"]]
        assert "Bloc de branche" in await text_of(lyon, page["id"])
        assert await groups_of(lyon, page["id"]) == ["cardio@lemmy.test"]
        # the page alone comes, too, for those who know no groups
        alone = peer.group.activity("Announce", page["id"], to=[PUBLIC], cc=[peer.group.followers])
        assert await peer.group.tells(lyon, alone) == "done: was passed on already"

        comment = peer.beta.note("<p>Un ECG</p>", inReplyTo=page["id"], to=[PUBLIC])
        answered = peer.passes_on(peer.create(peer.beta, comment))
        assert await peer.group.tells(lyon, answered) == "done: has come into the discussion"
        assert await lyon.home("dr-dupont") == [told["id"]]
        like = peer.beta.activity("Like", page["id"], audience=peer.group.uri)
        assert await peer.group.tells(lyon, peer.passes_on(like)) == "done: liked"
        undone = peer.beta.activity("Undo", {key: like[key] for key in ("id", "type", "actor", "object")})
        assert await peer.group.tells(lyon, peer.passes_on(undone)) == "done: unliked"
        await peer.group.tells(lyon, peer.passes_on(peer.beta.activity("Dislike", page["id"])))
        gone = peer.beta.activity("Delete", page["id"], to=[PUBLIC], cc=[peer.group.uri])
        assert await peer.group.tells(lyon, peer.passes_on(gone)) == "done: erased"
        assert await lyon.home("dr-dupont") == []


async def test_a_page_with_all_that_lemmy_says_of_one_is_read(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        peer = Lemmy(world)
        lyon = await peer.followed()
        page = peer.page(
            peer.beta,
            cc=[],
            source={"content": "Que **faire** ?", "mediaType": "text/markdown"},
            mediaType="text/html",
            attachment=[{"type": "Link", "href": "https://journal.test/ecg"}],
            image={"type": "Image", "url": "https://lemmy.test/pictrs/image/1.png"},
            sensitive=False,
            commentsEnabled=True,
            stickied=False,
            language={"identifier": "fr", "name": "Français"},
            tag=[{"href": "https://lemmy.test/notes/1", "name": "#cardio", "type": "Hashtag"}],
            published="2026-11-25T08:00:00.123456Z",
        )
        created = peer.create(peer.beta, page) | {"@context": ["https://join-lemmy.org/context.json"]}
        assert await peer.group.tells(lyon, peer.passes_on(created)) == "done: passed on"
        text = await text_of(lyon, page["id"])
        assert "Bloc de branche" in text
        assert "Que faire" in text


@pytest.mark.parametrize(
    ("kind", "members"),
    [
        ("Lock", {}),
        ("Add", {"target": "https://lemmy.test/users/cardio/featured"}),
        ("Remove", {"target": "https://lemmy.test/users/cardio/moderators"}),
        ("Block", {"object": "https://good.test/users/alice", "target": "https://lemmy.test/users/cardio"}),
        ("Undo", {"object": {"type": "Dislike", "id": "https://lemmy.test/dislikes/1"}}),
        ("Flag", {"content": "Hors sujet"}),
    ],
)
async def test_what_else_lemmy_groups_pass_on_does_no_harm(open_world: Open, kind: str, members: Document) -> None:
    async with open_world("lyon.test") as world:
        peer = Lemmy(world)
        lyon = await peer.followed()
        page = peer.page(peer.beta)
        await peer.group.tells(lyon, peer.passes_on(peer.create(peer.beta, page)))
        undone = members.get("object")
        if isinstance(undone, dict):
            members = {"object": undone | {"actor": peer.beta.uri, "object": page["id"]}}
        activity = peer.beta.activity(kind, page["id"], **{"to": [PUBLIC], "cc": [peer.group.uri], **members})
        assert (await peer.group.tells(lyon, peer.passes_on(activity))).startswith("done: noth")
        assert await groups_of(lyon, page["id"]) == ["cardio@lemmy.test"]
        assert len(await lyon.home("dr-dupont")) == 1


async def test_an_answer_goes_to_the_group_as_lemmy_expects_it(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        peer = Lemmy(world)
        lyon = await peer.followed()
        page = peer.page(peer.alice)
        await peer.group.tells(lyon, peer.passes_on(peer.create(peer.alice, page)))
        async with lyon.instance.store.view() as view:
            stored = await posts.find_by_uri(view, page["id"])
        assert stored is not None
        await lyon.publishes("dr-dupont", "Un ECG de repos ?", reply_to=stored)
        await lyon.likes("dr-dupont", stored)
        await world.settle()
        (create,) = peer.home.heard("Create")
        assert create["audience"] == create["object"]["audience"] == peer.group.uri
        assert peer.group.uri in create["cc"]
        assert not any(tag["type"] == "Mention" for tag in create["object"]["tag"])
        (like,) = peer.home.heard("Like")
        assert like["object"] == page["id"]
        # and the group tells us of it, as of everything
        assert await peer.group.tells(lyon, peer.passes_on(create)) == "done: has come into the discussion"


@pytest.mark.case("D10")
async def test_what_somebody_elsewhere_is_said_to_have_written_is_fetched_from_there(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        peer = Lemmy(world)
        lyon = await peer.followed()
        page = peer.page(peer.alice)
        forged = page | {"content": "<p>Achetez</p>"}
        told = peer.passes_on(peer.create(peer.alice, forged))
        assert await peer.group.tells(lyon, told) == "done: passed on"
        assert "Que faire" in await text_of(lyon, page["id"])
        assert "Achetez" not in await text_of(lyon, page["id"])

        changed = forged | {"updated": "2026-11-25T10:00:00Z"}
        update = peer.alice.activity("Update", changed, to=[PUBLIC])
        await peer.group.tells(lyon, peer.passes_on(update))
        assert "Achetez" not in await text_of(lyon, page["id"])

        invented = peer.page(peer.alice, id="https://good.test/notes/invented")
        peer.elsewhere.documents.pop("/notes/invented")
        never = peer.passes_on(peer.create(peer.alice, invented))
        assert (await peer.group.tells(lyon, never)).startswith("refused")
        assert await text_of(lyon, invented["id"]) == ""


@pytest.mark.case("D10")
async def test_with_its_authors_own_proof_it_needs_no_other_word(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        peer = Lemmy(world)
        lyon = await peer.followed()
        page = peer.page(peer.alice)
        create = peer.alice.proven(peer.create(peer.alice, page))
        peer.elsewhere.asked.clear()
        assert await peer.group.tells(lyon, peer.passes_on(create)) == "done: passed on"
        assert page["id"].removeprefix("https://good.test") not in peer.elsewhere.asked
        # somebody else's proof is none, and neither is one of other words
        other = peer.page(peer.alice)
        forged = peer.alice.proven(peer.create(peer.alice, other)) | {"object": other | {"content": "<p>Achetez</p>"}}
        await peer.group.tells(lyon, peer.passes_on(forged))
        assert "Achetez" not in await text_of(lyon, other["id"])
        third = peer.page(peer.alice)
        stolen = peer.group.proven(peer.create(peer.alice, third | {"content": "<p>Achetez</p>"}))
        await peer.group.tells(lyon, peer.passes_on(stolen))
        assert "Achetez" not in await text_of(lyon, third["id"])


@pytest.mark.case("D10")
async def test_a_group_cannot_say_what_somebody_elsewhere_likes_or_deletes(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        peer = Lemmy(world)
        lyon = await peer.followed()
        page = peer.page(peer.alice)
        await peer.group.tells(lyon, peer.passes_on(peer.create(peer.alice, page)))
        async with lyon.instance.store.view() as view:
            stored = await posts.find_by_uri(view, page["id"])
        assert stored is not None
        like = peer.alice.activity("Like", page["id"])
        assert (await peer.group.tells(lyon, peer.passes_on(like))).startswith("refused")
        assert await likes_of(lyon, stored) == 0
        peer.elsewhere.serves(
            like["id"].removeprefix("https://good.test"), like | {"object": "https://good.test/notes/x"}
        )
        assert (await peer.group.tells(lyon, peer.passes_on(like))).startswith("refused")
        peer.elsewhere.serves(like["id"].removeprefix("https://good.test"), like)
        assert await peer.group.tells(lyon, peer.passes_on(like)) == "done: liked"
        shown = peer.alice.activity("Undo", {key: like[key] for key in ("id", "type", "actor", "object")})
        peer.elsewhere.serves(shown["id"].removeprefix("https://good.test"), shown)
        assert await peer.group.tells(lyon, peer.passes_on(shown)) == "done: unliked"

        gone = peer.alice.activity("Delete", page["id"])
        assert await peer.group.tells(lyon, peer.passes_on(gone)) == "done: taken out of the group"
        assert await text_of(lyon, page["id"]) != ""
        assert await lyon.home("dr-dupont") == []
        peer.elsewhere.documents[page["id"].removeprefix("https://good.test")] = 410
        again = peer.alice.activity("Delete", page["id"])
        assert await peer.group.tells(lyon, peer.passes_on(again)) == "done: erased"


async def test_what_a_moderator_elsewhere_takes_out_leaves_the_group_and_stays_its_authors(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        peer = Lemmy(world)
        lyon = await peer.followed()
        post = await lyon.publishes("dr-dupont", "Hors sujet @cardio@lemmy.test")
        await world.settle()
        (create,) = peer.home.heard("Create")
        assert create["object"]["audience"] == peer.group.uri
        told = peer.passes_on(create)
        assert await peer.group.tells(lyon, told) == "done: passed on"
        assert told["id"] in await lyon.home("dr-dupont")
        removal = peer.beta.activity("Delete", post.uri, to=[PUBLIC], cc=[peer.group.uri], summary="off topic")
        assert await peer.group.tells(lyon, peer.passes_on(removal)) == "done: taken out of the group"
        assert await lyon.has(post)
        assert told["id"] not in await lyon.home("dr-dupont")
        assert await groups_of(lyon, post.uri) == []


async def test_what_a_moderator_elsewhere_puts_back_is_in_the_group_again(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        peer = Lemmy(world)
        lyon = await peer.followed()
        page = peer.page(peer.beta)
        await peer.group.tells(lyon, peer.passes_on(peer.create(peer.beta, page)))
        removal = peer.beta.activity("Delete", page["id"], to=[PUBLIC], cc=[peer.group.uri], summary="hors sujet")
        removal["actor"] = peer.home.person("chef").uri
        assert await peer.group.tells(lyon, peer.passes_on(removal)) == "done: taken out of the group"
        assert await lyon.home("dr-dupont") == []
        undone = {name: value for name, value in removal.items() if name != "@context"}
        back = peer.passes_on(peer.beta.activity("Undo", undone, actor=removal["actor"], cc=[peer.group.uri]))
        assert await peer.group.tells(lyon, back) == "done: passed on"
        assert await lyon.home("dr-dupont") == [back["id"]]
        assert await groups_of(lyon, page["id"]) == ["cardio@lemmy.test"]
        # What its author has deleted is not there to be put back.
        await peer.group.tells(lyon, peer.passes_on(peer.beta.activity("Delete", page["id"])))
        undone = {"id": "https://lemmy.test/deletes/2", "type": "Delete", "actor": peer.beta.uri, "object": page["id"]}
        again = peer.passes_on(peer.beta.activity("Undo", undone))
        assert await peer.group.tells(lyon, again) == "done: no such post"


@pytest.mark.parametrize("passed_on", [True, False], ids=["passed on", "told"])
async def test_who_votes_a_post_down_likes_it_no_longer(open_world: Open, passed_on: bool) -> None:
    """PieFed and Lemmy send a Dislike in the place of the Like, and no Undo of that."""
    async with open_world("lyon.test") as world:
        peer = Lemmy(world)
        lyon = await peer.followed()
        await a_group(lyon)
        post = await lyon.publishes("dr-dupont", "Bloc de branche @cardio@lemmy.test")
        await world.settle()

        async def votes(kind: str) -> str:
            vote = peer.beta.activity(kind, post.uri, audience=peer.group.uri)
            by = peer.group if passed_on else peer.beta
            return await by.tells(lyon, peer.passes_on(vote) if passed_on else vote)

        assert await votes("Like") == "done: liked"
        assert await likes_of(lyon, post) == 1
        assert await votes("Dislike") == "done: unliked"
        assert await likes_of(lyon, post) == 0
        assert await votes("Dislike") == "done: votes against it are not counted"
        assert await votes("Like") == "done: liked"


@pytest.mark.parametrize("passed_on", [True, False], ids=["passed on", "told"])
async def test_a_vote_as_piefed_sends_it_is_counted_once(open_world: Open, passed_on: bool) -> None:
    async with open_world("lyon.test") as world:
        peer = Lemmy(world)
        lyon = await peer.followed()
        poll = Poll(options=(PollOption(title="Oui"), PollOption(title="Non")), closes_at=world.clock.now() + HOUR)
        post = await lyon.publishes("dr-dupont", "Biopsie ? @cardio@lemmy.test", poll=poll)
        await world.settle()

        async def votes(choice: object, about: str = post.uri) -> str:
            vote = peer.beta.activity("PollVote", about, choice_text=choice, audience=peer.group.uri)
            by = peer.group if passed_on else peer.beta
            return await by.tells(lyon, peer.passes_on(vote) if passed_on else vote)

        for choice in ("Peut-être", "", None, {"name": "Oui"}):
            assert await votes(choice) == "done: vote not counted"
        assert await votes("Non") == "done: vote counted"
        assert await votes("Oui") == "done: vote not counted"
        assert await votes("Oui", "https://lyon.test/users/dr-dupont/posts/1") == "done: no such poll"
        async with lyon.instance.store.view() as view:
            (known,) = (await posts.polls(view, [post.id])).values()
        assert [(option.title, option.votes) for option in known.options] == [("Oui", 0), ("Non", 1)]


async def test_nobody_votes_down_for_another(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        peer = Lemmy(world)
        lyon = await peer.followed()
        post = await lyon.publishes("dr-dupont", "Bloc de branche @cardio@lemmy.test")
        await world.settle()
        await peer.alice.tells(lyon, peer.alice.activity("Like", post.uri))
        assert await likes_of(lyon, post) == 1
        forged = peer.alice.activity("Dislike", post.uri)
        assert (await peer.group.tells(lyon, peer.passes_on(forged))).startswith("refused")
        assert await likes_of(lyon, post) == 1


async def test_votes_against_reach_the_hosts_of_our_groups_members(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon = world["lyon.test"]
        await a_group(lyon)
        group = "https://lyon.test/users/cardiologie"
        pie, other = Stranger(world, "pie.test"), Stranger(world, "other.test")
        pierre, olga, guest = pie.person("pierre"), other.person("olga"), other.person("guest")
        for member in (pierre, olga):
            await member.tells(lyon, member.activity("Follow", group))
        await lyon.follows("dr-dupont", "cardiologie@lyon.test")
        post = await lyon.publishes("dr-dupont", "Bloc de branche @cardiologie")
        await world.settle()
        vote = pierre.activity("Dislike", post.uri, audience=group)
        await pierre.tells(lyon, vote)
        await guest.tells(lyon, guest.activity("Dislike", post.uri, audience=group))
        bare = {name: value for name, value in vote.items() if name != "@context"}
        undo = pierre.activity("Undo", bare, audience=group)
        await pierre.tells(lyon, undo)
        await world.settle()
        told = [each["object"] for each in other.heard("Announce") if isinstance(each["object"], dict)]
        votes = [each["id"] for each in told if each["type"] in ("Dislike", "Undo")]
        assert votes == [vote["id"], undo["id"]]


async def test_only_groups_pass_on_what_others_do(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        peer = Lemmy(world)
        lyon = await peer.followed()
        page = peer.page(peer.beta)
        told = peer.beta.activity("Announce", peer.create(peer.beta, page), to=[PUBLIC])
        assert (await peer.beta.tells(lyon, told)).startswith("refused: PolicyRefusal")
        assert await text_of(lyon, page["id"]) == ""
        nested = peer.passes_on(peer.passes_on(peer.create(peer.beta, page)))
        await peer.group.tells(lyon, nested)
        assert await text_of(lyon, page["id"]) == ""


async def test_a_limited_peers_group_is_heard_by_those_who_follow_it(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        peer = Lemmy(world)
        lyon = world["lyon.test"]
        await lyon.judges("lemmy.test", Level.LIMITED)
        before = peer.passes_on(peer.create(peer.beta, peer.page(peer.beta)))
        assert (await peer.group.tells(lyon, before)).startswith("refused: PolicyRefusal")
        await peer.followed()
        after = peer.passes_on(peer.create(peer.beta, peer.page(peer.beta)))
        assert await peer.group.tells(lyon, after) == "done: passed on"
