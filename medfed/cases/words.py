"""A case in words: the HTML that every peer can read, whatever it knows of cases."""

from collections.abc import Mapping
from typing import Final

from markupsafe import escape

from medfed.domain.cases import CaseDraft
from medfed.kernel.html import clean, from_markdown

_HEADINGS: Final[Mapping[str, Mapping[str, str]]] = {
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
_SEX: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {"female": "Female", "male": "Male", "other": "Other"},
    "fr": {"female": "Femme", "male": "Homme", "other": "Autre"},
}
_BANDS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {"newborn": "newborn", "infant": "infant", "90+": "90 years and over"},
    "fr": {"newborn": "nouveau-né", "infant": "nourrisson", "90+": "90 ans et plus"},
}
_YEARS: Final[Mapping[str, str]] = {"en": "years", "fr": "ans"}
_STAGES: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "help_wanted": "Help wanted", "urgent": "Urgent", "interesting": "Interesting", "teaching": "Teaching",
        "follow_up": "Follow-up", "solved": "Solved", "archived": "Archived",
    },
    "fr": {
        "help_wanted": "Avis demandé", "urgent": "Avis urgent", "interesting": "Intéressant",
        "teaching": "Pédagogique", "follow_up": "Suivi", "solved": "Résolu", "archived": "Archivé",
    },
}  # fmt: skip


def language(draft: CaseDraft) -> str:
    """The language that the headings of a case are in: its own if we have words in it, else English."""
    return draft.language if draft.language in _HEADINGS else "en"


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
    known = [_STAGES[words].get(draft.stage, draft.stage)]
    if draft.sex:
        known.append(_SEX[words][draft.sex])
    if draft.age_band:
        known.append(_age(draft.age_band, words))
    return " · ".join(known)


def _age(band: str, words: str) -> str:
    return _BANDS[words].get(band) or f"{band.replace('-', '–')} {_YEARS[words]}"
