"""A proof beside its actor's signature (FEP-8b32): a false one goes before it, one that we cannot judge is ignored."""

from collections.abc import Callable
from typing import Any

import pytest

from medfed.activitypub import multibase, proofs
from medfed.activitypub.keys import generate_ed25519
from medfed.kernel.clock import DAY, iso
from tests.federation.conftest import Open
from tests.federation.test_keys import revokes
from tests.support.stranger import Document, Puppet, Stranger
from tests.support.world import Site, World, a_world


async def _anna(world: World) -> tuple[Site, Puppet]:
    """anna of good.test, whose keys lyon.test holds, since she follows dr-roy."""
    lyon, anna = world["lyon.test"], Stranger(world, "good.test").person("anna")
    await anna.tells(lyon, anna.activity("Follow", (await lyon.member("dr-roy")).uri))
    return lyon, anna


def _about(lyon: Site, anna: Puppet) -> Document:
    """A Create that concerns a member."""
    return anna.create(anna.note(cc=[lyon.instance.here.uris.actor("dr-roy")]))


def _made(puppet: Puppet, document: Document, **changes: Any) -> Document:
    """A proof of a document that is good, but for its changes, which were signed."""
    config: dict[str, Any] = {
        "type": "DataIntegrityProof",
        "cryptosuite": proofs.CRYPTOSUITE,
        "created": iso(puppet.home.world.clock.now()),
        "verificationMethod": f"{puppet.uri}#ed25519-key",
        "proofPurpose": "assertionMethod",
        "@context": document["@context"],
    } | changes
    unsecured = {name: value for name, value in document.items() if name != "proof"}
    signature = puppet.ed25519.sign(proofs._message(config, unsecured))
    return config | {"proofValue": multibase.encode_base58btc(signature)}


@pytest.mark.parametrize(
    "false",
    ["of other words", "by another key", "not base58", "too short", "by the key for requests", "in another context",
     "beside one of another kind"],
)  # fmt: skip
async def test_a_false_proof_goes_before_a_good_signature(open_world: Open, false: str) -> None:
    async with open_world("lyon.test") as world:
        lyon, anna = await _anna(world)
        create = _about(lyon, anna)
        good = _made(anna, create)
        another = Puppet(home=anna.home, name="anna", rsa=anna.rsa, ed25519=generate_ed25519())
        proof: Callable[[], Any] = {
            "of other words": lambda: _made(anna, create | {"id": f"{create['id']}x"}),
            "by another key": lambda: _made(another, create),
            "not base58": lambda: good | {"proofValue": "uAAAA"},
            "too short": lambda: good | {"proofValue": good["proofValue"][:40]},
            "by the key for requests": lambda: _made(anna, create, verificationMethod=anna.key_id),
            "in another context": lambda: _made(anna, create, **{"@context": ["https://other.test/context"]}),
            "beside one of another kind": lambda: [_made(another, create), good | {"cryptosuite": "mldsa44-jcs-2024"}],
        }[false]
        before = await lyon.contents()
        assert (await anna.sends(lyon, create | {"proof": proof()})).status == 401
        assert await lyon.contents() == before
        assert (await anna.sends(lyon, create | {"proof": good})).status == 202
        await world.settle()
        assert await lyon.became(create["id"]) == "done: stored"


async def test_a_proof_by_somebody_else_that_we_know_is_false() -> None:
    async with a_world("lyon.test") as world:
        lyon, anna = await _anna(world)
        bob = anna.home.person("bob")
        await bob.tells(lyon, bob.activity("Follow", (await lyon.member("dr-roy")).uri))
        create = _about(lyon, anna)
        assert (await anna.sends(lyon, bob.proven(create))).status == 401


async def test_somebody_new_who_begins_with_a_false_proof_is_not_believed() -> None:
    async with a_world("lyon.test") as world:
        lyon, new = world["lyon.test"], Stranger(world, "new.test").person("new")
        await lyon.member("dr-roy")
        create = _about(lyon, new)
        assert (await new.sends(lyon, create | {"proof": _made(new, create | {"to": []})})).status == 401
        assert await new.tells(lyon, new.proven(create)) == "done: stored"


