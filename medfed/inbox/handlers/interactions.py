"""QuoteRequest, LikeRequest, ReplyRequest, AnnounceRequest, and the answers to ours (FEP-044f, GoToSocial)."""

from medfed.activitypub.stamps import REQUESTS
from medfed.activitypub.uris import same_origin
from medfed.activitypub.wire import Document, author_of, quoted_by, reference, text_of, type_of
from medfed.domain.interactions import Deed
from medfed.domain.posts import Post
from medfed.inbox.admit import Admitted
from medfed.inbox.handlers import credentials
from medfed.inbox.handling import Handling
from medfed.inbox.resolve import Resolved
from medfed.kernel import limits
from medfed.kernel.errors import Malformed, OriginMismatch
from medfed.kernel.html import clean, neutralise, plain
from medfed.posts import consents, quoting, read
from medfed.storage import posts, reactions
from medfed.storage.database import Transaction, View
from medfed.storage.reactions import Liked


async def request(tx: Transaction, use: Handling, admitted: Admitted, _resolved: Resolved) -> str:
    """A peer's actor asks to do something with a post of ours; who may not read it is told nothing."""
    activity, actor = admitted.activity, admitted.actor
    deed = REQUESTS[activity.kind]
    object_uri, excerpt = _meant(admitted, deed)
    post = await posts.find_by_uri(tx, activity.object_id)
    if post is None or not post.local or post.is_boost or not await read.may(tx, use.here, actor, post):
        return "no such post"
    return await consents.requested(
        tx,
        use.here,
        use.levels,
        post,
        actor,
        deed=deed,
        object_uri=object_uri,
        request_uri=activity.id,
        excerpt=excerpt,
    )


def _meant(admitted: Admitted, deed: Deed) -> tuple[str, str]:
    """What it is to be done with, and how that begins. Raises Malformed, OriginMismatch: another's, or for another."""
    activity = admitted.activity
    instrument = activity.document.get("instrument")
    uri = reference(instrument)
    if not uri:
        raise Malformed("the request does not say for what")
    if not same_origin(uri, activity.actor):
        raise OriginMismatch("the request is for what another would do")
    if not isinstance(instrument, dict):
        return uri, ""
    by = author_of(instrument) or reference(instrument.get("actor"))
    if by not in ("", activity.actor):
        raise OriginMismatch("the request is for what another would do")
    if _target(instrument, deed) not in ("", activity.object_id):
        raise OriginMismatch("the request is for another post than it shows")
    content = plain(clean(text_of(instrument, "content", limits.CONTENT_IN)))
    return uri, neutralise(" ".join(content.split()), limits.EXCERPT)


def _target(instrument: Document, deed: Deed) -> str:
    match deed:
        case "quote":
            return quoted_by(instrument)
        case "reply":
            return reference(instrument.get("inReplyTo"))
        case "like" | "boost":
            return reference(instrument.get("object"))


async def accept(tx: Transaction, use: Handling, admitted: Admitted, resolved: Resolved) -> str:
    """An author lets a member quote, answer, like or boost; an attestation is accepted; or a member may follow."""
    deed, about = await _asked(tx, use, admitted)
    actor, here, levels = admitted.actor, use.here, use.levels
    # Until 0.20 GoToSocial's Accept was itself what shows that an answer or a boost may stand.
    stamp = reference(admitted.activity.document.get("result")) or ("" if deed == "quote" else admitted.activity.id)
    if isinstance(about, Liked):
        return await consents.like_accepted(tx, here, levels, actor, about)
    if about is None:
        return await credentials.accept(tx, use, admitted, resolved)
    match deed:
        case "quote":
            return await consents.quote_accepted(tx, here, levels, actor, about, stamp)
        case "boost":
            return await consents.boost_accepted(tx, here, levels, actor, about, stamp)
        case _:
            return await consents.answer_accepted(tx, here, levels, actor, about, stamp)


async def reject(tx: Transaction, use: Handling, admitted: Admitted, resolved: Resolved) -> str:
    """An author does not let a member quote, answer, like or boost; an attestation is refused; or a follower is."""
    deed, about = await _asked(tx, use, admitted)
    actor, here, levels = admitted.actor, use.here, use.levels
    if isinstance(about, Liked):
        return await consents.like_rejected(tx, here, levels, actor, about)
    if about is None:
        return await credentials.reject(tx, use, admitted, resolved)
    match deed:
        case "quote":
            return await consents.quote_rejected(tx, here, levels, actor, about)
        case "boost":
            return await consents.boost_rejected(tx, here, levels, actor, about)
        case _:
            return await consents.answer_rejected(tx, actor, about)


async def _asked(view: View, use: Handling, admitted: Admitted) -> tuple[Deed, Post | Liked | None]:
    """What a member did that an answer is about, and what they wanted to do with it.

    By the id of our request to quote, by what that was for, or, of anything else, by its own id.
    """
    activity = admitted.activity
    uri = quoting.asked_for(activity.object_id)
    if not uri and activity.object is not None and type_of(activity.object) == "QuoteRequest":
        uri = reference(activity.object.get("instrument"))
    is_quote, uri = bool(uri), uri or activity.object_id
    post = await posts.find_by_uri(view, uri) if use.here.uris.is_ours(uri) else None
    ours = post if post is not None and post.local else None
    if is_quote:
        return "quote", ours if ours is not None and not ours.is_boost else None
    if ours is None:
        return "like", await reactions.of_member(view, uri) if use.here.uris.is_ours(uri) else None
    if ours.is_boost:
        return "boost", ours
    return "reply", ours if ours.in_reply_to_id is not None else None
