"""What is documented is what is there: pages that are written from the code are up to date."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent


def _written(program: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", program], cwd=HERE / "bin", capture_output=True, text=True, check=True
    ).stdout


def test_federation_md_says_what_the_route_tables_say() -> None:
    program = "import federation_guide as f; print(f.page(f.PAGE.read_text('utf-8')), end='')"
    written = _written(program)
    assert (HERE / "FEDERATION.md").read_text("utf-8") == written, "run `make docs`"


def test_the_page_of_limits_says_what_the_module_of_limits_says() -> None:
    written = _written("import limits_guide; print(limits_guide.guide(), end='')")
    assert (HERE / "docs" / "limits.md").read_text("utf-8") == written, "run `make docs`"
