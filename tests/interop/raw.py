"""Bytes as they are, to a server from an address of one's own: `python -m tests.interop.raw CA NAME PORT`.

Reads a JSON list of [source address, text to send]; writes a JSON list of what came back to each, as text.
"""

import json
import socket
import ssl
import sys
from typing import Final

SILENCE: Final = 1.5
"""Seconds after which nothing more is expected."""


def exchange(source: str, text: str, *, name: str, port: int, trust: ssl.SSLContext | None) -> str:
    """Send everything at once, and read until the end or until silence."""
    said = b""
    with socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(source, 0)) as plain:
        talk = trust.wrap_socket(plain, server_hostname=name) if trust else plain
        try:
            talk.sendall(text.encode("latin-1"))
            talk.settimeout(SILENCE)
            while data := talk.recv(65_536):
                said += data
        except OSError:
            pass  # silence, or it hung up on us
        finally:
            talk.close()
    return said.decode("latin-1")


def main() -> None:
    """Plain on any other port than 443."""
    ca_file, name, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
    trust = ssl.create_default_context(cafile=ca_file) if port == 443 else None
    asked = json.load(sys.stdin)
    json.dump([exchange(*each, name=name, port=port, trust=trust) for each in asked], sys.stdout)


if __name__ == "__main__":
    main()
