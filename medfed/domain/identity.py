"""Passages of a case that identify the patient, or may: found by their shape.

Of what may, the author decides. What certainly does (a number of a record or of social security, an e-mail address, a
telephone, a date of birth) nobody confirms away.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

Kind: TypeAlias = Literal["name", "date", "age", "number", "contact", "address"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

_AROUND: Final = 30

_MONTH: Final = (
    "(?:[Jj]anvier|[Ff][ée]vrier|[Mm]ars|[Aa]vril|[Mm]ai|[Jj]uin|[Jj]uillet|[Aa]o[ûu]t|[Ss]eptembre|[Oo]ctobre|"
    "[Nn]ovembre|[Dd][ée]cembre|January|February|March|April|May|June|July|August|September|October|November|December)"
)
_DAY: Final = r"(?:1er|[12]\d|3[01]|[1-9])(?:st|nd|rd|th)?"
_YEAR: Final = r"(?:19|20)\d\d"
_SURNAME: Final = r"[A-ZÀ-ÖØ-Þ][\w’'-]{1,40}"
_TITLE: Final = r"(?:Mme|Mlle|M\.|Mr\.?|Mrs\.?|Ms\.?|Miss|Monsieur|Madame)"
_SPACE: Final = "[ \u00a0\u202f]"
_DATES: Final = (
    rf"(?<!\d)(?:0?[1-9]|[12]\d|3[01])[/.-](?:0?[1-9]|1[0-2])[/.-]{_YEAR}(?!\d)",
    rf"(?<!\d){_YEAR}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])(?!\d)",
    rf"\b{_DAY}{_SPACE}{_MONTH}{_SPACE}{_YEAR}\b",
    rf"\b{_MONTH} {_DAY},? ?{_YEAR}\b",
)
_BORN: Final = (
    r"(?:\b[Nn]ée?(?:\(e\))?(?: le)?|\b[Nn]aissance(?: le)?|\bDDN|\bD\.?O\.?B\.?|\b[Bb]orn(?: on)?(?: the)?|"
    r"\b[Bb]irth(?:day)?)[ :=]{1,3}"
)


def _compiled(*shapes: tuple[Kind, bool, str]) -> tuple[tuple[Kind, bool, re.Pattern[str]], ...]:
    return tuple((kind, certain, re.compile(shape)) for kind, certain, shape in shapes)


_SHAPES: Final[tuple[tuple[Kind, bool, re.Pattern[str]], ...]] = _compiled(
    # Not @name@host: that addresses a colleague.
    ("contact", True, r"(?<![@\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}"),
    ("contact", True, r"(?<![\d.,])(?:\+\d{2,3}[ .]?|0)\d(?:[ .-]?\d{2}){4}(?!\d)"),
    ("contact", True, r"(?<![\d.,])\+\d{1,3}[ .-]?(?:\(0\) ?)?\d{1,4}(?:[ .-]?\d{3,4}){2}(?!\d)"),
    ("contact", True, r"(?<![\d.,])0\d{2,4}[ -]\d{3,4}[ -]?\d{3,4}(?!\d)"),
    # A French social security number: sex, year, month, department, town, order, and, which makes it certain, key.
    ("number", True, r"(?<!\d)[12] ?\d{2} ?(?:0[1-9]|1[0-2]|[2-9]\d) ?\d[\dAB] ?\d{3} ?\d{3} ?\d{2}(?!\d)"),
    ("number", False, r"(?<!\d)[12] ?\d{2} ?(?:0[1-9]|1[0-2]|[2-9]\d) ?\d[\dAB] ?\d{3} ?\d{3}(?!\d)"),
    ("number", True, r"\b(?:IPP|NIP|NDA|IEP|MRN|NHS|NIR|INS)\b[ :n°o.]{0,6}\d[\d -]{3,18}\d"),
    # A British one as it is printed, unless these are three results.
    ("number", False, r"(?<![\d-])\d{3}[ -]\d{3}[ -]\d{4}(?![\d-])"),
    *(("date", True, f"{_BORN}{shape}") for shape in _DATES),
    *(("date", False, shape) for shape in _DATES),
    ("date", False, rf"\b{_DAY}{_SPACE}{_MONTH}\b"),
    ("date", False, rf"\b{_MONTH} {_DAY}\b"),
    ("age", False, rf"\b(?:9\d|1[01]\d){_SPACE}?(?:ans|years?(?:[ -]old)?|y/?o)\b"),
    ("name", False, rf"\b{_TITLE}{_SPACE}{_SURNAME}(?:[ -]{_SURNAME})?"),
    ("address", False, r"\b\d{1,4}(?: bis| ter)?,? (?:rue|avenue|boulevard|place|chemin|allée|impasse) [\w’' -]{3,40}"),
    ("address", False, rf"\b\d{{1,4}} (?:{_SURNAME} ){{1,3}}(?:Street|Road|Avenue|Lane|Drive|Close)\b"),
)
"""(kind, whether it certainly identifies, shape); the more telling first: what one of them takes, no other does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """Something that identifies the patient, or may: the field that it is in, and the words around it."""

    field: str
    kind: Kind
    certain: bool
    text: str
    before: str
    after: str


def passages(fields: Mapping[str, str]) -> list[Passage]:
    """What may identify the patient in these texts by field, in order; each stretch of text once."""
    found: list[Passage] = []
    for name, text in fields.items():
        taken: list[tuple[int, int]] = []
        here: list[tuple[int, Passage]] = []
        for kind, certain, shape in _SHAPES:
            for match in shape.finditer(text):
                start, end = match.span()
                if any(start < other_end and end > other for other, other_end in taken):
                    continue
                taken.append((start, end))
                here.append((start, _passage(name, kind, text, start, end, certain=certain)))
        found += [passage for _, passage in sorted(here, key=lambda pair: pair[0])]
    return found


def _passage(field: str, kind: Kind, text: str, start: int, end: int, *, certain: bool) -> Passage:
    return Passage(
        field=field,
        kind=kind,
        certain=certain,
        text=text[start:end],
        before=" ".join(text[max(0, start - _AROUND) : start].split()),
        after=" ".join(text[end : end + _AROUND].split()),
    )
