"""How long a start takes, and what an idle server holds."""

import asyncio
import statistics
from pathlib import Path
from typing import Any

from bench import stage

SETTLES_WITHIN = 2.0


async def measure(folder: Path, times: int = 3) -> dict[str, Any]:
    """Seconds from starting the process to its first 200 on /livez, and MB resident a moment later."""
    place = await stage.build(folder)
    took: list[float] = []
    memory: dict[str, float] = {}
    for _ in range(times):
        server = stage.server(place).start()
        try:
            took.append(await stage.answers(server, place.authority))
            await stage.ask(place.authority, "GET", "/")
            await asyncio.sleep(SETTLES_WITHIN)
            memory = server.memory()
            cpu = server.cpu()
        finally:
            server.stop()
    return {"seconds": statistics.median(took), "cpu_seconds": cpu, "idle_mb": memory}
