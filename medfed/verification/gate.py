"""Who may read what is for verified practitioners: only trusted attestations count, stale ones close the gate."""

from collections.abc import Iterable

from medfed.activitypub.here import Here
from medfed.domain.credentials import satisfies
from medfed.domain.posts import Requirement
from medfed.storage.database import View
from medfed.verification.standing import states_for


async def qualifying(
    view: View, here: Here, account_id: int, requirements: Iterable[Requirement]
) -> frozenset[Requirement]:
    """Those of `requirements` for which an account shows enough now."""
    held = (await states_for(view, here, [account_id])).get(account_id, [])
    return frozenset(requirement for requirement in requirements if satisfies(requirement, held))
