"""Issuers and hosts that do exactly what they should not: what they serve never makes a badge."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from medfed.activitypub import credentials as wire
from medfed.activitypub import multibase
from medfed.activitypub.keys import PrivateKey, generate_ed25519
from medfed.activitypub.statuslist import BitString
from medfed.activitypub.uris import Uris
from medfed.domain.credentials import CredentialState, StatusEntry
from medfed.domain.peers import Level
from medfed.kernel.clock import DAY, HOUR, MINUTE
from medfed.kernel.errors import MedfedError
from medfed.verification import policy
from tests.federation.test_attestations import everything, looks_again, shown, state
from tests.support.stranger import Puppet, Stranger
from tests.support.world import Site, World, a_world
from tests.unit.domain.claims import a_claim

BASE = "https://issuer.test"
DID = "did:web:issuer.test"
LISTS = {"revocation": f"{BASE}/credentials/status/1", "suspension": f"{BASE}/credentials/status/2"}


@dataclass(slots=True)
class Scene:
    """Lille, which trusts an issuer; Alice, who lives elsewhere and shows what that issuer says of her."""

    world: World
    lille: Site
    issuer: Stranger
    home: Stranger
    alice: Puppet
    key: PrivateKey = field(default_factory=generate_ed25519)
    bits: BitString = field(default_factory=BitString)

    @property
    def signer(self) -> wire.Issuer:
        """The issuer's key."""
        return wire.Issuer(did=DID, name="Society", method=f"{DID}#key-1", key=self.key)

    def lists(self, change: Callable[[dict[str, Any]], None] | None = None) -> None:
        """The issuer serves its lists as of now, changed after they were signed."""
        for purpose, url in LISTS.items():
            bits = self.bits if purpose == "revocation" else BitString()
            document = wire.status_list(url, purpose, bits, self.signer, now=self.world.clock.now())  # type: ignore[arg-type]
            if change is not None:
                change(document)
            self.issuer.serves(url.removeprefix(BASE), document)

    def keys(self, *keys: wire.IssuerKey) -> None:
        """The issuer serves its DID document."""
        own = wire.IssuerKey(id=self.signer.method, public=self.key.public.multikey)
        uris = Uris(base=BASE, domain="issuer.test")
        self.issuer.serves("/.well-known/did.json", wire.did_document(uris, keys or (own,)))

    def credential(self, **changes: Any) -> dict[str, Any]:
        """What the issuer says of Alice."""
        now = self.world.clock.now()
        values = {
            "uri": f"{BASE}/credentials/7",
            "issuer": DID,
            "subject": self.alice.uri,
            "subject_host": "home.test",
            "subject_key": f"did:key:{self.alice.ed25519.public.multikey}",
            "valid_from": now - now % DAY,
            "valid_until": now - now % DAY + 300 * DAY,
            "status": (
                StatusEntry(url=LISTS["revocation"], index=5, purpose="revocation"),
                StatusEntry(url=LISTS["suspension"], index=6, purpose="suspension"),
            ),
        }
        return wire.issue(a_claim(**(values | changes)), self.signer, now=now)

    def shows(self, *items: object, **changes: Any) -> None:
        """Alice's server serves her collection."""
        uri = f"{self.alice.uri}/attestations"
        document = wire.attestations(uri, self.alice.uri, items) | changes
        self.home.serves("/users/alice/attestations", document)

    async def becomes(self) -> CredentialState | None:
        """Lille looks at Alice: where her attestation stands."""
        await self.lille.instance.lookup.refresh(self.alice.uri)
        await self.world.settle()
        return await state(self.lille, self.alice.handle)


@asynccontextmanager
async def a_scene() -> AsyncIterator[Scene]:
    """Everything as it should be; tests spoil it."""
    async with a_world("lille.test") as world:
        lille = world["lille.test"]
        await lille.judges("issuer.test", Level.TRUSTED)
        issuer = Stranger(world, "issuer.test", content_type="application/json")
        home = Stranger(world, "home.test")
        alice = home.person("alice", attestations="https://home.test/users/alice/attestations")
        scene = Scene(world=world, lille=lille, issuer=issuer, home=home, alice=alice)
        scene.keys()
        scene.lists()
        scene.shows(scene.credential())
        yield scene


async def test_a_stranger_that_does_everything_right_is_recognised() -> None:
    async with a_scene() as scene:
        assert await scene.becomes() is CredentialState.TRUSTED


async def test_a_collection_may_say_where_credentials_are() -> None:
    async with a_scene() as scene:
        url = scene.issuer.serves("/credentials/7", scene.credential())
        scene.shows(url, {"id": f"{BASE}/credentials/8"}, "nowhere", 7, {"type": "Note", "proof": {}})
        assert await scene.becomes() is CredentialState.TRUSTED


