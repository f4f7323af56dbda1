"""Where a thread goes on elsewhere: the collections that posts of peers name, and when we last looked."""

from collections.abc import Iterable
from dataclasses import dataclass

from medfed.kernel.clock import Millis
from medfed.storage.database import Transaction, View
from medfed.storage.statements import sql

_PLACE = sql(
    """
    INSERT INTO post_place (post_id, context_uri, replies_uri) VALUES (:post_id, :context, :replies)
    ON CONFLICT (post_id) DO NOTHING
    """
)
_PLACES = sql("SELECT post_id, context_uri, replies_uri FROM post_place WHERE post_id IN :ids[]")
_ROOT = sql(
    """
    SELECT p.uri, p.local, COALESCE(s.context_uri, '') AS context
    FROM post p LEFT JOIN post_place s ON s.post_id = p.id
    WHERE p.id = :id
    """
)
_IS_DUE = sql(
    """
    SELECT 1 WHERE EXISTS (
        SELECT 1 FROM post p WHERE p.conversation_id = :id AND p.local = 0
          AND p.visibility IN ('public', 'unlisted', 'verified')
    ) AND NOT EXISTS (SELECT 1 FROM thread_visit v WHERE v.conversation_id = :id AND v.at > :since)
    """
)
_VISIT = sql(
    """
    INSERT INTO thread_visit (conversation_id, at) VALUES (:id, :now)
    ON CONFLICT (conversation_id) DO UPDATE SET at = excluded.at WHERE thread_visit.at <= :since
    """
)
_FORGET = sql("DELETE FROM thread_visit WHERE at < :before")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The collections in which a peer lists a post's conversation, and its answers; '' when it names none."""

    context: str = ""
    replies: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """The post that a thread hangs from, as far as we have it."""

    uri: str
    local: bool
    context: str


async def put(tx: Transaction, post_id: int, place: Place) -> None:
    """Keep where a peer's post says that its thread is listed."""
    if place.context or place.replies:
        await tx.run(_PLACE, post_id=post_id, context=place.context, replies=place.replies)


async def places(view: View, ids: Iterable[int]) -> dict[int, Place]:
    """Where posts say that their threads are listed; those that say nothing are left out."""
    wanted = list(set(ids))
    if not wanted:
        return {}
    return {
        row["post_id"]: Place(context=row["context_uri"], replies=row["replies_uri"])
        for row in await view.all(_PLACES, ids=wanted)
    }


async def root(view: View, conversation_id: int) -> Root | None:
    """The post that a conversation hangs from; None when it was deleted."""
    row = await view.one_or_none(_ROOT, id=conversation_id)
    return Root(uri=row["uri"], local=bool(row["local"]), context=row["context"]) if row else None


async def is_due(view: View, conversation_id: int, since: Millis) -> bool:
    """Whether a thread has posts of peers, not for a few alone, and was not looked for after `since`."""
    return await view.value(_IS_DUE, id=conversation_id, since=since) is not None


async def visit(tx: Transaction, conversation_id: int, *, now: Millis, since: Millis) -> bool:
    """Note that the thread is looked for now; False when somebody did so after `since`."""
    return await tx.run(_VISIT, id=conversation_id, now=now, since=since) > 0


async def forget(tx: Transaction, before: Millis) -> None:
    """Drop visits that were before."""
    await tx.run(_FORGET, before=before)
