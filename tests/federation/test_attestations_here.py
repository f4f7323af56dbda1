"""Attestations inside one instance: requests and decisions, offers to members, files, tasks that come to nothing."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from medfed.accounts.promise import promise
from medfed.activitypub import render
from medfed.activitypub.render import Rendered
from medfed.domain.accounts import Account, Member
from medfed.domain.credentials import Attestation, CredentialState
from medfed.domain.peers import Level
from medfed.domain.posts import Requirement
from medfed.domain.trust import Decision
from medfed.kernel.clock import DAY, HOUR, MINUTE
from medfed.kernel.errors import Conflict, Forbidden, Invalid, Malformed, Misconfigured, NotFound, TooMany
from medfed.kernel.paging import Page
from medfed.storage import accounts, credentials, moderation, notifications, tasks, trust
from medfed.storage import issuer as issuing
from medfed.storage import requests as queue
from medfed.storage.outbox import Inbox
from medfed.verification import consent, decide, issuer, pins, requests, revoke, work
from medfed.verification.attest import Statement, attest
from medfed.verification.gate import qualifying
from medfed.verification.requests import Submission
from tests.federation.test_attestations import (
    CARDIOLOGIST,
    attests,
    everything,
    offered,
    shown,
    state,
    three,
    two,
)
from tests.support.world import Site, a_world

SUBMISSION = Submission(
    profession="physician", specialties=("cardiology",), country="FR", scheme="rpps", number="10 00 0000 009", note="…"
)


async def member_of(site: Site, username: str, role: Any = "member") -> Member:
    """A member with a role."""
    account = await site.member(username, role=role)
    async with site.instance.store.view() as view:
        found = await accounts.find_member(view, account.id)
    assert found is not None
    return found


async def asks(site: Site, username: str, submission: Submission = SUBMISSION) -> int:
    """A member asks to be attested; the request's id."""
    account = await site.member(username)
    async with site.instance.store.transaction("ask") as tx:
        return (await requests.ask(tx, site.instance.here, account, submission)).id


# ── asking ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.case("N30")
async def test_a_verifier_opens_a_request_approves_it_and_the_evidence_is_gone() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        here, store = lyon.instance.here, lyon.instance.store
        verifier = await member_of(lyon, "vera", "verifier")
        id_ = await asks(lyon, "alice")
        async with store.transaction("open") as tx:
            opened = await requests.open_request(tx, here, verifier, id_)
        assert (opened.number, opened.note, opened.also_claimed_by) == ("10 00 0000 009", "…", ())
        async with store.transaction("approve") as tx:
            issued = await requests.approve(tx, here, verifier, id_, CARDIOLOGIST, reason="seen")
        async with store.view() as view:
            closed = await queue.get(view, id_)
            trail = [entry.action for entry in await moderation.audit(view, Page())]
            waiting = await queue.waiting(view)
        assert (closed.state, closed.sealed, closed.attestation_id) == ("approved", b"", issued.id)
        assert closed.evidence_hash
        assert waiting == []
        assert trail[:3] == ["verification.approved", "attestation.issue", "verification.open"]
        assert await shown(lyon, "alice") == []
        assert (await offered(lyon, "alice"))[1].claim.uri == issued.uri
        with pytest.raises(Conflict):
            async with store.transaction("again") as tx:
                await requests.refuse(tx, here, verifier, id_, reason="late")


@pytest.mark.case("N10")
async def test_a_number_that_two_claim_is_seen_and_attested_to_neither_until_one_is_refused() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        here, store = lyon.instance.here, lyon.instance.store
        verifier = await member_of(lyon, "vera", "verifier")
        first = await asks(lyon, "alice")
        second = await asks(lyon, "mallory", replace(SUBMISSION, number="10000000009"))
        async with store.transaction("open") as tx:
            opened = await requests.open_request(tx, here, verifier, second)
        assert [account.username for account in opened.also_claimed_by] == ["alice"]
        with pytest.raises(Conflict):
            async with store.transaction("approve") as tx:
                await requests.approve(tx, here, verifier, second, CARDIOLOGIST)
        with pytest.raises(Invalid):
            async with store.transaction("refuse") as tx:
                await requests.refuse(tx, here, verifier, second, reason=" ")
        async with store.transaction("refuse") as tx:
            await requests.refuse(tx, here, verifier, second, reason="not your number")
        async with store.transaction("approve") as tx:
            await requests.approve(tx, here, verifier, first, CARDIOLOGIST)


