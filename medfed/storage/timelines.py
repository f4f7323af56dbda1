"""Lists of posts: home, public, hashtag, profile, and what somebody liked or kept.

These find candidates, newest first; posts.read decides who may read which of them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from medfed.domain.posts import Post
from medfed.kernel.paging import Page
from medfed.storage.database import Row, Transaction, View
from medfed.storage.paging import Paged
from medfed.storage.posts import COLUMNS, rows_to_posts
from medfed.storage.statements import sql

_NOT_HIDDEN: Final = "EXISTS (SELECT 1 FROM account a WHERE a.id = p.account_id AND a.suspended_at IS NULL)"

_HOME = Paged(
    f"""
    SELECT {COLUMNS} FROM home_entry h JOIN post p ON p.id = h.post_id
    WHERE h.account_id = :account_id AND {_NOT_HIDDEN}
    """,
    "h.post_id",
)
_PUBLIC = Paged(
    f"""
    SELECT {COLUMNS} FROM post p
    WHERE p.visibility = 'public' AND p.boost_of_id IS NULL AND p.in_reply_to_uri = ''
      AND (:local_only = 0 OR p.local = 1) AND (:remote_only = 0 OR p.local = 0) AND {_NOT_HIDDEN}
    """,
    "p.id",
)
_TAGGED = Paged(
    f"""
    SELECT {COLUMNS} FROM post_tag t JOIN post p ON p.id = t.post_id
    WHERE t.tag = :tag AND p.visibility = 'public' AND (:local_only = 0 OR p.local = 1) AND {_NOT_HIDDEN}
    """,
    "t.post_id",
)
_BY_ACCOUNT = Paged(
    f"""
    SELECT {COLUMNS} FROM post p
    WHERE p.account_id = :account_id
      AND (:replies = 1 OR p.in_reply_to_uri = '' OR p.in_reply_to_account_id = p.account_id)
      AND (:boosts = 1 OR p.boost_of_id IS NULL)
      AND (:media = 0 OR EXISTS (SELECT 1 FROM attachment t WHERE t.post_id = p.id))
      AND (:tag = '' OR EXISTS (SELECT 1 FROM post_tag t WHERE t.post_id = p.id AND t.tag = :tag))
    """,
    "p.id",
)
_IN_GROUP = Paged(
    f"""
    SELECT {COLUMNS} FROM community_post cp JOIN post p ON p.id = cp.post_id
    WHERE cp.community_id = :group_id AND p.in_reply_to_uri = ''
    """,
    "cp.post_id",
)
_PINNED = sql(
    f"""
    SELECT {COLUMNS} FROM pin JOIN post p ON p.id = pin.post_id
    WHERE pin.account_id = :account_id ORDER BY pin.at DESC LIMIT 20
    """
)
_LIKED = Paged(
    f"""
    SELECT {COLUMNS}, r.id AS cursor FROM reaction r JOIN post p ON p.id = r.post_id
    WHERE r.account_id = :account_id
    """,
    "r.id",
)
_KEPT = Paged(
    f"""
    SELECT {COLUMNS}, b.id AS cursor FROM bookmark b JOIN post p ON p.id = b.post_id
    WHERE b.account_id = :account_id
    """,
    "b.id",
)
_SEARCH = Paged(
    f"""
    SELECT {COLUMNS} FROM post p
    WHERE p.boost_of_id IS NULL AND LOWER(p.content) LIKE :part ESCAPE '!'
      AND (p.account_id = :viewer OR EXISTS (
            SELECT 1 FROM post_mention m WHERE m.post_id = p.id AND m.account_id = :viewer)
        OR EXISTS (SELECT 1 FROM reaction r WHERE r.post_id = p.id AND r.account_id = :viewer)
        OR EXISTS (SELECT 1 FROM bookmark b WHERE b.post_id = p.id AND b.account_id = :viewer)
        OR (p.visibility = 'public' AND p.local = 1))
    """,
    "p.id",
)
_NEWEST_DIRECT: Final = """
    SELECT MAX(q.id) FROM post q
    WHERE q.visibility = 'direct' AND (q.account_id = :account_id OR EXISTS (
        SELECT 1 FROM post_mention m WHERE m.post_id = q.id AND m.account_id = :account_id))
"""
_CONVERSATIONS = Paged(
    f"SELECT {COLUMNS} FROM post p WHERE p.id IN ({_NEWEST_DIRECT} GROUP BY q.conversation_id)",
    "p.id",
)
_CONVERSATION = sql(
    f"SELECT {COLUMNS} FROM post p WHERE p.id = ({_NEWEST_DIRECT} AND q.conversation_id = :conversation_id)"
)
_TAGS = sql(
    """
    SELECT t.tag, COUNT(*) AS uses FROM post_tag t
    WHERE t.tag LIKE :prefix ESCAPE '!' GROUP BY t.tag ORDER BY uses DESC, t.tag LIMIT :limit OFFSET :offset
    """
)
_TO_HOME = sql("INSERT INTO home_entry (account_id, post_id) VALUES (:account_id, :post_id) ON CONFLICT DO NOTHING")
_TO_FOLLOWERS = sql(
    """
    INSERT INTO home_entry (account_id, post_id)
    SELECT f.follower_id, CAST(:post_id AS BIGINT) FROM follow f JOIN account a ON a.id = f.follower_id
    WHERE f.target_id = :author_id AND f.state = 'accepted' AND a.local = 1 AND (f.boosts = 1 OR :boost = 0)
      AND (CAST(:answered_id AS BIGINT) = 0 OR f.follower_id = :answered_id OR EXISTS (
        SELECT 1 FROM follow g
        WHERE g.follower_id = f.follower_id AND g.target_id = :answered_id AND g.state = 'accepted'
      ))
    ON CONFLICT DO NOTHING
    """
)
_FROM_HOME = sql(
    """
    DELETE FROM home_entry WHERE account_id = :account_id
      AND post_id IN (SELECT p.id FROM post p WHERE p.account_id = :author_id)
    """
)
_FILL_HOME = sql(
    """
    INSERT INTO home_entry (account_id, post_id)
    SELECT CAST(:account_id AS BIGINT), p.id FROM post p
    WHERE p.account_id = :author_id AND p.visibility IN ('public', 'unlisted', 'followers', 'verified')
    ORDER BY p.id DESC LIMIT 40
    ON CONFLICT DO NOTHING
    """,
    sqlite="""
    INSERT INTO home_entry (account_id, post_id)
    SELECT :account_id, p.id FROM post p
    WHERE p.account_id = :author_id AND p.visibility IN ('public', 'unlisted', 'followers', 'verified')
    ORDER BY p.id DESC LIMIT 40
    ON CONFLICT DO NOTHING
    """,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A post and its place in the list, when that is not the post's own id."""

    post: Post
    cursor: int


