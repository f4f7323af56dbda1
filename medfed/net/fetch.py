"""Fetches one document from another server and says what the answer means: here, gone, refused or later."""

from collections.abc import Collection
from dataclasses import dataclass
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import Final

from medfed.activitypub.strictjson import parse_object
from medfed.activitypub.uris import is_at_home
from medfed.kernel import limits
from medfed.kernel.errors import Blocked, OriginMismatch, RemoteGone, RemoteRefused, Unreachable
from medfed.net.client import Net
from medfed.net.guard import parse_url
from medfed.net.message import Headers, Response, Signer

ACTIVITY_STREAMS: Final = "https://www.w3.org/ns/activitystreams"
ACTIVITY_ACCEPT: Final = f'application/activity+json, application/ld+json; profile="{ACTIVITY_STREAMS}"'

WEBFINGER_TYPES: Final = ("application/jrd+json", "application/json")
DID_TYPES: Final = ("application/did+json", "application/did+ld+json", "application/did", "application/json")
CREDENTIAL_TYPES: Final = (
    "application/vc",
    "application/vc+ld+json",
    "application/ld+json",
    "application/json",
)

_RETRY_LATER: Final = {408, 421, 425, 429}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A document of a type that was asked for. `url` is where it was found, `body` is not parsed yet."""

    url: str
    body: bytes
    content_type: str
    headers: Headers


async def fetch_document(
    net: Net,
    url: str,
    *,
    sign: Signer | None = None,
    limit: int = limits.FETCHED_DOCUMENT,
    accept: str = ACTIVITY_ACCEPT,
    timeout: float = limits.TOTAL_TIMEOUT,  # noqa: ASYNC109
) -> Fetched:
    """Fetch an ActivityPub document. What was not served as one is refused, whatever is in it (case B15).

    The caller still has to hold `same_document` against the `id` that it reads in the body.
    Raises Blocked, Unreachable, RemoteGone, RemoteRefused.
    """
    response = await net.get(url, accept=accept, limit=limit, sign=sign, timeout=timeout, compressed=True)
    require_success(response)
    essence, profile = _media_type(response)
    if not (
        essence == "application/activity+json"
        or (essence == "application/ld+json" and ACTIVITY_STREAMS in profile.split())
    ):
        raise _wrong_type(response, essence)
    return _fetched(response, essence)


async def fetch_collection(
    net: Net, url: str, *, of: str, sign: Signer | None = None, max_array: int = limits.JSON_ARRAY
) -> dict[str, object]:
    """Fetch a collection of somebody's (`of`: their id), or a page of one, from their own server and no other.

    Raises OriginMismatch, Malformed, and as `fetch_document` does.
    """
    if not is_at_home(url, of):
        raise OriginMismatch("a collection is, or goes on, at another server than its owner's")
    fetched = await fetch_document(net, url, sign=sign)
    if not is_at_home(fetched.url, of):
        raise OriginMismatch("a collection was found at another server than its owner's")
    return parse_object(fetched.body, max_array=max_array)


async def fetch_json(
    net: Net,
    url: str,
    *,
    types: Collection[str],
    limit: int = limits.FETCHED_SMALL,
    sign: Signer | None = None,
    timeout: float = limits.TOTAL_TIMEOUT,  # noqa: ASYNC109
) -> Fetched:
    """Fetch a JSON document served as one of `types` (WebFinger, NodeInfo, DID documents, credentials).

    Raises Blocked, Unreachable, RemoteGone, RemoteRefused.
    """
    response = await net.get(url, accept=", ".join(types), limit=limit, sign=sign, timeout=timeout, compressed=True)
    require_success(response)
    essence, _ = _media_type(response)
    if essence not in types:
        raise _wrong_type(response, essence)
    return _fetched(response, essence)


def require_success(response: Response) -> Response:
    """The response itself if its status is 2xx, and otherwise what the status means for whoever asked.

    Raises RemoteGone (404, 410), Unreachable (5xx, 429 and the like, with `retry_after`), RemoteRefused.
    """
    status = response.status
    if 200 <= status < 300:
        return response
    host = _authority(response.url)
    if status in (404, 410):
        raise RemoteGone(f"answered {status}", host=host, remote_status=status)
    if status >= 500 or status in _RETRY_LATER:
        wait = retry_after(response.headers)
        raise Unreachable(f"answered {status}", host=host, remote_status=status, retry_after=wait)
    raise RemoteRefused(f"answered {status}", host=host, remote_status=status)


def retry_after(headers: Headers) -> int | None:
    """Seconds that Retry-After asks us to wait, at most a day; None if it is missing or makes no sense.

    A date in it is compared with the Date of the same response, so that neither clock has to be right.
    """
    value = headers.get("retry-after").strip()
    if value.isascii() and value.isdigit():
        return min(int(value[:10]), limits.RETRY_AFTER)
    try:
        then = parsedate_to_datetime(value)
        seconds = (then - parsedate_to_datetime(headers.get("date"))).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(int(seconds), 0), limits.RETRY_AFTER)


def same_document(*, requested: str, final: str, claimed: str) -> str | None:
    """Whether a document found at `final` may call itself `claimed` (its `id`) (cases B06, D02).

    None if it may; otherwise the URL, `claimed` itself, that must be fetched and found the same before that.
    Raises OriginMismatch if the document speaks for another host than the one that served it.
    """
    try:
        speaks_for = _authority(claimed)
    except Blocked:
        raise OriginMismatch("the document's id is not a URL") from None
    if speaks_for != _authority(final):
        raise OriginMismatch("the document's id is on another host than the document")
    return None if claimed in (requested, final) else claimed


def _authority(url: str) -> str:
    # Plain http and other ports were admitted or refused by the fetch; here only hosts are compared.
    return parse_url(url, allow_http=True, ports=None).authority


def _media_type(response: Response) -> tuple[str, str]:
    """The type without parameters, and its profile parameter. More than one Content-Type is none."""
    values = response.headers.all("content-type")
    if len(values) != 1:
        return "", ""
    message = Message()
    message["content-type"] = values[0]
    profile = message.get_param("profile", "")
    essence = values[0].partition(";")[0].strip().lower()
    return essence, profile if isinstance(profile, str) else ""


def _wrong_type(response: Response, essence: str) -> RemoteRefused:
    return RemoteRefused(
        f"served as {essence or 'nothing in particular'}",
        host=_authority(response.url),
        remote_status=response.status,
    )


def _fetched(response: Response, essence: str) -> Fetched:
    return Fetched(url=response.url, body=response.body, content_type=essence, headers=response.headers)
