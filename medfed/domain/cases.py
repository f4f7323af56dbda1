"""Clinical cases: their structure, stages and consent, and what may not be published."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from medfed.domain.codes import Language
from medfed.domain.identity import Passage, passages
from medfed.domain.posts import Requirement
from medfed.kernel import limits
from medfed.kernel.clock import Millis
from medfed.kernel.errors import Invalid

Stage: TypeAlias = Literal["help_wanted", "urgent", "interesting", "teaching", "follow_up", "solved", "archived"]
_STAGE_WORDS: Final[Mapping[Stage, Mapping[Language, str]]] = {
    "help_wanted": {"en": "Help wanted", "fr": "Avis demandé"},
    "urgent": {"en": "Urgent", "fr": "Avis urgent"},
    "interesting": {"en": "Interesting", "fr": "Intéressant"},
    "teaching": {"en": "Teaching case", "fr": "Cas d’enseignement"},
    "follow_up": {"en": "Follow-up", "fr": "Suivi"},
    "solved": {"en": "Solved", "fr": "Résolu"},
    "archived": {"en": "Archived", "fr": "Archivé"},
}
STAGES: Final[tuple[Stage, ...]] = tuple(_STAGE_WORDS)

Audience: TypeAlias = Literal["public", "followers", "verified"]
AUDIENCES: Final[tuple[Audience, ...]] = ("public", "followers", "verified")

AGE_BANDS: Final[tuple[str, ...]] = (
    "newborn", "infant", "1-4", *(f"{age}-{age + 4}" for age in range(5, 90, 5)), "90+",
)  # fmt: skip
SEXES: Final[tuple[str, ...]] = ("female", "male", "other")
CONSENTS: Final[tuple[str, ...]] = (
    "patient_written", "patient_verbal", "guardian", "not_identifiable", "none",
)  # fmt: skip

TEXTS: Final[tuple[str, ...]] = ("presentation", "history", "examination", "investigations", "question")


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseDraft:
    """What a member wants to publish as a case, not yet checked."""

    title: str
    presentation: str
    history: str = ""
    examination: str = ""
    investigations: str = ""
    question: str = ""
    age_band: str | None = None
    sex: str | None = None
    specialties: tuple[str, ...] = ()
    stage: str = "help_wanted"
    outcome: str = ""
    audience: str = "verified"
    requires: Requirement | None = None
    media_ids: tuple[int, ...] = ()
    language: str = ""
    consent_basis: str = "none"
    confirmed: frozenset[str] = frozenset()
    """Passages that look as if they identified the patient, of which the author says that they do not."""

    @property
    def texts(self) -> dict[str, str]:
        """Everything that is read by others, by field."""
        return {name: getattr(self, name) for name in ("title", *TEXTS, "outcome")}


class Identifying(Invalid):
    """Passages stand in the way of publishing: certain ones have to go, the others may be confirmed."""

    def __init__(self, message: str, fields: Mapping[str, str], found: Sequence[Passage]) -> None:
        super().__init__(message, fields)
        self.passages = tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A clinical discussion with a stage; its words and audience are also those of the post `post_id`."""

    id: int
    post_id: int
    account_id: int
    title: str
    presentation: str
    history: str = ""
    examination: str = ""
    investigations: str = ""
    question: str = ""
    age_band: str = ""
    sex: str = ""
    specialties: tuple[str, ...] = ()
    stage: Stage = "help_wanted"
    outcome: str = ""
    accepted_post_id: int | None = None
    audience: Audience = "verified"
    consent_basis: str = "none"
    created_at: Millis = 0
    updated_at: Millis = 0


def stage_name(code: str, language: Language) -> str:
    """What a stage is called, on our pages and in the text that peers show; an unknown code shows itself."""
    return next((names[language] for stage, names in _STAGE_WORDS.items() if stage == code), code)


