"""Keys change and people stay: in good time, with both keys believed for a while; or at once, when one was stolen."""

import asyncio
import re
from typing import Any

import orjson
import pytest

from medfed.accounts.keyring import ANNOUNCED
from medfed.accounts.rotate import OVERLAP
from medfed.activitypub import proofs
from medfed.activitypub.keys import PrivateKey, load_private, parse_multikey, parse_public_pem
from medfed.domain import policies
from medfed.domain.accounts import Account, AccountKey
from medfed.domain.credentials import CredentialState
from medfed.domain.peers import Level
from medfed.instance import open_instance
from medfed.kernel.clock import DAY, HOUR, MINUTE, SECOND
from medfed.kernel.errors import Gone, Invalid, Misconfigured
from medfed.net.message import OutgoingRequest
from medfed.storage import accounts, credentials, oauth
from medfed.storage.statements import sql
from medfed.verification import consent, policy
from medfed.verification.rotate import Rotated, rotate_keys
from tests.federation.conftest import Open
from tests.federation.test_attestations import attests, shown, state
from tests.support.databases import PostgresServer
from tests.support.stranger import PUBLIC, Document, Stranger, get_letter, signed
from tests.support.world import Site, World, a_world, some_keys

_GIVE_BACK = sql("UPDATE account_key SET sealed = :sealed WHERE uri = :uri")
_KEY_ID = re.compile(r'key[iI]d="([^"]+)"')


async def rotates(site: Site, account: Account, *, compromised: bool = False) -> Rotated:
    """An admin gives an account new keys."""
    async with site.instance.store.transaction("rotate keys") as tx:
        return await rotate_keys(
            tx, site.instance.here, account, some_keys(), compromised=compromised, by="admin@lyon.test"
        )


async def keys_of(site: Site, account: Account) -> list[AccountKey]:
    """Every key of an account, RSA before Ed25519, older before newer."""
    async with site.instance.store.view() as view:
        return sorted(await accounts.keys(view, account.id), key=lambda key: (key.created_at, key.kind != "rsa"))


async def private(site: Site, account: Account, uri: str) -> PrivateKey:
    """What a thief would have: the private part of a key, as it is now."""
    (key,) = [each for each in await keys_of(site, account) if each.uri == uri]
    assert key.sealed is not None
    return load_private(site.instance.here.vault.open(key.sealed, purpose=uri))


async def document_of(site: Site, account: Account) -> Document:
    """What the actor shows to somebody who does not say who they are."""
    answer = await get_letter(site, account.uri).send(site)
    assert (answer.status, answer.headers["cache-control"]) == (200, "no-cache")
    return dict(answer.json)


def signed_with(request: OutgoingRequest) -> str:
    """The key id of a request."""
    said = request.headers.get("signature-input") or request.headers["signature"]
    found = _KEY_ID.search(said)
    assert found is not None
    return found.group(1)


def deliveries(world: World, domain: str) -> list[tuple[str, str]]:
    """(kind, key) of every activity that was sent to a host, in order."""
    return [
        (orjson.loads(request.body)["type"], signed_with(request).partition("#")[2])
        for request in world.internet.sent_to(domain)
        if request.method == "POST"
    ]


async def meet(world: World) -> Account:
    """Lille's Roy follows Lyon's Alice, some time ago."""
    await world.follow("roy@lille.test", "alice@lyon.test")
    await world.pass_time(HOUR)
    world.internet.requests.clear()
    alice = await world["lyon.test"].find("alice")
    assert alice is not None
    return alice


