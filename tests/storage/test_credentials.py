"""Credentials, attestations, status lists, issuers, policies and requests, kept alike on both engines."""

from dataclasses import replace
from typing import Any

import pytest

from medfed.domain.accounts import Account
from medfed.domain.credentials import Attestation, CredentialState, Reason, Step
from medfed.domain.trust import NotRecognised, Recognised, Rule, TrustPolicy
from medfed.kernel.clock import DAY, HOUR
from medfed.kernel.errors import Conflict, NotFound
from medfed.kernel.paging import Page
from medfed.storage import accounts, credentials, issuer, requests, trust
from medfed.storage.database import Duplicate, Store
from medfed.storage.issuer import OwnList, SealedKey
from medfed.storage.requests import VerificationRequest
from medfed.storage.trust import CachedList, KnownIssuer
from tests.unit.domain.claims import NOW, SOCIETY, a_claim, a_credential

LIST_URL = "https://society.example/credentials/status/1"


def an_account(id_: int, *, local: bool = False) -> Account:
    """An account."""
    return Account(
        id=id_,
        uri=f"https://lyon.example/users/{id_}",
        local=local,
        kind="Person",
        username=str(id_),
        domain="lyon.example",
        host="lyon.example",
    )


async def some_accounts(store: Store, *ids: int) -> None:
    """Accounts that credentials can belong to."""
    async with store.transaction("accounts") as tx:
        for id_ in ids:
            await accounts.store(tx, an_account(id_))


def an_attestation(**changes: Any) -> Attestation:
    """Something that was issued."""
    values: dict[str, Any] = {
        "id": 7,
        "uri": "https://here.example/credentials/7",
        "subject_uri": "https://lyon.example/users/1",
        "types": ("SpecialtyCredential",),
        "profession": "physician",
        "specialties": ("cardiology",),
        "country": "FR",
        "assurance": "substantial",
        "valid_from": NOW - DAY,
        "valid_until": NOW + DAY,
        "document": "{}",
        "revocation_list": 1,
        "revocation_index": 5,
        "suspension_list": 2,
        "suspension_index": 6,
        "state": "offered",
        "offer_uri": "https://here.example/actor/activities/7",
        "issued_by": None,
        "issued_at": NOW,
    }
    return Attestation(**(values | changes))


async def test_a_credential_is_read_back_as_it_was_stored(store: Store) -> None:
    await some_accounts(store, 1)
    full = a_credential(
        fault=Reason(code="proof", args={"detail": "é"}),
        state=CredentialState.INVALID,
        path=(Step(did=SOCIETY, name="Society", role="issuer"),),
    )
    async with store.transaction("put") as tx:
        assert await credentials.put(tx, full) == 1
        assert await credentials.put(tx, replace(full, id=2, consent="withdrawn")) == 1
    async with store.view() as view:
        assert await credentials.get(view, 1) == replace(full, consent="withdrawn")
        assert await credentials.published(view, [1]) == {}
        assert await credentials.published(view, []) == {}
        assert [each.id for each in await credentials.of_account(view, 1)] == [1]
        assert [each.id for each in await credentials.by_uri(view, full.claim.uri)] == [1]
        assert await credentials.find_of(view, 1, "https://elsewhere.example/1") is None
        with pytest.raises(NotFound):
            await credentials.get(view, 3)


async def test_decisions_are_kept_and_what_is_due_is_found(store: Store) -> None:
    await some_accounts(store, 1)
    credential = a_credential()
    async with store.transaction("put") as tx:
        await credentials.put(tx, credential)
        assert await credentials.due(tx, NOW, 10) == []
        assert [each.id for each in await credentials.due(tx, credential.recheck_at, 10)] == [1]
        path = (Step(did=SOCIETY, name="Society", role="issuer"),)
        no = NotRecognised(
            state=CredentialState.REVOKED, reason=Reason(code="revoked", args={"issuer": "S"}), path=path, recheck_at=9
        )
        await credentials.decide_many(tx, [(credential, no)], NOW + 1)
        known = await credentials.get(tx, 1)
        assert (known.state, known.reason, known.path) == (no.state, no.reason, path)
        assert (known.checked_at, known.assurance) == (NOW + 1, credential.assurance)
        assert await credentials.due(tx, NOW, 10) == []
        yes = Recognised(assurance="low", reason=Reason(code="own"), path=(), recheck_at=NOW + DAY)
        await credentials.decide_many(tx, [(credential, yes)], NOW + 2)
        assert (await credentials.get(tx, 1)).assurance == "low"


