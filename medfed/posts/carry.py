"""A post is written into a group of ours: the group passes it on, if it is a member's, and remembers it."""

from collections.abc import Iterable

from medfed.accounts.peers import PeerLevels
from medfed.activitypub import render
from medfed.activitypub.here import Here
from medfed.activitypub.wire import Document
from medfed.domain import groups as rules
from medfed.domain.accounts import Account
from medfed.domain.groups import Standing
from medfed.domain.posts import AS_PUBLIC, Post
from medfed.posts import permission, react
from medfed.posts.closed import tell_members
from medfed.posts.pass_on import pass_on
from medfed.storage import accounts, groups, moderation, relations
from medfed.storage.database import Transaction, View


async def carry(
    tx: Transaction,
    here: Here,
    levels: PeerLevels,
    post: Post,
    author: Account,
    activity: Document,
    *,
    addressed: Iterable[int],
) -> None:
    """The groups of ours that a new post is for, or that have what it answers, pass on the `activity` that brings it.

    `addressed`: groups that the post names, or goes to.

    A discussion's first post is also boosted, for peers that know no groups; its answers are not, as these would
    fill their readers' homes. What a closed group has is never boosted: peers that know no groups get none of it.
    """
    answered = set(await groups.of_post(tx, post.in_reply_to_id)) if post.in_reply_to_id is not None else set[int]()
    for group in await groups.among(tx, answered.union(addressed)):
        account = await accounts.get(tx, group.account_id)
        standing = await _standing(tx, account, post, author, answers=account.id in answered)
        if not account.active or not rules.takes(group, account.uri, post, standing):
            continue
        await groups.passed_on(tx, account.id, post.id, here.now())
        await pass_on(tx, here, levels, account, activity, post_id=post.id, closed=group.closed)
        if group.closed:
            await tell_members(tx, here, account, post)
        elif not standing.answers:
            await react.boost(tx, here, levels, account, post)


async def take_out(tx: Transaction, here: Here, levels: PeerLevels, group: Account, post: Post, by: Account) -> bool:
    """A moderator takes a post out of a group of ours: its members' hosts are told; elsewhere it stays its author's.

    False when the group had no such post. Who takes out what they wrote themselves is not said to delete it.
    """
    if not await groups.taken_out(tx, group.id, post.id):
        return False
    await react.unboost(tx, here, levels, group, post)
    known = await groups.find(tx, group.id)
    closed = known is not None and known.closed
    if post.account_id != by.id:
        told = render.activity(
            "Delete",
            id_=here.uris.activity(by.uri, here.ids.new()),
            actor_uri=by.uri,
            object_=post.uri,
            to=[group.followers_uri] if closed else [AS_PUBLIC],
            cc=[group.uri],
            audience=group.uri,
        )
        await pass_on(tx, here, levels, group, told, closed=closed)
    await moderation.record(tx, at=here.now(), actor=by.acct, action="group.take-out", subject=post.uri)
    return True


async def _standing(view: View, group: Account, post: Post, author: Account, *, answers: bool) -> Standing:
    blocking, _ = await relations.blocks_between(view, group.id, [author.id])
    return Standing(
        member=group.id in await relations.followed_among(view, author.id, [group.id]),
        moderator=await groups.moderates(view, group.id, author.id),
        let=await permission.ask(view, group, post, "boost") in ("free", "known"),
        blocked=bool(blocking),
        answers=answers,
    )
