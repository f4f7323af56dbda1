"""What was erased, in a file beside the database: what an older backup brings back is erased again before it serves."""

import asyncio
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from medfed.accounts.leave import leave
from medfed.accounts.peers import PeerLevels
from medfed.activitypub.here import Here
from medfed.kernel.clock import DAY, MINUTE, Millis
from medfed.posts import publish, receive
from medfed.storage import accounts, erasure, posts
from medfed.storage.database import Store, Transaction
from medfed.storage.erasure import Erased

FILE: Final = "erased.txt"
"""The file in the data directory: a line for each, `TIME URI ACTOR`; an actor that is gone is its own."""
KEEP: Final = 90 * DAY
"""Longer than any backup should be kept."""

_LATE: Final = 10 * MINUTE
"""How much later than its own time an erasure may be committed, and clocks of several machines may differ."""
_AT_ONCE: Final = 5_000


class Ledger:
    """The file of one data directory."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE

    async def keep_up(self, store: Store, now: Millis) -> int:
        """Write down what was erased since the last time, and drop what is too old; how many lines are new."""
        known = {line.uri: line for line in await asyncio.to_thread(self._lines)}
        newest = max((line.at for line in known.values()), default=now - KEEP + _LATE)
        async with store.view() as view:
            found = await erasure.erased(view, newest - _LATE, _AT_ONCE)
        fresh = [each for each in found if each.uri not in known]
        stale = any(line.at < now - KEEP - DAY for line in known.values())
        if fresh or stale:
            kept = [line for line in (*known.values(), *fresh) if line.at >= now - KEEP]
            await asyncio.to_thread(self._write, kept if stale else fresh, anew=stale)
        return len(fresh)

    async def replay(self, store: Store, here: Here, levels: PeerLevels) -> int:
        """Erase what the database has not erased yet, or has again; how many. Peers are asked again, too."""
        async with store.view() as view:
            newest = await erasure.newest(view)
        lines = [line for line in await asyncio.to_thread(self._lines) if line.at >= newest - _LATE]
        done = 0
        for line in lines:
            async with store.transaction("replay erasure") as tx:
                done += await _erase(tx, here, levels, line)
        return done

    def _lines(self) -> list[Erased]:
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return []
        return list(read(whole_lines(data).decode("ascii", "replace").splitlines()))

    def _write(self, lines: Iterable[Erased], *, anew: bool) -> None:
        """Add lines to the file, or replace it by them; on disk when this returns."""
        path = self._path.with_suffix(".part") if anew else self._path
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if anew else os.O_APPEND), 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            if not anew:  # the next line must not become a part of one that broke off
                file.truncate(len(whole_lines(path.read_bytes())))
            file.writelines(f"{line.at} {line.uri} {line.actor_uri}\n" for line in lines)
            file.flush()
            os.fsync(file.fileno())
        if anew:
            path.replace(self._path)


def whole_lines(data: bytes) -> bytes:
    """Without a last line that broke off: what is left of an address is another one."""
    return data[: data.rfind(b"\n") + 1]


def read(lines: Iterable[str]) -> Iterator[Erased]:
    """The erasures that lines tell of; what is none is left out."""
    for line in lines:
        at, _, rest = line.partition(" ")
        uri, _, actor = rest.partition(" ")
        if at.isdigit() and uri and actor:
            yield Erased(at=int(at), uri=uri, actor_uri=actor)


async def _erase(tx: Transaction, here: Here, levels: PeerLevels, line: Erased) -> bool:
    if line.uri != line.actor_uri:
        return await _erase_post(tx, here, levels, line)
    account = await accounts.find_by_uri(tx, line.uri)
    if account is None or account.gone_at is not None:
        return False
    if account.local:
        await leave(tx, here, levels, account, by="medfed")
    else:
        await receive.erase_actor(tx, here, account)
    return True


async def _erase_post(tx: Transaction, here: Here, levels: PeerLevels, line: Erased) -> bool:
    post = await posts.find_by_uri(tx, line.uri)
    if post is None:
        await posts.bury(tx, line.uri, actor_uri=line.actor_uri, at=line.at)
        return False
    author = await accounts.get(tx, post.account_id)
    if author.local and not post.is_boost:
        await publish.delete(tx, here, levels, author, post)
    else:
        await receive.erase(tx, here, post, author)
    return True
