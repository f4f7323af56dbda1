"""A PieFed of a `Network`: communities, posts, comments and votes, driven through its own API."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.interop.network import Network
from tests.interop.servers import START_PATIENCE, Answer, Unavailable, eventually
from tests.support.databases import PostgresServer

SOURCE = "MEDFED_TEST_PIEFED"
PASSWORD = "correct horse battery staple 7"
_PEOPLE = """
from app import db
from app.models import User
from app.utils import finalize_user_setup
for name in {names!r}:
    person = User(user_name=name, title=name.title(), email=name + "@example.org", instance_id=1, verified=True)
    person.set_password({password!r})
    db.session.add(person)
    db.session.commit()
    finalize_user_setup(person)
"""


_JSON = {"content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody on a PieFed, who acts through its API."""

    server: "PieFed"
    username: str
    token: str

    @property
    def handle(self) -> str:
        return f"@{self.username}@{self.server.domain}"

    def get(self, path: str, **fields: Any) -> Any:
        """GET, which has to succeed."""
        return self._succeed("GET", f"{path}?{urlencode(fields)}")

    def post(self, path: str, **fields: Any) -> Any:
        """POST, which has to succeed."""
        return self._succeed("POST", path, **fields)

    def put(self, path: str, **fields: Any) -> Any:
        """PUT, which has to succeed."""
        return self._succeed("PUT", path, **fields)

    def _succeed(self, method: str, path: str, **fields: Any) -> Any:
        headers = _JSON | {"authorization": f"Bearer {self.token}"}
        body = json.dumps(fields).encode() if fields else None
        self.server.forget_limits()
        answer = self.server.ask(method, f"/api/alpha{path}", body, headers)
        assert answer.status == 200, f"{method} {path}: {answer}"
        return answer.json

    def finds(self, target: str) -> Mapping[str, Any]:
        """What a handle or URL names: {"community": …}, {"post": …}, {"comment": …} or {"person": …}."""
        found: Mapping[str, Any] = self.get("/resolve_object", q=target)
        return found

    def discussions(self, community: int) -> dict[str, Any]:
        """The posts of a community, by URI."""
        found = self.get("/post/list", community_id=community, limit=50)["posts"]
        return {each["post"]["ap_id"]: each for each in found}

    def comments(self, post: int) -> dict[str, Any]:
        """What is said under a post, by URI."""
        found = self.get("/comment/list", post_id=post, limit=50)["comments"]
        return {each["comment"]["ap_id"]: each for each in found}

    def votes_for(self, post: int) -> int:
        """How many find a post good, its author among them."""
        votes: int = self.get("/post", id=post)["post_view"]["counts"]["upvotes"]
        return votes


class PieFed:
    """A PieFed, made and run by its own commands. Its source, and the environment `venv` in it, are not ours."""

    def __init__(self, folder: Path, network: Network, name: str, postgres: PostgresServer, database: str) -> None:
        self._source, self._redis = self.find()
        self._folder = folder
        self._network = network
        self._port = network.port(name)
        self._processes: list[subprocess.Popen[bytes]] = []
        self.domain = name
        self.url = f"https://{name}"
        folder.mkdir(parents=True)
        self._environment = network.environment() | {
            "FLASK_APP": "pyfedi.py",
            "SERVER_NAME": name,
            "SECRET_KEY": "for tests",
            "DATABASE_URL": f"postgresql+psycopg2://medfed@/{database}?host={postgres.folder}&port={postgres.port}",
            "CACHE_TYPE": "RedisCache",
            "CACHE_REDIS_URL": f"unix://{folder}/redis?db=0",
            "CELERY_BROKER_URL": f"redis+socket://{folder}/redis?virtual_host=1",
            "RESULT_BACKEND": f"redis+socket://{folder}/redis?virtual_host=1",
            "ENABLE_ALPHA_API": "true",
            "LOG_ACTIVITYPUB_TO_DB": "1",
            "MAIL_SERVER": "",
        }

    @staticmethod
    def find() -> tuple[Path, str]:
        """Its source and a Redis. Raises Unavailable."""
        if not os.environ.get(SOURCE):
            raise Unavailable(f"{SOURCE} names no source of PieFed")
        redis = shutil.which("redis-server")
        if redis is None or shutil.which("redis-cli") is None:
            raise Unavailable("redis-server and redis-cli are not on this machine")
        return Path(os.environ[SOURCE]), redis

    def start(self, admin: str, *others: str) -> None:
        """Make the instance with these people, and serve it."""
        self._launch("redis", [self._redis, "--port", "0", "--unixsocket", str(self._folder / "redis"), "--save", ""])
        eventually((self._folder / "redis").exists, "Redis listens")
        # Not `upgrade`, which takes minutes: init-db makes all tables anew, and wants to see that there is a version.
        self._run("flask", "db", "stamp", "head")
        self._run("flask", "init-db", stdin=f"{admin}\n{admin}@example.org\n{PASSWORD}\n")
        self._run("flask", "shell", stdin=f"exec({_PEOPLE.format(names=others, password=PASSWORD)!r})\n")
        queues = ["--concurrency", "2", "--queues", "celery,background,send"]
        self._launch("celery", [self._python("celery"), "-A", "celery_worker_docker.celery", "worker", *queues])
        # Not the configuration in its source, which is for more processes and with which some versions do not start.
        (self._folder / "gunicorn.py").write_text(f"bind = '127.0.0.1:{self._port}'\nthreads = 8\n")
        self._launch("web", [self._python("gunicorn"), "--config", str(self._folder / "gunicorn.py"), "pyfedi:app"])
        eventually(self._ready, "PieFed serves", 2 * START_PATIENCE)

    def _python(self, program: str) -> str:
        return str(self._source / "venv" / "bin" / program)

    def _run(self, program: str, *arguments: str, stdin: str = "") -> None:
        done = subprocess.run(
            self._inside([self._python(program), *arguments]),
            input=stdin,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{program} {arguments}: {done.stdout[-2000:]} {done.stderr[-2000:]}"

    def _inside(self, command: list[str]) -> list[str]:
        return self._network.inside(["env", "--chdir", str(self._source), *command])

    def _launch(self, name: str, command: list[str]) -> None:
        with (self._folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(self._inside(command), env=self._environment, stdout=log, stderr=log)
        self._processes.append(process)

    def _ready(self) -> bool:
        for process in self._processes:
            assert process.poll() is None, self.log()[-4000:]
        try:
            return self.ask("GET", "/nodeinfo/2.0").status == 200
        except TimeoutError:
            return False

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One HTTPS request to it by its name."""
        return self._network.ask(self.domain, method, path, body, headers)

    def forget_limits(self) -> None:
        """Let everybody say as much as they like: three discussions a minute are not enough here."""
        script = "for _, key in ipairs(redis.call('KEYS', 'LIMITS*')) do redis.call('DEL', key) end"
        command = ["redis-cli", "-s", str(self._folder / "redis"), "EVAL", script, "0"]
        subprocess.run(command, capture_output=True, check=True)

    def log(self) -> str:
        """What its processes have logged."""
        return "".join(each.read_text(errors="replace") for each in sorted(self._folder.glob("*.log")))

    def person(self, username: str) -> "Reader":
        """Somebody who was made at the start, signed in."""
        fields = json.dumps({"username": username, "password": PASSWORD}).encode()
        answer = self.ask("POST", "/api/alpha/user/login", fields, _JSON)
        assert answer.status == 200, answer
        return Reader(server=self, username=username, token=answer.json["jwt"])

    def stop(self) -> None:
        """Stop serving."""
        for process in reversed(self._processes):
            process.terminate()
            process.wait(60)
