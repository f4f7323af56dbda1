"""How much room a disk has left: what comes in is refused while there is still some for deleting and looking (I10)."""

import os
import time
from pathlib import Path
from typing import Final

from medfed.kernel import limits

_LOOK_EVERY: Final = 1.0
"""Seconds."""


class Room:
    """The disk of one folder, which may not be there yet."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._looked_at = -_LOOK_EVERY
        self._is_left = True

    @property
    def is_left(self) -> bool:
        """Whether more may be written than what makes room; as of a second ago at most."""
        now = time.monotonic()
        if now - self._looked_at >= _LOOK_EVERY:
            self._looked_at, self._is_left = now, _is_left(self._folder)
        return self._is_left


def _is_left(folder: Path) -> bool:
    there = next((place for place in (folder, *folder.parents) if place.exists()), Path("/"))
    disk = os.statvfs(there)
    free, whole = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
    return free >= min(whole * limits.DISK_KEPT_FREE_PERCENT // 100, limits.DISK_KEPT_FREE)
