#!/usr/bin/env python3
"""Make the project's environment from nothing but a Python, so that make targets work on a fresh clone.

    bin/bootstrap.py runtime    what a server needs
    bin/bootstrap.py dev        the same, and the tools of `make check` and `make test`
    bin/bootstrap.py extras     the same, and what a few tests use where it can be had (browser, linters)
    bin/bootstrap.py uv         print the path of the uv in use (for `make lock`)

Packages come from requirements/*.lock, by hash, from whichever index this machine is set up for
(UV_DEFAULT_INDEX, PIP_INDEX_URL, pip.conf or the installer's own default): docs/adr/0010. The project itself is
put on the path rather than built, so no build backend is needed. Standard library only, and it parses on an
older Python too, which then hands over to a newer one.
"""

from __future__ import annotations

import base64
import configparser
import contextlib
import fcntl
import hashlib
import json
import os
import re
import shlex
import shutil
import ssl
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ROOT / "requirements"
TOOLS = ROOT / ".tools"
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
STAMP = VENV / ".medfed-setup.json"

PYTHON_FLOOR = (3, 11)
PYTHON_NAMES = ("python3", "python3.13", "python3.14", "python3.12", "python3.11", "python")
UV_FLOOR = (0, 8)
PIP_FLOOR = (22, 3)  # the first with --python
PIP_WHEEL = "pip-26.3-py3-none-any.whl"
PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"
SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
SETS = {"runtime": ("runtime.lock",), "dev": ("dev.lock",), "extras": ("dev.lock", "extras.lock")}
RANKS = tuple(SETS)
PIP_CONFIGURATION = (Path("/etc/xdg/pip/pip.conf"), Path("/etc/pip.conf"))
FETCH_TIMEOUT_SECONDS = 60
FETCH_LIMIT_BYTES = 64 * 1024 * 1024


class SetupError(Exception):
    """Set-up cannot go on; the message is one sentence that says what to do."""


def main(argv: list[str]) -> int:
    """Exit 0 done, 1 impossible with one sentence on stderr, 2 usage."""
    if len(argv) != 2 or argv[1] not in (*SETS, "uv"):
        print((__doc__ or "").split("\n\n")[1], file=sys.stderr)
        return 2
    try:
        python = suitable_python()
        if Path(python) != Path(sys.executable) and sys.version_info < PYTHON_FLOOR:
            os.execv(python, [python, __file__, *argv[1:]])  # noqa: S606
        with alone():
            if argv[1] == "uv":
                print(uv_command(python) or no_uv())
            else:
                set_up(argv[1], python)
    except SetupError as error:
        print(f"set-up: {error}", file=sys.stderr)
        return 1
    return 0


# --- the environment


def set_up(wanted: str, python: str) -> None:
    """Bring .venv to what the locks say; nothing happens when it is there already."""
    refuse_foreign_venv()
    stamp = read_stamp()
    have = stamp.get("set", "")
    level = max(RANKS.index(wanted), RANKS.index(have) if have in RANKS else 0)
    goal = {"set": RANKS[level], "digest": digest(RANKS[level]), "root": str(ROOT)}
    if stamp == goal and runs(VENV_PYTHON):
        return
    make_venv(python)
    STAMP.unlink(missing_ok=True)
    say(f"installing {RANKS[level]} packages into {VENV.name}")
    install(python, [LOCKS / name for name in SETS[RANKS[level]]])
    put_on_path()
    compile_what_is_served()
    STAMP.write_text(json.dumps(goal), encoding="utf-8")
    say("ready")


def refuse_foreign_venv() -> None:
    """What .venv leads to is replaced and emptied of other packages: it has to be ours."""
    if not VENV.resolve().is_relative_to(ROOT):
        raise SetupError(
            f"{VENV.name} leads to {VENV.resolve()}, outside this checkout, where set-up changes nothing; "
            f"remove the link {VENV} and try again"
        )


