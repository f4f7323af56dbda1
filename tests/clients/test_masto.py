"""masto, the library under Elk: let in by the code flow, it reads, posts, votes, answers, follows and leaves."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.clients.conftest import PASSWORD
from tests.clients.visitor import allow
from tests.interop.servers import ROOT, Medfed, Member, Unavailable, install_packages

SOURCE = Path(__file__).parent / "masto"
INSTALLED = ROOT / ".interop" / "masto"


@pytest.fixture(scope="module")
def node() -> str:
    """The Node that runs it."""
    if os.environ.get("MEDFED_TEST_INTEROP") == "off":
        pytest.skip("MEDFED_TEST_INTEROP=off")
    try:
        return install_packages(SOURCE, INSTALLED, "masto")
    except Unavailable as why:
        pytest.skip(f"no masto: {why}")


def test_an_application_built_on_masto_acts_for_a_member(
    node: str, site: Medfed, colleague: Member, picture: Path
) -> None:
    site.run("member", "create", "maria", "--email", "maria@example.org", "--password-stdin", stdin=PASSWORD)
    poll = {"options": ["aspirin", "nothing"], "expires_in": 3600}
    asked = colleague.post("/api/v1/statuses", status="Who votes, @maria?", poll=poll)
    with subprocess.Popen(
        [node, str(INSTALLED / "visit.mjs"), site.url, str(picture), "colleague"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as client:
        assert client.stdout is not None
        url = client.stdout.readline().strip()
        said, complaints = client.communicate(f"{allow(url, 'maria', PASSWORD)}\n", timeout=60)
    assert client.returncode == 0, complaints
    assert json.loads(said) == {
        "whoami": "maria",
        "instance": "Interop",
        "description": "An ECG",
        "options": ["aspirin", "nothing"],
        "found": "colleague",
        "following": True,
        "voted": [0],
        "thread": [True],
        "home": True,
        "pages": 4,
        "notifications": ["mention"],
        "groups": ["mention"],
        "refusal": 422,
        "afterRevocation": 401,
        "codeAgain": 400,
    }
    colleague.notified("favourite", id=asked["id"])
