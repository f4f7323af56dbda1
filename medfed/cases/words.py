"""A case in words: the HTML that every peer can read, whatever it knows of cases."""

from collections.abc import Mapping
from typing import Final

from markupsafe import escape

from medfed.domain.cases import CaseDraft, stage_name
from medfed.domain.codes import Language
from medfed.kernel.html import clean, from_markdown

_HEADINGS: Final[Mapping[Language, Mapping[str, str]]] = {
    "en": {
        "presentation": "Presentation",
        "history": "History",
        "examination": "Examination",
        "investigations": "Investigations",
        "question": "Question",
        "outcome": "Outcome",
    },
    "fr": {
        "presentation": "Présentation",
        "history": "Antécédents",
        "examination": "Examen",
        "investigations": "Examens complémentaires",
        "question": "Question",
        "outcome": "Issue",
    },
}
_SEX: Final[Mapping[Language, Mapping[str, str]]] = {
    "en": {"female": "Female", "male": "Male", "other": "Other"},
    "fr": {"female": "Femme", "male": "Homme", "other": "Autre"},
}
_BANDS: Final[Mapping[Language, Mapping[str, str]]] = {
    "en": {"newborn": "newborn", "infant": "infant", "90+": "90 years and over"},
    "fr": {"newborn": "nouveau-né", "infant": "nourrisson", "90+": "90 ans et plus"},
}
_YEARS: Final[Mapping[Language, str]] = {"en": "years", "fr": "ans"}


def language(draft: CaseDraft) -> Language:
    """The language that the headings of a case are in: its own if we have words in it, else English."""
    return "fr" if draft.language == "fr" else "en"


def as_html(draft: CaseDraft) -> str:
    """The whole case: title, facts, sections, question. Clean HTML."""
    words = language(draft)
    parts = [f"<p><strong>{escape(draft.title.strip())}</strong></p>", f"<p>{escape(facts(draft))}</p>"]
    for name, heading in _HEADINGS[words].items():
        text = getattr(draft, name).strip()
        if text:
            parts.append(f"<p><strong>{escape(heading)}</strong></p>{from_markdown(text)}")
    return clean("".join(parts))


def facts(draft: CaseDraft) -> str:
    """One line: stage, sex, age band."""
    words = language(draft)
    known = [stage_name(draft.stage, words)]
    if draft.sex:
        known.append(_SEX[words][draft.sex])
    if draft.age_band:
        known.append(_age(draft.age_band, words))
    return " · ".join(known)


def _age(band: str, words: Language) -> str:
    return _BANDS[words].get(band) or f"{band.replace('-', '–')} {_YEARS[words]}"
