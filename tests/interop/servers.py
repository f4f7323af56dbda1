"""The two servers of the interop tests, each a process of its own: medfed by its commands, and the peer, on Fedify."""

import fcntl
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path(__file__).resolve().parent / "peer"
INSTALLED = ROOT / ".interop" / "peer"
NODE_FLOOR = 22
INSTALL_SECONDS = 300
PATIENCE = 20.0
START_PATIENCE = 60.0

Found = TypeVar("Found")


class Unavailable(Exception):
    """The peer cannot be had on this machine; says why in one sentence."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, a JSON body, and headers by their lower-case names."""

    status: int
    json: Any
    headers: Mapping[str, str]


def ask(
    method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None, timeout: float = 30
) -> Answer:
    """One HTTP request; a refusal is an answer too."""
    request = urllib.request.Request(url, data=body, method=method, headers=dict(headers or {}))  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:  # noqa: S310
            return answered(response.status, response.read(), dict(response.headers))
    except urllib.error.HTTPError as error:
        with error:
            return answered(error.code, error.read(), dict(error.headers))


def answered(status: int, body: bytes, headers: Mapping[str, str]) -> Answer:
    """What came back, as JSON where it is JSON."""
    lowered = {name.lower(): value for name, value in headers.items()}
    try:
        return Answer(status, json.loads(body), lowered)
    except ValueError:
        return Answer(status, body.decode(errors="replace"), lowered)


def eventually(look: Callable[[], Found | None], what: str, patience: float = PATIENCE) -> Found:
    """What `look` sees once it sees anything. Federation takes a moment, and no longer than PATIENCE."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"within {patience:.0f} s, this did not happen: {what}")


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


WORKER = os.environ.get("PYTEST_XDIST_WORKER", "alone")
"""Two workers may each have a peer: with keys in one file, one would start anew with the other's."""


# ── whoever acts through the client API ──────────────────────────────────────────────────────────────────────


class Server(Protocol):
    """A server that speaks Mastodon's client API: ours, or another one."""

    @property
    def domain(self) -> str:
        """What stands in handles."""

    @property
    def url(self) -> str:
        """What its people's URIs begin with."""

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One HTTP request to it; a refusal is an answer too."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member, who acts through the client API."""

    server: Server
    username: str
    token: str

    @property
    def uri(self) -> str:
        return f"{self.server.url}/users/{self.username}"

    @property
    def handle(self) -> str:
        return f"@{self.username}@{self.server.domain}"

    def get(self, path: str) -> Any:
        """GET, which has to succeed."""
        return self._succeed("GET", path)

    def post(self, path: str, **fields: Any) -> Any:
        """POST of a JSON document, which has to succeed."""
        return self._succeed("POST", path, **fields)

    def put(self, path: str, **fields: Any) -> Any:
        """PUT of a JSON document, which has to succeed."""
        return self._succeed("PUT", path, **fields)

    def patch(self, path: str, **fields: Any) -> Any:
        """PATCH of a JSON document, which has to succeed."""
        return self._succeed("PATCH", path, **fields)

    def delete(self, path: str) -> Any:
        """DELETE, which has to succeed."""
        return self._succeed("DELETE", path)

    def _succeed(self, method: str, path: str, **fields: Any) -> Any:
        answer = self.ask(method, path, **fields)
        assert answer.status == 200, f"{method} {path}: {answer}"
        return answer.json

    def ask(self, method: str, path: str, **fields: Any) -> Answer:
        """Any request; refusals are answers."""
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        body = json.dumps(fields).encode() if fields or method == "POST" else None
        return self.server.ask(method, path, body, headers)

    def upload(self, picture: bytes, description: str, path: str = "/api/v2/media", **fields: str) -> str:
        """Upload a PNG; its id."""
        boundary = uuid.uuid4().hex
        named = {"description": description} | fields
        parts = [
            *(
                f'--{boundary}\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
                for name, value in named.items()
            ),
            f'--{boundary}\r\ncontent-disposition: form-data; name="file"; filename="picture.png"\r\n'.encode(),
            b"content-type: image/png\r\n\r\n",
            picture,
            f"\r\n--{boundary}--\r\n".encode(),
        ]
        headers = {
            "authorization": f"Bearer {self.token}",
            "content-type": f"multipart/form-data; boundary={boundary}",
        }
        answer = self.server.ask("POST", path, b"".join(parts), headers)
        assert answer.status in (200, 202), answer
        return str(answer.json["id"])

    def finds(self, target: str) -> Mapping[str, Any]:
        """The account or status that a handle or URL names, looked up on its own server."""
        found = self.get(f"/api/v2/search?resolve=true&q={urllib.parse.quote(target, safe='')}")
        return next(iter(found["accounts"] + found["statuses"]), {})

    def home(self) -> dict[str, Any]:
        """The home timeline, by URI."""
        return {status["uri"]: status for status in self.get("/api/v1/timelines/home?limit=40")}

    def sees(self, uri: str) -> Any:
        """Wait for a post in the home timeline."""
        return eventually(lambda: self.home().get(uri), f"{uri} arrives in the home of {self.username}")

    def notified(self, kind: str, **about: Any) -> Any:
        """Wait for a notification of a kind, perhaps about one status."""

        def look() -> Any:
            for each in self.get("/api/v1/notifications?limit=40"):
                if each["type"] == kind and about.items() <= (each.get("status") or {}).items():
                    return each
            return None

        return eventually(look, f"{self.username} is notified of {kind} {about or ''}")


