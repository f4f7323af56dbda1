"""Whatever happens between instances, in the end they agree: `make simulate` runs hundreds of stories."""

import os

import pytest

from medfed.delivery import send
from medfed.delivery.hosts import Outcome
from tests.faults.simulation import DOMAINS, Story
from tests.support.world import a_world

FIRST = int(os.environ.get("MEDFED_SIMULATION_SEED", "1"))
SEEDS = int(os.environ.get("MEDFED_SIMULATION_SEEDS", "2"))
STEPS = 40


@pytest.mark.case("J02", "J03")
@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEEDS))
async def test_instances_agree_after_outages_lost_answers_and_restarts(seed: int) -> None:
    async with a_world(*DOMAINS) as world:
        story = Story(world, seed)
        await story.live(STEPS)
        assert await story.violations() == [], "\n".join(story.told)


async def test_the_check_notices_a_deliverer_that_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(send, "outcome_of", lambda *_: Outcome(verdict="pointless"))
    async with a_world(*DOMAINS) as world:
        story = Story(world, 5)
        await story.live(STEPS)
        assert any("I-3 missing" in each for each in await story.violations())
