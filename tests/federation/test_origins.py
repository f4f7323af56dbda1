"""Whose key, whose document, whose host: groups C and D of the catalogue."""

import asyncio
from dataclasses import replace

import pytest

from medfed.accounts.lookup import FRESH
from medfed.activitypub.uris import Uris, authority_of, same_origin
from medfed.activitypub.wire import read_actor, read_post
from medfed.domain.accounts import Account, parse_handle
from medfed.domain.posts import Poll, PollOption, Post
from medfed.kernel.clock import HOUR, MINUTE, SECOND, iso
from medfed.kernel.errors import Malformed, MedfedError, OriginMismatch, RemoteFailure
from medfed.storage import accounts, posts
from tests.support.stranger import PUBLIC, Document, Puppet, Stranger, get_letter, signed
from tests.support.world import Site, World, a_world

ME = "https://lyon.test/users/dr-roy"


async def _scene(world: World) -> tuple[Site, Puppet, Puppet]:
    """lyon.test, which knows alice of good.test and mallory of evil.test, who have different keys."""
    lyon = world["lyon.test"]
    await lyon.member("dr-roy")
    alice, mallory = (
        Stranger(world, host).person(name) for host, name in (("good.test", "alice"), ("evil.test", "mallory"))
    )
    if mallory.rsa.public == alice.rsa.public:
        mallory.changes_keys()
    for puppet in (alice, mallory):
        await puppet.tells(lyon, puppet.activity("Arrive", None))
    return lyon, alice, mallory


async def _stored(site: Site, uri: str) -> Post | None:
    async with site.instance.store.view() as view:
        return await posts.find_by_uri(view, uri)


async def _keys(site: Site, puppet: Puppet) -> list[str]:
    async with site.instance.store.view() as view:
        account = await accounts.find_by_uri(view, puppet.uri)
        assert account is not None
        return [key.public for key in await accounts.keys(view, account.id) if key.kind == "rsa"]


async def _fetch(site: Site, uri: str) -> Post:
    return await site.instance.posts.post(uri)


async def _look_up(site: Site, uri: str) -> Account:
    return await site.instance.lookup.actor(uri)


# ── keys ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.case("C06")
async def test_a_replay_is_accepted_and_does_nothing_also_after_a_restart_and_at_another_inbox() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice, _ = await _scene(world)
        letter = alice.signs(alice.letter(lyon, activity := alice.create(cc=[ME])))
        assert (await letter.send(lyon)).status == 202
        await world.settle()
        before = await lyon.contents()
        world.clock.advance(4 * MINUTE)
        assert (await letter.send(lyon)).status == 202
        assert (await replace(letter, target="/users/dr-roy/inbox").send(lyon)).status == 401
        assert (await alice.sends(lyon, activity, target="/users/dr-roy/inbox")).status == 202
        await world.settle()
        after = await lyon.contents()
        assert {name for name in after if after[name] != before[name]} <= {
            "peer",
            "peer_usage",
            "account",
            "account_key",
        }


@pytest.mark.case("C07")
async def test_a_key_counts_only_if_the_actor_lists_it() -> None:
    """Mallory's document says that alice owns mallory's key; alice's document does not."""
    async with a_world("lyon.test") as world:
        lyon, alice, mallory = await _scene(world)
        key = {"id": f"{mallory.uri}#stolen", "owner": alice.uri, "publicKeyPem": mallory.rsa.public.pem}
        mallory.home.documents["/users/mallory"] = mallory.document(publicKey=[key])
        letter = alice.letter(lyon, alice.create())
        forged = signed(letter, "cavage", f"{mallory.uri}#stolen", mallory.rsa, world.clock.now())
        assert (await forged.send(lyon)).status == 401


