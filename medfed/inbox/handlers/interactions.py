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
    """An author lets a member quote; a practitioner accepts an attestation of ours; an actor lets a member follow."""
    quoting_post = await _asked(tx, use, admitted)
    if quoting_post is None:
        return await credentials.accept(tx, use, admitted, resolved)
    stamp = reference(admitted.activity.document.get("result"))
    return await consents.quote_accepted(tx, use.here, use.levels, admitted.actor, quoting_post, stamp)


async def reject(tx: Transaction, use: Handling, admitted: Admitted, resolved: Resolved) -> str:
    """An author does not let a member quote; a practitioner refuses an attestation; an actor refuses a follower."""
    quoting_post = await _asked(tx, use, admitted)
    if quoting_post is None:
        return await credentials.reject(tx, use, admitted, resolved)
    return await consents.quote_rejected(tx, use.here, use.levels, admitted.actor, quoting_post)


async def _asked(view: View, use: Handling, admitted: Admitted) -> Post | None:
    """The member's post that an answer is about: by the id of our request, or by what the request was for."""
    activity = admitted.activity
    uri = quoting.asked_for(activity.object_id)
    if not uri and activity.object is not None and type_of(activity.object) == "QuoteRequest":
        uri = reference(activity.object.get("instrument"))
    if not use.here.uris.is_ours(uri):
        return None
    post = await posts.find_by_uri(view, uri)
    return post if post is not None and post.local else None
