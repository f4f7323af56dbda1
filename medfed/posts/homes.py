"""Whose homes a post belongs into."""

from medfed.domain.accounts import Account
from medfed.domain.posts import Post
from medfed.storage import relations
from medfed.storage.database import View


async def home_readers(view: View, post: Post, author: Account) -> set[int]:
    """Members whose home a post belongs into: the author's followers; of a reply, those who also follow whom it
    answers, so that nobody's home fills with halves of conversations.
    """
    followers = set(await relations.local_followers(view, author.id, boost=post.is_boost))
    answered = post.in_reply_to_account_id
    if answered is None or answered == author.id:
        return followers
    return {
        follower
        for follower in followers
        if follower == answered or await relations.followed_among(view, follower, [answered])
    }
