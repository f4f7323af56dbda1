"""A disk is nearly full when less than a twentieth of it is left, and never while twenty gibibytes are."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from medfed.kernel import limits
from medfed.kernel.room import Room


@dataclass(frozen=True, slots=True)
class Disk:
    """What statvfs says."""

    f_blocks: int
    f_bavail: int
    f_frsize: int = 1024


@pytest.mark.case("I10")
@pytest.mark.limit("DISK_KEPT_FREE", "DISK_KEPT_FREE_PERCENT")
@pytest.mark.parametrize(
    ("whole", "edge"), [(1_000_000, 50_000), (1024**3 * 10, limits.DISK_KEPT_FREE // 1024), (100, 5)]
)
def test_room_is_left_down_to_the_edge(monkeypatch: pytest.MonkeyPatch, whole: int, edge: int) -> None:
    for free, is_left in ((edge - 1, False), (edge, True), (edge + 1, True)):
        disk = Disk(whole, free)
        monkeypatch.setattr("os.statvfs", lambda _path, disk=disk: disk)
        assert Room(Path("/not/made/yet")).is_left == is_left


def test_a_disk_is_looked_at_once_a_second_however_many_ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[object] = []

    def look(path: object) -> Disk:
        looked.append(path)
        return Disk(100, 50)

    monkeypatch.setattr("os.statvfs", look)
    room = Room(tmp_path)
    assert all(room.is_left for _ in range(1_000))
    assert looked == [tmp_path]
