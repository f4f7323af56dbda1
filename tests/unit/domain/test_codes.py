"""Codes of professions, specialties and countries, and what they are on the wire."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medfed.domain.codes import (
    COUNTRIES,
    ISCO_08,
    OWN_PROFESSIONS,
    PROFESSIONS,
    SPECIALTIES,
    TRE_G15,
    TRE_R38,
    Coding,
    profession_codings,
    profession_of,
    professions_named,
    specialties_of,
    specialty_codings,
)


def test_every_profession_has_both_names_and_all_but_students_a_group_of_isco() -> None:
    for code, each in PROFESSIONS.items():
        assert each.code == code
        assert each.label("fr")
        assert each.label("en")
        assert bool(each.isco) == (code != "student")


def test_every_specialty_names_the_field_and_whoever_practises_it() -> None:
    for code, each in SPECIALTIES.items():
        assert each.code == code
        assert all((each.label("fr"), each.label("en"), each.holder("fr"), each.holder("en")))
    assert SPECIALTIES["cardiology"].holder("fr") == "Cardiologue"
    assert SPECIALTIES["cardiology"].label("en") == "Cardiology"


def test_there_are_249_countries() -> None:
    assert len(COUNTRIES) == 249
    assert all(len(code) == 2 and code.isupper() for code in COUNTRIES)


@given(
    st.sampled_from(sorted(PROFESSIONS)),
    st.lists(st.sampled_from(sorted(SPECIALTIES)), unique=True, max_size=4),
    st.sampled_from(["FR", "DE", ""]),
)
def test_what_is_written_is_read_back(profession: str, specialties: list[str], country: str) -> None:
    assert profession_of(profession_codings(profession, specialties, country)) == profession
    assert specialties_of(specialty_codings(specialties, country)) == tuple(specialties)


def test_national_codes_are_written_in_their_country_only() -> None:
    french = {coding.system: coding.code for coding in profession_codings("physician", ["cardiology"], "FR")}
    german = {coding.system: coding.code for coding in profession_codings("physician", ["cardiology"], "DE")}
    assert french[TRE_G15] == "10"
    assert TRE_G15 not in german
    assert [coding.code for coding in specialty_codings(["cardiology"], "FR")] == ["SM04", "cardiology"]
    assert [coding.code for coding in specialty_codings(["cardiology"], "DE")] == ["cardiology"]


@pytest.mark.parametrize(
    ("specialties", "isco"), [([], "221"), (["general-practice"], "2211"), (["cardiology"], "2212")]
)
def test_the_specialty_of_a_physician_decides_their_group(specialties: list[str], isco: str) -> None:
    codes = {coding.system: coding.code for coding in profession_codings("physician", specialties, "")}
    assert codes[ISCO_08] == isco


@pytest.mark.parametrize(
    ("system", "code", "profession"),
    [
        (TRE_G15, "60", "nurse"),
        (TRE_G15, "999", ""),
        (ISCO_08, "2212", "physician"),
        (ISCO_08, "2221", "nurse"),
        (ISCO_08, "2269", ""),
        (ISCO_08, "", ""),
        (OWN_PROFESSIONS, "wizard", ""),
        ("urn:other", "10", ""),
    ],
)
def test_a_coding_of_somebody_else_is_read_when_it_means_one_of_ours(system: str, code: str, profession: str) -> None:
    assert profession_of([Coding(system=system, code=code)]) == profession


def test_specialties_without_a_code_of_ours_are_left_out() -> None:
    read = specialties_of([Coding(system=TRE_R38, code="SM99"), Coding(system=TRE_R38, code="SM04")])
    assert read == ("cardiology",)


@pytest.mark.parametrize(
    ("token", "named"),
    [
        ("nurse", {"nurse"}),
        ("wizard", set()),
        ("?", set()),
        ("isco-08:221", {"physician"}),
        ("isco-08:2211", {"physician"}),
        ("isco-08:2262", {"pharmacist"}),
        ("isco-08:", set()),
        ("isco-08:9999", set()),
    ],
)
def test_an_audience_names_professions_by_our_code_or_by_a_group(token: str, named: set[str]) -> None:
    assert professions_named(token) == named
