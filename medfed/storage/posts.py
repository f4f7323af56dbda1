"""Posts and what belongs to them: mentions, tags, attachments, polls, revisions, tombstones."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any, Final

import orjson

from medfed.domain.interactions import Policy
from medfed.domain.posts import Attachment, Composed, Mention, Poll, PollOption, Post, Requirement
from medfed.kernel.clock import Millis
from medfed.kernel.errors import NotFound
from medfed.storage import emojis, policies
from medfed.storage.database import Row, Transaction, View
from medfed.storage.statements import sql

COLUMNS: Final = """
    p.id, p.uri, p.local, p.account_id, p.kind, p.url, p.content, p.source, p.title, p.spoiler, p.sensitive,
    p.language, p.visibility, p.requires, p.audience_uri, p.in_reply_to_uri, p.in_reply_to_id,
    p.in_reply_to_account_id, p.boost_of_id, p.conversation_id, p.tags, p.emojis, p.policy, p.permit,
    p.published_at, p.edited_at, p.stored_at, p.replies_count, p.boosts_count, p.likes_count
"""

_BY_ID = sql(f"SELECT {COLUMNS} FROM post p WHERE p.id = :id")
_BY_IDS = sql(f"SELECT {COLUMNS} FROM post p WHERE p.id IN :ids[]")
_BY_URI = sql(f"SELECT {COLUMNS} FROM post p WHERE p.uri = :uri")
_BY_URIS = sql(f"SELECT {COLUMNS} FROM post p WHERE p.uri IN :uris[text]")
_BOOST_BY = sql(f"SELECT {COLUMNS} FROM post p WHERE p.boost_of_id = :post_id AND p.account_id = :account_id")
_CONVERSATION = sql(
    f"SELECT {COLUMNS} FROM post p WHERE p.conversation_id = :id AND p.boost_of_id IS NULL ORDER BY p.id LIMIT :limit"
)
_REPLIES = sql(f"SELECT {COLUMNS} FROM post p WHERE p.in_reply_to_id = :id ORDER BY p.id LIMIT :limit")
_INSERT = sql(
    """
    INSERT INTO post (
        id, uri, local, account_id, kind, url, content, source, title, spoiler, sensitive, language, visibility,
        requires, audience_uri, in_reply_to_uri, in_reply_to_id, in_reply_to_account_id, boost_of_id,
        conversation_id, tags, emojis, policy, permit, published_at, edited_at, stored_at, replies_count, boosts_count,
        likes_count
    ) VALUES (
        :id, :uri, :local, :account_id, :kind, :url, :content, :source, :title, :spoiler, :sensitive, :language,
        :visibility, :requires, :audience_uri, :in_reply_to_uri, :in_reply_to_id, :in_reply_to_account_id,
        :boost_of_id, :conversation_id, :tags, :emojis, :policy, :permit, :published_at, :edited_at, :stored_at,
        :replies_count, :boosts_count, :likes_count
    )
    ON CONFLICT DO NOTHING
    """
)
_UPDATE = sql(
    """
    UPDATE post SET
        content = :content, source = :source, title = :title, spoiler = :spoiler, sensitive = :sensitive,
        language = :language, tags = :tags, emojis = :emojis, policy = :policy, edited_at = :edited_at, url = :url
    WHERE id = :id
    """
)
_EDITABLE: Final = (
    "id", "content", "source", "title", "spoiler", "sensitive", "language", "tags", "emojis", "policy",
    "edited_at", "url",
)  # fmt: skip
_SET_POLICY = sql("UPDATE post SET policy = :policy WHERE id = :id")
_SET_PERMIT = sql("UPDATE post SET permit = :permit WHERE id = :id")
_DELETE = sql("DELETE FROM post WHERE id = :id")
_DELETE_TREE_MARKS = sql("UPDATE post SET in_reply_to_id = NULL WHERE in_reply_to_id = :id")
_DELETE_ALL_OF = sql("DELETE FROM post WHERE account_id = :account_id")
_TOUCHED_BY = sql(
    """
    SELECT p.in_reply_to_id AS id FROM post p WHERE p.account_id = :account_id AND p.in_reply_to_id IS NOT NULL
    UNION SELECT p.boost_of_id FROM post p WHERE p.account_id = :account_id AND p.boost_of_id IS NOT NULL
    UNION SELECT r.post_id FROM reaction r WHERE r.account_id = :account_id
    """
)
_ORPHAN_REPLIES_TO = sql(
    """
    UPDATE post SET in_reply_to_id = NULL
    WHERE in_reply_to_id IN (SELECT p.id FROM post p WHERE p.account_id = :account_id)
    """
)
_DELETE_LIKES_OF = sql("DELETE FROM reaction WHERE account_id = :account_id")
_DELETE_VOTES_OF = sql("DELETE FROM poll_vote WHERE account_id = :account_id")
_DELETE_MENTIONS_OF = sql("DELETE FROM post_mention WHERE account_id = :account_id")
_REPLIES_COUNT = """
    replies_count = (
        SELECT COUNT(*) FROM post r WHERE r.in_reply_to_id = post.id AND r.permit NOT IN ('waiting', 'refused')
          AND (r.visibility IN ('public', 'unlisted') OR (r.visibility = post.visibility AND r.visibility <> 'direct'))
    )
