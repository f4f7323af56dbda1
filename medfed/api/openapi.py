"""The description of medfed's own API, made from the route table and the shapes."""

import re
from collections.abc import Iterable
from typing import Any, Final

import medfed
from medfed.api.calls import Line
from medfed.api.models import ENUMS, Refusal, schema_of

PREFIX: Final = "/api/medfed/v1"
_QUERY: Final = {
    "GET /api/medfed/v1/cases": ("specialty", "stage", "before", "limit"),
}


def describe(lines: Iterable[Line], *, title: str, base: str) -> dict[str, Any]:
    """OpenAPI 3.1 of those of `lines` that are medfed's own."""
    components: dict[str, Any] = {name: {"type": "string", "enum": list(codes)} for name, codes in ENUMS.items()}
    schema_of(Refusal, components)
    paths: dict[str, Any] = {}
    for line in lines:
        if line.path.startswith(PREFIX):
            path = line.path.removeprefix(PREFIX)
            paths.setdefault(path, {})[line.method.lower()] = _operation(line, components)
    return {
        "openapi": "3.1.0",
        "info": {"title": f"medfed API of {title}", "version": medfed.__version__},
        "servers": [{"url": f"{base}{PREFIX}"}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(components.items())),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(line: Line, components: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": line.call.__name__,
        "summary": line.says.partition("\n")[0],
        "parameters": _parameters(line),
        "responses": {
            "200": {"description": "Done.", **_content(schema_of(line.answers, components))},
            "default": {"description": "Refused.", **_content({"$ref": "#/components/schemas/Refusal"})},
        },
    }
    if line.scopes:
        operation["security"] = [{"bearer": list(line.scopes)}, *([{}] if line.who == "anyone" else [])]
        operation["x-who"] = line.who
    if line.reads is not None:
        operation["requestBody"] = {"required": True, **_content(schema_of(line.reads, components))}
    return operation


def _parameters(line: Line) -> list[dict[str, Any]]:
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", line.path)
    ]
    names = _QUERY.get(f"{line.method} {line.path}", ())
    return in_path + [{"name": name, "in": "query", "schema": {"type": "string"}} for name in names]


def _content(schema: dict[str, Any]) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema}}}
