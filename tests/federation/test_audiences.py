"""Who gets what by asking, and who cannot even tell that it exists: group M as far as peers are concerned."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medfed.activitypub.here import Here
from medfed.activitypub.uris import Uris
from medfed.domain.accounts import Account
from medfed.domain.peers import Level
from medfed.domain.posts import Draft, Post, Requirement, Standing, Visibility, may_read
from medfed.kernel.clock import FixedClock
from medfed.kernel.errors import Forbidden, Invalid
from medfed.kernel.ids import Ids
from medfed.kernel.paging import Page
from medfed.kernel.secrets import Vault
from medfed.posts import compose, read
from medfed.relations import follow as relating
from medfed.storage import accounts, posts, reactions
from medfed.verification.attest import Statement, attest
from tests.federation.conftest import Open
from tests.support.stranger import PUBLIC, Answer, Document, Puppet, Stranger, get_letter
from tests.support.world import Site, World, a_world

PHYSICIANS = Requirement(professions=("physician",))
CLOSED: tuple[Visibility, ...] = ("followers", "direct", "verified")


async def _scene(world: World) -> tuple[Site, Puppet, Puppet]:
    """lyon.test, with dr-roy; a follower on friend.test; somebody else on other.test."""
    lyon = world["lyon.test"]
    friend, other = Stranger(world, "friend.test").person("friend"), Stranger(world, "other.test").person("other")
    await friend.tells(lyon, friend.activity("Follow", (await lyon.member("dr-roy")).uri))
    await other.tells(lyon, other.activity("Arrive", None))
    return lyon, friend, other


async def _publish(lyon: Site, text: str, visibility: Visibility, **more: object) -> Post:
    requires = PHYSICIANS if visibility == "verified" and "reply_to" not in more else None
    return await lyon.publishes("dr-roy", text, visibility=visibility, requires=requires, **more)  # type: ignore[arg-type]


def _plain(answer: Answer) -> tuple[int, bytes, dict[str, str]]:
    headers = {name: value for name, value in answer.headers.items() if name not in ("x-request-id", "date")}
    return answer.status, answer.body, headers


# ── authorised fetch ─────────────────────────────────────────────────────────────────────────────────────────


async def test_whoever_does_not_sign_gets_keys_and_endpoints_and_nothing_else() -> None:
    async with a_world("lyon.test") as world:
        lyon, friend, _ = await _scene(world)
        post = await _publish(lyon, "Dermatose inhabituelle", "public")
        me = (await lyon.member("dr-roy")).uri
        actor = await get_letter(lyon, me).send(lyon)
        assert actor.status == 200
        assert set(actor.json) <= {
            "@context", "id", "type", "preferredUsername", "url", "inbox", "outbox", "followers", "following",
            "endpoints", "publicKey", "assertionMethod", "manuallyApprovesFollowers",
        }  # fmt: skip
        whole = await friend.asks(lyon, me)
        assert set(whole.json) > set(actor.json)
        for target in (
            post.uri,
            f"{post.uri}/replies",
            f"{post.uri}/activity",
            f"{me}/outbox",
            f"{me}/followers",
            f"{me}/featured",
        ):
            assert (await get_letter(lyon, target).send(lyon)).status == 401, target
            for scheme in ("cavage", "rfc9421"):
                assert (await friend.asks(lyon, target, scheme)).status == 200, target


async def test_whoever_is_blocked_or_suspended_gets_nothing() -> None:
    async with a_world("lyon.test") as world:
        lyon, friend, other = await _scene(world)
        post = await _publish(lyon, "Dermatose inhabituelle", "public")
        me = (await lyon.member("dr-roy")).uri
        targets = (post.uri, f"{me}/outbox", f"{me}/featured", f"{post.uri}/replies")
        await lyon.judges("other.test", Level.BLOCKED)
        for target in (*targets, me):
            assert (await other.asks(lyon, target)).status == 403, target
        blocked = await lyon.find(friend.handle)
        assert blocked is not None
        member = await lyon.member("dr-roy")
        async with lyon.instance.store.transaction("block") as tx:
            await relating.block(tx, lyon.instance.here, member, blocked)
        for target in targets:
            assert (await friend.asks(lyon, target)).status == 404, target
        async with lyon.instance.store.transaction("suspend") as tx:
            await accounts.suspend(tx, blocked.id, world.clock.now())
        for target in (*targets, me):
            assert (await friend.asks(lyon, target)).status == 403, target


@pytest.mark.case("M03", "M15")
async def test_what_is_closed_is_in_no_collection_and_nobody_elses_to_fetch() -> None:
    async with a_world("lyon.test") as world:
        lyon, friend, other = await _scene(world)
        instance = Stranger(world, "instance.test").instance_actor()
        me = (await lyon.member("dr-roy")).uri
        await _publish(lyon, "Ouvert", "public")
        before = {kind: (await other.asks(lyon, f"{me}/{kind}")).json for kind in ("outbox", "featured", "followers")}
        closed = [await _publish(lyon, f"CANARY {visibility}", visibility) for visibility in CLOSED]
        for kind, document in before.items():
            assert (await other.asks(lyon, f"{me}/{kind}")).json == document
        counted = await lyon.find("dr-roy")
        assert counted is not None
        assert counted.posts_count == 1, "what is closed shows in no number"
        page = await other.asks(lyon, (await other.asks(lyon, f"{me}/outbox")).json["first"])
        assert b"CANARY" not in page.body
        for post in closed:
            for target in (post.uri, f"{post.uri}/activity", f"{post.uri}/replies", f"{me}/audiences/{post.id}"):
                for puppet in (other, instance):
                    assert (await puppet.asks(lyon, target)).status == 404, (post.visibility, target)
        assert (await friend.asks(lyon, closed[0].uri)).status == 200
        assert (await friend.asks(lyon, closed[1].uri)).status == 404
        assert (await friend.asks(lyon, closed[2].uri)).status == 404


@pytest.mark.case("M06")
async def test_a_closed_answer_to_an_open_post_is_not_listed() -> None:
    async with a_world("lyon.test") as world:
        lyon, friend, other = await _scene(world)
        post = await _publish(lyon, "Ouvert", "public")
        empty = await other.asks(lyon, f"{post.uri}/replies")
        closed = await _publish(lyon, "CANARY", "followers", reply_to=post)
        direct = await _publish(lyon, "CANARY", "direct", reply_to=post)
        assert (await other.asks(lyon, f"{post.uri}/replies")).json == empty.json
        seen = await friend.asks(lyon, f"{post.uri}/replies")
        assert seen.json["first"]["items"] == [closed.uri]
        assert seen.headers["cache-control"] == "private, no-store"
        assert direct.uri not in seen.body.decode()


@pytest.mark.case("M10")
async def test_what_is_closed_is_never_to_be_kept_by_a_cache() -> None:
    async with a_world("lyon.test") as world:
        lyon, friend, other = await _scene(world)
        closed = await _publish(lyon, "Pour mes abonnés", "followers")
        opened = await _publish(lyon, "Ouvert", "public")
        allowed = await friend.asks(lyon, closed.uri)
        assert allowed.headers["cache-control"] == "private, no-store"
        assert "etag" not in allowed.headers
        for answer in (allowed, await friend.asks(lyon, opened.uri), await friend.asks(lyon, f"{opened.uri}/activity")):
            assert "Signature" in answer.headers["vary"]
        letter = get_letter(lyon, closed.uri).with_headers(if_none_match="*", range="bytes=0-10")
        assert (await letter.send(lyon)).status == 401
        assert (await other.signs(letter).send(lyon)).status == 404
        assert (await letter.with_headers(signature='keyId="x"').send(lyon)).status == 401


@pytest.mark.case("M12")
async def test_what_may_not_be_read_cannot_be_told_from_what_is_not_there() -> None:
    """The same questions to an instance with secrets, and to one without: the same answers."""
    async with a_world("lyon.test") as world:
        lyon, friend, other = await _scene(world)
        me = (await lyon.member("dr-roy")).uri
        secret = [await _publish(lyon, "CANARY", visibility) for visibility in CLOSED]
        deleted = await _publish(lyon, "CANARY", "followers")
        await world.settle()
        await lyon.deletes("dr-roy", deleted)
        await world.settle()
        for post in (*secret, deleted):
            never = f"{me}/posts/{post.id + 1}"
            for suffix in ("", "/activity", "/replies"):
                there, nowhere = [await other.asks(lyon, url + suffix) for url in (post.uri, never)]
                assert _plain(there) == _plain(nowhere), (post.visibility, suffix)
                there, nowhere = [await get_letter(lyon, url + suffix).send(lyon) for url in (post.uri, never)]
                assert _plain(there) == _plain(nowhere), (post.visibility, suffix)
            like = other.activity("Like", post.uri)
            unlike = other.activity("Like", never)
            assert await other.tells(lyon, like) == await other.tells(lyon, unlike)
        assert (await friend.asks(lyon, deleted.uri)).status == 410
        opened = await _publish(lyon, "Ouvert", "public")
        await lyon.deletes("dr-roy", opened)
        assert (await other.asks(lyon, opened.uri)).status == 410
        assert (await other.asks(lyon, opened.uri)).json["type"] == "Tombstone"


# ── passing on, answering ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.case("M13", "D17")
async def test_what_is_closed_is_not_passed_on_by_anybody() -> None:
    async with a_world("lyon.test") as world:
        lyon, friend, _ = await _scene(world)
        for visibility in CLOSED:
            post = await _publish(lyon, "CANARY", visibility)
            if visibility != "followers":
                with pytest.raises(Forbidden):
                    await lyon.boosts("dr-roy", post)
            with pytest.raises(Forbidden):
                await lyon.boosts("dr-else", post)
            announce = friend.activity("Announce", post.uri, to=[PUBLIC])
            assert (await friend.tells(lyon, announce)).startswith("refused: PolicyRefusal")
            assert (await lyon.copy_of(post)).boosts_count == 0
        opened = await _publish(lyon, "Ouvert", "public")
        boost = friend.activity("Announce", opened.uri, to=[PUBLIC])
        assert await friend.tells(lyon, boost) == "done: passed on"
        again = friend.activity("Announce", boost["id"], to=[PUBLIC])
        assert (await friend.tells(lyon, again)).startswith("refused")


@pytest.mark.case("M14")
@given(
    chain=st.lists(st.sampled_from(["public", "unlisted", "followers", "direct", "verified"]), min_size=1, max_size=8)
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_an_answer_is_never_for_more_than_what_it_answers(chain: list[Visibility]) -> None:
    clock = FixedClock()
    here = Here(
        name="Lyon", contact="", languages=("fr",), mode="open", ids=Ids(clock), clock=clock,
        uris=Uris(base="https://lyon.test", domain="lyon.test"), vault=Vault(bytes(32)),
    )  # fmt: skip
    author = Account(
        id=1,
        uri="https://lyon.test/users/a",
        local=True,
        kind="Person",
        username="a",
        domain="lyon.test",
        host="lyon.test",
    )
    # An outsider to every closed audience, and somebody who is in every one but not named.
    outsider = Standing(viewer_id=2)
    parent: Post | None = None
    for wanted in chain:
        draft = Draft(text="x", visibility=wanted, requires=PHYSICIANS if wanted == "verified" else None)
        try:
            composed = compose.compose(here, author, draft, named={}, parent=parent, attachments=()).post
        except Forbidden:
            break
        if parent is not None:
            for standing in (outsider, Standing(viewer_id=2, recognised=parent.visibility == "verified")):
                assert may_read(parent, standing) or not may_read(composed, standing)
            if parent.visibility == "verified" and composed.visibility == "verified":
                assert composed.requires == parent.requires
        parent = composed


@pytest.mark.case("M14")
async def test_a_peers_answer_to_a_closed_case_is_not_open_here() -> None:
    async with a_world("lyon.test") as world:
        lyon, friend, _ = await _scene(world)
        case = await _publish(lyon, "CANARY", "verified")
        intruding = friend.create(friend.note("<p>Not mine to answer</p>", inReplyTo=case.uri))
        assert (await friend.tells(lyon, intruding)).startswith("refused: PolicyRefusal")
        await lyon.judges(friend.home.authority, Level.TRUSTED)
        for number, (to, expected) in enumerate(
            (([PUBLIC], "verified"), ([friend.followers], "direct"), ([], "direct"))
        ):
            note = friend.note(f"<p>{number}</p>", inReplyTo=case.uri, to=to, cc=None)
            await friend.tells(lyon, friend.create(note))
            async with lyon.instance.store.view() as view:
                stored = await posts.find_by_uri(view, note["id"])
            assert stored is not None
            assert stored.visibility == expected
            assert stored.requires == (PHYSICIANS if expected == "verified" else None)


@pytest.mark.case("M14")
async def test_answers_that_came_before_their_closed_case_are_closed_with_it(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon, friend, _ = await _scene(world)
        await lyon.judges(friend.home.authority, Level.TRUSTED)
        case = friend.note(
            "<p>CANARY</p>", to=[f"{friend.uri}/verified"], cc=None, audiencePolicy={"minAssurance": "low"}
        )
        del friend.home.documents[case["id"].removeprefix(friend.home.base)]
        answer = friend.note(
            "<p>CANARY #canary</p>", inReplyTo=case["id"], tag=[{"type": "Hashtag", "name": "#canary"}]
        )
        below = friend.note("<p>CANARY</p>", inReplyTo=answer["id"], to=[friend.followers], cc=None)
        for note in (answer, below, case):
            assert await friend.tells(lyon, friend.create(note)) == "done: stored"
        async with lyon.instance.store.view() as view:
            found = await posts.find_by_uris(view, [note["id"] for note in (case, answer, below)])
            assert [found[note["id"]].visibility for note in (case, answer, below)] == [
                "verified",
                "verified",
                "direct",
            ]
            assert found[answer["id"]].requires == found[case["id"]].requires
            assert found[answer["id"]].in_reply_to_id == found[case["id"]].id
            assert not await read.readable(view, lyon.instance.here, None, list(found.values()))


# ── delivery ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.case("M15")
async def test_what_is_closed_goes_only_to_those_it_is_for() -> None:
    async with a_world("lyon.test") as world:
        lyon, friend, other = await _scene(world)
        trusted = Stranger(world, "trusted.test").person("trusted")
        await trusted.tells(lyon, trusted.activity("Follow", (await lyon.member("dr-roy")).uri))
        await lyon.judges("trusted.test", Level.TRUSTED)

        async def given(visibility: Visibility, text: str) -> dict[str, Document]:
            await _publish(lyon, text, visibility)
            await world.settle()
            heard = {}
            for puppet in (friend, other, trusted):
                for activity in puppet.home.heard("Create"):
                    if text.split(maxsplit=1)[0] in activity["object"]["content"]:
                        heard[puppet.name] = activity
            return heard

        followers = await given("followers", "UN")
        assert set(followers) == {"friend", "trusted"}
        direct = await given("direct", "DEUX @other@other.test")
        assert set(direct) == {"other"}
        assert [request.target for request in world.internet.sent_to("other.test") if request.method == "POST"] == [
            "/users/other/inbox"
        ]
        verified = await given("verified", "TROIS @other@other.test")
        assert set(verified) == {"trusted"}
        for activity in (*followers.values(), *direct.values(), *verified.values()):
            addressed = [
                *activity.get("to", []),
                *activity.get("cc", []),
                *activity["object"]["to"],
                *activity["object"]["cc"],
            ]
            assert PUBLIC not in addressed
            assert "proof" not in activity, "what is private must not be provable for ever"


async def _specialists(world: World) -> tuple[Site, Site]:
    """lyon.test, whose dr-roy is followed from lille.test and recognises lille's bob; both trust the other."""
    lyon, lille = world["lyon.test"], world["lille.test"]
    for site, other in ((lyon, "lille.test"), (lille, "lyon.test")):
        await site.judges(other, Level.TRUSTED)
    await world.follow("bob@lille.test", "dr-roy@lyon.test")
    bob = await lille.find("bob")
    assert bob is not None
    async with lille.instance.store.transaction("attest") as tx:
        statement = Statement(profession="physician", country="FR", assurance="substantial")
        await attest(tx, lille.instance.here, bob, statement, by="test", accepted=True)
    await world.settle()
    return lyon, lille


