"""Every background task, and how often the recurring ones run: one line each."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from medfed.domain.accounts import Account
from medfed.instance import Instance
from medfed.kernel.clock import DAY, HOUR, Millis
from medfed.notifications.mail import TASK as MAIL
from medfed.notifications.mail import letter_of
from medfed.posts import publish
from medfed.storage import accounts, inbox_log, oauth, outbox, posts

Run: TypeAlias = Callable[[Instance, Mapping[str, Any]], Awaitable[None]]

KEEP_BODIES: Final = 30 * DAY
KEEP_SENT: Final = 7 * DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A kind of task; `every` makes it recurring, in milliseconds."""

    kind: str
    run: Run
    every: Millis | None = None


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
    """Drop what has expired: sessions, codes, bodies of settled arrivals, activities that everybody has."""
    now = instance.here.now()
    async with instance.store.transaction("sweep") as tx:
        await oauth.sweep(tx, now)
        await inbox_log.forget_bodies(tx, now - KEEP_BODIES)
        await outbox.forget(tx, now - KEEP_SENT)


async def send_letter(instance: Instance, payload: Mapping[str, Any]) -> None:
    """Somebody is to be written to."""
    await instance.mail.send(letter_of(payload))


ROUTES: Final = (
    Task(kind=MAIL, run=send_letter),
    Task(kind="close-poll", run=close_poll),
    Task(kind="announce-poll", run=announce_poll),
    Task(kind="sweep", run=sweep, every=1 * HOUR),
)
