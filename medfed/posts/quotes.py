"""A peer's post that quotes another is shown with it only if the other's author agrees (FEP-044f)."""

from medfed.activitypub.uris import same_origin
from medfed.domain.posts import Post, QuoteState
from medfed.kernel.errors import Malformed, NotFound, OriginMismatch, RemoteFailure, Unreachable
from medfed.posts.fetch import PostFetcher
from medfed.storage import accounts, posts, quotes
from medfed.storage.database import Store


async def check(store: Store, fetcher: PostFetcher, post_id: int, stamp_uri: str) -> None:
    """Find out whether a quote was agreed to. The stamp is kept only when it has been verified (D16).

    Raises Unreachable, when another time may bring the answer.
    """
    async with store.view() as view:
        post = await posts.find(view, post_id)
        quote = (await quotes.of_posts(view, [post_id])).get(post_id)
    if post is None or quote is None or quote.state == "accepted":
        return
    try:
        quoted = await fetcher.post(quote.quoted_uri, quiet=True)
        state = await _judge(store, fetcher, post, quoted, stamp_uri)
    except Unreachable:
        raise
    except (RemoteFailure, Malformed, OriginMismatch, NotFound):
        return
    agreed = stamp_uri if state == "accepted" and quoted.account_id != post.account_id else ""
    async with store.transaction("settle quote") as tx:
        await quotes.settle(tx, post_id, quoted_id=quoted.id, state=state, stamp_uri=agreed)


async def _judge(store: Store, fetcher: PostFetcher, post: Post, quoted: Post, stamp_uri: str) -> QuoteState:
    """Whether the author of `quoted` agrees. What is not for everybody, or only passes on, is never quoted (D17)."""
    if quoted.is_boost or not quoted.is_open or quoted.local:
        return "rejected"
    if quoted.account_id == post.account_id:
        return "accepted"
    async with store.view() as view:
        author = await accounts.get(view, quoted.account_id)
    if not author.active:
        return "rejected"
    if not same_origin(stamp_uri, author.uri):
        return "pending"
    stamp = await fetcher.stamp(stamp_uri)
    is_for_this = (stamp.by, stamp.quoting, stamp.quoted) == (author.uri, post.uri, quoted.uri)
    return "accepted" if is_for_this else "pending"
