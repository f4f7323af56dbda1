"""What peers look up before anything else: an actor and its WebFinger, beside a bare answer of the same server."""

from pathlib import Path
from typing import Any, Final

from bench import floors, stage
from bench.inbox import CONNECTIONS
from bench.load import drive, save
from bench.stage import MEMBER, Process, Stage

_COUNT: Final = 3_000
_WARM_UP: Final = 200


async def measure(folder: Path) -> dict[str, Any]:
    """Processor time of each answer, and how long it took at full tilt; beside the floor."""
    place = await stage.build(folder)
    floor = await floors.document(folder, count=_COUNT, connections=CONNECTIONS)
    server = stage.server(place).start()
    try:
        await stage.answers(server, place.authority)
        found = {name: await _ask(place, server, target) for name, target in _targets(place).items()}
    finally:
        server.stop()
    ratios = {name: answer["cpu_us"] / floor["cpu_us"] for name, answer in found.items()}
    return {"floor": floor, "answers": found, "ratios": ratios}


def _targets(place: Stage) -> dict[str, str]:
    return {
        "actor": f"/users/{MEMBER}",
        "webfinger": f"/.well-known/webfinger?resource=acct:{MEMBER}@{place.authority}",
    }


async def _ask(place: Stage, server: Process, target: str) -> dict[str, Any]:
    await drive(_prepared(place, target, _WARM_UP), place.authority, connections=CONNECTIONS)
    file = _prepared(place, target, _COUNT)
    before = server.cpu()
    sent = await drive(file, place.authority, connections=CONNECTIONS)
    if sent["statuses"] != {"200": _COUNT}:
        raise RuntimeError(f"not all were answered: {sent['statuses']}")
    return {"cpu_us": (server.cpu() - before) / _COUNT * 1e6, "per_second": sent["per_second"], "ms": sent["ms"]}


def _prepared(place: Stage, target: str, count: int) -> Path:
    file = place.folder / "asks.bin"
    save(file, [stage.get(place, target)] * count)
    return file
