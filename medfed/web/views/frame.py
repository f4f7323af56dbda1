"""What stands around every page: the instance, the ways to other pages, messages, paging, tabs."""

from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Final, Literal, TypeAlias

from medfed.kernel.clock import Millis
from medfed.web import words
from medfed.web.views.people import PersonView

Theme: TypeAlias = Literal["auto", "light", "dark"]
Tone: TypeAlias = Literal["plain", "warn", "harm"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceView:
    """The institution that keeps this instance. `letters` are two or three, for its mark."""

    name: str
    domain: str
    letters: str
    motto: str = ""
    description: str = ""
    operator: str = ""
    contact: str | None = None
    rules: tuple[str, ...] = ()
    members: int = 0
    peers: int = 0
    source_href: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NavItemView:
    """One entry of the navigation. `word` is a message of the catalogues."""

    key: str
    href: str
    icon: str
    word: str
    count: int = 0
    current: bool = False
    desk: bool = False
    """Only where there is room: rail and side list."""
    first: bool = False
    """The main action."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NavView:
    """The one navigation that serves tab bar, rail and side list."""

    items: tuple[NavItemView, ...]
    administration: bool = False


def main_nav(current: str, *, notices: int = 0, messages: int = 0, administrator: bool = False) -> NavView:
    """The navigation of members. `current` is the key of the page's own entry, or empty."""
    rows = (
        ("home", "/", "home", words.N_("Home"), 0, False),
        ("cases", "/cases", "case", words.N_("Cases"), 0, False),
        ("write", "/compose", "pen", words.N_("Write"), 0, False),
        ("notifications", "/notifications", "bell", words.N_("Notifications"), notices, False),
        ("messages", "/messages", "mail", words.N_("Messages"), messages, False),
        ("search", "/search", "search", words.N_("Search"), 0, True),
        ("directory", "/directory", "people", words.N_("Directory"), 0, True),
        ("groups", "/groups", "network", words.N_("Groups"), 0, True),
        ("verification", "/verification", "key", words.N_("Attestations"), 0, True),
        ("settings", "/settings", "sliders", words.N_("Settings"), 0, True),
    )
    if administrator:
        return NavView(items=_nav_items((*rows, _ADMINISTRATION), current))
    return NavView(items=_nav_items(rows, current))


def admin_nav(current: str, *, verifications: int = 0, reports: int = 0) -> NavView:
    """The navigation of administrators. `current` is the key of the page's own entry."""
    rows = (
        ("overview", "/admin", "home", words.N_("Overview"), 0, False),
        ("peers", "/admin/peers", "network", words.N_("Peers"), 0, False),
        ("verification", "/admin/verification", "page", words.N_("Verification"), verifications, False),
        ("reports", "/admin/reports", "flag", words.N_("Reports"), reports, False),
        ("queue", "/admin/queue", "out", words.N_("Deliveries"), 0, True),
        ("keys", "/admin/keys", "key", words.N_("Keys"), 0, True),
        ("policy", "/admin/policy", "sliders", words.N_("Policy"), 0, False),
        ("audit", "/admin/audit", "book", words.N_("Audit"), 0, True),
        ("back", "/", "back", words.N_("Back to the instance"), 0, True),
    )
    return NavView(items=_nav_items(rows, current), administration=True)


_NavRow: TypeAlias = tuple[str, str, str, str, int, bool]
_ADMINISTRATION: Final[_NavRow] = ("admin", "/admin", "network", words.N_("Manage"), 0, True)


def _nav_items(rows: tuple[_NavRow, ...], current: str) -> tuple[NavItemView, ...]:
    return tuple(
        NavItemView(
            key=key,
            href=href,
            icon=icon,
            word=word,
            count=count,
            desk=desk,
            current=key == current,
            first=key == "write",
        )
        for key, href, icon, word, count, desk in rows
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FlashView:
    """What just happened; already in the reader's language. `undo` is where a POST takes it back."""

    text: str
    tone: Tone = "plain"
    undo: str | None = None

    @property
    def look(self) -> str:
        """The classes that a tone adds."""
        return "" if self.tone == "plain" else f" {self.tone}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Everything around the content of a page: who reads, where, when and in which language."""

    language: str
    instance: InstanceView
    now: Millis
    csrf: str
    """Goes into every form as the field `csrf`."""
    path: str = "/"
    """Where the page lives, to come back to after an action (field `back`)."""
    zone: tzinfo = UTC
    theme: Theme = "auto"
    viewer: PersonView | None = None
    nav: NavView | None = None
    flash: FlashView | None = None
    alternate: str | None = None
    """The ActivityStreams document of what the page shows."""
    indexed: bool = False
    """Whether search engines may keep it: its author has to have said so."""

    @property
    def html_theme(self) -> str | None:
        """The attribute that overrides the device, or None to follow it."""
        return None if self.theme == "auto" else self.theme


@dataclass(frozen=True, slots=True, kw_only=True)
class PagingView:
    """Pages instead of endless scrolling."""

    newer: str | None = None
    older: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TabView:
    """A tab of a page; `word` is already in the reader's language."""

    word: str
    href: str
    current: bool = False