"""
_BOOSTS_COUNT = """
    boosts_count = (
        SELECT COUNT(*) FROM post b WHERE b.boost_of_id = post.id AND b.permit NOT IN ('waiting', 'refused')
    )
"""
_LIKES_COUNT = """
    likes_count = (
        SELECT COUNT(DISTINCT l.account_id) FROM reaction l WHERE l.post_id = post.id AND l.held = 0
    )
"""
_RECOUNT = sql(f"UPDATE post SET {_REPLIES_COUNT}, {_BOOSTS_COUNT}, {_LIKES_COUNT} WHERE id IN :ids[]")
_COUNT_REPLIES = sql(f"UPDATE post SET {_REPLIES_COUNT} WHERE id = :id")
_COUNT_BOOSTS = sql(f"UPDATE post SET {_BOOSTS_COUNT} WHERE id = :id")
_COUNT_LIKES = sql(f"UPDATE post SET {_LIKES_COUNT} WHERE id = :id")
_ADOPT = sql(
    """
    UPDATE post SET in_reply_to_id = :id, in_reply_to_account_id = :account_id
    WHERE in_reply_to_uri = :uri AND in_reply_to_uri <> '' AND in_reply_to_id IS NULL AND id NOT IN (
        WITH RECURSIVE above (id, next) AS (
            SELECT p.id, p.in_reply_to_id FROM post p WHERE p.id = :id
            UNION
            SELECT p.id, p.in_reply_to_id FROM post p JOIN above ON p.id = above.next
        )
        SELECT id FROM above
    )
    RETURNING id, conversation_id
    """
)
_NARROW_CONVERSATION = sql(
    """
    UPDATE post SET visibility = CASE visibility WHEN 'followers' THEN 'direct' ELSE 'verified' END,
        requires = CASE visibility WHEN 'followers' THEN requires ELSE :requires END
    WHERE conversation_id = :id AND local = 0 AND visibility IN ('public', 'unlisted', 'followers')
    """
)
_CLOSE_CONVERSATION = sql(
    """
    UPDATE post SET visibility = 'direct'
    WHERE conversation_id = :id AND local = 0 AND visibility IN ('public', 'unlisted', 'followers')
    """
)
_DROP_TAGS_OF_CLOSED = sql(
    """
    DELETE FROM post_tag
    WHERE post_id IN (SELECT p.id FROM post p WHERE p.conversation_id = :id AND p.visibility IN ('verified', 'direct'))
    """
)
_MERGE_CONVERSATION = sql("UPDATE post SET conversation_id = :to_id WHERE conversation_id = :from_id")

_MENTIONS = sql(
    """
    SELECT m.post_id, m.account_id, m.silent, a.uri, a.username, a.domain, a.url, a.kind
    FROM post_mention m JOIN account a ON a.id = m.account_id
    WHERE m.post_id IN :ids[]
    ORDER BY m.account_id
    """
)
_MENTIONED = sql("SELECT post_id FROM post_mention WHERE account_id = :account_id AND post_id IN :ids[]")
_ADD_MENTION = sql(
    """
    INSERT INTO post_mention (post_id, account_id, silent) VALUES (:post_id, :account_id, :silent)
    ON CONFLICT (post_id, account_id) DO UPDATE SET
        silent = CASE WHEN excluded.silent = 0 THEN 0 ELSE post_mention.silent END
    """
)
_ADD_TAG = sql("INSERT INTO post_tag (tag, post_id) VALUES (:tag, :post_id) ON CONFLICT DO NOTHING")
_DROP_TAGS = sql("DELETE FROM post_tag WHERE post_id = :post_id")
_ADD_REVISION = sql(
    """
    INSERT INTO post_revision (post_id, at, content, spoiler, sensitive)
    SELECT p.id, COALESCE(p.edited_at, p.published_at), p.content, p.spoiler, p.sensitive FROM post p WHERE p.id = :id
    ON CONFLICT DO NOTHING
    """
)
_REVISIONS = sql("SELECT at, content, spoiler, sensitive FROM post_revision WHERE post_id = :id ORDER BY at")

_ATTACHMENT_COLUMNS: Final = """
    t.id, t.account_id, t.post_id, t.position, t.kind, t.mime, t.file_key, t.preview_key, t.remote_url, t.description,
    t.blurhash, t.focus_x, t.focus_y, t.width, t.height, t.bytes, t.sha256, t.created_at
