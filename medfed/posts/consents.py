"""What members let others do with their posts, when asked, and what they take back; and what others let members do."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, Literal, TypeAlias

from medfed.accounts.peers import PeerLevels
from medfed.accounts.promise import inbox_of, promise, shared_inbox_of
from medfed.activitypub import contexts, render
from medfed.activitypub.here import Here
from medfed.activitypub.stamps import REQUESTS, stamp_document
from medfed.activitypub.uris import same_origin
from medfed.domain.accounts import Account
from medfed.domain.interactions import Consent, ConsentState, Deed, Leave
from medfed.domain.posts import AS_PUBLIC, REFUSED, Post, Quote, QuoteState
from medfed.kernel import limits
from medfed.kernel.errors import Forbidden, NotFound, OriginMismatch
from medfed.notifications.notify import notify
from medfed.posts import permission, publish, react
from medfed.storage import accounts, consents, notifications, posts, quotes
from medfed.storage.database import Transaction, View
from medfed.storage.outbox import Recipient
from medfed.storage.reactions import Liked

Answer: TypeAlias = Literal["granted", "refused", "waiting"]

_REQUEST_OF: Final = {deed: kind for kind, deed in REQUESTS.items()}
_AT_ONCE: Final[Mapping[Leave, ConsentState]] = {
    "free": "granted",
    "known": "granted",
    "asked": "waiting",
    "none": "refused",
}
_SHOWN_AS: Final[Mapping[ConsentState, QuoteState]] = {
    "waiting": "pending",
    "granted": "accepted",
    "refused": "rejected",
    "revoked": "revoked",
}


# ── what others ask ──────────────────────────────────────────────────────────────────────────────────────────


async def requested(
    tx: Transaction,
    here: Here,
    levels: PeerLevels,
    post: Post,
    actor: Account,
    *,
    deed: Deed,
    object_uri: str,
    request_uri: str,
    excerpt: str = "",
) -> Answer:
    """A peer's actor asks to do something with a member's post that it may read: answered now, or by the member.

    Asked again, the answer is the same: what was taken back once is not given again.
    """
    author = await accounts.get(tx, post.account_id)
    consent = await consents.of(tx, post.id, deed, object_uri)
    if consent is None:
        given = await permission.ask(tx, actor, post, deed)
        state = _AT_ONCE[given]
        if state == "waiting" and await consents.count_waiting(tx, author.id, actor.id) >= limits.REQUESTS_WAITING:
            state = "refused"
        consent = _new(here, post, actor, deed, object_uri, request_uri, excerpt, state)
        if state == "refused":
            # Not kept: the author may change their mind, and the next request be granted.
            await _answer(tx, here, levels, "Reject", consent, post, author, actor)
            return "refused"
        await consents.add(tx, consent)
    elif consent.account_id != actor.id:
        raise OriginMismatch("another has asked for that")
    if consent.state == "waiting":
        await notify(tx, here, to=author.id, kind="quote_request", from_id=actor.id, post_id=post.id)
        return "waiting"
    if consent.state == "granted":
        await _granted(tx, here, levels, consent, post, author, actor)
        return "granted"
    await _answer(tx, here, levels, "Reject", consent, post, author, actor)
    return "refused"


def _new(
    here: Here,
    post: Post,
    actor: Account,
    deed: Deed,
    object_uri: str,
    request_uri: str,
    excerpt: str,
    state: ConsentState,
) -> Consent:
    return Consent(
        id=here.ids.new_for_scripts(),
        deed=deed,
        post_id=post.id,
        author_id=post.account_id,
        account_id=actor.id,
        object_uri=object_uri,
        request_uri=request_uri,
        excerpt=excerpt,
        state=state,
        created_at=here.now(),
    )


async def may_now(
    tx: Transaction, here: Here, levels: PeerLevels, post: Post, actor: Account, *, deed: Deed, object_uri: str
) -> bool:
    """Whether a peer's actor may do what it does with a member's post, without having asked before.

    Who may only because they follow, or are followed, is given a stamp: other servers cannot tell whether they do.
    Who may not is told so.
    """
    given = await permission.ask(tx, actor, post, deed)
    if given == "free":
        return True
    author = await accounts.get(tx, post.account_id)
    consent = await consents.of(tx, post.id, deed, object_uri)
    if consent is not None and consent.state == "granted" and consent.account_id == actor.id:
        return True
    made = _new(here, post, actor, deed, object_uri, "", "", "granted")
    if given == "known" and consent is None:
        await consents.add(tx, made)
        await _granted(tx, here, levels, made, post, author, actor)
        return True
    await _answer(tx, here, levels, "Reject", made, post, author, actor)
    return False


# ── what the author decides ──────────────────────────────────────────────────────────────────────────────────


async def decide(tx: Transaction, here: Here, levels: PeerLevels, member: Account, id_: int, *, grants: bool) -> None:
    """A member answers somebody who asked. Raises NotFound when nobody waits for that."""
    consent = await consents.find(tx, id_)
    if consent is None or consent.author_id != member.id:
        raise NotFound("nobody asks for that")
    state: ConsentState = "granted" if grants else "refused"
    if not await consents.decide(tx, id_, before="waiting", state=state):
        raise NotFound("nobody asks for that any more")
    post, actor = await posts.get(tx, consent.post_id), await accounts.get(tx, consent.account_id)
    await notifications.withdraw(tx, account_id=member.id, kind="quote_request", from_id=actor.id, post_id=post.id)
    if grants:
        await _granted(tx, here, levels, consent, post, member, actor)
        return
    await _answer(tx, here, levels, "Reject", consent, post, member, actor)
    await _settle(tx, here, levels, consent, post, "rejected")


async def _granted(
    tx: Transaction, here: Here, levels: PeerLevels, consent: Consent, post: Post, author: Account, actor: Account
) -> None:
    await _answer(tx, here, levels, "Accept", consent, post, author, actor)
    if consent.deed == "quote":
        await _settle(tx, here, levels, consent, post, "accepted")


async def _answer(
    tx: Transaction,
    here: Here,
    levels: PeerLevels,
    kind: str,
    consent: Consent,
    post: Post,
    author: Account,
    actor: Account,
) -> None:
    """Tell a peer's actor. What was done without asking is answered to the author's followers, too, as they are to
    know that it stands; so GoToSocial has it.
    """
    if actor.local:
        return
    more: dict[str, Any] = {}
    if kind == "Accept":
        more["result"] = here.uris.authorization(author.uri, consent.id)
    owed: list[Recipient] = [inbox_of(actor)]
    if consent.request_uri:
        object_: object = render.activity(
            _REQUEST_OF[consent.deed],
            id_=consent.request_uri,
            actor_uri=actor.uri,
            object_=post.uri,
            instrument=consent.object_uri,
        )
    else:
        object_, more["target"] = consent.object_uri, post.uri
        if kind == "Accept" and post.is_open:
            more["cc"] = [AS_PUBLIC, author.followers_uri]
            owed.append(levels.followers_of(author))
    activity = render.activity(
        kind,
        id_=here.uris.activity(author.uri, here.ids.new()),
        actor_uri=author.uri,
        object_=object_,
        to=[actor.uri],
        **more,
    )
    await promise(tx, here, author, activity, owed, context=contexts.ANSWER)


async def _settle(
    tx: Transaction, here: Here, levels: PeerLevels, consent: Consent, post: Post, state: QuoteState
) -> None:
    """What was decided shows in the quoting post, if it is here already; else its arrival finds the decision."""
    quoting = await posts.find_by_uri(tx, consent.object_uri)
    if quoting is None or quoting.account_id != consent.account_id:
        return
    quote = (await quotes.of_posts(tx, [quoting.id])).get(quoting.id)
    if quote is None or quote.quoted_uri != post.uri:
        return
    author = await accounts.get(tx, post.account_id)
    stamp = here.uris.authorization(author.uri, consent.id) if state == "accepted" else ""
    await quotes.settle(tx, quoting.id, quoted_id=post.id, state=state, stamp_uri=stamp)
    if state == "accepted":
        await tell_of_quote(tx, here, author.id, quoting)
    if quoting.local:
        await _tell_peers(tx, here, levels, quoting)


async def tell_of_quote(tx: Transaction, here: Here, member_id: int, quoting: Post) -> None:
    """A member is told that a post quotes one of theirs."""
    await notify(tx, here, to=member_id, kind="quote", from_id=quoting.account_id, post_id=quoting.id)


async def _tell_peers(tx: Transaction, here: Here, levels: PeerLevels, quoting: Post) -> None:
    author = await accounts.get(tx, quoting.account_id)
    await publish.announce_edit(tx, here, levels, author, quoting)


async def standing(view: View, here: Here, quoted: Post, quoting_uri: str) -> tuple[QuoteState, str]:
    """What the author of a member's post has decided about a quote of it, and the stamp, if they agreed."""
    consent = await consents.of(view, quoted.id, "quote", quoting_uri)
    if consent is None:
        return "pending", ""
    author = await accounts.get(view, quoted.account_id)
    stamp = here.uris.authorization(author.uri, consent.id) if consent.state == "granted" else ""
    return _SHOWN_AS[consent.state], stamp