# ── in good time ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.case("C13")
async def test_peers_hear_of_a_new_key_by_the_old_one_and_then_only_of_the_new(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test") as world:
        lyon, lille = world["lyon.test"], world["lille.test"]
        alice = await meet(world)
        await rotates(lyon, alice)
        world.clock.advance(SECOND)
        post = await lyon.publishes("alice", "Bonjour")
        await world.settle()
        assert deliveries(world, "lille.test") == [("Update", "main-key"), ("Create", "main-key-2")]
        assert await lille.has(post)
        copy = await lille.find("alice@lyon.test")
        assert copy is not None
        names = {key.uri.partition("#")[2] for key in await keys_of(lille, copy)}
        assert names == {"main-key", "ed25519-key", "main-key-2", "ed25519-key-2"}


async def test_the_actor_shows_old_and_new_keys_for_as_long_as_a_delivery_is_tried(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon = world["lyon.test"]
        alice = await lyon.member("alice")
        old_rsa, old_ed25519 = await keys_of(lyon, alice)
        before = await document_of(lyon, alice)
        assert (before["publicKey"]["id"], "verificationMethod" in before) == (f"{alice.uri}#main-key", False)
        world.clock.advance(DAY)
        new_rsa, new_ed25519 = (await rotates(lyon, alice)).keys.new
        during = await document_of(lyon, alice)
        # One object, the new key: many peers read no list, and take what they find for all that there is.
        assert during["publicKey"] == {"id": new_rsa.uri, "owner": alice.uri, "publicKeyPem": new_rsa.public}
        assert [method["publicKeyMultibase"] for method in during["assertionMethod"]] == [
            new_ed25519.public,
            old_ed25519.public,
            parse_public_pem(old_rsa.public).multikey,
        ]
        assert {method["controller"] for method in during["assertionMethod"]} == {alice.uri}
        assert {new_rsa.uri, new_ed25519.uri}.isdisjoint({old_rsa.uri, old_ed25519.uri})
        await world.pass_time(OVERLAP - SECOND)
        assert await document_of(lyon, alice) == during
        await world.pass_time(SECOND)
        after = await document_of(lyon, alice)
        assert after["publicKey"] == during["publicKey"]
        assert [method["id"] for method in after["assertionMethod"]] == [new_ed25519.uri]
        assert "verificationMethod" not in after
        await world.pass_time(HOUR)
        assert [key.uri for key in await keys_of(lyon, alice) if key.sealed is not None] == [
            new_rsa.uri,
            new_ed25519.uri,
        ]


async def test_what_was_owed_before_is_signed_with_the_key_that_was_known_then() -> None:
    async with a_world("lyon.test", "lille.test") as world:
        lyon, lille = world["lyon.test"], world["lille.test"]
        alice = await meet(world)
        world.down("lille.test")
        early = await lyon.publishes("alice", "Avant")
        world.clock.advance(SECOND)
        await rotates(lyon, alice)
        world.clock.advance(SECOND)
        late = await lyon.publishes("alice", "Après")
        await world.settle()
        world.internet.requests.clear()
        world.up("lille.test")
        await world.pass_time(DAY)
        told = [("Create", "main-key"), ("Update", "main-key"), ("Create", "main-key-2")]
        assert deliveries(world, "lille.test") == told
        assert await lille.has(early)
        assert await lille.has(late)


async def test_a_peer_that_never_heard_of_the_new_key_finds_it_at_the_actor(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test") as world:
        lyon, lille = world["lyon.test"], world["lille.test"]
        await lille.member("roy")
        alice = await meet(world)
        world.internet.loses = lambda _request: False
        await rotates(lyon, alice)
        async with lyon.instance.store.transaction("as if the Update was lost") as tx:
            await tx.run(sql("DELETE FROM delivery WHERE host = 'lille.test'"))
        world.clock.advance(SECOND)
        post = await lyon.publishes("alice", "Bonjour")
        await world.settle()
        assert await lille.has(post)
        asked = [request.target for request in world.internet.sent_to("lyon.test") if request.method == "GET"]
        assert asked.count("/users/alice") == 1


async def test_proofs_are_made_with_the_new_key_at_once_but_for_the_news_of_it(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test") as world:
        lyon = world["lyon.test"]
        alice = await meet(world)
        rotated = await rotates(lyon, alice)
        world.clock.advance(SECOND)
        await lyon.publishes("alice", "Bonjour")
        await world.settle()
        sent = [orjson.loads(request.body) for request in world.internet.sent_to("lille.test") if request.body]
        methods = [proofs.read(activity, now=world.clock.now()) for activity in sent]
        public = {key.uri: key.public for key in (*rotated.keys.new, *rotated.keys.old)}
        for proof in methods:
            proofs.verify(proof, parse_multikey(public[proof.verification_method]))
        names = [proof.verification_method.partition("#")[2] for proof in methods]
        assert names == ["ed25519-key", "ed25519-key-2"]


async def test_at_most_one_key_overlaps_with_the_one_that_signs(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon = world["lyon.test"]
        alice = await lyon.member("alice")
        for _ in range(3):
            world.clock.advance(HOUR)
            await rotates(lyon, alice)
        document = await document_of(lyon, alice)
        assert document["publicKey"]["id"] == f"{alice.uri}#main-key-4"
        names = [method["id"].partition("#")[2] for method in document["assertionMethod"]]
        assert names == ["ed25519-key-4", "ed25519-key-3", "main-key-3"]


async def test_the_instance_fetches_with_its_new_key_when_everybody_was_told(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test") as world:
        lyon, lille = world["lyon.test"], world["lille.test"]
        await meet(world)
        us = await lyon.instance.actor()
        await rotates(lyon, us)
        await world.settle()
        assert deliveries(world, "lille.test") == [("Update", "main-key")]
        roy = await lille.member("roy")
        for wait, key in ((0, "main-key"), (ANNOUNCED, "main-key"), (SECOND, "main-key-2")):
            world.clock.advance(wait)
            world.internet.requests.clear()
            await lyon.instance.lookup.refresh(roy.uri)
            (asked,) = [each for each in world.internet.sent_to("lille.test") if each.target == "/users/roy"]
            assert signed_with(asked).partition("#")[2] == key


# ── stolen ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.case("C18")
async def test_a_stolen_key_is_gone_with_the_commit_and_every_peer_is_told(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test", "nantes.test") as world:
        lyon, lille, nantes = world["lyon.test"], world["lille.test"], world["nantes.test"]
        await lyon.instance.lookup.actor((await nantes.member("zoe")).uri)  # Lyon knows it; nobody there follows Alice
        alice = await meet(world)
        stolen = await private(lyon, alice, f"{alice.uri}#main-key")
        old_rsa, old_ed25519 = await keys_of(lyon, alice)
        new_rsa, new_ed25519 = (await rotates(lyon, alice, compromised=True)).keys.new
        # Not a millisecond later:
        document = await document_of(lyon, alice)
        assert document["publicKey"]["id"] == new_rsa.uri
        assert [method["id"] for method in document["assertionMethod"]] == [new_ed25519.uri]
        assert {method["id"]: method["publicKeyMultibase"] for method in document["verificationMethod"]} == {
            old_rsa.uri: parse_public_pem(old_rsa.public).multikey,
            old_ed25519.uri: old_ed25519.public,
        }
        assert all("revoked" in method for method in document["verificationMethod"])
        assert [key.uri for key in await keys_of(lyon, alice) if key.sealed] == [new_rsa.uri, new_ed25519.uri]
        await world.settle()
        assert deliveries(world, "lille.test") == [("Update", "main-key-2")]
        assert deliveries(world, "nantes.test") == [("Update", "main-key-2")]
        copy = await lille.find("alice@lyon.test")
        assert copy is not None
        assert {key.uri for key in await keys_of(lille, copy)} == {new_rsa.uri, new_ed25519.uri}
        thief = Stranger(world, "thief.test").person("mallory")
        forged = thief.create("<p>Faux</p>") | {"id": f"{alice.uri}/posts/7", "actor": alice.uri}
        letter = signed(thief.letter(lille, forged), "cavage", old_rsa.uri, stolen, world.clock.now())
        assert (await letter.send(lille)).status == 401


@pytest.mark.case("C18")
async def test_nobody_is_signed_out_because_a_key_was_replaced(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon = world["lyon.test"]
        alice = await lyon.member("alice")
        now = world.clock.now()
        session = oauth.Session(
            token_hash="t",
            account_id=alice.id,
            csrf="c",
            created_at=now,
            last_seen=now,
            expires_at=now + DAY,
            user_agent="",
        )
        async with lyon.instance.store.transaction("sign in") as tx:
            await oauth.add_session(tx, session)
        before = await lyon.contents()
        await rotates(lyon, alice, compromised=True)
        after = await lyon.contents()
        assert [before[name] == after[name] for name in ("web_session", "oauth_token", "member")] == [True] * 3
        assert before["account_key"] != after["account_key"]


@pytest.mark.case("C18", "X23")
async def test_no_process_signs_with_a_stolen_key_for_longer_than_a_second(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test") as world:
        lyon = world["lyon.test"]
        alice = await meet(world)
        assert (await lyon.instance.keyring.both(alice.id)).rsa[0] == f"{alice.uri}#main-key"
        await rotates(lyon, alice, compromised=True)
        assert (await lyon.instance.keyring.both(alice.id)).rsa[0] == f"{alice.uri}#main-key-2"


@pytest.mark.case("X23")
async def test_what_cannot_be_signed_is_not_delivered_and_not_lost(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test") as world:
        lyon, lille = world["lyon.test"], world["lille.test"]
        alice = await meet(world)
        post = await lyon.publishes("alice", "Bonjour")
        (rsa,) = [key for key in await keys_of(lyon, alice) if key.kind == "rsa"]
        async with lyon.instance.store.transaction("the key is missing") as tx:
            await accounts.forget_private_part(tx, rsa.uri)
        await world.settle()
        assert world.internet.sent_to("lille.test") == []
        async with lyon.instance.store.transaction("and is found again") as tx:
            await tx.run(_GIVE_BACK, uri=rsa.uri, sealed=rsa.sealed)
            tx.wake(accounts.OWN_KEYS)
        await world.pass_time(DAY)
        assert await lille.has(post)


@pytest.mark.case("X23")
async def test_nothing_public_is_promised_without_a_proof(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test") as world:
        lyon = world["lyon.test"]
        alice = await meet(world)
        async with lyon.instance.store.transaction("the key is missing") as tx:
            await accounts.forget_private_part(tx, f"{alice.uri}#ed25519-key")
        with pytest.raises(Misconfigured):
            await lyon.publishes("alice", "Bonjour")
        await world.settle()
        assert world.internet.sent_to("lille.test") == []


async def test_only_living_accounts_of_this_instance_get_keys(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test") as world:
        lyon, lille = world["lyon.test"], world["lille.test"]
        alice = await meet(world)
        copy = await lille.find("alice@lyon.test")
        assert copy is not None
        with pytest.raises(Invalid):
            await rotates(lille, copy)
        async with lyon.instance.store.transaction("leave") as tx:
            await accounts.mark_gone(tx, alice.id, world.clock.now())
            gone = await accounts.get(tx, alice.id)
        with pytest.raises(Gone):
            await rotates(lyon, gone)


# ── attestations ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.case("N08")
@pytest.mark.parametrize("compromised", [False, True])
async def test_what_an_instance_attests_of_its_own_members_survives_their_new_keys(
    open_world: Open, *, compromised: bool
) -> None:
    async with open_world("lyon.test", "lille.test") as world:
        lyon, lille = world["lyon.test"], world["lille.test"]
        await lille.judges("lyon.test", Level.TRUSTED)
        alice = await meet(world)
        await attests(lyon, "alice")
        await world.settle()
        assert await state(lille, "alice@lyon.test") is CredentialState.TRUSTED
        rotated = await rotates(lyon, alice, compromised=compromised)
        assert (rotated.bound_again, rotated.unbound) == (1, 0)
        await world.settle()
        assert await state(lyon, "alice") is CredentialState.TRUSTED
        assert await state(lille, "alice@lyon.test") is CredentialState.TRUSTED
        (credential,) = await shown(lille, "alice@lyon.test")
        assert credential.claim.subject_key == f"did:key:{rotated.keys.new[1].public}"


@pytest.mark.case("N08")
async def test_a_key_that_another_instance_attests_by_is_shown_for_as_long_unless_it_was_stolen(
    open_world: Open,
) -> None:
    async with open_world("lyon.test", "lille.test") as world:
        lyon, lille = world["lyon.test"], world["lille.test"]
        await lille.judges("lyon.test", Level.TRUSTED)
        await lyon.judges("lille.test", Level.TRUSTED)
        alice = await meet(world)
        await attests(lille, "alice@lyon.test")
        await world.settle()
        async with lyon.instance.store.transaction("accept") as tx:
            (offered,) = await credentials.of_account(tx, alice.id)
            await consent.accept(tx, lyon.instance.here, alice, offered.id)
        await world.settle()
        assert await state(lyon, "alice") is CredentialState.TRUSTED
        rotated = await rotates(lyon, alice)
        assert (rotated.bound_again, rotated.unbound) == (0, 0)
        for _ in range(8):
            await world.pass_time(DAY)
        await world.pass_time(HOUR)  # lists are signed anew, and then fetched
        document = await document_of(lyon, alice)
        names = [method["id"].partition("#")[2] for method in document["assertionMethod"]]
        assert names == ["ed25519-key-2", "ed25519-key"]
        (old,) = [key for key in await keys_of(lyon, alice) if key.uri.endswith("#ed25519-key")]
        assert old.sealed is None
        await lille.instance.lookup.refresh(alice.uri)
        await world.settle()
        assert await state(lyon, "alice") is CredentialState.TRUSTED
        assert await state(lille, "alice@lyon.test") is CredentialState.TRUSTED
        stolen = await rotates(lyon, alice, compromised=True)
        assert (stolen.bound_again, stolen.unbound) == (0, 1)
        await world.settle()
        assert await state(lyon, "alice") is CredentialState.KEY_DISCONTINUITY
        assert await state(lille, "alice@lyon.test") is CredentialState.KEY_DISCONTINUITY


# ── peers that rotate ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.case("C13")
@pytest.mark.parametrize("name", ["main-key", "key-2"])
async def test_a_peers_new_key_is_looked_up_once_and_then_known(open_world: Open, name: str) -> None:
    async with open_world("lyon.test") as world:
        lyon = world["lyon.test"]
        peer = Stranger(world, "peer.test")
        bob = peer.person("bob")
        assert (await bob.sends(lyon, bob.create("<p>1</p>"))).status == 202
        await world.pass_time(HOUR)
        peer.asked.clear()
        old = bob.rsa
        bob.changes_keys(name=name)
        for words in ("2", "3"):
            assert (await bob.sends(lyon, bob.create(f"<p>{words}</p>"))).status == 202
        # The key before is in its document no more, and is not believed, whatever it was remembered as.
        late = signed(bob.letter(lyon, bob.create("<p>4</p>")), "cavage", f"{bob.uri}#main-key", old, world.clock.now())
        assert (await late.send(lyon)).status == 401
        assert peer.asked.count("/users/bob") == 1


@pytest.mark.case("C13")
async def test_a_key_that_a_peer_withdraws_is_refused_from_the_next_request_on(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon = world["lyon.test"]
        bob = Stranger(world, "peer.test").person("bob")
        assert (await bob.sends(lyon, bob.create("<p>1</p>"))).status == 202
        old, old_id = bob.rsa, bob.key_id
        bob.changes_keys(name="key-2")
        update = bob.activity("Update", bob.document(), to=[PUBLIC])
        assert (await bob.sends(lyon, update)).status == 202
        await world.settle()
        late = signed(bob.letter(lyon, bob.create("<p>2</p>")), "cavage", old_id, old, world.clock.now())
        assert (await late.send(lyon)).status == 401


@pytest.mark.parametrize("end", ["revoked", "expires"])
@pytest.mark.parametrize(
    ("after", "status"), [("2020-01-01T00:00:00Z", 401), ("never", 401), ("2199-01-01T00:00:00Z", 202)]
)
async def test_a_key_that_its_actor_lists_with_an_end_counts_until_then(end: str, after: str, status: int) -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        peer = Stranger(world, "peer.test")
        bob = peer.person("bob")
        key: dict[str, Any] = bob.document()["publicKey"] | {end: after}
        peer.documents["/users/bob"] = bob.document(publicKey=key)
        assert (await bob.sends(lyon, bob.create("<p>1</p>"))).status == status


@pytest.mark.case("C13", "D19")
async def test_proofs_by_keys_that_nobody_lists_make_us_ask_their_actor_once(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon = world["lyon.test"]
        good = Stranger(world, "good.test")
        alice, rita = good.person("alice"), Stranger(world, "relay.test").person("rita")
        for number in range(3):
            create = alice.proven(alice.create("<p>1</p>", to=[PUBLIC]))
            create["proof"]["verificationMethod"] = f"{alice.uri}#key-{number}"
            assert (await rita.sends(lyon, create)).status == 401
        assert good.asked.count("/users/alice") == 1


# ── keys that the policy revokes ─────────────────────────────────────────────────────────────────────────────


async def revokes(site: Site, *keys: str) -> None:
    """An admin puts a policy in force that revokes exactly these keys (Multikeys)."""
    listed = ", ".join(f'"{key}"' for key in keys)
    async with site.instance.store.transaction("apply policy") as tx:
        before = await policy.current(tx)
        new = policies.from_toml(f"revoked_keys = [{listed}]")
        await policy.apply(tx, site.instance.here, new, base=before.version, by="test")


@pytest.mark.case("C14")
async def test_signatures_by_a_revoked_key_are_refused_from_the_next_request_on(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon = world["lyon.test"]
        bob = Stranger(world, "peer.test").person("bob")
        assert (await bob.sends(lyon, bob.create("<p>1</p>"))).status == 202
        member = await lyon.member("alice")
        assert (await bob.asks(lyon, member.uri)).status == 200
        await revokes(lyon, bob.rsa.public.multikey)
        for scheme in ("cavage", "rfc9421"):
            assert (await bob.sends(lyon, bob.create("<p>2</p>"), scheme=scheme)).status == 401
        assert (await bob.asks(lyon, member.uri)).status == 401
        await revokes(lyon)
        assert (await bob.sends(lyon, bob.create("<p>3</p>"))).status == 202


@pytest.mark.case("C14")
async def test_a_revoked_key_is_refused_under_whatever_name_it_comes(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon = world["lyon.test"]
        peer = Stranger(world, "peer.test")
        bob = peer.person("bob")
        await revokes(lyon, bob.rsa.public.multikey)
        assert (await bob.sends(lyon, bob.create("<p>1</p>"))).status == 401
        bob.key_name = "another-name"
        peer.documents["/users/bob"] = bob.document()
        await world.pass_time(HOUR)
        assert (await bob.sends(lyon, bob.create("<p>2</p>"))).status == 401


@pytest.mark.case("C14")
async def test_a_peer_whose_stolen_key_is_revoked_here_is_heard_again_with_a_new_one(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon = world["lyon.test"]
        bob = Stranger(world, "peer.test").person("bob")
        assert (await bob.sends(lyon, bob.create("<p>1</p>"))).status == 202
        await revokes(lyon, bob.rsa.public.multikey)
        bob.changes_keys()
        await world.pass_time(5 * MINUTE)
        assert (await bob.sends(lyon, bob.create("<p>2</p>"))).status == 202


@pytest.mark.case("C14")
async def test_proofs_by_a_revoked_key_are_refused(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon = world["lyon.test"]
        alice, rita = Stranger(world, "good.test").person("alice"), Stranger(world, "relay.test").person("rita")

        async def passes_on(words: str) -> int:
            return (await rita.sends(lyon, alice.proven(alice.create(words, to=[PUBLIC])))).status

        assert await passes_on("<p>1</p>") == 202
        await revokes(lyon, alice.ed25519.public.multikey)
        assert await passes_on("<p>2</p>") == 401


@pytest.mark.case("C14", "C18")
async def test_every_process_hears_of_new_keys_and_of_revoked_ones_at_once(postgres: PostgresServer) -> None:
    url = await postgres.create()
    async with a_world("lyon.test", databases=[url]) as world:
        lyon = world["lyon.test"]
        alice, bob = await lyon.member("alice"), Stranger(world, "peer.test").person("bob")
        assert (await bob.sends(lyon, bob.create("<p>1</p>"))).status == 202
        world.clock.advance(HOUR)
        ours, settings = lyon.instance.here, lyon.instance.settings
        async with open_instance(
            settings, role="server", clock=world.clock, transport=world.internet, vault=ours.vault, durable=False
        ) as other:
            assert (await other.keyring.both(alice.id)).rsa[0] == f"{alice.uri}#main-key"
            assert await other.identifier.find(bob.key_id) is not None
            await rotates(lyon, alice, compromised=True)
            await revokes(lyon, bob.rsa.public.multikey)
            # The clock stands still, so that nothing that is remembered grows old: it has to be told.
            async with asyncio.timeout(1):
                while (await other.keyring.both(alice.id)).rsa[0] != f"{alice.uri}#main-key-2":  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
                while await other.identifier.find(bob.key_id) is not None:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
    await postgres.drop(url)
