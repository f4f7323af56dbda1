"""The local socket does what it is asked for by the table, for its owner, and survives nonsense."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from medfed.cli import remote
from medfed.cli.actions import ACTIONS, find
from medfed.kernel.errors import Forbidden, Invalid, Misconfigured


async def answer(name: str, arguments: Mapping[str, Any]) -> Any:
    if name == "refuse":
        raise Forbidden("not today")
    return {"did": name, "with": dict(arguments)}


def test_every_action_of_the_table_exists() -> None:
    assert all(asyncio.iscoroutinefunction(find(name)) for name in ACTIONS)


@pytest.mark.parametrize("name", ["", "os.system", "medfed.cli.people:create_member", "member.create "])
def test_nothing_else_can_be_asked_for(name: str) -> None:
    with pytest.raises(Invalid):
        find(name)


async def test_questions_are_answered_and_refusals_come_back_in_words(tmp_path: Path) -> None:
    socket = tmp_path / "s"
    async with remote.listening(socket, answer):
        assert socket.stat().st_mode & 0o777 == 0o600
        assert await remote.ask(socket, "greet", {"name": "Roÿ"}) == {"did": "greet", "with": {"name": "Roÿ"}}
        with pytest.raises(remote.RefusedThere, match="not today"):
            await remote.ask(socket, "refuse", {})
        big = {"text": "x" * 1_000_000}
        assert (await remote.ask(socket, "greet", big))["with"] == big


async def test_a_folder_however_deep_has_its_socket(tmp_path: Path) -> None:
    folder = tmp_path / ("d" * 100) / ("e" * 100)
    folder.mkdir(parents=True)
    async with remote.listening(folder / "medfed.sock", answer):
        assert await remote.ask(folder / "medfed.sock", "greet", {})


@pytest.mark.parametrize(
    "line", [b"nonsense\n", b"[]\n", b"{}\n", b'{"do": 1}\n', b'{"do": "x", "with": 3}\n', b"\n", b""]
)
async def test_nonsense_is_refused_and_the_next_one_is_answered(tmp_path: Path, line: bytes) -> None:
    socket = tmp_path / "s"
    async with remote.listening(socket, answer):
        reader, writer = await asyncio.open_unix_connection(str(socket))
        writer.write(line)
        writer.write_eof()
        assert "refused" in json.loads(await reader.readline())
        writer.close()
        await writer.wait_closed()
        assert await remote.ask(socket, "greet", {})


async def test_a_server_that_does_not_answer_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "PATIENCE", 0.1)
    with pytest.raises(Misconfigured, match="does not answer"):
        await remote.ask(tmp_path / "s", "greet", {})
