"""Create, Update and Delete of posts; Add to a thread."""

from typing import Final

from medfed.activitypub.wire import PeerPost, read_post
from medfed.domain.peers import Level
from medfed.domain.posts import Post
from medfed.inbox.admit import Admitted
from medfed.inbox.handling import Handling
from medfed.inbox.resolve import Resolved
from medfed.kernel.clock import DAY
from medfed.kernel.errors import OriginMismatch, PolicyRefusal
from medfed.posts import closed, consents, featured, read, receive
from medfed.posts.carry import carry
from medfed.posts.forward import Letter, forward
from medfed.posts.gather import tell_of_answer
from medfed.posts.pass_on import pass_on_about
from medfed.storage import accounts, posts, reactions, relations
from medfed.storage import quotes as stored_quotes
from medfed.storage.database import Transaction, View

LATE: Final = 7 * DAY
"""For how long after its publication an Update may bring a post that we do not have."""


async def create(tx: Transaction, use: Handling, admitted: Admitted, resolved: Resolved) -> str:
    """A peer's new post, or a vote."""
    said = resolved.said
    if said is None:
        return "nothing to create"
    parent = await _parent(tx, said)
    if said.is_vote and parent is not None and parent.kind == "Question":
        if not await closed.may_act(tx, use.here, use.levels, admitted.actor, parent):
            raise PolicyRefusal("whoever may not read a question cannot answer it")
        counted = await receive.vote(tx, use.here, admitted.actor, said, parent)
        return "vote counted" if counted else "vote not counted"
    if admitted.level is Level.LIMITED and not await _is_wanted(tx, admitted, resolved, parent):
        raise PolicyRefusal("a limited peer, and nobody here follows or is addressed")
    if admitted.level is not Level.TRUSTED and _answers_a_closed_case(parent):
        raise PolicyRefusal("that case is for practitioners of other peers")
    await _refuse_outsiders_of_groups(tx, admitted, said, resolved, parent)
    if await _answers_unread(tx, use, admitted, parent):
        raise PolicyRefusal("whoever may not read a post cannot answer it")
    if not await _may_answer(tx, use, admitted, said, parent):
        return "its author does not let it be answered"
    post = await receive.receive(tx, use.here, admitted.actor, said, resolved.around)
    if post is None:
        return "known already"
    await tell_of_answer(tx, use.here, use.levels, post, admitted.actor)
    named = [each.id for each in resolved.around.addressed.values() if each.local and each.kind == "Group"]
    await carry(tx, use.here, use.levels, post, admitted.actor, admitted.activity.document, addressed=named)
    await forward(tx, use.here, use.levels, _letter(admitted), post)
    return "stored"


async def poll_vote(tx: Transaction, use: Handling, admitted: Admitted, _resolved: Resolved) -> str:
    """A vote as PieFed sends it: an activity of its own, which names the answer as `choice_text`."""
    activity = admitted.activity
    question = await posts.find_by_uri(tx, activity.object_id)
    if question is None or question.kind != "Question":
        return "no such poll"
    if not await read.may(tx, use.here, admitted.actor, question):
        raise PolicyRefusal("whoever may not read a question cannot answer it")
    as_others_say_it = {
        "type": "Note",
        "id": activity.id,
        "attributedTo": activity.actor,
        "inReplyTo": activity.object_id,
        "name": activity.document.get("choice_text"),
    }
    said = read_post(as_others_say_it, use.here.now())
    counted = await receive.vote(tx, use.here, admitted.actor, said, question)
    return "vote counted" if counted else "vote not counted"


def _letter(admitted: Admitted) -> Letter:
    return Letter(actor=admitted.actor, activity=admitted.activity, body=admitted.body, proven=admitted.proven)


async def _parent(view: View, said: PeerPost) -> Post | None:
    """The post that this answers, if we have it."""
    return await posts.find_by_uri(view, said.in_reply_to) if said.in_reply_to else None


async def _is_wanted(view: View, admitted: Admitted, resolved: Resolved, parent: Post | None) -> bool:
    """Whether a limited peer's post concerns a member: followed, addressed, or answering a post of ours."""
    if any(account.local for account in resolved.around.addressed.values()):
        return True
    if await relations.has_local_follower(view, admitted.actor.id):
        return True
    return parent is not None and parent.local


async def _refuse_outsiders_of_groups(
    view: View, admitted: Admitted, said: PeerPost, resolved: Resolved, parent: Post | None
) -> None:
    """What is for a closed group of ours comes from its members, on trusted peers; for one of a peer, from that group.

    Raises PolicyRefusal.
    """
    group = receive.group_of(said, resolved.around, admitted.actor, parent)
    if group is None and parent is not None and parent.visibility == "group":
        group = await accounts.find_by_uri(view, parent.audience_uri)
    if group is None:
        return
    joined = await relations.followed_among(view, admitted.actor.id, [group.id])
    if not group.local or not joined or admitted.level is not Level.TRUSTED:
        raise PolicyRefusal("only its members write into a closed group, and through it")


