"""Write docs/guide/settings.md from the settings themselves, so that the page cannot say anything else."""

import json
import sys
import typing
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from medfed.settings import Settings

GUIDE = Path(__file__).resolve().parent.parent / "docs" / "guide" / "settings.md"
OPENING = """\
# Settings

`medfed.toml`, or the environment: each key is also `MEDFED_SECTION__KEY`, which goes before the file; lists there take
commas. Relative paths are relative to the file. An unknown key stops the start and names the nearest known one.
What a society decides while it runs (trust, rules, roles) is not here: that is data with an audit trail.

This page is written by `make docs`.
"""


def main() -> int:
    GUIDE.write_text(guide(), encoding="utf-8")
    return 0


def guide() -> str:
    """The whole page, one table a section in the order of the file."""
    sections = [section(name, info) for name, info in Settings.model_fields.items()]
    return "\n".join([OPENING, *sections])


def section(name: str, info: FieldInfo) -> str:
    model = info.annotation
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise TypeError(f"{name} is not a section of settings")
    rows = [f"| `{key}` | {default(field)} | {meaning(field)} |" for key, field in model.model_fields.items()]
    purpose = (model.__doc__ or "").strip()
    return "\n".join([f"## `[{name}]`", purpose, "", "| key | default | what it means |", "|---|---|---|", *rows, ""])


def default(field: FieldInfo) -> str:
    if field.is_required():
        return "none: must be set"
    return f"`{toml(field.default)}`"


def toml(value: Any) -> str:
    """A default as it would stand in medfed.toml; JSON writes these alike."""
    plain = list(value) if isinstance(value, tuple) else str(value) if isinstance(value, Path) else value
    return json.dumps(plain, ensure_ascii=False)


def meaning(field: FieldInfo) -> str:
    choices = typing.get_args(field.annotation) if typing.get_origin(field.annotation) is typing.Literal else ()
    listed = f" One of {', '.join(f'`{choice}`' for choice in choices)}." if choices else ""
    return f"{field.description or ''}{listed}"


if __name__ == "__main__":
    sys.exit(main())
