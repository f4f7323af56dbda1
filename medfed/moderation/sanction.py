"""Suspend and restore accounts, here only; audited."""

from medfed.activitypub.here import Here
from medfed.domain.accounts import Account
from medfed.storage import accounts, moderation, oauth
from medfed.storage.database import Transaction


async def suspend(tx: Transaction, here: Here, moderator: Account, target: Account, *, reason: str) -> None:
    """Nothing of the account is shown or accepted any more; a member's sessions and tokens end."""
    await accounts.suspend(tx, target.id, here.now())
    if target.local:
        await oauth.revoke_everything(tx, target.id, here.now())
    await _record(tx, here, moderator, "account.suspend", target, reason)


async def restore(tx: Transaction, here: Here, moderator: Account, target: Account, *, reason: str) -> None:
    """Everything of the account is shown again."""
    await accounts.suspend(tx, target.id, None)
    await _record(tx, here, moderator, "account.restore", target, reason)


async def _record(tx: Transaction, here: Here, moderator: Account, action: str, target: Account, reason: str) -> None:
    await moderation.record(
        tx,
        at=here.now(),
        actor=moderator.acct,
        action=action,
        subject=target.uri,
        detail={"reason": reason[:500]},
    )
