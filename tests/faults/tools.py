"""Programs and libraries beyond Python that some fault tests use; bin/extras.py fetches them where it can."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parent.parent.parent
UNPACKED: Final = ROOT / ".tools" / "debian"


def tool(name: str) -> str:
    """A program on PATH or unpacked by bin/extras.py; skips the test where there is none."""
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", os.defpath), str(UNPACKED / "usr/bin")]))
    if found is None:
        pytest.skip(f"{name} is not on this machine; bin/extras.py fetches it where it can")
    return found


def faketime() -> str:
    """The library that lies about the time; skips the test where there is none."""
    for root in (Path("/"), UNPACKED):
        for found in root.glob("usr/lib/*/faketime/libfaketime.so.1"):
            return str(found)
    pytest.skip("libfaketime is not on this machine; bin/extras.py fetches it where it can")


def unshare(*namespaces: str) -> list[str]:
    """How to run a program in namespaces of its own; skips the test where they cannot be made."""
    program = tool("unshare")
    done = subprocess.run([program, *namespaces, "true"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"namespaces cannot be made here: {done.stderr.strip()}")
    return [program, *namespaces]
