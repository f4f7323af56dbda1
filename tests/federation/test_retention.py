"""What is kept for a while only is gone a day after its time, whoever runs the instance (I15)."""

from collections.abc import Mapping, Sequence

import pytest

from medfed.accounts.sessions import ABSOLUTE
from medfed.kernel.clock import DAY, HOUR, Millis
from medfed.worker.routes import KEEP_BODIES, KEEP_IDEMPOTENCY, KEEP_SENT, sweep
from tests.api.client import signed_in
from tests.federation.conftest import Open
from tests.support.stranger import Stranger
from tests.support.world import Site
from tests.web.browser import visitor


async def rows(site: Site, table: str, *holding: str) -> Sequence[str]:
    """Rows of a table that hold all of some words."""
    return [row for row in (await site.contents())[table] if all(word in row for word in holding)]


KEPT: Mapping[str, tuple[Millis, tuple[str, ...]]] = {
    "a session": (ABSOLUTE, ("web_session",)),
    "an Idempotency-Key": (KEEP_IDEMPOTENCY, ("idempotency", "canary-key")),
    "the body of an arrival": (KEEP_BODIES, ("inbox_log", "canary of a peer")),
}


@pytest.mark.case("I15")
@pytest.mark.parametrize("kind", KEPT)
async def test_what_is_kept_for_a_while_is_gone_when_that_is_over(open_world: Open, kind: str) -> None:
    time, what = KEPT[kind]
    async with open_world("lyon.test") as world:
        lyon, alice = world["lyon.test"], Stranger(world, "good.test").person("alice")
        await lyon.follows("dr-roy", alice.handle)
        await alice.tells(lyon, alice.create("<p>canary of a peer</p>"))
        client = await signed_in(lyon, "dr-roy")
        assert (await client.post("/api/v1/statuses", {"status": "x"}, idempotency_key="canary-key")).status == 200
        await visitor(lyon, "dr-noel")
        world.clock.advance(time - HOUR)
        await sweep(lyon.instance, {})
        assert await rows(lyon, *what), "dropped too early"
        world.clock.advance(HOUR + DAY)
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