async def revoke(tx: Transaction, here: Here, levels: PeerLevels, member: Account, quoted: Post, quoting: Post) -> None:
    """A member no longer wants a post of theirs to be quoted there: the stamp is deleted, and peers are told.

    Raises Forbidden for another's post, NotFound when it is not quoted there.
    """
    if quoted.account_id != member.id:
        raise Forbidden("only who wrote a post decides who quotes it")
    quote = (await quotes.of_posts(tx, [quoting.id])).get(quoting.id)
    if quote is None or quote.quoted_id != quoted.id:
        raise NotFound("that post does not quote this one")
    await quotes.settle(tx, quoting.id, quoted_id=quoted.id, state="revoked")
    await notifications.withdraw(tx, account_id=member.id, kind="quote", from_id=quoting.account_id, post_id=quoting.id)
    consent = await consents.of(tx, quoted.id, "quote", quoting.uri)
    if consent is not None and await consents.decide(tx, consent.id, before="granted", state="revoked"):
        await _delete_stamp(tx, here, levels, member, consent, quoted, quoting)
    if quoting.local:
        await _tell_peers(tx, here, levels, quoting)


async def _delete_stamp(
    tx: Transaction, here: Here, levels: PeerLevels, member: Account, consent: Consent, quoted: Post, quoting: Post
) -> None:
    actor = await accounts.get(tx, quoting.account_id)
    owed: list[Recipient] = [levels.followers_of(member)]
    if quoting.local:
        owed.append(levels.holders_of(quoting.id))
    elif not levels.is_blocked(actor.host):
        owed.append(shared_inbox_of(actor))
    uri = here.uris.authorization(member.uri, consent.id)
    activity = render.activity(
        "Delete",
        id_=f"{uri}#delete",
        actor_uri=member.uri,
        object_=stamp_document("quote", id_=uri, by=member.uri, interacting=consent.object_uri, target=quoted.uri),
        to=[AS_PUBLIC],
        cc=[actor.uri, member.followers_uri],
    )
    await promise(tx, here, member, activity, owed, context=contexts.AUTHORIZATION)


