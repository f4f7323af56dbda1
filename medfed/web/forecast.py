"""What would happen on publishing, before it happens: which followers receive it, and which do not and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from medfed.domain.accounts import Account
from medfed.domain.credentials import Credential, satisfies
from medfed.domain.posts import Requirement
from medfed.kernel.paging import Page
from medfed.storage import accounts, relations
from medfed.storage.database import View
from medfed.verification.standing import states_for
from medfed.web.views import AudienceChoiceView, ForecastView, MissedView
from medfed.web.visit import Visit
from medfed.web.words import N_

MOST: Final = 1_000
"""Of more followers than this, nothing is foretold one by one."""

FOLLOWED: Final = ("public", "unlisted", "followers", "verified")


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """The followers of a member, with what they show."""

    followers: Sequence[Account]
    held: Mapping[int, Sequence[Credential]]


async def crowd(view: View, visit: Visit) -> Crowd | None:
    """The followers of the member; None when they are too many to look at one by one."""
    if visit.account.followers_count > MOST:
        return None
    ids = [id_ for _, id_ in await relations.followers(view, visit.account.id, Page(limit=MOST))]
    known = await accounts.find_many(view, ids)
    active = [known[id_] for id_ in ids if id_ in known and known[id_].active]
    return Crowd(followers=active, held=await states_for(view, visit.instance.here, (each.id for each in active)))


def forecast(
    visit: Visit, them: Crowd | None, audience: str, requires: Requirement | None = None
) -> ForecastView | None:
    """What would become of a post for this audience; None when there are none, too many, or it is not for them."""
    if them is None or not them.followers or audience not in FOLLOWED:
        return None
    missed: list[MissedView] = []
    hosts: set[str] = set()
    for follower in them.followers:
        why = _why_not(visit, them, follower, audience, requires or Requirement())
        if why is None:
            hosts.add(follower.host)
        else:
            missed.append(MissedView(name=f"@{follower.acct}", reason=why))
    total = len(them.followers)
    return ForecastView(readers=total - len(missed), followers=total, instances=len(hosts), missed=tuple(missed))


def _why_not(visit: Visit, them: Crowd, follower: Account, audience: str, requires: Requirement) -> str | None:
    levels = visit.instance.levels
    if levels.is_blocked(follower.host):
        return visit.say(N_("Your instance exchanges nothing with theirs."))
    if audience != "verified":
        return None
    if not levels.is_trusted(follower.host):
        return visit.say(N_("Their instance is not one that yours trusts with reserved content."))
    if not satisfies(requires, them.held.get(follower.id, ())):
        return visit.say(N_("They show no attestation that counts for this audience."))
    return None


def choices(
    visit: Visit,
    them: Crowd | None,
    codes: Sequence[str],
    chosen: str,
    *,
    disabled: Mapping[str, str] | None = None,
) -> tuple[AudienceChoiceView, ...]:
    """The audiences to choose from, each with what would become of it."""
    views = []
    for code in codes:
        told = forecast(visit, them, code)
        views.append(
            AudienceChoiceView(
                code=code,
                readers=told.readers if told else None,
                instances=told.instances if told else None,
                missing=len(told.missed) if told else 0,
                checked=code == chosen,
                disabled_because=(disabled or {}).get(code),
            )
        )
    return tuple(views)
