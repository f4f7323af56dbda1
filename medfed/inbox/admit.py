"""May they do this here? Authenticated becomes Admitted, or is refused, before anything is stored."""

from dataclasses import dataclass
from typing import Final

from medfed.accounts.peers import PeerLevels
from medfed.activitypub.uris import same_origin
from medfed.activitypub.wire import POST_KINDS, Activity, author_of, reference
from medfed.domain.accounts import KINDS, Account
from medfed.domain.peers import Level
from medfed.inbox.authenticate import Authenticated
from medfed.kernel.errors import OriginMismatch, PolicyRefusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """An activity that its actor said and may say here; what handlers take."""

    actor: Account
    activity: Activity
    level: Level
    body: bytes = b""
    """Letter by letter, as it arrived; nothing when it came as a part of something else."""
    proven: bool = False
    """Whether the actor's own proof is on it."""


_HAS_AUTHOR: Final = POST_KINDS | KINDS
"""What only its author (or, an actor, itself) updates; other objects, such as credentials, carry their own proof."""


def admit(levels: PeerLevels, authenticated: Authenticated) -> Admitted:
    """Let an authentic activity in. Raises PolicyRefusal (403) or OriginMismatch (401)."""
    actor, activity = authenticated.actor, authenticated.activity
    level = levels.of(actor.host)
    if level is Level.BLOCKED:
        raise PolicyRefusal("this instance does not federate with that host")
    if actor.suspended_at is not None:
        raise PolicyRefusal("this account is suspended here")
    if actor.uri != activity.actor:
        raise OriginMismatch("the activity is not by the one who signed it")
    check_object(activity)
    return Admitted(actor=actor, activity=activity, level=level, body=authenticated.body, proven=authenticated.proven)


def again(actor: Account, activity: Activity, level: Level, *, body: bytes = b"", proven: bool = False) -> Admitted:
    """An activity that was admitted when it arrived, read back from the log, under today's rules."""
    gone = actor.gone_at is not None and activity.object_id != actor.uri
    if level is Level.BLOCKED or actor.suspended_at is not None or gone or actor.uri != activity.actor:
        raise PolicyRefusal("no longer admitted")
    return Admitted(actor=actor, activity=activity, level=level, body=body, proven=proven)


def _is_updated(activity: Activity) -> bool:
    return activity.kind == "Update" and activity.object_kind in _HAS_AUTHOR


def check_object(activity: Activity) -> None:
    """Nobody creates, changes, deletes or undoes what is somebody else's (D01, D05–D07, A09)."""
    embedded = activity.object
    if embedded is not None and (activity.kind == "Create" or _is_updated(activity)):
        owner = author_of(embedded) or activity.object_id
        if owner != activity.actor:
            raise OriginMismatch("the object is not by the activity's actor")
        if activity.object_id and not same_origin(activity.object_id, activity.actor):
            raise OriginMismatch("the object is not on its author's host")
    if activity.kind == "Move" and activity.object_id != activity.actor:
        raise OriginMismatch("only an account itself moves")
    if activity.kind == "Delete" and not same_origin(activity.object_id, activity.actor):
        raise OriginMismatch("only what lives on the actor's host can be deleted by it")
    if activity.kind == "Undo":
        if embedded is not None and reference(embedded.get("actor")) != activity.actor:
            raise OriginMismatch("only one's own activities can be undone")
        if activity.object_id and not same_origin(activity.object_id, activity.actor):
            raise OriginMismatch("only what was said on the actor's host can be undone by it")
