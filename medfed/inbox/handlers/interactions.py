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
from medfed.storage import posts
from medfed.storage.database import Transaction, View


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
    """An author lets a member quote or answer; a practitioner accepts an attestation; an actor lets a member follow."""
    deed, post = await _asked(tx, use, admitted)
    if post is None:
        return await credentials.accept(tx, use, admitted, resolved)
    # Until 0.20 GoToSocial's Accept was itself what shows that an answer may stand.
    stamp = reference(admitted.activity.document.get("result")) or ("" if deed == "quote" else admitted.activity.id)
    answered = consents.quote_accepted if deed == "quote" else consents.answer_accepted
    return await answered(tx, use.here, use.levels, admitted.actor, post, stamp)


async def reject(tx: Transaction, use: Handling, admitted: Admitted, resolved: Resolved) -> str:
    """An author does not let a member quote or answer; a practitioner refuses an attestation; an actor a follower."""
    deed, post = await _asked(tx, use, admitted)
    if post is None:
        return await credentials.reject(tx, use, admitted, resolved)
    if deed == "quote":
        return await consents.quote_rejected(tx, use.here, use.levels, admitted.actor, post)
    return await consents.answer_rejected(tx, admitted.actor, post)


async def _asked(view: View, use: Handling, admitted: Admitted) -> tuple[Deed, Post | None]:
    """The member's post that an answer is about, and whether it wants to quote or to answer.

    By the id of our request to quote, by what that was for, or, of an answer to another post, by its own id.
    """
    activity = admitted.activity
    uri = quoting.asked_for(activity.object_id)
    if not uri and activity.object is not None and type_of(activity.object) == "QuoteRequest":
        uri = reference(activity.object.get("instrument"))
    deed: Deed = "quote" if uri else "reply"
    uri = uri or activity.object_id
    post = await posts.find_by_uri(view, uri) if use.here.uris.is_ours(uri) else None
    if post is None or not post.local or post.is_boost or (deed == "reply" and post.in_reply_to_id is None):
        return deed, None
    return deed, post
