"""FEP-8fcf: the digest of an author's followers on one host, and the header that announces it with a delivery."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from hashlib import sha256
from operator import xor
from typing import Final

from medfed.activitypub.cavage import parse_parameters
from medfed.activitypub.uris import is_at_home
from medfed.activitypub.wire import Document, listed, reference, type_of
from medfed.kernel import limits
from medfed.kernel.errors import BadSignature, Malformed, OriginMismatch

HEADER: Final = "collection-synchronization"
_BITS: Final = 256
_DIGITS: Final = frozenset("0123456789abcdef")
_KINDS: Final = frozenset({"Collection", "OrderedCollection", "CollectionPage", "OrderedCollectionPage"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """What an author's server says of the followers that the author has on the receiver's host."""

    collection: str
    url: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Followers that a collection, or a page of one, lists; `next` is where it goes on, '' at the end."""

    ids: tuple[str, ...]
    next: str
    total: int | None


def digest(uris: Iterable[str]) -> str:
    """The XOR of the SHA-256 of each id, in hexadecimal; that of nobody is all zeros."""
    together = reduce(xor, (int.from_bytes(sha256(uri.encode()).digest()) for uri in uris), 0)
    return f"{together:0{_BITS // 4}x}"


def write(announced: Announced) -> str:
    """The value of the header."""
    return f'collectionId="{announced.collection}", url="{announced.url}", digest="{announced.digest}"'


def read(value: str, *, actor: str, followers: str) -> Announced:
    """Read the header of an activity that `actor`, whose followers collection is `followers`, has signed.

    Raises Malformed for what is none, OriginMismatch when it speaks of another collection than the actor's own, or
    has us ask another server than its own: such a header is to be ignored (FEP-8fcf, "on the receiving end").
    """
    if len(value) > limits.SIGNATURE_HEADER:
        raise Malformed("the Collection-Synchronization header is too long")
    try:
        said, _ = parse_parameters(value)
    except BadSignature as error:
        raise Malformed("the Collection-Synchronization header cannot be read") from error
    announced = Announced(
        collection=said.get("collectionId", ""), url=said.get("url", ""), digest=said.get("digest", "").lower()
    )
    if not followers or announced.collection != followers:
        raise OriginMismatch("the header speaks of a collection that is not the actor's own")
    if not is_at_home(announced.url, actor):
        raise OriginMismatch("the header names a collection on another server than the actor's")
    if len(announced.digest) != _BITS // 4 or not set(announced.digest) <= _DIGITS:
        raise Malformed("the digest of the followers is not one")
    return announced


def read_part(document: Document) -> Part:
    """A collection, with its first page if that is embedded, or one page. Raises Malformed.

    An answer that lists nobody has to say so: whoever is not listed will no longer follow.
    """
    if type_of(document) not in _KINDS:
        raise Malformed("that is no collection of followers")
    first = document.get("first")
    page = first if isinstance(first, dict) else document
    items = page.get("orderedItems", page.get("items"))
    following = page.get("next") if "next" in page else (first if page is document else None)
    total = document.get("totalItems")
    total = total if isinstance(total, int) and not isinstance(total, bool) else None
    if items is None and not following and total != 0:
        raise Malformed("the collection of followers does not say who is in it")
    ids = tuple(reference(item) for item in listed(items, limits.FOLLOWERS_LISTED))
    return Part(ids=ids, next=reference(following), total=total)
