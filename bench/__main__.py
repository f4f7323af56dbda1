"""`python -m bench [PART]`: measures on this machine, over loopback, within some minutes.

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

from bench import delivery, documents, growth, inbox, mixed, parts, start

_PARTS: Final = ("start", "parts", "inbox", "crowd", "documents", "delivery", "mixed", "growth")


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
            case "parts":
                found[name] = await parts.measure(own)
            case "crowd":
                found[name] = await inbox.crowd(own, seconds)
            case "documents":
                found[name] = await documents.measure(own)
            case "mixed":
                found[name] = await mixed.measure(own, seconds)
            case "growth":
                found[name] = await growth.measure(own, seconds, posts)
            case _:
                found[name] = await delivery.measure(own, hosts)
                few = folder / "few"
                few.mkdir()
                found[name]["few"] = await delivery.last_host(few, min(hosts, delivery.FEW_HOSTS))
    return found


def _within(ms: Mapping[str, float]) -> str:
    return f"p50 {ms['p50']:.1f}, p95 {ms['p95']:.1f}, p99 {ms['p99']:.1f} ms"


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
            f"           at {it['steady']['rate']:.0f}/s, answered within {_within(it['steady']['ms'])}; "
            f"the bare handler at full tilt: {_within(floor['ms'])}",
            f"           floors: RSA-2048 verify {floor['rsa']['verify']:.0f} µs, Ed25519 verify "
            f"{floor['ed25519']['verify']:.0f} µs, "
            f"{floor['durable_commits_per_second']:.0f} durable SQLite commits/s one by one",
        ]
    if "parts" in found:
        lines += [f"parts      {micros:.0f} µs for {what}" for what, micros in found["parts"].items()]
    if "crowd" in found:
        it = found["crowd"]
        lines += [
            f"crowd      {it['crowd']['cpu_us']:.0f} µs for a Create when each of {it['actors']:,} known actors has "
            f"its turn; bare handler {it['floor']['cpu_us']:.0f} µs: {it['cpu_ratio']:.1f} ×",
            f"           {it['crowd']['applied_per_second']:.0f}/s applied; p50 {it['crowd']['p50_ms']:.1f}, "
            f"p99 {it['crowd']['p99_ms']:.1f} ms at full tilt",
        ]
    if "documents" in found:
        it = found["documents"]
        lines += [
            f"documents  {name}: {answer['cpu_us']:.0f} µs; a bare answer {it['floor']['cpu_us']:.0f} µs: "
            f"{it['ratios'][name]:.2f} × (bar of issue 3: {bar} ×); {answer['per_second']:.0f}/s, "
            f"{_within(answer['ms'])}"
            for (name, answer), bar in zip(it["answers"].items(), (3, 2), strict=True)
        ]
    if "delivery" in found:
        it, floor = found["delivery"], found["delivery"]["floor"]
        lines += [
            f"delivery   {it['warm']['per_second']:.0f}/s to {it['hosts']} hosts; bare RSA-2048 signing: "
            f"{floor['rsa_signs_per_second']:.0f}/s (share {it['share_of_signing_rate']:.1%})",
            f"           {it['warm']['cpu_us']:.0f} µs of processor time each; one signature "
            f"{floor['rsa_sign_us']:.0f} µs: {it['cpu_ratio']:.2f} × (bar of issue 3: 2 ×)",
            f"           the first to each host: {it['cold']['cpu_us']:.0f} µs, {it['cold']['per_second']:.0f}/s",
            *(
                f"           the last of {each['hosts']} hosts has a post {each['last_host_after']:.2f} s after its "
                f"author sent it (bar for 1000: 3 s); the signatures alone take {each['signatures_take']:.2f} s"
                for each in (it["few"], it)
            ),
            f"           floor: Ed25519 signature {floor['ed25519_sign_us']:.0f} µs",
        ]
    if "mixed" in found:
        it = found["mixed"]
        lines += [
            f"mixed      {it['busy']:.0%} of one processor for all of this at once, and {it['deliveries']} deliveries, "
            f"the last {it['delivered_after']:.2f} s after the end of the load:",
            *(f"           {kind} at {it['rates'][kind]:g}/s: {_within(ms)}" for kind, ms in it["ms"].items()),
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
