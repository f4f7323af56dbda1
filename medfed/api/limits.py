"""How often who may call what: leaky buckets in memory, counted by the generic cell rate algorithm."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from medfed.kernel.clock import MINUTE, Clock, Millis, iso_millis
from medfed.kernel.errors import TooMany
from medfed.kernel.kept import Kept

KEPT: Final = 100_000
"""Buckets remembered; beyond that, the one longest unused is forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """At most `calls` in `per` milliseconds, in any rhythm."""

    calls: int
    per: Millis


class Limit(Enum):
    """The class of an endpoint: what is counted beside the calls of a token, a member or an address."""

    USUAL = "usual"
    MEDIA = "media"
    DELETES = "deletes"
    APPS = "apps"
    SIGN_IN = "sign-in"
    SIGN_UP = "sign-up"
    RESOLVE = "resolve"


RATES: Final[Mapping[Limit, Rate]] = {
    Limit.MEDIA: Rate(calls=30, per=30 * MINUTE),
    Limit.DELETES: Rate(calls=30, per=30 * MINUTE),
    Limit.APPS: Rate(calls=5, per=10 * MINUTE),
    Limit.SIGN_IN: Rate(calls=25, per=5 * MINUTE),
    Limit.SIGN_UP: Rate(calls=5, per=30 * MINUTE),
    Limit.RESOLVE: Rate(calls=30, per=10 * MINUTE),
}

OF_ADDRESS: Final = Rate(calls=300, per=5 * MINUTE)
OF_TOKEN: Final = Rate(calls=300, per=5 * MINUTE)
OF_MEMBER: Final = Rate(calls=1_500, per=5 * MINUTE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What is left in a bucket after a call."""

    rate: Rate
    left: int
    full_at: Millis

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers that Mastodon's clients read."""
        return {
            "x-ratelimit-limit": str(self.rate.calls),
            "x-ratelimit-remaining": str(self.left),
            "x-ratelimit-reset": iso_millis(self.full_at),
        }


class Overrun(TooMany):
    """A bucket is full; `room` says when it will be empty again."""

    def __init__(self, room: Room, retry_after: int) -> None:
        super().__init__("too many calls; wait a little", retry_after=retry_after)
        self.room = room


class Limiter:
    """Counts calls. One for each application; `enabled=False` counts nothing."""

    def __init__(self, clock: Clock, *, enabled: bool) -> None:
        self._clock = clock
        self._enabled = enabled
        self._empty_at: Kept[str, float] = Kept(KEPT)

    def count(self, buckets: Iterable[tuple[str, Rate]]) -> Room | None:
        """Count one call in every bucket; the fullest of them. Raises TooMany, and then counts in none."""
        if not self._enabled:
            return None
        now = self._clock.now()
        rooms, levels = [], {}
        for key, rate in buckets:
            cost = rate.per / rate.calls
            level = max(self._empty_at.get(key, 0.0), now) + cost
            if level - now > rate.per + 1e-6:
                room = Room(rate=rate, left=0, full_at=round(level - cost))
                raise Overrun(room, max(1, round((level - now - rate.per) / 1000)))
            levels[key] = level
            rooms.append(Room(rate=rate, left=int((rate.per - (level - now)) / cost + 1e-6), full_at=round(level)))
        self._empty_at.update(levels)
        return min(rooms, key=lambda room: room.left / room.rate.calls, default=None)
