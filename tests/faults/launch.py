"""A server with one thing changed for a test: `python -m tests.faults.launch WISH,WISH …`, the rest as for medfed.

Wishes, with commas between them: `careless` does not wait for the disk; `often` checkpoints after few changes, so that
a short load shows it; `STEP:NUMBER` dies, as by kill -9, when it comes to a step for the NUMBERth time. Production code
knows nothing of this: what it calls at that step is wrapped.
"""

import os
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

from medfed.cli import main
from medfed.delivery.send import Deliverer
from medfed.inbox import http
from medfed.inbox.authenticate import Gatekeeper
from medfed.inbox.record import Recorder
from medfed.storage import outbox, sqlite, sqlite_wire
from medfed.storage.database import Transaction
from medfed.storage.sqlite_transaction import SqliteTransaction

CARELESS: Final = "careless"
OFTEN: Final = "often"


class Fuse:
    """Ends the process when it has been lit often enough."""

    def __init__(self, length: int) -> None:
        self._left = length

    def burn(self) -> None:
        """Nothing is finished, and nobody told."""
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def _after(owner: Any, name: str, fuse: Fuse) -> None:
    original = getattr(owner, name)

    async def changed(*args: Any, **named: Any) -> Any:
        result = await original(*args, **named)
        fuse.burn()
        return result

    setattr(owner, name, changed)


def _before_commit(fuse: Fuse) -> None:
    """Of arrivals: alone on PostgreSQL, several together on SQLite."""
    kinds: list[type[Transaction]] = [SqliteTransaction]
    try:
        from medfed.storage.postgres import PostgresTransaction  # noqa: PLC0415 - the driver is an extra
    except ModuleNotFoundError:
        pass
    else:
        kinds.append(PostgresTransaction)
    for kind in kinds:
        _burn_before(kind, fuse)


def _burn_before(kind: Any, fuse: Fuse) -> None:
    original = kind.commit

    async def changed(tx: Any, *where: Any) -> None:
        if tx.name.startswith(("arrivals", "take ", "record arrival")):
            fuse.burn()
        await original(tx, *where)

    kind.commit = changed


STEPS: Final[Mapping[str, Callable[[Fuse], None]]] = {
    "read": lambda fuse: _after(http, "read_body", fuse),
    "verified": lambda fuse: _after(Gatekeeper, "authenticate", fuse),
    "commit": _before_commit,
    "committed": lambda fuse: _after(Recorder, "take", fuse),
    "fan-out": lambda fuse: _after(outbox, "enqueue", fuse),
    "posted": lambda fuse: _after(Deliverer, "_post", fuse),
}
"""After the request was read, after its signature was verified, before its commit, after that and before the 202;
after a post's deliveries were inserted and before that commit; after a delivery was answered, before it is ticked."""


def changed_main() -> None:
    """Grant the wish, and be the server."""
    for wish in sys.argv.pop(1).split(","):
        step, _, number = wish.partition(":")
        if wish == CARELESS:
            sqlite_wire.SYNCHRONOUS_FULL = 1  # type: ignore[misc]  # NORMAL: commits are not synced in WAL mode
        elif wish == OFTEN:
            sqlite.CHECKPOINT_CHANGES = 200  # type: ignore[misc]
        else:
            STEPS[step](Fuse(int(number)))
    main()


if __name__ == "__main__":
    changed_main()
