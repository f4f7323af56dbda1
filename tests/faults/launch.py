"""A server with one thing changed for a test: `python -m tests.faults.launch WISH …`, the rest as for medfed."""

import sys

from medfed.cli import main
from medfed.storage import sqlite_wire

CARELESS = "careless"


def main_changed() -> None:
    """Grant the wish, and be the server."""
    wish = sys.argv.pop(1)
    if wish == CARELESS:
        sqlite_wire.SYNCHRONOUS_FULL = 1  # type: ignore[misc]  # NORMAL: commits are not synced in WAL mode
    else:
        raise SystemExit(f"no such wish: {wish}")
    main()


if __name__ == "__main__":
    main_changed()
