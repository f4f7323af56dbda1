"""The "a write transaction is open" flag, so that the network can refuse to be used inside one (law 4)."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from medfed.kernel.errors import Broken

_open: ContextVar[str | None] = ContextVar("medfed_write_transaction", default=None)


class NetworkInsideTransaction(Broken):
    """Somebody awaited the network while holding the database's only writer."""


@contextmanager
def writing(name: str) -> Iterator[None]:
    """Mark the current task as holding the write transaction `name`."""
    token = _open.set(name)
    try:
        yield
    finally:
        _open.reset(token)


def current() -> str | None:
    """The name of the write transaction that the current task holds, if it holds one."""
    return _open.get()


def refuse_inside_transaction(what: str) -> None:
    """Raise NetworkInsideTransaction if the current task holds a write transaction."""
    name = _open.get()
    if name is not None:
        raise NetworkInsideTransaction(f"{what} inside transaction {name!r}")
