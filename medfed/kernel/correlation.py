"""Which request a line of the log belongs to."""

import random
from contextvars import ContextVar
from typing import Final

_CHANCE: Final = random.Random()  # noqa: S311 - tells requests apart, and keeps no secret

request_id: Final[ContextVar[str]] = ContextVar("medfed_request_id", default="")
"""Set by the edge for the time of one request; empty in background work."""


def new_request_id() -> str:
    """Twelve hexadecimal digits."""
    return f"{_CHANCE.getrandbits(48):012x}"