async def home(view: View, account_id: int, page: Page) -> list[Post]:
    """What a member's home holds."""
    return rows_to_posts(await _HOME.rows(view, page, account_id=account_id))


async def public(view: View, page: Page, *, local_only: bool, remote_only: bool = False) -> list[Post]:
    """Public posts that start a thread."""
    rows = await _PUBLIC.rows(view, page, local_only=int(local_only), remote_only=int(remote_only))
    return rows_to_posts(rows)


async def tagged(view: View, tag: str, page: Page, *, local_only: bool) -> list[Post]:
    """Public posts with a (folded) hashtag."""
    return rows_to_posts(await _TAGGED.rows(view, page, tag=tag, local_only=int(local_only)))


async def by_account(
    view: View,
    account_id: int,
    page: Page,
    *,
    replies: bool = True,
    boosts: bool = True,
    media_only: bool = False,
    tag: str = "",
) -> list[Post]:
    """Everything an account wrote, whoever may read it."""
    rows = await _BY_ACCOUNT.rows(
        view,
        page,
        account_id=account_id,
        replies=int(replies),
        boosts=int(boosts),
        media=int(media_only),
        tag=tag,
    )
    return rows_to_posts(rows)


async def in_group(view: View, group_id: int, page: Page) -> list[Post]:
    """The discussions that a group has, whoever may read them."""
    return rows_to_posts(await _IN_GROUP.rows(view, page, group_id=group_id))


async def pinned(view: View, account_id: int) -> list[Post]:
    """What an account has pinned, newest pin first."""
    return rows_to_posts(await view.all(_PINNED, account_id=account_id))


async def liked(view: View, account_id: int, page: Page) -> list[Listed]:
    """What a member found useful."""
    return [_listed(row) for row in await _LIKED.rows(view, page, account_id=account_id)]


async def kept(view: View, account_id: int, page: Page) -> list[Listed]:
    """What a member bookmarked."""
    return [_listed(row) for row in await _KEPT.rows(view, page, account_id=account_id)]


async def search(view: View, viewer_id: int, text: str, page: Page) -> list[Post]:
    """Posts that contain `text` among what the viewer wrote, was addressed in or kept, and local public ones."""
    quoted = text.casefold().replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return rows_to_posts(await _SEARCH.rows(view, page, viewer=viewer_id, part=f"%{quoted}%"))


async def conversations(view: View, account_id: int, page: Page) -> list[Post]:
    """The newest direct post of each conversation that an account takes part in."""
    return rows_to_posts(await _CONVERSATIONS.rows(view, page, account_id=account_id))


async def conversation(view: View, account_id: int, conversation_id: int) -> Post | None:
    """The newest direct post of one conversation, if the account takes part in it."""
    row = await view.one_or_none(_CONVERSATION, account_id=account_id, conversation_id=conversation_id)
    return rows_to_posts([row])[0] if row else None


async def tags(view: View, text: str, *, limit: int, offset: int = 0) -> list[str]:
    """Hashtags of open posts that begin with `text` (folded), the most used first (M02)."""
    quoted = text.replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return [row["tag"] for row in await view.all(_TAGS, prefix=f"{quoted}%", limit=limit, offset=offset)]


async def add_to_homes(tx: Transaction, post_id: int, account_ids: Iterable[int]) -> None:
    """Put a post into the homes of members."""
    entries = [{"account_id": account_id, "post_id": post_id} for account_id in set(account_ids)]
    if entries:
        await tx.run_many(_TO_HOME, entries)


async def add_to_followers(tx: Transaction, post: Post) -> None:
    """Put a post into the homes of its author's followers; a reply only into those of who also follow whom it
    answers, so that nobody's home fills with halves of conversations.
    """
    answered = post.in_reply_to_account_id
    await tx.run(
        _TO_FOLLOWERS,
        post_id=post.id,
        author_id=post.account_id,
        boost=int(post.is_boost),
        answered_id=0 if answered is None or answered == post.account_id else answered,
    )


async def fill_home(tx: Transaction, account_id: int, author_id: int) -> None:
    """Put the newest posts of somebody just followed into a member's home."""
    await tx.run(_FILL_HOME, account_id=account_id, author_id=author_id)


async def empty_home(tx: Transaction, account_id: int, author_id: int) -> None:
    """Take the posts of somebody unfollowed or blocked out of a member's home."""
    await tx.run(_FROM_HOME, account_id=account_id, author_id=author_id)


def _listed(row: Row) -> Listed:
    values = dict(row)
    cursor = values.pop("cursor")
    return Listed(post=rows_to_posts([values])[0], cursor=cursor)
