"""Forms as templates see them: what was typed, what is wrong with it, and what can be chosen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class FormView:
    """What was typed and what is wrong with it, by field name; messages already in the reader's language."""

    values: Mapping[str, str] = field(default_factory=dict)
    chosen: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """For fields with several values (checkboxes, multiple selects)."""
    errors: Mapping[str, str] = field(default_factory=dict)
    action: str = ""

    def value(self, name: str, default: str = "") -> str:
        """What the field holds."""
        return self.values.get(name, default)

    def has(self, name: str, value: str) -> bool:
        """Whether `value` is among the chosen ones."""
        return value in self.chosen.get(name, frozenset()) or self.values.get(name) == value

    def error(self, name: str) -> str | None:
        """What is wrong with the field, or None."""
        return self.errors.get(name)


EMPTY_FORM: Final = FormView()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceView:
    """An option of a select or radio list; `word` is already in the reader's language."""

    value: str
    word: str
    hint: str = ""