async def test_credentials_are_found_by_list_issuer_and_what_they_say(store: Store) -> None:
    await some_accounts(store, 1, 2)
    nurse = a_claim(uri="https://society.example/credentials/2", profession="nurse", specialties=(), country="")
    async with store.transaction("put") as tx:
        await credentials.put(tx, a_credential())
        await credentials.put(tx, a_credential(id=2, account_id=2, claim=nurse))
    async with store.view() as view:
        assert [each.id for each in await credentials.on_list(view, LIST_URL)] == [1, 2]
        assert [each.id for each in await credentials.on_list(view, LIST_URL, after=1)] == [2]
        assert await credentials.on_list(view, "https://elsewhere.example/1") == []
        assert [each.id for each in await credentials.by_issuer(view, SOCIETY, limit=1)] == [1]
        assert [each.id for each in await credentials.everything(view, after=1)] == [2]
        assert len(await credentials.lists_in_use(view)) == 2
        assert await credentials.practitioners(view, now=NOW, specialty="cardiology", country="FR") == [1]
        assert await credentials.practitioners(view, now=NOW, profession="nurse") == [2]
        assert await credentials.practitioners(view, now=NOW + 24 * HOUR) == []


async def test_an_attestation_moves_on_and_its_places_are_its_own(store: Store) -> None:
    async with store.transaction("add") as tx:
        await credentials.add_attestation(tx, an_attestation())
        assert await credentials.is_index_taken(tx, 1, 5)
        assert await credentials.is_index_taken(tx, 2, 6)
        assert not await credentials.is_index_taken(tx, 1, 6)
        assert await credentials.count_on_list(tx, 1) == 1
        with pytest.raises(Duplicate):
            async with tx.savepoint():
                await credentials.add_attestation(
                    tx, an_attestation(id=8, uri="https://here.example/credentials/8", suspension_index=9)
                )
        await credentials.set_attestation(tx, 7, "revoked", revoked_at=NOW, reason="error")
        await credentials.replace_document(tx, 7, '{"a":1}')
        moved = await credentials.get_attestation(tx, 7)
        assert moved == an_attestation(state="revoked", revoked_at=NOW, reason="error", document='{"a":1}')
        assert await credentials.find_attestation_by_uri(tx, moved.uri) == moved
        assert await credentials.find_attestation_by_offer(tx, moved.offer_uri) == moved
        assert await credentials.attestations_of(tx, moved.subject_uri) == [moved]
        assert await credentials.attestations(tx, Page()) == [moved]
        assert await credentials.live_attestations(tx, NOW) == []
        assert await credentials.find_attestation(tx, 9) is None
        with pytest.raises(NotFound):
            await credentials.get_attestation(tx, 9)


async def test_hosts_that_hold_a_subject_of_a_list_are_known(store: Store) -> None:
    await some_accounts(store, 1)
    async with store.transaction("add") as tx:
        await credentials.add_attestation(tx, an_attestation(state="accepted"))
        assert await credentials.holder_hosts(tx, 1) == ["lyon.example"]
        assert await credentials.holder_hosts(tx, 3) == []


async def test_keys_and_lists_of_our_own(store: Store) -> None:
    key = SealedKey(id="did:web:here.example#key-1", public="z6Mk", sealed=b"\x00\xff", created_at=NOW)
    own = OwnList(number=1, purpose="revocation", bits=b"\x00\x80", document="{}", signed_at=NOW)
    async with store.transaction("own") as tx:
        assert await issuer.newest_list(tx) is None
        await issuer.add_key(tx, key)
        await issuer.end_key(tx, key.id, expires_at=NOW, revoked_at=NOW)
        assert await issuer.keys(tx) == [replace(key, expires_at=NOW, revoked_at=NOW)]
        await issuer.put_list(tx, own)
        await issuer.put_list(tx, replace(own, bits=b"\x01\x80", signed_at=NOW + 1))
        found = await issuer.find_list(tx, 1)
        assert found == replace(own, bits=b"\x01\x80", signed_at=NOW + 1)
        assert await issuer.find_lists(tx, {1, 2}) == {1: found}
        assert await issuer.find_lists(tx, set()) == {}
        assert await issuer.newest_list(tx) == 1
        assert await issuer.signed_before(tx, NOW) == []
        assert await issuer.signed_before(tx, NOW + 1) == [found]


