"""Reads the stamp that lets a post be quoted (FEP-044f): a document of the quoted author's server."""

from dataclasses import dataclass

from medfed.activitypub.wire import Document, reference, type_of
from medfed.kernel.errors import Malformed


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
    if type_of(document) != "QuoteAuthorization" or not all((stamp.id, stamp.by, stamp.quoting, stamp.quoted)):
        raise Malformed("this is no authorization of a quote")
    return stamp
