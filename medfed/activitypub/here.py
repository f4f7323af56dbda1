"""This instance as every use case needs it: who it is, what time it is, what the next id is."""

from dataclasses import dataclass

from medfed.activitypub.uris import Uris
from medfed.domain.peers import Mode
from medfed.kernel.clock import Clock, Millis
from medfed.kernel.ids import Ids
from medfed.kernel.secrets import Vault


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """Passed to use cases beside the Transaction; holds no connection and does no I/O."""

    name: str
    contact: str
    languages: tuple[str, ...]
    mode: Mode
    uris: Uris
    ids: Ids
    clock: Clock
    vault: Vault

    @property
    def domain(self) -> str:
        """The domain in our handles."""
        return self.uris.domain

    def now(self) -> Millis:
        """The time."""
        return self.clock.now()
