"""The background work of verification, promised in the transaction of its cause: names of tasks, and how to ask."""

from typing import Final

from medfed.accounts.lookup import CHECK_ATTESTATIONS
from medfed.activitypub.here import Here
from medfed.kernel.clock import Millis
from medfed.storage import credentials, tasks
from medfed.storage.database import Transaction

_OF_A_HOST: Final = 500

CHECK: Final = CHECK_ATTESTATIONS
"""Look at what an account shows: {account_id}."""
OFFER: Final = "credentials.offer"
"""Fetch what an issuer offers to a member: {account_id, uri, offer_uri, issuer_actor}."""
LISTS: Final = "credentials.lists"
"""Fetch status lists now: {urls}."""
ISSUER: Final = "credentials.issuer"
"""Fetch the keys of an issuer now: {did}."""
POLL: Final = "credentials.poll"
"""Fetch every list and issuer document that is due, and decide what time has changed: {}; repeated."""
SIGN: Final = "credentials.sign"
"""Sign our own lists anew: {}; repeated."""


async def look_at(tx: Transaction, here: Here, account_id: int, *, cause: str, at: Millis | None = None) -> None:
    """Ask for a look at what an account shows; once for each `cause`."""
    await tasks.ask(tx, here, CHECK, {"account_id": account_id}, once=f"{account_id}/{cause}", at=at)


async def look_at_host(tx: Transaction, here: Here, host: str, *, cause: str) -> None:
    """Ask for a look at what the accounts of a peer show, as many as we looked at lately; once for each `cause`."""
    for account_id in await credentials.showing_on(tx, host, limit=_OF_A_HOST):
        await look_at(tx, here, account_id, cause=cause)


async def fetch_offer(
    tx: Transaction, here: Here, *, account_id: int, uri: str, offer_uri: str, issuer_actor: str
) -> None:
    """Ask for a credential that was offered to a member."""
    payload = {"account_id": account_id, "uri": uri, "offer_uri": offer_uri, "issuer_actor": issuer_actor}
    await tasks.ask(tx, here, OFFER, payload, once=offer_uri)


async def fetch_lists(tx: Transaction, here: Here, urls: list[str], *, cause: str) -> None:
    """Ask for status lists of which we heard that they changed; once for each `cause`."""
    await tasks.ask(tx, here, LISTS, {"urls": urls}, once=cause)


async def fetch_issuer(tx: Transaction, here: Here, did: str, *, cause: str) -> None:
    """Ask for the keys of an issuer that says they changed; once for each `cause`."""
    await tasks.ask(tx, here, ISSUER, {"did": did}, once=cause)
