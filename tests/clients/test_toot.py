"""toot, a client for the command line: let in by the code flow, it reads, posts, votes, answers and follows."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import PASSWORD
from tests.clients.visitor import allow
from tests.interop.servers import ROOT, Medfed, Member

CLIENT = ROOT / ".tools" / "clients" / "bin" / "toot"

Toot = Callable[..., Any]


@pytest.fixture(scope="module")
def toot(site: Medfed, tmp_path_factory: pytest.TempPathFactory) -> Toot:
    """Runs toot for a member; what it printed, with --json as data."""
    if not CLIENT.exists():
        pytest.skip("toot is not installed: bin/extras.py fetches it")
    home = tmp_path_factory.mktemp("toot")
    environment = {"HOME": str(home), "XDG_CONFIG_HOME": str(home), "PATH": os.defpath, "COLUMNS": "200"}
    site.run("member", "create", "tom", "--email", "tom@example.org", "--password-stdin", stdin=PASSWORD)
    _sign_in(site, environment)

    def run(*arguments: str) -> Any:
        done = subprocess.run(
            [str(CLIENT), *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"toot {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return json.loads(done.stdout) if "--json" in arguments else done.stdout

    return run


def _sign_in(site: Medfed, environment: dict[str, str]) -> None:
    with subprocess.Popen(
        [str(CLIENT), "login", "--instance", site.url],
        env=environment | {"PYTHONUNBUFFERED": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as client:
        assert client.stdout is not None
        url = next((line.strip() for line in client.stdout if line.startswith(site.url)), "")
        assert url, "toot shows no link"
        said, _ = client.communicate(f"n\n{allow(url, 'tom', PASSWORD)}\n", timeout=60)
    assert client.returncode == 0, said


def test_toot_posts_a_picture_and_a_poll_and_takes_posts_back(toot: Toot, picture: Path) -> None:
    shown = toot("post", "ST elevation in V2", "--media", str(picture), "--description", "An ECG", "--json")
    assert shown["account"]["acct"] == "tom"
    assert shown["media_attachments"][0]["description"] == "An ECG"
    poll = toot("post", "Which?", "--poll-option", "aspirin", "--poll-option", "nothing", "--json")
    assert [option["title"] for option in poll["poll"]["options"]] == ["aspirin", "nothing"]
    assert "ST elevation in V2" in toot("timeline", "--once")
    toot("delete", shown["id"])


def test_toot_follows_answers_and_is_told(toot: Toot, colleague: Member) -> None:
    asked = colleague.post("/api/v1/statuses", status="Who reads this, @tom?")
    assert toot("search", "colleague", "--json")["accounts"][0]["username"] == "colleague"
    toot("follow", "colleague")
    assert toot("notifications", "--json")[0]["status"]["id"] == asked["id"]
    answer = toot("post", "I do, @colleague", "--reply-to", asked["id"], "--visibility", "unlisted", "--json")
    assert answer["in_reply_to_id"] == asked["id"]
    assert "I do" in toot("thread", asked["id"])
    toot("favourite", asked["id"])
    colleague.notified("favourite", id=asked["id"])
    colleague.notified("mention", id=answer["id"])
