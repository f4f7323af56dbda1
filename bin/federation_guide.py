"""Write the tables of FEDERATION.md from the route tables, so that they cannot say anything else (FEP-67ff)."""

import inspect
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from medfed.activitypub.wire import POST_KINDS
from medfed.discovery.media import routes as media_routes
from medfed.discovery.routes import ROUTES as DISCOVERY
from medfed.domain.accounts import KINDS
from medfed.inbox.routes import ROUTES as INBOX

PAGE = Path(__file__).resolve().parent.parent / "FEDERATION.md"
_CASE = re.compile(r" \([A-Z]\d\d[^)]*\)")
"""Our own names for regression cases: they say nothing to a peer."""
BEGIN, END = "<!-- {name}: written by `make docs` -->", "<!-- end of {name} -->"


def main() -> int:
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
    return 0


def page(text: str) -> str:
    """The page with its tables renewed."""
    return _between(_between(text, "activities", activities()), "documents", documents())


def activities() -> str:
    """What an inbox understands."""
    rows = [f"| `{line.activity}` | {_kinds(line.object)} | {_meaning(line.apply)} |" for line in INBOX]
    return "\n".join(["| activity | of | what it does here |", "|---|---|---|", *rows])


def documents() -> str:
    """What can be fetched."""
    rows = [f"| `{route.path}` | {_meaning(route.endpoint)} |" for route in (*DISCOVERY, *media_routes())]
    return "\n".join(["| path | what is there |", "|---|---|", *rows])


def _kinds(kinds: frozenset[str]) -> str:
    if not kinds:
        return "anything else"
    named = {KINDS: "actors", POST_KINDS: "posts"}
    return named.get(kinds) or ", ".join(f"`{kind}`" for kind in sorted(kinds))


def _meaning(function: Callable[..., Any]) -> str:
    text = _CASE.sub("", (inspect.getdoc(function) or "").replace("\n", " "))
    first = text.split(". ", 1)[0].rstrip(".")
    if first.startswith("GET ") and ": " in first:
        first = first.split(": ", 1)[1]
    return first[:1].upper() + first[1:].replace("|", "\\|")


def _between(text: str, name: str, table: str) -> str:
    begin, end = BEGIN.format(name=name), END.format(name=name)
    head, _, rest = text.partition(begin)
    _, _, tail = rest.partition(end)
    return f"{head}{begin}\n{table}\n{end}{tail}"


if __name__ == "__main__":
    sys.exit(main())
