"""List the largest modules and functions: each a place to ask what second thing is in there. Fails nobody."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODULE_LINES = 400
FUNCTION_LINES = 50
SHOWN = 8


def main() -> int:
    sources = {path: path.read_text("utf-8") for path in sorted((ROOT / "medfed").rglob("*.py"))}
    modules = [(text.count("\n"), str(path.relative_to(ROOT))) for path, text in sources.items()]
    functions = [found for path, text in sources.items() for found in function_lengths(path, text)]
    show(f"modules over {MODULE_LINES} lines", modules, MODULE_LINES)
    show(f"functions over {FUNCTION_LINES} lines", functions, FUNCTION_LINES)
    return 0


def function_lengths(path: Path, text: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            yield length, f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"


def show(title: str, found: list[tuple[int, str]], fence: int) -> None:
    largest = [item for item in sorted(found, reverse=True) if item[0] > fence]
    print(f"{title}: {len(largest)}")
    for length, name in largest[:SHOWN]:
        print(f"  {length:5} {name}")


if __name__ == "__main__":
    sys.exit(main())
