"""A name server that fails in every way, and the machine's own resolver asking it: run in namespaces of their own.

`python -m tests.faults.names FOLDER`, below `unshare --net --mount`: writes what it saw as JSON. A name's first label
says how it is answered.
"""

import asyncio
import json
import os
import struct
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final, cast

from medfed.kernel.errors import RemoteFailure
from medfed.net.connection import Timers
from medfed.net.guard import Policy, parse_networks
from medfed.net.message import OutgoingRequest
from medfed.net.pool import Pool
from tests.support.peers import a_peer, always

SLOW: Final = 40
"""More than there are threads for names."""
_A, _CNAME = 1, 5
_SERVFAIL, _NXDOMAIN = 2, 3
_LONGEST: Final = 512
"""Bytes of an answer by UDP; a longer one is marked as cut off, and asked for again by TCP."""


class NameServer(asyncio.DatagramProtocol):
    """Answers for everything that ends in .test."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self.answer(data)
        if answer is not None:
            cut = len(answer) > _LONGEST
            self._transport.sendto(_head(data, flags=0x8380, answers=0) + _question(data) if cut else answer, addr)

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """By TCP: two bytes of length before each message."""
        query = await reader.readexactly(struct.unpack("!H", await reader.readexactly(2))[0])
        answer = self.answer(query) or b""
        writer.write(struct.pack("!H", len(answer)) + answer)
        writer.close()

    def answer(self, query: bytes) -> bytes | None:
        """The whole answer, or None: none ever comes."""
        name, kind = _name(query)
        label = name.partition(".")[0]
        if kind != _A:
            return None if label.startswith("slow") else _head(query, flags=0x8180, answers=0) + _question(query)
        self.asked[name] += 1
        if label.startswith("slow"):
            return None
        if label in ("nxdomain", "servfail"):
            code = _NXDOMAIN if label == "nxdomain" else _SERVFAIL
            return _head(query, flags=0x8180 | code, answers=0) + _question(query)
        if label == "loop":
            records = [_record(_CNAME, b"\xc0\x0c")]  # its own name
        else:
            records = [_record(_A, bytes(map(int, address.split(".")))) for address in self._addresses(name, label)]
        return _head(query, flags=0x8180, answers=len(records)) + _question(query) + b"".join(records)

    def _addresses(self, name: str, label: str) -> list[str]:
        if label == "hundred":
            return [f"127.0.9.{number}" for number in range(1, 101)]
        if label == "mixed":
            return ["127.0.0.1", "10.0.0.1"]
        if label == "rebinds" and self.asked[name] > 1:
            return ["10.0.0.1"]
        return ["127.0.0.1"]


def _name(query: bytes) -> tuple[str, int]:
    labels, at = [], 12
    while size := query[at]:
        labels.append(query[at + 1 : at + 1 + size].decode())
        at += size + 1
    return ".".join(labels), struct.unpack("!H", query[at + 1 : at + 3])[0]


def _question(query: bytes) -> bytes:
    return query[12 : query.index(b"\0", 12) + 5]


def _head(query: bytes, *, flags: int, answers: int) -> bytes:
    return query[:2] + struct.pack("!HHHHH", flags, 1, answers, 0, 0)


def _record(kind: int, data: bytes) -> bytes:
    return b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 0, len(data)) + data


async def watch() -> dict[str, Any]:
    """Ask for each kind of name through the one door, and time it."""
    server, policy = NameServer(), Policy(allow_networks=parse_networks(["127.0.0.0/8"]), allow_http=True)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: server, ("127.0.0.1", 53))
    by_tcp = await asyncio.start_server(server.converse, "127.0.0.1", 53)
    seen: dict[str, Any] = {}
    async with a_peer(always(204, "Connection: close")) as peer:
        pool = Pool(policy, timers=Timers(dns=2, connect=1, tls=1, read=1))

        async def ask(label: str) -> None:
            to, begun = policy.parse(f"http://{label}.test:{peer.port}/"), time.monotonic()
            try:
                request = OutgoingRequest(method="GET", to=to, headers={"host": to.authority}, body=b"")
                said = str((await pool.send(request, 10, 1_000)).status)
            except RemoteFailure as error:
                said = f"{type(error).__name__}: {error}"
            seen[label] = [said, time.monotonic() - begun]

        for label in ("good", "nxdomain", "servfail", "mixed", "loop", "hundred", "rebinds", "rebinds"):
            await ask(label)
        slow = [asyncio.create_task(ask(f"slow{number}")) for number in range(SLOW)]
        await asyncio.sleep(0.5)
        await ask("meanwhile")
        begun = time.monotonic()
        await asyncio.to_thread(os.getpid)
        seen["elsewhere"] = ["", time.monotonic() - begun]
        threads = threading.active_count()
        await asyncio.gather(*slow)
        await ask("afterwards")
        await pool.aclose()
        seen |= {"asked": server.asked, "threads": threads, "connections": peer.connections}
    transport.close()
    by_tcp.close()
    return seen


def main(folder: Path) -> None:
    """Make the machine's resolver ask us, here only."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    (folder / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    (folder / "nsswitch.conf").write_text("hosts: files dns\n")
    for name in ("resolv.conf", "nsswitch.conf"):
        subprocess.run(["mount", "--bind", folder / name, Path("/etc") / name], check=True)
    (folder / "seen.json").write_text(json.dumps(asyncio.run(watch())))
    os._exit(0)  # lookups that nobody answers would be waited for


if __name__ == "__main__":
    main(Path(sys.argv[1]))