@pytest.mark.case("C07")
async def test_nobody_takes_a_neighbours_key_id_over() -> None:
    """A document on alice's own host that lists alice's key id, with another key, leaves alice's key alone."""
    async with a_world("lyon.test") as world:
        lyon, alice, mallory = await _scene(world)
        thief = alice.home.person("thief")
        thief.rsa = mallory.rsa
        stolen = {"id": alice.key_id, "owner": thief.uri, "publicKeyPem": thief.rsa.public.pem}
        own = {"id": thief.key_id, "owner": thief.uri, "publicKeyPem": thief.rsa.public.pem}
        alice.home.documents["/users/thief"] = thief.document(publicKey=[own, stolen])
        assert (await thief.sends(lyon, thief.create())).status == 202
        assert await _keys(lyon, alice) == [alice.rsa.public.pem]
        assert (await alice.sends(lyon, alice.create())).status == 202


@pytest.mark.case("C08")
async def test_a_document_that_is_somebody_elses_makes_no_key_known() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice, mallory = await _scene(world)
        url = mallory.home.serves("/users/second", alice.document())
        letter = mallory.letter(lyon, mallory.create() | {"actor": url})
        answer = await signed(letter, "cavage", f"{url}#main-key", mallory.rsa, world.clock.now()).send(lyon)
        assert answer.status == 401
        assert await _keys(lyon, alice) == [alice.rsa.public.pem]


def _moves_key(alice: Puppet, **members: object) -> str:
    """The key of alice gets an address of its own, where there is a document about it."""
    key_id = f"{alice.uri}/main-key"
    key = {"id": key_id, "owner": alice.uri, "publicKeyPem": alice.rsa.public.pem}
    alice.home.documents["/users/alice"] = alice.document(publicKey=key)
    alice.home.documents["/users/alice/main-key"] = {"publicKey": key} | members
    return key_id


@pytest.mark.parametrize("bare", [False, True])
async def test_a_key_with_an_address_of_its_own_leads_to_its_owner(bare: bool) -> None:
    """GoToSocial serves there an actor without an inbox, others the key alone."""
    async with a_world("lyon.test") as world:
        lyon, alice = world["lyon.test"], Stranger(world, "good.test").person("alice")
        await lyon.member("dr-roy")
        stub = {"id": alice.uri, "type": "Person", "preferredUsername": "alice"}
        key_id = _moves_key(alice, **stub)
        if bare:
            served = alice.home.documents["/users/alice/main-key"]
            assert isinstance(served, dict)
            alice.home.documents["/users/alice/main-key"] = served["publicKey"]
        letter = get_letter(lyon, "/users/dr-roy/outbox")
        first = signed(letter, "cavage", key_id, alice.rsa, world.clock.now())
        answers = await asyncio.gather(*(first.send(lyon) for _ in range(3)))
        assert [answer.status for answer in answers] == [200, 200, 200]
        assert len(alice.home.asked) == 2
        create = signed(alice.letter(lyon, alice.create()), "cavage", key_id, alice.rsa, world.clock.now())
        assert (await create.send(lyon)).status == 202


@pytest.mark.case("C07", "C08", "C12")
async def test_a_key_whose_owner_does_not_list_it_is_asked_for_once() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice, mallory = await _scene(world)
        for owner in (alice.uri, f"{mallory.home.base}/users/bystander"):
            mallory.home.person("bystander")
            key = {"id": f"{mallory.home.base}/key", "owner": owner, "publicKeyPem": mallory.rsa.public.pem}
            mallory.home.serves("/key", key)
            asked = len(alice.home.asked), len(mallory.home.asked)
            for _ in range(20):
                letter = get_letter(lyon, "/users/dr-dupont/outbox")
                answer = await signed(letter, "cavage", key["id"], mallory.rsa, world.clock.now()).send(lyon)
                assert answer.status == 401
            assert len(alice.home.asked) == asked[0]
            assert len(mallory.home.asked) - asked[1] <= 2
            await world.pass_time(HOUR)


