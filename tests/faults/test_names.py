"""Name servers that lie, fail, and do not answer, asked by the machine's own resolver (X19)."""

import json
import subprocess
import sys
from typing import Any

import pytest

from medfed.kernel import limits
from tests.faults.names import SLOW
from tests.faults.tools import ROOT, unshare


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What happened to requests for each kind of name: what was said, and after how many seconds."""
    folder = tmp_path_factory.mktemp("names")
    command = [*unshare("--net", "--mount"), sys.executable, "-m", "tests.faults.names", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads((folder / "seen.json").read_text())
    return found


@pytest.mark.slow
@pytest.mark.case("X19")
def test_each_way_to_fail_is_told_apart_from_a_host_that_is_there(seen: dict[str, Any]) -> None:
    assert seen["good"][0] == "204"
    assert seen["nxdomain"][0].startswith("Unreachable: no address")
    assert seen["servfail"][0].startswith("Unreachable: no address")
    assert seen["loop"][0].startswith("Unreachable: no address")
    assert max(seen[label][1] for label in ("good", "nxdomain", "loop")) < 2


@pytest.mark.slow
@pytest.mark.case("X19", "B04")
def test_a_name_with_one_internal_address_is_refused_and_one_that_changes_is_not_asked_again(
    seen: dict[str, Any],
) -> None:
    assert seen["mixed"][0].startswith("Blocked: ")
    assert seen["rebinds"][0] == "204"
    assert seen["asked"]["rebinds.test"] == 1, "what was checked is what is connected to"


@pytest.mark.slow
@pytest.mark.case("X19")
def test_a_hundred_addresses_cost_no_more_attempts_than_one(seen: dict[str, Any]) -> None:
    assert seen["hundred"][0].startswith("Unreachable: ")
    assert seen["hundred"][1] < 3


@pytest.mark.slow
@pytest.mark.case("X19")
def test_names_that_are_never_answered_hold_up_neither_other_names_nor_other_work(seen: dict[str, Any]) -> None:
    for number in range(SLOW):
        said, seconds = seen[f"slow{number}"]
        assert said == "Unreachable: the name service did not answer in time"
        assert seconds < 4
    assert seen["meanwhile"][0] == "204"
    assert seen["meanwhile"][1] < 1
    assert seen["elsewhere"][1] < 1
    assert seen["threads"] <= limits.DNS_THREADS + 4
    assert seen["afterwards"][0] == "204"
