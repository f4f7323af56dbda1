"""Which stored files the database names."""

from medfed.storage.database import View
from medfed.storage.statements import sql

_NAMED = sql(
    """
    SELECT t.file_key AS key FROM attachment t WHERE t.file_key >= :low AND t.file_key < :high
    UNION SELECT t.preview_key FROM attachment t WHERE t.preview_key >= :low AND t.preview_key < :high
    UNION SELECT a.avatar FROM account a WHERE a.local = 1 AND a.avatar >= :low AND a.avatar < :high
    UNION SELECT a.header FROM account a WHERE a.local = 1 AND a.header >= :low AND a.header < :high
    """
)
_AFTER_HEX = "g"
"""Sorts after every hexadecimal digit."""


async def named(view: View, shelf: str) -> set[str]:
    """The keys of stored files that begin with `shelf`, some hexadecimal digits."""
    return {row["key"] for row in await view.all(_NAMED, low=shelf, high=shelf + _AFTER_HEX)}
