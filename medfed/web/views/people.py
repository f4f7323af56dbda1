"""People on a page: their name, their badge, and the path by which a credential counts."""

import unicodedata
from dataclasses import dataclass
from typing import Final, Literal

from medfed.domain.codes import SPECIALTIES
from medfed.kernel.clock import Millis
from medfed.web import words

NAME_LENGTH: Final = 60
_SEEN_STAMPS: Final = 2
_SHORT: Final = 3
_TITLES: Final = frozenset({"Dr", "Pr", "Prof", "Mr", "Mrs", "Ms", "Mme", "M"})


def display_name(name: str, fallback: str) -> str:
    """A name as one line of letters: no pictures, marks or direction tricks that could imitate a stamp."""
    kept = "".join(character for character in name if _is_plain(character))
    return " ".join(kept.split())[:NAME_LENGTH].strip() or fallback


def initials(name: str) -> str:
    """Up to two capitals to stand in for a missing picture."""
    parts = [part for part in name.replace("-", " ").replace("’", " ").split() if part[0].isalnum()]
    proper = [part for part in parts if part[0].isupper() or part[0].isdigit()]
    named = [part for part in proper if part.rstrip(".") not in _TITLES] or parts
    if len(named) == 1:
        # "Société alpine de cardiologie": what is short is an article or a preposition.
        named = [part for part in parts if part in named or (len(part) > _SHORT and part not in proper)]
    return "".join(part[0] for part in named[:2]).upper() or "·"


def _is_plain(character: str) -> bool:
    # So: dingbats, emoji, seals. Sk: emoji modifiers. Cf: bidi overrides and joiners.
    # Co, Cn, Cs: whatever a font makes of them. Sm, Me: check-like signs, enclosing circles.
    return character == " " or unicodedata.category(character) not in {
        "So",
        "Sk",
        "Cf",
        "Cc",
        "Co",
        "Cn",
        "Cs",
        "Me",
        "Sm",
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class StampView:
    """One attestation, as small as a stamp. `href` leads to its explanation."""

    state: str
    """trusted, pseudonymous, stale, key-discontinuity, revoked, suspended, expired, untrusted or invalid."""
    profession: str
    specialty: str | None = None
    title: str | None = None
    """The issuer's own words for the claim, where no code fits."""
    issuer: str
    href: str
    ended_at: Millis | None = None

    @property
    def look(self) -> str:
        """The style of the stamp; only `trusted` and `pseudo` are filled."""
        return _LOOKS.get(self.state, "unknown")

    @property
    def claim(self) -> tuple[str, str] | None:
        """Vocabulary and code of what is claimed, or None when only `title` says it."""
        if self.title is not None:
            return None
        if self.specialty in SPECIALTIES and self.profession == "physician":
            return "specialist", str(self.specialty)
        return "practitioner", self.profession


_LOOKS: Final = {
    "trusted": "trusted",
    "pseudonymous": "pseudo",
    "stale": "stale",
    "key-discontinuity": "stale",
    "revoked": "ended",
    "suspended": "ended",
    "expired": "ended",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonView:
    """A person, an institution or a pseudonym, wherever their account lives."""

    name: str
    handle: str
    """With @; with the domain unless local."""
    href: str
    kind: Literal["person", "institution", "pseudonym"] = "person"
    avatar: str | None = None
    stamps: tuple[StampView, ...] = ()
    yours: bool = False

    @property
    def plain_name(self) -> str:
        """The name without anything that could pass for a mark."""
        return display_name(self.name, self.handle)

    @property
    def letters(self) -> str:
        """Initials for a missing picture."""
        return initials(self.plain_name.lstrip("@"))

    @property
    def few_stamps(self) -> tuple[StampView, ...]:
        """What a list shows; the rest is on the profile."""
        return self.stamps[:_SEEN_STAMPS]


@dataclass(frozen=True, slots=True, kw_only=True)
class PathStepView:
    """One station on the way from this instance to the issuer."""

    name: str
    role: Literal["yours", "list", "issuer"]
    since: Millis | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialView:
    """An attestation, explained."""

    id: str
    stamp: StampView
    holder: PersonView
    issuer: str
    issuer_href: str | None = None
    types: tuple[str, ...] = ()
    specialties: tuple[str, ...] = ()
    country: str | None = None
    assurance: str | None = None
    method: str | None = None
    verified_at: Millis | None = None
    valid_until: Millis | None = None
    checked_at: Millis | None = None
    path: tuple[PathStepView, ...] = ()
    note: str | None = None
    """A published reason for a withdrawal, or what failed; in the words of whoever gave it."""
    document_href: str | None = None
    published: bool = True
    action: str | None = None
    """Where its holder posts what to do with it; None for everyone else."""

    @property
    def reason(self) -> str:
        """The message that explains its state."""
        return words.REASONS.get(self.stamp.state, words.REASONS["invalid"])
