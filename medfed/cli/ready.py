"""Tells whoever started this process that it is ready, so that what comes after it need not guess (sd_notify(3))."""

import os
import socket
from collections.abc import Mapping

from medfed.cli.output import say


def ready(sentence: str, environment: Mapping[str, str] = os.environ) -> None:
    """Say `sentence`, and tell systemd where it waits for that. A manager that does not listen is no failure."""
    say(sentence)
    address = environment.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as manager:
        try:
            manager.sendto(b"READY=1", address.replace("@", "\0", 1) if address[0] == "@" else address)
        except OSError as error:
            say(f"the service manager could not be told: {error.strerror}")
