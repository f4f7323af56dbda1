"""The private keys of local accounts, unsealed once and kept in memory while they are used."""

from collections import OrderedDict
from typing import Final

from medfed.activitypub.keys import KeyKind, PrivateKey, load_private
from medfed.activitypub.manners import SigningKeys
from medfed.kernel.errors import Misconfigured
from medfed.kernel.secrets import Vault
from medfed.storage import accounts
from medfed.storage.database import View

KEPT: Final = 1_000


class KeyRing:
    """Unseals keys and remembers the most recently used ones. One for each Instance."""

    def __init__(self, vault: Vault, *, kept: int = KEPT) -> None:
        self._vault = vault
        self._kept = kept
        self._keys: OrderedDict[tuple[int, KeyKind], tuple[str, PrivateKey]] = OrderedDict()

    async def rsa(self, view: View, account_id: int) -> tuple[str, PrivateKey]:
        """(key id, key) for HTTP signatures. Raises Misconfigured when there is none, or it does not open."""
        return await self._find(view, account_id, "rsa")

    async def both(self, view: View, account_id: int) -> SigningKeys:
        """The keys for HTTP signatures, of which the host that is written to chooses. Raises as `rsa`."""
        return SigningKeys(rsa=await self.rsa(view, account_id), ed25519=await self.ed25519(view, account_id))

    async def ed25519(self, view: View, account_id: int) -> tuple[str, PrivateKey]:
        """(key id, key) for proofs. Raises Misconfigured when there is none, or it does not open."""
        return await self._find(view, account_id, "ed25519")

    def forget(self, account_id: int) -> None:
        """The keys of an account have changed."""
        self._keys.pop((account_id, "rsa"), None)
        self._keys.pop((account_id, "ed25519"), None)

    async def _find(self, view: View, account_id: int, kind: KeyKind) -> tuple[str, PrivateKey]:
        known = self._keys.get((account_id, kind))
        if known is not None:
            self._keys.move_to_end((account_id, kind))
            return known
        for key in reversed(await accounts.keys(view, account_id)):
            if key.kind == kind and key.sealed is not None and key.retired_at is None:
                opened = (key.uri, load_private(self._vault.open(key.sealed, purpose=key.uri)))
                self._keys[account_id, kind] = opened
                if len(self._keys) > self._kept:
                    self._keys.popitem(last=False)
                return opened
        raise Misconfigured(f"account {account_id} has no {kind} key of its own")
