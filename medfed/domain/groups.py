"""Groups: communities of members, kept by an instance, that pass on what their members write into them (FEP-1b12)."""

from dataclasses import dataclass

from medfed.domain.posts import Post
from medfed.kernel.clock import Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group of ours. Its account has its keys; its members are those who follow that account."""

    account_id: int
    moderated: bool = False
    """Only moderators begin discussions; every member may answer."""
    created_at: Millis = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What decides whether a group passes something on, gathered beforehand."""

    member: bool
    moderator: bool
    blocked: bool
    """The group blocks the author."""
    answers: bool
    """The post answers one that the group has passed on."""
    let: bool
    """The author's policy lets the group pass the post on."""


def takes(group: Group, post: Post, standing: Standing) -> bool:
    """The one rule of what a group passes on: what a member says to everybody, and not what others do."""
    if standing.blocked or not standing.let or not post.is_open or post.is_boost:
        return False
    if group.moderated and not standing.answers:
        return standing.moderator
    return standing.member or standing.moderator
