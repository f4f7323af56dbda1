"""A peer's post that quotes another is shown with it only if the other's author agrees (FEP-044f)."""

from medfed.activitypub.here import Here
from medfed.activitypub.uris import same_origin
from medfed.domain.posts import Post, Quote, QuoteState
from medfed.kernel.errors import Malformed, NotFound, OriginMismatch, RemoteFailure, RemoteGone, Unreachable
from medfed.posts import consents
from medfed.posts.fetch import PostFetcher
from medfed.storage import accounts, posts, quotes
from medfed.storage.database import Store


async def check(store: Store, here: Here, fetcher: PostFetcher, post_id: int, stamp_uri: str) -> None:
    """Find out whether a quote was agreed to, or still is. The stamp is kept only when it has been verified (D16).

    Raises Unreachable, when another time may bring the answer.
    """
    async with store.view() as view:
        post = await posts.find(view, post_id)
        quote = (await quotes.of_posts(view, [post_id])).get(post_id)
    if post is None or quote is None:
        return
    if quote.state == "accepted":
        await _check_again(store, fetcher, quote)
        return
    try:
        quoted = await fetcher.post(quote.quoted_uri, quiet=True)
        if quoted.local:
            await _settle_by_member(store, here, post, quoted)
            return
        state = await _judge(store, fetcher, post, quoted, stamp_uri)
    except Unreachable:
        raise
    except (RemoteFailure, Malformed, OriginMismatch, NotFound):
        return
    agreed = stamp_uri if state == "accepted" and quoted.account_id != post.account_id else ""
    async with store.transaction("settle quote") as tx:
        await quotes.settle(tx, post_id, quoted_id=quoted.id, state=state, stamp_uri=agreed)


async def _check_again(store: Store, fetcher: PostFetcher, quote: Quote) -> None:
    """Its post no longer names the stamp: it ends when the stamp is gone, and for no other reason."""
    try:
        await fetcher.stamp(quote.stamp_uri)
    except RemoteGone:
        async with store.transaction("end quote") as tx:
            await quotes.settle(tx, quote.post_id, quoted_id=quote.quoted_id or 0, state="revoked")
    except Unreachable:
        raise
    except (RemoteFailure, Malformed, OriginMismatch):
        return


async def _settle_by_member(store: Store, here: Here, post: Post, quoted: Post) -> None:
    """A peer's post quotes a member: what that member has decided, or their policy has, is written down here."""
    async with store.transaction("settle quote") as tx:
        if quoted.is_boost or not quoted.is_open:
            await quotes.settle(tx, post.id, quoted_id=quoted.id, state="rejected")
            return
        state, stamp = await consents.standing(tx, here, quoted, post.uri)
        await quotes.settle(tx, post.id, quoted_id=quoted.id, state=state, stamp_uri=stamp)
        if state == "accepted":
            await consents.tell_of_quote(tx, here, quoted.account_id, post)


async def _judge(store: Store, fetcher: PostFetcher, post: Post, quoted: Post, stamp_uri: str) -> QuoteState:
    """Whether the author of `quoted` agrees. What is not for everybody, or only passes on, is never quoted (D17)."""
    if quoted.is_boost or not quoted.is_open:
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
