"""How long a start takes, and what an idle server holds."""

import asyncio
import statistics
from pathlib import Path
from typing import Any

from bench import floors, stage

SETTLES_WITHIN = 2.0


async def measure(folder: Path, times: int = 3) -> dict[str, Any]:
    """Seconds from starting the process to its first 200 on /livez, and MB resident a moment later."""
    place = await stage.build(folder)
    took: list[float] = []
    bare: list[float] = []
    memory: dict[str, float] = {}
    for _ in range(times):
        bare.append(await floors.start(folder))
        server = stage.server(place).start()
        try:
            took.append(await stage.answers(server, place.authority))
            await stage.ask(place.authority, "GET", "/")
            await asyncio.sleep(SETTLES_WITHIN)
            memory = server.memory()
            cpu = server.cpu()
        finally:
            server.stop()
    floor = statistics.median(bare)
    return {"seconds": statistics.median(took), "floor_seconds": floor, "cpu_seconds": cpu, "idle_mb": memory}
