"""The author's instance keeps a case's discussion together: it tells every host that holds the case of each answer.

Sent as Add of the answer's id to the post's replies collection, so that each host fetches the answer from where it
was written, and no activity is forwarded that could not be verified.
"""

from dataclasses import replace

from medfed.accounts.peers import PeerLevels
from medfed.accounts.promise import promise
from medfed.activitypub import render
from medfed.activitypub.here import Here
from medfed.domain.accounts import Account
from medfed.domain.posts import Post
from medfed.storage import accounts, cases, posts
from medfed.storage.database import Transaction


async def tell_of_answer(tx: Transaction, here: Here, levels: PeerLevels, answer: Post, answerer: Account) -> None:
    """Tell the hosts that hold a case of ours that a peer's actor has answered in its thread."""
    if answer.visibility == "direct" or answer.conversation_id == answer.id:
        return
    root = await posts.find(tx, answer.conversation_id)
    if root is None or not root.local:
        return
    if not await cases.of_posts(tx, [root.id]):
        return
    owner = await accounts.get(tx, root.account_id)
    holders = levels.holders_of(root.id, trusted=root.visibility == "verified")
    activity = render.activity(
        "Add",
        id_=here.uris.activity(owner.uri, here.ids.new()),
        actor_uri=owner.uri,
        object_=answer.uri,
        to=[root.audience_uri or owner.followers_uri],
        target=here.uris.replies(root.uri),
    )
    await promise(tx, here, owner, activity, [replace(holders, but_not_on=answerer.host)])
