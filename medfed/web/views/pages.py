"""Profiles, notifications, conversations, sessions: what stands on a page of its own."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from markupsafe import Markup

from medfed.kernel.clock import Millis
from medfed.web import words
from medfed.web.views.people import CredentialView, PersonView

RequestStatus: TypeAlias = Literal["waiting", "approved", "refused"]
Relation: TypeAlias = Literal["self", "stranger", "following", "requested", "anonymous", "blocked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FactView:
    """A line of a profile, said by its owner. `value_html` is sanitised."""

    name: str
    value_html: Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileView:
    """A profile. `relation` is what its reader is to the person."""

    person: PersonView
    bio_html: Markup
    facts: tuple[FactView, ...] = ()
    credentials: tuple[CredentialView, ...] = ()
    joined_at: Millis | None = None
    remote_href: str | None = None
    relation: Relation = "stranger"
    follows_you: bool = False
    locked: bool = False
    muted: bool = False
    moved_to: str | None = None
    """The handle of the account that they have moved to."""
    action: str = ""
    """Where follow, unfollow, mute, block, report are posted as `do`."""
    group: bool = False
    members_href: str | None = None
    """Where the members of a group of ours are listed, for those who are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationView:
    """Something that happened to the reader; several of a kind are one."""

    kind: str
    at: Millis
    href: str
    actor: PersonView | None = None
    others: int = 0
    excerpt: str = ""
    unread: bool = False
    request_action: str | None = None
    """Where a request is accepted or refused."""
    request_by: str = ""
    """Who asks, where its address does not say so."""

    @property
    def icon(self) -> str:
        """The icon of its kind."""
        return words.NOTICE_ICONS.get(self.kind, "bell")

    @property
    def sentence(self) -> str:
        """The message, with %(who)s for the actor."""
        return words.NOTICES.get(self.kind, words.NOTICES["status"])


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationView:
    """A private conversation in the list."""

    href: str
    people: tuple[PersonView, ...]
    excerpt: str
    at: Millis
    unread: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """A browser or an application that is signed in. `id` goes back when it is ended."""

    id: str
    name: str
    last_seen: Millis
    scopes: tuple[str, ...] = ()
    current: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationView:
    """An application that asks for access."""

    name: str
    website: str | None
    host: str
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationRequestView:
    """A member's own request."""

    id: str
    profession: str
    specialty: str | None
    status: RequestStatus
    at: Millis
    answer: str = ""
