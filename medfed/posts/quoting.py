"""Takes down that a post quotes another, and has the other's author asked whether they agree (FEP-044f)."""

from typing import Final

from medfed.accounts.promise import inbox_of, promise
from medfed.activitypub import contexts, render
from medfed.activitypub.here import Here
from medfed.activitypub.wire import PeerPost
from medfed.domain.accounts import Account
from medfed.domain.interactions import Consent
from medfed.domain.posts import RESTRICTED, Post, Quote, QuoteState
from medfed.kernel.errors import Invalid
from medfed.notifications.notify import notify
from medfed.posts import permission
from medfed.storage import consents, quotes, tasks
from medfed.storage.database import Transaction, View

TASK: Final = "quote.check"

_REQUEST: Final = "/quote-request"


# ── what peers quote ─────────────────────────────────────────────────────────────────────────────────────────


async def claim(tx: Transaction, here: Here, post_id: int, said: PeerPost) -> None:
    """Have it looked at whether a stored post may show what it says it quotes; again when it names another stamp."""
    if not said.quote:
        return
    known = (await quotes.of_posts(tx, [post_id])).get(post_id)
    if known is not None and (known.quoted_uri != said.quote or _is_settled(known, said)):
        return
    await quotes.add(tx, post_id, said.quote)
    await tasks.ask(tx, here, TASK, {"post_id": post_id, "stamp_uri": said.quote_stamp}, once=post_id)


def _is_settled(known: Quote, said: PeerPost) -> bool:
    """Whether nothing new is said of a quote: a stamp that is no longer named may have been taken back."""
    return known.state == "accepted" and known.stamp_uri in ("", said.quote_stamp)


# ── what members quote ───────────────────────────────────────────────────────────────────────────────────────


async def permitted(view: View, author: Account, post: Post, named: set[int], quoted: Post) -> None:
    """Whether a member's post may quote another, which the member may read. Raises Forbidden or Invalid.

    Only what is for everybody is quoted, and a boost never is (D17). Whoever is quoted sees what with: a private
    message quotes only whom it is for, and what is for verified practitioners quotes nobody elsewhere.
    """
    if quoted.is_boost:
        raise Invalid("a boost cannot be quoted", {"quoted_status_id": "is a boost"})
    await permission.require(view, author, quoted, "quote")
    if quoted.account_id == author.id:
        return
    if post.visibility == "direct" and quoted.account_id not in named:
        says = "a private message quotes only those whom it is for"
        raise Invalid(says, {"quoted_status_id": says})
    if post.visibility in RESTRICTED and not quoted.local:
        says = "what is for verified practitioners does not quote posts of other instances"
        raise Invalid(says, {"quoted_status_id": says})


async def begin(tx: Transaction, here: Here, author: Account, post: Post, quoted: Post) -> Quote:
    """A member's new post quotes another. Among members the policy answers at once; a peer's author is asked."""
    state: QuoteState = "accepted" if quoted.account_id == author.id else "pending"
    stamp = ""
    if quoted.local and state == "pending":
        consent = await _among_members(tx, here, author, post, quoted)
        if consent.state == "granted":
            owner_uri = quoted.uri.partition("/posts/")[0]
            state, stamp = "accepted", here.uris.authorization(owner_uri, consent.id)
    await quotes.add(tx, post.id, quoted.uri)
    await quotes.settle(tx, post.id, quoted_id=quoted.id, state=state, stamp_uri=stamp)
    return Quote(post_id=post.id, quoted_uri=quoted.uri, quoted_id=quoted.id, stamp_uri=stamp, state=state)


async def _among_members(tx: Transaction, here: Here, author: Account, post: Post, quoted: Post) -> Consent:
    waits = await permission.ask(tx, author, quoted, "quote") == "asked"
    consent = Consent(
        id=here.ids.new_for_scripts(),
        deed="quote",
        post_id=quoted.id,
        author_id=quoted.account_id,
        account_id=author.id,
        object_uri=post.uri,
        state="waiting" if waits else "granted",
        created_at=here.now(),
    )
    await consents.add(tx, consent)
    if waits:
        await notify(tx, here, to=quoted.account_id, kind="quote_request", from_id=author.id, post_id=quoted.id)
    else:
        await notify(tx, here, to=quoted.account_id, kind="quote", from_id=author.id, post_id=post.id)
    return consent


async def ask(tx: Transaction, here: Here, whole: render.Whole, quoted: Post, quoted_author: Account) -> None:
    """Ask a peer's author whether a member may quote them, and show with what."""
    request = render.activity(
        "QuoteRequest",
        id_=request_uri(whole.post.uri),
        actor_uri=whole.author.uri,
        object_=quoted.uri,
        to=[quoted_author.uri],
        instrument=render.post(here.uris, whole),
    )
    await promise(tx, here, whole.author, request, [inbox_of(quoted_author)], context=contexts.REQUEST)


def request_uri(post_uri: str) -> str:
    """The id of the request that a member's post be let quote."""
    return post_uri + _REQUEST


def asked_for(uri: str) -> str:
    """The post that a request of ours is for; '' when it is no such request."""
    return uri.removesuffix(_REQUEST) if uri.endswith(_REQUEST) else ""


async def tell_of_edit(tx: Transaction, here: Here, post: Post) -> None:
    """Members who quote a post are told that it says something else now."""
    for post_id, account_id in await quotes.by_members(tx, post.id):
        await notify(tx, here, to=account_id, kind="quoted_update", from_id=post.account_id, post_id=post_id)