@pytest.mark.case("N06")
async def test_a_list_never_goes_backwards(store: Store) -> None:
    cached = CachedList(
        url=LIST_URL, issuer=SOCIETY, purpose="revocation", bits=b"\x01", valid_from=NOW, fetched_at=NOW
    )
    failed = replace(cached, bits=b"", valid_from=0, tried_at=NOW + 1, last_error="no answer")
    async with store.transaction("lists") as tx:
        await trust.list_failed(tx, failed)
        assert (await trust.cached_lists(tx, [LIST_URL]))[LIST_URL] == failed
        assert await trust.put_list(tx, cached)
        assert not await trust.put_list(tx, replace(cached, bits=b"\x00", valid_from=NOW - 1))
        assert await trust.put_list(tx, replace(cached, valid_until=NOW + DAY))
        await trust.list_failed(tx, failed)
        kept = (await trust.cached_lists(tx, [LIST_URL]))[LIST_URL]
        assert (kept.bits, kept.valid_from, kept.last_error) == (b"\x01", NOW, "no answer")
        assert await trust.cached_lists(tx, []) == {}


async def test_issuers_are_known_by_their_identifier(store: Store) -> None:
    await some_accounts(store, 1)
    known = KnownIssuer(did=SOCIETY, document="{}", pinned=("z6Mk",), fresh_until=NOW)
    async with store.transaction("issuers") as tx:
        await trust.put_issuer(tx, known)
        await trust.put_issuer(tx, replace(known, state="key-discontinuity"))
        assert await trust.issuers(tx, [SOCIETY]) == {SOCIETY: replace(known, state="key-discontinuity")}
        assert await trust.issuers(tx, []) == {}
        assert [each.did for each in await trust.every_issuer(tx)] == [SOCIETY]
        assert await trust.stale_issuers(tx, NOW) == []
        await credentials.put(tx, a_credential())
        assert [each.did for each in await trust.stale_issuers(tx, NOW)] == [SOCIETY]


async def test_two_admins_do_not_overwrite_each_others_policy(store: Store) -> None:
    new = TrustPolicy(version=1, rules=(Rule(id="r", anchor=SOCIETY),))
    async with store.transaction("policy") as tx:
        assert await trust.policy(tx) == TrustPolicy()
        await trust.add_policy(tx, new, author="admin", at=NOW)
        assert await trust.policy(tx) == new
        assert await trust.policy_history(tx) == [(1, "admin", NOW)]
        with pytest.raises(Conflict):
            await trust.add_policy(tx, replace(new, rules=()), author="other", at=NOW)


@pytest.mark.case("N10")
async def test_a_request_is_decided_once_and_its_number_stays_findable(store: Store) -> None:
    await some_accounts(store, 1, 2)
    request = VerificationRequest(
        id=1,
        account_id=1,
        profession="physician",
        specialties=("cardiology",),
        country="FR",
        scheme="rpps",
        sealed=b"\x01",
        number_hmac="abc",
        evidence_hash="def",
        state="waiting",
        created_at=NOW,
    )
    async with store.transaction("requests") as tx:
        await requests.add(tx, request)
        assert await requests.get(tx, 1) == request
        assert await requests.waiting(tx) == [request]
        assert await requests.of_account(tx, 1) == [request]
        assert await requests.others_with(tx, "abc", 2) == [1]
        assert await requests.others_with(tx, "abc", 1) == []
        assert await requests.close(tx, 1, state="approved", by=2, at=NOW, reason="", attestation_id=7)
        assert not await requests.close(tx, 1, state="refused", by=2, at=NOW, reason="")
        closed = await requests.get(tx, 1)
        assert (closed.state, closed.sealed, closed.attestation_id) == ("approved", b"", 7)
        assert await requests.others_with(tx, "abc", 2) == [1]
        with pytest.raises(NotFound):
            await requests.get(tx, 2)
