"""Mastodon's own description of its answers, as a judge: what does not fit it breaks clients."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
    "number": (int, float),
    "integer": int,
}


@cache
def _document() -> dict[str, Any]:
    """OpenAPI 3.1 of Mastodon 4.7, without prose: `schemas`, and by operation what it answers."""
    text = (Path(__file__).parent / "mastodon-4.7.json").read_text("utf-8")
    document: dict[str, Any] = json.loads(text)
    return document


@cache
def _operations() -> list[tuple[re.Pattern[str], str]]:
    return [
        (re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(operation))), operation)
        for operation in sorted(_document()["answers"], key=lambda name: "{" in name)
    ]


_MISREAD = frozenset({"GET /api/v1/filters"})
"""Where the description says object and every Mastodon answers a list."""

_KNOWN = frozenset({"GET /api/v1/instance: answer.urls has no streaming_api"})
"""What we do not have, and say so rather than name an address where nothing answers."""


def operation_of(method: str, path: str) -> str | None:
    """The operation that a request is; None when Mastodon has none."""
    asked = f"{method} {path.rstrip('/')}"
    return next((name for pattern, name in _operations() if pattern.fullmatch(asked)), None)


def complaints(method: str, path: str, answer: Any) -> list[str]:
    """What is wrong with an answer; nothing is known to be wrong with what Mastodon does not describe."""
    operation = operation_of(method, path)
    if operation is None or operation in _MISREAD:
        return []
    said = (f"{operation}: {wrong}" for wrong in _against(_document()["answers"][operation], answer, "answer"))
    return [complaint for complaint in said if complaint not in _KNOWN]


def fits(name: str, entity: Any) -> list[str]:
    """What is wrong with one entity."""
    return list(_against({"$ref": f"#/components/schemas/{name}"}, entity, name))


def _against(schema: Mapping[str, Any], value: Any, where: str) -> Iterator[str]:
    if "$ref" in schema:
        schema = _document()["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    for part in schema.get("allOf", ()):
        yield from _against(part, value, where)
    choices = schema.get("oneOf") or schema.get("anyOf")
    if choices:
        tried = [list(_against(choice, value, where)) for choice in choices]
        if all(tried):
            yield from min(tried, key=len)
        return
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(_is(value, kind) for kind in kinds):
        yield f"{where} is {value!r:.80}, not {' or '.join(kinds)}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where} is {value!r:.80}, not one of {schema['enum']}"
    yield from _inside(schema, value, where)


def _inside(schema: Mapping[str, Any], value: Any, where: str) -> Iterator[str]:
    if isinstance(value, dict):
        yield from _object(schema, value, where)
    if isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            yield from _against(schema["items"], item, f"{where}[{index}]")
    if isinstance(value, str) and value:
        yield from _format(schema.get("format", ""), value, where)


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _TYPES[kind])


def _object(schema: Mapping[str, Any], value: Mapping[str, Any], where: str) -> Iterator[str]:
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{where} has no {name}"
    for name, inner in schema.get("properties", {}).items():
        if name in value:
            yield from _against(inner, value[name], f"{where}.{name}")


def _format(name: str, value: str, where: str) -> Iterator[str]:
    if name == "uri" and not urlsplit(value).scheme:
        yield f"{where} is {value!r:.80}, not a URI"
    if name == "date-time" and not _is_time(value):
        yield f"{where} is {value!r:.80}, not a time"


def _is_time(value: str) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False
