"""Which request a line of the log belongs to."""

from contextvars import ContextVar
from typing import Final

request_id: Final[ContextVar[str]] = ContextVar("medfed_request_id", default="")
"""Set by the edge for the time of one request; empty in background work."""