@pytest.mark.case("C10")
async def test_keys_come_from_the_actors_own_server_and_not_from_an_update() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice, mallory = await _scene(world)
        key = {"id": alice.key_id, "owner": alice.uri, "publicKeyPem": mallory.rsa.public.pem}
        update = alice.activity("Update", alice.document(publicKey=key, name="Changed in the activity"))
        await alice.tells(lyon, update)
        assert await _keys(lyon, alice) == [alice.rsa.public.pem]
        account = await lyon.find(alice.handle)
        assert account is not None
        assert account.display_name == "Alice"


@pytest.mark.case("C12")
@pytest.mark.parametrize("status", [404, 410, 500])
async def test_a_key_that_cannot_be_had_is_asked_for_once(status: int) -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        ghost = Stranger(world, "good.test").person("ghost")
        ghost.vanishes(status)
        letters = [ghost.signs(ghost.letter(lyon, ghost.create())) for _ in range(60)]
        answers = await asyncio.gather(*(letter.send(lyon) for letter in letters[:30]))
        answers += [await letter.send(lyon) for letter in letters[30:]]
        assert {answer.status for answer in answers} == {503 if status == 500 else 401}
        assert len(ghost.home.asked) == 1
        world.clock.advance(5 * MINUTE + SECOND)
        await ghost.sends(lyon, ghost.create())
        assert len(ghost.home.asked) == 2


@pytest.mark.case("C12", "C13")
async def test_strangers_cannot_make_us_ask_for_somebodys_keys_again_and_again() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice, mallory = await _scene(world)
        asked = len(alice.home.asked)
        for number in range(20):
            key_id = f"{alice.uri}#key-{number}"
            post = signed(alice.letter(lyon, alice.create()), "cavage", key_id, mallory.rsa, world.clock.now())
            assert (await post.send(lyon)).status == 401
            leaving = alice.letter(lyon, alice.activity("Delete", alice.uri))
            assert (await signed(leaving, "cavage", key_id, mallory.rsa, world.clock.now()).send(lyon)).status == 401
            stand_in = replace(alice, rsa=mallory.rsa, key_name=f"key-{number}")
            assert (await stand_in.asks(lyon, ME)).status == 401
        assert len(alice.home.asked) - asked == 1


@pytest.mark.case("C13")
@pytest.mark.parametrize("name", [None, "new-key"])
async def test_a_rotated_key_is_fetched_once_and_counts(name: str | None) -> None:
    async with a_world("lyon.test") as world:
        lyon, alice, _ = await _scene(world)
        old = replace(alice)
        alice.changes_keys(name=name)
        asked = len(alice.home.asked)
        for _ in range(5):
            assert (await alice.sends(lyon, alice.create())).status == 202
        assert len(alice.home.asked) - asked == 1
        assert (await old.sends(lyon, old.create())).status == 401
        assert len(alice.home.asked) - asked == 1
        assert await _keys(lyon, alice) == [alice.rsa.public.pem]


@pytest.mark.case("D19")
async def test_what_another_passes_on_counts_only_with_the_authors_proof() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice, mallory = await _scene(world)
        bare = alice.create()
        assert (await mallory.sends(lyon, bare)).status == 401
        proven = alice.proven(alice.create())
        assert (await mallory.sends(lyon, proven | {"to": [PUBLIC, ME]})).status == 401
        by_mallory = replace(mallory, home=alice.home, name="alice")
        assert (await mallory.sends(lyon, by_mallory.proven(alice.create()))).status == 401
        assert await mallory.sends(lyon, proven)
        await world.settle()
        assert await lyon.became(proven["id"]) == "done: stored"