# ── medfed ───────────────────────────────────────────────────────────────────────────────────────────────────


class Medfed:
    """An instance of medfed, made and run by the commands that an operator uses."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.domain = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.domain}"
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("MEDFED_")} | {
            "MEDFED_FEDERATION__ALLOW_HTTP": "true",
            "MEDFED_FEDERATION__ALLOW_NETWORKS": "127.0.0.0/8",
            "MEDFED_FEDERATION__MODE": "open",
            "MEDFED_LIMITS__ENABLED": "false",
        }
        folder.mkdir(parents=True, exist_ok=True)

    def run(self, *arguments: str, stdin: str = "") -> str:
        """Run a command to its end; what it printed."""
        done = subprocess.run(
            self._command(*arguments),
            input=stdin,
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=3 * START_PATIENCE,
            check=False,
        )
        assert done.returncode == 0, f"medfed {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "medfed", "--config", str(self._folder / "medfed.toml"), *arguments]

    def start(self) -> None:
        """Make the instance, and serve it."""
        self.run("init", "--domain", self.domain, "--public-url", self.url, "--name", "Interop")
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                self._command("serve", "--port", str(self.port)),
                cwd=ROOT,
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        eventually(self._ready, f"medfed serves; it said: {self.log()}", START_PATIENCE)

    def _ready(self) -> bool:
        try:
            return self.ask("GET", "/readyz").status == 200
        except OSError:
            return False

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One HTTP request to it; a refusal is an answer too."""
        return ask(method, self.url + path, body, headers)

    def log(self) -> str:
        """What the server has logged."""
        return (self._folder / "log").read_text(errors="replace")

    def stop(self) -> None:
        """Stop serving."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)

    def member(self, username: str, *options: str) -> Member:
        """Make a member with a token that may do everything a client may."""
        self.run("member", "create", username, "--email", f"{username}@example.org", "--json", *options)
        return Member(self, username, self.run("token", "create", username).strip())


# ── the peer ─────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class PeerPerson:
    """Somebody on the peer, who acts through its private port."""

    peer: "Peer"
    name: str

    @property
    def uri(self) -> str:
        return f"{self.peer.url}/users/{self.name}"

    @property
    def handle(self) -> str:
        return f"@{self.name}@{self.peer.domain}"

    def does(self, verb: str, **fields: Any) -> Any:
        """Have this person follow, post, like …; see peer/server.mjs. It has to succeed."""
        return self.peer.ask(verb, **{"as": self.name}, **fields)

    def followers(self) -> list[str]:
        """Who follows, by URI."""
        found: list[str] = self.does("followers")
        return found


class Driven:
    """A server that is not ours, driven through a second, private port: a POST of JSON for each thing to do."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port, self._control = free_port(), free_port()
        self.domain = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.domain}"
        folder.mkdir(parents=True, exist_ok=True)

    def launch(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Start the process, and wait until it says that it is ready."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, env=environment)
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        self._process.stdout.close()
        assert said == b"ready\n", (self._folder / "log").read_text()

    def stop(self) -> None:
        """Stop the process, as an outage would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(20)

    def ask(self, verb: str, **fields: Any) -> Any:
        """One thing that the private port can do. It has to succeed."""
        answer = self._command(verb, json.dumps(fields).encode())
        assert answer.status == 200, f"{verb}: {answer.json}"
        return answer.json

    def _command(self, verb: str, body: bytes) -> Answer:
        return ask("POST", f"http://127.0.0.1:{self._control}/{verb}", body)

    def seen(self, **wanted: Any) -> list[Mapping[str, Any]]:
        """What came to its inboxes and looks as `wanted`; its script says what it keeps of each."""
        return [each for each in self.ask("seen") if wanted.items() <= each.items()]

    def receives(self, kind: str, about: str) -> Mapping[str, Any]:
        """Wait for an accepted activity of a kind whose object, or whose object's object, has this URI."""

        def look() -> Mapping[str, Any] | None:
            found = [each for each in self.seen(type=kind, status=202) if about in _objects(each["document"])]
            return found[-1] if found else None

        return eventually(look, f"the peer accepts a {kind} of {about}")


class Libraries(Driven):
    """The server whose signatures and proofs are those of bovine and apsig."""

    def start(self) -> None:
        """Start the process. Raises Unavailable when the libraries are not there."""
        python = ROOT / ".tools" / "libraries" / "bin" / "python"
        if not (python.parents[1] / "installed").exists():
            raise Unavailable("bovine and apsig are not installed; bin/extras.py does that where it can")
        script = SOURCE.parent / "libraries" / "peer.py"
        self.launch([str(python), str(script), str(self.port), str(self._control)])


class Peer(Driven):
    """The server built on Fedify. Its people, posts and what it has seen outlive a restart."""

    def start(self) -> None:
        """Start the process. Raises Unavailable when its packages cannot be had."""
        node = install()
        files = [str(self._folder / "state.json"), str(INSTALLED.parent / f"keys-{WORKER}.json")]
        self.launch([node, str(INSTALLED / "server.mjs"), *files, str(self.port), str(self._control)])

    def person(self, name: str) -> PeerPerson:
        """frida, or felix, who approves his followers by hand."""
        return PeerPerson(self, name)

    def sent(self, method: str) -> list[Mapping[str, Any]]:
        """What it sent: method, url, scheme, status, challenge."""
        return [each for each in self.ask("sent") if each["method"] == method]

    @contextmanager
    def signing_first_with(self, scheme: str) -> Iterator[None]:
        """For a while, it knocks first with cavage or rfc9421, and remembers nothing from before."""
        self.ask("configure", firstKnock=scheme)
        try:
            yield
        finally:
            self.ask("configure", firstKnock="rfc9421")

    @contextmanager
    def understanding_only(self, scheme: str) -> Iterator[None]:
        """For a while, it answers 401 to deliveries that are signed in any other way."""
        self.ask("configure", understands=scheme)
        try:
            yield
        finally:
            self.ask("configure", understands="both")

    @contextmanager
    def wanting_nonces(self) -> Iterator[None]:
        """For a while, it takes no delivery without a nonce that it has just given out (RFC 9421 § 5)."""
        self.ask("configure", nonces=True)
        try:
            yield
        finally:
            self.ask("configure", nonces=False)


def _objects(document: Mapping[str, Any]) -> set[str]:
    """The URIs that an activity is about: of its object, of that one's object, and of what it answers."""
    found: set[str] = set()
    inner: Any = document.get("object")
    while isinstance(inner, Mapping):
        found.add(str(inner.get("id", "")))
        found.add(str(inner.get("inReplyTo", "")))
        inner = inner.get("object")
    return found | {str(inner)}


def install() -> str:
    """Install the peer below .interop once, and say which node runs it. Raises Unavailable."""
    install_packages(SOURCE, INSTALLED, "Fedify")
    return _node()


def install_packages(source: Path, installed: Path, what: str) -> str:
    """Install what the lock in `source` says, once, and the scripts there; the Node to run them. Raises Unavailable."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        raise Unavailable("there is no Node with npm on this machine")
    installed.mkdir(parents=True, exist_ok=True)
    with (installed.parent / f"lock-{installed.name}").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = hashlib.sha256((source / "package-lock.json").read_bytes()).hexdigest()
        done = installed / "installed"
        if not done.exists() or done.read_text() != wanted:
            _install(npm, source, installed, what)
            done.write_text(wanted)
        for script in source.glob("*.mjs"):
            shutil.copy(script, installed)
    return node


def _install(npm: str, source: Path, installed: Path, what: str) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(source / name, installed)
    command = [npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        subprocess.run(command, cwd=installed, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=True)
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip() or "no message").splitlines()[-1]
        raise Unavailable(f"npm could not install {what}: {last}") from error
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"npm did not install {what} within {INSTALL_SECONDS} s") from error


def _node() -> str:
    """The Node that npm brought, else the machine's own if it is new enough."""
    for candidate in (INSTALLED / "node_modules" / "node" / "bin" / "node", shutil.which("node")):
        try:
            version = subprocess.check_output([str(candidate), "--version"], text=True, timeout=20)
        except (OSError, subprocess.SubprocessError):
            continue
        if int(version.strip().lstrip("v").partition(".")[0]) >= NODE_FLOOR:
            return str(candidate)
    raise Unavailable(f"Fedify needs Node {NODE_FLOOR}, and npm's package `node` brought none")
