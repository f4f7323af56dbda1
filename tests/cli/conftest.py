"""The real command, in a process of its own where that matters, and in this one where speed does."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from medfed import cli

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("MEDFED_")}


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, as JSON."""
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Place:
    """A folder with a configuration, and how to run commands on it."""

    folder: Path
    capture: pytest.CaptureFixture[str]

    @property
    def config(self) -> Path:
        return self.folder / "medfed.toml"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def run(self, *arguments: str) -> Done:
        """Run a command in this process."""
        self.capture.readouterr()
        status = cli.run(["--config", str(self.config), *arguments])
        said = self.capture.readouterr()
        return Done(status, said.out, said.err)

    def spawn(self, *arguments: str, stdin: str = "", **environment: str) -> Done:
        """Run a command in a process of its own."""
        done = subprocess.run(
            self.command(*arguments),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=CLEAN | environment,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "medfed", "--config", str(self.config), *arguments]


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("MEDFED_") and name != "MEDFED_TEST_POSTGRES":
            monkeypatch.delenv(name)


@pytest.fixture
def empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Place:
    """A folder in which nothing was made yet."""
    return Place(tmp_path / "place", capsys)


@pytest.fixture
def place(empty: Place) -> Place:
    """An instance that was just made."""
    done = empty.run("init", "--domain", "lyon.example", "--name", "CHU de Lyon")
    assert done.status == 0, done.err
    return empty


@dataclass(frozen=True, slots=True)
class Serving:
    """A server that runs."""

    process: subprocess.Popen[str]
    url: str
    said: list[str]

    def stops(self) -> None:
        """Ask it to stop, and wait for that."""
        self.process.terminate()
        assert self.process.wait(20) == 0


@pytest.fixture
def serving(place: Place) -> Iterator[Callable[..., Serving]]:
    """Starts `medfed serve` on a free port, and stops it after the test."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, at: Place = place, **environment: str) -> Serving:
        process = subprocess.Popen(
            at.command("serve", "--port", "0", *arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=CLEAN | environment,
        )
        started.append(process)
        said: list[str] = []
        until = time.monotonic() + 30
        assert process.stderr is not None
        while time.monotonic() < until:
            line = process.stderr.readline()
            said.append(line)
            if line.startswith("listening on "):
                return Serving(process, line.split()[2], said)
            if not line and process.poll() is not None:
                break
        pytest.fail("".join(said))

    yield start
    for process in started:
        process.terminate()
        process.wait(20)
        assert process.stderr is not None
        process.stderr.close()
