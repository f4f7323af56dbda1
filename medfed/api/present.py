"""From records to entities, a list at a time: so many statements for a page, whatever is on it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from medfed.activitypub.here import Here
from medfed.api import entities
from medfed.api.entities import Entity, Parts
from medfed.domain.accounts import Account, Member
from medfed.domain.cases import Case
from medfed.domain.interactions import Tie
from medfed.domain.notifications import Notification
from medfed.domain.posts import Attachment, Mention, Poll, Post, Quote
from medfed.posts import permission, read
from medfed.storage import accounts as stored_accounts
from medfed.storage import cases, posts, reactions, relations
from medfed.storage import quotes as stored_quotes
from medfed.storage.database import View
from medfed.storage.reactions import Reacted
from medfed.verification.standing import states_for


async def accounts(view: View, here: Here, known: Sequence[Account]) -> list[Entity]:
    """Accounts, in their order, with what they are attested as."""
    held = await states_for(view, here, [one.id for one in known])
    elsewhere = await stored_accounts.find_by_uris(view, (one.moved_to for one in known if one.moved_to))
    return [
        entities.account(here, one, held.get(one.id, ())) | _moved(here, elsewhere.get(one.moved_to)) for one in known
    ]


def _moved(here: Here, new: Account | None) -> Entity:
    """Where somebody has gone, if we know that account."""
    return {"moved": entities.account(here, new)} if new is not None and new.active else {}


async def accounts_by_id(view: View, here: Here, ids: Iterable[int]) -> list[Entity]:
    """The accounts of these ids that are there and not suspended, in their order."""
    wanted = list(dict.fromkeys(ids))
    known = await stored_accounts.find_many(view, wanted)
    shown = [known[id_] for id_ in wanted if id_ in known and known[id_].active]
    return await accounts(view, here, shown)


async def account(view: View, here: Here, known: Account) -> Entity:
    """One account."""
    return (await accounts(view, here, [known]))[0]


async def own_account(view: View, here: Here, member: Member) -> Entity:
    """The account of the member who asks."""
    held = await states_for(view, here, [member.account.id])
    requests = await relations.count_requests(view, member.account.id)
    return entities.own_account(here, member, held.get(member.account.id, ()), requests=requests)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gathered:
    """What belongs to all the posts of a page."""

    authors: Mapping[int, Entity]
    mentions: Mapping[int, Sequence[Mention]]
    attachments: Mapping[int, Sequence[Attachment]]
    polls: Mapping[int, Poll]
    cases: Mapping[int, Case]
    votes: Mapping[int, Sequence[int]]
    reacted: Reacted
    quotes: Mapping[int, Quote]
    quoted: Mapping[int, Post]
    """By its id, what the viewer may read of that which is quoted with consent."""
    hidden: Mapping[int, str]
    """By the id of what is quoted: why it is folded away from this viewer."""
    counts: Mapping[int, int]
    ties: Mapping[int, Tie]
    accounts: Mapping[int, Account]


async def statuses(view: View, here: Here, viewer: Account | None, shown: Sequence[Post]) -> list[Entity]:
    """Posts that the viewer may read, as statuses, in their order. What they boost is read with them."""
    if not shown:
        return []
    originals = await posts.find_many(view, (post.boost_of_id for post in shown if post.boost_of_id is not None))
    everything = {post.id: post for post in shown} | originals
    quotes = await stored_quotes.of_posts(view, everything)
    quoted = await read.quoted(view, here, viewer, quotes.values())
    gathered = await _gather(view, here, viewer, list((quoted | everything).values()), quotes, quoted)
    return [
        _status(here, viewer, post, gathered, originals.get(post.boost_of_id) if post.boost_of_id else None)
        for post in shown
        if post.boost_of_id is None or post.boost_of_id in originals
    ]


async def status(view: View, here: Here, viewer: Account | None, post: Post) -> Entity:
    """One post that the viewer may read."""
    return (await statuses(view, here, viewer, [post]))[0]


async def _gather(
    view: View,
    here: Here,
    viewer: Account | None,
    everything: Sequence[Post],
    quotes: Mapping[int, Quote],
    quoted: Mapping[int, Post],
) -> _Gathered:
    ids = [post.id for post in everything]
    authors = await stored_accounts.find_many(view, (post.account_id for post in everything))
    shown = await accounts(view, here, list(authors.values()))
    return _Gathered(
        authors=dict(zip(authors, shown, strict=True)),
        mentions=await posts.mentions(view, ids),
        attachments=await posts.attachments(view, ids),
        polls=await posts.polls(view, [post.id for post in everything if post.kind == "Question"]),
        cases=await cases.of_posts(view, ids),
        votes=await posts.own_votes(view, viewer.id, ids) if viewer else {},
        reacted=await reactions.of_viewer(view, viewer.id, ids) if viewer else Reacted(),
        quotes=quotes,
        quoted=quoted,
        hidden=await _hidden(view, here, viewer, quotes, quoted) if viewer else {},
        counts=await stored_quotes.count(view, ids),
        ties=await permission.ties(view, viewer, everything, authors) if viewer else {},
        accounts=authors,
    )


async def _hidden(
    view: View, here: Here, viewer: Account, quotes: Mapping[int, Quote], quoted: Mapping[int, Post]
) -> dict[int, str]:
    """What is quoted of those whom the viewer mutes or blocks, in Mastodon's words."""
    agreed = {quote.quoted_id for quote in quotes.values() if quote.state == "accepted" and quote.quoted_id}
    if not agreed:
        return {}
    lost = await posts.find_many(view, agreed - set(quoted))
    blocking, _ = await relations.blocks_between(view, viewer.id, {post.account_id for post in lost.values()})
    muted = await relations.muted_among(view, viewer.id, {post.account_id for post in quoted.values()}, here.now())
    why = {id_: "blocked_account" for id_, post in lost.items() if post.account_id in blocking}
    return why | {id_: "muted_account" for id_, post in quoted.items() if post.account_id in muted}


