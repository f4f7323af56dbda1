"""The catalogue of security cases, which tests carry their ids, and a line about them at the end of each run.

`python -m tests.support.cases` renews the tests named in docs/security-coverage.md; reasons there are kept.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parent.parent.parent
PAGE: Final = ROOT / "docs" / "security-coverage.md"
LAST: Final[Mapping[str, int]] = {
    "A": 22, "B": 18, "C": 19, "D": 23, "E": 19, "F": 24, "G": 18, "H": 21, "I": 22, "J": 11, "M": 20, "N": 32,
    "X": 25,
}  # fmt: skip
"""The last number of each group."""
IDS: Final = tuple(f"{group}{number:02}" for group, last in LAST.items() for number in range(1, last + 1))
NOT_YET: Final = "not yet: "

_MARKED: Final = re.compile(r"(?:\bmark\.case|\bcases=)\(([^)]*)\)")
_ID: Final = re.compile(r'"([A-Z]\d\d)"')
_ROW: Final = re.compile(r"\| ([A-Z]\d\d) \| (.*?) \|")


def marked() -> dict[str, list[str]]:
    """The test files that carry each id, as paths from the root."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        ids = {id_ for call in _MARKED.findall(path.read_text()) for id_ in _ID.findall(call)}
        for id_ in ids:
            found[id_].append(path.relative_to(ROOT).as_posix())
    return found


def listed(page: str) -> list[tuple[str, str]]:
    """(id, tests or reason) of every row of the page."""
    return [(id_, text) for id_, text in _ROW.findall(page)]


def renewed(page: str) -> str:
    """The page with the tests that there are now; a row without any keeps its reason."""
    tests = marked()

    def row(match: re.Match[str]) -> str:
        files = tests.get(match[1])
        return f"| {match[1]} | {', '.join(f'`{name}`' for name in files) if files else match[2]} |"

    return _ROW.sub(row, page)


# ── what pytest is told ──────────────────────────────────────────────────────────────────────────────────────


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Send the ids along with the results: under pytest-xdist the reports travel alone."""
    for item in items:
        ids = sorted({id_ for mark in item.iter_markers("case") for id_ in mark.args})
        if ids:
            item.user_properties.append(("cases", ids))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one block which cases this run has covered, and which of them failed."""
    passed = set(_cases(terminalreporter.stats.get("passed", ())))
    failed = set(_cases([*terminalreporter.stats.get("failed", ()), *terminalreporter.stats.get("error", ())]))
    if not passed | failed:
        return
    held = [id_ for id_ in IDS if id_ in passed - failed]
    terminalreporter.section(f"security cases: {len(held)} of {len(IDS)} held in this run")
    terminalreporter.line("  ".join(_compact(held)))
    if failed:
        terminalreporter.line(f"failed: {' '.join(sorted(failed))}", red=True)


def _cases(reports: Iterable[pytest.TestReport]) -> Iterator[str]:
    for report in reports:
        for name, ids in getattr(report, "user_properties", ()):
            if name == "cases":
                yield from ids


def _compact(ids: Iterable[str]) -> Iterator[str]:
    """A01-04 07 for A01 A02 A03 A04 A07."""
    for group in LAST:
        numbers = [int(id_[1:]) for id_ in ids if id_[0] == group]
        if numbers:
            yield group + " ".join(_runs(numbers))


def _runs(numbers: list[int]) -> Iterator[str]:
    start = numbers[0]
    for position, number in enumerate(numbers):
        if position + 1 < len(numbers) and numbers[position + 1] == number + 1:
            continue
        yield f"{start:02}" if start == number else f"{start:02}-{number:02}"
        if position + 1 < len(numbers):
            start = numbers[position + 1]


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text()))