@pytest.mark.case("M14", "M15")
async def test_an_answer_to_a_peers_case_goes_to_its_thread_and_to_nobody_whom_only_the_answerer_trusts() -> None:
    async with a_world("lyon.test", "lille.test") as world:
        lyon, lille = await _specialists(world)
        friend = Stranger(world, "friend.test").person("friend")
        await friend.tells(lille, friend.activity("Follow", (await lille.member("bob")).uri))
        await lille.judges("friend.test", Level.TRUSTED)
        case = await _publish(lyon, "Cas", "verified")
        await world.settle()
        answer = await lille.publishes("bob", "CANARY @friend@friend.test", visibility="public", reply_to=case)
        await world.settle()
        assert await lyon.has(answer)
        assert friend.home.heard("Create") == []
        await lille.deletes("bob", answer)
        await world.settle()
        assert not await lyon.has(answer)
        assert friend.home.heard("Delete") == [], "who never had it is not told that it was there"


@pytest.mark.case("M14")
async def test_a_private_answer_in_a_closed_thread_names_nobody_who_may_not_read_it() -> None:
    async with a_world("lyon.test", "lille.test") as world:
        lyon, lille = await _specialists(world)
        await lille.member("stranger")
        Stranger(world, "friend.test").person("friend")
        case = await _publish(lyon, "Cas", "verified")
        await world.settle()
        for outsider in ("@friend@friend.test", "@stranger"):
            with pytest.raises(Invalid, match="may not read this thread"):
                await lille.publishes("bob", f"{outsider} voyez", visibility="direct", reply_to=case)
        answer = await lille.publishes("bob", "@dr-roy@lyon.test voyez", visibility="direct", reply_to=case)
        await world.settle()
        assert await lyon.may_read("dr-roy", answer)


