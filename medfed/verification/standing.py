"""Where the attestations of accounts stand right now: stored decisions, less what time has taken since."""

from collections.abc import Iterable
from dataclasses import replace

from medfed.activitypub.here import Here
from medfed.domain.credentials import Credential, CredentialState, Reason, standing
from medfed.kernel.clock import Millis
from medfed.storage import credentials
from medfed.storage.database import View


async def states_for(view: View, here: Here, account_ids: Iterable[int]) -> dict[int, list[Credential]]:
    """What accounts show, by account id. An expired badge is never trusted because a worker slept."""
    now = here.now()
    known = await credentials.published(view, account_ids)
    return {account_id: [as_of(each, now) for each in held] for account_id, held in known.items()}


def as_of(credential: Credential, now: Millis) -> Credential:
    """The credential with the state it has at `now`, and the reason for that."""
    state = standing(credential, now)
    if state is credential.state:
        return credential
    code = "expired" if state is CredentialState.EXPIRED else "overdue"
    return replace(credential, state=state, reason=Reason(code=code))
