"""Whose attestations count, for what, and how far: the one decision, from every side."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medfed.domain.credentials import Claim, CredentialState, Reason
from medfed.domain.peers import Level
from medfed.domain.trust import (
    NODES,
    STALE_GRACE,
    Basis,
    Evidence,
    Held,
    NotRecognised,
    Recognised,
    Recognition,
    Rule,
    Scope,
    StatusFact,
    TrustList,
    TrustPolicy,
    did_of,
    explain,
    host_of,
    recognise,
)
from medfed.kernel.clock import DAY, HOUR, MINUTE, SECOND
from tests.unit.domain.claims import KEY, NOW, SOCIETY, a_claim, evidence, fresh

OWN = "did:web:here.example"
FEDERATION = "did:web:federation.example"
REGION = "did:web:region.example"

TRUSTING = Basis(own=OWN, own_name="Here", trusted=frozenset({SOCIETY}))


def ruled(*rules: Rule, **more: Any) -> Basis:
    """An instance with these rules."""
    lists = more.pop("lists", {})
    return Basis(own=OWN, own_name="Here", policy=TrustPolicy(rules=rules, **more), lists=lists)


def refusal(basis: Basis, found: Evidence, now: int = NOW) -> tuple[CredentialState, str]:
    """The state and reason of what does not count."""
    decision = recognise(basis, found, now)
    assert isinstance(decision, NotRecognised)
    assert decision.reason.text
    return decision.state, decision.reason.code


def granted(basis: Basis, found: Evidence, now: int = NOW) -> Recognised:
    """The decision about what counts."""
    decision = recognise(basis, found, now)
    assert isinstance(decision, Recognised), decision.reason.text
    assert decision.state is CredentialState.TRUSTED
    return decision


# ── who ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_trusted_peer_is_recognised_for_everything_whoever_the_subject() -> None:
    decision = granted(TRUSTING, evidence())
    assert decision.reason.text == "this instance trusts Society"
    assert [(step.did, step.role) for step in decision.path] == [(OWN, "yours"), (SOCIETY, "issuer")]


def test_an_unknown_issuer_is_not_recognised() -> None:
    assert refusal(Basis(own=OWN), evidence()) == (CredentialState.UNTRUSTED, "issuer-unknown")


def test_an_issuer_without_a_name_is_called_by_its_host() -> None:
    decision = recognise(Basis(own=OWN), evidence(claim=a_claim(issuer_name="")), NOW)
    assert decision.reason.text == "this instance does not recognise society.example"


def test_an_instance_always_recognises_itself() -> None:
    own = evidence(claim=a_claim(issuer=OWN), statuses=(StatusFact(purpose="revocation", raised=False),))
    decision = granted(ruled(deny=(OWN,)), own)
    assert decision.reason.code == "own"
    assert decision.recheck_at == own.claim.valid_until
    assert [step.name for step in granted(Basis(own=OWN), own).path] == ["here.example"]


@pytest.mark.parametrize(
    "basis",
    [
        replace(TRUSTING, policy=TrustPolicy(deny=(SOCIETY,))),
        replace(TRUSTING, blocked=frozenset({SOCIETY})),
    ],
)
def test_deny_wins(basis: Basis) -> None:
    assert refusal(basis, evidence()) == (CredentialState.UNTRUSTED, "issuer-denied")


def test_a_denied_key_counts_for_nothing() -> None:
    basis = replace(TRUSTING, policy=TrustPolicy(revoked_keys=(KEY,)))
    assert refusal(basis, evidence()) == (CredentialState.UNTRUSTED, "key-denied")


def test_employment_is_believed_of_the_employers_own_accounts_only() -> None:
    employed = a_claim(types=("EmploymentCredential",))
    assert refusal(TRUSTING, evidence(claim=employed))[1] == "subject-host"
    granted(TRUSTING, evidence(claim=replace(employed, subject_host="society.example")))
    rule = Rule(id="r", anchor=SOCIETY, subject_hosts=frozenset({"lyon.example"}))
    granted(ruled(rule), evidence(claim=employed))


# ── how far ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (Rule(id="r", anchor=SOCIETY, scope=Scope(types=frozenset({"LicenceCredential"}))), "type"),
        (Rule(id="r", anchor=SOCIETY, scope=Scope(jurisdictions=frozenset({"DE"}))), "jurisdiction"),
        (Rule(id="r", anchor=SOCIETY, scope=Scope(professions=frozenset({"nurse"}))), "profession"),
        (Rule(id="r", anchor=SOCIETY, scope=Scope(specialties=frozenset({"surgery"}))), "specialty"),
        (Rule(id="r", anchor=SOCIETY, subject_hosts=frozenset({"elsewhere.example"})), "subject-host"),
        (Rule(id="r", anchor=SOCIETY, min_assurance="high"), "assurance"),
        (Rule(id="r", anchor=SOCIETY, scope=Scope(max_assurance="low"), min_assurance="substantial"), "assurance"),
        (Rule(id="r", anchor=SOCIETY, max_credential_age=DAY), "too-old"),
    ],
)
def test_a_rule_says_what_an_issuer_is_believed_about(rule: Rule, reason: str) -> None:
    assert refusal(ruled(rule), evidence()) == (CredentialState.UNTRUSTED, reason)


def test_a_rule_takes_the_place_of_the_level() -> None:
    nurses = Rule(id="nurses", anchor=SOCIETY, scope=Scope(professions=frozenset({"nurse"})))
    basis = replace(ruled(nurses), trusted=frozenset({SOCIETY}))
    assert refusal(basis, evidence())[1] == "profession"


def test_the_best_rule_counts() -> None:
    low = Rule(id="low", anchor=SOCIETY, scope=Scope(max_assurance="low"))
    better = Rule(id="better", anchor=SOCIETY, scope=Scope(jurisdictions=frozenset({"FR"})))
    other = Rule(id="other", anchor=SOCIETY, scope=Scope(jurisdictions=frozenset({"DE"})))
    decision = granted(ruled(low, other, better), evidence())
    assert (decision.assurance, decision.reason.args["rule"]) == ("substantial", "better")


def test_a_credential_that_names_no_country_is_for_rules_that_ask_for_none() -> None:
    claim = a_claim(country="")
    granted(TRUSTING, evidence(claim=claim))
    rule = Rule(id="r", anchor=SOCIETY, scope=Scope(jurisdictions=frozenset({"FR"})))
    assert refusal(ruled(rule), evidence(claim=claim))[1] == "jurisdiction"


# ── is it sound ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("change", "state", "reason"),
    [
        ({"fault": Reason(code="other-subject")}, CredentialState.INVALID, "other-subject"),
        ({"statuses": (fresh(raised=True),)}, CredentialState.REVOKED, "revoked"),
        ({"statuses": (fresh(), fresh("suspension", raised=True))}, CredentialState.SUSPENDED, "suspended"),
        ({"statuses": (fresh(raised=None),)}, CredentialState.STALE, "status-unknown"),
        ({"settled": False}, CredentialState.KEY_DISCONTINUITY, "issuer-keys"),
        ({"issuer_keys": frozenset()}, CredentialState.INVALID, "issuer-key-gone"),
        ({"bound": False}, CredentialState.KEY_DISCONTINUITY, "subject-key"),
    ],
)
def test_what_is_not_sound_does_not_count(change: dict[str, Any], state: CredentialState, reason: str) -> None:
    assert refusal(TRUSTING, evidence(**change)) == (state, reason)


@pytest.mark.case("N05")
def test_validity_has_exact_bounds() -> None:
    claim = a_claim(valid_from=NOW, valid_until=NOW + HOUR)
    found = evidence(claim=claim)
    assert refusal(TRUSTING, found, NOW - 5 * MINUTE - SECOND) == (CredentialState.INVALID, "not-yet-valid")
    granted(TRUSTING, found, NOW - 5 * MINUTE)
    granted(TRUSTING, found, NOW + HOUR - SECOND)
    assert refusal(TRUSTING, found, NOW + HOUR) == (CredentialState.EXPIRED, "expired")
    early = recognise(TRUSTING, found, NOW - HOUR)
    assert early.recheck_at == NOW - 5 * MINUTE


# ── is it fresh ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.case("N07")
def test_an_issuer_that_is_silent_is_trusted_then_stale_then_not_recognised() -> None:
    confirmed_until = NOW + 23 * HOUR
    assert granted(TRUSTING, evidence(), confirmed_until - 1).recheck_at == confirmed_until
    assert refusal(TRUSTING, evidence(), confirmed_until) == (CredentialState.STALE, "status-old")
    last = confirmed_until + STALE_GRACE - 1
    assert refusal(TRUSTING, evidence(), last) == (CredentialState.STALE, "status-old")
    assert refusal(TRUSTING, evidence(), last + 1) == (CredentialState.UNTRUSTED, "status-old")


def test_a_rule_may_be_less_patient() -> None:
    rule = Rule(id="strict", anchor=SOCIETY, max_status_age=2 * HOUR, on_stale="reject")
    granted(ruled(rule), evidence(), NOW + HOUR - 1)
    assert refusal(ruled(rule), evidence(), NOW + HOUR) == (CredentialState.UNTRUSTED, "status-old")


# ── lists ────────────────────────────────────────────────────────────────────────────────────────────────────


def a_list(did: str, *entries: Recognition, name: str = "", valid_until: int = NOW + DAY) -> dict[str, TrustList]:
    """A trust list, by its issuer."""
    return {did: TrustList(did=did, name=name, entries=entries, valid_until=valid_until)}


def issues(did: str, **scope: Any) -> Recognition:
    """An entry that recognises an issuer."""
    return Recognition(did=did, name="", action="issue", scope=Scope(**scope))


def recognises(did: str, **scope: Any) -> Recognition:
    """An entry that recognises a recogniser."""
    return Recognition(did=did, name="", action="recognize", scope=Scope(**scope))


BY_LIST = Rule(id="list", anchor=FEDERATION, via="list")


def test_a_list_recognises_whom_it_names() -> None:
    lists = a_list(FEDERATION, issues("did:web:other.example"), issues(SOCIETY), name="Federation")
    decision = granted(ruled(BY_LIST, lists=lists), evidence())
    assert [(step.name, step.role) for step in decision.path] == [
        ("Here", "yours"),
        ("Federation", "list"),
        ("Society", "issuer"),
    ]


def test_nobody_can_grant_more_than_they_were_given() -> None:
    lists = a_list(FEDERATION, recognises(REGION, jurisdictions=frozenset({"FR"}), max_assurance="low"))
    lists |= a_list(REGION, issues(SOCIETY, jurisdictions=frozenset({"FR", "DE"})))
    basis = ruled(BY_LIST, lists=lists)
    assert granted(basis, evidence()).assurance == "low"
    assert refusal(basis, evidence(claim=a_claim(country="DE")))[1] == "jurisdiction"


@pytest.mark.case("N15")
def test_a_chain_is_no_longer_than_the_rule_allows() -> None:
    lists = a_list(FEDERATION, recognises(REGION)) | a_list(REGION, issues(SOCIETY))
    granted(ruled(BY_LIST, lists=lists), evidence())
    assert refusal(ruled(replace(BY_LIST, max_chain=1), lists=lists), evidence())[1] == "issuer-unknown"


@pytest.mark.case("N15")
def test_cycles_are_cut() -> None:
    lists = a_list(FEDERATION, recognises(REGION)) | a_list(REGION, recognises(FEDERATION), recognises(REGION))
    assert refusal(ruled(replace(BY_LIST, max_chain=9), lists=lists), evidence())[1] == "issuer-unknown"


def test_an_unknown_action_grants_nothing() -> None:
    lists = a_list(FEDERATION, Recognition(did=SOCIETY, name="", action="verify", scope=Scope()))
    assert refusal(ruled(BY_LIST, lists=lists), evidence())[1] == "issuer-unknown"


def test_delegation_is_not_issuing_nor_the_other_way_round() -> None:
    lists = a_list(FEDERATION, issues(REGION)) | a_list(REGION, issues(SOCIETY))
    assert refusal(ruled(BY_LIST, lists=lists), evidence())[1] == "issuer-unknown"
    lists = a_list(FEDERATION, recognises(SOCIETY))
    assert refusal(ruled(BY_LIST, lists=lists), evidence())[1] == "issuer-unknown"


def test_a_denied_recogniser_recognises_nobody() -> None:
    lists = a_list(FEDERATION, recognises(REGION)) | a_list(REGION, issues(SOCIETY))
    assert refusal(ruled(BY_LIST, deny=(REGION,), lists=lists), evidence())[1] == "issuer-unknown"
    blocked = replace(ruled(BY_LIST, lists=lists), blocked=frozenset({FEDERATION}))
    assert refusal(blocked, evidence())[1] == "issuer-unknown"


def test_a_list_that_nobody_has_fetched_grants_nothing() -> None:
    assert refusal(ruled(BY_LIST), evidence())[1] == "issuer-unknown"


def test_an_expired_list_makes_stale_and_then_nothing() -> None:
    lists = a_list(FEDERATION, issues(SOCIETY), valid_until=NOW)
    basis = ruled(BY_LIST, lists=lists)
    assert refusal(basis, evidence())[0] is CredentialState.STALE
    later = evidence(statuses=(StatusFact(purpose="revocation", raised=False),))
    assert refusal(basis, later, NOW + STALE_GRACE) == (CredentialState.UNTRUSTED, "list-expired")
    strict = ruled(replace(BY_LIST, on_stale="reject"), lists=lists)
    assert refusal(strict, evidence()) == (CredentialState.UNTRUSTED, "list-expired")


def test_the_walk_through_lists_is_bounded() -> None:
    names = [f"did:web:n{number}.example" for number in range(3 * NODES)]
    lists = a_list(FEDERATION, *(recognises(name) for name in names))
    for name in names:
        lists |= a_list(name, *(recognises(other) for other in names))
    lists |= a_list(names[-1], issues(SOCIETY))
    assert refusal(ruled(replace(BY_LIST, max_chain=5), lists=lists), evidence())[1] == "issuer-unknown"


# ── properties ───────────────────────────────────────────────────────────────────────────────────────────────

_DIDS = st.sampled_from([SOCIETY, FEDERATION, REGION, "did:web:lyon.example"])


def _some(*names: str) -> st.SearchStrategy[frozenset[str] | None]:
    return st.none() | st.frozensets(st.sampled_from(names))


_SCOPES = st.builds(
    Scope,
    types=_some("LicenceCredential", "SpecialtyCredential", "EmploymentCredential"),
    jurisdictions=_some("FR", "DE"),
    professions=_some("physician", "nurse"),
    specialties=_some("cardiology", "surgery"),
    max_assurance=st.sampled_from(["low", "substantial", "high"]),
)
_RULES = st.builds(
    Rule,
    id=st.sampled_from("abc"),
    anchor=_DIDS,
    via=st.sampled_from(["direct", "list"]),
    scope=_SCOPES,
    min_assurance=st.sampled_from(["low", "substantial"]),
    max_chain=st.integers(1, 3),
    on_stale=st.sampled_from(["downgrade", "reject"]),
    subject_hosts=_some("lyon.example", "society.example"),
)
_ENTRIES = st.builds(
    Recognition, did=_DIDS, name=st.just(""), action=st.sampled_from(["issue", "recognize", "other"]), scope=_SCOPES
)
_LISTS = st.dictionaries(_DIDS, st.lists(_ENTRIES, max_size=4)).map(
    lambda found: {
        did: TrustList(did=did, name="", entries=tuple(entries), valid_until=NOW + DAY)
        for did, entries in found.items()
    }
)
_BASES = st.builds(
    Basis,
    own=st.just(OWN),
    policy=st.builds(TrustPolicy, rules=st.lists(_RULES, max_size=4).map(tuple)),
    trusted=st.frozensets(_DIDS),
    blocked=st.frozensets(_DIDS, max_size=1),
    lists=_LISTS,
)


def _claim(issuer: str, type_: str, country: str, profession: str) -> Claim:
    return a_claim(issuer=issuer, types=(type_,), country=country, profession=profession)


_EVIDENCE = st.builds(
    lambda claim: evidence(claim=claim),
    st.builds(
        _claim,
        _DIDS,
        st.sampled_from(["LicenceCredential", "SpecialtyCredential", "EmploymentCredential"]),
        st.sampled_from(["FR", "DE", ""]),
        st.sampled_from(["physician", "nurse", ""]),
    ),
)


@settings(max_examples=400)
@given(_BASES, _EVIDENCE, _DIDS)
def test_adding_a_deny_never_enables_a_flow(basis: Basis, found: Evidence, denied: str) -> None:
    narrower = replace(basis, policy=replace(basis.policy, deny=(*basis.policy.deny, denied)))
    if isinstance(recognise(narrower, found, NOW), Recognised):
        assert isinstance(recognise(basis, found, NOW), Recognised)
        assert denied != found.claim.issuer


@settings(max_examples=200)
@given(_BASES, _EVIDENCE)
def test_what_counts_is_within_what_somebody_was_given(basis: Basis, found: Evidence) -> None:
    decision = recognise(basis, found, NOW)
    if isinstance(decision, Recognised):
        assert decision.path[0].did == OWN
        assert decision.path[-1].did == found.claim.issuer
        assert found.claim.issuer not in basis.blocked
        assert NOW < decision.recheck_at <= found.claim.valid_until


@settings(max_examples=200)
@given(_SCOPES, _SCOPES)
def test_scopes_only_narrow(one: Scope, other: Scope) -> None:
    both = one.within(other)
    assert both == other.within(one)
    assert both.within(one) == both


# ── a change of policy, told beforehand ──────────────────────────────────────────────────────────────────────


def test_a_change_is_explained_per_peer_follow_and_attestation() -> None:
    held = [Held(account="alice@lyon.example", uri="https://society.example/credentials/1", evidence=evidence())]
    closing = explain(
        TRUSTING,
        replace(TRUSTING, blocked=frozenset({SOCIETY})),
        levels=[
            ("society.example", Level.TRUSTED, Level.BLOCKED),
            ("same.example", Level.LIMITED, Level.LIMITED),
        ],
        follows={"society.example": 7},
        held=held,
        now=NOW,
    )
    assert [(each.domain, each.follows) for each in closing.levels] == [("society.example", 7)]
    assert closing.follows_ended == 7
    assert [(each.before, each.after) for each in closing.standings] == [
        (CredentialState.TRUSTED, CredentialState.UNTRUSTED)
    ]
    assert not closing.opens


@pytest.mark.parametrize(
    ("levels", "before"),
    [([("a.example", Level.LIMITED, Level.FEDERATED)], TRUSTING), ([], Basis(own=OWN))],
)
def test_what_opens_doors_is_said(levels: list[tuple[str, Level, Level]], before: Basis) -> None:
    held = [Held(account="alice@lyon.example", uri="u", evidence=evidence())]
    effects = explain(before, TRUSTING, levels=levels, follows={}, held=held, now=NOW)
    assert effects.opens
    assert effects.follows_ended == 0


def test_identifiers_and_hosts_belong_together() -> None:
    assert did_of("chu.example:8443") == "did:web:chu.example%3A8443"
    assert host_of("did:web:chu.example%3A8443") == "chu.example:8443"
    assert host_of("did:web:chu.example:path") == "chu.example"
