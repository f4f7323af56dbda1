"""Servers of a `Network`, each behind its own name and real TLS: medfed, and GoToSocial where it can be had."""

import os
import subprocess
import urllib.parse
from collections.abc import Mapping
from pathlib import Path

from tests.interop.network import Inward, Network
from tests.interop.servers import (
    INSTALLED,
    START_PATIENCE,
    Answer,
    Medfed,
    Member,
    Peer,
    Unavailable,
    eventually,
    install,
)

BINARY = "MEDFED_TEST_GOTOSOCIAL"
PASSWORD = "correct horse battery staple 7"
_FORM = {"content-type": "application/x-www-form-urlencoded"}
_ON_THE_SPOT = "urn:ietf:wg:oauth:2.0:oob"


class NamedMedfed(Medfed):
    """An instance of ours as it is deployed: by its name, over TLS, behind the proxy."""

    def __init__(self, folder: Path, network: Network, name: str) -> None:
        super().__init__(folder)
        self._network = network
        self.port = network.port(name)
        self.domain = name
        self.url = f"https://{name}"
        self._environment = network.environment() | {
            "MEDFED_FEDERATION__ALLOW_NETWORKS": "127.0.0.0/8",
            "MEDFED_FEDERATION__CA_FILE": str(network.ca_file),
            "MEDFED_FEDERATION__MODE": "open",
            "MEDFED_HTTP__TRUSTED_PROXIES": "127.0.0.1",
            "MEDFED_LIMITS__ENABLED": "false",
        }

    def _command(self, *arguments: str) -> list[str]:
        return self._network.inside(super()._command(*arguments))

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One HTTPS request to it by its name."""
        return self._network.ask(self.domain, method, path, body, headers)


class NamedPeer(Peer):
    """The server built on Fedify, by its name, over TLS, behind the proxy. Its keys are new each time."""

    def __init__(self, folder: Path, network: Network, name: str) -> None:
        super().__init__(folder)
        self._network = network
        self.port = network.port(name)
        self.domain = name
        self.url = f"https://{name}"

    def start(self) -> None:
        """Start the process. Raises Unavailable when its packages cannot be had."""
        node = install()
        files = [str(self._folder / file) for file in ("state.json", "keys.json")]
        command = [node, str(INSTALLED / "server.mjs"), *files, str(self.port), str(self._socket), self.url]
        environment = self._network.environment() | {"NODE_EXTRA_CA_CERTS": str(self._network.ca_file)}
        self._socket.unlink(missing_ok=True)
        self.launch(self._network.inside(command), environment)

    @property
    def _socket(self) -> Path:
        return self._folder / "control"

    def _command(self, verb: str, body: bytes) -> Answer:
        return Inward("control", self._socket).answer("POST", f"/{verb}", body, {})


class GoToSocial:
    """A GoToSocial, made and run by its own commands. The binary, and the folder `web` beside it, are not ours."""

    def __init__(self, folder: Path, network: Network, name: str) -> None:
        if not os.environ.get(BINARY):
            raise Unavailable(f"{BINARY} names no binary of GoToSocial")
        self._binary = Path(os.environ[BINARY])
        self._folder = folder
        self._network = network
        self._process: subprocess.Popen[bytes] | None = None
        self.domain = name
        self.url = f"https://{name}"
        folder.mkdir(parents=True)
        self._environment = network.environment() | {
            "GTS_HOST": name,
            "GTS_BIND_ADDRESS": "127.0.0.1",
            "GTS_PORT": str(network.port(name)),
            "GTS_DB_TYPE": "sqlite",
            "GTS_DB_ADDRESS": str(folder / "sqlite.db"),
            "GTS_DB_SQLITE_SYNCHRONOUS": "OFF",
            "GTS_STORAGE_LOCAL_BASE_PATH": str(folder / "storage"),
            "GTS_WEB_TEMPLATE_BASE_DIR": str(self._binary.parent / "web" / "template"),
            "GTS_WEB_ASSET_BASE_DIR": str(self._binary.parent / "web" / "assets"),
            "GTS_HTTP_CLIENT_ALLOW_IPS": "127.0.0.0/8",
            "GTS_ADVANCED_RATE_LIMIT_REQUESTS": "0",
            "GTS_ADVANCED_THROTTLING_MULTIPLIER": "0",
        }

    def start(self, *usernames: str) -> None:
        """Make the instance with these people, and serve it."""
        (self._folder / "storage").mkdir()
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                self._network.inside([str(self._binary), "server", "start"]),
                cwd=self._folder,
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        eventually(self._ready, "GoToSocial serves", 2 * START_PATIENCE)
        # Before the first start there is no application in whose name anybody could be made.
        for username in usernames:
            person = ["--username", username, "--email", _address(username), "--password", PASSWORD]
            self.run("admin", "account", "create", *person)

    def run(self, *arguments: str) -> None:
        """Run a command to its end."""
        done = subprocess.run(
            [str(self._binary), *arguments],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"gotosocial {' '.join(arguments)}: {done.stdout[-2000:]} {done.stderr[-2000:]}"

    def _ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log()[-2000:]
        return self.ask("GET", "/readyz").status == 200

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One HTTPS request to it by its name."""
        return self._network.ask(self.domain, method, path, body, headers)

    def log(self) -> str:
        """What the server has logged."""
        return (self._folder / "log").read_text(errors="replace")

    def stop(self) -> None:
        """Stop serving."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)

    def person(self, username: str) -> Member:
        """Somebody who was made at the start, signed in as a browser would."""
        scopes = "read write follow push"
        app = self._form("/api/v1/apps", client_name="tests", redirect_uris=_ON_THE_SPOT, scopes=scopes).json
        query = {"client_id": app["client_id"], "redirect_uri": _ON_THE_SPOT, "response_type": "code", "scope": scopes}
        asked = self.ask("GET", f"/oauth/authorize?{urllib.parse.urlencode(query)}")
        signed_in = self._form("/auth/sign_in", asked, username=_address(username), password=PASSWORD)
        shown = self.ask("GET", "/oauth/authorize", headers=_cookie(signed_in))
        agreed = self._form("/oauth/authorize", shown if "set-cookie" in shown.headers else signed_in, agree="yes")
        code = urllib.parse.parse_qs(urllib.parse.urlsplit(agreed.headers["location"]).query)["code"][0]
        token = self._form(
            "/oauth/token",
            grant_type="authorization_code",
            code=code,
            client_id=app["client_id"],
            client_secret=app["client_secret"],
            redirect_uri=_ON_THE_SPOT,
        )
        assert token.status == 200, token
        return Member(self, username, token.json["access_token"])

    def _form(self, path: str, before: Answer | None = None, **fields: str) -> Answer:
        headers = _FORM | (_cookie(before) if before else {})
        return self.ask("POST", path, urllib.parse.urlencode(fields).encode(), headers)


def _address(username: str) -> str:
    return f"{username}@example.org"


def _cookie(answer: Answer) -> dict[str, str]:
    return {"cookie": answer.headers["set-cookie"].partition(";")[0]}