# ── whose object ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.case("D01", "D07")
@pytest.mark.parametrize("kind", ["Create", "Update"])
async def test_an_object_of_another_host_is_never_taken_from_here(kind: str) -> None:
    async with a_world("lyon.test") as world:
        lyon, alice, mallory = await _scene(world)
        note = alice.note("<p>True</p>")
        before = await lyon.contents()
        for forged in (
            note | {"content": "<p>Forged</p>"},
            note | {"content": "<p>Forged</p>", "attributedTo": mallory.uri},
            mallory.note(attributedTo=alice.uri),
            mallory.note(attributedTo=[mallory.uri, alice.uri]),
            note | {"content": "<p>Forged</p>", "proof": {"type": "DataIntegrityProof"}},
        ):
            answer = await mallory.sends(lyon, mallory.activity(kind, forged))
            assert answer.status == 401, (forged, answer.status)
        assert (await lyon.contents())["post"] == before["post"]


@pytest.mark.case("D01", "D02")
async def test_a_document_says_only_what_its_own_host_may_say() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice, mallory = await _scene(world)
        evil, good = mallory.home, alice.home
        note = alice.note("<p>True</p>")
        forged = note | {"content": "<p>Forged</p>"}
        for url in (
            evil.serves("/x", forged),
            Stranger(world, "www.good.test").serves("/x", forged),
            Stranger(world, "good.test.evil.test").serves("/x", forged),
        ):
            with pytest.raises(OriginMismatch):
                await _fetch(lyon, url)
        good.redirects["/away"] = evil.serves("/landed", mallory.note("<p>Mallory</p>", id="https://good.test/away"))
        with pytest.raises(MedfedError):
            await _fetch(lyon, "https://good.test/away")
        evil.redirects["/there"] = note["id"]
        assert (await _fetch(lyon, "https://evil.test/there")).content == "<p>True</p>"
        alias = good.serves("/alias", note | {"content": "<p>Under an alias</p>"})
        assert (await _fetch(lyon, alias)).content == "<p>True</p>"
        liar = good.serves("/uploads/1", forged | {"id": "https://good.test/go?to=evil"})
        good.redirects["/go"] = evil.serves("/go", forged | {"id": "https://good.test/go?to=evil"})
        with pytest.raises(MedfedError):
            await _fetch(lyon, liar)


@pytest.mark.case("D02", "D03")
async def test_an_actor_says_only_what_its_own_host_may_say() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice, mallory = await _scene(world)
        evil, good = mallory.home, alice.home
        forged = alice.document(publicKey={**alice.document()["publicKey"], "publicKeyPem": mallory.rsa.public.pem})
        with pytest.raises(OriginMismatch):
            await _look_up(lyon, evil.serves("/users/alice", forged))
        good.redirects["/users/go"] = evil.serves("/users/go", mallory.document(id="https://good.test/users/go"))
        with pytest.raises(MedfedError):
            await _look_up(lyon, "https://good.test/users/go")
        for nameless in (None, "", 7, [], ["https://good.test/a", "https://good.test/b"], {"id": "x"}):
            with pytest.raises(Malformed):
                await _look_up(
                    lyon, good.serves(f"/users/nameless{nameless!r:.8}".replace(" ", ""), alice.document(id=nameless))
                )
        assert await _keys(lyon, alice) == [alice.rsa.public.pem]


@pytest.mark.case("D03")
async def test_an_object_without_an_id_is_nothing_that_can_be_fetched() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice, _ = await _scene(world)
        for number, id_ in enumerate((None, "", 7, ["https://good.test/x"], {"id": "https://good.test/x"})):
            url = alice.home.serves(f"/anonymous/{number}", {**alice.note(), "id": id_})
            with pytest.raises((Malformed, OriginMismatch)):
                await _fetch(lyon, url)