async def test_an_answer_to_an_open_post_is_not_for_verified_practitioners_alone() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        post = await _publish(lyon, "Ouvert", "public")
        with pytest.raises(Forbidden):
            await lyon.publishes("dr-roy", "Fermé", visibility="verified", reply_to=post)


@pytest.mark.case("J11", "M15", "M09")
async def test_a_closed_case_that_waits_for_a_peer_stays_here_when_trust_ends() -> None:
    async with a_world("lyon.test") as world:
        lyon, _, _ = await _scene(world)
        trusted = Stranger(world, "trusted.test").person("trusted")
        await trusted.tells(lyon, trusted.activity("Follow", (await lyon.member("dr-roy")).uri))
        await lyon.judges("trusted.test", Level.TRUSTED)
        world.down("trusted.test")
        await _publish(lyon, "CANARY", "verified")
        await world.settle()
        await lyon.judges("trusted.test", Level.FEDERATED)
        world.up("trusted.test")
        await world.pass_time(60 * 60_000)
        assert trusted.home.heard("Create") == []


async def test_only_who_may_read_a_post_may_like_it() -> None:
    async with a_world("lyon.test") as world:
        lyon, friend, other = await _scene(world)
        post = await _publish(lyon, "Pour mes abonnés", "followers")
        assert await other.tells(lyon, other.activity("Like", post.uri)) == "done: no such post"
        assert await friend.tells(lyon, friend.activity("Like", post.uri)) == "done: liked"
        async with lyon.instance.store.view() as view:
            assert len(await reactions.likers(view, post.id, Page())) == 1
