"""Erases all that a member of this instance leaves behind, but for the name, the keys and what peers are still owed."""

from dataclasses import dataclass
from typing import Final

from medfed.kernel.clock import Millis
from medfed.storage import accounts, posts, relations
from medfed.storage.database import Transaction, View
from medfed.storage.statements import sql

_FILES = sql(
    """
    SELECT t.file_key AS file FROM attachment t WHERE t.account_id = :id AND t.file_key <> ''
    UNION SELECT t.preview_key FROM attachment t WHERE t.account_id = :id AND t.preview_key <> ''
    UNION SELECT a.avatar FROM account a WHERE a.id = :id AND a.local = 1 AND a.avatar <> ''
    UNION SELECT a.header FROM account a WHERE a.id = :id AND a.local = 1 AND a.header <> ''
    """
)
_BURY_POSTS = sql(
    """
    INSERT INTO tombstone (uri, actor_uri, deleted_at)
    SELECT p.uri, :actor_uri, :at FROM post p WHERE p.account_id = :id
    ON CONFLICT (uri) DO NOTHING
    """
)
# What was open could be had by everybody: it is gone for everybody, and what was not never was (M12).
_GIVE_OPEN_POSTS = sql(
    """
    INSERT INTO post_distribution (post_id, host, at)
    SELECT p.id, :everybody, :at FROM post p
    WHERE p.account_id = :id AND p.boost_of_id IS NULL AND p.visibility IN ('public', 'unlisted')
    ON CONFLICT DO NOTHING
    """
)
# A withdrawal that is still owed is owed to the end (J05).
_FORGET_SENT = sql("DELETE FROM outbox WHERE account_id = :id AND NOT kind IN :kept[text]")
_STRIP = sql(
    """
    UPDATE account SET display_name = '', summary = '', summary_source = '', avatar = '', header = '', fields = '[]',
        emojis = '[]', also_known_as = '[]', moved_to = '', discoverable = 0, posts_count = 0, last_post_at = NULL,
        updated_at = :at, gone_at = :at
    WHERE id = :id
    """
)
_UNSHOW = sql(
    "UPDATE attestation SET state = 'withdrawn' WHERE subject_uri = :uri AND state IN ('offered', 'accepted')"
)
_OWN: Final = (
    sql("DELETE FROM member WHERE account_id = :id"),
    sql("DELETE FROM web_session WHERE account_id = :id"),
    sql("DELETE FROM oauth_token WHERE account_id = :id"),
    sql("DELETE FROM oauth_code WHERE account_id = :id"),
    sql("DELETE FROM attachment WHERE account_id = :id"),
    sql("DELETE FROM bookmark WHERE account_id = :id"),
    sql("DELETE FROM home_entry WHERE account_id = :id"),
    sql("DELETE FROM block WHERE account_id = :id"),
    sql("DELETE FROM block WHERE target_id = :id"),
    sql("DELETE FROM mute WHERE account_id = :id"),
    sql("DELETE FROM mute WHERE target_id = :id"),
    sql("DELETE FROM notification WHERE account_id = :id"),
    sql("DELETE FROM notification WHERE from_id = :id"),
    sql("DELETE FROM notification WHERE group_id = :id"),
    sql("DELETE FROM marker WHERE account_id = :id"),
    sql("DELETE FROM community WHERE account_id = :id"),
    sql("DELETE FROM community_moderator WHERE account_id = :id"),
    sql("DELETE FROM community_post WHERE community_id = :id"),
    sql("DELETE FROM idempotency WHERE account_id = :id"),
    sql("DELETE FROM credential WHERE account_id = :id"),
    sql("DELETE FROM verification_request WHERE account_id = :id"),
    sql("DELETE FROM report WHERE reporter_id = :id"),
)
_ERASED = sql(
    "SELECT deleted_at AS at, uri, actor_uri FROM tombstone WHERE deleted_at >= :since ORDER BY deleted_at LIMIT :limit"
)
_NEWEST = sql("SELECT MAX(deleted_at) FROM tombstone")
_FORGET_KEYS = sql(
    """
    DELETE FROM account_key
    WHERE account_id IN (SELECT a.id FROM account a WHERE a.local = 1 AND a.gone_at < :before)
    """
)


async def files_of(view: View, id_: int) -> list[str]:
    """Keys of the stored files that an account's posts, drafts and profile hold."""
    return [row["file"] for row in await view.all(_FILES, id=id_)]


async def erase(tx: Transaction, id_: int, uri: str, at: Millis, *, kept: tuple[str, ...]) -> None:
    """Erase an account's words, relations, files' records and login; of what it sent, only the `kept` kinds stay.

    The account itself stays, empty and gone, so that nobody is ever called the same (D21).
    """
    await tx.run(_BURY_POSTS, id=id_, actor_uri=uri, at=at)
    await posts.bury(tx, uri, actor_uri=uri, at=at)
    await tx.run(_GIVE_OPEN_POSTS, id=id_, everybody=posts.EVERYBODY, at=at)
    await posts.delete_all_of(tx, id_)
    await accounts.recount_follows(tx, id_, *await relations.delete_all_of(tx, id_))
    await tx.run(_FORGET_SENT, id=id_, kept=list(kept))
    await tx.run(_UNSHOW, uri=uri)
    for statement in _OWN:
        await tx.run(statement, id=id_)
    await tx.run(_STRIP, id=id_, at=at)
    tx.wake(accounts.CHANGED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """Something that is no more, and whose it was; an actor is its own."""

    at: Millis
    uri: str
    actor_uri: str


async def erased(view: View, since: Millis, limit: int) -> list[Erased]:
    """What was erased since a time, from the oldest on."""
    return [Erased(**dict(row)) for row in await view.all(_ERASED, since=since, limit=limit)]


async def newest(view: View) -> Millis:
    """When something was last erased; 0: never."""
    return int(await view.value(_NEWEST) or 0)


async def forget_keys(tx: Transaction, before: Millis) -> int:
    """Drop the keys of members that left before a time, for nothing they signed is owed any more; how many."""
    return await tx.run(_FORGET_KEYS, before=before)