@pytest.mark.case("D04", "D05")
@pytest.mark.parametrize("kind", ["Create", "Update"])
@pytest.mark.parametrize(
    "author",
    [1, "1", "admin", "acct:alice@good.test", ME, f"{ME}#x", "", None, [], {}, [ME], {"id": ME},
     ["https://evil.test/users/mallory", ME], " https://evil.test/users/mallory", "https://EVIL.test/users/mallory",
     "https://evil.test/users/mallory#main-key", {"id": ["https://evil.test/users/mallory"]}],
)  # fmt: skip
async def test_an_author_is_read_in_one_way_and_has_to_be_the_signer(kind: str, author: object) -> None:
    async with a_world("lyon.test") as world:
        lyon, _, mallory = await _scene(world)
        note = mallory.note() | {"attributedTo": author}
        answer = await mallory.sends(lyon, mallory.activity(kind, note))
        assert answer.status in (400, 401), answer.status
        by_id = mallory.activity(
            "Create", mallory.home.serves("/notes/odd", note | {"id": "https://evil.test/notes/odd"})
        )
        assert (await mallory.tells(lyon, by_id)).startswith("refused")
        assert await _stored(lyon, note["id"]) is None


@pytest.mark.case("D04")
@pytest.mark.parametrize("member", ["id", "actor"])
@pytest.mark.parametrize("value", [1, "", None, [], {}, " ", "evil", "https://", "https://evil.test:x/", "urn:x:y"])
async def test_an_activity_without_a_plain_id_and_actor_is_refused(member: str, value: object) -> None:
    async with a_world("lyon.test") as world:
        lyon, _, mallory = await _scene(world)
        answer = await mallory.sends(lyon, mallory.create() | {member: value})
        assert answer.status == 400


@pytest.mark.case("D06")
async def test_only_its_author_deletes_a_post() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice, mallory = await _scene(world)
        neighbour = alice.home.person("neighbour")
        await alice.tells(lyon, alice.create(note := alice.note()))
        assert (await mallory.sends(lyon, mallory.activity("Delete", note["id"]))).status == 401
        assert (await mallory.sends(lyon, mallory.activity("Delete", alice.uri))).status == 401
        refused = await neighbour.tells(lyon, neighbour.activity("Delete", note["id"]))
        assert refused.startswith("refused: OriginMismatch")
        ours = await lyon.publishes("dr-roy", "Dermatose inhabituelle")
        assert (await alice.sends(lyon, alice.activity("Delete", ours.uri))).status == 401
        assert await _stored(lyon, note["id"]) is not None
        assert await lyon.has(ours)
        assert await alice.tells(lyon, alice.activity("Delete", note["id"])) == "done: erased"


@pytest.mark.case("D07")
async def test_only_its_author_changes_a_post() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice, _ = await _scene(world)
        neighbour = alice.home.person("neighbour")
        await alice.tells(lyon, alice.create(note := alice.note("<p>True</p>")))
        changed = note | {"content": "<p>Forged</p>", "updated": iso(world.clock.now() + MINUTE)}
        assert (await neighbour.sends(lyon, neighbour.activity("Update", changed))).status == 401
        mine = neighbour.activity("Update", changed | {"attributedTo": neighbour.uri})
        assert (await neighbour.tells(lyon, mine)).startswith("refused: OriginMismatch")
        stored = await _stored(lyon, note["id"])
        assert stored is not None
        assert stored.content == "<p>True</p>"


@pytest.mark.case("D08")
async def test_other_names_of_a_post_join_it_to_nothing() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice, mallory = await _scene(world)
        await alice.tells(lyon, alice.create(note := alice.note("<p>True</p>")))
        ours = await lyon.publishes("dr-roy", "Dermatose inhabituelle")
        for target in (note["id"], ours.uri):
            other = mallory.note("<p>Other</p>", atomUri=target, url=target, conversation=target, context=target)
            await mallory.tells(lyon, mallory.create(other))
            stored, aimed_at = await _stored(lyon, other["id"]), await _stored(lyon, target)
            assert stored is not None
            assert aimed_at is not None
            assert stored.url == other["id"]
            assert stored.conversation_id not in (aimed_at.id, aimed_at.conversation_id)
            assert "Other" not in aimed_at.content


