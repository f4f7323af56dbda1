"""The private keys of local accounts: which one signs what, unsealed once and kept in memory while they are used."""

import asyncio
from functools import partial
from typing import Final

from medfed.activitypub.keys import KeyKind, PrivateKey, load_private
from medfed.activitypub.manners import SigningKeys
from medfed.domain.accounts import AccountKey, key_for
from medfed.kernel.clock import MINUTE, SECOND, Clock, Millis
from medfed.kernel.errors import Misconfigured
from medfed.kernel.kept import Kept
from medfed.kernel.secrets import Vault
from medfed.storage import accounts
from medfed.storage.database import Store, View
from medfed.storage.remembered import Remembered

KEPT: Final = 1_000
ANNOUNCED: Final = 10 * MINUTE
"""How long after it was made a key signs what is not delivered, and so is not behind the news of it in any lane."""
_REMEMBERED: Final = 1 * SECOND
"""How long a key may be used without looking whether another process has changed it, if that was not heard."""


async def signing_key(
    view: View, vault: Vault, account_id: int, kind: KeyKind, *, said_at: Millis, now: Millis
) -> tuple[str, PrivateKey]:
    """(key id, key) for what an account said at a time. Raises Misconfigured when it has none, or it does not open."""
    return _open(vault, _chosen(await accounts.keys(view, account_id), account_id, kind, said_at=said_at, now=now))


def _chosen(
    keys: list[AccountKey], account_id: int, kind: KeyKind, *, said_at: Millis, now: Millis
) -> tuple[str, bytes]:
    key = key_for(keys, kind, said_at=said_at, now=now)
    if key is None or key.sealed is None:
        raise Misconfigured(f"account {account_id} has no {kind} key of its own")
    return key.uri, key.sealed


def _open(vault: Vault, key: tuple[str, bytes]) -> tuple[str, PrivateKey]:
    uri, sealed = key
    return uri, load_private(vault.open(sealed, purpose=uri))


class KeyRing:
    """Finds and unseals the keys that sign requests, and remembers those used last. One for each Instance.

    Never used inside a transaction. What was unsealed is remembered by what it was sealed as, so that it cannot be
    out of date; which key signs is asked again when keys of ours change in any process, and every second.
    """

    def __init__(self, store: Store, vault: Vault, clock: Clock, *, kept: int = KEPT) -> None:
        self._store = store
        self._vault = vault
        self._clock = clock
        self._keys: Remembered[int, list[AccountKey]] = Remembered(
            store, clock.now, channels=(accounts.OWN_KEYS,), kept_for=_REMEMBERED, most=kept
        )
        self._opened: Kept[tuple[str, bytes], tuple[str, PrivateKey]] = Kept(2 * kept)
        self._turn = asyncio.Lock()

    async def both(self, account_id: int, *, said_at: Millis | None = None) -> SigningKeys:
        """The keys for HTTP signatures on what was said at a time, by default on what is no delivery.

        The host that is written to chooses between them. Raises Misconfigured when one is missing, or does not open:
        nothing leaves unsigned (X23).
        """
        now = self._clock.now()
        keys = await self._keys_of(account_id)
        at = now - ANNOUNCED if said_at is None else said_at
        return SigningKeys(
            rsa=self._opened_key(_chosen(keys, account_id, "rsa", said_at=at, now=now)),
            ed25519=self._opened_key(_chosen(keys, account_id, "ed25519", said_at=at, now=now)),
        )

    def _opened_key(self, chosen: tuple[str, bytes]) -> tuple[str, PrivateKey]:
        opened = self._opened.used(chosen)
        if opened is None:
            opened = self._opened[chosen] = _open(self._vault, chosen)
        return opened

    async def _keys_of(self, account_id: int) -> list[AccountKey]:
        # The others of those who ask at once find what the first has read.
        async with self._turn:
            return await self._keys.get(account_id, partial(self._read, account_id))

    async def _read(self, account_id: int) -> list[AccountKey]:
        async with self._store.view() as view:
            return await accounts.keys(view, account_id)
