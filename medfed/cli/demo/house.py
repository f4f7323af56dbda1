"""One instance of the demo: its own process, driven by the command line and over HTTP like any other."""

import asyncio
import json
import os
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from medfed.cli.demo.story import PASSWORD, House, Person
from medfed.kernel import limits
from medfed.kernel.errors import MedfedError, RemoteFailure
from medfed.net.client import Net

SCOPES: Final = "read write follow"
LOOPBACK: Final = "127.0.0.0/8"


class DemoFailed(MedfedError):
    """Something in the demo did not go as the story has it; the message says what."""


@dataclass(slots=True)
class Running:
    """A house of the story with its process, its people's tokens, and its address."""

    house: House
    port: int
    folder: Path
    net: Net
    tokens: dict[str, str] = field(default_factory=dict)
    process: asyncio.subprocess.Process | None = None

    @property
    def domain(self) -> str:
        """127.0.0.1:PORT, which is what handles end in."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Where a browser finds it."""
        return f"http://{self.domain}"

    def handle(self, username: str) -> str:
        """@name@domain."""
        return f"@{username}@{self.domain}"

    # ── the command line ─────────────────────────────────────────────────────────────────────────────────────

    async def command(self, *arguments: str, stdin: str = "") -> str:
        """Run `medfed …` for this house; what it printed. Raises DemoFailed."""
        process = await asyncio.create_subprocess_exec(
            *self._medfed(),
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._environment(),
        )
        out, err = await process.communicate(stdin.encode())
        if process.returncode:
            raise DemoFailed(f"medfed {' '.join(arguments)}: {err.decode().strip()}")
        return out.decode().strip()

    async def build(self, people: Sequence[Person]) -> None:
        """Make the instance, its members and their tokens."""
        house = self.house
        await self.command(
            "init", "--domain", self.domain, "--public-url", self.url, "--name", house.name, "--data-dir", "data",
        )  # fmt: skip
        for person in people:
            await self.command(
                "member", "create", person.username, "--email", f"{person.username}@{house.place}.example",
                "--role", person.role, "--display-name", person.name, "--language", person.language,
                "--password-stdin",
                stdin=PASSWORD,
            )  # fmt: skip
            self.tokens[person.username] = await self.command("token", "create", person.username, "--scopes", SCOPES)

    async def serve(self) -> None:
        """Start the process and wait until it answers."""
        log = (self.folder / "log.txt").open("ab")
        self.process = await asyncio.create_subprocess_exec(
            *self._medfed(), "serve", "--port", str(self.port),
            stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment(), start_new_session=True,
        )  # fmt: skip
        log.close()
        for _ in range(300):
            if self.process.returncode is not None:
                break
            if await self._answers():
                return
            await asyncio.sleep(0.1)
        raise DemoFailed(f"{self.house.name} did not start: {self.last_words()}")

    async def stop(self) -> None:
        """End the process, politely, then for good."""
        if self.process is None or self.process.returncode is not None:
            return
        self.process.terminate()
        try:
            await asyncio.wait_for(self.process.wait(), 10)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()

    def last_words(self) -> str:
        """The end of the log."""
        try:
            return self.folder.joinpath("log.txt").read_text("utf-8", "replace")[-600:]
        except OSError:
            return "no log"

    def _medfed(self) -> list[str]:
        return [sys.executable, "-m", "medfed", "--config", str(self.folder / "medfed.toml")]

    def _environment(self) -> dict[str, str]:
        ours = {name: value for name, value in os.environ.items() if not name.startswith("MEDFED_")}
        return ours | {
            "MEDFED_INSTANCE__LANGUAGES": ",".join(self.house.languages),
            "MEDFED_INSTANCE__CONTACT": self.house.contact,
            "MEDFED_FEDERATION__ALLOW_HTTP": "true",
            "MEDFED_FEDERATION__ALLOW_NETWORKS": LOOPBACK,
            "MEDFED_VERIFICATION__STATUS_INTERVAL_SECONDS": "15",
        }

    async def _answers(self) -> bool:
        try:
            response = await self.net.get(f"{self.url}/livez", accept="*/*", limit=limits.KIB)
        except RemoteFailure:
            return False
        return response.status == 200

    # ── the client surface ───────────────────────────────────────────────────────────────────────────────────

    async def get(self, who: str, path: str) -> Any:
        """What a member gets from the API. Raises DemoFailed."""
        response = await self.net.get(
            f"{self.url}{path}", accept="application/json", limit=limits.MIB, headers=self._bearer(who)
        )
        return _read(f"GET {path}", response.status, response.body)

    async def status(self, who: str, path: str) -> int:
        """With what status the API answers a member."""
        response = await self.net.get(
            f"{self.url}{path}", accept="application/json", limit=limits.MIB, headers=self._bearer(who)
        )
        return response.status

    async def post(self, who: str, path: str, document: Mapping[str, Any] | None = None) -> Any:
        """What comes of a member's POST. Raises DemoFailed."""
        headers = self._bearer(who) | {"content-type": "application/json"}
        response = await self.net.post(
            f"{self.url}{path}", body=orjson.dumps(document or {}), headers=headers, limit=limits.MIB
        )
        return _read(f"POST {path}", response.status, response.body)

    async def upload(self, who: str, file: Path, description: str) -> str:
        """Upload an image; its id."""
        boundary = secrets.token_hex(16)
        parts = [
            f'--{boundary}\r\ncontent-disposition: form-data; name="description"\r\n\r\n{description}\r\n'.encode(),
            f'--{boundary}\r\ncontent-disposition: form-data; name="file"; filename="image"\r\n'
            "content-type: application/octet-stream\r\n\r\n".encode(),
            await asyncio.to_thread(file.read_bytes),
            f"\r\n--{boundary}--\r\n".encode(),
        ]
        headers = self._bearer(who) | {"content-type": f"multipart/form-data; boundary={boundary}"}
        response = await self.net.post(
            f"{self.url}/api/v2/media", body=b"".join(parts), headers=headers, limit=limits.MIB
        )
        return str(_read("POST /api/v2/media", response.status, response.body)["id"])

    async def find(self, who: str, handle: str) -> dict[str, Any]:
        """The account behind a handle, looked up on its own server if need be."""
        found = await self.get(who, f"/api/v2/search?type=accounts&resolve=true&q={handle}")
        if not found["accounts"]:
            raise DemoFailed(f"{self.house.name} does not find {handle}")
        account: dict[str, Any] = found["accounts"][0]
        return account

    def _bearer(self, who: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self.tokens[who]}"}


def _read(what: str, status: int, body: bytes) -> Any:
    if status >= 300:
        raise DemoFailed(f"{what} was answered {status}: {body[:300].decode('utf-8', 'replace')}")
    return json.loads(body)