async def test_nobody_verifies_themselves_and_only_verifiers_verify() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        verifier, member = await member_of(lyon, "vera", "verifier"), await member_of(lyon, "alice")
        own = await asks(lyon, "vera", replace(SUBMISSION, number=""))
        for who in (verifier, member):
            with pytest.raises(Forbidden):
                async with lyon.instance.store.transaction("open") as tx:
                    await requests.open_request(tx, lyon.instance.here, who, own)
        with pytest.raises(NotFound):
            async with lyon.instance.store.transaction("open") as tx:
                await requests.open_request(tx, lyon.instance.here, verifier, 1)


async def test_a_request_can_be_taken_back_by_whoever_made_it() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        id_ = await asks(lyon, "alice")
        alice, bob = await lyon.member("alice"), await lyon.member("bob")
        with pytest.raises(Forbidden):
            async with lyon.instance.store.transaction("take") as tx:
                await requests.take_back(tx, lyon.instance.here, bob, id_)
        async with lyon.instance.store.transaction("take back") as tx:
            await requests.take_back(tx, lyon.instance.here, alice, id_)
        with pytest.raises(Conflict):
            async with lyon.instance.store.transaction("take back twice") as tx:
                await requests.take_back(tx, lyon.instance.here, alice, id_)


async def test_a_request_is_checked_and_there_are_not_too_many() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        wrong = Submission(profession="x", specialties=("x",), country="x", scheme="x", number="1" * 61)
        with pytest.raises(Invalid) as refused:
            await asks(lyon, "alice", wrong)
        assert set(refused.value.fields) == {"profession", "specialties", "country", "scheme", "note"}
        for _ in range(3):
            await asks(lyon, "alice")
        with pytest.raises(TooMany):
            await asks(lyon, "alice")


# ── attesting ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_member_is_asked_before_anything_appears() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        await lyon.member("alice")
        issued = await attests(lyon, "alice", accepted=False)
        alice, credential = await offered(lyon, "alice")
        async with lyon.instance.store.view() as view:
            told = await notifications.page(view, alice.id, Page(), kinds=["attestation_offer"])
        assert [each.kind for each in told] == ["attestation_offer"]
        async with lyon.instance.store.transaction("accept") as tx:
            await consent.accept(tx, lyon.instance.here, alice, credential.id)
        assert await state(lyon, "alice") is CredentialState.TRUSTED
        async with lyon.instance.store.view() as view:
            assert (await credentials.get_attestation(view, issued.id)).state == "accepted"
            assert await credentials.attestations_of(view, alice.uri) == await credentials.attestations(view, Page())


async def test_consent_is_the_holders_and_follows_its_order() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        await lyon.member("alice")
        bob = await lyon.member("bob")
        await attests(lyon, "alice", accepted=False)
        alice, credential = await offered(lyon, "alice")
        here, store = lyon.instance.here, lyon.instance.store
        for step, who, error in (
            (consent.accept, bob, NotFound),
            (consent.withdraw, alice, Conflict),
            (consent.publish, alice, Conflict),
        ):
            with pytest.raises(error):
                async with store.transaction("refused") as tx:
                    await step(tx, here, who, credential.id)
        async with store.transaction("decline") as tx:
            await consent.decline(tx, here, alice, credential.id)
        with pytest.raises(Conflict):
            async with store.transaction("decline twice") as tx:
                await consent.decline(tx, here, alice, credential.id)
        assert await shown(lyon, "alice") == []


@pytest.mark.parametrize(
    "statement",
    [
        Statement(profession="wizard"),
        Statement(profession="nurse", assurance="high", methods=("document-review",)),
    ],
)
async def test_what_cannot_be_attested_is_refused(statement: Statement) -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        await lyon.member("alice")
        with pytest.raises(Invalid):
            await attests(lyon, "alice", statement)


async def test_an_account_without_a_key_cannot_be_attested() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        alice = await lyon.member("alice")
        async with lyon.instance.store.transaction("lose") as tx:
            await accounts.keep_only_keys(tx, alice.id, [f"{alice.uri}#main-key"])
        with pytest.raises(Invalid):
            await attests(lyon, "alice")


async def test_an_instance_without_keys_or_actor_says_so() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        here, store = lyon.instance.here, lyon.instance.store
        async with store.transaction("end") as tx:
            for key in await issuing.keys(tx):
                await issuing.end_key(tx, key.id, expires_at=here.now(), revoked_at=None)
        with pytest.raises(Misconfigured):
            async with store.view() as view:
                await issuer.current(view, here)
        with pytest.raises(Misconfigured):
            async with store.transaction("mark") as tx:
                await issuer.mark(tx, here, 7, 1, raised=True)


