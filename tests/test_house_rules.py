"""The house rules that a machine can keep: layers, names, SQL as text, errors, papers that agree with the code."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import medfed

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "medfed"
MODULES = sorted(PACKAGE.rglob("*.py"))
NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "manager", "service", "base", "common", "misc"}
SQL_OPENS = re.compile(r"\s*(SELECT|INSERT\s+INTO|UPDATE|DELETE\s+FROM|WITH|CREATE|ALTER|DROP)\s", re.IGNORECASE)
CONSTANT = re.compile(r"_?[A-Z][A-Z0-9_]*")
# A folder of the machine that a file was written on, never one that the program or its reader has.
WORKPLACE = re.compile(r"(?<![\w.])/(?:work|root|home/\w+|Users/\w+)/")
WRITTEN_BY_US = (
    ".py",
    ".md",
    ".toml",
    ".yaml",
    ".sh",
    ".html",
    ".css",
    ".js",
    ".sql",
    ".service",
    ".timer",
    ".conf",
    "",
)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), filename=str(path))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def our_files() -> Iterator[Path]:
    """Every text file of the project, outside what tools generate."""
    generated = {"node_modules", "__pycache__", "vectors"}
    tops = ("medfed", "tests", "bench", "bin", "deploy", "docs", ".ci")
    files = [path for top in tops for path in (ROOT / top).rglob("*")]
    for path in [*files, *ROOT.glob("*.md"), ROOT / "Makefile", ROOT / "pyproject.toml"]:
        if path.is_file() and path.suffix in WRITTEN_BY_US and not generated & set(path.parts):
            yield path


def test_imports_point_down_and_every_other_import_contract_holds() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("path", [*MODULES, *sorted((ROOT / "bench").rglob("*.py"))], ids=name_of)
def test_every_module_opens_by_saying_why_it_exists(path: Path) -> None:
    assert ast.get_docstring(tree(path)), f"{name_of(path)} has no docstring"


def test_no_module_has_a_name_that_says_nothing() -> None:
    named = {path.stem for path in MODULES} | {path.parent.name for path in MODULES}
    assert not named & NAMES_THAT_SAY_NOTHING


APPLIES_ARRIVALS = {PACKAGE / "worker" / "loop.py", PACKAGE / "inbox" / "record.py", PACKAGE / "delivery" / "send.py"}
"""The outermost frames of work that nobody waits for: a mistake of ours is logged there, and what it met is kept."""


def test_only_who_applies_arrivals_swallows_everything() -> None:
    offenders = [
        f"{name_of(path)}:{node.lineno}"
        for path in MODULES
        if path not in APPLIES_ARRIVALS
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler) and _catches_everything(node.type) and not _raises_on(node)
    ]
    assert offenders == []


def _catches_everything(caught: ast.expr | None) -> bool:
    if caught is None:
        return True
    kinds = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(isinstance(kind, ast.Name) and kind.id in ("Exception", "BaseException") for kind in kinds)


def _raises_on(handler: ast.ExceptHandler) -> bool:
    """Tidying up on the way out catches nothing: its last word is `raise`. Nor does handing the error to a waiter."""
    last = handler.body[-1]
    if isinstance(last, ast.Expr) and isinstance(last.value, ast.Call) and isinstance(last.value.func, ast.Attribute):
        return last.value.func.attr in ("spoil", "set_exception")
    return isinstance(last, ast.Raise)


def test_only_media_decodes_images() -> None:
    offenders = [
        name_of(path) for path in MODULES if PACKAGE / "media" not in path.parents and "PIL" in _imported(tree(path))
    ]
    assert offenders == []


def _imported(module: ast.Module) -> set[str]:
    """The top-level names of everything a module imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


def test_sql_is_text_put_together_from_constants_while_modules_load() -> None:
    # A column list is shared as a constant; a value, or anything known only at run time, is a parameter.
    offenders = [f"{name_of(path)}:{line}" for path in MODULES for line in _composed_sql(tree(path), in_function=False)]
    assert offenders == []


def _composed_sql(node: ast.AST, *, in_function: bool) -> Iterator[int]:
    if isinstance(node, ast.JoinedStr) and _opens_sql(node) and (in_function or not _constants_only(node)):
        yield node.lineno
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        in_function = True
    for child in ast.iter_child_nodes(node):
        yield from _composed_sql(child, in_function=in_function)


def _opens_sql(node: ast.JoinedStr) -> bool:
    first = node.values[0] if node.values else None
    return isinstance(first, ast.Constant) and bool(SQL_OPENS.match(str(first.value)))


def _constants_only(node: ast.JoinedStr) -> bool:
    parts = [part.value for part in node.values if isinstance(part, ast.FormattedValue)]
    return all(isinstance(part, ast.Name) and CONSTANT.fullmatch(part.id) for part in parts)


@pytest.mark.case("E16")
def test_nothing_reads_xml() -> None:
    """Entities, includes and document types cannot harm what has no parser for them."""
    readers = {"xml", "lxml", "defusedxml", "xmltodict", "bs4", "html5lib"}
    assert [name_of(path) for path in MODULES if _imported(tree(path)) & readers] == []


def test_no_file_names_a_folder_of_the_machine_it_was_written_on() -> None:
    offenders = [
        f"{name_of(path)}:{number}"
        for path in our_files()
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if WORKPLACE.search(line)
    ]
    assert offenders == []


def test_no_lock_names_the_index_it_was_made_with() -> None:
    for lock in (ROOT / "requirements").glob("*.lock"):
        assert "://" not in lock.read_text("utf-8"), lock.name
    for lock in (ROOT / "tests").rglob("package-lock.json"):
        packages = json.loads(lock.read_text("utf-8")).get("packages", {})
        assert [name for name, package in packages.items() if "resolved" in package] == [], name_of(lock)


@pytest.mark.parametrize("lock", ["runtime.lock", "dev.lock"])
def test_the_locks_hold_what_pyproject_asks_for(lock: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = [*project["project"]["dependencies"], *project["project"]["optional-dependencies"]["postgres"]]
    if lock == "dev.lock":
        wanted += project["dependency-groups"]["dev"]
    pins = re.findall(r"^([a-z0-9._-]+)==(\S+)", (ROOT / "requirements" / lock).read_text("utf-8"), flags=re.MULTILINE)
    locked = {name.replace("_", "-"): Version(version) for name, version in pins}
    for requirement in map(Requirement, wanted):
        if requirement.marker is None or requirement.marker.evaluate():
            assert requirement.name in locked, f"{requirement} is not in {lock}; run `make lock`"
            assert locked[requirement.name] in requirement.specifier, f"{lock} is older than {requirement}; `make lock`"


def test_the_guide_to_settings_is_what_the_settings_say() -> None:
    program = "import settings_guide; print(settings_guide.guide(), end='')"
    command = [sys.executable, "-c", f"import sys; sys.path[:0] = ['bin', '.']; {program}"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert (ROOT / "docs/guide/settings.md").read_text("utf-8") == said, "run `make docs`"


def test_every_decision_is_listed() -> None:
    listed = set(re.findall(r"\]\((\d{4}-[a-z0-9-]+\.md)\)", (ROOT / "docs/adr/README.md").read_text("utf-8")))
    assert listed == {path.name for path in (ROOT / "docs/adr").glob("[0-9]*.md")}


def test_the_change_log_and_the_package_name_the_same_version() -> None:
    newest = re.search(r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), flags=re.MULTILINE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert newest is not None
    assert newest[1] == medfed.__version__ == project["project"]["version"]
