"""Counts what each of many strangers takes of something, so that nobody takes more than their share."""

from collections import deque
from typing import Final

from medfed.kernel.clock import Millis
from medfed.kernel.kept import Kept

_KEPT: Final = 10_000


class Allowance:
    """At most so many for each key within any stretch of time of a length. In memory, bounded."""

    def __init__(self, *, kept: int = _KEPT) -> None:
        self._taken: Kept[str, deque[Millis]] = Kept(kept)

    def take(self, key: str, now: Millis, *, most: int, per: Millis) -> Millis:
        """Milliseconds to wait before one more of `most` within `per` may be had; 0: it was had, and counts."""
        taken = self._taken.used(key)
        if taken is None:
            taken = self._taken[key] = deque()
        while taken and not 0 <= now - taken[0] < per:
            taken.popleft()
        if len(taken) >= most:
            return taken[0] + per - now
        taken.append(now)
        return 0

    def give_back(self, key: str) -> None:
        """One that was taken does not count after all."""
        taken = self._taken.get(key)
        if taken:
            taken.pop()
