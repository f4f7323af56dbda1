"""A network for servers that meet by name: a private namespace, a CA, and the proxy of deploy/ before each."""

import http.client
import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import trustme

from tests.interop.servers import ROOT, Answer, Unavailable, answered

SITE = ROOT / "deploy" / "nginx.conf"
_UNPACKED = ROOT / ".tools" / "debian" / "usr" / "sbin"
_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
_FIRST_PORT = 8000


class Network:
    """Names under .test that resolve to loopback in a namespace of their own, each behind nginx as deploy/ has it.

    Nothing in it can reach anything outside, nor be reached but through one Unix socket, which speaks TLS.
    """

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self._folder = folder
        self._ports = {name: _FIRST_PORT + number for number, name in enumerate(names)}
        self._holder: subprocess.Popen[bytes] | None = None
        self._nginx: subprocess.Popen[bytes] | None = None
        self._enter: list[str] = []
        self._trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.ca_file = folder / "ca.pem"

    def start(self) -> None:
        """Make the namespace and let nginx listen in it. Raises Unavailable."""
        nginx = _program("nginx", _UNPACKED)
        for name in ("unshare", "nsenter", "mount", "ip"):
            _program(name)
        self._folder.mkdir(parents=True)
        (self._folder / "down").mkdir()
        self._certify()
        self._isolate()
        self._proxy(nginx)

    def port(self, name: str) -> int:
        """Where the server behind this name has to listen, on 127.0.0.1."""
        return self._ports[name]

    def inside(self, command: Iterable[str]) -> list[str]:
        """The command, run in the namespace; it becomes that process, so that signals reach it."""
        return [*self._enter, *command]

    def environment(self) -> dict[str, str]:
        """Ours without what is meant for medfed, and with the CA for whoever honours OpenSSL's variable."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MEDFED_", "GTS_"))}
        return kept | {"SSL_CERT_FILE": str(self.ca_file)}

    def ask(
        self, name: str, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One HTTPS request to a server of this network, its certificate checked; a refusal is an answer too."""
        return Inward(name, self._folder / "door", self._trust).answer(method, path, body, headers or {})

    @contextmanager
    def down(self, name: str) -> Iterator[None]:
        """For a while, the proxy before this name answers everything with 503."""
        mark = self._folder / "down" / name
        mark.touch()
        try:
            yield
        finally:
            mark.unlink()

    def log(self, name: str) -> list[tuple[str, str, int]]:
        """What this name was asked since the start: method, path and status, in the order of the answers."""
        lines = (self._folder / f"{name}.log").read_text().splitlines()
        found = (re.search(r'"(\S+) (\S+) \S+" (\d+)', line) for line in lines)
        return [(each[1], each[2], int(each[3])) for each in found if each]

    def stop(self) -> None:
        """Stop nginx and give up the namespace."""
        for process in (self._nginx, self._holder):
            if process is not None:
                process.terminate()
                process.wait(20)

    def _certify(self) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(self.ca_file)
        authority.configure_trust(self._trust)
        for name in self._ports:
            leaf = authority.issue_cert(name)
            leaf.private_key_pem.write_to_path(self._folder / f"{name}.key")
            for number, each in enumerate(leaf.cert_chain_pems):
                each.write_to_path(self._folder / f"{name}.pem", append=number > 0)

    def _isolate(self) -> None:
        hosts = self._folder / "hosts"
        hosts.write_text(f"127.0.0.1 localhost {' '.join(self._ports)}\n")
        user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        script = 'ip link set lo up && mount --bind "$0" /etc/hosts && echo ready && exec sleep infinity'
        self._holder = subprocess.Popen(
            ["unshare", *user, "--net", "--mount", "sh", "-c", script, str(hosts)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        assert self._holder.stderr is not None
        said = self._holder.stdout.readline()
        if said != b"ready\n":
            raise Unavailable(f"no network namespace can be made here: {self._holder.stderr.read().decode().strip()}")
        self._holder.stdout.close()
        self._holder.stderr.close()
        user = ["--user", "--preserve-credentials"] if user else []
        self._enter = ["nsenter", "--target", str(self._holder.pid), *user, "--net", "--mount", "--wd=" + str(ROOT)]

    def _proxy(self, nginx: str) -> None:
        temporary = "".join(f"{each}_temp_path {self._folder}/{each};\n" for each in _TEMPORARY)
        sites = "".join(map(self._site, self._ports))
        configuration = self._folder / "nginx.conf"
        configuration.write_text(
            f"daemon off;\nmaster_process off;\npid {self._folder}/nginx.pid;\nerror_log stderr;\n"
            f"events {{}}\nhttp {{\n{temporary}{sites}}}\n"
        )
        with (self._folder / "nginx.log").open("wb") as log:
            self._nginx = subprocess.Popen(
                self.inside([nginx, "-p", str(self._folder), "-c", str(configuration)]), stdout=log, stderr=log
            )
        until = time.monotonic() + 10
        while not (self._folder / "door").exists():
            said = (self._folder / "nginx.log").read_text()
            assert self._nginx.poll() is None, said
            assert time.monotonic() < until, said
            time.sleep(0.02)

    def _site(self, name: str) -> str:
        """The site that deploy/ has for a hospital, for this name: more than one of them fits into one nginx."""
        site = SITE.read_text("utf-8")
        site = re.sub(r"/etc/letsencrypt/live/chu-lyon.example/(fullchain|privkey).pem", r"@\1@", site)
        site = site.replace("medfed", f"behind_{self._ports[name]}").replace("chu-lyon.example", name)
        site = site.replace(":8000;", f":{self._ports[name]};")
        site = re.sub(r"/var/log/nginx/\S+log", f"{self._folder}/{name}.log", site)
        for mark, file in (("@fullchain@", f"{name}.pem"), ("@privkey@", f"{name}.key")):
            site = site.replace(mark, str(self._folder / file))
        also = f"listen unix:{self._folder}/door ssl;\n    if (-f {self._folder}/down/{name}) {{ return 503; }}"
        return site.replace("listen 443 ssl;", f"listen 443 ssl;\n    {also}")


class Inward(http.client.HTTPConnection):
    """HTTP by way of a Unix socket, which leads into the namespace; over TLS where it leads to a name."""

    def __init__(self, name: str, door: Path, trust: ssl.SSLContext | None = None) -> None:
        super().__init__(name, timeout=30)
        self._name, self._door, self._trust = name, door, trust

    def connect(self) -> None:
        """Open the socket; it is the only way in."""
        plain = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        plain.settimeout(30)
        # The path of a socket has 107 bytes, of which a long folder would take too many.
        plain.connect(os.path.relpath(self._door))
        self.sock = self._trust.wrap_socket(plain, server_hostname=self._name) if self._trust else plain

    def answer(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        """One request; a refusal is an answer too."""
        try:
            # GoToSocial answers 418 to whoever does not say who they are.
            self.request(method, path, body, {"user-agent": "tests", **headers})
            response = self.getresponse()
            return answered(response.status, response.read(), dict(response.headers))
        finally:
            self.close()


def _program(name: str, *also: Path) -> str:
    places = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin", *map(str, also)])
    found = shutil.which(name, path=places)
    if found is None:
        raise Unavailable(f"{name} is not on this machine")
    return found
