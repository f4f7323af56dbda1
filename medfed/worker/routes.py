"""Every background task, and how often the recurring ones run: one line each."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar

from medfed.accounts import leave
from medfed.accounts.promise import WAKE as DELIVERY
from medfed.accounts.register import new_keys
from medfed.domain.accounts import Account
from medfed.inbox import hearsay
from medfed.inbox.handling import Handling
from medfed.inbox.hearsay import Rumour
from medfed.inbox.origin import Asker
from medfed.inbox.resolve import Fetchers
from medfed.instance import Instance
from medfed.kernel.clock import DAY, HOUR, MINUTE, SECOND, Millis
from medfed.kernel.errors import Refused, RemoteFailure, Unreachable
from medfed.media import upkeep
from medfed.moderation.trail import Trail
from medfed.notifications.mail import TASK as MAIL
from medfed.notifications.mail import letter_of
from medfed.posts import complete, featured, publish, quotes, quoting
from medfed.posts.ledger import Ledger
from medfed.relations import synchronise
from medfed.settings import Settings
from medfed.storage import accounts, erasure, inbox_log, moderation, oauth, outbox, peers, posts, shares, threads, trust
from medfed.verification import refresh, rotate, work

log: Final = logging.getLogger(__name__)

T = TypeVar("T")
Run: TypeAlias = Callable[[Instance, Mapping[str, Any]], Awaitable[None]]

KEEP_BODIES: Final = 30 * DAY
KEEP_SENT: Final = 7 * DAY
KEEP_IDEMPOTENCY: Final = 1 * DAY
"""For how long the same Idempotency-Key means the same post."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A kind of task; `every` makes it recurring, in milliseconds, or as the settings say."""

    kind: str
    run: Run
    every: Millis | Callable[[Settings], Millis] | None = None

    def period(self, settings: Settings) -> Millis | None:
        """How often it recurs, in milliseconds; None: it does not."""
        return self.every(settings) if callable(self.every) else self.every


async def close_poll(instance: Instance, payload: Mapping[str, Any]) -> None:
    """The time of a poll is over."""
    async with instance.store.transaction("close poll") as tx:
        await publish.close_poll(tx, instance.here, instance.levels, int(payload["post_id"]))


async def announce_poll(instance: Instance, payload: Mapping[str, Any]) -> None:
    """Votes have come in: tell peers the counts."""
    async with instance.store.transaction("announce poll") as tx:
        post = await posts.find(tx, int(payload["post_id"]))
        author: Account | None = await accounts.find(tx, post.account_id) if post else None
        if post is not None and author is not None and post.local:
            await publish.announce_edit(tx, instance.here, instance.levels, author, post)


async def sweep(instance: Instance, _payload: Mapping[str, Any]) -> None:
    """Drop what has expired (I15): sessions, codes, bodies of arrivals, what everybody has, keys of who left."""
    now = instance.here.now()
    async with instance.store.transaction("sweep") as tx:
        await oauth.sweep(tx, now)
        await posts.forget_keys(tx, now - KEEP_IDEMPOTENCY)
        await inbox_log.forget_bodies(tx, now - KEEP_BODIES)
        await outbox.forget(tx, now - KEEP_SENT)
        await erasure.forget_keys(tx, now - leave.KEEP_KEYS)
        await accounts.forget_retired(tx, now)
        await threads.forget(tx, now - complete.COOLDOWN)
        await peers.forget_counts(tx, now)
        await shares.forget(tx, now)
        if await outbox.resume(tx, now):
            tx.wake(DELIVERY)
        for action, expired in (
            ("queue.expire", await outbox.drop_withheld(tx, now)),
            ("queue.refused", await outbox.drop_refused(tx, now)),
        ):
            for host, detail in expired.items():
                await moderation.record(tx, at=now, actor="medfed", action=action, subject=host, detail=detail)


async def ask_origin(instance: Instance, payload: Mapping[str, Any]) -> None:
    """Somebody passed on what another is said to have said."""
    asker = Asker(fetchers=Fetchers.of(instance), handling=Handling(here=instance.here, levels=instance.levels))
    rumour = Rumour.read(payload)
    note = await _settled(asker.settle(rumour))
    log.info("%s %s was passed on: %s", rumour.kind, rumour.uri, note or "refused")


async def complete_thread(instance: Instance, payload: Mapping[str, Any]) -> None:
    """A member opened a thread of which peers may have more."""
    await complete.complete(instance.store, instance.here, instance.levels, instance.posts, int(payload["post_id"]))


async def check_quote(instance: Instance, payload: Mapping[str, Any]) -> None:
    """A peer's post quotes another: ask whether that one's author agrees."""
    post_id, stamp_uri = int(payload["post_id"]), str(payload["stamp_uri"])
    await quotes.check(instance.store, instance.here, instance.posts, post_id, stamp_uri)


async def erase_files(instance: Instance, payload: Mapping[str, Any]) -> None:
    """Files of a member who left."""
    for key in payload["keys"]:
        await instance.blobs.delete(str(key))


async def keep_ledger(instance: Instance, _payload: Mapping[str, Any]) -> None:
    """What was erased, and where the audit trail ends, is written down beside the database."""
    folder = instance.settings.instance.data_dir
    await Ledger(folder).keep_up(instance.store, instance.here.now())
    await Trail(folder).keep_up(instance.store)


