"""Like, boost, keep, pin and vote, and taking each back; what members do and what peers' actors do."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

from medfed.accounts.peers import PeerLevels
from medfed.accounts.promise import inbox_of, promise
from medfed.activitypub import contexts, render
from medfed.activitypub.here import Here
from medfed.activitypub.render import Rendered
from medfed.domain.accounts import Account
from medfed.domain.interactions import Leave
from medfed.domain.posts import AS_PUBLIC, WAITING, Composed, Post, Visibility
from medfed.kernel.clock import iso
from medfed.kernel.errors import Forbidden, Invalid
from medfed.notifications.notify import notify
from medfed.posts import inboxes, permission, polls
from medfed.posts.pass_on import pass_on_about
from medfed.storage import accounts, groups, notifications, outbox, posts, reactions, timelines
from medfed.storage.database import Transaction
from medfed.storage.reactions import Liked, Undone

Act: TypeAlias = Callable[[Transaction, Here, PeerLevels, Account, Post], Awaitable[object]]
"""What a member does with a post that they may read."""

# ── likes ────────────────────────────────────────────────────────────────────────────────────────────────────


async def like(tx: Transaction, here: Here, levels: PeerLevels, member: Account, post: Post) -> None:
    """A member finds a post useful. The caller made sure that the member may read it. Raises Forbidden (canLike).

    If a peer's author has to agree first, it is said to that author alone, and does not count before.
    """
    held = _is_asked(await permission.require(tx, member, post, "like"), post)
    uri = here.uris.activity(member.uri, here.ids.new())
    if await liked(tx, here, member, post, uri, held=held):
        author = await accounts.get(tx, post.account_id)
        await _tell(tx, here, levels, member, author, post, _like(member, author, post, uri), held=held)


def _is_asked(given: Leave, post: Post) -> bool:
    """Whether a peer's author has to agree first.

    So it is, too, with who may as a follower, for other servers cannot tell; what is not for everybody they never see.
    """
    return not post.local and (given == "asked" or (given == "known" and post.is_open))


def _like(member: Account, author: Account, post: Post, uri: str) -> Rendered:
    return render.activity("Like", id_=uri, actor_uri=member.uri, object_=post.uri, to=[author.uri])


async def _tell(
    tx: Transaction,
    here: Here,
    levels: PeerLevels,
    member: Account,
    author: Account,
    post: Post,
    activity: Rendered,
    *,
    held: bool = False,
) -> None:
    """The author of a post learns what a member did to it, and, unless it is held, the groups that have it do, too
    (FEP-1b12).
    """
    known = {} if held else await accounts.find_many(tx, await groups.of_post(tx, post.id))
    owed = [inbox_of(each) for each in (author, *known.values()) if not each.local and each.active]
    if owed or known:
        sent = await promise(tx, here, member, activity, owed, proven=bool(known) and post.is_open)
        await pass_on_about(tx, here, levels, post, member, sent)


async def liked(
    tx: Transaction,
    here: Here,
    account: Account,
    post: Post,
    uri: str,
    *,
    emoji: str = "",
    emoji_id: int | None = None,
    held: bool = False,
) -> bool:
    """A like, or a reaction with an emoji, takes effect here, whoever's it is; False if it had."""
    first = not await reactions.reacts(tx, post.id, account.id)
    added = await reactions.like(
        tx,
        id_=here.ids.new(),
        post_id=post.id,
        account_id=account.id,
        uri=uri,
        at=here.now(),
        emoji=emoji,
        emoji_id=emoji_id,
        held=held,
    )
    if added and first and post.local:
        await notify(tx, here, to=post.account_id, kind="favourite", from_id=account.id, post_id=post.id)
    return added


async def let_like(tx: Transaction, here: Here, levels: PeerLevels, liked: Liked, post: Post) -> bool:
    """The author of a peer's post agrees to a member's like: it counts, and groups are told; False if it did."""
    if not await reactions.let_stand(tx, liked):
        return False
    if await groups.of_post(tx, post.id):
        member, author = await accounts.get(tx, liked.account_id), await accounts.get(tx, post.account_id)
        await outbox.forget_asked(tx, liked.uri)
        await _tell(tx, here, levels, member, author, post, _like(member, author, post, liked.uri))
    return True


async def unlike(tx: Transaction, here: Here, levels: PeerLevels, member: Account, post: Post) -> None:
    """A member takes a like back."""
    undone = await unliked(tx, member, post)
    if undone is None:
        return
    if post.visibility == "group":
        # Who is told of this by the group asks whether the like is gone (D10).
        await posts.bury(tx, undone.uri, actor_uri=member.uri, at=here.now())
    author = await accounts.get(tx, post.account_id)
    undo = _undo(here, member, _like(member, author, post, undone.uri), [author.uri])
    await _tell(tx, here, levels, member, author, post, undo, held=undone.held)


