"""A group of ours passes on an activity, whole, so that every host of its members has it (FEP-1b12)."""

from medfed.accounts.peers import PeerLevels
from medfed.accounts.promise import promise
from medfed.activitypub import render
from medfed.activitypub.here import Here
from medfed.activitypub.wire import Document
from medfed.domain.accounts import Account
from medfed.domain.posts import AS_PUBLIC, Post
from medfed.storage import accounts, groups, relations
from medfed.storage.database import Transaction


async def pass_on(
    tx: Transaction,
    here: Here,
    levels: PeerLevels,
    group: Account,
    activity: Document,
    *,
    post_id: int | None = None,
    closed: bool = False,
) -> None:
    """Announce an activity to the members' hosts, as it was said, with the proof that it came with.

    `post_id`: the post that it brings, so that nothing of it is sent any more when it is deleted. `closed`: it is for
    the members, and carries no proof: what leaks of it must not be provable for ever.
    """
    wrapped = render.activity(
        "Announce",
        id_=here.uris.activity(group.uri, here.ids.new()),
        actor_uri=group.uri,
        object_=activity,
        to=[group.followers_uri] if closed else [AS_PUBLIC],
        cc=[] if closed else [group.followers_uri],
    )
    await promise(tx, here, group, wrapped, [levels.followers_of(group, trusted=closed)], post_id=post_id)


async def pass_on_about(
    tx: Transaction,
    here: Here,
    levels: PeerLevels,
    post: Post,
    actor: Account,
    activity: Document,
    *,
    brings: bool = False,
    withdraws: bool = False,
) -> None:
    """What somebody does to a post that groups of ours have passed on, those pass on, too.

    Only what members do; but what `withdraws` something that was passed on, whoever has left since. `brings`: the
    activity has the words of the post, and is not sent once that is deleted.
    """
    for group in await groups.ours_of_post(tx, post.id):
        account = await accounts.get(tx, group.account_id)
        if not account.active:
            continue
        if withdraws or account.id in await relations.followed_among(tx, actor.id, [account.id]):
            owed_to = post.id if brings else None
            await pass_on(tx, here, levels, account, activity, post_id=owed_to, closed=group.closed)
