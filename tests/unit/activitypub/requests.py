"""Signed requests to take apart: built right, then bent one way at a time."""

from dataclasses import replace

from medfed.activitypub import cavage, rfc9421
from medfed.activitypub.claims import SignedRequest
from medfed.activitypub.keys import PrivateKey
from medfed.kernel.clock import Millis

NOW: Millis = 1_795_600_000_000
KEY_ID = "https://lille.test/users/roy#main-key"
BODY = b'{"type":"Create"}'
SCHEMES = {"cavage": cavage, "rfc9421": rfc9421}


def a_post(**changes: object) -> SignedRequest:
    """A delivery to our inbox, not signed yet."""
    request = SignedRequest(method="POST", target="/inbox?a=1", scheme="https", authority="lyon.test", body=BODY)
    return replace(request, **changes)  # type: ignore[arg-type]


def a_get(**changes: object) -> SignedRequest:
    """A fetch of one of our documents, not signed yet."""
    return a_post(method="GET", target="/users/dupont?page=1", body=b"", **changes)


def signed(scheme: str, request: SignedRequest, key: PrivateKey, now: Millis = NOW) -> SignedRequest:
    """The request as it arrives, signed with what `sign` adds."""
    headers = SCHEMES[scheme].sign(request, key_id=KEY_ID, key=key, now=now)
    return with_headers(request, **{"host": request.authority, **headers})


def with_headers(request: SignedRequest, **changes: str | None) -> SignedRequest:
    """The request with headers set, or taken away (None). Underscores stand for hyphens."""
    given = {name.replace("_", "-"): value for name, value in changes.items()}
    kept = [(name, value) for name, value in request.headers if name not in given]
    return replace(request, headers=[*kept, *((name, value) for name, value in given.items() if value is not None)])
