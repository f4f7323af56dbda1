"""SQL text written once, with named parameters, and compiled at import for both engines.

A list parameter is marked by its brackets: `IN :ids[]` (whole numbers) or `IN :names[text]`, also after NOT.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from medfed.storage.scan import pieces

Engine: TypeAlias = Literal["sqlite", "postgres"]

_PARAMETER = re.compile(
    r"""
      (?P<list> \b(?:(?P<not>NOT)\s+)?IN\s+:(?P<name>[A-Za-z_]\w*)\[(?P<type>[A-Za-z]*)\] )
    | (?<![:\w]):(?P<scalar>[A-Za-z_]\w*)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_LIST_TYPES: Final = {"": "bigint", "bigint": "bigint", "text": "text"}

REGISTRY: Final[list["Statement"]] = []
"""Every statement of the program, filled while modules are imported; a test prepares each on both engines."""


@dataclass(frozen=True, slots=True, eq=False)
class Statement:
    """One SQL statement as each engine wants it; made by `sql()` only."""

    sqlite: str
    postgres: str
    names: frozenset[str]
    order: tuple[str, ...]
    """The parameters of the PostgreSQL text: the first is $1."""
    lists: frozenset[str]

    def check(self, params: Mapping[str, Any]) -> None:
        """Raise TypeError unless exactly the parameters of this statement are given."""
        if params.keys() == self.names:
            return
        missing = ", ".join(sorted(self.names - params.keys())) or "none"
        unknown = ", ".join(sorted(params.keys() - self.names)) or "none"
        raise TypeError(f"parameters missing: {missing}; unknown: {unknown}; in: {self.sqlite}")

    def for_sqlite(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """The parameters as SQLite takes them: lists become JSON arrays."""
        self.check(params)
        if not self.lists:
            return params
        return {name: json.dumps(list(v)) if name in self.lists else v for name, v in params.items()}

    def for_postgres(self, params: Mapping[str, Any]) -> Sequence[Any]:
        """The parameters in the order of their numbers."""
        self.check(params)
        if not self.lists:
            return [params[name] for name in self.order]
        return [list(params[name]) if name in self.lists else params[name] for name in self.order]


def sql(text: str | None = None, *, sqlite: str | None = None, postgres: str | None = None) -> Statement:
    """Declare a statement, at import time; `sqlite` or `postgres` replaces `text` where the engines differ.

    Raises ValueError when an engine is left without text, or a list type is not `bigint` or `text`.
    """
    for_sqlite = text if sqlite is None else sqlite
    for_postgres = text if postgres is None else postgres
    if for_sqlite is None or for_postgres is None:
        raise ValueError("a statement needs a text for each engine")
    one, other = _Compiler("sqlite"), _Compiler("postgres")
    statement = Statement(
        sqlite=one.compile(for_sqlite),
        postgres=other.compile(for_postgres),
        names=frozenset([*one.order, *other.order]),
        order=tuple(other.order),
        lists=frozenset(one.lists | other.lists),
    )
    REGISTRY.append(statement)
    return statement


class _Compiler:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.order: list[str] = []
        self.lists: set[str] = set()

    def compile(self, text: str) -> str:
        return "".join(
            _PARAMETER.sub(self._replace, piece.text) if piece.kind == "code" else piece.text
            for piece in pieces(text.strip())
        )

    def _replace(self, match: re.Match[str]) -> str:
        if match["list"]:
            return self._list(match["name"], match["type"].lower(), negated=match["not"] is not None)
        return self._mark(match["scalar"])

    def _list(self, name: str, kind: str, *, negated: bool) -> str:
        if kind not in _LIST_TYPES:
            raise ValueError(f"a list of {kind!r}: only bigint and text are known")
        self.lists.add(name)
        mark = self._mark(name)
        if self._engine == "sqlite":
            return f"{'NOT ' if negated else ''}IN (SELECT value FROM json_each({mark}))"
        return f"{'<> ALL' if negated else '= ANY'}({mark}::{_LIST_TYPES[kind]}[])"

    def _mark(self, name: str) -> str:
        if name not in self.order:
            self.order.append(name)
        return f":{name}" if self._engine == "sqlite" else f"${self.order.index(name) + 1}"