# ── what others answer us ────────────────────────────────────────────────────────────────────────────────────


async def quote_accepted(
    tx: Transaction, here: Here, levels: PeerLevels, actor: Account, quoting: Post, stamp_uri: str
) -> str:
    """The author of a peer's post lets a member quote it; the stamp has to be on their own server (D16).

    Raises OriginMismatch when somebody else answers.
    """
    quote = await _own_quote(tx, actor, quoting)
    if quote.state not in ("pending", "rejected"):
        return "answered already"
    if not same_origin(stamp_uri, actor.uri):
        raise OriginMismatch("the authorization is not on its author's server")
    await quotes.settle(tx, quoting.id, quoted_id=quote.quoted_id or 0, state="accepted", stamp_uri=stamp_uri)
    await _tell_peers(tx, here, levels, quoting)
    return "quote accepted"


async def quote_rejected(tx: Transaction, here: Here, levels: PeerLevels, actor: Account, quoting: Post) -> str:
    """The author of a peer's post does not let a member quote it, or no longer does. Raises OriginMismatch."""
    quote = await _own_quote(tx, actor, quoting)
    if quote.state == "accepted":
        await quotes.settle(tx, quoting.id, quoted_id=quote.quoted_id or 0, state="revoked")
        await _tell_peers(tx, here, levels, quoting)
        return "quote revoked"
    await quotes.settle(tx, quoting.id, quoted_id=quote.quoted_id or 0, state="rejected")
    return "quote rejected"


