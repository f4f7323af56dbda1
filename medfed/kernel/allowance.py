"""Counts what each of many strangers takes of something, so that nobody takes more than their share."""

from collections import OrderedDict
from typing import Final

from medfed.kernel.clock import Millis

_KEPT: Final = 10_000


class Allowance:
    """At most `most` for each key within `per` milliseconds, counted from the key's first use. In memory, bounded."""

    def __init__(self, most: int, per: Millis, *, kept: int = _KEPT) -> None:
        self._most = most
        self._per = per
        self._kept = kept
        self._used: OrderedDict[str, tuple[Millis, int]] = OrderedDict()

    def take(self, key: str, now: Millis) -> bool:
        """Whether one more may be had; if so, it is counted."""
        since, used = self._used.get(key, (now, 0))
        if not 0 <= now - since < self._per:
            since, used = now, 0
        if used >= self._most:
            return False
        self._used[key] = (since, used + 1)
        self._used.move_to_end(key)
        if len(self._used) > self._kept:
            self._used.popitem(last=False)
        return True

    def give_back(self, key: str) -> None:
        """One that was taken does not count after all."""
        since, used = self._used.get(key, (0, 0))
        if used:
            self._used[key] = (since, used - 1)
