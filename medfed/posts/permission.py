"""Whether somebody may like, answer, pass on or quote a post that they may read: what its author's policy says."""

from collections.abc import Mapping, Sequence

from medfed.domain.accounts import Account
from medfed.domain.interactions import SILENT, Deed, Leave, Tie, leave
from medfed.domain.posts import Post
from medfed.kernel.errors import Forbidden
from medfed.storage import accounts, consents, posts, relations
from medfed.storage.database import View


async def ties(view: View, who: Account, shown: Sequence[Post], authors: Mapping[int, Account]) -> dict[int, Tie]:
    """What somebody is to the authors of posts, by the post; so many statements for a page, whatever is on it."""
    said = [post for post in shown if post.policy != SILENT]
    follows, followed = await relations.ties(view, who.id, {post.account_id for post in said})
    mentioned = await posts.mentioning(view, who.id, [post.id for post in said])
    return {
        post.id: Tie(
            uri=who.uri,
            author_uri=authors[post.account_id].uri,
            author_followers=authors[post.account_id].followers_uri,
            author_following=authors[post.account_id].following_uri,
            audience=post.audience_uri,
            follows=post.account_id in follows,
            followed=post.account_id in followed,
            mentioned=post.id in mentioned,
        )
        for post in shown
        if post.account_id in authors
    }


def leave_of(post: Post, deed: Deed, tie: Tie) -> Leave:
    """Whether somebody may. What is not for everybody is passed on by its author alone, and never quoted (D17, M13)."""
    if not post.is_open and (deed == "quote" or (deed == "boost" and tie.uri != tie.author_uri)):
        return "none"
    return leave(post.policy, deed, tie)


async def ask(view: View, who: Account, post: Post, deed: Deed) -> Leave:
    """Whether somebody may do a thing with one post. Nothing is asked where nothing was said."""
    if post.policy == SILENT and post.is_open and deed != "quote":
        return "free"
    author = await accounts.get(view, post.account_id)
    tie = (await ties(view, who, [post], {author.id: author}))[post.id]
    return leave_of(post, deed, tie)


async def stands(view: View, who: Account, post: Post, deed: Deed, object_uri: str) -> bool:
    """Whether what somebody has done with a member's post may stand: they may, or the member has agreed to it."""
    if await ask(view, who, post, deed) in ("free", "known"):
        return True
    consent = await consents.of(view, post.id, deed, object_uri)
    return consent is not None and consent.state == "granted" and consent.account_id == who.id


_REFUSALS: Mapping[Deed, str] = {
    "like": "the author of this post lets only others react to it",
    "reply": "the author of this post lets only others answer it",
    "boost": "the author of this post lets only others pass it on",
    "quote": "the author of this post does not let you quote it",
}


async def require(view: View, member: Account, post: Post, deed: Deed) -> Leave:
    """Whether a member may; raises Forbidden when not, so that nothing is sent that its author's server drops."""
    given = await ask(view, member, post, deed)
    if given == "none":
        raise Forbidden(_REFUSALS[deed])
    return given
