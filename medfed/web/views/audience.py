"""Who will be able to read what is about to be written, and which instances it will not reach."""

from dataclasses import dataclass

from medfed.web import words


@dataclass(frozen=True, slots=True, kw_only=True)
class AudienceView:
    """Who can read something, as a sentence."""

    code: str
    instances: int | None = None
    requirement: str | None = None
    """Narrower than "attested practitioners", in the reader's language: "physicians, France"."""

    @property
    def icon(self) -> str:
        """The icon beside the sentence."""
        return words.AUDIENCE_ICONS.get(self.code, "people")


@dataclass(frozen=True, slots=True, kw_only=True)
class AudienceChoiceView:
    """One line of the audience list in the composer, with its forecast."""

    code: str
    readers: int | None = None
    instances: int | None = None
    missing: int = 0
    checked: bool = False
    disabled_because: str | None = None

    @property
    def icon(self) -> str:
        """The icon beside the words."""
        return words.AUDIENCE_ICONS.get(self.code, "people")

    @property
    def counted(self) -> bool:
        """Whether readers and instances are known."""
        return self.readers is not None and self.instances is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class MissedView:
    """A follower who will not receive it. `reason` is in the reader's language."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastView:
    """What would happen on publishing, before it happens."""

    readers: int
    followers: int
    instances: int
    missed: tuple[MissedView, ...] = ()
