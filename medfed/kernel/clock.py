"""Time as an argument: everything that needs `now` is handed a Clock."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol, TypeAlias

Millis: TypeAlias = int
"""Milliseconds since the Unix epoch, UTC."""

SECOND: Millis = 1_000
MINUTE: Millis = 60 * SECOND
HOUR: Millis = 60 * MINUTE
DAY: Millis = 24 * HOUR


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> Millis:
        """Wall-clock time in milliseconds since the epoch."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> Millis:
        """Wall-clock time in milliseconds since the epoch."""
        return time.time_ns() // 1_000_000


@dataclass(slots=True)
class FixedClock:
    """A clock that moves only when told to; for tests and simulations."""

    at: Millis = field(default=1_795_600_000_000)

    def now(self) -> Millis:
        """The time this clock was last set to."""
        return self.at

    def advance(self, by: Millis) -> None:
        """Move forward (or, negative, back) by `by` milliseconds."""
        self.at += by


def iso(at: Millis) -> str:
    """RFC 3339 in UTC with seconds, as ActivityStreams and VC documents carry it: 2026-11-25T10:00:00Z."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_millis(at: Millis) -> str:
    """RFC 3339 in UTC with milliseconds, as the Mastodon client API carries it."""
    moment = datetime.fromtimestamp(at / 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at % 1000:03d}Z"


def parse_iso(text: str) -> Millis:
    """Read an RFC 3339 / xsd:dateTimeStamp. Raises ValueError, also when the offset is missing."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without an offset")
    return round(moment.timestamp() * 1000)
