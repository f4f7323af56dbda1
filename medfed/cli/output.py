"""How commands speak: data to stdout, everything else to stderr, one sentence for what failed."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final, TypeVar

import click

from medfed.kernel.errors import MedfedError, Misconfigured
from medfed.kernel.observe import escaped

F = TypeVar("F", bound=Callable[..., Any])

_WIDEST: Final = 60


class Failed(click.ClickException):
    """The command was refused or failed; the message is the one sentence that is said."""

    exit_code = 1

    def show(self, file: Any = None) -> None:
        """Say it on stderr."""
        click.echo(f"medfed: {self.message}", file=file, err=True)


@contextmanager
def failures() -> Iterator[None]:
    """Turn what is raised on purpose, and what the system refuses, into a sentence and exit status 1."""
    try:
        yield
    except MedfedError as error:
        raise Failed(escaped(str(error)) or type(error).__name__) from error
    except OSError as error:
        raise Failed(escaped(in_words(error))) from error


def in_words(error: OSError) -> str:
    """What the system refused, and where: a full disk, a folder of somebody else."""
    said = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {said}" if error.filename else said


def json_option(function: F) -> F:
    """Adds --json: one JSON document on stdout."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")(function)


def say(sentence: str) -> None:
    """Tell the operator something that is not data."""
    click.echo(sentence, err=True)


def new_file(path: Path) -> IO[str]:
    """Open a file that must not exist, for this user only, and make its folder. Raises Misconfigured."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Misconfigured(f"{path} exists already; it is not overwritten") from None
    except OSError as error:
        raise Misconfigured(f"{path} cannot be written: {error.strerror}") from None
    return os.fdopen(descriptor, "w", encoding="utf-8")


def confirm(question: str, *, yes: bool) -> None:
    """Ask a person whether to go on, unless they said `yes`; scripts are not asked. Raises click.Abort."""
    if not yes and sys.stdin.isatty():
        click.confirm(question, abort=True, err=True)


def show(result: Any, *, as_json: bool, text: Callable[[], str]) -> None:
    """Print data: as JSON, or the text for people (nothing at all when it is empty)."""
    if as_json:
        click.echo(json.dumps(result, ensure_ascii=False, indent=2))
        return
    shown = text()
    if shown:
        click.echo(shown)


def report(result: Any, sentence: str, *, as_json: bool) -> None:
    """Tell what was done: as JSON data, or in a sentence that is none."""
    if as_json:
        show(result, as_json=True, text=str)
    else:
        say(sentence)


def table(rows: Sequence[Mapping[str, Any]], *names: str) -> str:
    """Rows in columns. Control characters, which a peer may have sent, do not reach the terminal."""
    heads = {name: name.replace("_", " ") for name in names}
    lines = [heads, *({name: _cell(row.get(name)) for name in names} for row in rows)]
    widths = {name: max(len(line[name]) for line in lines) for name in names}
    return "\n".join("  ".join(line[name].ljust(widths[name]) for name in names).rstrip() for line in lines)


def facts(record: Mapping[str, Any]) -> str:
    """One record, a line for each fact."""
    width = max(map(len, record), default=0)
    return "\n".join(
        f"{name.replace('_', ' ').ljust(width)}  {_cell(value)}".rstrip() for name, value in record.items()
    )


def _cell(value: Any) -> str:
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(_cell(item) for item in value) or "–"
    text = escaped(str(value))
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"
