"""Which inboxes a post of ours is owed to: the one place where an audience becomes hosts."""

from collections.abc import Iterable
from dataclasses import replace

from medfed.accounts.peers import PeerLevels
from medfed.accounts.promise import inbox_of, shared_inbox_of
from medfed.domain.accounts import Account
from medfed.domain.posts import RESTRICTED, Post
from medfed.storage import accounts, posts
from medfed.storage.database import View
from medfed.storage.outbox import Inbox, Recipient


async def for_post(view: View, levels: PeerLevels, post: Post, author: Account) -> list[Recipient]:
    """The inboxes of a new post.

    Followers by their shared inboxes, whoever is addressed, and the author of what is answered. A direct post
    goes to those addressed and nowhere else. What is for verified practitioners goes to trusted peers only, and
    in a thread also to those trusted peers that hold its beginning (M15). In a thread that begins elsewhere it goes
    to those who write in it: who else may read it is for the instance to say where it begins (M14). What is for a
    closed group goes to the group, which passes it on.
    """
    if post.visibility == "group":
        return [*_allowed(await _group(view, post), levels, post)]
    named = await _addressed(view, post)
    if post.visibility == "direct":
        return [*_allowed([inbox_of(account) for account in named], levels, post)]
    if post.visibility == "verified" and not await _begins_here(view, post):
        return [*_allowed(await _speaking(view, post), levels, post)]
    trusted = post.visibility == "verified"
    found = _allowed([shared_inbox_of(account) for account in named], levels, post)
    owed: list[Recipient] = [*found, levels.followers_of(author, trusted=trusted)]
    if trusted and post.conversation_id != post.id:
        owed.append(levels.holders_of(post.conversation_id, trusted=True))
    return owed


async def for_edit(view: View, levels: PeerLevels, post: Post, author: Account) -> list[Recipient]:
    """The inboxes of new words: those of a new post, and whoever holds the old ones, and may still have it.

    What is for followers, for a few or for a group goes to those alone who are in it today: of others, it is
    withdrawn when it is deleted.
    """
    owed = await for_post(view, levels, post, author)
    if post.is_open or post.visibility == "verified":
        owed.append(levels.holders_of(post.id, trusted=post.visibility == "verified"))
    return owed


async def _group(view: View, post: Post) -> list[Inbox]:
    """Where the closed group is that a post is for, if that is on a peer."""
    group = await accounts.find_by_uri(view, post.audience_uri)
    return [shared_inbox_of(group)] if group is not None and not group.local and group.active else []


async def _begins_here(view: View, post: Post) -> bool:
    beginning = await posts.find(view, post.conversation_id)
    return beginning is not None and beginning.local


async def _speaking(view: View, post: Post) -> list[Inbox]:
    """The peers whose people have written in a post's thread."""
    written = await posts.conversation(view, post.conversation_id)
    known = await accounts.find_many(view, {each.account_id for each in written})
    return [shared_inbox_of(account) for account in known.values() if not account.local and account.active]


async def for_withdrawal(view: View, levels: PeerLevels, post: Post, author: Account) -> list[Recipient]:
    """The inboxes of a Delete: everybody who may hold the post, whatever has changed since (J05, N20)."""
    if post.is_held and post.in_reply_to_account_id is not None:
        asked = await accounts.get(view, post.in_reply_to_account_id)
        return [] if levels.is_blocked(asked.host) else [inbox_of(asked)]
    named = [] if post.visibility in RESTRICTED else await _addressed(view, post)
    owed: list[Recipient] = [*_unblocked([shared_inbox_of(account) for account in named], levels)]
    if post.is_open:
        owed.append(levels.followers_of(author))
    return [*owed, replace(levels.holders_of(post.id), even_suspended=True)]


def for_boost(levels: PeerLevels, passed: Post, booster: Account, author: Account) -> list[Recipient]:
    """The inboxes of an Announce: the author of what is boosted and, unless that one has to agree first, the
    booster's followers.
    """
    owed: list[Recipient] = [] if passed.is_held else [levels.followers_of(booster)]
    if not author.local and not levels.is_blocked(author.host):
        owed.append(shared_inbox_of(author))
    return owed


async def _addressed(view: View, post: Post) -> list[Account]:
    mentioned = (await posts.mentions(view, [post.id])).get(post.id, [])
    ids = {mention.account_id for mention in mentioned}
    if post.in_reply_to_account_id is not None and post.visibility != "direct":
        ids.add(post.in_reply_to_account_id)
    known = await accounts.find_many(view, ids)
    return [account for account in known.values() if not account.local and account.active]


def _allowed(inboxes: Iterable[Inbox], levels: PeerLevels, post: Post) -> list[Inbox]:
    if post.visibility in RESTRICTED:
        return [inbox for inbox in inboxes if levels.is_trusted(inbox.host)]
    return _unblocked(inboxes, levels)


def _unblocked(inboxes: Iterable[Inbox], levels: PeerLevels) -> list[Inbox]:
    return [inbox for inbox in inboxes if not levels.is_blocked(inbox.host)]
