"""What we owe peers, whatever they answer: group J of the catalogue."""

import asyncio
from typing import Any

import orjson
import pytest

from medfed.delivery.hosts import ASIDE_AFTER, BROKE
from medfed.delivery.send import DOUBTFUL_LANES, LANES, Deliverer
from medfed.domain.peers import OPENS_AFTER, Level
from medfed.domain.posts import Post, Requirement, Visibility
from medfed.kernel.clock import DAY, HOUR, MINUTE, SECOND
from medfed.kernel.paging import Page
from medfed.moderation import lanes
from medfed.moderation.lanes import Lane
from medfed.storage import moderation, outbox, peers, posts
from medfed.storage.statements import sql
from tests.federation.conftest import Open
from tests.support.stranger import Document, Puppet, Stranger
from tests.support.world import Site, World, a_world

PHYSICIANS = Requirement(professions=("physician",))
_OWED = sql(
    """
    SELECT d.inbox, d.state, d.host, o.kind, o.keep_until, o.created_at FROM delivery d
    JOIN outbox o ON o.id = d.activity_id ORDER BY d.id
    """
)


async def _owed(site: Site) -> list[dict[str, Any]]:
    async with site.instance.store.view() as view:
        return await view.all(_OWED)


async def _reader(world: World, host: str = "peer.test", name: str = "reader") -> Puppet:
    """Somebody on another host who follows dr-roy of lyon.test."""
    lyon = world["lyon.test"]
    reader = Stranger(world, host).person(name)
    await reader.tells(lyon, reader.activity("Follow", (await lyon.member("dr-roy")).uri))
    return reader


def _notes(puppet: Puppet) -> list[str]:
    return [activity["object"]["id"] for activity in puppet.home.heard("Create")]


@pytest.mark.case("J01")
async def test_a_post_is_owed_once_to_each_inbox_from_the_moment_it_exists() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        for host in ("one.test", "two.test", "three.test"):
            stranger = Stranger(world, host)
            for name in ("a", "b", "c"):
                puppet = stranger.person(name)
                await puppet.tells(lyon, puppet.activity("Follow", (await lyon.member("dr-roy")).uri))
        post = await lyon.publishes("dr-roy", "Dermatose inhabituelle")
        owed = await _owed(lyon)
        assert sorted(row["inbox"] for row in owed) == [
            f"https://{host}.test/inbox" for host in ("one", "three", "two")
        ]
        await world.settle()
        assert await _owed(lyon) == []
        closed = await lyon.publishes("dr-nobody", "Pour mes abonnés", visibility="followers")
        assert await _owed(lyon) == []
        assert await lyon.has(post)
        assert await lyon.has(closed)


@pytest.mark.case("J01")
async def test_a_post_and_what_is_owed_for_it_come_together_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        await _reader(world)
        before = await lyon.contents()

        async def breaks(*_args: object, **_kwargs: object) -> int:
            raise ZeroDivisionError

        with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
            patch.setattr(outbox, "enqueue", breaks)
            await lyon.publishes("dr-roy", "Dermatose inhabituelle")
        assert await lyon.contents() == before


@pytest.mark.case("J01")
async def test_the_database_writes_down_what_each_peer_may_have_and_no_more(open_world: Open) -> None:
    async with open_world("lyon.test", federation={"mode": "allowlist"}) as world:
        lyon = world["lyon.test"]
        for host, level in (("trusted", Level.TRUSTED), ("known", Level.FEDERATED), ("limited", Level.LIMITED)):
            await lyon.judges(f"{host}.test", level)
            for name in ("a", "b"):
                await _reader(world, f"{host}.test", name)
        await lyon.judges("late.test", Level.FEDERATED)
        await _reader(world, "late.test")
        await lyon.judges("late.test", None)
        alone = Stranger(world, "alone.test")
        await lyon.judges("alone.test", Level.FEDERATED)
        for name in ("a", "b"):
            puppet = alone.person(name, endpoints=None)
            await puppet.tells(lyon, puppet.activity("Follow", (await lyon.member("dr-roy")).uri))
        await world.settle()
        cases: tuple[tuple[Visibility, list[str]], ...] = (
            ("public", ["alone", "alone", "known", "limited", "trusted"]),
            ("followers", ["alone", "alone", "known", "limited", "trusted"]),
            ("verified", ["trusted"]),
            ("direct", []),
        )
        for visibility, hosts in cases:
            text = "Pour @a@known.test" if visibility == "public" else "Dermatose inhabituelle"
            only: dict[str, Any] = {"requires": PHYSICIANS} if visibility == "verified" else {}
            post = await lyon.publishes("dr-roy", text, visibility=visibility, **only)
            assert sorted(row["host"] for row in await _owed(lyon)) == [f"{host}.test" for host in hosts], visibility
            async with lyon.instance.store.view() as view:
                assert set(await posts.given_to(view, post.id)) == {f"{host}.test" for host in hosts}
            for host in {row["host"] for row in await _owed(lyon)}:
                async with lyon.instance.store.transaction("drop") as tx:
                    await outbox.drop(tx, host)