def read_stamp() -> dict[str, str]:
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def digest(name: str) -> str:
    content = hashlib.sha256(Path(__file__).read_bytes())
    for lock in SETS[name]:
        content.update((LOCKS / lock).read_bytes())
    return content.hexdigest()


def make_venv(python: str) -> None:
    """Keep a working .venv, replace a broken one. Without pip: Debian's python3 alone cannot put one in."""
    if runs(VENV_PYTHON):
        return
    if VENV.exists():
        say(f"{VENV.name} does not work any more; making it again")
        shutil.rmtree(VENV)
    finish([python, "-m", "venv", "--without-pip", str(VENV)], "the virtual environment could not be made")


def install(python: str, locks: list[Path]) -> None:
    uv = uv_command(python)
    if uv:
        requirements = [str(lock) for lock in locks]
        quiet = [] if sys.stderr.isatty() else ["--quiet"]
        command = [uv, "pip", "sync", *quiet, "--require-hashes", "--python", str(VENV_PYTHON), *requirements]
    else:
        arguments = ["install", "--quiet", "--require-hashes", "--no-deps"]
        requirements = [part for lock in locks for part in ("--requirement", str(lock))]
        command = [*pip_command(python, into=VENV_PYTHON), *arguments, *requirements]
    finish(
        command,
        "the packages could not be installed (the lines above say why); is the package index reachable?",
    )


def put_on_path() -> None:
    """Import medfed from this checkout and give it its command: an editable install without a build."""
    version = "python{}.{}".format(*python_version(VENV_PYTHON)[:2])
    site_packages = VENV / "lib" / version / "site-packages"
    (site_packages / "medfed-checkout.pth").write_text(f"{ROOT}\n", encoding="utf-8")
    launcher = VENV / "bin" / "medfed"
    launcher.write_text(f'#!/bin/sh\nexec {shlex.quote(str(VENV_PYTHON))} -m medfed "$@"\n', encoding="utf-8")
    launcher.chmod(0o755)


# --- Python


