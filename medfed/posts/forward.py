"""Inbox forwarding (ActivityPub § 7.1.2): who follows a member of ours has the answers to that member's posts.

Forwarded is what its actor has proven (FEP-8b32), letter by letter, so that whoever gets it need not take our word; and
only what is for everybody: who may have the rest is for its author to say.
"""

from dataclasses import dataclass, replace

from medfed.accounts.peers import PeerLevels
from medfed.accounts.promise import KEEP, KEEP_WITHDRAWALS, WAKE
from medfed.activitypub.here import Here
from medfed.activitypub.wire import Activity
from medfed.domain.accounts import Account
from medfed.domain.posts import OPEN, Post, visibility_of
from medfed.storage import accounts, cases, outbox, posts
from medfed.storage.database import Transaction, View
from medfed.storage.outbox import WITHDRAWALS, Outgoing, Recipient


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """An activity of a peer's actor, and the very bytes that it came in."""

    actor: Account
    activity: Activity
    body: bytes
    proven: bool
    """Whether the actor's own proof is on it: what came signed by the actor may have none."""


async def forward(tx: Transaction, here: Here, levels: PeerLevels, letter: Letter, post: Post) -> None:
    """Owe what brings, changes or deletes an answer to the followers of whom it answers; called once for each.

    The three conditions of § 7.1.2 are that it was not seen before, which the inbox sees to; that it is addressed to
    a collection of ours: what is for everybody is for the followers, too; and that it answers something of ours.
    """
    if not letter.proven or not letter.body or not _is_for_everybody(letter, post):
        return
    owner = await _whom_it_answers(tx, post)
    if owner is None:
        return
    activity, now = letter.activity, here.now()
    owed: list[Recipient] = [replace(levels.followers_of(owner), but_not_on=letter.actor.host)]
    if activity.kind != "Create":
        even = activity.kind in WITHDRAWALS
        owed.append(replace(levels.holders_of(post.id), but_not_on=letter.actor.host, even_suspended=even))
    await outbox.enqueue(
        tx,
        Outgoing(
            id=here.ids.new(),
            uri=activity.id,
            account_id=owner.id,
            kind=activity.kind,
            body=letter.body,
            created_at=now,
            keep_until=now + (KEEP_WITHDRAWALS if activity.kind in WITHDRAWALS else KEEP),
            post_id=post.id,
        ),
        owed,
    )
    tx.wake(WAKE)


async def _whom_it_answers(view: View, post: Post) -> Account | None:
    """The member whose post this answers, or else whose post its thread began with.

    A case has its own way, by which every host that holds it learns of each answer (ADR 0009).
    """
    if post.conversation_id == post.id or await cases.of_posts(view, [post.conversation_id]):
        return None
    for id_ in (post.in_reply_to_id, post.conversation_id):
        answered = await posts.find(view, id_) if id_ is not None else None
        if answered is not None and answered.local and answered.is_open:
            owner = await accounts.find(view, answered.account_id)
            return owner if owner is not None and owner.active else None
    return None


def _is_for_everybody(letter: Letter, post: Post) -> bool:
    activity = letter.activity
    audience = visibility_of(
        activity.to, activity.cc, followers_uri=letter.actor.followers_uri, restricted=not post.is_open
    )
    return audience in OPEN and not post.is_boost
