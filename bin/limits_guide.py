"""Write docs/limits.md from the limits and the rates of the program, so that the page cannot say anything else."""

import ast
import sys
from pathlib import Path

from medfed.api.limits import OF_ADDRESS, OF_MEMBER, OF_TOKEN, RATES, Rate
from medfed.kernel import limits
from medfed.kernel.clock import MINUTE

PAGE = Path(__file__).resolve().parent.parent / "docs" / "limits.md"
SOURCE = Path(str(limits.__file__))
OPENING = """\
# Limits

Every limit on what strangers, peers and members may send, from `medfed/kernel/limits.py`. Sizes are in bytes, times in
seconds, lengths in characters, unless the name says otherwise. What is over a limit is refused or cut, never kept.

This page is written by `make docs`.

| limit | value | |
|---|---|---|
"""

RATES_OPENING = """
## Rates of the client API

From `medfed/api/limits.py`. Who is over one is answered `429` with `Retry-After`, and reads in `X-RateLimit-*` how much
is left. `limits.enabled = false` lifts them all, for tests.

| calls | at most | in |
|---|---|---|
"""
_EVERY = {"Any, by one address": OF_ADDRESS, "Any, by one token": OF_TOKEN, "Any, by one member": OF_MEMBER}


def main() -> int:
    PAGE.write_text(guide(), encoding="utf-8")
    return 0


def guide() -> str:
    """The whole page, in the order of the module."""
    body = ast.parse(SOURCE.read_text("utf-8")).body
    rows = []
    for node, following in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
            if name not in ("KIB", "MIB"):
                rows.append(f"| {_words(name)} | {_value(getattr(limits, name))} | {_said(following)} |")
    return OPENING + "\n".join(rows) + "\n" + RATES_OPENING + "\n".join(_rates()) + "\n"


def _rates() -> list[str]:
    of: dict[str, Rate] = _EVERY | {_words(limit.name): rate for limit, rate in RATES.items()}
    return [f"| {name} | {_value(rate.calls)} | {rate.per // MINUTE} minutes |" for name, rate in of.items()]


def _words(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _value(value: object) -> str:
    if isinstance(value, tuple):
        return "–".join(map(str, value))
    if isinstance(value, int) and value >= limits.KIB and value % limits.KIB == 0:
        return f"{value // limits.MIB} MiB" if value % limits.MIB == 0 else f"{value // limits.KIB} KiB"
    return f"{value:,}".replace(",", " ") if isinstance(value, int) else str(value)


def _said(node: ast.stmt | None) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return node.value.value.replace("\n", " ")
    return ""


if __name__ == "__main__":
    sys.exit(main())
