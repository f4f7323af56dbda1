"""Reads collections of peers for the ids that they list, and for where they go on. What they embed is not believed."""

from dataclasses import dataclass
from typing import Final

from medfed.activitypub.wire import Document, reference
from medfed.kernel import limits

_PARTS: Final = ("first", "next")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Ids that a collection, or a page of one, lists; `next` is the page to fetch for more, '' when this is all."""

    ids: tuple[str, ...]
    next: str


def read_listing(document: Document) -> Listing:
    """A Collection or a page. A first page, and the pages embedded in it, are read in one go, as far as they nest."""
    ids: list[str] = []
    page: object = document
    following: object = None
    while isinstance(page, dict):
        items = page.get("orderedItems", page.get("items"))
        found = (reference(item) for item in (items if isinstance(items, list) else [items])[: limits.THREAD_POSTS])
        ids += [id_ for id_ in found if id_]
        following = next((page[name] for name in _PARTS if page.get(name)), None)
        page = following if isinstance(following, dict) and _has_items(following) else None
    return Listing(ids=tuple(dict.fromkeys(ids))[: limits.THREAD_POSTS], next=reference(following))


def _has_items(page: Document) -> bool:
    return bool(page.keys() & {"items", "orderedItems", *_PARTS})
