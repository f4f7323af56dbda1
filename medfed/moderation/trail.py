"""The audit trail's last entry, noted outside the database: a chain whose end was cut off holds as well as before."""

import asyncio
import logging
import os
from pathlib import Path
from typing import Final

from medfed.storage import moderation
from medfed.storage.database import Store

log: Final = logging.getLogger(__name__)

FILE: Final = "audit-head.txt"
"""In the data directory, and in no backup: what a backup brings back ends earlier, and rightly."""


class Trail:
    """The note of one data directory: `SEQ HASH` of an entry that was there."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE

    async def doubt(self, store: Store) -> str | None:
        """What is wrong with the trail's end, in a sentence that says what to do; None if what was noted is there."""
        noted = await asyncio.to_thread(self._read)
        if noted is None:
            return None
        async with store.view() as view:
            found = await moderation.hash_of(view, noted[0])
        if found == noted[1]:
            return None
        what = "is gone" if found is None else "is another"
        return (
            f"the audit trail was cut off: entry {noted[0]}, which was there, {what}; look who could write to the "
            f"database; where an older copy of it was put in place, remove {self._path}"
        )

    async def keep_up(self, store: Store) -> None:
        """Note the last entry, unless the one that was noted before is not there any more: that is told instead."""
        doubt = await self.doubt(store)
        if doubt is not None:
            log.error(doubt)
            return
        async with store.view() as view:
            head = await moderation.head(view)
        if head is not None and head != await asyncio.to_thread(self._read):
            await asyncio.to_thread(self._write, *head)

    def _read(self) -> tuple[int, str] | None:
        try:
            seq, _, digest = self._path.read_text("ascii", errors="replace").strip().partition(" ")
        except FileNotFoundError:
            return None
        return (int(seq), digest) if seq.isdigit() and digest else None

    def _write(self, seq: int, digest: str) -> None:
        part = self._path.with_suffix(".part")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
            file.write(f"{seq} {digest}\n")
        part.replace(self._path)
