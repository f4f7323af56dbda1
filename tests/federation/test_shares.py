"""Nobody gets more than their share: hosts under one name, strangers who name keys, what one host sends in a day."""

import pytest

from medfed.accounts.identify import Identifier
from medfed.activitypub.keys import generate_rsa
from medfed.domain.peers import Level
from medfed.domain.sites import site_of
from medfed.kernel import limits
from medfed.kernel.allowance import Allowance
from medfed.kernel.clock import DAY, HOUR, MINUTE
from medfed.kernel.errors import MedfedError, TooMany
from medfed.storage import peers
from tests.federation.conftest import Open
from tests.support.stranger import Document, Stranger, signed
from tests.support.world import a_world

LYON = "lyon.test"


@pytest.mark.case("H09")
@pytest.mark.parametrize(
    ("authority", "site"),
    [
        ("example.org", "example.org"),
        ("a.b.c.example.org", "example.org"),
        ("a.example.org:8443", "example.org"),
        ("gp.nhs.uk", "gp.nhs.uk"),
        ("a.b.gp.nhs.uk", "gp.nhs.uk"),
        ("clinique.asso.fr", "clinique.asso.fr"),
        ("a.clinique.asso.fr", "clinique.asso.fr"),
        ("co.uk", "co.uk"),
        ("a.github.io", "github.io"),
        ("com.example.net", "example.net"),
        ("localhost", "localhost"),
        ("127.1.2.3:8000", "127.1.2.3"),
        ("[2001:db8::1]:8443", "[2001:db8::1]"),
        ("[2001:db8::1]", "[2001:db8::1]"),
    ],
)
def test_hosts_of_one_owner_are_counted_together(authority: str, site: str) -> None:
    assert site_of(authority) == site


def test_an_allowance_is_what_it_says_and_comes_back() -> None:
    allowance = Allowance(kept=3)

    def take(key: str, at: int) -> int:
        return allowance.take(key, at, most=2, per=MINUTE)

    assert [take("a", at) for at in (0, 1, 2)] == [0, 0, MINUTE - 2]
    assert take("b", 2) == 0
    allowance.give_back("a")
    allowance.give_back("nobody")
    assert [take("a", 3), take("a", 3)] == [0, MINUTE - 3]
    assert take("a", MINUTE - 1) == 1
    assert [take("a", MINUTE), take("a", MINUTE)] == [0, 3], "of any minute, not of those that begin with the first"
    assert take("a", 1) == 0, "a clock that was set back"
    for key in ("x", "y", "z"):
        assert take(key, MINUTE) == 0
    assert list(allowance._taken) == ["x", "y", "z"]


# ── hosts under one name ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.case("H09")
@pytest.mark.limit("NEW_HOSTS_PER_SITE")
async def test_of_a_name_with_hosts_without_end_ten_are_met_in_a_day(open_world: Open) -> None:
    async with open_world(LYON) as world:
        lyon = world[LYON]
        answers = []
        for number in range(limits.NEW_HOSTS_PER_SITE + 3):
            bot = Stranger(world, f"bot{number}.evil.example").person("bot")
            answers.append(await bot.sends(lyon, bot.activity("Arrive", None)))
        statuses = [answer.status for answer in answers]
        assert statuses == [202] * limits.NEW_HOSTS_PER_SITE + [503] * 3
        assert world.internet.sent_to("bot12.evil.example") == []
        other = Stranger(world, "good.example").person("alice")
        assert (await other.sends(lyon, other.activity("Arrive", None))).status == 202
        known = Stranger(world, "bot0.evil.example").person("another")
        assert (await known.sends(lyon, known.activity("Arrive", None))).status == 202
        late = Stranger(world, "bot12.evil.example").person("late")
        await lyon.judges("bot12.evil.example", Level.FEDERATED)
        assert (await late.sends(lyon, late.activity("Arrive", None))).status == 202
        world.clock.advance(DAY + HOUR)
        tomorrow = Stranger(world, "bot11.evil.example").person("tomorrow")
        assert (await tomorrow.sends(lyon, tomorrow.activity("Arrive", None))).status == 202


@pytest.mark.case("H09")
async def test_a_thread_over_hosts_without_end_makes_us_meet_ten_and_is_taken_as_far_as_that() -> None:
    async with a_world(LYON) as world:
        lyon = world[LYON]
        alice = Stranger(world, "peer.test").person("alice")
        await lyon.follows("dr-roy", alice.handle)
        await world.settle()
        await alice.tells(lyon, alice.activity("Accept", alice.home.heard("Follow")[0]["id"]))
        above = None
        for number in range(limits.NEW_HOSTS_PER_SITE + 8):
            bot = Stranger(world, f"bot{number}.evil.example").person("bot")
            above = bot.note(inReplyTo=above)["id"]
        note = alice.note(inReplyTo=above)
        assert (await alice.tells(lyon, alice.create(note))).startswith("done")
        asked = {request.authority for request in world.internet.requests if "evil" in request.authority}
        assert len(asked) == limits.NEW_HOSTS_PER_SITE


