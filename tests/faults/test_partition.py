"""Instances that a network cuts off from each other agree again when it heals, without anybody's help (X14)."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.faults.tools import ROOT, tool, unshare

NODES: Final = int(os.environ.get("MEDFED_FAULT_NODES", "0"))


@pytest.mark.slow
@pytest.mark.case("X14", "J02", "J06")
def test_instances_that_were_cut_off_from_each_other_agree_when_the_network_heals(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not NODES:
        pytest.skip("it waits for retries, some minutes: MEDFED_FAULT_NODES=4, or make faults")
    tool("ip")
    command = [*unshare("--net", "--mount", "--pid", "--fork"), sys.executable, "-m", "tests.faults.nodes"]
    done = subprocess.run(
        [*command, str(tmp_path), str(NODES)], cwd=ROOT, capture_output=True, text=True, timeout=3600, check=False
    )
    if "Operation not" in done.stderr and "ip" in done.stderr:
        pytest.skip(f"networks cannot be made here: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    seen: dict[str, float] = json.loads(done.stdout)
    with capsys.disabled():
        said = ", ".join(f"{what} {seconds:.0f} s" for what, seconds in seen.items())
        print(f"\n  {NODES} instances agreed after: {said}")  # noqa: T201
    assert set(seen) == {"whole", "cut in halves", "one way", "lossy"}
