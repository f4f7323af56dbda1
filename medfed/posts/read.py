"""Who may read what, on every surface: lists, threads and single posts all pass through `readable`."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from medfed.activitypub.here import Here
from medfed.domain.accounts import Account
from medfed.domain.posts import Post, Quote, Standing, may_read
from medfed.kernel.errors import NotFound
from medfed.kernel.paging import Page
from medfed.storage import accounts, groups, posts, relations
from medfed.storage.database import View
from medfed.verification.gate import qualifying

_ROUNDS: Final = 8
"""How often a list asks for more candidates when some may not be read (A18)."""


async def readable(view: View, here: Here, viewer: Account | None, candidates: Sequence[Post]) -> list[Post]:
    """Those of `candidates` that the viewer (None: anybody) may read, in their order."""
    if not candidates:
        return []
    originals = await posts.find_many(view, (post.boost_of_id for post in candidates if post.boost_of_id))
    judged = {post.id: post for post in candidates} | originals
    if viewer is None:
        hidden = await _suspended(view, judged.values())
        allowed = {post.id for post in judged.values() if post.is_open and post.account_id not in hidden}
    else:
        allowed = await _allowed(view, here, viewer, list(judged.values()))
    return [
        post for post in candidates if post.id in allowed and (post.boost_of_id is None or post.boost_of_id in allowed)
    ]


async def _allowed(view: View, here: Here, viewer: Account, judged: Sequence[Post]) -> set[int]:
    authors = {post.account_id for post in judged}
    closed = [post for post in judged if not post.is_open]
    followed = await relations.followed_among(view, viewer.id, {post.account_id for post in closed})
    mentioned = await posts.mentioning(view, viewer.id, [post.id for post in closed])
    blocking, blocked_by = await relations.blocks_between(view, viewer.id, authors)
    hidden = await _suspended(view, judged)
    required = {post.requires for post in closed if post.visibility == "verified" and post.requires is not None}
    satisfied = await qualifying(view, here, viewer.id, required) if required else frozenset()
    in_group = await groups.readable_by(view, viewer.id, (post.id for post in closed if post.visibility == "group"))
    allowed = set()
    for post in judged:
        if post.account_id in hidden and post.account_id != viewer.id:
            continue
        standing = Standing(
            viewer_id=viewer.id,
            follows_author=post.account_id in followed,
            mentioned=post.id in mentioned,
            blocked=post.account_id in blocked_by or post.account_id in blocking,
            recognised=post.requires is not None and post.requires in satisfied,
            in_group=post.id in in_group,
        )
        if may_read(post, standing):
            allowed.add(post.id)
    return allowed


async def _suspended(view: View, judged: Iterable[Post]) -> set[int]:
    known = await accounts.find_many(view, (post.account_id for post in judged))
    return {account.id for account in known.values() if account.suspended_at is not None}


async def get(view: View, here: Here, viewer: Account | None, id_: int) -> Post:
    """The post with this id, if the viewer may read it. Raises NotFound either way else (M12)."""
    post = await posts.find(view, id_)
    if post is None or not await readable(view, here, viewer, [post]):
        raise NotFound("there is no such post")
    return post


async def may(view: View, here: Here, viewer: Account | None, post: Post) -> bool:
    """Whether the viewer may read a post."""
    return bool(await readable(view, here, viewer, [post]))


async def quoted(view: View, here: Here, viewer: Account | None, quotes: Iterable[Quote]) -> dict[int, Post]:
    """Of what is quoted with its author's consent, what the viewer may read, by its id (D17)."""
    agreed = await posts.find_many(
        view, (quote.quoted_id for quote in quotes if quote.state == "accepted" and quote.quoted_id is not None)
    )
    shown = await readable(view, here, viewer, list(agreed.values()))
    return {post.id: post for post in shown if post.is_open and not post.is_boost}


Candidates = Callable[[Page], Awaitable[list[Post]]]


async def fill(
    view: View, here: Here, viewer: Account | None, page: Page, candidates: Candidates, *, quiet: bool = False
) -> list[Post]:
    """A page of a list, filled with what the viewer may read; asks for more where some may not be.

    `quiet` leaves out whom the viewer has muted.
    """
    found: list[Post] = []
    rest = page
    for _ in range(_ROUNDS):
        batch = await candidates(rest)
        kept = await readable(view, here, viewer, batch)
        if quiet and viewer is not None:
            kept = await _unmuted(view, here, viewer, kept)
        found = [*kept, *found] if page.forwards else [*found, *kept]
        if len(found) >= page.limit or len(batch) < rest.limit:
            break
        rest = rest.above(batch[0].id) if page.forwards else rest.below(batch[-1].id)
    return found[-page.limit :] if page.forwards else found[: page.limit]


async def _unmuted(view: View, here: Here, viewer: Account, kept: list[Post]) -> list[Post]:
    originals = await posts.find_many(view, (post.boost_of_id for post in kept if post.boost_of_id))
    authors = {post.account_id for post in (*kept, *originals.values())}
    muted = await relations.muted_among(view, viewer.id, authors, here.now())
    if not muted:
        return kept
    return [
        post
        for post in kept
        if post.account_id not in muted
        and (post.boost_of_id is None or originals[post.boost_of_id].account_id not in muted)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """What stands above a post, and what was answered to it, depth first; only what the viewer may read."""

    ancestors: tuple[Post, ...]
    descendants: tuple[Post, ...]


async def thread(view: View, here: Here, viewer: Account | None, post: Post) -> Thread:
    """The conversation around a post.

    Each post is shown once: two processes that store posts which answer each other could close a circle.
    """
    everything = await posts.conversation(view, post.conversation_id)
    known = {one.id: one for one in await readable(view, here, viewer, everything) if one.id != post.id}
    ancestors: list[Post] = []
    above = post.in_reply_to_id
    while above is not None and above in known:
        ancestors.append(known.pop(above))
        above = ancestors[-1].in_reply_to_id
    answers: dict[int, list[Post]] = {}
    for one in known.values():
        if one.in_reply_to_id is not None:
            answers.setdefault(one.in_reply_to_id, []).append(one)
    descendants: list[Post] = []
    waiting = sorted(answers.get(post.id, ()), key=lambda one: one.id, reverse=True)
    while waiting:
        one = waiting.pop()
        descendants.append(one)
        waiting += sorted(answers.get(one.id, ()), key=lambda answer: answer.id, reverse=True)
    return Thread(ancestors=tuple(reversed(ancestors)), descendants=tuple(descendants))