@pytest.mark.case("D20")
@pytest.mark.parametrize(
    "unknown",
    ["cryptosuite", "type", "purpose", "chained", "expired", "key", "key elsewhere", "rearranged", "two of ours",
     "too many", "none at all", "a word"],
)  # fmt: skip
async def test_a_proof_that_we_cannot_judge_changes_nothing(open_world: Open, unknown: str) -> None:
    async with open_world("lyon.test") as world:
        lyon, anna = await _anna(world)
        create = _about(lyon, anna)
        wrong = _made(anna, create | {"id": "of something else"})
        proof: Callable[[], Any] = {
            "cryptosuite": lambda: wrong | {"cryptosuite": "mldsa44-jcs-2024"},
            "type": lambda: wrong | {"type": "MitraJcsEip191Signature2022"},
            "purpose": lambda: wrong | {"proofPurpose": "authentication"},
            "chained": lambda: wrong | {"previousProof": "urn:uuid:1"},
            "expired": lambda: wrong | {"expires": iso(world.clock.now())},
            "key": lambda: wrong | {"verificationMethod": f"{anna.uri}#another"},
            "key elsewhere": lambda: wrong | {"verificationMethod": "https://other.test/users/anna#ed25519-key"},
            "rearranged": lambda: wrong,
            "two of ours": lambda: [wrong, wrong],
            "too many": lambda: [wrong | {"cryptosuite": "other"}] * 9,
            "none at all": lambda: [],
            "a word": lambda: "proof",
        }[unknown]
        more = {"@included": [{"id": f"{anna.home.base}/1"}]} if unknown == "rearranged" else {}
        asked = len(world.internet.requests)
        assert (await anna.sends(lyon, create | more | {"proof": proof()})).status == 202
        await world.settle()
        assert await lyon.became(create["id"]) == "done: stored"
        assert not any(request.to.host == "other.test" for request in world.internet.requests[asked:])


@pytest.mark.case("C14")
async def test_a_proof_by_a_key_that_is_revoked_vouches_for_nothing() -> None:
    async with a_world("lyon.test") as world:
        lyon, anna = await _anna(world)
        reader = Stranger(world, "reader.test").person("reader")
        await reader.tells(lyon, reader.activity("Follow", (await lyon.member("dr-roy")).uri))
        post = await lyon.publishes("dr-roy", "Dermatose inhabituelle")
        first, second = (anna.proven(anna.create(anna.note(inReplyTo=post.uri))) for _ in range(2))
        await anna.tells(lyon, first)
        await revokes(lyon, anna.ed25519.public.multikey)
        assert await anna.tells(lyon, second) == "done: stored"
        assert [each["id"] for each in reader.home.received if each["actor"] == anna.uri] == [first["id"]]


async def test_what_waited_for_the_worker_is_passed_on_with_its_proof() -> None:
    async with a_world("lyon.test") as world:
        lyon, anna = await _anna(world)
        reader = Stranger(world, "reader.test").person("reader")
        await reader.tells(lyon, reader.activity("Follow", (await lyon.member("dr-roy")).uri))
        post = await lyon.publishes("dr-roy", "Dermatose inhabituelle")
        bob = anna.home.person("bob")
        note = anna.note(inReplyTo=post.uri, tag=[{"type": "Mention", "href": bob.uri, "name": bob.handle}])
        create = anna.proven(anna.create(note))
        assert (await anna.sends(lyon, create)).status == 202
        assert (await lyon.became(create["id"])).startswith("waiting")
        await world.pass_time(DAY // 24)
        assert await lyon.became(create["id"]) == "done: stored"
        assert [each["id"] for each in reader.home.received if each["actor"] == anna.uri] == [create["id"]]
