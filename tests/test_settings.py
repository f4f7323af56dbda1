"""What cannot be meant is an error of the configuration, and never silently "unlimited" (H15)."""

import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from medfed.kernel.errors import Misconfigured
from medfed.settings import Settings, from_document


def numbers(model: type[BaseModel], *above: str) -> Iterator[tuple[str, ...]]:
    """The path of every number that can be set."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from numbers(kind, *above, name)
        elif kind in (int, float) or {int, float} & set(_alternatives(kind)):
            yield (*above, name)


def _alternatives(kind: Any) -> tuple[Any, ...]:
    return typing.get_args(kind) if typing.get_origin(kind) in (typing.Union, types.UnionType) else ()


NUMBERS = tuple(numbers(Settings))


@pytest.mark.case("H15")
@pytest.mark.parametrize("path", NUMBERS, ids=".".join)
@pytest.mark.parametrize("value", [-1, 10**9, 2**80, "many", 1.5, float("inf"), float("nan"), None])
def test_a_number_that_makes_no_sense_is_refused(path: tuple[str, ...], value: object, tmp_path: Path) -> None:
    document: dict[str, Any] = {"instance": {"domain": "lyon.test"}}
    section = document
    for name in path[:-1]:
        section = section.setdefault(name, {})
    section[path[-1]] = value
    with pytest.raises(Misconfigured, match=path[-1]):
        from_document(document, base=tmp_path)


def test_there_are_numbers_to_set() -> None:
    assert ("database", "pool") in NUMBERS
