"""The levels of all peers in memory, because every request asks for one; and changing a level."""

from collections.abc import Sequence
from typing import Final

from medfed.accounts.promise import WAKE as DELIVERY
from medfed.accounts.promise import WITHHELD_FOR
from medfed.activitypub.here import Here
from medfed.domain.accounts import Account, is_authority
from medfed.domain.peers import Level, Mode, Peer, default_level
from medfed.domain.sites import site_of
from medfed.kernel import limits
from medfed.kernel.clock import HOUR, SECOND, Clock
from medfed.kernel.errors import Invalid, Unreachable
from medfed.storage import accounts, moderation, outbox, peers
from medfed.storage.database import Store, Transaction
from medfed.storage.outbox import Followers, Holders

WAKE: Final = "peers"
"""The channel that tells every process that a level has changed."""


class PeerLevels:
    """What each peer may do, without asking the database. Reloaded when a level changes, in any process."""

    def __init__(self, mode: Mode, ours: str) -> None:
        self._default = default_level(mode)
        self._ours = ours
        self._levels: dict[str, Level] = {}

    def of(self, authority: str) -> Level:
        """The level in force for host[:port]; this instance trusts itself."""
        if authority == self._ours:
            return Level.TRUSTED
        return self._levels.get(authority, self._default)

    def is_blocked(self, authority: str) -> bool:
        """Whether nothing goes to or comes from this peer."""
        return self.of(authority) is Level.BLOCKED

    def is_trusted(self, authority: str) -> bool:
        """Whether this peer may hold what is for verified practitioners."""
        return self.of(authority) is Level.TRUSTED

    def followers_of(self, account: Account, *, trusted: bool = False) -> Followers:
        """The followers of an account on peers that are not blocked, or that are trusted."""
        return Followers(account_id=account.id, levels=_levels(trusted=trusted), unjudged=self._default)

    def holders_of(self, post_id: int, *, trusted: bool = False) -> Holders:
        """Whoever may hold a post, on peers that are not blocked, or that are trusted."""
        return Holders(post_id=post_id, levels=_levels(trusted=trusted), unjudged=self._default)

    def replace(self, known: Sequence[Peer]) -> None:
        """Take over what the database says."""
        self._levels = {peer.domain: peer.level for peer in known if peer.level is not None}

    async def reload(self, store: Store) -> None:
        """Read the levels again."""
        async with store.view() as view:
            self.replace(await peers.everyone(view))


def _levels(*, trusted: bool) -> tuple[Level, ...]:
    return (Level.TRUSTED,) if trusted else tuple(level for level in Level if level is not Level.BLOCKED)


class Newcomers:
    """Counts the hosts that we get to know with the others of their site.

    Whoever owns a name can make hosts under it without end (H09).
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def meet(self, host: str) -> None:
        """Let a host be asked for something, if it is known or not one too many. Raises Unreachable."""
        async with self._store.view() as view:
            if await peers.is_known(view, host):
                return
        site, most = site_of(host), limits.NEW_HOSTS_PER_SITE
        async with self._store.transaction("meet host") as tx:
            if not await peers.introduce(tx, site, host, now=self._clock.now(), most=most):
                raise Unreachable(f"too many new hosts of {site} in a day", host=host, retry_after=HOUR // SECOND)


async def set_level(tx: Transaction, here: Here, domain: str, level: Level | None, *, by: str, note: str = "") -> None:
    """Judge a peer; audited. None leaves it to the federation mode. Raises Invalid for what is no domain."""
    name = domain.strip().lower().rstrip(".")
    if not is_authority(name):
        raise Invalid(f"{domain[:100]!r} is not a domain", {"domain": "not a domain"})
    if name == here.uris.authority:
        raise Invalid("an instance has no level for itself", {"domain": "this instance"})
    before = await peers.find(tx, name)
    await peers.set_level(tx, name, level, note=note, at=here.now())
    if level is Level.BLOCKED:
        await accounts.hide_host(tx, name, here.now())
        await outbox.withhold_all(tx, name, "the peer is blocked", until=here.now() + WITHHELD_FOR)
    else:
        await accounts.show_host(tx, name)
        await outbox.release(tx, name)
    await moderation.record(
        tx,
        at=here.now(),
        actor=by,
        action="peer.set",
        subject=name,
        detail={
            "from": before.level.value if before and before.level else "",
            "to": level.value if level else "",
            "note": note,
        },
    )
    tx.wake(WAKE)
    tx.wake(DELIVERY)
