"""What attestations support, where they stand as time passes, and what they are enough for."""

import string
from typing import Any

import pytest

from medfed.domain.credentials import (
    REASONS,
    CredentialState,
    Reason,
    ceiling,
    check_claim,
    lower_of,
    methods_for,
    rank,
    satisfies,
    standing,
    type_for,
)
from medfed.domain.posts import Requirement
from medfed.kernel.clock import DAY, HOUR
from medfed.kernel.errors import Invalid
from tests.unit.domain.claims import NOW, a_claim, a_credential


@pytest.mark.parametrize(
    ("methods", "most"),
    [
        ((), "low"),
        (("institutional-email",), "low"),
        (("document-review",), "low"),
        (("peer-vouch", "peer-vouch"), "low"),
        (("registry-lookup",), "low"),
        (("in-person",), "low"),
        (("registry-lookup", "document-review"), "substantial"),
        (("registry-lookup", "employer-hr"), "substantial"),
        (("in-person", "registry-lookup"), "high"),
        (("national-idp",), "high"),
        (("clairvoyance",), "low"),
    ],
)
def test_evidence_has_a_ceiling(methods: tuple[str, ...], most: str) -> None:
    assert ceiling(methods) == most


@pytest.mark.parametrize("level", ["low", "substantial", "high"])
def test_the_least_that_a_level_asks_for_supports_it(level: Any) -> None:
    assert ceiling(methods_for(level)) == level


def test_a_claim_counts_for_no_more_than_its_evidence() -> None:
    assert a_claim(assurance="high", methods=("document-review",)).supported_assurance == "low"
    assert a_claim(assurance="low", methods=("national-idp",)).supported_assurance == "low"


def test_assurances_are_ordered() -> None:
    assert [rank(each) for each in ("nonsense", "low", "substantial", "high")] == [-1, 0, 1, 2]
    assert lower_of("high", "substantial") == "substantial"


def test_the_type_follows_what_is_said() -> None:
    assert type_for(()) == "LicenceCredential"
    assert type_for(("cardiology",)) == "SpecialtyCredential"


def test_every_reason_is_a_sentence_whose_blanks_are_filled() -> None:
    for code, sentence in REASONS.items():
        blanks = {name for _, name, _, _ in string.Formatter().parse(sentence) if name}
        assert Reason(code=code, args=dict.fromkeys(blanks, "X")).text


@pytest.mark.parametrize(
    ("state", "later", "seen"),
    [
        ("trusted", 0, "trusted"),
        ("trusted", 23 * HOUR - 1, "trusted"),
        ("trusted", 23 * HOUR, "stale"),
        ("trusted", 300 * DAY, "expired"),
        ("untrusted", 24 * HOUR, "untrusted"),
        ("suspended", 300 * DAY, "expired"),
        ("revoked", 300 * DAY, "revoked"),
        ("invalid", 300 * DAY, "invalid"),
    ],
)
def test_time_takes_its_share_when_a_badge_is_read(state: str, later: int, seen: str) -> None:
    assert standing(a_credential(state=CredentialState(state)), NOW + later) is CredentialState(seen)


@pytest.mark.parametrize(
    "requirement",
    [
        Requirement(),
        Requirement(professions=("physician", "nurse")),
        Requirement(professions=("isco-08:221",)),
        Requirement(specialties=("cardiology", "dermatology")),
        Requirement(countries=("FR", "BE"), min_assurance="substantial"),
    ],
)
def test_a_trusted_attestation_is_enough_for_what_it_says(requirement: Requirement) -> None:
    assert satisfies(requirement, [a_credential()])


@pytest.mark.parametrize(
    "requirement",
    [
        Requirement(professions=("nurse",)),
        Requirement(professions=("?",)),
        Requirement(specialties=("dermatology",)),
        Requirement(countries=("DE",)),
        Requirement(min_assurance="high"),
        Requirement(min_assurance="whatever"),
    ],
)
def test_and_not_for_more(requirement: Requirement) -> None:
    assert not satisfies(requirement, [a_credential()])


@pytest.mark.parametrize("state", [each for each in CredentialState if each is not CredentialState.TRUSTED])
def test_only_what_is_trusted_opens_anything(state: CredentialState) -> None:
    assert not satisfies(Requirement(), [a_credential(state=state)])


def test_nothing_is_not_enough() -> None:
    assert not satisfies(Requirement(), [])


@pytest.mark.parametrize("type_", ["EmploymentCredential", "MembershipCredential"])
def test_employment_and_membership_do_not_say_that_somebody_practises(type_: str) -> None:
    assert not satisfies(Requirement(), [a_credential(claim=a_claim(types=(type_,)))])


def test_one_attestation_has_to_say_all_of_it() -> None:
    nurse_here = a_credential(claim=a_claim(profession="nurse", specialties=(), country="FR"))
    physician_there = a_credential(claim=a_claim(country="DE"))
    assert not satisfies(Requirement(professions=("physician",), countries=("FR",)), [nurse_here, physician_there])


def test_what_is_to_be_attested_is_checked_field_by_field() -> None:
    with pytest.raises(Invalid) as refused:
        check_claim(profession="wizard", specialties=("magic",), country="fr", assurance="total", valid_for=401 * DAY)
    assert set(refused.value.fields) == {"profession", "specialties", "country", "level", "valid_for"}


def test_what_can_be_attested_passes() -> None:
    assert check_claim(profession="nurse", specialties=(), country="", assurance="low", valid_for=400 * DAY) == "low"
    with pytest.raises(Invalid):
        check_claim(profession="nurse", specialties=(), country="", assurance="low", valid_for=0)
