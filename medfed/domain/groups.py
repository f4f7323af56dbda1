"""Groups: communities of members, kept by an instance, that pass on what their members write into them (FEP-1b12)."""

from dataclasses import dataclass

from medfed.domain.posts import Post
from medfed.kernel.clock import Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group of ours. Its account has its keys; its members are those who follow that account."""

    account_id: int
    closed: bool = False
    """Only members read what is written in it, and who is in it; moderators let people in."""
    moderated: bool = False
    """Only moderators begin discussions; every member may answer."""
    title: str = ""
    about: str = ""
    """Of a closed group, for its members alone: its account, which everybody may see, has neither."""
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


def takes(group: Group, uri: str, post: Post, standing: Standing) -> bool:
    """The one rule of what a group passes on: what a member says to everybody, or, of a closed one, to its members.

    `uri`: of the group's actor.
    """
    meant = post.visibility == "group" and post.audience_uri == uri if group.closed else post.is_open and standing.let
    if standing.blocked or not meant or post.is_boost:
        return False
    if group.moderated and not standing.answers:
        return standing.moderator
    return standing.member or standing.moderator