async def quote_withdrawn(tx: Transaction, here: Here, levels: PeerLevels, quoting_id: int) -> None:
    """A stamp was deleted: if a member's post quoted with it, peers that hold that post are told."""
    quoting = await posts.find(tx, quoting_id)
    if quoting is not None and quoting.local:
        await _tell_peers(tx, here, levels, quoting)


async def answer_accepted(
    tx: Transaction, here: Here, levels: PeerLevels, actor: Account, answer: Post, stamp_uri: str
) -> str:
    """The author of a peer's post lets a member's answer stand: it is published now, or shown to be let.

    Raises OriginMismatch when somebody else says so, or for a stamp on another's server.
    """
    await _refuse_others(tx, actor, answer)
    if not same_origin(stamp_uri, actor.uri):
        raise OriginMismatch("the authorization is not on its author's server")
    if answer.permit == stamp_uri:
        return "accepted already"
    if answer.is_held:
        await publish.release(tx, here, levels, answer, stamp_uri)
        return "answer published"
    await posts.set_permit(tx, replace(answer, permit=stamp_uri))
    await _tell_peers(tx, here, levels, replace(answer, permit=stamp_uri))
    return "answer accepted"


async def answer_rejected(tx: Transaction, actor: Account, answer: Post) -> str:
    """The author of a peer's post does not let a member's answer stand: nobody else sees it here any more."""
    await _refuse_others(tx, actor, answer)
    await posts.set_permit(tx, replace(answer, permit=REFUSED))
    if answer.is_open:
        await accounts.count_post(tx, answer.account_id, -1)
    if answer.in_reply_to_id is not None:
        await posts.recount_replies(tx, answer.in_reply_to_id)
    return "answer rejected"


async def _refuse_others(view: View, actor: Account, answer: Post) -> None:
    answered = await posts.find(view, answer.in_reply_to_id) if answer.in_reply_to_id is not None else None
    if answered is None or answered.account_id != actor.id:
        raise OriginMismatch("only who is answered says so")


async def boost_accepted(
    tx: Transaction, here: Here, levels: PeerLevels, actor: Account, passed: Post, stamp_uri: str
) -> str:
    """The author of a peer's post lets a member pass it on. Raises OriginMismatch as `answer_accepted` does."""
    post = await _own_post(tx, actor, passed.boost_of_id)
    if not same_origin(stamp_uri, actor.uri):
        raise OriginMismatch("the authorization is not on its author's server")
    if not passed.is_held:
        return "accepted already"
    await react.let_boost(tx, here, levels, passed, post, stamp_uri)
    return "boost published"


async def boost_rejected(tx: Transaction, here: Here, levels: PeerLevels, actor: Account, passed: Post) -> str:
    """The author of a peer's post does not let a member pass it on, or no longer does: it is undone."""
    post = await _own_post(tx, actor, passed.boost_of_id)
    await react.unboost(tx, here, levels, await accounts.get(tx, passed.account_id), post)
    return "boost rejected"


async def like_accepted(tx: Transaction, here: Here, levels: PeerLevels, actor: Account, liked: Liked) -> str:
    """The author of a peer's post lets a member like it. Raises OriginMismatch when somebody else says so."""
    post = await _own_post(tx, actor, liked.post_id)
    return "like counted" if await react.let_like(tx, here, levels, liked, post) else "accepted already"


async def like_rejected(tx: Transaction, here: Here, levels: PeerLevels, actor: Account, liked: Liked) -> str:
    """The author of a peer's post does not let a member like it, or no longer does: it is undone."""
    post = await _own_post(tx, actor, liked.post_id)
    await react.unlike(tx, here, levels, await accounts.get(tx, liked.account_id), post)
    return "like rejected"


async def _own_post(view: View, actor: Account, id_: int | None) -> Post:
    post = await posts.find(view, id_) if id_ is not None else None
    if post is None or post.account_id != actor.id:
        raise OriginMismatch("only whose post it is says so")
    return post


async def _own_quote(view: View, actor: Account, quoting: Post) -> Quote:
    quote = (await quotes.of_posts(view, [quoting.id])).get(quoting.id)
    quoted = await posts.find(view, quote.quoted_id) if quote is not None and quote.quoted_id is not None else None
    if quote is None or quoted is None:
        raise NotFound("nothing is quoted there")
    if quoted.account_id != actor.id:
        raise OriginMismatch("only who is quoted answers that")
    return quote