async def test_validity_is_in_whole_days_and_at_most_400() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        await lyon.member("alice")
        issued = await attests(lyon, "alice", replace(CARDIOLOGIST, valid_for=400 * DAY))
        assert issued.valid_from % DAY == issued.valid_until % DAY == 0
        assert issued.valid_until - issued.valid_from == 400 * DAY
        short = await attests(lyon, "alice", replace(CARDIOLOGIST, valid_for=HOUR))
        assert short.valid_until - world.clock.now() <= HOUR


async def test_suspending_and_reinstating_keep_their_order() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        await lyon.member("alice")
        issued = await attests(lyon, "alice", accepted=False)
        for step in (revoke.suspend, revoke.reinstate):
            with pytest.raises(Conflict):
                async with lyon.instance.store.transaction("refused") as tx:
                    await step(tx, lyon.instance.here, issued.id, reason="", by="test")


async def test_requirements_that_are_met_are_told_apart() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        alice = await lyon.member("alice")
        await attests(lyon, "alice")
        met, unmet = Requirement(professions=("physician",)), Requirement(professions=("nurse",))
        async with lyon.instance.store.view() as view:
            assert await qualifying(view, lyon.instance.here, alice.id, [met, unmet]) == {met}
            now = lyon.instance.here.now()
            assert await credentials.practitioners(view, now=now, specialty="cardiology") == [alice.id]
            assert await credentials.practitioners(view, now=now, profession="nurse") == []


async def test_a_full_list_is_followed_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issuer, "_FULL", 1)
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        await lyon.member("alice")
        first = await attests(lyon, "alice")
        second = await attests(lyon, "alice", Statement(profession="physician", country="FR"))
        assert (first.revocation_list, first.suspension_list) == (1, 2)
        assert (second.revocation_list, second.suspension_list) == (3, 4)


# ── files ────────────────────────────────────────────────────────────────────────────────────────────────────


async def examined(site: Site, issued: Attestation, **more: Any) -> Decision:
    """What a site makes of a credential in a file."""
    return (await site.instance.recogniser.examine(orjson.loads(issued.document), **more)).decision


async def test_a_credential_in_a_file_is_examined_online_and_offline() -> None:
    async with two() as (world, lyon, lille):
        issued = await attests(lyon, "alice")
        assert (await examined(lyon, issued)).state is CredentialState.TRUSTED
        assert (await examined(lille, issued)).state is CredentialState.TRUSTED
        async with lyon.instance.store.view() as view:
            document = await issuer.document(view, lyon.instance.here)
        world.down("lyon.test")
        assert (await examined(lille, issued, issuer_document=document)).state is CredentialState.TRUSTED
        forged = replace(issued, document=issued.document.replace("substantial", "high"))
        assert (await examined(lille, forged, issuer_document=document)).state is CredentialState.INVALID
        await lille.judges("lyon.test", Level.FEDERATED)
        assert (await examined(lille, issued, issuer_document=document)).state is CredentialState.UNTRUSTED
        with pytest.raises(Malformed):
            await lille.instance.recogniser.examine({})


async def test_a_credential_about_somebody_unknown_is_examined_without_their_key() -> None:
    async with a_world("lyon.test", "lille.test") as world:
        lyon, lille = world["lyon.test"], world["lille.test"]
        await lille.judges("lyon.test", Level.TRUSTED)
        await lyon.member("alice")
        issued = await attests(lyon, "alice")
        assert (await examined(lille, issued)).state is CredentialState.TRUSTED


# ── what peers send that leads to nothing ────────────────────────────────────────────────────────────────────


async def sends(sender: Site, author: Account, receiver: Site, activity: Rendered) -> None:
    """An account sends an activity, and everything that it leads to happens."""
    async with sender.instance.store.transaction("send") as tx:
        inbox = Inbox(host=receiver.domain, url=receiver.instance.here.uris.shared_inbox)
        await promise(tx, sender.instance.here, author, activity, [inbox])
    await sender.world.settle()


async def test_an_offer_of_a_credential_about_somebody_else_is_not_kept() -> None:
    async with three() as (_world, society, lyon, _lille):
        head = await society.member("head")
        issued = await attests(society, "head", accepted=True)
        speaker = await society.instance.actor()
        alice = await lyon.member("alice")
        offer = render.activity(
            "Offer",
            id_=f"{speaker.uri}/activities/1",
            actor_uri=speaker.uri,
            object_=issued.uri,
            to=[alice.uri],
        )
        await sends(society, speaker, lyon, offer)
        assert await everything(lyon, "alice") == []
        foreign = offer | {
            "id": f"{head.uri}/activities/2",
            "actor": head.uri,
            "to": ["https://lyon.test/users/nobody"],
        }
        await sends(society, head, lyon, foreign)


