"""Keeps what is recognised true: asks issuers again, takes lists that are pushed, lets time take its share."""

from typing import Final

import orjson

from medfed.activitypub import credentials as wire
from medfed.activitypub.here import Here
from medfed.activitypub.uris import authority_of
from medfed.domain.trust import did_of
from medfed.kernel.clock import MINUTE, Millis
from medfed.kernel.errors import BadProof, Malformed
from medfed.storage import credentials, trust
from medfed.storage.database import Store, Transaction
from medfed.verification import work
from medfed.verification.decide import as_found, decide, decide_list
from medfed.verification.issuer import RESIGN_AFTER, sign_lists
from medfed.verification.recognise import Recogniser, read_list

_AT_ONCE: Final = 1_000


async def poll(recogniser: Recogniser, store: Store, here: Here, *, interval: Millis) -> None:
    """Ask every issuer and every list that is due, then decide what time alone has changed.

    `interval` is how old a list may become before it is fetched again; peers that push are ahead of it.
    """
    async with store.view() as view:
        issuers = await trust.stale_issuers(view, here.now())
        urls = [url for url in await credentials.lists_in_use(view) if not here.uris.is_ours(url)]
    await recogniser.refresh_issuers(each for each in issuers if each.did != here.uris.did)
    await recogniser.refresh_lists(urls, max_age=min(interval, wire.LIST_TTL))
    async with store.transaction("let time pass over attestations") as tx:
        await _let_time_pass(tx, here)


async def _let_time_pass(tx: Transaction, here: Here) -> None:
    """Decide again what was decided only until now."""
    due = await credentials.due(tx, here.now(), _AT_ONCE)
    decisions = await decide(tx, here, [as_found(each) for each in due])
    await credentials.decide_many(tx, zip(due, decisions, strict=True), here.now())


async def sign_again(store: Store, here: Here) -> None:
    """Sign anew every list of ours that is six hours old, long before it expires."""
    async with store.transaction("sign status lists") as tx:
        await sign_lists(tx, here, older_than=here.now() - RESIGN_AFTER + MINUTE)


async def pushed(tx: Transaction, here: Here, document: wire.Document, *, cause: str) -> str:
    """Take a status list that somebody sent: it proves itself, and counts only if it is newer. What came of it.

    Without its issuer's keys, or when it does not verify, the list is fetched instead.
    """
    url = document.get("id")
    if not isinstance(url, str) or url not in (await trust.cached_lists(tx, [url])):
        return "not a list that anything here depends on"
    did = did_of(authority_of(url))
    known = (await trust.issuers(tx, [did])).get(did)
    if known is None or not known.document:
        await work.fetch_lists(tx, here, [url], cause=cause)
        return "its issuer has to be asked"
    try:
        revoked = await trust.revoked_keys(tx)
        newer = read_list(document, orjson.loads(known.document), url=url, revoked_keys=revoked, now=here.now())
    except (Malformed, BadProof) as error:
        await work.fetch_lists(tx, here, [url], cause=cause)
        return f"does not verify: {error}"
    if not await trust.put_list(tx, newer):
        return "older than what we have"
    changed = await decide_list(tx, here, url)
    return f"taken, {changed} stand differently"
