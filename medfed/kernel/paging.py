"""Cursors of lists: Mastodon's max_id, since_id and min_id, once for every surface."""

from dataclasses import dataclass
from typing import Final

LARGEST: Final = 2**63 - 1
_DIGITS: Final = len(str(LARGEST))


def id_of(text: str) -> int | None:
    """The id that an address or a form writes in decimal; None for what is none, or larger than any."""
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS):
        return None
    id_ = int(text)
    return id_ if id_ <= LARGEST else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Which part of a list is wanted; rows come newest first.

    `max_id`: only older ones. `since_id`: only newer ones, the newest of them. `min_id`: only newer ones, those
    immediately after it.
    """

    limit: int = 20
    max_id: int = LARGEST
    since_id: int = 0
    min_id: int = 0

    @property
    def forwards(self) -> bool:
        """Whether the rows nearest above `min_id` are wanted, rather than the newest."""
        return self.min_id > 0

    def below(self, id_: int) -> "Page":
        """The same page, restarted under `id_`."""
        return Page(limit=self.limit, max_id=min(self.max_id, id_), since_id=self.since_id, min_id=self.min_id)

    def above(self, id_: int) -> "Page":
        """The same page, restarted over `id_`."""
        return Page(limit=self.limit, max_id=self.max_id, since_id=self.since_id, min_id=max(self.min_id, id_))
