"""What is kept for a while only is gone a day after its time, whoever runs the instance (I15)."""

from collections.abc import Mapping, Sequence

import pytest

from medfed.accounts.sessions import ABSOLUTE
from medfed.kernel.clock import DAY, HOUR, MINUTE, Millis
from medfed.worker.routes import KEEP_BODIES, KEEP_IDEMPOTENCY, KEEP_SENT, sweep
from tests.api.client import signed_in
from tests.federation.conftest import Open
from tests.support.stranger import Puppet, Stranger
from tests.support.world import Site
from tests.web.browser import visitor


async def rows(site: Site, table: str, *holding: str) -> Sequence[str]:
    """Rows of a table that hold all of some words."""
    return [row for row in (await site.contents())[table] if all(word in row for word in holding)]


KEPT: Mapping[str, tuple[Millis, tuple[str, ...]]] = {
    "a session": (ABSOLUTE, ("web_session",)),
    "an Idempotency-Key": (KEEP_IDEMPOTENCY, ("idempotency", "canary-key")),
    "a letter that we failed to apply": (KEEP_BODIES, ("inbox_log", "canary of a peer")),
}


async def _fails(lyon: Site, alice: Puppet, monkeypatch: pytest.MonkeyPatch) -> None:
    """A letter of alice is given up after some tries, for a fault of ours."""

    async def breaks(*_args: object, **_kwargs: object) -> bool:
        raise ZeroDivisionError("poison")

    with monkeypatch.context() as broken:
        broken.setattr("medfed.posts.receive.receive", breaks)
        letter = alice.create("<p>canary of a peer</p>")
        assert (await alice.sends(lyon, letter)).status == 202
        for _ in range(6):
            await lyon.world.pass_time(20 * MINUTE)
        assert await lyon.became(letter["id"]) == "dead: ZeroDivisionError: poison"


@pytest.mark.case("I14", "I15")
async def test_a_letter_is_kept_no_longer_than_it_waits(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon, alice = world["lyon.test"], Stranger(world, "good.test").person("alice")
        await lyon.follows("dr-roy", alice.handle)
        taken, unknown = alice.create("<p>taken</p>"), alice.activity("Travel", "https://good.test/lyon")
        for letter in (taken, unknown):
            assert (await alice.sends(lyon, letter)).status == 202
        behind = alice.create(inReplyTo=Stranger(world, "far.test").person("zoe").note()["id"])
        assert (await alice.sends(lyon, behind)).status == 202
        assert await rows(lyon, "inbox_log", behind["id"], "Create", "attributedTo")
        await world.settle()
        for letter in (taken, unknown, behind):
            assert len(await rows(lyon, "inbox_log", letter["id"])) == 1
        assert not await rows(lyon, "inbox_log", "attributedTo")


@pytest.mark.case("I15")
@pytest.mark.parametrize("kind", KEPT)
async def test_what_is_kept_for_a_while_is_gone_when_that_is_over(
    open_world: Open, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    time, what = KEPT[kind]
    async with open_world("lyon.test") as world:
        lyon, alice = world["lyon.test"], Stranger(world, "good.test").person("alice")
        await lyon.follows("dr-roy", alice.handle)
        await _fails(lyon, alice, monkeypatch)
        client = await signed_in(lyon, "dr-roy")
        assert (await client.post("/api/v1/statuses", {"status": "x"}, idempotency_key="canary-key")).status == 200
        await visitor(lyon, "dr-noel")
        world.clock.advance(time - 3 * HOUR)
        await sweep(lyon.instance, {})
        assert await rows(lyon, *what), "dropped too early"
        world.clock.advance(3 * HOUR + DAY)
        await sweep(lyon.instance, {})
        assert not await rows(lyon, *what), "still kept"
        assert await rows(lyon, "inbox_log", alice.uri), "that it arrived is remembered, so that it is not taken twice"


@pytest.mark.case("I15")
async def test_what_everybody_has_got_is_not_kept_for_sending(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon, alice = world["lyon.test"], Stranger(world, "good.test").person("alice")
        roy = await lyon.member("dr-roy")
        await alice.tells(lyon, alice.activity("Follow", roy.uri))
        await lyon.publishes("dr-roy", f"@{alice.handle} canary for one", visibility="direct")
        await world.settle()
        assert await rows(lyon, "outbox", "canary for one")
        world.clock.advance(KEEP_SENT + DAY)
        await sweep(lyon.instance, {})
        assert not await rows(lyon, "outbox", "canary for one")
