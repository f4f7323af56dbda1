"""Attestations across instances: a society attests, a hospital shows, a third instance decides for itself."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import orjson
import pytest

from medfed.accounts.promise import promise
from medfed.activitypub import render
from medfed.activitypub.keys import generate_ed25519
from medfed.domain import policies
from medfed.domain.accounts import Account, ProfileField, parse_handle
from medfed.domain.credentials import Attestation, Credential, CredentialState
from medfed.domain.peers import Level
from medfed.domain.posts import Requirement
from medfed.kernel.clock import HOUR, MINUTE, SECOND
from medfed.kernel.errors import Conflict, Invalid, RemoteGone
from medfed.kernel.limits import MIB
from medfed.net.fetch import CREDENTIAL_TYPES, fetch_json
from medfed.storage import accounts, credentials, outbox
from medfed.storage import issuer as issuing
from medfed.verification import announce, consent, issuer, pins, policy, revoke
from medfed.verification.attest import Statement, attest
from medfed.verification.decide import decide_issuer
from medfed.verification.gate import qualifying
from medfed.verification.refresh import pushed
from medfed.verification.standing import states_for
from tests.support.world import Site, World, a_world

CARDIOLOGIST = Statement(profession="physician", specialties=("cardiology",), country="FR", assurance="substantial")


async def attests(
    site: Site, handle: str, statement: Statement = CARDIOLOGIST, *, accepted: bool = True
) -> Attestation:
    """A site attests an account, of its own or of a peer."""
    subject = await site.find(handle)
    assert subject is not None
    async with site.instance.store.transaction("attest") as tx:
        return await attest(tx, site.instance.here, subject, statement, by="test", accepted=accepted)


async def shown(site: Site, handle: str) -> list[Credential]:
    """What a site makes of what an account shows."""
    account = await site.find(handle)
    assert account is not None
    async with site.instance.store.view() as view:
        return (await states_for(view, site.instance.here, [account.id])).get(account.id, [])


async def state(site: Site, handle: str) -> CredentialState | None:
    """Where the only attestation of an account stands at a site; None when it shows none."""
    found = await shown(site, handle)
    assert len(found) <= 1
    return found[0].state if found else None


async def everything(site: Site, handle: str) -> list[Credential]:
    """What a site knows of an account, shown or not."""
    account = await site.find(handle)
    assert account is not None
    async with site.instance.store.view() as view:
        return await credentials.of_account(view, account.id)


@asynccontextmanager
async def two() -> AsyncIterator[tuple[World, Site, Site]]:
    """Lyon, whose Alice is followed from Lille; Lille trusts Lyon."""
    async with a_world("lyon.test", "lille.test") as world:
        lyon, lille = world["lyon.test"], world["lille.test"]
        await lille.judges("lyon.test", Level.TRUSTED)
        await world.follow("bob@lille.test", "alice@lyon.test")
        yield world, lyon, lille


async def test_an_attestation_by_a_trusted_issuer_counts() -> None:
    async with two() as (world, lyon, lille):
        await attests(lyon, "alice")
        await world.settle()
        (credential,) = await shown(lille, "alice@lyon.test")
        assert credential.state is CredentialState.TRUSTED, credential.reason.text
        assert credential.claim.specialties == ("cardiology",)
        assert credential.assurance == "substantial"
        assert [step.role for step in credential.path] == ["yours", "issuer"]
        assert await state(lyon, "alice") is CredentialState.TRUSTED


async def test_an_attestation_by_an_issuer_nobody_trusts_is_shown_as_just_that() -> None:
    async with a_world("lyon.test", "lille.test") as world:
        lyon, lille = world["lyon.test"], world["lille.test"]
        await world.follow("bob@lille.test", "alice@lyon.test")
        await attests(lyon, "alice")
        await world.settle()
        (credential,) = await shown(lille, "alice@lyon.test")
        assert credential.state is CredentialState.UNTRUSTED
        assert credential.reason.text == "this instance does not recognise Lyon"


async def test_a_change_of_level_changes_badges_at_once() -> None:
    async with two() as (world, lyon, lille):
        await attests(lyon, "alice")
        await world.settle()
        await lille.judges("lyon.test", Level.FEDERATED)
        assert await state(lille, "alice@lyon.test") is CredentialState.UNTRUSTED
        await lille.judges("lyon.test", Level.TRUSTED)
        assert await state(lille, "alice@lyon.test") is CredentialState.TRUSTED


async def test_attestations_made_before_an_account_was_known_are_found_with_it() -> None:
    async with a_world("lyon.test", "lille.test") as world:
        lyon, lille = world["lyon.test"], world["lille.test"]
        await lille.judges("lyon.test", Level.TRUSTED)
        await lyon.member("alice")
        await attests(lyon, "alice")
        await world.settle()
        await lille.instance.lookup.handle(parse_handle("@alice@lyon.test"))
        await world.settle()
        assert await state(lille, "alice@lyon.test") is CredentialState.TRUSTED


async def test_an_attestation_made_after_an_account_was_known_reaches_trusted_peers_and_the_issuer() -> None:
    async with a_world("lyon.test", "lille.test", "society.test") as world:
        lyon, lille, society = world["lyon.test"], world["lille.test"], world["society.test"]
        await lyon.judges("society.test", Level.TRUSTED)
        await lyon.judges("lille.test", Level.TRUSTED)
        await lille.judges("society.test", Level.TRUSTED)
        member = await lyon.member("alice")
        for site in (lille, society):
            await site.instance.lookup.handle(parse_handle("@alice@lyon.test"))
        await world.settle()
        await attests(society, "alice@lyon.test")
        await world.settle()
        (offered,) = await everything(lyon, "alice")
        async with lyon.instance.store.transaction("accept") as tx:
            await consent.accept(tx, lyon.instance.here, member, offered.id)
        await world.settle()
        assert await state(society, "alice@lyon.test") is CredentialState.TRUSTED
        assert await state(lille, "alice@lyon.test") is CredentialState.TRUSTED


@pytest.mark.parametrize("last", ["lyon.test", "lille.test"])
async def test_attestations_that_were_refused_to_a_limited_peer_appear_once_both_sides_federate(last: str) -> None:
    async with a_world("lyon.test", "lille.test") as world:
        lyon, lille = world["lyon.test"], world["lille.test"]
        for site, other in ((lyon, "lille.test"), (lille, "lyon.test")):
            await site.judges(other, Level.LIMITED)
        await world.follow("bob@lille.test", "alice@lyon.test")
        await attests(lyon, "alice")
        await world.settle()
        assert await shown(lille, "alice@lyon.test") == []
        first = "lille.test" if last == "lyon.test" else "lyon.test"
        for site, other in ((world[first], last), (world[last], first)):
            await site.judges(other, Level.TRUSTED)
            await world.settle()
        assert await state(lille, "alice@lyon.test") is CredentialState.TRUSTED


async def test_a_limited_peer_is_not_shown_attestations() -> None:
    async with two() as (world, lyon, lille):
        await lyon.judges("lille.test", Level.LIMITED)
        await attests(lyon, "alice")
        await world.settle()
        assert await shown(lille, "alice@lyon.test") == []


# ── what is not authentic ────────────────────────────────────────────────────────────────────────────────────


async def falsify(site: Site, handle: str, change: Callable[[dict[str, Any]], None], *, onto: str = "") -> None:
    """A server alters what an account of its shows, or shows it on another account."""
    (credential,) = await shown(site, handle)
    document = orjson.loads(credential.document)
    change(document)
    holder = await site.find(onto or handle)
    assert holder is not None
    altered = replace(credential, document=orjson.dumps(document).decode(), account_id=holder.id)
    if onto:
        altered = replace(altered, id=site.instance.here.ids.new())
    async with site.instance.store.transaction("falsify") as tx:
        await credentials.put(tx, altered)


async def looks_again(site: Site, handle: str) -> None:
    """A site looks at what an account shows."""
    account = await site.find(handle)
    assert account is not None
    await site.instance.recogniser.check_account(account.id)


@pytest.mark.case("N01")
async def test_a_tampered_attestation_is_invalid_and_says_why() -> None:
    def promote(document: dict[str, Any]) -> None:
        document["credentialSubject"]["assuranceLevel"] = "high"

    async with two() as (world, lyon, lille):
        await attests(lyon, "alice")
        await world.settle()
        await falsify(lyon, "alice", promote)
        await looks_again(lille, "alice@lyon.test")
        (credential,) = await shown(lille, "alice@lyon.test")
        assert credential.state is CredentialState.INVALID
        assert "the proof does not verify" in credential.reason.text


@pytest.mark.case("N03", "N09")
async def test_an_attestation_of_somebody_else_is_invalid() -> None:
    async with two() as (world, lyon, lille):
        await lyon.member("mallory")
        await world.follow("bob@lille.test", "mallory@lyon.test")
        await attests(lyon, "alice")
        await world.settle()
        await falsify(lyon, "alice", lambda _document: None, onto="mallory")
        await looks_again(lille, "mallory@lyon.test")
        (credential,) = await shown(lille, "mallory@lyon.test")
        assert credential.state is CredentialState.INVALID
        assert credential.reason.text == "it is about somebody else"
        assert await state(lille, "alice@lyon.test") is CredentialState.TRUSTED


async def test_an_attestation_that_its_subject_shows_no_longer_counts_for_nothing() -> None:
    async with two() as (world, lyon, lille):
        await attests(lyon, "alice")
        await world.settle()
        alice = await lyon.find("alice")
        assert alice is not None
        (mine,) = await shown(lyon, "alice")
        async with lyon.instance.store.transaction("withdraw") as tx:
            await consent.withdraw(tx, lyon.instance.here, alice, mine.id)
        await world.settle()
        assert await shown(lille, "alice@lyon.test") == []
        (known,) = await everything(lille, "alice@lyon.test")
        assert (known.consent, known.state) == ("withdrawn", CredentialState.INVALID)
        assert known.reason.text == "the account does not show it"
        async with lyon.instance.store.transaction("publish") as tx:
            await consent.publish(tx, lyon.instance.here, alice, mine.id)
        await world.settle()
        assert await state(lille, "alice@lyon.test") is CredentialState.TRUSTED


@pytest.mark.case("N12", "N11")
async def test_what_a_server_says_of_its_own_people_in_profiles_is_no_attestation() -> None:
    async with two() as (world, lyon, lille):
        alice = await lyon.find("alice")
        assert alice is not None
        boast = replace(
            alice,
            display_name="Alice ✔ verified by Lille",
            fields=(ProfileField(name="Cardiologist (attested)", value="yes"),),
        )
        async with lyon.instance.store.transaction("boast") as tx:
            await accounts.store(tx, boast)
        await lille.instance.lookup.refresh(alice.uri)
        await world.settle()
        assert await shown(lille, "alice@lyon.test") == []
        assert not await qualifies_for(lille, "alice@lyon.test", Requirement())


# ── time ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def qualifies_for(site: Site, handle: str, requirement: Requirement) -> bool:
    """Whether an account shows enough for a requirement, as a site sees it."""
    account = await site.find(handle)
    assert account is not None
    async with site.instance.store.view() as view:
        return requirement in await qualifying(view, site.instance.here, account.id, [requirement])


@pytest.mark.case("N05")
async def test_an_attestation_expires_by_itself_while_every_worker_sleeps() -> None:
    async with two() as (world, lyon, lille):
        issued = await attests(lyon, "alice", replace(CARDIOLOGIST, valid_for=HOUR))
        await world.settle()
        left = issued.valid_until - world.clock.now()
        world.clock.advance(left - SECOND)
        assert await state(lille, "alice@lyon.test") is CredentialState.TRUSTED
        assert await qualifies_for(lille, "alice@lyon.test", Requirement(specialties=("cardiology",)))
        world.clock.advance(SECOND)
        assert await state(lille, "alice@lyon.test") is CredentialState.EXPIRED
        assert await state(lyon, "alice") is CredentialState.EXPIRED
        assert not await qualifies_for(lille, "alice@lyon.test", Requirement())


@pytest.mark.case("N07")
async def test_an_issuer_that_falls_silent_is_believed_for_a_day_and_not_trusted_after_that() -> None:
    async with two() as (world, lyon, lille):
        await attests(lyon, "alice")
        await world.settle()
        world.down("lyon.test")
        await world.pass_time(23 * HOUR)
        assert await state(lille, "alice@lyon.test") is CredentialState.TRUSTED
        world.clock.advance(2 * HOUR)
        assert await state(lille, "alice@lyon.test") is CredentialState.STALE
        assert not await qualifies_for(lille, "alice@lyon.test", Requirement())
        await world.settle()
        (credential,) = await shown(lille, "alice@lyon.test")
        assert credential.state is CredentialState.STALE
        assert credential.reason.text == "Lyon has not confirmed it lately"
        await world.pass_time(72 * HOUR)
        assert await state(lille, "alice@lyon.test") is CredentialState.UNTRUSTED
        world.up("lyon.test")
        await lyon.worker.settle()
        await world.pass_time(HOUR)
        assert await state(lille, "alice@lyon.test") is CredentialState.TRUSTED


# ── withdrawal ───────────────────────────────────────────────────────────────────────────────────────────────


async def revokes(site: Site, issued: Attestation) -> None:
    """A verifier revokes."""
    async with site.instance.store.transaction("revoke") as tx:
        await revoke.revoke(tx, site.instance.here, issued.id, reason="an error", by="test")


async def undelivered(site: Site, host: str) -> None:
    """What a site still owes to a host never arrives."""
    async with site.instance.store.transaction("lose") as tx:
        await outbox.drop(tx, host)


async def test_a_revocation_that_is_pushed_takes_the_badge_away_at_once() -> None:
    async with two() as (world, lyon, lille):
        issued = await attests(lyon, "alice")
        await world.settle()
        await revokes(lyon, issued)
        await world.settle()
        (credential,) = await shown(lille, "alice@lyon.test")
        assert credential.state is CredentialState.REVOKED
        assert credential.reason.text == "withdrawn by Lyon"
        assert await state(lyon, "alice") is CredentialState.REVOKED
        with pytest.raises(Conflict):
            await revokes(lyon, issued)


async def test_a_revocation_is_noticed_by_polling_alone() -> None:
    async with two() as (world, lyon, lille):
        issued = await attests(lyon, "alice")
        await world.settle()
        await revokes(lyon, issued)
        await undelivered(lyon, "lille.test")
        await world.settle()
        assert await state(lille, "alice@lyon.test") is CredentialState.TRUSTED
        await world.pass_time(15 * MINUTE)
        assert await state(lille, "alice@lyon.test") is CredentialState.REVOKED


@pytest.mark.case("N06")
async def test_an_older_status_list_than_the_one_we_have_is_refused() -> None:
    async with two() as (world, lyon, lille):
        issued = await attests(lyon, "alice")
        await world.settle()
        async with lyon.instance.store.view() as view:
            before = await issuing.find_list(view, issued.revocation_list)
        assert before is not None
        await world.pass_time(MINUTE)
        await revokes(lyon, issued)
        await world.settle()
        async with lyon.instance.store.transaction("roll back") as tx:
            await issuing.put_list(tx, before)
        await world.pass_time(20 * MINUTE)
        assert await state(lille, "alice@lyon.test") is CredentialState.REVOKED
        async with lille.instance.store.transaction("replay") as tx:
            document = orjson.loads(before.document)
            assert await pushed(tx, lille.instance.here, document, cause="x") == "older than what we have"


async def test_a_suspension_ends_when_it_is_lifted() -> None:
    async with two() as (world, lyon, lille):
        issued = await attests(lyon, "alice")
        await world.settle()
        async with lyon.instance.store.transaction("suspend") as tx:
            await revoke.suspend(tx, lyon.instance.here, issued.id, reason="inquiry", by="test")
        await world.settle()
        assert await state(lille, "alice@lyon.test") is CredentialState.SUSPENDED
        async with lyon.instance.store.transaction("reinstate") as tx:
            await revoke.reinstate(tx, lyon.instance.here, issued.id, reason="closed", by="test")
        await world.settle()
        assert await state(lille, "alice@lyon.test") is CredentialState.TRUSTED


async def test_status_lists_are_signed_anew_long_before_they_expire() -> None:
    async with two() as (world, lyon, lille):
        await attests(lyon, "alice")
        await world.settle()
        for _ in range(30):
            await world.pass_time(HOUR)
        assert await state(lille, "alice@lyon.test") is CredentialState.TRUSTED


# ── offers ───────────────────────────────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def three() -> AsyncIterator[tuple[World, Site, Site, Site]]:
    """A society, a hospital whose Alice it knows, and a third instance that trusts the society, not the hospital."""
    async with a_world("society.test", "lyon.test", "lille.test") as world:
        society, lyon, lille = world["society.test"], world["lyon.test"], world["lille.test"]
        await lyon.judges("society.test", Level.TRUSTED)
        await lille.judges("society.test", Level.TRUSTED)
        await society.member("head")
        await lyon.member("alice")
        await world.follow("bob@lille.test", "alice@lyon.test")
        await society.instance.lookup.handle(parse_handle("@alice@lyon.test"))
        yield world, society, lyon, lille


async def offered(site: Site, username: str) -> tuple[Account, Credential]:
    """A member, and the one attestation that is on offer to them."""
    member = await site.find(username)
    assert member is not None
    (credential,) = [each for each in await everything(site, username) if each.consent == "offered"]
    return member, credential


async def test_an_offer_appears_only_once_it_is_accepted() -> None:
    async with three() as (world, society, lyon, lille):
        issued = await attests(society, "@alice@lyon.test")
        await world.settle()
        assert await shown(lyon, "alice") == []
        assert await shown(lille, "alice@lyon.test") == []
        member, credential = await offered(lyon, "alice")
        assert credential.claim.issuer == "did:web:society.test"
        async with lyon.instance.store.transaction("accept") as tx:
            await consent.accept(tx, lyon.instance.here, member, credential.id)
        await world.settle()
        assert await state(lyon, "alice") is CredentialState.TRUSTED
        assert await state(lille, "alice@lyon.test") is CredentialState.TRUSTED
        async with society.instance.store.view() as view:
            assert (await credentials.get_attestation(view, issued.id)).state == "accepted"
        with pytest.raises(Conflict):
            async with lyon.instance.store.transaction("accept twice") as tx:
                await consent.accept(tx, lyon.instance.here, member, credential.id)


async def test_an_offer_that_is_refused_never_appears() -> None:
    async with three() as (world, society, lyon, lille):
        issued = await attests(society, "@alice@lyon.test")
        await world.settle()
        member, credential = await offered(lyon, "alice")
        async with lyon.instance.store.transaction("decline") as tx:
            await consent.decline(tx, lyon.instance.here, member, credential.id)
        await world.settle()
        assert await shown(lille, "alice@lyon.test") == []
        async with society.instance.store.view() as view:
            assert (await credentials.get_attestation(view, issued.id)).state == "declined"


@pytest.mark.case("N01")
async def test_what_its_issuer_did_not_sign_is_not_even_offered() -> None:
    async with three() as (world, society, lyon, _):
        issued = await attests(society, "@alice@lyon.test")
        document = orjson.loads(issued.document)
        document["credentialSubject"]["assuranceLevel"] = "high"
        async with society.instance.store.transaction("falsify") as tx:
            await credentials.replace_document(tx, issued.id, orjson.dumps(document).decode())
        await world.settle()
        assert await everything(lyon, "alice") == []
        assert "attestation_offer" not in await lyon.told("alice")


@pytest.mark.case("N06")
async def test_an_offer_that_was_revoked_meanwhile_cannot_be_accepted() -> None:
    async with three() as (world, society, lyon, lille):
        issued = await attests(society, "@alice@lyon.test")
        await world.settle()
        member, credential = await offered(lyon, "alice")
        await revokes(society, issued)
        await world.settle()
        with pytest.raises(Conflict, match="withdrawn by"):
            async with lyon.instance.store.transaction("accept") as tx:
                await consent.accept(tx, lyon.instance.here, member, credential.id)
        await world.settle()
        assert await shown(lille, "alice@lyon.test") == []


async def test_what_was_declined_is_not_offered_again() -> None:
    async with three() as (world, society, lyon, _):
        issued = await attests(society, "@alice@lyon.test")
        await world.settle()
        member, credential = await offered(lyon, "alice")
        async with lyon.instance.store.transaction("decline") as tx:
            await consent.decline(tx, lyon.instance.here, member, credential.id)
        await world.settle()
        async with society.instance.store.transaction("insist") as tx:
            await announce.offer(tx, society.instance.here, replace(issued, offer_uri=f"{issued.offer_uri}x"), member)
        await world.settle()
        (still,) = await everything(lyon, "alice")
        assert still.consent == "declined"
        assert (await lyon.told("alice")).count("attestation_offer") == 1


async def test_what_is_on_offer_is_shown_to_the_subjects_server_only() -> None:
    async with three() as (_world, society, lyon, lille):
        issued = await attests(society, "@alice@lyon.test")
        for site, sign in ((lille, True), (lyon, False)):
            signer = await site.instance.sign_as_instance() if sign else None
            with pytest.raises(RemoteGone):
                await fetch_json(site.instance.net, issued.uri, types=CREDENTIAL_TYPES, sign=signer)
        signer = await lyon.instance.sign_as_instance()
        found = await fetch_json(lyon.instance.net, issued.uri, types=CREDENTIAL_TYPES, sign=signer)
        assert found.content_type == "application/vc"


async def test_a_society_revokes_what_a_hospital_shows_and_everybody_notices() -> None:
    async with three() as (world, society, lyon, lille):
        issued = await attests(society, "@alice@lyon.test")
        await world.settle()
        member, credential = await offered(lyon, "alice")
        async with lyon.instance.store.transaction("accept") as tx:
            await consent.accept(tx, lyon.instance.here, member, credential.id)
        await world.settle()
        await revokes(society, issued)
        await world.settle()
        assert await state(lyon, "alice") is CredentialState.REVOKED
        await world.pass_time(15 * MINUTE)
        assert await state(lille, "alice@lyon.test") is CredentialState.REVOKED


async def test_only_the_one_it_was_offered_to_answers_an_offer() -> None:
    async with three() as (world, society, lyon, _lille):
        issued = await attests(society, "@alice@lyon.test")
        mallory = await lyon.member("mallory")
        async with lyon.instance.store.transaction("forge") as tx:
            activity = render.activity(
                "Accept",
                id_=f"{mallory.uri}/activities/1",
                actor_uri=mallory.uri,
                object_=issued.offer_uri,
                to=[society.instance.here.uris.instance_actor],
            )
            inbox = outbox.Inbox(host=society.domain, url=society.instance.here.uris.shared_inbox)
            await promise(tx, lyon.instance.here, mallory, activity, [inbox])
        await world.settle()
        async with society.instance.store.view() as view:
            assert (await credentials.get_attestation(view, issued.id)).state == "offered"


# ── keys ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_issuer_rotates_its_key_and_nothing_is_lost() -> None:
    async with two() as (world, lyon, lille):
        await attests(lyon, "alice")
        await world.settle()
        await world.pass_time(MINUTE)
        async with lyon.instance.store.transaction("rotate") as tx:
            await issuer.replace_key(tx, lyon.instance.here, compromised=False, by="test")
        await world.settle()
        assert await state(lille, "alice@lyon.test") is CredentialState.TRUSTED
        assert await state(lyon, "alice") is CredentialState.TRUSTED
        await world.pass_time(2 * HOUR)
        assert await state(lille, "alice@lyon.test") is CredentialState.TRUSTED


@pytest.mark.case("N13")
async def test_all_that_a_compromised_key_made_dies_until_it_is_signed_anew() -> None:
    async with two() as (world, lyon, lille):
        await attests(lyon, "alice")
        await world.settle()
        (before,) = await shown(lille, "alice@lyon.test")
        await world.pass_time(MINUTE)
        async with lyon.instance.store.transaction("replace") as tx:
            await issuer.replace_key(tx, lyon.instance.here, compromised=True, by="test")
        await world.settle()
        # No key in common with what is pinned: an admin has to say that it is still the same issuer.
        assert await state(lille, "alice@lyon.test") is CredentialState.KEY_DISCONTINUITY
        async with lille.instance.store.transaction("confirm") as tx:
            await pins.confirm(tx, lille.instance.here, "did:web:lyon.test", by="test")
        # What was signed anew was fetched meanwhile; what only the old key signed stays dead.
        (after,) = await shown(lille, "alice@lyon.test")
        assert after.proof_key != before.proof_key
        assert after.state in (CredentialState.TRUSTED, CredentialState.STALE)
        async with lille.instance.store.transaction("as if it had not been signed anew") as tx:
            await credentials.put(tx, replace(after, document=before.document, proof_key=before.proof_key))
            await decide_issuer(tx, lille.instance.here, "did:web:lyon.test")
        (dead,) = await shown(lille, "alice@lyon.test")
        assert dead.state is CredentialState.INVALID
        assert dead.reason.code == "issuer-key-gone"
        await looks_again(lille, "alice@lyon.test")
        await world.pass_time(15 * MINUTE)
        assert await state(lille, "alice@lyon.test") is CredentialState.TRUSTED


@pytest.mark.case("N08")
async def test_an_account_with_another_key_has_to_be_confirmed() -> None:
    async with two() as (world, lyon, lille):
        await attests(lyon, "alice")
        await world.settle()
        alice = await lyon.find("alice")
        assert alice is not None
        async with lyon.instance.store.transaction("take over") as tx:
            (old,) = [key for key in await accounts.keys(tx, alice.id) if key.kind == "ed25519"]
            other = generate_ed25519().public.multikey
            await accounts.add_key(tx, replace(old, public=other))
        await lille.instance.lookup.refresh(alice.uri)
        await world.settle()
        (credential,) = await shown(lille, "alice@lyon.test")
        assert credential.state is CredentialState.KEY_DISCONTINUITY
        assert credential.reason.code == "subject-key"
        assert not await qualifies_for(lille, "alice@lyon.test", Requirement())


# ── the policy ───────────────────────────────────────────────────────────────────────────────────────────────


async def applies(site: Site, text: str) -> None:
    """An admin applies a policy."""
    async with site.instance.store.transaction("apply policy") as tx:
        before = await policy.current(tx)
        await policy.apply(tx, site.instance.here, policies.from_toml(text), base=before.version, by="test")


@pytest.mark.case("N04")
@pytest.mark.parametrize(
    ("accept", "reason"),
    [
        ('professions = ["nurse"]', "Lyon is not recognised here for the profession physician"),
        ('jurisdictions = ["DE"]', "Lyon is not recognised here for FR"),
        ('specialties = ["dermatology"]', "Lyon is not recognised here for the specialty cardiology"),
        ('credential_types = ["LicenceCredential"]', "Lyon is not recognised here for a SpecialtyCredential"),
    ],
)
async def test_an_issuer_is_recognised_for_what_the_policy_says_and_no_more(accept: str, reason: str) -> None:
    async with two() as (world, lyon, lille):
        await attests(lyon, "alice")
        await world.settle()
        await applies(lille, f'[[rules]]\nid = "lyon"\nanchor = "did:web:lyon.test"\n[rules.accept]\n{accept}\n')
        (credential,) = await shown(lille, "alice@lyon.test")
        assert credential.state is CredentialState.UNTRUSTED
        assert credential.reason.text == reason


@pytest.mark.case("N16")
@pytest.mark.parametrize("domain", ["sub.lyon.test", "lyon.test:8443", "xn--lyn-1na.test", "lyon.test.evil.test"])
async def test_a_name_that_is_only_like_a_trusted_one_is_not_trusted(domain: str) -> None:
    async with a_world("lyon.test", "lille.test") as world:
        lyon, lille = world["lyon.test"], world["lille.test"]
        await lille.judges(domain, Level.TRUSTED)
        await world.follow("bob@lille.test", "alice@lyon.test")
        await attests(lyon, "alice")
        await world.settle()
        assert await state(lille, "alice@lyon.test") is CredentialState.UNTRUSTED


@pytest.mark.case("N13")
async def test_a_dry_run_tells_what_applying_then_does() -> None:
    async with two() as (world, lyon, lille):
        await attests(lyon, "alice")
        await world.settle()
        text = 'deny = ["did:web:lyon.test"]\n[peers]\n"lyon.test" = "blocked"\n'
        async with lille.instance.store.view() as view:
            effects = await policy.dry_run(view, lille.instance.here, policies.from_toml(text))
        assert [(each.domain, each.after, each.follows) for each in effects.levels] == [("lyon.test", Level.BLOCKED, 1)]
        assert [(each.account, each.before, each.after) for each in effects.standings] == [
            ("alice@lyon.test", CredentialState.TRUSTED, CredentialState.UNTRUSTED)
        ]
        assert not effects.opens
        assert await state(lille, "alice@lyon.test") is CredentialState.TRUSTED
        await applies(lille, text)
        assert await state(lille, "alice@lyon.test") is CredentialState.UNTRUSTED
        async with lille.instance.store.view() as view:
            assert (await policy.current(view)).version == 1
        with pytest.raises(Conflict):
            async with lille.instance.store.transaction("stale") as tx:
                await policy.apply(tx, lille.instance.here, policies.from_toml(text), base=0, by="test")


async def test_an_instance_cannot_deny_itself() -> None:
    async with a_world("lyon.test") as world:
        for text in ('deny = ["did:web:lyon.test"]', '[peers]\n"lyon.test" = "limited"'):
            with pytest.raises(Invalid):
                await applies(world["lyon.test"], text)


# ── what is served ───────────────────────────────────────────────────────────────────────────────────────────


async def test_lists_and_keys_are_for_everybody_and_revalidate() -> None:
    async with two() as (_world, lyon, lille):
        issued = await attests(lyon, "alice")
        base = lyon.instance.here.uris.base
        for url, kind in (
            (lyon.instance.here.uris.status_list(issued.revocation_list), "application/vc"),
            (issued.uri, "application/vc"),
            (f"{base}/.well-known/did.json", "application/did+json"),
        ):
            answer = await lille.instance.net.get(url, accept=kind, limit=MIB)
            assert answer.status == 200
            assert answer.headers.get("content-type").startswith(kind)
            again = await lille.instance.net.get(
                url, accept=kind, limit=MIB, headers={"if-none-match": answer.headers.get("etag")}
            )
            assert again.status == 304


@pytest.mark.parametrize("path", ["/credentials/status/9", "/credentials/status/x", "/credentials/1", "/credentials/²"])
async def test_what_was_never_attested_is_not_found(path: str) -> None:
    async with two() as (_world, lyon, lille):
        url = lyon.instance.here.uris.base + quote(path)
        answer = await lille.instance.net.get(url, accept="application/vc", limit=MIB)
        assert answer.status == 404
