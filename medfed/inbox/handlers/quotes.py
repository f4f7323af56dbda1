"""QuoteRequest: whether a peer's actor may quote a post of ours (FEP-044f)."""

from medfed.accounts.promise import inbox_of, promise
from medfed.activitypub import contexts, render
from medfed.activitypub.wire import reference
from medfed.inbox.admit import Admitted
from medfed.inbox.handling import Handling
from medfed.inbox.resolve import Resolved
from medfed.posts import read
from medfed.storage import accounts, posts
from medfed.storage.database import Transaction


async def request(tx: Transaction, use: Handling, admitted: Admitted, _resolved: Resolved) -> str:
    """A peer's actor asks to quote a post: it is told that nobody does; who may not read the post is told nothing."""
    asked, actor = admitted.activity, admitted.actor
    post = await posts.find_by_uri(tx, asked.object_id)
    if post is None or not post.local or post.is_boost or not await read.may(tx, use.here, actor, post):
        return "no such post"
    author = await accounts.get(tx, post.account_id)
    refused = render.activity("QuoteRequest", id_=asked.id, actor_uri=actor.uri, object_=post.uri)
    instrument = reference(asked.document.get("instrument"))
    answer = render.activity(
        "Reject",
        id_=use.here.uris.activity(author.uri, use.here.ids.new()),
        actor_uri=author.uri,
        object_=refused | ({"instrument": instrument} if instrument else {}),
        to=[actor.uri],
    )
    await promise(tx, use.here, author, answer, [inbox_of(actor)], context=contexts.QUOTE)
    return "refused"
