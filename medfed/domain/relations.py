"""Who follows, blocks and mutes whom."""

from dataclasses import dataclass
from typing import Literal

from medfed.kernel.clock import Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class Follow:
    """One account follows another, or has asked to."""

    id: int
    uri: str
    follower_id: int
    target_id: int
    state: Literal["pending", "accepted"]
    boosts: bool = True
    notify: bool = False
    created_at: Millis = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Relationship:
    """What there is between a viewer and another account, as seen by the viewer."""

    account_id: int
    following: bool = False
    requested: bool = False
    followed_by: bool = False
    requested_by: bool = False
    blocking: bool = False
    blocked_by: bool = False
    muting: bool = False
    muting_notifications: bool = False
    showing_boosts: bool = False
    notifying: bool = False
