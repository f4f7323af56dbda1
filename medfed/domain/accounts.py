"""Who acts: accounts of members and of peers, their keys and handles."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from medfed.domain.emoji import Emoji
from medfed.kernel.clock import Millis
from medfed.kernel.errors import Invalid, Malformed

Kind: TypeAlias = Literal["Person", "Organization", "Group", "Service", "Application"]
KINDS: Final[frozenset[str]] = frozenset({"Person", "Organization", "Group", "Service", "Application"})

Role: TypeAlias = Literal["member", "verifier", "moderator", "admin", "recruiter", "sponsor"]
ROLES: Final[tuple[Role, ...]] = ("member", "verifier", "moderator", "admin", "recruiter", "sponsor")

INSTANCE_USERNAME: Final = "instance.actor"
"""The instance actor's name: it has a dot, so that no member can take it."""

_USERNAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,29}")
_PEER_USERNAME: Final = re.compile(r"[^\s@/?#:\\]{1,255}")
_RESERVED: Final = frozenset({"admin", "administrator", "root", "support", "actor", "instance", "inbox", "medfed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileField:
    """One labelled line of a profile; `value` is sanitised HTML on peers, plain text as typed on ours."""

    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Our record of an actor, local or peer."""

    id: int
    uri: str
    local: bool
    kind: str
    username: str
    domain: str
    host: str
    display_name: str = ""
    summary: str = ""
    summary_source: str = ""
    url: str = ""
    inbox: str = ""
    shared_inbox: str = ""
    outbox: str = ""
    followers_uri: str = ""
    following_uri: str = ""
    attestations_uri: str = ""
    avatar: str = ""
    header: str = ""
    fields: tuple[ProfileField, ...] = ()
    emojis: tuple[Emoji, ...] = ()
    featured_uri: str = ""
    featured_at: Millis = 0
    also_known_as: tuple[str, ...] = ()
    moved_to: str = ""
    moved_at: Millis | None = None
    locked: bool = False
    discoverable: bool = True
    created_at: Millis = 0
    updated_at: Millis = 0
    fetched_at: Millis = 0
    suspended_at: Millis | None = None
    gone_at: Millis | None = None
    last_post_at: Millis | None = None
    posts_count: int = 0
    followers_count: int = 0
    following_count: int = 0

    @property
    def acct(self) -> str:
        """`name` for our own, `name@domain` for others, as clients show it."""
        return self.username if self.local else f"{self.username}@{self.domain}"

    @property
    def handle(self) -> str:
        """Always `name@domain`."""
        return f"{self.username}@{self.domain}"

    @property
    def name(self) -> str:
        """What to call them: the display name, else the user name."""
        return self.display_name or self.username

    @property
    def active(self) -> bool:
        """Neither suspended nor gone."""
        return self.suspended_at is None and self.gone_at is None

    @property
    def delivery_inbox(self) -> str:
        """Where to send: the shared inbox if there is one."""
        return self.shared_inbox or self.inbox


KeyState: TypeAlias = Literal["current", "overlapping", "bound", "retired", "revoked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountKey:
    """A public key of an account; `sealed` is the private part of a local one that may still sign, encrypted.

    At `retired_at`, which may lie ahead, it ceases to sign and to be shown, but for one that attestations are bound
    to, which is shown until `bound_until`, so that the account is recognised by it. `revoked_at`: it was stolen.
    """

    uri: str
    account_id: int
    kind: Literal["rsa", "ed25519"]
    public: str
    sealed: bytes | None = None
    created_at: Millis = 0
    retired_at: Millis | None = None
    bound_until: Millis = 0
    revoked_at: Millis | None = None

    def signs(self, now: Millis) -> bool:
        """Whether it may sign."""
        return self.sealed is not None and (self.retired_at is None or now < self.retired_at)

    @property
    def shown_until(self) -> Millis | None:
        """When the actor's document ceases to show it; None: that is not decided."""
        return None if self.retired_at is None else max(self.retired_at, self.bound_until)

    def is_shown(self, now: Millis) -> bool:
        """Whether the actor's document shows it."""
        return self.shown_until is None or now < self.shown_until

    def state(self, now: Millis) -> KeyState:
        """What has become of an own key; `bound`: shown for the sake of attestations only."""
        if self.revoked_at is not None:
            return "revoked"
        if self.retired_at is None:
            return "current"
        if now < self.retired_at:
            return "overlapping"
        return "bound" if self.is_shown(now) else "retired"


def key_for(
    keys: Iterable[AccountKey], kind: Literal["rsa", "ed25519"], *, said_at: Millis, now: Millis
) -> AccountKey | None:
    """The own key that signs what was said at a time, of `keys` in the order in which they were made.

    It is the newest that is older than what is said: what tells peers of a new key is still signed with the one
    before it, and what is said later comes after that, for every host is told in order (ADR 0018).
    """
    usable = [key for key in keys if key.kind == kind and key.signs(now)]
    older = [key for key in usable if key.created_at < said_at]
    return older[-1] if older else next(iter(usable), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A person with a login here."""

    account: Account
    email: str
    role: Role
    language: str = "en"
    preferences: dict[str, object] = field(default_factory=dict)
    password_hash: str = field(default="", repr=False)
    created_at: Millis = 0
    confirmed_at: Millis | None = None
    approved_at: Millis | None = None
    disabled_at: Millis | None = None

    @property
    def may_sign_in(self) -> bool:
        """Confirmed, approved, not disabled, not suspended."""
        return (
            self.confirmed_at is not None
            and self.approved_at is not None
            and self.disabled_at is None
            and self.account.active
        )

    def is_at_least(self, role: Literal["verifier", "moderator", "admin"]) -> bool:
        """Whether this member holds `role`; admins hold every one of them."""
        return self.role in (role, "admin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Handle:
    """name@domain; `domain` is empty for an account of this instance."""

    username: str
    domain: str

    def __str__(self) -> str:
        return f"{self.username}@{self.domain}" if self.domain else self.username


def fold_handle(username: str, domain: str) -> str:
    """The form that handles are compared in."""
    return f"{username.casefold()}@{domain.casefold()}"


def parse_handle(text: str) -> Handle:
    """Read `@name@domain`, `name@domain`, `acct:name@domain` or `@name`. Raises Malformed."""
    bare = text.strip().removeprefix("acct:").removeprefix("@")
    username, at, domain = bare.partition("@")
    if not _PEER_USERNAME.fullmatch(username) or (at and not is_authority(domain)):
        raise Malformed(f"{text[:100]!r} is not a handle; write @name@domain")
    return Handle(username=username, domain=domain.lower())


def check_username(username: str) -> str:
    """A name that a member may have. Raises Invalid."""
    if not _USERNAME.fullmatch(username):
        raise Invalid(
            f"{username[:60]!r} cannot be a user name: 1 to 30 letters, digits, _ or -",
            {"username": "1 to 30 letters, digits, _ or -"},
        )
    return username


def check_chosen_username(username: str) -> str:
    """A name that people who sign up may choose: none that sounds like the operator's. Raises Invalid."""
    if username.casefold() in _RESERVED:
        raise Invalid(f"the user name {username!r} is reserved", {"username": "reserved"})
    return check_username(username)


_AUTHORITY: Final = re.compile(
    r"(?=.{1,259}$)(?:[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?)(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*(?::\d{1,5})?",
    re.IGNORECASE,
)


def is_authority(text: str) -> bool:
    """Whether `text` has the shape of host[:port]; says nothing about whether it may be contacted."""
    return _AUTHORITY.fullmatch(text) is not None


def check_email(email: str) -> str:
    """A plausible, canonical address. Raises Invalid (case F19)."""
    candidate = email.strip()
    local, at, domain = candidate.rpartition("@")
    plausible = (
        at
        and 0 < len(local) <= 64
        and len(candidate) <= 254
        and re.fullmatch(r"[A-Za-z0-9.!#$&'*+/=?^_`{|}~-]+", local)
        and is_authority(domain)
        and "." in domain
    )
    if not plausible:
        raise Invalid(f"{email[:80]!r} is not an e-mail address", {"email": "not an e-mail address"})
    return f"{local}@{domain.lower()}".casefold()
