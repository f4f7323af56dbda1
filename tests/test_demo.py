"""The demo is a test of everything at once: three processes, the command line, the client surface, and HTTP between."""

import os
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent.parent


@pytest.mark.slow
@pytest.mark.xdist_group("processes")
def test_the_demo_tells_its_whole_story_and_leaves_nothing_running() -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MEDFED_")}
    done = subprocess.run(
        ["make", "demo", "ARGS=--exit"], cwd=HERE, env=clean, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert "things were checked" in done.stderr
    assert "127.0.0.1:" in done.stderr
