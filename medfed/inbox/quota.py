"""How much one host may send us in a day: counted in memory, and written down with the news that the host lives."""

from dataclasses import dataclass
from typing import Final

from medfed.kernel import limits
from medfed.kernel.clock import DAY, SECOND, Millis
from medfed.kernel.errors import TooMany
from medfed.kernel.kept import Kept

_HOSTS_KEPT: Final = 10_000


@dataclass(slots=True)
class _Used:
    """What a host has sent today: as the database knows it, and what has come since."""

    day: int
    known: tuple[int, int] = (0, 0)
    fresh: tuple[int, int] = (0, 0)


class Quota:
    """Refuses a host that is over its share of the day (H04); others notice nothing of it.

    A crash forgets what a host sent in its last minute, and each process counts for itself until it writes down.
    """

    def __init__(self) -> None:
        self._used: Kept[str, _Used] = Kept(_HOSTS_KEPT)

    def check(self, host: str, size: int, now: Millis) -> None:
        """Raises TooMany when a host has sent as much as it may today; what it was told yes for is kept."""
        used = self._of(host, now)
        activities, stored = (known + fresh for known, fresh in zip(used.known, used.fresh, strict=True))
        if activities >= limits.HOST_ACTIVITIES_PER_DAY or stored + size > limits.HOST_BYTES_PER_DAY:
            wait = (used.day + 1) * DAY - now
            raise TooMany("this host has sent as much as it may in a day", retry_after=wait // SECOND + 1)

    def count(self, host: str, size: int, now: Millis) -> None:
        """One more was stored."""
        used = self._of(host, now)
        used.fresh = _plus(used.fresh, (1, size))

    def fresh(self, host: str, now: Millis) -> tuple[int, int]:
        """(activities, bytes) that are not written down yet."""
        return self._of(host, now).fresh

    def written(self, host: str, now: Millis, what: tuple[int, int], total: tuple[int, int]) -> None:
        """So much was written down; the database knows of `total`, other processes' counts included."""
        used = self._of(host, now)
        used.known = total
        used.fresh = _plus(used.fresh, (-what[0], -what[1]))

    def _of(self, host: str, now: Millis) -> _Used:
        used = self._used.get(host)
        if used is None or used.day != now // DAY:
            used = self._used[host] = _Used(day=now // DAY)
        return used


def _plus(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return one[0] + other[0], one[1] + other[1]
