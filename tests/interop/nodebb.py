"""A NodeBB of a `Network`: categories, topics, posts and votes, driven through its own API."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.interop.network import Network
from tests.interop.servers import START_PATIENCE, Answer, Unavailable, eventually, install

SOURCE = "MEDFED_TEST_NODEBB"
PASSWORD = "correct horse battery staple 7"
PRELOAD = Path(__file__).resolve().parent / "nodebb" / "preload.cjs"
_TOKEN = "11111111-1111-4111-8111-111111111111"
_LENIENT = {
    "activitypubAllowLoopback": "1",
    "postQueue": "0",
    "initialPostDelay": "0",
    "newbiePostDelay": "0",
    "postDelay": "0",
    "min:rep:upvote": "0",
    "min:rep:downvote": "-10",
}
"""So that whoever has just come may write and vote at once."""


class NodeBB:
    """A NodeBB, made and run by its own commands. Its source, installed and built as its guide says, is not ours."""

    def __init__(self, folder: Path, network: Network, name: str) -> None:
        self._source, self._redis = self.find()
        self._folder = folder
        self._network = network
        self._processes: list[subprocess.Popen[bytes]] = []
        self.domain = name
        self.url = f"https://{name}"
        folder.mkdir(parents=True)
        self._store = {"host": str(folder / "redis"), "port": 6379, "password": "", "database": 0}
        self._environment = network.environment() | {"NODE_EXTRA_CA_CERTS": str(network.ca_file)}

    @staticmethod
    def find() -> tuple[Path, str]:
        """Its source and a Redis. Raises Unavailable."""
        if not os.environ.get(SOURCE):
            raise Unavailable(f"{SOURCE} names no source of NodeBB")
        source = Path(os.environ[SOURCE])
        if not (source / "build" / "public").is_dir():
            raise Unavailable(f"{source} is not built; ./nodebb build does that")
        redis = shutil.which("redis-server")
        if redis is None or shutil.which("redis-cli") is None:
            raise Unavailable("redis-server and redis-cli are not on this machine")
        return source, redis

    def start(self, admin: str, *others: str) -> None:
        """Make the instance with these people, and serve it."""
        node = install()
        self._launch("redis", [self._redis, "--port", "0", "--unixsocket", str(self._store["host"]), "--save", ""])
        eventually((self._folder / "redis").exists, "Redis listens")
        config = self._folder / "config.json"
        common = {"url": self.url, "secret": "for tests", "database": "redis"}
        answers = common | {f"redis:{name}": value for name, value in self._store.items()}
        answers |= {"admin:username": admin, "admin:email": f"{admin}@example.org"}
        answers |= {"admin:password": PASSWORD, "admin:password:confirm": PASSWORD}
        address = {"bind_address": "127.0.0.1", "port": self._network.port(self.domain), "trust_proxy": False}
        config.write_text(json.dumps(common | address | {"redis": self._store}))
        command = [node, "--require", str(PRELOAD), "app.js", "--config", str(config)]
        self._run([*command, f"--setup={json.dumps(answers)}", "--skip-build"])
        config.write_text(json.dumps(common | address | {"redis": self._store}))
        self._redis_has("hset", "config", *(part for pair in _LENIENT.items() for part in pair))
        self._redis_has("hset", f"token:{_TOKEN}", "uid", "0", "description", "tests", "timestamp", "1")
        self._redis_has("zadd", "tokens:createtime", "1", _TOKEN)
        self._redis_has("zadd", "tokens:uid", "0", _TOKEN)
        self._launch("web", command)
        eventually(self._ready, "NodeBB serves", 2 * START_PATIENCE)
        for name in others:
            self.does(1, "POST", "/v3/users", username=name, password=PASSWORD, email=f"{name}@example.org")

    def _redis_has(self, *words: str) -> None:
        subprocess.run(["redis-cli", "-s", str(self._store["host"]), *words], capture_output=True, check=True)

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(
            self._inside(command), env=self._environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, f"{command}: {done.stdout[-2000:]} {done.stderr[-2000:]}"

    def _inside(self, command: list[str]) -> list[str]:
        return self._network.inside(["env", "--chdir", str(self._source), *command])

    def _launch(self, name: str, command: list[str]) -> None:
        with (self._folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(self._inside(command), env=self._environment, stdout=log, stderr=log)
        self._processes.append(process)

    def _ready(self) -> bool:
        for process in self._processes:
            assert process.poll() is None, self.log()[-4000:]
        return self.ask("GET", "/nodeinfo/2.0").status == 200

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One HTTPS request to it by its name."""
        return self._network.ask(self.domain, method, path, body, headers)

    def does(self, uid: int, method: str, path: str, **fields: Any) -> Any:
        """Have somebody there do something, or read. It has to succeed."""
        answer = self.attempt(uid, method, path, **fields)
        assert answer.status == 200, f"{method} {path}: {answer}"
        return answer.json.get("response", answer.json)

    def attempt(self, uid: int, method: str, path: str, **fields: Any) -> Answer:
        """Have somebody there try something, or read; refusals are answers."""
        headers = {"authorization": f"Bearer {_TOKEN}", "content-type": "application/json"}
        body = json.dumps(fields | {"_uid": uid}).encode() if method != "GET" else None
        return self.ask(method, f"/api{path}" + (f"?_uid={uid}" if body is None else ""), body, headers)

    def log(self) -> str:
        """What its processes have logged."""
        return "".join(each.read_text(errors="replace") for each in sorted(self._folder.glob("*.log")))

    def stop(self) -> None:
        """Stop serving."""
        for process in reversed(self._processes):
            process.terminate()
            process.wait(60)


@dataclass(frozen=True, slots=True)
class Poster:
    """Somebody on a NodeBB, who acts through its API."""

    server: NodeBB
    uid: int
    username: str

    @property
    def handle(self) -> str:
        return f"@{self.username}@{self.server.domain}"

    def does(self, method: str, path: str, **fields: Any) -> Any:
        """Do something, or read. It has to succeed."""
        return self.server.does(self.uid, method, path, **fields)

    def begins(self, category: int | str, title: str, content: str) -> tuple[int, str]:
        """Begin a topic; its id, and the URI of its first post."""
        made = self.does("POST", "/v3/topics", cid=category, title=title, content=content)
        return made["tid"], f"{self.server.url}/post/{made['mainPid']}"

    def answers(self, topic: int | str, content: str) -> str:
        """Answer in a topic; the URI of the answer."""
        made = self.does("POST", f"/v3/topics/{topic}", content=content)
        return f"{self.server.url}/post/{made['pid']}"

    def votes(self, post: str, delta: int) -> None:
        """Vote for or against a post, which may be of another server."""
        self.does("PUT", f"/v3/posts/{quote(post, safe='')}/vote", delta=delta)

    def sees(self, uri: str) -> Any:
        """A post, of that server or another, as it is there; None if it is not, or is deleted."""
        pid = quote(uri.removeprefix(f"{self.server.url}/post/"), safe="")
        answer = self.server.attempt(self.uid, "GET", f"/v3/posts/{pid}")
        assert answer.status in (200, 403, 404), answer
        return answer.json["response"] if answer.status == 200 and not answer.json["response"]["deleted"] else None

    def topics(self, category: int | str) -> dict[str, Any]:
        """The topics of a category, by the URI of the first post."""
        found = self.does("GET", f"/category/{quote(str(category), safe='')}")["topics"]
        return {self._uri(each["mainPid"]): each for each in found if not each["deleted"]}

    def _uri(self, pid: int | str) -> str:
        return f"{self.server.url}/post/{pid}" if isinstance(pid, int) else pid
