"""What may identify a patient is found by its shape, and medicine is left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medfed.domain.cases import PASSAGES, identifying
from medfed.domain.identity import passages
from tests.support.growth import grows_linearly


@pytest.mark.parametrize(
    ("text", "kind", "found"),
    [
        ("Mme Duvernay, 62 ans, adressée", "name", "Mme Duvernay"),
        ("seen with Mr. O'Hara today", "name", "Mr. O'Hara"),
        ("M. Le Goff est venu", "name", "M. Le Goff"),
        ("Radiographie du 14/03/2026.", "date", "14/03/2026"),
        ("CT of 2026-03-14 normal", "date", "2026-03-14"),
        ("le 1er mars 2026 au soir", "date", "1er mars 2026"),
        ("opéré le 12 novembre", "date", "12 novembre"),
        ("on March 14, 2026 he fell", "date", "March 14, 2026"),
        ("un homme de 93 ans", "age", "93 ans"),
        ("a 101-year-old".replace("-y", " y"), "age", "101 year-old"),
        ("joignable au 06 12 34 56 78", "contact", "06 12 34 56 78"),
        ("écrire à p.durand@example.org", "contact", "p.durand@example.org"),
        ("NIR 2 75 03 69 123 456 78", "number", "2 75 03 69 123 456 78"),
        ("IPP : 80012345", "number", "IPP : 80012345"),
        ("NHS no. 943 476 5919", "number", "NHS no. 943 476 5919"),
        ("habite 12 rue des Tilleuls", "address", "12 rue des Tilleuls"),
        ("lives at 12 Mill Lane now", "address", "12 Mill Lane"),
    ],
)
def test_what_may_identify_the_patient_is_found(text: str, kind: str, found: str) -> None:
    (passage,) = passages({"history": text})
    assert (passage.kind, passage.text) == (kind, found)


@pytest.mark.parametrize(
    "text",
    [
        "PA 138/82 mmHg, FC 74/min, SpO₂ 98 % en air ambiant.",
        "Troponine 9 puis 11 ng/L à trois heures, créatinine 92 µmol/L.",
        "Homme de 62 ans, J−12, sevré en 2019.",
        "Amlodipine 5 mg, 1 cp 3/j pendant 10 jours.",
        "Femme, 50–54 ans. TDM en coupes de 1,25 mm.",
        "2 may be enough; 3 of 5 criteria.",
        "Score de Wells 4,5. Glasgow 15/15. pH 7.38, pCO2 38.",
        "Le Dr Roy propose une IRM.",
        "Un avis, @roy@lille.example ou @frida@127.0.0.1:8002 ?",
        "",
    ],
)
def test_medicine_is_left_alone(text: str) -> None:
    assert passages({"history": text}) == []


@pytest.mark.parametrize(
    "text",
    [
        "NIR 2 75 03 69 123 456 78",
        "sécu 269054958815780",
        "IPP : 80012345",
        "NHS no. 943 476 5919",
        "au 06 12 34 56 78",
        "au +33 6 12 34 56 78",
        "call 020 7946 0958",
        "call +44 7700 900123",
        "call 07700 900123",
        "p.durand@example.org",
        "née le 14/03/1962",
        "Date de naissance : 14 mars 1962",
        "DDN 14.03.1962",
        "DOB: 1962-03-14",
        "born on March 14, 1962",
    ],
)
def test_what_certainly_identifies_the_patient_is_told_from_what_may(text: str) -> None:
    (passage,) = passages({"history": text})
    assert passage.certain


@pytest.mark.parametrize(
    "text", ["Mme Duvernay", "opéré le 14/03/2026", "le 12 mars", "93 ans", "CK 120 450 1200 UI/L", "12 Mill Lane now"]
)
def test_what_only_may_identify_the_patient_is_for_the_author_to_decide(text: str) -> None:
    (passage,) = passages({"history": text})
    assert not passage.certain


@pytest.mark.parametrize("text", ["glycémie à 0 30 60 90 120 min", "K+ 3,9 à 08 h 30", "newborn at 34 weeks", "+2 DS"])
def test_series_of_results_are_no_telephone_and_no_date_of_birth(text: str) -> None:
    assert not any(passage.certain for passage in passages({"history": text}))


def test_passages_come_in_order_with_the_words_around_them() -> None:
    texts = {"presentation": "Le 14/03/2026, Mme Duvernay, 62 ans, tombe.", "history": "Rappel au 06 12 34 56 78."}
    found = passages(texts)
    assert [passage.text for passage in found] == ["14/03/2026", "Mme Duvernay", "06 12 34 56 78"]
    assert [passage.field for passage in found] == ["presentation", "presentation", "history"]
    assert found[1].before == "Le 14/03/2026,"
    assert found[1].after == ", 62 ans, tombe."


def test_whoever_confirms_twenty_passages_is_asked_about_the_next() -> None:
    texts = {"history": " ".join(f"Mme Durand{'abcdefghijklmnopqrstuvwxyz'[n]}." for n in range(25))}
    first = identifying(texts, ())
    assert len(first) == PASSAGES
    rest = identifying(texts, [each.text for each in first])
    assert len(rest) == 5
    assert identifying(texts, [each.text for each in (*first, *rest)]) == []


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    for passage in passages({"history": text}):
        assert passage.text in text


@pytest.mark.parametrize("text", ["a" * 20_000, "1 " * 10_000, "Mme A" * 4_000, "a@" * 10_000, "12 Aa " * 3_000])
def test_every_text_takes_linear_time(text: str) -> None:
    grows_linearly(lambda longer: passages({"history": longer}), text)
