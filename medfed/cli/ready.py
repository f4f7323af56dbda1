"""Tells whoever started this process that it is ready, so that what comes after it need not guess."""

import os

from medfed.cli.output import say
from medfed.net.systemd import tell_manager


def ready(sentence: str) -> None:
    """Say `sentence`, and tell the service manager. One that does not listen is no failure."""
    say(sentence)
    try:
        tell_manager("READY=1", os.environ)
    except OSError as error:
        say(f"the service manager could not be told: {error.strerror}")
