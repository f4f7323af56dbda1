"""Passages of a case that may identify the patient: found by their shape, shown to the author, who decides."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Kind: TypeAlias = Literal["name", "date", "age", "number", "contact", "address"]

MOST: Final = 20
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


def _compiled(shapes: Iterable[tuple[Kind, str]]) -> tuple[tuple[Kind, re.Pattern[str]], ...]:
    return tuple((kind, re.compile(shape)) for kind, shape in shapes)


_SHAPES: Final[tuple[tuple[Kind, re.Pattern[str]], ...]] = _compiled(
    (
        ("contact", r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}"),
        ("contact", r"(?<![\d.,])(?:\+\d{2,3}[ .]?|0)\d(?:[ .-]?\d{2}){4}(?!\d)"),
        # A French social security number: sex, year, month, department, town, order, key.
        ("number", r"(?<!\d)[12] ?\d{2} ?(?:0[1-9]|1[0-2]|[2-9]\d) ?\d[\dAB] ?\d{3} ?\d{3}(?: ?\d{2})?(?!\d)"),
        ("number", r"\b(?:IPP|NIP|NDA|IEP|MRN|NHS)\b[ :n°o.]{0,6}\d[\d -]{3,18}\d"),
        ("date", rf"(?<!\d)(?:0?[1-9]|[12]\d|3[01])[/.-](?:0?[1-9]|1[0-2])[/.-]{_YEAR}(?!\d)"),
        ("date", rf"(?<!\d){_YEAR}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])(?!\d)"),
        ("date", rf"\b{_DAY}{_SPACE}{_MONTH}(?:{_SPACE}{_YEAR})?\b"),
        ("date", rf"\b{_MONTH} {_DAY}(?:, ?{_YEAR})?\b"),
        ("age", rf"\b(?:9\d|1[01]\d){_SPACE}?(?:ans|years?(?:[ -]old)?|y/?o)\b"),
        ("name", rf"\b{_TITLE}{_SPACE}{_SURNAME}(?:[ -]{_SURNAME})?"),
        ("address", r"\b\d{1,4}(?: bis| ter)?,? (?:rue|avenue|boulevard|place|chemin|allée|impasse) [\w’' -]{3,40}"),
        ("address", rf"\b\d{{1,4}} (?:{_SURNAME} ){{1,3}}(?:Street|Road|Avenue|Lane|Drive|Close)\b"),
    )
)
"""The more telling first: what one of them takes, no other does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """Something that may identify the patient, with the words around it."""

    kind: Kind
    text: str
    before: str
    after: str


def passages(*texts: str) -> list[Passage]:
    """What may identify the patient in these texts, in order, at most MOST; each stretch of text once."""
    found: list[Passage] = []
    for text in texts:
        taken: list[tuple[int, int]] = []
        here: list[tuple[int, Passage]] = []
        for kind, shape in _SHAPES:
            for match in shape.finditer(text):
                start, end = match.span()
                if any(start < other_end and end > other for other, other_end in taken):
                    continue
                taken.append((start, end))
                here.append((start, _passage(kind, text, start, end)))
        found += [passage for _, passage in sorted(here, key=lambda pair: pair[0])]
    return found[:MOST]


def _passage(kind: Kind, text: str, start: int, end: int) -> Passage:
    return Passage(
        kind=kind,
        text=text[start:end],
        before=" ".join(text[max(0, start - _AROUND) : start].split()),
        after=" ".join(text[end : end + _AROUND].split()),
    )
