"""Looks after stored files: takes away what nothing names, and says what is damaged or missing (I11, I12)."""

import logging
from dataclasses import dataclass
from typing import Final

from medfed.kernel.clock import DAY, HOUR, Millis
from medfed.media.blobs import Blobs
from medfed.storage import files, moderation
from medfed.storage.database import Store

log: Final = logging.getLogger(__name__)

ORPHANED_AFTER: Final = 1 * DAY
"""How long a file may wait for the row that names it."""
_SHELVES: Final = tuple(f"{number:02x}" for number in range(256))
_A_DAY: Final = 24
_TOLD: Final = 20
"""How many keys an entry of the audit trail names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What came of it, as keys."""

    removed: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def due(now: Millis) -> tuple[str, ...]:
    """The shelves whose turn it is in this hour, so that every file is read once a day."""
    return _SHELVES[now // HOUR % _A_DAY :: _A_DAY]


async def look_after(store: Store, blobs: Blobs, shelves: tuple[str, ...], now: Millis) -> Found:
    """Look at every file of some shelves; what is wrong stands in the log and in the audit trail."""
    removed: list[str] = []
    damaged: list[str] = []
    missing: list[str] = []
    for shelf in shelves:
        # The files first: whatever is named afterwards was written before.
        stored = await blobs.shelf(shelf)
        async with store.view() as view:
            named = await files.named(view, shelf)
        for file in stored:
            if file.key not in named and now - file.written_at >= ORPHANED_AFTER:
                await blobs.delete(file.key)
                removed.append(file.key)
        damaged += [file.key for file in stored if file.key in named and not file.sound]
        missing += sorted(named - {file.key for file in stored} - await _written_since(blobs, shelf))
    found = Found(removed=tuple(removed), damaged=tuple(damaged), missing=tuple(missing))
    await _report(store, found, now)
    return found


async def check_database(store: Store, now: Millis) -> list[str]:
    """What is wrong with the database; it stands in the log and in the audit trail, too."""
    damage = await store.damage()
    if damage:
        log.error("the database is damaged: restore it from a backup (medfed restore): %s", damage[0])
        async with store.transaction("report damage") as tx:
            detail = {"count": len(damage), "first": damage[0][:200]}
            await moderation.record(tx, at=now, actor="medfed", action="database.damaged", subject="", detail=detail)
    return damage


async def _written_since(blobs: Blobs, shelf: str) -> set[str]:
    """What has come while we looked."""
    return {file.key for file in await blobs.shelf(shelf, read=False)}


async def _report(store: Store, found: Found, now: Millis) -> None:
    if found.removed:
        log.info("%d files that nothing names were removed", len(found.removed))
    for what, keys in (("damaged", found.damaged), ("missing", found.missing)):
        if not keys:
            continue
        log.error("%d stored files are %s: bring them back from a backup: %s", len(keys), what, " ".join(keys[:_TOLD]))
        async with store.transaction("report files") as tx:
            detail = {"count": len(keys), "keys": list(keys[:_TOLD])}
            await moderation.record(tx, at=now, actor="medfed", action=f"files.{what}", subject="", detail=detail)