@pytest.mark.case("D09")
async def test_a_poll_counts_what_its_author_says_and_only_upwards() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice, mallory = await _scene(world)

        def question(*votes: object, **members: object) -> Document:
            options = [
                {"type": "Note", "name": name, "replies": {"type": "Collection", "totalItems": count}}
                for name, count in zip("AB", votes, strict=True)
            ]
            return {**base, "oneOf": options, **members}

        async def counts() -> list[int]:
            async with lyon.instance.store.view() as view:
                post = await posts.find_by_uri(view, base["id"])
                assert post is not None
                poll = (await posts.polls(view, [post.id]))[post.id]
                return [option.votes for option in poll.options]

        base = alice.note(type="Question", endTime=iso(world.clock.now() + 60 * MINUTE))
        await alice.tells(lyon, alice.activity("Create", question(1, 2)))
        assert await counts() == [1, 2]
        assert (await mallory.sends(lyon, mallory.activity("Update", question(9, 9)))).status == 401
        for bad in ((-1, 5), (0, 0), (1.5, 1), ("7", "8"), (1, 1), (None, True)):
            await alice.tells(lyon, alice.activity("Update", question(*bad)))
            assert await counts() == [1, 2], bad
        assert (await alice.sends(lyon, alice.activity("Update", question(2**63, 2)))).status == 400
        await alice.tells(lyon, alice.activity("Update", question(3, 2)))
        assert await counts() == [3, 2]


@pytest.mark.case("D09")
async def test_a_vote_counts_once_for_a_voter_who_may_read_the_question() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice, _ = await _scene(world)
        poll = Poll(
            options=(PollOption(title="Oui"), PollOption(title="Non")), closes_at=world.clock.now() + 60 * MINUTE
        )
        asked = await lyon.publishes("dr-roy", "Biopsie ?", poll=poll)
        secret = await lyon.publishes("dr-roy", "Entre nous ?", poll=poll, visibility="followers")

        def vote(question: Post, name: str) -> Document:
            note = alice.note("", name=name, inReplyTo=question.uri, to=[ME], cc=None)
            return alice.activity("Create", note, to=[ME])

        async def counts(question: Post) -> list[int]:
            async with lyon.instance.store.view() as view:
                kept = await posts.find_by_uri(view, question.uri)
                assert kept is not None
                return [option.votes for option in (await posts.polls(view, [kept.id]))[kept.id].options]

        assert await alice.tells(lyon, vote(asked, "Peut-être")) == "done: vote not counted"
        assert await alice.tells(lyon, vote(asked, "Oui")) == "done: vote counted"
        assert await alice.tells(lyon, vote(asked, "Oui")) == "done: vote not counted"
        assert await alice.tells(lyon, vote(asked, "Non")) == "done: vote not counted"
        assert await counts(asked) == [1, 0]
        assert (await alice.tells(lyon, vote(secret, "Oui"))).startswith("refused: PolicyRefusal")
        assert await counts(secret) == [0, 0]
        world.clock.advance(61 * MINUTE)
        late = Stranger(world, "late.test").person("late")
        note = late.note("", name="Non", inReplyTo=asked.uri, to=[ME], cc=None)
        assert await late.tells(lyon, late.activity("Create", note)) == "done: vote not counted"


@pytest.mark.case("D10")
async def test_a_known_post_is_not_overwritten_by_a_copy_in_an_announce() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice, mallory = await _scene(world)
        await alice.tells(lyon, alice.create(note := alice.note("<p>True</p>")))
        forged = mallory.activity("Announce", note | {"content": "<p>Forged</p>", "to": []}, to=[PUBLIC])
        await mallory.tells(lyon, forged)
        stored = await _stored(lyon, note["id"])
        assert stored is not None
        assert (stored.content, stored.boosts_count) == ("<p>True</p>", 1)


