"""The front door for incoming HTTP signatures: one request, one scheme, one claim."""

from medfed.activitypub import cavage, rfc9421
from medfed.activitypub.claims import SignatureClaim, SignedRequest
from medfed.kernel.clock import Millis
from medfed.kernel.errors import BadSignature


def read_claim(request: SignedRequest, now: Millis) -> SignatureClaim:
    """Read the request's signature, as RFC 9421 if it has Signature-Input, else as draft-cavage-12.

    Everything that needs no key is checked: form, coverage, time window, digest of the body. Fetch the key that
    `key_id` names, then call `claims.verify`. Raises BadSignature, also when there is no signature at all.
    """
    for value in request.values("authorization"):
        scheme, _, credentials = value.partition(" ")
        # Some (apsig) repeat the Signature header as the draft's scheme of authorisation: that is no second claim.
        if scheme.lower().startswith("signature") and credentials not in request.values("signature"):
            raise BadSignature("signatures go in the Signature header, not in Authorization")
    if request.values("signature-input"):
        return rfc9421.read(request, now)
    return cavage.read(request, now)
