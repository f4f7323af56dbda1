"""Threads (G4): who is shown which answers, whose a conversation is, and how the missing part of one is found."""

from typing import Any

import pytest

from medfed.domain.peers import Level
from medfed.domain.posts import Post
from medfed.kernel import limits
from medfed.kernel.clock import DAY, MINUTE, iso
from medfed.posts import complete, read
from medfed.storage import accounts, posts
from tests.api.client import Client, signed_in
from tests.federation.conftest import Open
from tests.support.stranger import Document, Puppet, Stranger
from tests.support.world import Site, a_world
from tests.web.browser import visitor


async def _copy(site: Site, uri: str) -> Post | None:
    async with site.instance.store.view() as view:
        return await posts.find_by_uri(view, uri)


async def _opens(site: Site, post: Post) -> None:
    """A member opens the thread, and the background task has run."""
    await complete.ask(site.instance.store, site.instance.here, post)
    await site.world.settle()


async def _thread(site: Site, post: Post) -> list[str]:
    async with site.instance.store.view() as view:
        found = await posts.get(view, post.id)
        thread = await read.thread(view, site.instance.here, None, found)
    return [each.uri for each in (*thread.ancestors, *thread.descendants)]


async def _received(site: Site, author: Puppet, **members: Any) -> Post:
    """The first post of a thread on a peer, delivered here because somebody follows its author."""
    await site.member("dr-roy")
    await site.follows("dr-roy", author.handle)
    await site.world.settle()
    (asked, *_) = author.home.heard("Follow")[-1:]
    await author.tells(site, author.activity("Accept", asked))
    note = author.note("<p>First</p>", **members)
    assert await author.tells(site, author.create(note)) == "done: stored"
    post = await _copy(site, note["id"])
    assert post is not None
    return post


def _replies(author: Puppet, name: str, ids: list[str], **members: Any) -> str:
    """A replies collection of a peer."""
    url = f"{author.home.base}/lists/{name}"
    document: Document = {"id": url, "type": "Collection", "items": ids} | members
    return author.home.serves(f"/lists/{name}", document)


# ── ours ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_answers_and_conversations_are_listed_page_by_page(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon, asker = world["lyon.test"], Stranger(world, "good.test").person("alice")
        root = await lyon.publishes("dr-roy", "Question")
        answers = [await lyon.publishes("dr-roy", f"Answer {number}", reply_to=root) for number in range(23)]
        below = await lyon.publishes("dr-roy", "Below", reply_to=answers[0])
        expected = {
            "replies": [post.uri for post in answers],
            "context": [each.uri for each in (root, *answers, below)],
        }
        for name, uris in expected.items():
            collection = (await asker.asks(lyon, f"{root.uri}/{name}")).json
            assert collection["id"] == f"{root.uri}/{name}"
            assert collection["totalItems"] == len(uris)
            page, found = collection["first"], []
            while True:
                assert page["partOf"] == collection["id"]
                found += page["items" if name == "replies" else "orderedItems"]
                if "next" not in page:
                    break
                page = (await asker.asks(lyon, page["next"])).json
            assert found == uris