@pytest.mark.case("N06")
@pytest.mark.parametrize(
    "change",
    [
        lambda it: it["credentialSubject"].update(statusPurpose="message"),
        lambda it: it["credentialSubject"].update(encodedList=multibase.encode_base64url(b"\x1f\x8b")),
        lambda it: it["credentialSubject"].update(ttl=1),
        lambda it: it.pop("proof"),
        lambda it: it.update(id=f"{BASE}/credentials/status/3"),
        lambda it: it.update(validUntil="2026-01-01T00:00:00Z"),
        lambda it: it.update(issuer="did:web:rogue.test"),
    ],
)
async def test_without_a_good_status_list_nothing_is_trusted(change: Callable[[dict[str, Any]], None]) -> None:
    async with a_scene() as scene:
        scene.lists(change)
        assert await scene.becomes() is CredentialState.STALE


@pytest.mark.case("N06")
@pytest.mark.parametrize("index", [131_072, 10**9])
async def test_an_index_outside_its_list_is_unknown(index: int) -> None:
    async with a_scene() as scene:
        entry = StatusEntry(url=LISTS["revocation"], index=index, purpose="revocation")
        scene.shows(scene.credential(status=(entry,)))
        assert await scene.becomes() is CredentialState.STALE


@pytest.mark.case("N06")
async def test_a_list_of_one_purpose_says_nothing_about_the_other() -> None:
    async with a_scene() as scene:
        entry = StatusEntry(url=LISTS["suspension"], index=6, purpose="revocation")
        scene.shows(scene.credential(status=(entry,)))
        assert await scene.becomes() is CredentialState.STALE


@pytest.mark.case("N06", "N07")
async def test_a_new_attestation_is_not_trusted_while_its_list_cannot_be_had() -> None:
    async with a_scene() as scene:
        scene.issuer.serves("/credentials/status/1", 503)
        assert await scene.becomes() is CredentialState.STALE
        scene.lists()
        await scene.world.pass_time(15 * MINUTE)
        assert await state(scene.lille, scene.alice.handle) is CredentialState.TRUSTED


async def test_a_list_that_goes_back_in_time_is_not_taken() -> None:
    async with a_scene() as scene:
        before = scene.issuer.documents["/credentials/status/1"]
        await scene.world.pass_time(HOUR)
        scene.bits.set(5)
        scene.lists()
        assert await scene.becomes() is CredentialState.REVOKED
        scene.issuer.serves("/credentials/status/1", before)
        await scene.world.pass_time(HOUR)
        assert await scene.becomes() is CredentialState.REVOKED


@pytest.mark.case("N01")
async def test_a_proof_by_a_method_that_is_not_listed_is_refused_after_asking_once_more() -> None:
    async with a_scene() as scene:
        assert await scene.becomes() is CredentialState.TRUSTED
        await scene.world.pass_time(2 * MINUTE)
        asked = scene.issuer.asked.count("/.well-known/did.json")
        scene.key = generate_ed25519()
        scene.shows(scene.credential())
        assert await scene.becomes() is CredentialState.INVALID
        assert scene.issuer.asked.count("/.well-known/did.json") == asked + 1
        await looks_again(scene.lille, scene.alice.handle)
        assert scene.issuer.asked.count("/.well-known/did.json") == asked + 1


async def test_a_new_key_of_an_issuer_is_found_when_it_is_first_used() -> None:
    async with a_scene() as scene:
        assert await scene.becomes() is CredentialState.TRUSTED
        await scene.world.pass_time(2 * MINUTE)
        old = wire.IssuerKey(id=f"{DID}#key-0", public=scene.key.public.multikey)
        scene.key = generate_ed25519()
        scene.keys(wire.IssuerKey(id=f"{DID}#key-1", public=scene.key.public.multikey), old)
        scene.lists()
        scene.shows(scene.credential())
        assert await scene.becomes() is CredentialState.TRUSTED


@pytest.mark.case("N09")
async def test_a_domain_with_a_new_owner_does_not_inherit_trust() -> None:
    async with a_scene() as scene:
        assert await scene.becomes() is CredentialState.TRUSTED
        scene.world.clock.advance(2 * HOUR)
        scene.key = generate_ed25519()
        scene.keys()
        scene.lists()
        scene.shows(scene.credential())
        assert await scene.becomes() is CredentialState.KEY_DISCONTINUITY


@pytest.mark.parametrize(
    "answer", [503, {"id": "did:web:rogue.test"}, {"id": DID}, {"id": DID, "assertionMethod": [7]}]
)
async def test_an_issuer_without_usable_keys_makes_nothing_count(answer: Any) -> None:
    async with a_scene() as scene:
        scene.issuer.serves("/.well-known/did.json", answer)
        assert await scene.becomes() is CredentialState.INVALID
        (seen,) = await shown(scene.lille, scene.alice.handle)
        assert seen.reason.code == "issuer-silent"
        scene.keys()
        await scene.world.pass_time(16 * MINUTE)
        assert await state(scene.lille, scene.alice.handle) is CredentialState.TRUSTED


