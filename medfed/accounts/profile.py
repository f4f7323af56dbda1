"""Members change what others see of them, and how their own interface behaves."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from medfed.accounts.peers import PeerLevels
from medfed.accounts.promise import promise_profile
from medfed.activitypub.here import Here
from medfed.domain.accounts import Account, Member, ProfileField
from medfed.domain.interactions import QUOTE_CHOICES
from medfed.kernel import text
from medfed.kernel.errors import Invalid
from medfed.kernel.html import from_text, neutralise
from medfed.storage import accounts
from medfed.storage.database import Transaction

T = TypeVar("T")

DISPLAY_NAME: Final = 60
BIO: Final = 1_000
FIELDS: Final = 8
FIELD: Final = 255

VISIBILITIES: Final = ("public", "unlisted", "followers", "direct")
"""What a member may choose to start every post with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileEdit:
    """What is to change; None leaves a thing as it is. Pictures are keys of stored files, '' takes them away."""

    display_name: str | None = None
    bio: str | None = None
    fields: Sequence[ProfileField] | None = None
    locked: bool | None = None
    discoverable: bool | None = None
    avatar: str | None = None
    header: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """The account as it is now, and the keys of pictures that nothing refers to any more."""

    account: Account
    unused: tuple[str, ...]


async def edit(tx: Transaction, here: Here, levels: PeerLevels, account: Account, change: ProfileEdit) -> Edited:
    """Change a member's profile and tell those who follow it. Raises Invalid.

    `unused` files are to be deleted after the commit.
    """
    changed = _changed(here, account, change)
    if changed == account:
        return Edited(account=account, unused=())
    changed = replace(changed, updated_at=here.now())
    await accounts.store(tx, changed)
    await announce(tx, here, levels, changed)
    unused = {account.avatar, account.header} - {changed.avatar, changed.header, ""}
    return Edited(account=changed, unused=tuple(sorted(unused)))


async def announce(tx: Transaction, here: Here, levels: PeerLevels, account: Account) -> None:
    """Send the account's actor document to everybody who follows it."""
    await promise_profile(tx, here, account, [levels.followers_of(account)])


async def prefer(
    tx: Transaction,
    here: Here,
    member: Member,
    *,
    language: str | None = None,
    visibility: str | None = None,
    sensitive: bool | None = None,
    posting_language: str | None = None,
    quotes: str | None = None,
    theme: str | None = None,
) -> Member:
    """Change how a member's interface and posts begin; None leaves a thing as it is. Raises Invalid."""
    problems: dict[str, str] = {}
    if language is not None and language not in here.languages:
        problems["language"] = f"one of {', '.join(here.languages)}"
    if visibility is not None and visibility not in VISIBILITIES:
        problems["visibility"] = f"one of {', '.join(VISIBILITIES)}"
    if quotes is not None and quotes not in QUOTE_CHOICES:
        problems["quote_policy"] = f"one of {', '.join(QUOTE_CHOICES)}"
    if theme is not None and theme not in ("auto", "light", "dark"):
        problems["theme"] = "one of auto, light, dark"
    if posting_language and not (posting_language.replace("-", "").isalpha() and len(posting_language) <= 12):
        problems["posting_language"] = "a language code, such as fr"
    if problems:
        raise Invalid("; ".join(f"{name}: {problem}" for name, problem in problems.items()), problems)
    chosen = {
        "visibility": visibility,
        "sensitive": sensitive,
        "language": posting_language,
        "quotes": quotes,
        "theme": theme,
    }
    preferences = member.preferences | {name: value for name, value in chosen.items() if value is not None}
    spoken = language or member.language
    await accounts.set_preferences(tx, member.account.id, language=spoken, preferences=preferences)
    return replace(member, language=spoken, preferences=preferences)


def _changed(here: Here, account: Account, change: ProfileEdit) -> Account:
    check(change)
    bio = account.summary_source if change.bio is None else change.bio.strip()
    return replace(
        account,
        display_name=_kept(
            None if change.display_name is None else neutralise(change.display_name, DISPLAY_NAME), account.display_name
        ),
        summary=account.summary if change.bio is None else _html(here, bio),
        summary_source=bio,
        fields=account.fields
        if change.fields is None
        else tuple(_tidy(field) for field in change.fields if field.name),
        locked=_kept(change.locked, account.locked),
        discoverable=_kept(change.discoverable, account.discoverable),
        avatar=_kept(change.avatar, account.avatar),
        header=_kept(change.header, account.header),
    )


def _kept(wanted: T | None, present: T) -> T:
    return present if wanted is None else wanted


def check(change: ProfileEdit) -> None:
    """Raises Invalid for what is too long."""
    problems: dict[str, str] = {}
    if change.display_name is not None and text.length(change.display_name) > DISPLAY_NAME:
        problems["display_name"] = f"at most {DISPLAY_NAME} characters"
    if change.bio is not None and text.length(change.bio) > BIO:
        problems["note"] = f"at most {BIO} characters"
    fields = change.fields or ()
    if len(fields) > FIELDS or any(len(field.name) > FIELD or len(field.value) > FIELD for field in fields):
        problems["fields_attributes"] = f"at most {FIELDS}, of at most {FIELD} characters each"
    if problems:
        raise Invalid("; ".join(f"{name}: {problem}" for name, problem in problems.items()), problems)


def _tidy(field: ProfileField) -> ProfileField:
    return ProfileField(name=neutralise(field.name, FIELD), value=neutralise(field.value, FIELD))


def _html(here: Here, bio: str) -> str:
    return from_text(bio, mention=lambda _username, _domain: None, hashtag=lambda tag: f"{here.uris.base}/tags/{tag}")