@pytest.mark.case("H09", "D19")
@pytest.mark.parametrize("way", ["passed on", "redirected"])
async def test_what_a_peer_points_at_on_hosts_without_end_makes_us_meet_ten(way: str) -> None:
    async with a_world(LYON) as world:
        lyon = world[LYON]
        peer = Stranger(world, "peer.test")
        group, post = peer.person("cardio", type="Group"), await lyon.publishes("dr-roy", "Bonjour")
        await lyon.follows("dr-roy", group.handle)
        await world.settle()
        await group.tells(lyon, group.activity("Accept", peer.heard("Follow")[0]["id"]))
        for number in range(limits.NEW_HOSTS_PER_SITE + 8):
            bot = Stranger(world, f"bot{number}.evil.example").person("bot")
            like = bot.activity("Like", post.uri)
            said: Document | str = like
            if way == "redirected":
                path = f"/notes/{number}"
                peer.redirects[path] = bot.note()["id"]
                said = peer.base + path
            await group.tells(lyon, group.activity("Announce", said))
        asked = {request.authority for request in world.internet.requests if "evil" in request.authority}
        assert len(asked) == limits.NEW_HOSTS_PER_SITE


# ── strangers who name keys ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.case("H09", "C12")
@pytest.mark.limit("INTRODUCTIONS")
async def test_a_stranger_cannot_make_us_ask_a_host_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "INTRODUCTIONS", 5)
    async with a_world(LYON) as world:
        lyon = world[LYON]
        victim = Stranger(world, "victim.test")
        key, statuses = generate_rsa(), []
        for number in range(12):
            teller = victim.person(f"p{number}") if number % 2 else None
            key_id = teller.key_id if teller else f"https://victim.test/nobody/{number}#main-key"
            forger = Stranger(world, "evil.test").person("mallory")
            said = {"id": f"https://victim.test/{number}", "actor": key_id.partition("#")[0]}
            letter = forger.letter(lyon, forger.activity("Arrive", None, **said))
            statuses.append((await signed(letter, "cavage", key_id, key, world.clock.now()).send(lyon)).status)
        assert len(world.internet.sent_to("victim.test")) == 5
        assert statuses[-1] == 429
        world.clock.advance(2 * MINUTE)
        honest = victim.person("honest")
        assert (await honest.sends(lyon, honest.activity("Arrive", None))).status == 202


@pytest.mark.case("H09", "C12")
async def test_with_several_processes_a_host_is_asked_so_often_by_each_and_no_more(
    open_world: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What docs/guide/postgres.md says of keys that strangers name: not counted together, for nothing is written."""
    monkeypatch.setattr(limits, "INTRODUCTIONS", 3)
    processes = 2
    async with open_world(LYON) as world:
        lyon = world[LYON]
        identifiers = [
            Identifier(
                store=lyon.instance.store,
                lookup=lyon.instance.lookup,
                levels=lyon.instance.levels,
                here=lyon.instance.here,
            )
            for _ in range(processes)
        ]
        Stranger(world, "victim.test")
        refused = 0
        for number in range(12):
            for place, identifier in enumerate(identifiers):
                with pytest.raises(MedfedError) as told:
                    await identifier.fetch(f"https://victim.test/nobody/{place}-{number}")
                refused += told.type is TooMany
        assert refused == 12 * processes - 3 * processes
        assert len(world.internet.sent_to("victim.test")) == 3 * processes


@pytest.mark.case("H09")
async def test_a_host_that_introduces_many_who_do_sign_is_not_held_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "INTRODUCTIONS", 3)
    async with a_world(LYON) as world:
        lyon = world[LYON]
        home = Stranger(world, "peer.test")
        for number in range(8):
            person = home.person(f"p{number}")
            assert (await person.sends(lyon, person.activity("Arrive", None))).status == 202
            reader = home.person(f"r{number}")
            assert (await reader.asks(lyon, "/actor")).status == 200


# ── what one host sends in a day ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.case("H04")
@pytest.mark.limit("HOST_ACTIVITIES_PER_DAY")
async def test_a_host_that_has_sent_its_share_is_asked_to_wait_and_others_are_not(
    open_world: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "HOST_ACTIVITIES_PER_DAY", 6)
    async with open_world(LYON) as world:
        lyon = world[LYON]
        flood, calm = Stranger(world, "flood.test"), Stranger(world, "calm.test").person("alice")
        bots = [flood.person(f"bot{number}") for number in range(2)]
        taken = []
        for number in range(9):
            world.clock.advance(20_000)
            said = bots[number % 2].create()
            answer = await bots[number % 2].sends(lyon, said)
            taken.append(answer.status)
            if answer.status == 202:
                assert (await lyon.became(said["id"])) != ""
            else:
                assert (await lyon.became(said["id"])) == ""
                assert 0 < int(answer.headers["retry-after"]) <= DAY // 1000
            assert (await calm.sends(lyon, calm.activity("Arrive", None))).status == (202 if number < 6 else 429)
        assert taken == [202] * 6 + [429] * 3
        async with lyon.instance.store.view() as view:
            used = await peers.used(view, world.clock.now())
        assert used["flood.test"][0] >= 3
        world.clock.advance(DAY)
        assert (await bots[0].sends(lyon, bots[0].create())).status == 202


@pytest.mark.case("H04")
@pytest.mark.limit("HOST_BYTES_PER_DAY")
async def test_what_a_host_may_store_in_a_day_is_counted_in_bytes_and_outlives_a_restart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "HOST_BYTES_PER_DAY", 20_000)
    async with a_world(LYON) as world:
        lyon = world[LYON]
        flood = Stranger(world, "flood.test").person("bot")
        async with lyon.instance.store.transaction("as another process counted") as tx:
            await peers.use(tx, "flood.test", world.clock.now(), activities=3, size=15_000)
        assert (await flood.sends(lyon, flood.create("x" * 3_000))).status == 202
        assert (await flood.sends(lyon, flood.create("x" * 3_000))).status == 429
        assert (await flood.sends(lyon, flood.activity("Arrive", None))).status == 202