"""
_ATTACHMENTS = sql(
    f"SELECT {_ATTACHMENT_COLUMNS} FROM attachment t WHERE t.post_id IN :ids[] ORDER BY t.post_id, t.position"
)
_ATTACHMENT = sql(f"SELECT {_ATTACHMENT_COLUMNS} FROM attachment t WHERE t.id = :id AND t.account_id = :account_id")
_ATTACHMENT_BY_FILE = sql(
    f"SELECT {_ATTACHMENT_COLUMNS} FROM attachment t WHERE t.file_key = :key OR t.preview_key = :key LIMIT 1"
)
_ATTACHMENT_BY_ID = sql(f"SELECT {_ATTACHMENT_COLUMNS} FROM attachment t WHERE t.id = :id")
_ADD_ATTACHMENT = sql(
    """
    INSERT INTO attachment (
        id, account_id, post_id, position, kind, mime, file_key, preview_key, remote_url, description, blurhash,
        focus_x, focus_y, width, height, bytes, sha256, created_at
    ) VALUES (
        :id, :account_id, :post_id, :position, :kind, :mime, :file_key, :preview_key, :remote_url, :description,
        :blurhash, :focus_x, :focus_y, :width, :height, :bytes, :sha256, :created_at
    )
    """
)
_ATTACH = sql(
    """
    UPDATE attachment SET post_id = :post_id, position = :position
    WHERE id = :id AND account_id = :account_id AND (post_id IS NULL OR post_id = :post_id)
    """
)
_DESCRIBE = sql(
    """
    UPDATE attachment SET description = :description, focus_x = :focus_x, focus_y = :focus_y
    WHERE id = :id AND account_id = :account_id
    """
)
_DROP_REMOTE_ATTACHMENTS = sql("DELETE FROM attachment WHERE post_id = :post_id AND file_key = ''")
_DETACH = sql("UPDATE attachment SET post_id = NULL WHERE post_id = :post_id AND NOT id IN :ids[]")

_POLLS = sql(
    "SELECT q.post_id, q.multiple, q.closes_at, q.closed, q.voters_count FROM poll q WHERE q.post_id IN :ids[]"
)
_OPTIONS = sql(
    """
    SELECT o.post_id, o.position, o.title, o.votes FROM poll_option o
    WHERE o.post_id IN :ids[] ORDER BY o.post_id, o.position
    """
)
_PUT_POLL = sql(
    """
    INSERT INTO poll (post_id, multiple, closes_at, closed, voters_count)
    VALUES (:post_id, :multiple, :closes_at, :closed, :voters_count)
    ON CONFLICT (post_id) DO UPDATE SET
        closes_at = excluded.closes_at, closed = excluded.closed, voters_count = excluded.voters_count
    """
)
_PUT_OPTION = sql(
    """
    INSERT INTO poll_option (post_id, position, title, votes) VALUES (:post_id, :position, :title, :votes)
    ON CONFLICT (post_id, position) DO UPDATE SET title = excluded.title, votes = excluded.votes
    """
)
_DROP_POLL = sql("DELETE FROM poll WHERE post_id = :post_id")
_DROP_OPTIONS = sql("DELETE FROM poll_option WHERE post_id = :post_id")
_DROP_VOTES = sql("DELETE FROM poll_vote WHERE post_id = :post_id")
_VOTE = sql(
    """
    INSERT INTO poll_vote (post_id, account_id, position, uri, at) VALUES (:post_id, :account_id, :position, :uri, :at)
    ON CONFLICT DO NOTHING
    """
)
_TALLY = sql(
    """
    UPDATE poll_option SET votes = (
        SELECT COUNT(*) FROM poll_vote v WHERE v.post_id = poll_option.post_id AND v.position = poll_option.position
    ) WHERE post_id = :post_id
    """
)
_TALLY_VOTERS = sql(
    """
    UPDATE poll SET voters_count = (SELECT COUNT(DISTINCT account_id) FROM poll_vote v WHERE v.post_id = poll.post_id)
    WHERE post_id = :post_id
    """
)
_OWN_VOTES = sql("SELECT post_id, position FROM poll_vote WHERE account_id = :account_id AND post_id IN :ids[]")
_VOTERS = sql("SELECT DISTINCT account_id FROM poll_vote WHERE post_id = :post_id")
_CLOSE_POLL = sql("UPDATE poll SET closed = 1 WHERE post_id = :post_id AND closed = 0")

_BURY = sql(
    """
    INSERT INTO tombstone (uri, actor_uri, deleted_at) VALUES (:uri, :actor_uri, :at)
    ON CONFLICT (uri) DO UPDATE SET actor_uri = excluded.actor_uri, deleted_at = excluded.deleted_at
    """
)
_TOMBSTONE = sql("SELECT deleted_at FROM tombstone WHERE uri = :uri AND actor_uri = :actor_uri")
_BEFORE = sql(
    """
    SELECT EXISTS (SELECT 1 FROM post WHERE uri = :uri)
        OR EXISTS (SELECT 1 FROM tombstone WHERE uri = :uri AND actor_uri = :actor_uri) AS settled,
        EXISTS (
            SELECT 1 FROM post WHERE in_reply_to_uri = :uri AND in_reply_to_uri <> '' AND in_reply_to_id IS NULL
        ) AS awaited
    """
)
_REMEMBER_KEY = sql(
    """
    INSERT INTO idempotency (account_id, key, post_id, at) VALUES (:account_id, :key, :post_id, :at)
    ON CONFLICT DO NOTHING
    """
)
_BY_KEY = sql("SELECT post_id FROM idempotency WHERE account_id = :account_id AND key = :key")
_FORGET_KEYS = sql("DELETE FROM idempotency WHERE at < :before")
_GIVEN_TO = sql("SELECT host FROM post_distribution WHERE post_id = :post_id")
_GIVE = sql("INSERT INTO post_distribution (post_id, host, at) VALUES (:post_id, :host, :at) ON CONFLICT DO NOTHING")
_WAS_GIVEN = sql("SELECT 1 FROM post_distribution WHERE post_id = :post_id AND host = :host")
_COUNT_LOCAL = sql(
    "SELECT COUNT(*) FROM post WHERE local = 1 AND boost_of_id IS NULL AND visibility IN ('public', 'unlisted')"
)


EVERYBODY: Final = "*"
"""Stands for a host: the post was open, and so could be had by all."""


async def find(view: View, id_: int) -> Post | None:
    """The post with this id. Whether somebody may read it is for posts.read to say."""
    row = await view.one_or_none(_BY_ID, id=id_)
    return row_to_post(row) if row else None


async def get(view: View, id_: int) -> Post:
    """The post with this id. Raises NotFound."""
    post = await find(view, id_)
    if post is None:
        raise NotFound("no such post")
    return post


async def find_many(view: View, ids: Iterable[int]) -> dict[int, Post]:
    """Those of `ids` that exist, by id."""
    wanted = list(set(ids))
    if not wanted:
        return {}
    return {row["id"]: row_to_post(row) for row in await view.all(_BY_IDS, ids=wanted)}


async def find_by_uri(view: View, uri: str) -> Post | None:
    """The post of an object id (or the boost of an Announce id)."""
    row = await view.one_or_none(_BY_URI, uri=uri)
    return row_to_post(row) if row else None


async def find_by_uris(view: View, uris: Iterable[str]) -> dict[str, Post]:
    """Those of `uris` that are stored, by URI."""
    wanted = list(set(uris))
    if not wanted:
        return {}
    return {row["uri"]: row_to_post(row) for row in await view.all(_BY_URIS, uris=wanted)}


async def find_boost(view: View, post_id: int, account_id: int) -> Post | None:
    """The boost of a post by an account."""
    row = await view.one_or_none(_BOOST_BY, post_id=post_id, account_id=account_id)
    return row_to_post(row) if row else None


async def conversation(view: View, conversation_id: int, *, limit: int = 2_000) -> list[Post]:
    """Every stored post of a thread, oldest first, whoever may read it."""
    return [row_to_post(row) for row in await view.all(_CONVERSATION, id=conversation_id, limit=limit)]


async def replies(view: View, id_: int, *, limit: int = 500) -> list[Post]:
    """Direct answers to a post, oldest first, whoever may read them."""
    return [row_to_post(row) for row in await view.all(_REPLIES, id=id_, limit=limit)]


async def insert(tx: Transaction, composed: Composed) -> bool:
    """Store a post and all that belongs to it; False if its URI (or this boost) is already stored."""
    post = composed.post
    if await tx.run(_INSERT, **_values(post)) == 0:
        return False
    await _store_parts(tx, composed)
    return True


async def update(tx: Transaction, composed: Composed) -> None:
    """Keep the old text as a revision and store the new one with its parts."""
    post = composed.post
    await tx.run(_ADD_REVISION, id=post.id)
    values = _values(post)
    await tx.run(_UPDATE, **{name: values[name] for name in _EDITABLE})
    await tx.run(_DROP_TAGS, post_id=post.id)
    await tx.run(_DROP_REMOTE_ATTACHMENTS, post_id=post.id)
    await tx.run(_DETACH, post_id=post.id, ids=[attachment.id for attachment in composed.attachments])
    await _store_parts(tx, composed)


async def set_policy(tx: Transaction, id_: int, policy: Policy) -> None:
    """Change who may do what with a post, and nothing else of it."""
    await tx.run(_SET_POLICY, id=id_, policy=policies.as_text(policy))


async def set_permit(tx: Transaction, post: Post) -> None:
    """Store what the author of what a post answers has said, and, if it is open now, its hashtags."""
    await tx.run(_SET_PERMIT, id=post.id, permit=post.permit)
    await _store_tags(tx, post)


async def _store_tags(tx: Transaction, post: Post) -> None:
    if post.tags and post.is_open:
        await tx.run_many(_ADD_TAG, [{"tag": tag, "post_id": post.id} for tag in dict.fromkeys(post.tags)])


async def _store_parts(tx: Transaction, composed: Composed) -> None:
    post = composed.post
    if composed.mentions:
        await tx.run_many(
            _ADD_MENTION,
            [
                {"post_id": post.id, "account_id": mention.account_id, "silent": int(mention.silent)}
                for mention in composed.mentions
            ],
        )
    await _store_tags(tx, post)
    for position, attachment in enumerate(composed.attachments):
        placed = replace(attachment, post_id=post.id, position=position)
        if attachment.file_key:
            await tx.run(_ATTACH, id=placed.id, account_id=placed.account_id, post_id=post.id, position=position)
        else:
            await add_attachment(tx, placed)
    if composed.poll is not None:
        await put_poll(tx, replace(composed.poll, post_id=post.id))


async def delete(tx: Transaction, post: Post, *, actor_uri: str, at: Millis) -> None:
    """Erase a post and everything that hangs on it, and remember that it was deleted (A05)."""
    await tx.run(_BURY, uri=post.uri, actor_uri=actor_uri, at=at)
    await tx.run(_DELETE_TREE_MARKS, id=post.id)
    await tx.run(_DELETE, id=post.id)
    if post.in_reply_to_id is not None:
        await tx.run(_COUNT_REPLIES, id=post.in_reply_to_id)
    if post.boost_of_id is not None:
        await tx.run(_COUNT_BOOSTS, id=post.boost_of_id)


async def delete_all_of(tx: Transaction, account_id: int) -> None:
    """Erase everything an account wrote, and its reactions, votes and mentions; what it reacted to is recounted."""
    touched = await tx.all(_TOUCHED_BY, account_id=account_id)
    for statement in (_ORPHAN_REPLIES_TO, _DELETE_ALL_OF, _DELETE_LIKES_OF, _DELETE_VOTES_OF, _DELETE_MENTIONS_OF):
        await tx.run(statement, account_id=account_id)
    await tx.run(_RECOUNT, ids=[row["id"] for row in touched])


async def bury(tx: Transaction, uri: str, *, actor_uri: str, at: Millis) -> None:
    """Remember that an object was deleted, though we never had it (A05)."""
    if not uri:
        return
    await tx.run(_BURY, uri=uri, actor_uri=actor_uri, at=at)


async def tombstone(view: View, uri: str, actor_uri: str) -> Millis | None:
    """When the object was deleted, if this actor deleted it: what others say of it does not count (D06)."""
    return await view.value(_TOMBSTONE, uri=uri, actor_uri=actor_uri)


async def before(view: View, uri: str, actor_uri: str) -> tuple[bool, bool]:
    """(whether an object of this actor's is stored already, or was deleted by it; whether answers to it wait)."""
    row = await view.one(_BEFORE, uri=uri, actor_uri=actor_uri)
    return bool(row["settled"]), bool(row["awaited"])


async def adopt_replies(tx: Transaction, post: Post) -> None:
    """Hang under a newly stored post the replies that arrived before it, but for those that it stands below.

    Under a closed one they are for no more readers than it is, as if they had come after it (M14).
    """
    orphans = await tx.all(_ADOPT, id=post.id, account_id=post.account_id, uri=post.uri)
    for conversation_id in {row["conversation_id"] for row in orphans} - {post.conversation_id}:
        if post.visibility == "group":
            await tx.run(_CLOSE_CONVERSATION, id=conversation_id)
            await tx.run(_DROP_TAGS_OF_CLOSED, id=conversation_id)
        if post.visibility == "verified":
            await tx.run(_NARROW_CONVERSATION, id=conversation_id, requires=_values(post)["requires"])
            await tx.run(_DROP_TAGS_OF_CLOSED, id=conversation_id)
        await tx.run(_MERGE_CONVERSATION, to_id=post.conversation_id, from_id=conversation_id)
    if orphans:
        await tx.run(_COUNT_REPLIES, id=post.id)


async def recount_replies(tx: Transaction, post_id: int) -> None:
    """Recompute how many replies a post has; those for fewer readers than the post are not counted (M06)."""
    await tx.run(_COUNT_REPLIES, id=post_id)


async def recount_likes(tx: Transaction, post_id: int) -> None:
    """Recompute how many like a post, or react to it in any other way."""
    await tx.run(_COUNT_LIKES, id=post_id)


async def recount_boosts(tx: Transaction, post_id: int) -> None:
    """Recompute how often a post was boosted."""
    await tx.run(_COUNT_BOOSTS, id=post_id)


async def mentions(view: View, ids: Iterable[int]) -> dict[int, list[Mention]]:
    """Who is addressed by each post."""
    found: dict[int, list[Mention]] = {}
    wanted = list(set(ids))
    if wanted:
        for row in await view.all(_MENTIONS, ids=wanted):
            mention = Mention(
                account_id=row["account_id"],
                uri=row["uri"],
                handle=f"{row['username']}@{row['domain']}",
                url=row["url"],
                silent=bool(row["silent"]),
                group=row["kind"] == "Group",
            )
            found.setdefault(row["post_id"], []).append(mention)
    return found


async def mentioning(view: View, account_id: int, ids: Iterable[int]) -> set[int]:
    """Those of `ids` that address the account."""
    wanted = list(set(ids))
    if not wanted:
        return set()
    return {row["post_id"] for row in await view.all(_MENTIONED, account_id=account_id, ids=wanted)}


async def revisions(view: View, id_: int) -> list[dict[str, Any]]:
    """Earlier texts of a post: at, content, spoiler, sensitive; oldest first."""
    return [dict(row) for row in await view.all(_REVISIONS, id=id_)]


async def attachments(view: View, ids: Iterable[int]) -> dict[int, list[Attachment]]:
    """Files of each post, in order."""
    found: dict[int, list[Attachment]] = {}
    wanted = list(set(ids))
    if wanted:
        for row in await view.all(_ATTACHMENTS, ids=wanted):
            found.setdefault(row["post_id"], []).append(Attachment(**dict(row)))
    return found


async def find_attachment(view: View, id_: int, account_id: int) -> Attachment | None:
    """An upload of this account."""
    row = await view.one_or_none(_ATTACHMENT, id=id_, account_id=account_id)
    return Attachment(**dict(row)) if row else None


async def find_attachment_by_id(view: View, id_: int) -> Attachment | None:
    """Any attachment, whoever may look at it."""
    row = await view.one_or_none(_ATTACHMENT_BY_ID, id=id_)
    return Attachment(**dict(row)) if row else None


async def find_attachment_by_file(view: View, key: str) -> Attachment | None:
    """The attachment that a stored file (or preview) belongs to."""
    row = await view.one_or_none(_ATTACHMENT_BY_FILE, key=key)
    return Attachment(**dict(row)) if row else None


async def add_attachment(tx: Transaction, attachment: Attachment) -> None:
    """Store an upload, or a peer's file by reference."""
    await tx.run(_ADD_ATTACHMENT, **asdict(attachment))


async def describe_attachment(
    tx: Transaction, id_: int, account_id: int, *, description: str, focus: tuple[float, float]
) -> bool:
    """Change alt text and focal point of one's own upload."""
    changed = await tx.run(
        _DESCRIBE, id=id_, account_id=account_id, description=description, focus_x=focus[0], focus_y=focus[1]
    )
    return changed > 0


async def polls(view: View, ids: Iterable[int]) -> dict[int, Poll]:
    """The polls among these posts."""
    wanted = list(set(ids))
    if not wanted:
        return {}
    rows = await view.all(_POLLS, ids=wanted)
    if not rows:
        return {}
    options: dict[int, list[PollOption]] = {}
    for row in await view.all(_OPTIONS, ids=[row["post_id"] for row in rows]):
        options.setdefault(row["post_id"], []).append(PollOption(title=row["title"], votes=row["votes"]))
    return {
        row["post_id"]: Poll(
            post_id=row["post_id"],
            multiple=bool(row["multiple"]),
            closes_at=row["closes_at"],
            closed=bool(row["closed"]),
            voters_count=row["voters_count"],
            options=tuple(options.get(row["post_id"], ())),
        )
        for row in rows
    }


async def put_poll(tx: Transaction, poll: Poll) -> None:
    """Store a poll, or the newer counts of a peer's."""
    await tx.run(
        _PUT_POLL,
        post_id=poll.post_id,
        multiple=int(poll.multiple),
        closes_at=poll.closes_at,
        closed=int(poll.closed),
        voters_count=poll.voters_count,
    )
    await tx.run_many(
        _PUT_OPTION,
        [
            {"post_id": poll.post_id, "position": position, "title": option.title, "votes": option.votes}
            for position, option in enumerate(poll.options)
        ],
    )


async def replace_poll(tx: Transaction, poll: Poll) -> None:
    """Ask something else in a post: earlier answers and votes are gone."""
    await tx.run(_DROP_VOTES, post_id=poll.post_id)
    await tx.run(_DROP_OPTIONS, post_id=poll.post_id)
    await tx.run(_DROP_POLL, post_id=poll.post_id)
    await put_poll(tx, poll)


async def vote(tx: Transaction, *, post_id: int, account_id: int, position: int, uri: str, at: Millis) -> bool:
    """Record one vote; False if this answer was already given."""
    return await tx.run(_VOTE, post_id=post_id, account_id=account_id, position=position, uri=uri, at=at) > 0


async def tally(tx: Transaction, post_id: int) -> None:
    """Recount a local poll from its votes."""
    await tx.run(_TALLY, post_id=post_id)
    await tx.run(_TALLY_VOTERS, post_id=post_id)


async def own_votes(view: View, account_id: int, ids: Iterable[int]) -> dict[int, list[int]]:
    """Which answers the account gave, by post."""
    found: dict[int, list[int]] = {}
    wanted = list(set(ids))
    if wanted:
        for row in await view.all(_OWN_VOTES, account_id=account_id, ids=wanted):
            found.setdefault(row["post_id"], []).append(row["position"])
    return found


async def voters(view: View, post_id: int) -> list[int]:
    """Accounts that voted."""
    return [row["account_id"] for row in await view.all(_VOTERS, post_id=post_id)]


async def close_poll(tx: Transaction, post_id: int) -> bool:
    """Close a poll; False if it was closed."""
    return await tx.run(_CLOSE_POLL, post_id=post_id) > 0


async def remember_key(tx: Transaction, account_id: int, key: str, post_id: int, at: Millis) -> bool:
    """Tie an Idempotency-Key to the post it made; False if another post has it."""
    return await tx.run(_REMEMBER_KEY, account_id=account_id, key=key, post_id=post_id, at=at) > 0


async def find_by_key(view: View, account_id: int, key: str) -> int | None:
    """The post that was made under an Idempotency-Key."""
    found = await view.value(_BY_KEY, account_id=account_id, key=key)
    return None if found is None else int(found)


async def forget_keys(tx: Transaction, before: Millis) -> int:
    """Drop Idempotency-Keys that were used before a time; how many."""
    return await tx.run(_FORGET_KEYS, before=before)


async def given_to(view: View, post_id: int) -> list[str]:
    """Hosts that were ever given this post."""
    return [row["host"] for row in await view.all(_GIVEN_TO, post_id=post_id)]


async def give_to(tx: Transaction, post_id: int, host: str, at: Millis) -> None:
    """Remember that a host has, or EVERYBODY could have had, this post."""
    await tx.run(_GIVE, post_id=post_id, host=host, at=at)


async def was_given_to(view: View, post_id: int, host: str) -> bool:
    """Whether this host was ever given this post."""
    return await view.value(_WAS_GIVEN, post_id=post_id, host=host) is not None


async def count_local(view: View) -> int:
    """How many posts members have written for everybody."""
    return int(await view.value(_COUNT_LOCAL) or 0)


def rows_to_posts(rows: Sequence[Row]) -> list[Post]:
    """Rows that hold COLUMNS, as posts."""
    return [row_to_post(row) for row in rows]


def row_to_post(row: Row) -> Post:
    """A row that holds COLUMNS, as a post."""
    values = dict(row)
    values["local"] = bool(values["local"])
    values["sensitive"] = bool(values["sensitive"])
    tags = values["tags"]
    values["tags"] = () if tags == "[]" else tuple(orjson.loads(tags))
    values["emojis"] = emojis.from_text(values["emojis"])
    values["policy"] = policies.from_text(values["policy"])
    requires = values["requires"]
    values["requires"] = _requirement(orjson.loads(requires)) if requires else None
    return Post(**values)


def _requirement(values: dict[str, Any]) -> Requirement:
    return Requirement(
        professions=tuple(values["professions"]),
        specialties=tuple(values["specialties"]),
        countries=tuple(values["countries"]),
        min_assurance=values["min_assurance"],
    )


def _values(post: Post) -> dict[str, Any]:
    values = {name: getattr(post, name) for name in Post.__slots__}
    values["local"] = int(post.local)
    values["sensitive"] = int(post.sensitive)
    values["tags"] = orjson.dumps(post.tags).decode()
    values["emojis"] = emojis.as_text(post.emojis)
    values["policy"] = policies.as_text(post.policy)
    values["requires"] = orjson.dumps(asdict(post.requires)).decode() if post.requires else ""
    return values
