"""HTTP signatures on what leaves: one account, one key, one scheme."""

from collections.abc import Mapping

from medfed.activitypub import cavage, rfc9421
from medfed.activitypub.claims import Scheme, SignedRequest
from medfed.activitypub.keys import PrivateKey
from medfed.kernel.clock import Clock
from medfed.net.message import OutgoingRequest, Signer


def signer(key_id: str, key: PrivateKey, clock: Clock, scheme: Scheme = "cavage") -> Signer:
    """Signs each hop of a request anew.

    Fetches are signed by draft-cavage, which every peer reads; deliveries knock with RFC 9421 first.
    """
    sign_with = rfc9421.sign if scheme == "rfc9421" else cavage.sign

    def sign(request: OutgoingRequest) -> Mapping[str, str]:
        outgoing = SignedRequest(
            method=request.method,
            target=request.target,
            scheme=request.scheme,
            authority=request.authority,
            headers=tuple(request.headers.items()),
            body=request.body,
        )
        return sign_with(outgoing, key_id=key_id, key=key, now=clock.now())

    return sign