# ── our own names, and how names are written ─────────────────────────────────────────────────────────────────

OURS = (
    "https://lyon.test/users/dr-roy", "https://LYON.test/users/dr-roy", "https://lyon.test:443/users/dr-roy",
    "https://lyon.test./users/dr-roy", "http://lyon.test/users/dr-roy",
)  # fmt: skip


@pytest.mark.case("D11")
@pytest.mark.parametrize("name", OURS)
async def test_nobody_else_is_one_of_us_however_the_name_is_written(name: str) -> None:
    async with a_world("lyon.test") as world:
        lyon, _, mallory = await _scene(world)
        sent = len(world.internet.sent_to("lyon.test"))
        before = await lyon.contents()
        for forged in (
            mallory.create() | {"actor": name},
            mallory.create() | {"id": f"{name}/activities/1"},
            mallory.activity("Create", mallory.note(id=f"{name}/posts/1")),
            mallory.activity("Create", mallory.note(attributedTo=name)),
            mallory.activity("Delete", name),
        ):
            assert (await mallory.sends(lyon, forged)).status in (400, 401)
        letter = mallory.letter(lyon, mallory.create() | {"actor": name, "id": f"{name}/1"})
        assert (
            await signed(letter, "cavage", f"{name}#main-key", mallory.rsa, world.clock.now()).send(lyon)
        ).status == 401
        for url in (mallory.home.serves("/us", mallory.document(id=name)), f"{name}/posts/1", name):
            with pytest.raises(MedfedError):
                await _fetch(lyon, url)
        with pytest.raises(MedfedError):
            await _look_up(lyon, mallory.home.serves("/us2", mallory.document(id=name)))
        assert len(world.internet.sent_to("lyon.test")) == sent
        assert await lyon.contents() == before


@pytest.mark.case("D12")
def test_one_host_has_one_spelling() -> None:
    for spelling in ("https://Good.Test/x", "https://good.test:443/x", "https://good.test./x", "http://good.test:80/"):
        assert authority_of(spelling) == "good.test"
    for strange in (
        "https://ex\u00e4mple.org/", "https://good\u3002test/", "https://go\u00adod.test/", "https://go\u200bod.test/",
        "https://\uff47ood.test/", "https://good.test\u2024evil.test/", "https://alice@good.test/",
        "https://evil.test\\@good.test/", "https://good.test:x/", "https://good.test:99999/", "https:///x",
        "https://good..test/", "https://good.test%2eevil.test/", "https://[::1", "ftp://good.test/", "good.test",
    ):  # fmt: skip
        assert authority_of(strange) == "", strange
        assert not same_origin(strange, strange)
    assert authority_of("https://xn--exmple-cua.org/") == "xn--exmple-cua.org"
    assert authority_of("http://[::1]:8080/") == "[::1]:8080"
    assert not Uris(base="https://lyon.test", domain="lyon.test").is_ours("https://lyon.test:x/")


@pytest.mark.case("D12", "F14")
@pytest.mark.parametrize(
    "resource", ["https://lyon.test:x/", "https://[/", "acct:@", "acct:a@b@c", "https:", ":", "x:y"]
)
async def test_a_resource_that_cannot_be_is_not_found(resource: str) -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        answer = await get_letter(lyon, f"/.well-known/webfinger?resource={resource}").send(lyon)
        assert answer.status in (400, 404)


@pytest.mark.case("D14", "D15")
def test_what_an_actor_claims_on_another_host_is_not_used() -> None:
    document = {
        "id": "https://good.test/users/alice",
        "type": "Person",
        "preferredUsername": "alice",
        "inbox": "https://good.test/users/alice/inbox",
        "outbox": "https://evil.test/outbox",
        "followers": "https://evil.test/followers",
        "following": ["https://evil.test/following"],
        "attestations": "https://evil.test/attestations",
        "endpoints": {"sharedInbox": "https://evil.test/inbox"},
        "url": "https://bank.test/alice",
        "publicKey": {"id": "https://evil.test/k", "owner": "https://good.test/users/alice", "publicKeyPem": "x"},
    }
    actor = read_actor(document, 0)
    assert (actor.outbox, actor.followers, actor.following, actor.shared_inbox, actor.attestations) == ("",) * 5
    assert actor.url == actor.id
    assert actor.keys == ()
    with pytest.raises(Malformed):
        read_actor(document | {"inbox": "https://evil.test/inbox"}, 0)