def compile_what_is_served() -> None:
    """Keep the compiled modules of a server, also where the environment says that Python should keep none.

    Compiling them at every start doubles what a start costs. A matter of speed only: a failure is nobody's business.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [str(VENV_PYTHON), "-c", "import medfed.cli.serve"]
    subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)


def suitable_python() -> str:
    """The interpreter the environment is made of: this one where it will do, else the first that will."""
    if sys.version_info >= PYTHON_FLOOR and sys.prefix == sys.base_prefix:
        return sys.executable
    for name in PYTHON_NAMES:
        path = shutil.which(name)
        if path and python_version(path) >= PYTHON_FLOOR:
            return path
    floor = ".".join(map(str, PYTHON_FLOOR))
    raise SetupError(
        f"medfed needs Python {floor} or newer and this machine has none; install python{floor} and try again"
    )


def python_version(python: str | Path) -> tuple[int, ...]:
    found = ask([str(python), "-c", "import sys; print(*sys.version_info[:3])"])
    return tuple(map(int, found.split())) if found else ()


def runs(python: Path) -> bool:
    return python_version(python) >= PYTHON_FLOOR


# --- uv, or pip


def uv_command(python: str) -> str:
    """A uv that will do: on PATH, or kept in .tools, or put there by pip; "" where this platform has none."""
    on_path = shutil.which("uv")
    if on_path and version_in(ask([on_path, "--version"])) >= UV_FLOOR:
        return on_path
    lock = LOCKS / "installer.lock"
    folder = TOOLS / "uv-{}".format(".".join(map(str, version_in(lock.read_text(encoding="utf-8")))))
    uv = folder / "bin" / "uv"
    if uv.exists():
        return str(uv)
    say("fetching uv")
    arguments = [
        "--quiet",
        "--no-deps",
        "--only-binary=:all:",
        "--require-hashes",
        "--requirement",
        str(lock),
    ]
    command = [*pip_command(python, into=Path(python)), "install", "--target", str(folder), *arguments]
    if run(command) or not uv.exists():
        say("uv could not be fetched for this platform; pip will do, more slowly")
        return ""
    return str(uv)


def no_uv() -> str:
    raise SetupError("locks are made with uv, and this platform has none")


def pip_command(python: str, *, into: Path) -> list[str]:
    """How to run a pip that installs for the interpreter `into`."""
    if version_in(ask([python, "-m", "pip", "--version"])) >= PIP_FLOOR:
        return [python, "-m", "pip", "--python", str(into)]
    wheel = bundled_pip(python) or pip_from_index() or pip_from_debian()
    if wheel is None:
        raise SetupError(
            "this machine has neither uv nor pip; name your package index in PIP_INDEX_URL, "
            "or install python3-venv (Debian: apt install python3-venv), and try again"
        )
    return [str(into), f"{wheel}/pip"]


def bundled_pip(python: str) -> Path | None:
    """The wheel an earlier run kept, or the one that ensurepip or the distribution carries."""
    ensurepip = ask([python, "-c", "import ensurepip; print(ensurepip.__path__[0])"])
    folders = [
        TOOLS,
        Path("/usr/share/python-wheels"),
        *([Path(ensurepip) / "_bundled"] if ensurepip else []),
    ]
    return next((wheel for folder in folders for wheel in sorted(folder.glob("pip-*.whl"))), None)


def pip_from_index() -> Path | None:
    """The pinned pip from the index this machine is set up for (PEP 691), checked against its hash."""
    index = configured_index()
    if not index:
        return None
    say("fetching pip from the configured package index")
    page = json.loads(fetch(f"{index.rstrip('/')}/pip/", accept=SIMPLE_JSON))
    named = [file["url"] for file in page.get("files", []) if file.get("filename") == PIP_WHEEL]
    if not named:
        raise SetupError(f"the configured package index has no {PIP_WHEEL}")
    content = fetch(urllib.parse.urljoin(f"{index.rstrip('/')}/pip/", named[0]), accept="*/*")
    if hashlib.sha256(content).hexdigest() != PIP_SHA256:
        raise SetupError(
            f"the configured package index serves another {PIP_WHEEL} than the one this project is locked to"
        )
    return keep(content)


def pip_from_debian() -> Path | None:
    """The pip wheel out of Debian's own package: signed by Debian, unpacked here, installed nowhere."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        return None
    say("fetching pip from the distribution's packages")
    unpacked = unpack_debian(["python3-pip-whl"], TOOLS / "debian-pip")
    wheels = sorted(unpacked.glob("usr/share/python-wheels/pip-*.whl"))
    if not wheels:
        return None
    kept = TOOLS / wheels[0].name
    shutil.copyfile(wheels[0], kept)
    shutil.rmtree(unpacked)
    return kept


def unpack_debian(packages: list[str], folder: Path) -> Path:
    """Download Debian packages and unpack them below `folder`; needs no root and changes nothing outside it.

    A package that cannot be had is simply not there afterwards. Where the machine keeps no package lists, or
    the package is not in them, lists of our own are fetched below .tools.
    """
    folder.mkdir(parents=True, exist_ok=True)
    options: list[str] = []
    if run(["apt-get", "download", *packages], cwd=folder, quietly=True):
        options = apt_lists_of_our_own()
        run(["apt-get", *options, "update"], cwd=folder, quietly=True)
        run(["apt-get", *options, "download", *packages], cwd=folder, quietly=True)
    for archive in folder.glob("*.deb"):
        run(["dpkg-deb", "--extract", str(archive), str(folder)], quietly=True)
        archive.unlink()
    shutil.rmtree(TOOLS / "apt", ignore_errors=True)
    return folder


def apt_lists_of_our_own() -> list[str]:
    state = TOOLS / "apt"
    for part in ("lists/partial", "cache/archives/partial"):
        (state / part).mkdir(parents=True, exist_ok=True)
    return [
        "-o",
        f"Dir::State::Lists={state}/lists",
        "-o",
        f"Dir::Cache={state}/cache",
        "-o",
        "APT::Sandbox::User=",
    ]


