"""A member leaves for good: everything of theirs is erased here, and asked to be erased wherever it may be."""

from typing import Final

from medfed.accounts.peers import PeerLevels
from medfed.accounts.promise import KEEP_WITHDRAWALS, promise
from medfed.accounts.sessions import end_everything
from medfed.activitypub import render
from medfed.activitypub.here import Here
from medfed.domain.accounts import Account
from medfed.domain.posts import AS_PUBLIC
from medfed.kernel.clock import DAY
from medfed.storage import erasure, moderation, outbox, tasks
from medfed.storage.database import Transaction
from medfed.storage.outbox import WITHDRAWALS

FILES: Final = "files.erase"
"""The kind of task that erases stored files: {keys}."""
KEEP_KEYS: Final = KEEP_WITHDRAWALS + 1 * DAY
"""Until when what is still owed has to be signed."""
_FILES_AT_ONCE: Final = 500


async def leave(tx: Transaction, here: Here, levels: PeerLevels, account: Account, *, by: str) -> None:
    """Erase a member of this instance; audited. There is no way back, and the name is never given again (D21).

    Every peer that we know is told, for whoever asked may have seen the profile. What the member showed of
    themselves is gone with the commit, and the files soon after it.
    """
    now = here.now()
    owed = [inbox for inbox in await outbox.everybody(tx) if not levels.is_blocked(inbox.host)]
    files = await erasure.files_of(tx, account.id)
    await end_everything(tx, here, account.id)
    await erasure.erase(tx, account.id, account.uri, now, kept=tuple(WITHDRAWALS))
    activity = render.activity(
        "Delete", id_=f"{account.uri}#delete", actor_uri=account.uri, object_=account.uri, to=[AS_PUBLIC]
    )
    await promise(tx, here, account, activity, owed)
    for start in range(0, len(files), _FILES_AT_ONCE):
        await tasks.ask(tx, here, FILES, {"keys": files[start : start + _FILES_AT_ONCE]})
    await moderation.record(tx, at=now, actor=by, action="member.delete", subject=account.uri)