@pytest.mark.case("D15")
def test_the_page_of_a_post_is_on_its_own_host() -> None:
    note = {
        "id": "https://good.test/1",
        "type": "Note",
        "attributedTo": "https://good.test/a",
        "url": "https://bank.test/",
    }
    assert read_post(note, 0).url == "https://good.test/1"
    assert read_post(note | {"url": "https://good.test/@alice/1"}, 0).url == "https://good.test/@alice/1"


@pytest.mark.case("D22")
async def test_totals_that_come_with_a_post_are_not_believed() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice, _ = await _scene(world)
        many = {"type": "Collection", "totalItems": 10_000, "items": ["https://evil.test/1"]}
        note = alice.note(replies=many, likes=many, shares=many)
        await alice.tells(lyon, alice.create(note))
        stored = await _stored(lyon, note["id"])
        assert stored is not None
        assert (stored.replies_count, stored.likes_count, stored.boosts_count) == (0, 0, 0)
        alice.home.documents["/users/alice"] = alice.document(followers=many | {"id": alice.followers})
        world.clock.advance(FRESH)
        assert (await _look_up(lyon, alice.uri)).followers_count == 0


async def test_an_outage_of_the_actors_server_only_delays_what_it_says() -> None:
    """A profile update that comes while its server stumbles is applied later, not dropped."""
    async with a_world("lyon.test") as world:
        lyon, alice, _ = await _scene(world)
        alice.home.documents["/users/alice"] = 503
        with pytest.raises(RemoteFailure):
            await lyon.instance.lookup.refresh(alice.uri)
        update = alice.activity("Update", alice.document(name="Alice Martin"))
        assert (await alice.sends(lyon, update)).status == 202
        await world.settle()
        alice.home.documents["/users/alice"] = alice.document(name="Alice Martin")
        await world.pass_time(10 * MINUTE)
        account = await lyon.find(alice.handle)
        assert account is not None
        assert account.display_name == "Alice Martin"


@pytest.mark.case("D13")
async def test_a_handle_on_another_domain_counts_only_if_both_domains_say_so() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice, mallory = await _scene(world)
        evil = mallory.home
        evil.subjects["director"] = (alice.handle, mallory.uri)
        found = await lyon.instance.lookup.handle(parse_handle("director@evil.test"))
        assert found.handle == mallory.handle
        evil.subjects["alice"] = (f"alice@{evil.authority}", alice.uri)
        found = await lyon.instance.lookup.handle(parse_handle("alice@evil.test"))
        assert found.handle == alice.handle
        kept = await lyon.find(alice.handle)
        assert kept is not None
        assert kept.uri == alice.uri


@pytest.mark.case("B16")
async def test_two_instances_that_answer_only_who_signs_can_meet() -> None:
    """To verify a follow each fetches the other's instance actor, which is there for all: no deadlock, few requests."""
    async with a_world("lyon.test", "lille.test") as world:
        await world["lyon.test"].member("dr-dupont")
        await world["lille.test"].follows("dr-roy", "dr-dupont@lyon.test")
        await world.settle()
        assert await world["lyon.test"].follow_of("dr-roy@lille.test", "dr-dupont") == "accepted"
        for domain in ("lyon.test", "lille.test"):
            keys = [request for request in world.internet.sent_to(domain) if request.method == "GET"]
            assert len(keys) <= 4, [request.url for request in keys]
