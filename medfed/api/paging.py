"""Pages of the client API: max_id, since_id, min_id and limit in, a Link header out."""

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode

from starlette.requests import Request

from medfed.activitypub.here import Here
from medfed.api.params import Params
from medfed.kernel.paging import LARGEST, Page

_CURSORS: Final = frozenset({"max_id", "since_id", "min_id"})


def page_of(params: Params, *, default: int = 20, most: int = 40) -> Page:
    """The page that is asked for; more than `most` rows become `most`. Raises Invalid."""
    return Page(
        limit=limit_of(params, default=default, most=most),
        max_id=params.id("max_id") or LARGEST,
        since_id=params.id("since_id") or 0,
        min_id=params.id("min_id") or 0,
    )


def limit_of(params: Params, *, default: int = 20, most: int = 40) -> int:
    """How many rows are asked for: at least one, at most `most`. Raises Invalid."""
    return max(1, min(params.number("limit", default), most))


def links(here: Here, request: Request, cursors: Sequence[int]) -> Mapping[str, str]:
    """The Link header of a page whose rows have these cursors, newest first; no header for an empty page."""
    if not cursors:
        return {}
    pairs = parse_qsl(request.scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
    kept = [(name, value) for name, value in pairs if name not in _CURSORS]
    older = urlencode([*kept, ("max_id", str(cursors[-1]))])
    newer = urlencode([*kept, ("min_id", str(cursors[0]))])
    url = address_of(here, request)
    return {"link": f'<{url}?{older}>; rel="next", <{url}?{newer}>; rel="prev"'}


def address_of(here: Here, request: Request) -> str:
    """The URL of a request without its query, fit for a header; under our own origin, whatever Host said (F15)."""
    return f"{here.uris.base}{quote(request.scope['path'])}"
