"""Whether work grows no faster than its input: a ratio of CPU times of one thread, never a time."""

import time
from collections.abc import Callable

TIMES = 4
"""How much larger the larger input is. What grows with the square of it takes 16 times as long."""
MOST = 10
_LEAST = 0.004
"""Seconds. What takes less is noise."""


def grows_linearly(work: Callable[[str], object], text: str) -> None:
    """Fail when `text` costs more than ten times what a quarter of it costs, each at its best of three."""
    whole, quarter = (_best(work, text[: len(text) // part]) for part in (1, TIMES))
    assert whole <= MOST * max(quarter, _LEAST), f"{whole / quarter:.0f} times the cost of a quarter"


def _best(work: Callable[[str], object], text: str) -> float:
    best = float("inf")
    for _ in range(3):
        started = time.thread_time()
        work(text)
        best = min(best, time.thread_time() - started)
    return best
