"""Programs and libraries beyond Python that some fault tests use; bin/extras.py fetches them where it can."""

import os
import shutil
from pathlib import Path
from typing import Final

import pytest

UNPACKED: Final = Path(__file__).resolve().parent.parent.parent / ".tools" / "debian"


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
