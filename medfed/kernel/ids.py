"""Time-sortable 63-bit ids: milliseconds since the epoch, then 16 bits of sequence and chance.

Clients of the Mastodon API compare ids as numbers and derive dates from `id >> 16`.
"""

import random
import threading

from medfed.kernel.clock import Clock, Millis


class Ids:
    """Mints ids that never repeat in a process and hardly ever across processes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0
        self._chance = random.Random()  # noqa: S311 - keeps processes apart; an id is no secret
        self._turn = threading.Lock()
        """An id is minted once, whichever thread asks."""

    def follow(self, last: int) -> None:
        """Mint nothing that is not greater than `last`, whatever the clock says: it may have been set back."""
        with self._turn:
            self._last = max(self._last, last)

    def new(self) -> int:
        """A new id, greater than every id this object minted before."""
        return self._mint(1)

    def new_for_scripts(self) -> int:
        """A new id that JavaScript reads as a number and writes as the same digits: one of 16 significant ones.

        Clients get the newest id of a group of notifications as a JSON number, and send it back as a read marker.
        """
        return self._mint(100)

    def _mint(self, step: int) -> int:
        minted = (self._clock.now() << 16) | self._chance.getrandbits(16)
        with self._turn:
            minted = max(minted, self._last + 1)
            minted += -minted % step
            self._last = minted
        return minted


def minted_at(id_: int) -> Millis:
    """When an id was minted."""
    return id_ >> 16
