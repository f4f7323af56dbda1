"""Bind a body to its headers: `Digest` (RFC 3230, for cavage) and `Content-Digest` (RFC 9530)."""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from medfed.kernel.errors import BadSignature

_DIGEST: Final = re.compile(r"([A-Za-z0-9-]++)=([A-Za-z0-9+/]++={0,2})")
_CONTENT_DIGEST: Final = re.compile(r"([a-z0-9-]++)=:([A-Za-z0-9+/]++={0,2}):")
_BODIES_KEPT: Final = 8
"""One post goes to many hosts, and its body is the same for all of them."""

_ALGORITHMS: Final = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}


@lru_cache(maxsize=_BODIES_KEPT)
def digest(body: bytes) -> str:
    """Value of the `Digest` header: SHA-256=…"""
    return f"SHA-256={_base64(hashlib.sha256(body).digest())}"


@lru_cache(maxsize=_BODIES_KEPT)
def content_digest(body: bytes) -> str:
    """Value of the `Content-Digest` header: sha-256=:…:"""
    return f"sha-256=:{_base64(hashlib.sha256(body).digest())}:"


def verify_digest(values: Sequence[str], body: bytes) -> None:
    """Check every value that `Digest` was sent with (there must be one) against the raw body.

    Raises BadSignature; also for two digests, where readers could differ on which one counts.
    """
    _verify(_DIGEST, values, body)


def verify_content_digest(values: Sequence[str], body: bytes) -> None:
    """Check every value that `Content-Digest` was sent with (there must be one) against the raw body.

    Raises BadSignature; also for two digests, where readers could differ on which one counts.
    """
    _verify(_CONTENT_DIGEST, values, body)


def _verify(form: re.Pattern[str], values: Sequence[str], body: bytes) -> None:
    if len(values) != 1:
        raise BadSignature("the request must carry exactly one digest of its body")
    match = form.fullmatch(values[0].strip(" \t"))
    if match is None:
        raise BadSignature("the digest of the body is malformed, or there are several")
    algorithm = _ALGORITHMS.get(match.group(1).lower())
    if algorithm is None:
        raise BadSignature("the digest of the body must be SHA-256 or SHA-512")
    try:
        claimed = binascii.a2b_base64(match.group(2), strict_mode=True)
    except binascii.Error as error:
        raise BadSignature("the digest of the body is malformed") from error
    if not hmac.compare_digest(claimed, algorithm(body).digest()):
        raise BadSignature("the body is not the one that was signed")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
