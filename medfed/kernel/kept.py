"""A memory of limited size: beyond it, what was longest not used is forgotten."""

from collections import OrderedDict
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Kept(OrderedDict[K, V]):
    """A dictionary of at most `most` entries; each is the newest when it is set, or `used`."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        if len(self) > self._most:
            self.popitem(last=False)

    def used(self, key: K) -> V | None:
        """The value of a key, which is the newest from now on; None when it is not kept."""
        value = self.get(key)
        if value is not None:
            self.move_to_end(key)
        return value
