"""Who hears about something, stored in the transaction in which it happened."""

from typing import Final

from medfed.activitypub.here import Here
from medfed.domain.notifications import Notification, NotificationKind
from medfed.storage import accounts, notifications, relations
from medfed.storage.database import Transaction

WAKE: Final = "notifications"
"""The channel that wakes those who stream notifications."""


async def notify(
    tx: Transaction,
    here: Here,
    *,
    to: int,
    kind: NotificationKind,
    from_id: int,
    post_id: int | None = None,
    group_id: int | None = None,
) -> bool:
    """Tell a member, unless they did it themselves, block the one who did, or mute their notifications.

    False when nothing was stored: also when the same thing was said before, or nobody here reads what `to` is told.
    """
    if to == from_id and kind != "poll":
        return False
    recipient = await accounts.find(tx, to)
    if recipient is None or not recipient.local or recipient.kind in ("Application", "Group"):
        return False
    blocking, _ = await relations.blocks_between(tx, to, [from_id])
    muted = await relations.muted_among(tx, to, [from_id], here.now())
    if from_id in blocking or muted.get(from_id, False):
        return False
    stored = await notifications.add(
        tx,
        Notification(
            id=here.ids.new_for_scripts(),
            account_id=to,
            kind=kind,
            from_id=from_id,
            post_id=post_id,
            group_id=group_id,
            created_at=here.now(),
        ),
    )
    if stored:
        tx.wake(WAKE)
    return stored
