"""`python -m bench [inbox|delivery|start|growth|all]`: measures on this machine, over loopback, within two minutes.

Each figure stands next to its floor: what the same work costs bare, measured in the same run. Processor time of
the server's process is what counts; rates also show how busy the rest of the machine was.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from bench import delivery, growth, inbox, start

_PARTS: Final = ("start", "inbox", "delivery", "growth")


async def _run(part: str, folder: Path, *, seconds: float, hosts: int, posts: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in _PARTS if part == "all" else (part,):
        own = folder / name
        own.mkdir()
        print(f"{name} …", file=sys.stderr, flush=True)
        match name:
            case "start":
                found[name] = await start.measure(own)
            case "inbox":
                found[name] = await inbox.measure(own, seconds)
            case "growth":
                found[name] = await growth.measure(own, seconds, posts)
            case _:
                found[name] = await delivery.measure(own, hosts)
    return found


def _told(found: Mapping[str, Any]) -> list[str]:
    lines: list[str] = []
    if "start" in found:
        it = found["start"]
        lines += [
            f"start      first answer after {it['seconds']:.2f} s (bar: 1.5), "
            f"{it['cpu_seconds']:.2f} s of processor time; a bare Starlette application: {it['floor_seconds']:.2f} s",
            f"           idle {it['idle_mb']['rss']:.0f} MB resident (bar: 130), "
            f"{it['idle_mb']['pss']:.0f} MB own share",
        ]
    if "inbox" in found:
        it, floor = found["inbox"], found["inbox"]["floor"]
        lines += [
            f"inbox      {it['warm']['accepted_per_second']:.0f}/s signed Creates accepted, "
            f"{it['warm']['applied_per_second']:.0f}/s applied; a bare Starlette handler: {floor['per_second']:.0f}/s "
            f"(share {it['accepted_share_of_floor']:.1%})",
            f"           {it['warm']['cpu_us']:.0f} µs of processor time each, all told; bare handler "
            f"{floor['cpu_us']:.0f} µs: {it['cpu_ratio']:.1f} × (bar of issue 3: 8 ×)",
            f"           from an actor never seen: {it['cold_cpu_ms']:.1f} ms (bar: 15)",
            f"           at {it['steady']['rate']:.0f}/s, answered within p50 {it['steady']['ms']['p50']:.1f}, "
            f"p95 {it['steady']['ms']['p95']:.1f}, p99 {it['steady']['ms']['p99']:.1f} ms",
            f"           floors: RSA-2048 verify {floor['rsa']['verify']:.0f} µs, "
            f"{floor['durable_commits_per_second']:.0f} durable SQLite commits/s one by one",
        ]
    if "delivery" in found:
        it, floor = found["delivery"], found["delivery"]["floor"]
        lines += [
            f"delivery   {it['warm']['per_second']:.0f}/s to {it['hosts']} hosts; bare RSA-2048 signing: "
            f"{floor['rsa_signs_per_second']:.0f}/s (share {it['share_of_signing_rate']:.1%})",
            f"           {it['warm']['cpu_us']:.0f} µs of processor time each; one signature "
            f"{floor['rsa_sign_us']:.0f} µs: {it['cpu_ratio']:.2f} × (bar of issue 3: 2 ×)",
            f"           the first to each host: {it['cold']['cpu_us']:.0f} µs, {it['cold']['per_second']:.0f}/s",
        ]
    if "growth" in found:
        it = found["growth"]
        few, many = it["sizes"]
        lines += [
            f"growth     {few['cpu_us']:.0f} µs of processor time for a Create beside {few['posts']:,} posts, "
            f"{many['cpu_us']:.0f} µs beside {many['posts']:,}: {it['grows']:.2f} × (bar of issue 3: flat)",
            f"           floor: bare handler {it['floor']['cpu_us']:.0f} µs",
        ]
    return lines


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("part", nargs="?", default="all", choices=("all", *_PARTS))
    parser.add_argument("--seconds", type=float, default=4.0, help="of load for each phase of the inbox")
    parser.add_argument("--hosts", type=int, default=1000, help="that one post is delivered to")
    parser.add_argument("--posts", type=int, default=100_000, help="stored beside which a Create is measured again")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="medfed-bench-", ignore_cleanup_errors=True) as folder:
        found = asyncio.run(
            _run(wanted.part, Path(folder), seconds=wanted.seconds, hosts=wanted.hosts, posts=wanted.posts)
        )
    print(json.dumps(found, indent=1) if wanted.json else "\n".join(_told(found)))


if __name__ == "__main__":
    main()
