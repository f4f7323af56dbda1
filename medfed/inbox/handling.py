"""What a handler works with besides its transaction."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from medfed.accounts.peers import PeerLevels
from medfed.activitypub.here import Here
from medfed.inbox.admit import Admitted
from medfed.inbox.resolve import Fetchers, Resolved
from medfed.storage.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Handling:
    """This instance, and what its peers may do."""

    here: Here
    levels: PeerLevels


Handler: TypeAlias = Callable[[Transaction, Handling, Admitted, Resolved], Awaitable[str]]
"""Applies an activity in the transaction that ticks it; returns in a few words what came of it."""

Resolver: TypeAlias = Callable[[Fetchers, Admitted], Awaitable[Resolved]]