async def test_the_number_of_a_delivery_is_never_given_again(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon = world["lyon.test"]
        await _reader(world)
        seen = []
        for number in range(3):
            await lyon.publishes("dr-roy", f"Cas {number}")
            async with lyon.instance.store.transaction("drop") as tx:
                (owed,) = await outbox.lane(tx, "peer.test", 10)
                seen.append(owed.id)
                assert await outbox.drop(tx, "peer.test") == 1
        assert seen == sorted(set(seen))


@pytest.mark.case("J02", "J03", "J06")
async def test_after_an_outage_of_nearly_a_week_everything_arrives_in_order_and_once() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        reader = await _reader(world)
        world.down("peer.test")
        said = []
        for number in range(5):
            said.append((await lyon.publishes("dr-roy", f"Jour {number}")).uri)
            await world.pass_time(33 * HOUR)
        assert _notes(reader) == []
        assert len(world.internet.sent_to("peer.test")) < 60
        world.up("peer.test")
        await world.pass_time(2 * HOUR + 50 * MINUTE)
        await world.pass_time(12 * HOUR + 3 * HOUR)
        assert _notes(reader) in (said, said[1:])
        assert said[-1] in _notes(reader)


@pytest.mark.case("J02")
async def test_whoever_is_heard_again_is_delivered_to_at_once() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        reader = await _reader(world)
        world.down("peer.test")
        post = await lyon.publishes("dr-roy", "Dermatose inhabituelle")
        for _ in range(8):
            await world.pass_time(8 * HOUR)
        world.up("peer.test")
        await reader.tells(lyon, reader.activity("Arrive", None))
        assert _notes(reader) == [post.uri]


@pytest.mark.case("J03")
async def test_an_answer_that_was_lost_makes_a_second_delivery_and_no_second_effect() -> None:
    async with a_world("lyon.test", "lille.test") as world:
        lyon, lille = world["lyon.test"], world["lille.test"]
        await world.follow("dr-martin@lille.test", "dr-roy@lyon.test")
        lost: list[Any] = []
        app = lille.app

        async def loses_the_first_answer(scope: Any, receive: Any, send: Any) -> None:
            if scope["method"] != "POST" or lost:
                await app(scope, receive, send)
                return

            async def nowhere(message: Any) -> None:
                lost.append(message)

            await app(scope, receive, nowhere)
            await send({"type": "http.response.start", "status": 504, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        world.internet.register("lille.test", loses_the_first_answer)
        post = await lyon.publishes("dr-roy", "Pour @dr-martin@lille.test")
        await world.settle()
        await world.pass_time(2 * MINUTE)
        assert lost
        assert (await lille.home("dr-martin")).count(post.uri) == 1
        assert await lille.told("dr-martin") == ["mention"]


@pytest.mark.case("J04")
async def test_an_inbox_that_is_gone_is_not_tried_again() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        reader = await _reader(world)
        reader.home.always = (410, {})
        await lyon.publishes("dr-roy", "Dermatose inhabituelle")
        await lyon.publishes("dr-roy", "Encore une")
        sent = len(world.internet.sent_to("peer.test"))
        await world.settle()
        assert len(world.internet.sent_to("peer.test")) == sent + 1
        assert await _owed(lyon) == []
        sent = len(world.internet.sent_to("peer.test"))
        await lyon.publishes("dr-roy", "Et une autre")
        await world.settle()
        assert len(world.internet.sent_to("peer.test")) == sent
        reader.home.always = None
        await reader.tells(lyon, reader.create("<p>I am back</p>"))
        back = await lyon.publishes("dr-roy", "Bon retour")
        await world.settle()
        assert _notes(reader) == [back.uri]


@pytest.mark.case("J04")
async def test_an_inbox_that_is_missing_is_tried_again_and_holds_up_nobody() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        reader = await _reader(world)
        reader.home.answers = [(404, {})]
        first = await lyon.publishes("dr-roy", "Premier")
        await world.settle()
        second = await lyon.publishes("dr-roy", "Deuxième")
        await world.settle()
        assert _notes(reader) == [second.uri]
        for _ in range(14):
            await world.pass_time(HOUR)
        assert _notes(reader) == [second.uri, first.uri]


@pytest.mark.case("J04", "J09", "A20")
async def test_an_activity_that_a_peer_crashes_on_does_not_hold_up_the_others_for_ever() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        reader = await _reader(world)
        reader.home.answers = [(500, {})] * (ASIDE_AFTER + 1)
        await lyon.publishes("dr-roy", "Premier")
        second = await lyon.publishes("dr-roy", "Deuxième")
        for _ in range(12):
            await world.pass_time(3 * HOUR)
        assert second.uri in _notes(reader)


@pytest.mark.case("J04")
@pytest.mark.parametrize("status", [400, 401, 403, 405, 413, 422, 301, 302, 307])
async def test_a_refusal_is_parked_after_one_other_signature(status: int) -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        reader = await _reader(world)
        reader.home.answers = [(status, {"location": "https://evil.test/inbox"})] * 2
        sent = len(world.internet.sent_to("peer.test"))
        await lyon.publishes("dr-roy", "Dermatose inhabituelle")
        await world.settle()
        posted = [request for request in world.internet.sent_to("peer.test")[sent:] if request.method == "POST"]
        assert len(posted) <= 2
        assert [row["state"] for row in await _owed(lyon)] == ["parked"]
        assert world.internet.sent_to("evil.test") == []
        reader.home.answers = []
        await lyon.publishes("dr-roy", "Encore une")
        await world.settle()
        assert len(reader.home.heard("Create")) == 1
        async with lyon.instance.store.transaction("retry") as tx:
            assert await outbox.retry(tx) == 1
        await world.settle()
        assert len(reader.home.heard("Create")) == 2


@pytest.mark.case("J04")
@pytest.mark.parametrize(
    ("asked", "earliest", "latest"),
    [("7200", 2 * HOUR, 2 * HOUR + MINUTE), ("31536000", DAY, DAY + MINUTE), ("soon", 40 * SECOND, 80 * SECOND),
     ("-5", 40 * SECOND, 80 * SECOND), ("", 40 * SECOND, 80 * SECOND)],
)  # fmt: skip
@pytest.mark.parametrize("status", [429, 503])
async def test_a_peer_that_asks_for_patience_gets_it_up_to_a_day(
    status: int, asked: str, earliest: int, latest: int
) -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        reader = await _reader(world)
        reader.home.answers = [(status, {"retry-after": asked})]
        await lyon.publishes("dr-roy", "Dermatose inhabituelle")
        await world.settle()
        await world.pass_time(earliest - SECOND)
        assert _notes(reader) == []
        await world.pass_time(latest - earliest + SECOND)
        assert len(_notes(reader)) == 1


@pytest.mark.case("J05")
async def test_a_deletion_is_owed_for_thirty_days_and_a_post_for_seven() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        reader = await _reader(world)
        post = await lyon.publishes("dr-roy", "Dermatose inhabituelle")
        await world.settle()
        world.down("peer.test")
        await lyon.publishes("dr-roy", "Encore une")
        await lyon.deletes("dr-roy", post)
        kept = {row["kind"]: row["keep_until"] - row["created_at"] for row in await _owed(lyon)}
        assert kept == {"Create": 7 * DAY, "Delete": 30 * DAY}
        for _ in range(29 * 2):
            await world.pass_time(12 * HOUR)
        assert [row["kind"] for row in await _owed(lyon)] == ["Delete"]
        world.up("peer.test")
        await world.pass_time(15 * HOUR)
        assert [activity["object"]["id"] for activity in reader.home.heard("Delete")] == [post.uri]


@pytest.mark.case("J07")
async def test_a_slow_host_keeps_no_other_waiting() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        slow = await _reader(world, "slow.test")
        quick = [await _reader(world, f"quick{number}.test") for number in range(8)]
        world.internet.slow("slow.test", 31.0)
        for number in range(3):
            await lyon.publishes("dr-roy", f"Cas {number}")
        await world.settle()
        assert all(len(_notes(each)) == 3 for each in quick)
        assert _notes(slow) == []


@pytest.mark.case("J10")
async def test_what_is_deleted_before_it_left_does_not_leave_and_what_may_have_left_is_withdrawn() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        never, tried = await _reader(world, "never.test"), await _reader(world, "tried.test")
        world.down("tried.test")
        post = await lyon.publishes("dr-roy", "Une erreur")
        async with lyon.instance.store.transaction("as if tried") as tx:
            for delivery in await outbox.lane(tx, "tried.test", 10):
                await outbox.failed(tx, delivery.id, "cut off")
        await lyon.deletes("dr-roy", post)
        world.up("tried.test")
        await world.pass_time(2 * MINUTE)
        for reader in (never, tried):
            assert _notes(reader) == []
            assert [activity["object"]["id"] for activity in reader.home.heard("Delete")] == [post.uri]


@pytest.mark.case("J05")
async def test_whoever_fetched_a_post_is_told_that_it_is_deleted() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        passer_by = Stranger(world, "peer.test").person("passer-by")
        post = await lyon.publishes("dr-roy", "Une erreur")
        assert (await passer_by.asks(lyon, post.uri)).status == 200
        await lyon.deletes("dr-roy", post)
        await world.settle()
        assert [activity["object"]["id"] for activity in passer_by.home.heard("Delete")] == [post.uri]


@pytest.mark.case("J11")
async def test_nothing_leaves_for_a_host_that_was_blocked_meanwhile() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        await _reader(world)
        world.down("peer.test")
        await lyon.publishes("dr-roy", "Dermatose inhabituelle")
        await world.settle()
        await lyon.judges("peer.test", Level.BLOCKED)
        world.up("peer.test")
        sent = len(world.internet.sent_to("peer.test"))
        await lyon.publishes("dr-roy", "Encore une")
        await world.pass_time(DAY)
        assert [row["state"] for row in await _owed(lyon)] == ["withheld"]
        await world.pass_time(7 * DAY)
        assert len(world.internet.sent_to("peer.test")) == sent
        assert await _owed(lyon) == []
        async with lyon.instance.store.view() as view:
            last = (await moderation.audit(view, Page(limit=1)))[0]
        assert (last.action, last.subject) == ("queue.expire", "peer.test")


@pytest.mark.case("J11")
async def test_who_is_trusted_again_within_a_week_gets_what_was_kept_back() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        reader = await _reader(world)
        world.down("peer.test")
        post = await lyon.publishes("dr-roy", "Dermatose inhabituelle")
        await lyon.judges("peer.test", Level.BLOCKED)
        world.up("peer.test")
        await world.pass_time(DAY)
        assert _notes(reader) == []
        await lyon.judges("peer.test", Level.FEDERATED)
        await world.settle()
        assert _notes(reader) == [post.uri]


@pytest.mark.case("J07")
async def test_more_slow_hosts_than_there_are_lanes_keep_no_other_waiting() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        slow = [await _reader(world, f"a{number}.test") for number in range(LANES + 2)]
        quick = await _reader(world, "quick.test")
        for reader in slow:
            world.internet.slow(reader.home.authority, 20.0)
        post = await lyon.publishes("dr-roy", "Dermatose inhabituelle")
        delivering = Deliverer(lyon.instance)
        for _ in range(60):
            await delivering.run_due()
            await asyncio.sleep(0.1)
            if _notes(quick):
                break
        heard = [_notes(reader) for reader in (quick, *slow)]
        await delivering.aclose()
        assert heard == [[post.uri], *([] for _ in slow)]


@pytest.mark.case("J07")
async def test_hosts_that_failed_last_time_take_a_part_of_the_lanes_only() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        failing = [await _reader(world, f"a{number}.test") for number in range(DOUBTFUL_LANES + 8)]
        for reader in failing:
            world.down(reader.home.authority)
        await lyon.publishes("dr-roy", "Dermatose inhabituelle")
        await world.settle()
        await _reader(world, "well.test")
        await lyon.publishes("dr-roy", "Encore une")
        async with lyon.instance.store.view() as view:
            found = await outbox.due(view, lyon.instance.here.now() + DAY, busy=(), limit=LANES, doubtful=4)
        assert [lane.doubtful for lane in found] == [True] * 4 + [False]
        assert found[-1].host == "well.test"


@pytest.mark.case("J09")
async def test_a_delivery_that_breaks_us_rests_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        poisoned, fine = await _reader(world, "poisoned.test"), await _reader(world, "fine.test")
        net, post_to = lyon.instance.net, type(lyon.instance.net).post
        tried = []

        async def breaks(self: object, url: str, **more: Any) -> Any:
            if "poisoned" in url:
                tried.append(url)
                raise ZeroDivisionError(url)
            return await post_to(net, url, **more)

        with monkeypatch.context() as patch:
            patch.setattr(type(net), "post", breaks)
            await lyon.publishes("dr-roy", "Dermatose inhabituelle")
            await world.settle()
            assert len(tried) == 1
            assert len(_notes(fine)) == 1
        await world.pass_time(2 * MINUTE)
        assert len(_notes(poisoned)) == 1


@pytest.mark.case("B17", "J11")
async def test_a_blocked_host_is_asked_nothing_at_all() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        friend = await _reader(world, "friend.test")
        foe = Stranger(world, "foe.test").person("foe")
        await foe.tells(lyon, foe.activity("Arrive", None))
        note = foe.note("<p>Hello</p>")
        await lyon.judges("foe.test", Level.BLOCKED)
        sent = len(world.internet.sent_to("foe.test"))
        await friend.tells(lyon, friend.activity("Announce", note["id"]))
        await friend.tells(lyon, friend.create(inReplyTo=note["id"], tag=[{"type": "Mention", "href": foe.uri}]))
        await foe.sends(lyon, foe.activity("Delete", foe.uri))
        await foe.asks(lyon, "/users/dr-roy")
        await world.pass_time(DAY)
        assert len(world.internet.sent_to("foe.test")) == sent


async def test_both_signature_schemes_reach_a_peer_that_takes_only_one() -> None:
    for scheme in ("cavage", "rfc9421"):
        async with a_world("lyon.test") as world:
            lyon = world["lyon.test"]
            reader = await _reader(world)
            app = world.internet._apps["peer.test"]

            async def picky(scope: Any, receive: Any, send: Any, *, app: Any = app, scheme: str = scheme) -> None:
                names = {name for name, _ in scope["headers"]}
                if scope["method"] == "POST" and (b"signature-input" in names) != (scheme == "rfc9421"):
                    await send({"type": "http.response.start", "status": 401, "headers": []})
                    await send({"type": "http.response.body", "body": b""})
                    return
                await app(scope, receive, send)

            world.internet.register("peer.test", picky)
            sent = len(world.internet.sent_to("peer.test"))
            for number in range(4):
                await lyon.publishes("dr-roy", f"Cas {number}")
                await world.settle()
            assert len(_notes(reader)) == 4
            assert len(world.internet.sent_to("peer.test")) - sent <= 5


@pytest.mark.case("M07")
async def test_what_we_say_about_a_post_holds_nothing_of_it() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        alice = await _reader(world)
        await lyon.follows("dr-roy", alice.handle)
        await world.settle()
        await alice.tells(lyon, alice.activity("Accept", alice.home.heard("Follow")[0]["id"]))
        note = alice.note("<p>CANARY</p>", to=[alice.followers], cc=None)
        opened = alice.note("<p>CANARY</p>")
        for each in (note, opened):
            await alice.tells(lyon, alice.create(each))
        async with lyon.instance.store.view() as view:
            stored: list[Post] = list((await posts.find_by_uris(view, [note["id"], opened["id"]])).values())
        for post in stored:
            await lyon.likes("dr-roy", post)
            await lyon.likes("dr-roy", post, undo=True)
            if post.is_open:
                await lyon.boosts("dr-roy", post)
                await world.settle()
                await lyon.boosts("dr-roy", post, undo=True)
        await world.settle()
        said: list[Document] = alice.home.received
        assert {activity["type"] for activity in said} >= {"Like", "Undo", "Announce", "Accept", "Follow"}
        assert "CANARY" not in orjson.dumps(said).decode()


async def _lane(site: Site) -> Lane:
    async with site.instance.store.view() as view:
        (lane,) = await lanes.lanes(view, site.instance.here.now())
    return lane


@pytest.mark.case("J06")
async def test_ten_failures_open_the_circuit_and_then_one_delivery_at_a_time_asks_whether_the_host_is_back(
    open_world: Open,
) -> None:
    async with open_world("lyon.test") as world:
        lyon = world["lyon.test"]
        reader = await _reader(world)
        alone = reader.home.person("alone", endpoints=None)
        await alone.tells(lyon, alone.activity("Follow", (await lyon.member("dr-roy")).uri))
        world.down("peer.test")
        said = [(await lyon.publishes("dr-roy", f"Cas {number}")).uri for number in range(3)]
        await world.settle()
        for failures in range(1, OPENS_AFTER):
            lane = await _lane(lyon)
            assert (lane.failures, lane.breaker) == (failures, "closed")
            await world.pass_time(15 * HOUR)
        opened = await _lane(lyon)
        assert (opened.breaker, opened.waiting, opened.failing_since is not None) == ("open", 6, True)
        assert opened.next_at is not None
        wait = opened.next_at - world.clock.now()
        assert 0.8 * 12 * HOUR <= wait <= 1.2 * 12 * HOUR
        sent = len(world.internet.sent_to("peer.test"))
        await world.pass_time(wait - MINUTE)
        assert len(world.internet.sent_to("peer.test")) == sent
        world.clock.advance(2 * MINUTE)
        assert (await _lane(lyon)).breaker == "probing"
        await world.settle()
        assert len(world.internet.sent_to("peer.test")) == sent + 1
        world.up("peer.test")
        await reader.tells(lyon, reader.activity("Arrive", None))
        assert sorted(_notes(reader)) == sorted([*said, *said])
        async with lyon.instance.store.view() as view:
            peer = await peers.find(view, "peer.test")
        assert peer is not None
        assert (peer.failures, peer.failing_since) == (0, None)


@pytest.mark.case("J06")
async def test_a_host_that_is_heard_counts_its_failures_from_the_beginning_even_if_it_fails_again() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        reader = await _reader(world)
        world.down("peer.test")
        await lyon.publishes("dr-roy", "Dermatose inhabituelle")
        for _ in range(OPENS_AFTER):
            await world.pass_time(15 * HOUR)
        world.up("peer.test")
        reader.home.answers = [(502, {})] * 2
        await reader.tells(lyon, reader.activity("Arrive", None))
        lane = await _lane(lyon)
        assert (lane.failures, lane.breaker) == (2, "closed")
        await world.pass_time(7 * MINUTE)
        assert len(_notes(reader)) == 1


@pytest.mark.case("J04", "J06")
async def test_a_host_that_asked_for_patience_is_left_alone_though_it_speaks() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        reader = await _reader(world)
        reader.home.answers = [(429, {"retry-after": "7200"})]
        await lyon.publishes("dr-roy", "Dermatose inhabituelle")
        await world.settle()
        world.clock.advance(HOUR)
        await reader.tells(lyon, reader.activity("Arrive", None))
        assert _notes(reader) == []
        await world.pass_time(HOUR + MINUTE)
        assert len(_notes(reader)) == 1


@pytest.mark.case("J04")
async def test_a_date_in_retry_after_counts_from_the_date_of_the_answer() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        reader = await _reader(world)
        said = {"date": "Wed, 25 Nov 2026 10:00:00 GMT", "retry-after": "Wed, 25 Nov 2026 13:00:00 GMT"}
        reader.home.answers = [(503, said)]
        await lyon.publishes("dr-roy", "Dermatose inhabituelle")
        await world.settle()
        await world.pass_time(3 * HOUR - MINUTE)
        assert _notes(reader) == []
        await world.pass_time(2 * MINUTE)
        assert len(_notes(reader)) == 1


@pytest.mark.case("J04")
async def test_an_inbox_that_is_missing_for_ten_days_is_gone(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon = world["lyon.test"]
        reader = await _reader(world)
        reader.home.always = (404, {})
        for _ in range(10):
            await lyon.publishes("dr-roy", "Dermatose inhabituelle")
            await world.pass_time(DAY)
        assert await _owed(lyon) != []
        await world.pass_time(DAY + HOUR)
        await lyon.publishes("dr-roy", "Une de trop")
        await world.settle()
        assert await _owed(lyon) == []
        sent = len(world.internet.sent_to("peer.test"))
        await lyon.publishes("dr-roy", "Pour personne")
        await world.settle()
        assert len(world.internet.sent_to("peer.test")) == sent


@pytest.mark.case("J04")
async def test_an_inbox_that_is_there_again_has_its_days_counted_anew() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        reader = await _reader(world)
        reader.home.always = (404, {})
        for day in range(12):
            if day == 9:
                reader.home.answers = [(202, {})] * 30
            await lyon.publishes("dr-roy", f"Jour {day}")
            await world.pass_time(DAY)
            reader.home.answers = []
        await lyon.publishes("dr-roy", "Encore une")
        await world.settle()
        assert await _owed(lyon) != []


@pytest.mark.case("J04", "J05")
async def test_what_a_peer_never_took_is_dropped_in_the_end_and_the_audit_says_how_many_deletions_it_was() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        reader = await _reader(world)
        first = await lyon.publishes("dr-roy", "Premier")
        second = await lyon.publishes("dr-roy", "Deuxième")
        await world.settle()
        reader.home.always = (403, {})
        await lyon.publishes("dr-roy", "Refusé")
        await lyon.deletes("dr-roy", first)
        await world.settle()
        world.down("peer.test")
        await lyon.deletes("dr-roy", second)
        await world.settle()
        lane = await _lane(lyon)
        assert (lane.waiting, lane.withdrawals) == (3, 2)
        assert lane.withdrawn_until == world.clock.now() + 30 * DAY
        for _ in range(64):
            await world.pass_time(12 * HOUR)
        assert await _owed(lyon) == []
        async with lyon.instance.store.view() as view:
            entries = [entry for entry in await moderation.audit(view, Page(limit=9)) if entry.subject == "peer.test"]
        assert {entry.action for entry in entries} == {"queue.refused"}
        details = [orjson.loads(entry.detail) for entry in entries]
        assert sum(detail["dropped"] for detail in details) == 3
        assert sum(detail["withdrawals"] for detail in details) == 2


@pytest.mark.case("J09")
async def test_a_delivery_that_breaks_us_each_time_is_put_aside_and_the_next_one_goes_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        reader = await _reader(world)
        post_to, tried = type(lyon.instance.net).post, []

        async def breaks(self: Any, url: str, **more: Any) -> Any:
            if b"Premier" in more["body"]:
                tried.append(url)
                raise ZeroDivisionError(url)
            return await post_to(self, url, **more)

        monkeypatch.setattr(type(lyon.instance.net), "post", breaks)
        await lyon.publishes("dr-roy", "Premier")
        second = await lyon.publishes("dr-roy", "Deuxième")
        for _ in range(BROKE):
            await world.settle()
            await world.pass_time(HOUR)
        assert len(tried) == BROKE
        assert _notes(reader) == [second.uri]
        assert [row["state"] for row in await _owed(lyon)] == ["parked"]
        assert "ZeroDivisionError" in (await _lane(lyon)).last_error


@pytest.mark.case("J11")
async def test_what_a_host_is_owed_is_withheld_in_the_moment_it_is_blocked() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        reader = await _reader(world)
        reader.home.answers = [(403, {})] * 3
        await lyon.publishes("dr-roy", "Refusé")
        await world.settle()
        world.down("peer.test")
        await lyon.publishes("dr-roy", "En attente")
        await world.settle()
        await lyon.judges("peer.test", Level.BLOCKED)
        lane = await _lane(lyon)
        assert [row["state"] for row in await _owed(lyon)] == ["withheld", "withheld"]
        assert (lane.state, lane.last_error) == ("withheld", "the peer is blocked")


@pytest.mark.case("J07")
async def test_hosts_beyond_the_lanes_are_begun_without_being_looked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        readers = [await _reader(world, f"h{number}.test") for number in range(3 * LANES)]
        looks, look = [], outbox.due

        async def counted(*args: Any, **more: Any) -> Any:
            looks.append(more)
            return await look(*args, **more)

        monkeypatch.setattr(outbox, "due", counted)
        await lyon.publishes("dr-roy", "Dermatose inhabituelle")
        await world.settle()
        assert all(len(_notes(reader)) == 1 for reader in readers)
        assert len(looks) <= 8