async def unliked(tx: Transaction, account: Account, post: Post, emoji: str = "") -> Undone | None:
    """A like, or a reaction with an emoji, is gone; None if there was none."""
    undone = await reactions.unlike(tx, post.id, account.id, emoji)
    if undone is not None and not await reactions.reacts(tx, post.id, account.id):
        await notifications.withdraw(
            tx, account_id=post.account_id, kind="favourite", from_id=account.id, post_id=post.id
        )
    return undone


# ── boosts ───────────────────────────────────────────────────────────────────────────────────────────────────


async def boost(
    tx: Transaction, here: Here, levels: PeerLevels, member: Account, post: Post, visibility: Visibility = "public"
) -> Post:
    """A member passes a post on to their followers. Raises Forbidden for what is not open to all (M13).

    If a peer's author has to agree first, it is said to that author alone, and nobody else sees it before.
    """
    if not post.is_open and not (post.visibility == "followers" and post.account_id == member.id):
        raise Forbidden("this post is not for everybody and cannot be passed on")
    before = await posts.find_boost(tx, post.id, member.id)
    if before is not None:
        return before
    held = _is_asked(await permission.require(tx, member, post, "boost"), post)
    id_ = here.ids.new()
    passed = _boost(here, member, post, id_, here.uris.activity(member.uri, id_), _no_wider(visibility, post))
    passed = replace(passed, permit=WAITING if held else "")
    await boosted(tx, here, member, post, passed)
    await _announce_boost(tx, here, levels, member, post, passed)
    return passed


async def _announce_boost(
    tx: Transaction, here: Here, levels: PeerLevels, member: Account, post: Post, passed: Post
) -> None:
    author = await accounts.get(tx, post.account_id)
    activity = _announce(passed, member, post, author)
    context: Sequence[object] = contexts.ACTIVITY
    if passed.permit and not passed.is_held:
        # GoToSocial reads the first until 0.20, the second from then on.
        activity |= {"approvedBy": passed.permit, "announceAuthorization": passed.permit}
        context = contexts.PERMITTED
    owed = inboxes.for_boost(levels, passed, member, author)
    await promise(tx, here, member, activity, owed, post_id=passed.id, listed=passed.is_open, context=context)


async def let_boost(tx: Transaction, here: Here, levels: PeerLevels, passed: Post, post: Post, permit: str) -> None:
    """The author of a peer's post agrees to a member's boost, which was held: it is passed on, with what shows that."""
    member = await accounts.get(tx, passed.account_id)
    passed = replace(passed, permit=permit)
    await posts.set_permit(tx, passed)
    await posts.recount_boosts(tx, post.id)
    await timelines.add_to_followers(tx, passed)
    await outbox.forget_asked(tx, passed.uri)
    await _announce_boost(tx, here, levels, member, post, passed)


def _no_wider(visibility: Visibility, post: Post) -> Visibility:
    if post.visibility == "followers":
        return "followers"
    return visibility if visibility in ("public", "unlisted", "followers") else "public"


async def receive_boost(
    tx: Transaction, here: Here, account: Account, post: Post, *, uri: str, visibility: Visibility, at: int | None
) -> bool:
    """A peer's actor passes a post on; False if it had. The caller made sure that the post is open to all."""
    passed = _boost(here, account, post, here.ids.new(), uri, visibility, at)
    return await boosted(tx, here, account, post, passed)


async def boosted(tx: Transaction, here: Here, account: Account, post: Post, passed: Post) -> bool:
    """A boost takes effect here, whoever's it is; False if it had."""
    if not await posts.insert(tx, Composed(post=passed)):
        return False
    await posts.recount_boosts(tx, post.id)
    if post.local:
        await notify(tx, here, to=post.account_id, kind="reblog", from_id=account.id, post_id=post.id)
    if account.local:
        await timelines.add_to_homes(tx, passed.id, {account.id})
    if not passed.is_held:
        await timelines.add_to_followers(tx, passed)
    return True


async def unboost(tx: Transaction, here: Here, levels: PeerLevels, member: Account, post: Post) -> None:
    """A member takes a boost back."""
    passed = await posts.find_boost(tx, post.id, member.id)
    if passed is None:
        return
    author = await accounts.get(tx, post.account_id)
    owed = inboxes.for_boost(levels, passed, member, author)
    undone = _announce(passed, member, post, author)
    await outbox.unlist(tx, passed.id)
    await unboosted(tx, here, member, post, passed)
    await promise(tx, here, member, _undo(here, member, undone, [AS_PUBLIC]), owed)


async def unboosted(tx: Transaction, here: Here, account: Account, post: Post, passed: Post) -> None:
    """A boost is gone."""
    await posts.delete(tx, passed, actor_uri=account.uri, at=here.now())
    await notifications.withdraw(tx, account_id=post.account_id, kind="reblog", from_id=account.id, post_id=post.id)


