"""What somebody passes on that its actor has not proven: only its ids count, and the actor's own server is asked.

Whoever has a thread forwards what is said in it (ActivityPub § 7.1.2), and relays do nothing else. Without a proof of
the actor's own (FEP-8b32) it may be invented; a linked data signature is no proof here (D19, D20).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from medfed.activitypub.here import Here
from medfed.activitypub.uris import same_origin
from medfed.activitypub.wire import Activity, reference
from medfed.domain.accounts import Account
from medfed.kernel.clock import Millis
from medfed.kernel.errors import Untrusted
from medfed.storage import posts, relations, tasks
from medfed.storage.database import Transaction, View

TASK: Final = "hearsay.ask"

AS_OBJECTS: Final = frozenset({"Create", "Update", "Delete"})
"""What is asked for by its object: how that stands today says all that the activity could."""
AS_ACTIVITIES: Final = frozenset({"Like", "EmojiReact", "Announce", "Undo"})
"""What is asked for by its own id. Whatever else there is nobody passes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearsay:
    """`passer`, who is known, passes on what somebody else is said to have said; `problem`: why it is not believed."""

    passer: Account
    activity: Activity
    problem: Untrusted


@dataclass(frozen=True, slots=True, kw_only=True)
class Rumour:
    """What is kept of it."""

    kind: str
    uri: str
    object_uri: str
    at: Millis

    @classmethod
    def read(cls, payload: Mapping[str, Any]) -> "Rumour":
        """From the payload of a task."""
        return cls(**payload)


async def concerns_us(view: View, here: Here, heard: Hearsay) -> bool:
    """Whether it is likely enough that it was forwarded to be worth a question (or anybody could have us ask anything).

    A member follows the one who passes it on; or it is about something of that one's host: an answer to it, say.
    """
    activity, passer = heard.activity, heard.passer
    if activity.kind not in AS_OBJECTS | AS_ACTIVITIES or here.uris.is_ours(activity.actor):
        return False
    if activity.kind in AS_OBJECTS and not same_origin(activity.object_id, activity.actor):
        return False
    if await relations.has_local_follower(view, passer.id):
        return True
    answered = reference((activity.object or {}).get("inReplyTo"))
    if any(same_origin(about, passer.uri) for about in (answered, activity.object_id, activity.target_id)):
        return not same_origin(activity.actor, passer.uri)
    known = await posts.find_by_uri(view, activity.object_id)
    return known is not None and same_origin(known.in_reply_to_uri, passer.uri)


async def ask_later(tx: Transaction, here: Here, activity: Activity) -> None:
    """Have the activity's own server asked in the background, once for each activity that is heard of."""
    rumour = Rumour(kind=activity.kind, uri=activity.id, object_uri=activity.object_id, at=here.now())
    about = hashlib.sha256(f"{activity.kind} {activity.id} {activity.object_id}".encode()).hexdigest()
    await tasks.ask(tx, here, TASK, asdict(rumour), once=about)