def check(
    draft: CaseDraft, *, specialties: Sequence[str], alt_texts: Sequence[str], known: Mapping[str, str] | None = None
) -> CaseDraft:
    """The draft itself, if it may be published. Raises Invalid that names each missing or unsafe field; Identifying
    when passages are among what is unsafe.

    `specialties` are the codes there are; `alt_texts` the descriptions of the attached images; `known` the texts by
    field that were published before: they are not read for identifiers again.
    """
    problems: dict[str, str] = {}
    _require_text(draft, problems)
    _require_codes(draft, specialties, problems)
    if draft.stage in ("help_wanted", "urgent") and not draft.question.strip():
        problems["question"] = "say what you ask your colleagues"
    if alt_texts and draft.consent_basis == "none":
        problems["consent.basis"] = "images need a basis of consent"
    if any(not text.strip() for text in alt_texts):
        problems["media_ids"] = "every image needs a description"
    before = known or {}
    fresh = {name: text for name, text in draft.texts.items() if text != before.get(name)}
    found = identifying(fresh | {"media_ids": "\n".join(alt_texts)}, draft.confirmed)
    problems = {**_unsafe(found), **problems}
    if not problems:
        return draft
    message = "; ".join(f"{name}: {problem}" for name, problem in problems.items())
    raise Identifying(message, problems, found) if found else Invalid(message, problems)


PASSAGES: Final = 20


def identifying(texts: Mapping[str, str], confirmed: Collection[str]) -> list[Passage]:
    """The passages that stand in the way of publishing these texts, given by field; what is certain comes first.

    At most PASSAGES: whoever confirms those is asked about the next.
    """
    found = [each for each in passages(texts) if each.certain or each.text not in confirmed]
    return sorted(found, key=lambda passage: not passage.certain)[:PASSAGES] if len(found) > PASSAGES else found


def check_outcome(outcome: str, confirmed: Collection[str]) -> str:
    """The outcome itself, if it may be published. Raises Invalid, Identifying."""
    if len(outcome) > limits.CASE_FIELD:
        raise Invalid("the outcome is too long", {"outcome": "too long"})
    found = identifying({"outcome": outcome}, confirmed)
    if found:
        problems = _unsafe(found)
        raise Identifying(f"outcome: {problems['outcome']}", problems, found)
    return outcome


def _unsafe(found: Sequence[Passage]) -> dict[str, str]:
    """What is said of each field: that something certain has to go, else what has to be confirmed."""
    problems: dict[str, str] = {}
    for each in sorted(found, key=lambda passage: not passage.certain):
        says = (
            "identifies the patient: take it out" if each.certain else "may identify the patient: change or confirm it"
        )
        problems.setdefault(each.field, f"{each.text!r} {says}")
    return problems


def _require_text(draft: CaseDraft, problems: dict[str, str]) -> None:
    for name in ("title", "presentation"):
        if not getattr(draft, name).strip():
            problems[name] = "is missing"
    if len(draft.title) > limits.CASE_TITLE:
        problems["title"] = f"is longer than {limits.CASE_TITLE} characters"
    for name in (*TEXTS, "outcome"):
        if len(getattr(draft, name)) > limits.CASE_FIELD:
            problems[name] = f"is longer than {limits.CASE_FIELD} characters"


def _require_codes(draft: CaseDraft, specialties: Sequence[str], problems: dict[str, str]) -> None:
    if draft.age_band and draft.age_band not in AGE_BANDS:
        problems["patient.age_band"] = f"is not one of {', '.join(AGE_BANDS)}"
    if draft.sex and draft.sex not in SEXES:
        problems["patient.sex"] = f"is not one of {', '.join(SEXES)}"
    if draft.stage not in STAGES:
        problems["stage"] = f"is not one of {', '.join(STAGES)}"
    if draft.audience not in AUDIENCES:
        problems["audience"] = f"is not one of {', '.join(AUDIENCES)}"
    if draft.consent_basis not in CONSENTS:
        problems["consent.basis"] = f"is not one of {', '.join(CONSENTS)}"
    unknown = [code for code in draft.specialties if code not in specialties]
    if unknown:
        problems["specialties"] = f"{unknown[0]!r} is not a specialty code"
    if len(draft.specialties) > 3:
        problems["specialties"] = "at most three"
    if not draft.specialties:
        problems["specialties"] = "is missing"
