"""What reaches us through somebody else: it counts when it carries its author's own proof, and only then."""

import pytest

from medfed.activitypub.keys import generate_rsa
from tests.support.stranger import PUBLIC, Answer, Document, Puppet, Stranger, signed
from tests.support.world import Site, World, a_world


def _people(world: World) -> tuple[Puppet, Puppet]:
    """An author, and somebody on another host who passes things on. Nobody here has met either."""
    return Stranger(world, "good.test").person("alice"), Stranger(world, "relay.test").person("rita")


async def _refused(lyon: Site, passer: Puppet, activity: Document) -> bool:
    answer: Answer = await passer.sends(lyon, activity)
    await passer.home.world.settle()
    return answer.status == 401 and (await lyon.contents())["post"] == []


@pytest.mark.case("C02", "D19")
@pytest.mark.parametrize("scheme", ["cavage", "rfc9421"])
async def test_a_stranger_may_pass_on_what_its_author_has_proven(scheme: str) -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        alice, rita = _people(world)
        create = alice.proven(alice.create("<p>Bonjour</p>", to=[PUBLIC]))
        assert (await rita.sends(lyon, create, scheme=scheme)).status == 202
        await world.settle()
        assert await lyon.became(create["id"]) == "done: stored"


@pytest.mark.case("C02", "D19")
async def test_without_the_authors_own_proof_over_these_very_words_it_is_refused() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        alice, rita = _people(world)
        create = alice.create("<p>Bonjour</p>", to=[PUBLIC])
        assert await _refused(lyon, rita, create)
        assert await _refused(lyon, rita, rita.proven(create))
        assert await _refused(lyon, rita, alice.proven(create) | {"published": "2020-01-01T00:00:00Z"})


async def test_a_proof_does_not_excuse_a_signature_that_is_not_the_passers() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        alice, rita = _people(world)
        create = alice.proven(alice.create("<p>Bonjour</p>", to=[PUBLIC]))
        letter = rita.letter(lyon, create)
        forged = signed(letter, "cavage", rita.key_id, generate_rsa(), world.clock.now())
        assert (await forged.send(lyon)).status == 401
        assert (await lyon.contents())["post"] == []
