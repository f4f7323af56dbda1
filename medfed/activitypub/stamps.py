"""The stamp that lets a post be quoted, liked, answered or passed on: a document of its author's server.

FEP-044f says it for quotes, GoToSocial for the rest.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from medfed.activitypub import contexts
from medfed.activitypub.wire import Document, reference, type_of
from medfed.domain.interactions import Deed
from medfed.kernel.errors import Malformed

REQUESTS: Final[Mapping[str, Deed]] = {
    "QuoteRequest": "quote",
    "LikeRequest": "like",
    "ReplyRequest": "reply",
    "AnnounceRequest": "boost",
}
"""The activities that ask for a stamp, and what for."""

_STAMPS: Final[Mapping[Deed, str]] = {
    "quote": "QuoteAuthorization",
    "like": "LikeAuthorization",
    "reply": "ReplyAuthorization",
    "boost": "AnnounceAuthorization",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """`by` agrees that the post `quoting` quotes the post `quoted`."""

    id: str
    by: str
    quoting: str
    quoted: str


def read_stamp(document: Document) -> Stamp:
    """A QuoteAuthorization. Raises Malformed for anything else."""
    stamp = Stamp(
        id=reference(document.get("id")),
        by=reference(document.get("attributedTo")),
        quoting=reference(document.get("interactingObject")),
        quoted=reference(document.get("interactionTarget")),
    )
    if type_of(document) != _STAMPS["quote"] or not all((stamp.id, stamp.by, stamp.quoting, stamp.quoted)):
        raise Malformed("this is no authorization of a quote")
    return stamp


def stamp_document(deed: Deed, *, id_: str, by: str, interacting: str, target: str) -> dict[str, object]:
    """A stamp of ours, without a context of its own."""
    return {
        "id": id_,
        "type": _STAMPS[deed],
        "attributedTo": by,
        "interactingObject": interacting,
        "interactionTarget": target,
    }


def stamp(deed: Deed, *, id_: str, by: str, interacting: str, target: str) -> dict[str, object]:
    """A stamp of ours, as it is served."""
    document = stamp_document(deed, id_=id_, by=by, interacting=interacting, target=target)
    return {"@context": list(contexts.AUTHORIZATION), **document}