def _boost(
    here: Here,
    account: Account,
    post: Post,
    id_: int,
    uri: str,
    visibility: Visibility,
    at: int | None = None,
) -> Post:
    now = here.now()
    return Post(
        id=id_,
        uri=uri,
        local=account.local,
        account_id=account.id,
        kind="Announce",
        url=uri,
        visibility=visibility,
        boost_of_id=post.id,
        conversation_id=id_,
        published_at=min(at or now, now),
        stored_at=now,
    )


def _announce(passed: Post, member: Account, post: Post, author: Account) -> render.Rendered:
    to, cc = [AS_PUBLIC], [member.followers_uri, author.uri]
    if passed.visibility != "public":
        to, cc = [member.followers_uri], [author.uri]
    if passed.visibility == "unlisted":
        cc.append(AS_PUBLIC)
    return render.activity(
        "Announce",
        id_=passed.uri,
        actor_uri=member.uri,
        object_=post.uri,
        to=to,
        cc=cc,
        published=iso(passed.published_at),
    )


# ── votes, bookmarks, pins ───────────────────────────────────────────────────────────────────────────────────


async def vote(tx: Transaction, here: Here, member: Account, post: Post, choices: Sequence[int]) -> None:
    """A member answers a poll, once. Raises Invalid."""
    poll = (await posts.polls(tx, [post.id])).get(post.id)
    if poll is None:
        raise Invalid("this post asks nothing")
    if poll.is_closed(here.now()):
        raise Invalid("the poll is closed", {"choices": "closed"})
    chosen = sorted(set(choices))
    if not chosen or not all(0 <= choice < len(poll.options) for choice in chosen):
        raise Invalid("no such answer", {"choices": "not an answer of this poll"})
    if len(chosen) > 1 and not poll.multiple:
        raise Invalid("one answer only", {"choices": "one only"})
    if (await posts.own_votes(tx, member.id, [post.id])).get(post.id):
        raise Invalid("you have answered", {"choices": "already given"})
    author = await accounts.get(tx, post.account_id)
    for choice in chosen:
        id_ = here.ids.new()
        uri = here.uris.post(member.username, id_)
        await posts.vote(tx, post_id=post.id, account_id=member.id, position=choice, uri=uri, at=here.now())
        if not author.local:
            await _send_vote(tx, here, member, author, post, uri, poll.options[choice].title)
    if post.local:
        await polls.counted(tx, here, post.id)
    else:
        await polls.await_end(tx, here, post.id, poll.closes_at)


async def _send_vote(
    tx: Transaction, here: Here, member: Account, author: Account, post: Post, uri: str, title: str
) -> None:
    note = {
        "id": uri,
        "type": "Note",
        "name": title,
        "attributedTo": member.uri,
        "inReplyTo": post.uri,
        "to": [author.uri],
    }
    activity = render.activity("Create", id_=f"{uri}/activity", actor_uri=member.uri, object_=note, to=[author.uri])
    await promise(tx, here, member, activity, [inbox_of(author)])


async def keep(tx: Transaction, here: Here, _levels: PeerLevels, member: Account, post: Post) -> None:
    """A member bookmarks a post; nobody is told."""
    await reactions.keep(tx, id_=here.ids.new(), account_id=member.id, post_id=post.id)


async def let_go(tx: Transaction, _here: Here, _levels: PeerLevels, member: Account, post: Post) -> None:
    """A member no longer bookmarks a post."""
    await reactions.let_go(tx, member.id, post.id)


async def pin(tx: Transaction, here: Here, levels: PeerLevels, member: Account, post: Post) -> None:
    """A member shows an own, open post on top of their profile. Raises Invalid."""
    if post.account_id != member.id or post.is_boost or not post.is_open:
        raise Invalid("only one's own public posts can be pinned")
    if await reactions.pin(tx, member.id, post.id, here.now()):
        await _tell_pin(tx, here, levels, member, post, "Add")


async def unpin(tx: Transaction, here: Here, levels: PeerLevels, member: Account, post: Post) -> None:
    """A member takes a pin off."""
    if await reactions.unpin(tx, member.id, post.id):
        await _tell_pin(tx, here, levels, member, post, "Remove")


async def _tell_pin(tx: Transaction, here: Here, levels: PeerLevels, member: Account, post: Post, kind: str) -> None:
    activity = render.activity(
        kind,
        id_=here.uris.activity(member.uri, here.ids.new()),
        actor_uri=member.uri,
        object_=post.uri,
        to=[AS_PUBLIC],
        target=f"{member.uri}/featured",
    )
    await promise(tx, here, member, activity, [levels.followers_of(member)])


def _undo(here: Here, member: Account, undone: render.Rendered, to: Sequence[str]) -> render.Rendered:
    return render.activity(
        "Undo",
        id_=here.uris.activity(member.uri, here.ids.new()),
        actor_uri=member.uri,
        object_=undone,
        to=to,
    )
