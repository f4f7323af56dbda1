"""Tells the service manager that started this process how it is (sd_notify(3)): one datagram to a local socket."""

import socket
from collections.abc import Mapping


def tell_manager(state: str, environment: Mapping[str, str]) -> None:
    """Send `state`, say READY=1, where the environment says that a manager waits for it. Raises OSError."""
    address = environment.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as door:
        door.sendto(state.encode("ascii"), address.replace("@", "\0", 1) if address[0] == "@" else address)