def _status(here: Here, viewer: Account | None, post: Post, gathered: _Gathered, original: Post | None) -> Entity:
    reblog = _status(here, viewer, original, gathered, None) if original is not None else None
    # A boost shows what was done with the post that it passes on.
    done = original.id if original is not None else post.id
    reacted = gathered.reacted
    parts = Parts(
        author=gathered.authors[post.account_id],
        mentions=gathered.mentions.get(done, ()),
        attachments=gathered.attachments.get(done, ()),
        poll=gathered.polls.get(done),
        own_votes=gathered.votes.get(done, ()),
        case=gathered.cases.get(done),
        liked=done in reacted.liked,
        boosted=done in reacted.boosted,
        kept=done in reacted.kept,
        pinned=done in reacted.pinned,
        mine=viewer is not None and viewer.id == post.account_id,
        viewer_id=viewer.id if viewer is not None else None,
        reblog=reblog,
        quote=_quote(here, viewer, gathered.quotes.get(done), gathered),
        quotes=gathered.counts.get(done, 0),
        quote_leave=permission.leave_of(post, "quote", gathered.ties[done]) if done in gathered.ties else "none",
        followers_uri=gathered.accounts[post.account_id].followers_uri,
        following_uri=gathered.accounts[post.account_id].following_uri,
    )
    entity = entities.status(here, post, parts)
    if original is not None and reblog is not None:
        entity |= {name: reblog[name] for name in _OF_THE_ORIGINAL}
    return entity


def _quote(here: Here, viewer: Account | None, quote: Quote | None, gathered: _Gathered) -> Entity | None:
    """What a post quotes; what is quoted by that in turn is not shown with it."""
    if quote is None:
        return None
    if quote.state != "accepted":
        return {"state": quote.state, "quoted_status": None}
    post = gathered.quoted.get(quote.quoted_id or 0)
    state = gathered.hidden.get(quote.quoted_id or 0)
    if post is None:
        return {"state": state or ("unauthorized" if quote.quoted_id else "deleted"), "quoted_status": None}
    alone = replace(gathered, quotes={})
    return {"state": state or quote.state, "quoted_status": _status(here, viewer, post, alone, None)}


_OF_THE_ORIGINAL: Final = (
    "content", "spoiler_text", "sensitive", "language", "replies_count", "reblogs_count", "favourites_count",
    "tags", "mentions", "media_attachments", "poll", "edited_at", "emojis", "quote_approval", "interaction_policy",
)  # fmt: skip


async def notifications(view: View, here: Here, viewer: Account, found: Sequence[Notification]) -> list[Entity]:
    """Notifications, without those about a post that the viewer may not read any more (M01)."""
    about = await posts.find_many(view, (one.post_id for one in found if one.post_id is not None))
    readable = await read.readable(view, here, viewer, list(about.values()))
    shown = await statuses(view, here, viewer, readable)
    by_post = {int(str(entity["id"])): entity for entity in shown}
    known = await stored_accounts.find_many(view, {id_ for one in found for id_ in (one.from_id, one.group_id) if id_})
    people = dict(zip(known, await accounts(view, here, list(known.values())), strict=True))
    return [
        entities.notification(one, people[one.from_id], by_post.get(one.post_id or 0), people.get(one.group_id or 0))
        for one in found
        if one.from_id in people and (one.post_id is None or one.post_id in by_post)
    ]
