"""What a peer's actor has pinned: fetched when somebody looks at the profile, and followed by Add and Remove."""

from typing import Any, Final

from medfed.accounts.peers import PeerLevels
from medfed.activitypub.here import Here
from medfed.activitypub.uris import same_origin
from medfed.activitypub.wire import Document, listed, reference
from medfed.domain.accounts import Account
from medfed.domain.peers import Level
from medfed.domain.posts import Post
from medfed.kernel import limits
from medfed.kernel.clock import HOUR
from medfed.kernel.errors import Malformed, NotFound, OriginMismatch, RemoteFailure
from medfed.net.client import Net
from medfed.net.fetch import fetch_collection
from medfed.net.message import Signer
from medfed.posts.fetch import Budget, PostFetcher
from medfed.storage import accounts, reactions, relations, tasks
from medfed.storage.database import Store, View

TASK: Final = "featured.fetch"
"""The kind of task that looks at what an account has pinned: {account_id}."""
EVERY: Final = 6 * HOUR
"""How soon the same account is asked again, however often somebody looks."""
MOST: Final = 20


async def look(store: Store, here: Here, account: Account) -> None:
    """Somebody looks at a profile: have what it has pinned fetched, if that was not done lately."""
    if account.local or not account.featured_uri or not account.active or _is_fresh(here, account):
        return
    now = here.now()
    async with store.transaction("look at what is pinned") as tx:
        if await accounts.ask_featured(tx, account.id, now, before=now - EVERY):
            await tasks.ask(tx, here, TASK, {"account_id": account.id}, once=account.id)


def _is_fresh(here: Here, account: Account) -> bool:
    return here.now() - account.featured_at < EVERY


async def fetch(store: Store, here: Here, net: Net, posts: PostFetcher, sign: Signer, account: Account) -> None:
    """Fetch what a peer's actor has pinned and pin exactly that here. Raises RemoteFailure, Malformed."""
    budget = Budget(left=MOST)
    found = []
    for uri in (await _listed(net, sign, account))[:MOST]:
        try:
            found.append(await posts.post(uri, budget, quiet=True))
        except (RemoteFailure, Malformed, OriginMismatch, NotFound):
            continue
    own = [post.id for post in found if may_be_pinned(account, post)]
    async with store.transaction("store what is pinned") as tx:
        await reactions.replace_pins(tx, account.id, own, here.now())


async def _listed(net: Net, sign: Signer, account: Account) -> list[str]:
    """Ids of the account's own host in its collection, or in the collection's first page."""
    document = await fetch_collection(net, account.featured_uri, of=account.uri, sign=sign)
    items = _items(document)
    first = document.get("first")
    if not items and isinstance(first, dict):
        items = _items(first)
    elif not items and reference(first) and same_origin(reference(first), account.uri):
        items = _items(await fetch_collection(net, reference(first), of=account.uri, sign=sign))
    uris = (reference(item) for item in items)
    return list(dict.fromkeys(uri for uri in uris if uri and same_origin(uri, account.uri)))


def _items(document: Document) -> list[Any]:
    return listed(document.get("orderedItems", document.get("items")), limits.JSON_ARRAY)


def may_be_pinned(account: Account, post: Post) -> bool:
    """Only one's own posts that everybody may read."""
    return post.account_id == account.id and post.is_open and not post.is_boost


async def is_wanted(view: View, levels: PeerLevels, account: Account) -> bool:
    """Whether an account's pins are shown here: of a limited peer, only those of who is followed."""
    level = levels.of(account.host)
    if level is Level.LIMITED:
        return await relations.has_local_follower(view, account.id)
    return level is not Level.BLOCKED
