"""When a host is tried again, and what its answers mean. Pure."""

import random
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from medfed.kernel.clock import DAY, HOUR, MINUTE, Millis
from medfed.kernel.errors import Blocked, MedfedError, RemoteGone, RemoteRefused, Unreachable

STEPS: Final = (0, 1 * MINUTE, 5 * MINUTE, 15 * MINUTE, 1 * HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR)
THEN_EVERY: Final = 12 * HOUR
JITTER: Final = 0.2

ASIDE_FOR: Final = 12 * HOUR
ASIDE_AFTER: Final = 5
"""How often an inbox may crash on an activity before the next ones no longer wait for it."""

BROKE: Final = 5
"""How often a delivery may break us before it is put where an admin sees it, and the next ones go on (J09)."""
MISSING_TRIES: Final = 10
MISSING_FOR: Final = 10 * DAY
"""An inbox that has answered so often, and for so long, that it is not there is gone (J04)."""

Verdict: TypeAlias = Literal["done", "later", "aside", "gone", "pointless", "refused", "withheld", "missing", "broken"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of an attempt. `retry_after` is in seconds, as the peer asked."""

    verdict: Verdict
    error: str = ""
    retry_after: int | None = None


def outcome_of(error: MedfedError, attempts: int = 0, complaint: str = "") -> Outcome:
    """What a failed attempt means (J04). Set aside, it is tried again by itself, and holds up nobody meanwhile.

    `complaint`: what the peer asked for in vain, for whoever looks at the queue.
    """
    text = f"{type(error).__name__}: {error}" + (f"; {complaint}" if complaint else "")
    match error:
        case Unreachable() if error.remote_status == 500 and attempts >= ASIDE_AFTER:
            return Outcome(verdict="aside", error=text)
        case Unreachable():
            return Outcome(verdict="later", error=text, retry_after=error.retry_after)
        case RemoteGone() if error.remote_status == 410:
            return Outcome(verdict="gone", error=text)
        case RemoteGone():
            # 404 is what a proxy says whose server is being repaired, too.
            return Outcome(verdict="missing", error=text)
        case RemoteRefused() | Blocked():
            return Outcome(verdict="refused", error=text)
        case _:
            return Outcome(verdict="later", error=text)


def retry_at(now: Millis, failures: int, *, retry_after: int | None, chance: float) -> Millis:
    """When a lane that has now failed `failures` times in a row is tried again. `chance` is in [0, 1)."""
    wait = STEPS[failures] if failures < len(STEPS) else THEN_EVERY
    spread = wait * (1 - JITTER + 2 * JITTER * chance)
    asked = (retry_after or 0) * 1000
    return now + max(round(spread), asked)


def chance() -> float:
    """A number in [0, 1) for jitter."""
    return random.random()  # noqa: S311 — spreads load, guards nothing