async def test_a_conversation_belongs_to_whoever_began_it_and_answers_repeat_where_it_is(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test") as world:
        lyon, lille = world["lyon.test"], world["lille.test"]
        asker = Stranger(world, "good.test").person("alice")
        await world.follow("dr-roy@lille.test", "dr-dupont@lyon.test")
        root = await lyon.publishes("dr-dupont", "Question")
        await world.settle()
        answer = await lille.publishes("dr-roy", "Answer", reply_to=root)
        await world.settle()
        context = f"{root.uri}/context"
        assert (await asker.asks(lyon, root.uri)).json["context"] == context
        assert (await asker.asks(lille, answer.uri)).json["context"] == context
        collection = (await asker.asks(lyon, context)).json
        assert collection["attributedTo"] == (await lyon.member("dr-dupont")).uri
        assert collection["first"]["orderedItems"] == [root.uri, answer.uri]
        assert (await asker.asks(lille, f"{answer.uri}/context")).status == 404


@pytest.mark.case("M06", "M12")
async def test_a_conversation_lists_only_what_its_asker_may_read() -> None:
    async with a_world("lyon.test") as world:
        lyon, asker = world["lyon.test"], Stranger(world, "good.test").person("alice")
        root = await lyon.publishes("dr-roy", "Open")
        empty = await asker.asks(lyon, f"{root.uri}/context")
        closed = await lyon.publishes("dr-roy", "For followers", visibility="followers", reply_to=root)
        direct = await lyon.publishes("dr-roy", "For nobody else", visibility="direct", reply_to=root)
        assert (await asker.asks(lyon, f"{root.uri}/context")).json == empty.json
        for post in (closed, direct):
            assert (await asker.asks(lyon, f"{post.uri}/context")).status == 404
        unasked = await lyon.publishes("dr-roy", "Closed", visibility="followers")
        assert (await asker.asks(lyon, f"{unasked.uri}/context")).status == 404


# ── theirs ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_opening_a_thread_fetches_the_answers_that_were_never_sent_here(open_world: Open) -> None:
    """dr-roy follows the author alone; strangers answered each other on the author's server and elsewhere."""
    async with open_world("lyon.test") as world:
        lyon, alice = world["lyon.test"], Stranger(world, "good.test").person("alice")
        bob, carol = alice.home.person("bob"), Stranger(world, "other.test").person("carol")
        replies = f"{alice.home.base}/lists/first"
        root = await _received(lyon, alice, replies=replies)
        below = f"{bob.home.base}/lists/second"
        one = bob.note("<p>One</p>", inReplyTo=root.uri, replies={"id": below, "type": "Collection"})
        two = carol.note("<p>Two</p>", inReplyTo=one["id"])
        page = {"type": "CollectionPage", "partOf": replies, "items": [one["id"]]}
        _replies(alice, "first", [], first=page)
        _replies(bob, "second", [two["id"]])
        home = await lyon.home("dr-roy")
        await _opens(lyon, root)
        assert await _thread(lyon, root) == [one["id"], two["id"]]
        assert await lyon.home("dr-roy") == home
        stored = await _copy(lyon, root.uri)
        assert stored is not None
        assert stored.replies_count == 1


async def test_a_thread_is_fetched_from_the_context_of_its_first_post(open_world: Open) -> None:
    """Two medfed instances: lille heard of the first post and of nothing else."""
    async with open_world("lyon.test", "lille.test") as world:
        lyon, lille = world["lyon.test"], world["lille.test"]
        await world.follow("dr-roy@lille.test", "dr-dupont@lyon.test")
        root = await lyon.publishes("dr-dupont", "Question")
        await world.settle()
        first = await lyon.publishes("dr-martin", "Answer", reply_to=root)
        second = await lyon.publishes("dr-petit", "Answer to the answer", reply_to=first)
        await lyon.publishes("dr-petit", "For few", reply_to=first, visibility="direct")
        await world.settle()
        copy = await lille.copy_of(root)
        assert await _thread(lille, copy) == []
        await _opens(lille, copy)
        assert await _thread(lille, copy) == [first.uri, second.uri]


@pytest.mark.parametrize("surface", ["page", "api"])
async def test_a_thread_is_completed_when_a_member_looks_at_it(surface: str) -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = world["lyon.test"], Stranger(world, "good.test").person("alice")
        root = await _received(lyon, alice, replies=f"{alice.home.base}/lists/first")
        answer = alice.note("<p>Never sent</p>", inReplyTo=root.uri)
        _replies(alice, "first", [answer["id"]])
        page, context = f"/@{alice.handle}/{root.id}", f"/api/v1/statuses/{root.id}/context"
        await (await visitor(lyon)).get(page)
        await Client(site=lyon).get(context)
        await world.settle()
        assert await _thread(lyon, root) == [], "only a member's interest makes us ask"
        if surface == "page":
            member = await visitor(lyon, "dr-roy")
            await member.get(page)
            await world.settle()
            assert "Never sent" in (await member.get(page)).text
        else:
            client = await signed_in(lyon, "dr-roy")
            assert (await client.get(context)).json["descendants"] == []
            await world.settle()
            (shown,) = (await client.get(context)).json["descendants"]
            assert shown["uri"] == answer["id"]


@pytest.mark.limit("THREAD_COOLDOWN_SECONDS")
async def test_a_thread_is_looked_for_anew_only_after_a_while() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = world["lyon.test"], Stranger(world, "good.test").person("alice")
        root = await _received(lyon, alice, replies=_replies(alice, "first", []))
        for _ in range(5):
            await _opens(lyon, root)
        assert alice.home.asked.count("/lists/first") == 1
        await world.pass_time(limits.THREAD_COOLDOWN_SECONDS * 1_000 - 1)
        await _opens(lyon, root)
        assert alice.home.asked.count("/lists/first") == 1
        await world.pass_time(2)
        await _opens(lyon, root)
        assert alice.home.asked.count("/lists/first") == 2


async def test_a_thread_of_our_own_and_a_private_one_make_nobody_ask() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = world["lyon.test"], Stranger(world, "good.test").person("alice")
        me = (await lyon.member("dr-roy")).uri
        ours = await lyon.publishes("dr-roy", "Ours")
        note = alice.note(to=[me], cc=[], replies=_replies(alice, "first", []))
        await alice.tells(lyon, alice.create(note))
        private = await _copy(lyon, note["id"])
        assert private is not None
        before = len(alice.home.asked)
        for post in (ours, private):
            await _opens(lyon, post)
        assert len(alice.home.asked) == before


async def test_what_a_collection_lists_and_does_not_belong_is_not_kept() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = world["lyon.test"], Stranger(world, "good.test").person("alice")
        victim = Stranger(world, "other.test").person("carol")
        root = await _received(lyon, alice, context=f"{alice.home.base}/lists/context")
        early = f"{alice.home.base}/notes/early"
        last = alice.note("<p>Last</p>", inReplyTo=early)
        first = alice.note("<p>Early</p>", id=early, inReplyTo=root.uri)
        foreign = victim.note("<p>Another matter</p>")
        embedded = victim.note("<p>True</p>", inReplyTo=root.uri)
        forged = embedded | {"content": "<p>Forged</p>"}
        items = [root.uri, last["id"], foreign["id"], forged, first["id"], 17, None, "mailto:x", [], {}]
        _replies(alice, "context", [], type="OrderedCollection", orderedItems=items)
        await _opens(lyon, root)
        assert sorted(await _thread(lyon, root)) == sorted([first["id"], last["id"], embedded["id"]])
        assert await _copy(lyon, foreign["id"]) is None
        stored = await _copy(lyon, embedded["id"])
        assert stored is not None
        assert stored.content == "<p>True</p>"


async def test_a_context_on_another_server_than_the_first_post_is_nobodys() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = world["lyon.test"], Stranger(world, "good.test").person("alice")
        victim = Stranger(world, "other.test")
        root = await _received(lyon, alice, context=f"{victim.base}/expensive", replies=f"{victim.base}/expensive")
        await _opens(lyon, root)
        assert victim.asked == []


@pytest.mark.parametrize("level", [Level.BLOCKED, Level.LIMITED])
async def test_nothing_is_fetched_from_whom_the_policy_forbids(level: Level) -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = world["lyon.test"], Stranger(world, "good.test").person("alice")
        carol = Stranger(world, "other.test").person("carol")
        suspended = alice.home.person("bob")
        root = await _received(lyon, alice, replies=f"{alice.home.base}/lists/first")
        await suspended.tells(lyon, suspended.create())
        known = await lyon.instance.lookup.actor(suspended.uri)
        async with lyon.instance.store.transaction("suspend") as tx:
            await accounts.suspend(tx, known.id, world.clock.now())
        notes = [author.note(inReplyTo=root.uri) for author in (carol, suspended)]
        _replies(alice, "first", [note["id"] for note in notes])
        await lyon.judges("other.test", level)
        await _opens(lyon, root)
        assert carol.home.asked == []
        assert await _thread(lyon, root) == []


async def test_an_old_answer_is_no_news_and_a_fresh_one_is() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = world["lyon.test"], Stranger(world, "good.test").person("alice")
        root = await _received(lyon, alice, replies=f"{alice.home.base}/lists/first")
        now = world.clock.now()
        old = alice.note("<p>Old</p>", inReplyTo=root.uri, published=iso(now - 30 * DAY))
        fresh = alice.note("<p>Fresh</p>", inReplyTo=root.uri, published=iso(now - MINUTE))
        _replies(alice, "first", [old["id"], fresh["id"]])
        await _opens(lyon, root)
        assert set(await _thread(lyon, root)) == {old["id"], fresh["id"]}
        home = await lyon.home("dr-roy")
        assert fresh["id"] in home
        assert old["id"] not in home


@pytest.mark.case("H08")
@pytest.mark.parametrize("shape", ["wide", "deep", "pages", "nested", "circle", "strangers"])
@pytest.mark.limit("THREAD_FETCHES")
async def test_a_thread_without_end_costs_no_more_requests_than_one_budget(shape: str) -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = world["lyon.test"], Stranger(world, "good.test").person("alice")
        base = alice.home.base
        root = await _received(lyon, alice, replies=f"{base}/lists/0")
        many = 10_000 if shape == "wide" else 300
        ids = [f"{base}/notes/many-{number}" for number in range(many)]
        match shape:
            case "wide":
                _replies(alice, "0", [alice.note(id=id_, inReplyTo=root.uri)["id"] for id_ in ids][:1_000])
            case "deep" | "circle":
                for number, id_ in enumerate(ids):
                    below = (number + 1) % (3 if shape == "circle" else many)
                    above = ids[number - 1] if number else root.uri
                    alice.note(id=id_, inReplyTo=above, replies=f"{base}/lists/{below}")
                    _replies(alice, str(number), [id_])
            case "pages":
                for number in range(many):
                    _replies(alice, str(number), [], next=f"{base}/lists/{number + 1}", type="CollectionPage")
            case "nested":
                for number in range(many):
                    _replies(alice, str(number), [f"{base}/lists/{below}" for below in range(many)])
            case _:
                for number, id_ in enumerate(ids):
                    alice.home.person(f"person{number}").note(id=id_, inReplyTo=root.uri)
                _replies(alice, "0", ids)
        before = len(alice.home.asked)
        await _opens(lyon, root)
        asked = [path for path in alice.home.asked[before:] if "webfinger" not in path]
        assert 0 < len(asked) <= limits.THREAD_FETCHES