def _answers_a_closed_case(parent: Post | None) -> bool:
    """Whether this hangs under a post of ours that its author's server was never given (M14)."""
    return parent is not None and parent.local and parent.visibility == "verified"


async def _answers_unread(view: View, use: Handling, admitted: Admitted, parent: Post | None) -> bool:
    """Whether this hangs under a post of ours for a few, of whom its author is none (canReply)."""
    if parent is None or not parent.local or parent.visibility not in ("followers", "direct"):
        return False
    return not await read.may(view, use.here, admitted.actor, parent)


async def _may_answer(tx: Transaction, use: Handling, admitted: Admitted, said: PeerPost, parent: Post | None) -> bool:
    """Whether the author of the post of ours that this answers lets this actor (canReply); who may not is told."""
    if parent is None or not parent.local:
        return True
    return await consents.may_now(tx, use.here, use.levels, parent, admitted.actor, deed="reply", object_uri=said.id)


async def update(tx: Transaction, use: Handling, admitted: Admitted, resolved: Resolved) -> str:
    """New words, or new counts of a poll; of a post that we never had, if it concerns a member, all of it."""
    said = resolved.said
    if said is None:
        return "nothing to update"
    post = await posts.find_by_uri(tx, said.id)
    if post is None:
        return await _create_late(tx, use, admitted, resolved, said)
    if post.account_id != admitted.actor.id:
        raise OriginMismatch("only its author changes a post")
    if not await receive.revise(tx, use.here, post, admitted.actor, said, resolved.around):
        return "nothing newer"
    document = admitted.activity.document
    await pass_on_about(tx, use.here, use.levels, post, admitted.actor, document, brings=True)
    await forward(tx, use.here, use.levels, _letter(admitted), post)
    return "revised"


async def _create_late(tx: Transaction, use: Handling, admitted: Admitted, resolved: Resolved, said: PeerPost) -> str:
    """The Create got lost, or is slower. What is old, or concerns nobody here, we did not miss."""
    old = said.published is None or use.here.now() - said.published > LATE
    if said.is_vote or old or not await _is_wanted(tx, admitted, resolved, await _parent(tx, said)):
        return "unknown post"
    return await create(tx, use, admitted, resolved)


async def update_actor(_tx: Transaction, _use: Handling, _admitted: Admitted, _resolved: Resolved) -> str:
    """The actor was fetched anew before this transaction."""
    return "refreshed"


async def delete(tx: Transaction, use: Handling, admitted: Admitted, _resolved: Resolved) -> str:
    """A post, or the actor itself, is no more."""
    target = admitted.activity.object_id
    if target == admitted.actor.uri:
        await receive.erase_actor(tx, use.here, admitted.actor)
        return "actor erased"
    quoting_id = await stored_quotes.revoke(tx, target, admitted.actor.id)
    if quoting_id is not None:
        await consents.quote_withdrawn(tx, use.here, use.levels, quoting_id)
        return "quote revoked"
    post = await posts.find_by_uri(tx, target)
    if post is None:
        await posts.bury(tx, target, actor_uri=admitted.actor.uri, at=use.here.now())
        return "remembered"
    if post.account_id != admitted.actor.id:
        raise OriginMismatch("only its author deletes a post")
    document = admitted.activity.document
    await pass_on_about(tx, use.here, use.levels, post, admitted.actor, document, withdraws=True)
    await forward(tx, use.here, use.levels, _letter(admitted), post)
    await receive.erase(tx, use.here, post, admitted.actor)
    return "erased"


async def add(tx: Transaction, use: Handling, _admitted: Admitted, resolved: Resolved) -> str:
    """An answer in a thread was fetched and stored on the way here."""
    answer: Post | None = resolved.post
    if answer is None:
        return "nothing to add"
    author = await accounts.get(tx, answer.account_id)
    await tell_of_answer(tx, use.here, use.levels, answer, author)
    return "thread completed"


async def pin(tx: Transaction, use: Handling, admitted: Admitted, resolved: Resolved) -> str:
    """An actor pins a post of its own, which was fetched on the way here."""
    post = resolved.post
    if post is None or not featured.may_be_pinned(admitted.actor, post):
        return "nothing to pin"
    if not await featured.is_wanted(tx, use.levels, admitted.actor):
        raise PolicyRefusal("a limited peer, and nobody here follows")
    await reactions.pin(tx, admitted.actor.id, post.id, use.here.now())
    return "pinned"


async def unpin(tx: Transaction, admitted: Admitted) -> str:
    """An actor takes a pin off."""
    post = await posts.find_by_uri(tx, admitted.activity.object_id)
    done = post is not None and await reactions.unpin(tx, admitted.actor.id, post.id)
    return "no longer pinned" if done else "was not pinned"