async def look_after_files(instance: Instance, _payload: Mapping[str, Any]) -> None:
    """A part of the stored files has its turn."""
    now = instance.here.now()
    await upkeep.look_after(instance.store, instance.blobs, upkeep.due(now), now)


async def check_database(instance: Instance, _payload: Mapping[str, Any]) -> None:
    """Read the whole database, to learn of damage while there is a backup from before it."""
    await upkeep.check_database(instance.store, instance.here.now())


async def send_letter(instance: Instance, payload: Mapping[str, Any]) -> None:
    """Somebody is to be written to."""
    await instance.mail.send(letter_of(payload))


def _poll_period(settings: Settings) -> Millis:
    return settings.verification.status_interval_seconds * SECOND


async def poll_issuers(instance: Instance, _payload: Mapping[str, Any]) -> None:
    """Ask issuers whether what they attested still stands."""
    interval = _poll_period(instance.settings)
    await refresh.poll(instance.recogniser, instance.store, instance.here, interval=interval)


async def sign_lists(instance: Instance, _payload: Mapping[str, Any]) -> None:
    """Our status lists are signed anew before they expire."""
    await refresh.sign_again(instance.store, instance.here)


async def check_attestations(instance: Instance, payload: Mapping[str, Any]) -> None:
    """Look at what an account shows."""
    await _settled(instance.recogniser.check_account(int(payload["account_id"])))


async def fetch_offer(instance: Instance, payload: Mapping[str, Any]) -> None:
    """Fetch what an issuer offers to a member."""
    await _settled(
        instance.recogniser.receive_offer(
            int(payload["account_id"]),
            uri=str(payload["uri"]),
            offer_uri=str(payload["offer_uri"]),
            issuer_actor=str(payload["issuer_actor"]),
        )
    )


async def fetch_lists(instance: Instance, payload: Mapping[str, Any]) -> None:
    """Fetch status lists that are said to have changed."""
    await instance.recogniser.refresh_lists([str(url) for url in payload["urls"]])


async def fetch_issuer(instance: Instance, payload: Mapping[str, Any]) -> None:
    """Fetch the keys of an issuer that says they have changed."""
    async with instance.store.view() as view:
        known = await trust.issuers(view, [str(payload["did"])])
    await instance.recogniser.refresh_issuers(known.values())


async def fetch_featured(instance: Instance, payload: Mapping[str, Any]) -> None:
    """Somebody looked at a profile: fetch what is pinned there."""
    async with instance.store.view() as view:
        account = await accounts.find(view, int(payload["account_id"]))
        wanted = account is not None and await featured.is_wanted(view, instance.levels, account)
    if account is not None and account.active and wanted:
        sign = await instance.sign_as_instance()
        await _settled(featured.fetch(instance.store, instance.here, instance.net, instance.posts, sign, account))


async def synchronise_followers(instance: Instance, payload: Mapping[str, Any]) -> None:
    """An author's server counts other followers here than we do."""
    async with instance.store.view() as view:
        author = await accounts.find(view, int(payload["account_id"]))
    if author is not None and author.active:
        sign = await instance.sign_as_instance()
        asking = synchronise.synchronise(instance.store, instance.here, instance.net, sign, author, str(payload["url"]))
        await _settled(asking)


async def rotate_account_keys(instance: Instance, payload: Mapping[str, Any]) -> None:
    """Every account of this instance is given new keys: this one is."""
    new = await new_keys()
    async with instance.store.transaction("rotate keys") as tx:
        account = await accounts.find(tx, int(payload["account_id"]))
        if account is not None and account.gone_at is None:
            compromised, by = bool(payload["compromised"]), str(payload["by"])
            await rotate.rotate_keys(tx, instance.here, account, new, compromised=compromised, by=by)


async def _settled(work: Awaitable[T]) -> T | None:
    """What a peer gets wrong is settled by being refused; only a peer that does not answer is asked again."""
    try:
        return await work
    except Unreachable:
        raise
    except (Refused, RemoteFailure) as error:
        log.info("settled without effect: %s: %s", type(error).__name__, error)
        return None


ROUTES: Final = (
    Task(kind=MAIL, run=send_letter),
    Task(kind=leave.FILES, run=erase_files),
    Task(kind="close-poll", run=close_poll),
    Task(kind="announce-poll", run=announce_poll),
    Task(kind=hearsay.TASK, run=ask_origin),
    Task(kind=complete.TASK, run=complete_thread),
    Task(kind=quoting.TASK, run=check_quote),
    Task(kind="sweep", run=sweep, every=1 * HOUR),
    Task(kind="keep-ledger", run=keep_ledger, every=1 * MINUTE),
    Task(kind="look-after-files", run=look_after_files, every=1 * HOUR),
    Task(kind="check-database", run=check_database, every=1 * DAY),
    Task(kind=featured.TASK, run=fetch_featured),
    Task(kind=synchronise.TASK, run=synchronise_followers),
    Task(kind=rotate.TASK, run=rotate_account_keys),
    Task(kind=work.CHECK, run=check_attestations),
    Task(kind=work.OFFER, run=fetch_offer),
    Task(kind=work.LISTS, run=fetch_lists),
    Task(kind=work.ISSUER, run=fetch_issuer),
    Task(kind=work.POLL, run=poll_issuers, every=_poll_period),
    Task(kind=work.SIGN, run=sign_lists, every=1 * HOUR),
)