async def test_keys_are_not_taken_from_another_host() -> None:
    async with a_scene() as scene:
        elsewhere = Stranger(scene.world, "elsewhere.test", content_type="application/json")
        elsewhere.documents = dict(scene.issuer.documents)
        scene.issuer.redirects["/.well-known/did.json"] = "https://elsewhere.test/.well-known/did.json"
        assert await scene.becomes() is CredentialState.INVALID


async def test_a_collection_is_not_taken_from_another_host() -> None:
    async with a_scene() as scene:
        elsewhere = Stranger(scene.world, "elsewhere.test")
        elsewhere.documents = dict(scene.home.documents)
        scene.home.redirects["/users/alice/attestations"] = "https://elsewhere.test/users/alice/attestations"
        assert await scene.becomes() is None


@pytest.mark.parametrize(
    "change",
    [{"id": "https://home.test/users/bob/attestations"}, {"attributedTo": "https://home.test/users/bob"}],
)
async def test_the_collection_of_somebody_else_is_not_taken(change: dict[str, Any]) -> None:
    async with a_scene() as scene:
        scene.shows(scene.credential(), **change)
        assert await scene.becomes() is None


async def test_an_actor_that_shows_no_attestations_any_more_has_none() -> None:
    async with a_scene() as scene:
        assert await scene.becomes() is CredentialState.TRUSTED
        scene.home.documents["/users/alice"] = scene.alice.document()
        await scene.lille.instance.lookup.refresh(scene.alice.uri)
        await looks_again(scene.lille, scene.alice.handle)
        assert await shown(scene.lille, scene.alice.handle) == []
        assert [each.consent for each in await everything(scene.lille, scene.alice.handle)] == ["withdrawn"]


async def test_an_answer_of_somebody_else_to_an_offer_is_refused_and_an_answer_twice_does_nothing() -> None:
    async with a_scene() as scene:
        await scene.becomes()
        society = scene.lille.instance.here
        bob = await scene.lille.member("bob")
        for activity in (
            scene.alice.activity("Offer", f"{BASE}/credentials/9", target=f"{bob.uri}/attestations"),
            scene.alice.activity("Add", f"{BASE}/credentials/7", target=f"{scene.alice.uri}/attestations"),
            scene.alice.activity("Remove", f"{BASE}/credentials/9", target=f"{scene.alice.uri}/attestations"),
            scene.alice.activity("Remove", f"{BASE}/credentials/7", target=f"{scene.alice.uri}/featured"),
            scene.alice.activity("CredentialRequest", society.uris.instance_actor),
        ):
            assert (await scene.alice.sends(scene.lille, activity)).status == 202
        await scene.world.settle()
        assert await everything(scene.lille, "bob") == []
        assert await state(scene.lille, scene.alice.handle) is CredentialState.TRUSTED


async def test_limited_peers_neither_offer_nor_ask() -> None:
    async with a_scene() as scene:
        await scene.becomes()
        await scene.lille.judges("home.test", Level.LIMITED)
        bob = await scene.lille.member("bob")
        offer = scene.alice.activity("Offer", f"{BASE}/credentials/9", target=f"{bob.uri}/attestations")
        await scene.alice.sends(scene.lille, offer)
        await scene.world.settle()
        assert not any(path == "/credentials/9" for path in scene.issuer.asked)
        with pytest.raises(MedfedError):
            await scene.lille.instance.recogniser.receive_offer(
                bob.id, uri=f"{BASE}/credentials/9", offer_uri="x", issuer_actor=scene.alice.uri
            )


@pytest.mark.case("C14", "N06")
async def test_a_list_by_a_key_that_is_revoked_here_clears_nothing() -> None:
    async with a_scene() as scene:
        honest, stolen = scene.key, generate_ed25519()
        methods = {honest: f"{DID}#key-1", stolen: f"{DID}#key-2"}
        scene.keys(*(wire.IssuerKey(id=methods[key], public=key.public.multikey) for key in (honest, stolen)))
        scene.bits.set(5)
        scene.lists()
        assert await scene.becomes() is CredentialState.REVOKED
        await scene.world.pass_time(HOUR)
        scene.bits.clear(5)
        for purpose, url in LISTS.items():
            forger = wire.Issuer(did=DID, name="Society", method=methods[stolen], key=stolen)
            forged = wire.status_list(url, purpose, scene.bits, forger, now=scene.world.clock.now())  # type: ignore[arg-type]
            scene.issuer.serves(url.removeprefix(BASE), forged)
        async with scene.lille.instance.store.transaction("revoke key") as tx:
            await policy.revoke_key(tx, scene.lille.instance.here, stolen.public.multikey, by="test")
        await looks_again(scene.lille, scene.alice.handle)
        await scene.world.pass_time(HOUR)
        assert await scene.becomes() is CredentialState.REVOKED
