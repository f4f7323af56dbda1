"""What a peer may do here: levels, the federation mode, and the decision."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal, TypeAlias

from medfed.kernel.clock import Millis


class Level(StrEnum):
    """How far a peer is let in; each level includes the one before it."""

    BLOCKED = "blocked"
    LIMITED = "limited"
    FEDERATED = "federated"
    TRUSTED = "trusted"


Breaker: TypeAlias = Literal["closed", "open", "probing"]
OPENS_AFTER: Final = 10
"""Failures in a row after which a peer counts as down: what is owed waits for one probe at a time (J06)."""

Mode: TypeAlias = Literal["open", "cautious", "allowlist"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """What we know about another instance. `level` is None when the mode decides."""

    domain: str
    level: Level | None = None
    note: str = ""
    signs_with: str = ""
    signs_until: Millis = 0
    first_seen: Millis = 0
    last_heard: Millis | None = None
    last_sent: Millis | None = None
    failing_since: Millis | None = None
    failures: int = 0
    next_at: Millis = 0
    asked_until: Millis = 0
    last_error: str = ""


def breaker(failures: int, next_at: Millis, now: Millis) -> Breaker:
    """Closed: deliveries flow, or a few have failed. Open: the peer is down. Probing: it may be asked whether it is."""
    if failures < OPENS_AFTER:
        return "closed"
    return "open" if next_at > now else "probing"


def default_level(mode: Mode) -> Level:
    """The level of a peer that no admin has judged."""
    match mode:
        case "open":
            return Level.FEDERATED
        case "cautious":
            return Level.LIMITED
        case "allowlist":
            return Level.BLOCKED


def effective(peer: Peer | None, mode: Mode) -> Level:
    """The level in force."""
    if peer is not None and peer.level is not None:
        return peer.level
    return default_level(mode)