async def test_a_practitioner_of_a_peer_asks_to_be_attested() -> None:
    async with three() as (_world, society, lyon, _lille):
        alice = await lyon.member("alice")
        here = society.instance.here
        for number, object_ in enumerate((here.uris.instance_actor, here.uris.instance_actor, alice.uri)):
            request = render.activity(
                "CredentialRequest",
                id_=f"{alice.uri}/requests/{number}",
                actor_uri=alice.uri,
                object_=object_,
                to=[here.uris.instance_actor],
            )
            await sends(lyon, alice, society, request)
        async with society.instance.store.view() as view:
            (waiting,) = await queue.waiting(view)
        verifier = await member_of(society, "vera", "verifier")
        async with society.instance.store.transaction("approve") as tx:
            await requests.approve(tx, here, verifier, waiting.id, CARDIOLOGIST)
        await society.world.settle()
        assert (await offered(lyon, "alice"))[1].state is CredentialState.TRUSTED


async def test_confirming_the_keys_of_an_unknown_issuer_is_refused() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        with pytest.raises(NotFound):
            async with lyon.instance.store.transaction("confirm") as tx:
                await pins.confirm(tx, lyon.instance.here, "did:web:lille.test", by="test")


async def test_looking_at_accounts_that_are_gone_or_local_changes_nothing() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        alice = await lyon.member("alice")
        await attests(lyon, "alice")
        await lyon.instance.recogniser.check_account(1)
        await lyon.instance.recogniser.check_account(alice.id)
        assert await state(lyon, "alice") is CredentialState.TRUSTED


async def test_a_status_list_is_fetched_when_its_issuer_is_not_known_yet() -> None:
    async with two() as (world, lyon, lille):
        issued = await attests(lyon, "alice")
        await world.settle()
        async with lille.instance.store.transaction("forget") as tx:
            await trust.put_issuer(tx, trust.KnownIssuer(did="did:web:lyon.test"))
        async with lyon.instance.store.transaction("revoke") as tx:
            await revoke.revoke(tx, lyon.instance.here, issued.id, reason="", by="test")
        await world.settle()
        assert await state(lille, "alice@lyon.test") is CredentialState.REVOKED


async def test_an_issuer_that_cannot_be_reached_is_asked_again() -> None:
    async with three() as (world, society, lyon, lille):
        await attests(society, "@alice@lyon.test")
        await world.settle()
        member, credential = await offered(lyon, "alice")
        world.down("society.test")
        async with lyon.instance.store.transaction("accept") as tx:
            await consent.accept(tx, lyon.instance.here, member, credential.id)
        await world.settle()
        (seen,) = await shown(lille, "alice@lyon.test")
        assert (seen.state, seen.reason.code) == (CredentialState.INVALID, "issuer-silent")
        world.up("society.test")
        await world.pass_time(16 * MINUTE)
        assert await state(lille, "alice@lyon.test") is CredentialState.TRUSTED


async def test_work_that_is_asked_for_twice_for_one_cause_is_one_task() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        async with lyon.instance.store.transaction("ask") as tx:
            for _ in range(2):
                await work.look_at(tx, lyon.instance.here, 1, cause="x")
        async with lyon.instance.store.view() as view:
            asked = [task for task in await tasks.overview(view) if task["kind"] == work.CHECK]
        assert len(asked) == 1


async def test_ten_thousand_decisions_need_no_proof() -> None:
    async with two() as (world, lyon, lille):
        await attests(lyon, "alice")
        await world.settle()
        (credential,) = await shown(lille, "alice@lyon.test")
        async with lille.instance.store.transaction("decide") as tx:
            assert await decide.decide_everything(tx, lille.instance.here) == 0
        async with lille.instance.store.view() as view:
            found = [decide.as_found(credential)] * 10
            decisions = await decide.decide(view, lille.instance.here, found)
            assert await decide.decide(view, lille.instance.here, []) == []
        assert {each.state for each in decisions} == {CredentialState.TRUSTED}


async def test_a_member_may_be_attested_by_a_verifier_who_is_named() -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        verifier = await lyon.member("vera", role="verifier")
        alice = await lyon.member("alice")
        async with lyon.instance.store.transaction("attest") as tx:
            issued = await attest(tx, lyon.instance.here, alice, CARDIOLOGIST, by="vera", verifier=verifier)
        assert issued.issued_by == verifier.id
