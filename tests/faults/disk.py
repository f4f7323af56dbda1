"""A disk that keeps what it was made to write down, and of the rest only what chance lets survive a power cut."""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from tests.faults.tracing import Call

SECTOR: Final = 512
Change: TypeAlias = tuple[int, bytes | None]
"""(offset, what is written there), or (size, None): the file is cut or stretched to it."""
Keeps: TypeAlias = Callable[[Change], Iterable[Change]]
"""What of a change that was not synced reached the disk."""


@dataclass(slots=True)
class _File:
    durable: bytearray
    pending: list[Change] = field(default_factory=list)

    def flush(self, count: int) -> None:
        for change in self.pending[:count]:
            _apply(self.durable, change)
        del self.pending[:count]

    def after_a_cut(self, keeps: Keeps) -> bytes:
        content = bytearray(self.durable)
        for change in self.pending:
            for kept in keeps(change):
                _apply(content, kept)
        return bytes(content)


class Disk:
    """The files of one folder whose names begin alike, as the calls of a trace change them."""

    def __init__(self, folder: Path, names: Iterable[str]) -> None:
        self._folder = folder
        self._wanted = tuple(names)
        self._names: dict[str, _File] = {}
        self._durable_names: dict[str, _File] = {}
        self._syncing: dict[str, int] = {}
        self.checkpointed = False
        """Whether the first of the files was written to: the others are its logs."""

    def take_in(self) -> None:
        """Begin with what is there: it counts as written down."""
        places = (self._folder / name for name in self._wanted)
        self._names = {place.name: _File(bytearray(place.read_bytes())) for place in places if place.exists()}
        self._durable_names = dict(self._names)

    def follow(self, call: Call) -> None:
        """Take one call into account: a write as soon as it begins, a sync only when it has ended."""
        name = self._name(call.path)
        if call.name in ("fsync", "fdatasync"):
            self._sync(call, name)
        elif name is not None and call.when == "begins" and call.name == "pwrite64":
            self._names[name].pending.append((call.number, call.data))
            self.checkpointed |= name == self._wanted[0]
        elif name is not None and call.when == "begins" and call.name == "ftruncate":
            self._names[name].pending.append((call.number, None))
        elif call.when == "ends" and call.result >= 0 and call.name in ("openat", "unlink", "rename"):
            self._rename(call)

    def cut(self, chance: random.Random) -> dict[str, bytes]:
        """What is on the disk when the power fails now."""
        keeps = chance.choice((_nothing, _everything, _some(chance), _torn(chance)))
        certain = keeps is _nothing
        files: dict[str, bytes] = {}
        for name in self._names.keys() | self._durable_names.keys():
            before, now = self._durable_names.get(name), self._names.get(name)
            file = before if before is now or certain or chance.random() < 0.5 else now
            if file is not None:
                files[name] = file.after_a_cut(keeps)
        return files

    def _sync(self, call: Call, name: str | None) -> None:
        if call.when == "begins":
            self._syncing[call.thread] = len(self._names[name].pending) if name is not None else 0
        elif call.result != 0:
            return
        elif name is not None:
            self._names[name].flush(self._syncing[call.thread])
        elif Path(call.path) == self._folder:
            self._durable_names = dict(self._names)

    def _rename(self, call: Call) -> None:
        names = [self._name(path) for path in call.strings]
        first = names[0] if names else None
        if first is None:
            return
        if call.name == "openat" and "O_CREAT" in call.arguments:
            self._names.setdefault(first, _File(bytearray()))
        elif call.name == "unlink":
            self._names.pop(first, None)
        elif call.name == "rename" and names[1] is not None:
            self._names[names[1]] = self._names.pop(first)

    def _name(self, path: str) -> str | None:
        place = Path(path)
        return place.name if place.parent == self._folder and place.name in self._wanted else None


def _apply(content: bytearray, change: Change) -> None:
    where, data = change
    size = where if data is None else where + len(data)
    if len(content) < size:
        content.extend(bytes(size - len(content)))
    if data is None:
        del content[size:]
    else:
        content[where:size] = data


def _nothing(_change: Change) -> Iterable[Change]:
    return ()


def _everything(change: Change) -> Iterable[Change]:
    return (change,)


def _some(chance: random.Random) -> Keeps:
    return lambda change: (change,) if chance.random() < 0.5 else ()


def _torn(chance: random.Random) -> Keeps:
    """Sectors reach the disk in no order: of each write, any."""

    def keep(change: Change) -> Iterable[Change]:
        where, data = change
        if data is None:
            return (change,) if chance.random() < 0.5 else ()
        starts = range(0, len(data), SECTOR)
        return [(where + start, data[start : start + SECTOR]) for start in starts if chance.random() < 0.7]

    return keep
