"""Closed groups: who writes into one, and what its members here are told once it has a post."""

from collections.abc import Iterable

from medfed.accounts.peers import PeerLevels
from medfed.activitypub.here import Here
from medfed.domain.accounts import Account
from medfed.domain.posts import Draft, Post
from medfed.kernel.errors import Forbidden
from medfed.notifications.notify import notify
from medfed.posts import read
from medfed.storage import accounts, posts, relations, timelines
from medfed.storage.database import Transaction, View


async def written_into(
    view: View, levels: PeerLevels, author: Account, draft: Draft, parent: Post | None, named: Iterable[Account]
) -> Account | None:
    """The closed group that a draft is for; None when it is for none.

    For a group are a draft that says so, one for followers that names a closed group of its author's, and every
    answer to what a group has. Raises Forbidden for who is no member, or when its instance is not trusted.
    """
    if parent is not None and parent.visibility == "group" and draft.visibility != "direct":
        group = await accounts.find_by_uri(view, parent.audience_uri)
        return _allowed(levels, group)
    if draft.visibility not in ("group", "followers") or parent is not None:
        return None
    closed = {each.id: each for each in named if each.kind == "Group" and each.locked}
    joined = await relations.followed_among(view, author.id, closed)
    if draft.visibility == "followers" and not joined:
        return None
    if len(joined) != 1:
        raise Forbidden("name one closed group that you are a member of")
    return _allowed(levels, closed[joined.pop()])


def _allowed(levels: PeerLevels, group: Account | None) -> Account:
    if group is None or not group.active:
        raise Forbidden("that group is no more")
    if not levels.is_trusted(group.host):
        raise Forbidden("the instance of that group is not trusted here")
    return group


async def may_act(view: View, here: Here, levels: PeerLevels, who: Account, post: Post) -> bool:
    """Whether a peer's actor may react to a post: who may read it.

    Of a member's post in a closed group elsewhere we do not know who that is. A peer that has it has it with the
    group's leave, and is trusted to know which of its people are members, as it is with showing it to them alone.
    """
    if await read.may(view, here, who, post):
        return True
    if not post.local or post.visibility != "group" or here.uris.is_ours(post.audience_uri):
        return False
    return levels.is_trusted(who.host) and await posts.was_given_to(view, post.id, who.host)


async def tell_members(tx: Transaction, here: Here, group: Account, post: Post) -> None:
    """A closed group has a post: its members here find it in their homes, and hear that they are meant.

    Whoever is meant and is no member hears nothing (M14). An answer comes into nobody's home.
    """
    members = set(await relations.local_followers(tx, group.id))
    if not post.in_reply_to_uri:
        await timelines.add_to_homes(tx, post.id, members)
    meant = {mention.account_id for mention in (await posts.mentions(tx, [post.id])).get(post.id, ())}
    if post.in_reply_to_account_id is not None:
        meant.add(post.in_reply_to_account_id)
    for member_id in meant & members - {post.account_id}:
        await notify(tx, here, to=member_id, kind="mention", from_id=post.account_id, post_id=post.id)
