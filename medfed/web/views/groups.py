"""Groups on a page."""

from dataclasses import dataclass

from medfed.web.views.people import PersonView


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupView:
    """A group of this instance; `person` is how it appears wherever it is named."""

    person: PersonView
    about: str = ""
    members: int = 0
    closed: bool = False
    moderated: bool = False
    joined: bool = False
    """Whether the reader is a member."""
    href: str = ""
    """Where its members are, and what its moderators do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupPostView:
    """A post that a group has, in a line."""

    id: str
    by: PersonView
    excerpt: str
    href: str
