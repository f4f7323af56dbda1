"""Lists of cases that their reader may read, wherever a page shows some."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from medfed.domain.cases import Case
from medfed.domain.credentials import CredentialState
from medfed.domain.posts import Post
from medfed.kernel.paging import Page
from medfed.posts import read
from medfed.storage import cases, posts
from medfed.storage.database import View
from medfed.verification.standing import states_for
from medfed.web.present import around, case_card
from medfed.web.views import CaseCardView
from medfed.web.visit import Visit

_ROUNDS: Final = 8
_AWAITING: Final = 3
_MANY_ANSWERS: Final = 8

Found = list[tuple[Case, Post]]
Candidates = Callable[[Page], Awaitable[list[Case]]]


async def readable(view: View, visit: Visit, wanted: Page, *, specialty: str = "", stage: str = "") -> Found:
    """A page of cases, newest first, filled with what the visitor may read (A18)."""

    async def candidates(part: Page) -> list[Case]:
        return await cases.listed(view, part, specialty=specialty, stage=stage)

    return await _filled(view, visit, wanted, candidates)


async def containing(view: View, visit: Visit, text: str, wanted: Page) -> Found:
    """Cases whose words contain `text`, among those that the visitor may read."""

    async def candidates(part: Page) -> list[Case]:
        return await cases.search(view, text, part)

    return await _filled(view, visit, wanted, candidates)


async def _filled(view: View, visit: Visit, wanted: Page, candidates: Candidates) -> Found:
    found: Found = []
    rest = wanted
    for _ in range(_ROUNDS):
        batch = await candidates(rest)
        kept = await _kept(view, visit, batch)
        found = [*kept, *found] if wanted.forwards else [*found, *kept]
        if len(found) >= wanted.limit or len(batch) < rest.limit:
            break
        rest = rest.above(batch[0].id) if wanted.forwards else rest.below(batch[-1].id)
    return found[-wanted.limit :] if wanted.forwards else found[: wanted.limit]


async def _kept(view: View, visit: Visit, batch: Sequence[Case]) -> Found:
    of_cases = await posts.find_many(view, (case.post_id for case in batch))
    candidates = [of_cases[case.post_id] for case in batch if case.post_id in of_cases]
    allowed = {post.id: post for post in await read.readable(view, visit.instance.here, visit.viewer, candidates)}
    return [(case, allowed[case.post_id]) for case in batch if case.post_id in allowed]


async def cards(view: View, visit: Visit, found: Found) -> tuple[CaseCardView, ...]:
    """Cases as cards."""
    gathered = await around(view, visit, [post for _, post in found])
    return tuple(case_card(visit, case, post, gathered) for case, post in found if post.account_id in gathered.people)


async def awaiting(view: View, visit: Visit) -> tuple[CaseCardView, ...]:
    """Open cases of the specialties that the member is recognised in, where few have answered; urgent ones first."""
    held = (await states_for(view, visit.instance.here, [visit.account.id])).get(visit.account.id, [])
    recognised = [each for each in held if each.state is CredentialState.TRUSTED]
    specialty = next((code for each in recognised for code in each.claim.specialties), "")
    if not specialty:
        return ()
    found: Found = []
    for stage in ("urgent", "help_wanted"):
        found += await readable(view, visit, Page(limit=_AWAITING), specialty=specialty, stage=stage)
    others = [
        (case, post)
        for case, post in found
        if case.account_id != visit.account.id and post.replies_count < _MANY_ANSWERS
    ]
    return await cards(view, visit, others[:_AWAITING])
