"""What a Create costs beside few stored posts and beside many: the cost must not grow with them."""

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench import floors, stage
from bench.cast import Cast, Role
from bench.inbox import CONNECTIONS, creates, flood
from bench.stage import Stage

_SEED = 1_000
_AT_ONCE = 50_000
_COPIES = {
    "post": {"id": "id + :shift", "uri": "uri || :mark", "conversation_id": "conversation_id + :shift"},
    "post_tag": {"post_id": "post_id + :shift"},
    "home_entry": {"post_id": "post_id + :shift"},
    "inbox_log": {"id": "id + :shift", "uri": "uri || :mark"},
}
"""Tables that grow with what arrives, and what differs in a copy of a row."""


async def measure(folder: Path, seconds: float, posts: int) -> dict[str, Any]:
    """Processor time of a Create beside a thousand posts, and beside `posts` of the same kind."""
    cast = Cast.hire(hosts=20, per_host=10)
    cast.save(folder / "cast.json")
    place = await stage.build(folder)
    await stage.introduce(place, cast.roles, followed=True)
    sizes: list[dict[str, float]] = []
    seed = await _flood(place, cast.roles, [_SEED], first=1_000_000)
    trial = int(max(300, seed["applied_per_second"] * seconds))
    for first, wanted in ((2_000_000, 0), (3_000_000, posts)):
        stored = _multiply(place, wanted)
        found = await _flood(place, cast.roles, [300, trial], first=first)
        sizes.append({"posts": stored, "cpu_us": found["cpu_us"], "p99_ms": found["p99_ms"]})
    floor = await floors.handler(folder, creates(place, cast.roles, 1, 0)[0], count=3000, connections=CONNECTIONS)
    return {"floor": floor, "sizes": sizes, "grows": sizes[-1]["cpu_us"] / sizes[0]["cpu_us"]}


async def _flood(place: Stage, roles: list[Role], counts: Iterable[int], *, first: int) -> dict[str, float]:
    """A server of its own takes the floods one after the other; what the last one cost."""
    server = stage.server(place).start()
    found: dict[str, float] = {}
    try:
        await stage.answers(server, place.authority)
        for count in counts:
            found = await flood(place, server, creates(place, roles, count, first))
            first += count
    finally:
        server.stop()
    return found


def _multiply(place: Stage, wanted: int) -> int:
    """Copy what is stored until there are `wanted` posts; how many there are. The server must not run."""
    raw = sqlite3.connect(place.database.removeprefix("sqlite:///"))
    try:
        raw.execute("PRAGMA synchronous = OFF")
        count = int(raw.execute("SELECT COUNT(*) FROM post").fetchone()[0])
        newest, oldest = raw.execute("SELECT MAX(id), MIN(id) FROM post").fetchone()
        span, sheets = newest - oldest + 1, max(0, wanted // count - 1)
        for sheet in range(1, sheets + 1):
            # Older than what is there, as most of a large database is.
            values = {"shift": -span * sheet, "mark": f"/{sheet}", "oldest": oldest}
            for table, changed in _COPIES.items():
                raw.execute(_copy(raw, table, changed), values)
            if sheet * count % _AT_ONCE < count:
                raw.commit()
        raw.commit()
        return int(raw.execute("SELECT COUNT(*) FROM post").fetchone()[0])
    finally:
        raw.close()


def _copy(raw: sqlite3.Connection, table: str, changed: dict[str, str]) -> str:
    names = [row[1] for row in raw.execute(f"PRAGMA table_info({table})")]
    key = "post_id" if "post_id" in names else "id"
    picked = ", ".join(changed.get(name, name) for name in names)
    # The names are those of the schema.
    return f"INSERT INTO {table} ({', '.join(names)}) SELECT {picked} FROM {table} WHERE {key} >= :oldest"  # noqa: S608
