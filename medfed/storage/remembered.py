"""What was read a moment ago, kept as long as nothing says that it has changed."""

from collections.abc import Awaitable, Callable, Hashable, Iterable
from typing import Generic, TypeVar

from medfed.kernel.clock import Millis
from medfed.kernel.kept import Kept
from medfed.storage.database import Store

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Remembered(Generic[K, V]):
    """Values by key, made from what is stored.

    All are forgotten when one of `channels` is woken, in whichever process, and each after `kept_for`, for a hint
    can be lost. At most `most` are kept, those used last.
    """

    def __init__(
        self, store: Store, now: Callable[[], Millis], *, channels: Iterable[str], kept_for: Millis, most: int
    ) -> None:
        self._now = now
        self._kept_for = kept_for
        self._values: Kept[K, tuple[Millis, V]] = Kept(most)
        self._changes = 0
        for channel in channels:
            store.on_wake(channel, self._forget)

    async def get(self, key: K, read: Callable[[], Awaitable[V]]) -> V:
        """The value of this key, read if it is not remembered. What `read` raises is not remembered."""
        now = self._now()
        known = self._values.used(key)
        if known is not None and 0 <= now - known[0] < self._kept_for:
            return known[1]
        changes = self._changes
        value = await read()
        # What changed while it was read may have been read as it was before.
        if changes == self._changes:
            self._values[key] = (now, value)
        return value

    def _forget(self) -> None:
        self._changes += 1
        self._values.clear()