def keep(content: bytes) -> Path:
    TOOLS.mkdir(exist_ok=True)
    wheel = TOOLS / PIP_WHEEL
    wheel.write_bytes(content)
    return wheel


# --- the package index this machine is set up for


def configured_index() -> str:
    """The simple index that the environment or pip.conf names, or "" for the installer's own default."""
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"):
        if os.environ.get(name):
            return os.environ[name]
    return pip_setting("index-url")


def certificates() -> str:
    """The CA file that the environment or pip.conf names, or "" for the system's own."""
    for name in ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE"):
        if os.environ.get(name):
            return os.environ[name]
    return pip_setting("cert")


def pip_setting(key: str) -> str:
    """A key of pip.conf's [global] section, from the places where pip looks, the most specific first."""
    home = Path(os.environ.get("HOME", "/"))
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    places = [home / ".pip/pip.conf", config / "pip/pip.conf", *PIP_CONFIGURATION]
    if os.environ.get("PIP_CONFIG_FILE"):
        places.insert(0, Path(os.environ["PIP_CONFIG_FILE"]))
    for place in places:
        parser = configparser.RawConfigParser()
        with contextlib.suppress(OSError, UnicodeDecodeError, configparser.Error):
            parser.read_string(place.read_text(encoding="utf-8"))
        if parser.has_option("global", key):
            return parser.get("global", key).strip()
    return ""


def installer_environment() -> dict[str, str]:
    """Our environment for uv and pip: the same index and certificates for both, and no Python downloads."""
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    environment.setdefault("PIP_ROOT_USER_ACTION", "ignore")
    for name in ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME"):
        environment.pop(name, None)
    index = configured_index()
    if index and not environment.get("UV_INDEX_URL"):
        environment.setdefault("UV_DEFAULT_INDEX", index)
    if index:
        environment.setdefault("PIP_INDEX_URL", index)
    cert = certificates()
    if cert:
        environment.setdefault("SSL_CERT_FILE", cert)
        environment.setdefault("PIP_CERT", cert)
    else:
        # A hospital's own authority is in the system's store; uv would otherwise use only roots it carries.
        environment.setdefault("UV_SYSTEM_CERTS", "1")
    return environment


def fetch(url: str, *, accept: str) -> bytes:
    """One GET from the configured index; a name and password in its URL become a header."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("https", "http", "file"):
        raise SetupError("the package index must be an https://, http:// or file:// URL")
    headers = {"Accept": accept}
    if parts.username:
        pair = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        parts = parts._replace(netloc=parts.netloc.rpartition("@")[2])
    request = urllib.request.Request(parts.geturl(), headers=headers)
    try:
        tls = ssl.create_default_context(cafile=certificates() or None)
        with urllib.request.urlopen(request, timeout=FETCH_TIMEOUT_SECONDS, context=tls) as response:
            return bytes(response.read(FETCH_LIMIT_BYTES))
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise SetupError(f"the package index at {parts.hostname or parts.path} cannot be read: {reason}") from None


# --- running things


def ask(command: list[str]) -> str:
    """What a command prints, or "" when it fails: a command that is there may still be a shim for nothing."""
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    except OSError:
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""


def run(command: list[str], *, cwd: Path = ROOT, quietly: bool = False) -> int:
    output = subprocess.DEVNULL if quietly else sys.stderr
    try:
        return subprocess.run(
            command,
            cwd=cwd,
            env=installer_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            check=False,
        ).returncode
    except OSError:
        return 127


def finish(command: list[str], failure: str) -> None:
    if run(command):
        raise SetupError(failure)


def version_in(text: str) -> tuple[int, ...]:
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(part) for part in found.groups() if part) if found else ()


def say(sentence: str) -> None:
    print(f"set-up: {sentence}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Two make targets started at once must not install into one environment at the same time."""
    TOOLS.mkdir(exist_ok=True)
    with (TOOLS / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.exit(main(sys.argv))
