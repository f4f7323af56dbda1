"""HTTP signatures as most of the fediverse makes them: draft-cavage-http-signatures-12.

The algorithms of the draft are dead letters: `rsa-sha256` is what peers do, `hs2019` what some call it, and `ed25519`
what others call it when their key is one. The type of the key decides in each case.
"""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import Final

from medfed.activitypub import digests
from medfed.activitypub.claims import (
    SignatureClaim,
    SignedRequest,
    check_key_id,
    check_window,
    normal_authority,
)
from medfed.activitypub.keys import KeyKind, PrivateKey
from medfed.kernel import limits
from medfed.kernel.clock import SECOND, Millis
from medfed.kernel.errors import BadSignature

_PARAMETER: Final = re.compile(r'[ \t]*+([A-Za-z]++)[ \t]*+=[ \t]*+(?:"([^"\\]*+)"|(-?\d{1,15}+))[ \t]*+(?:,|$)')
_REQUIRED_KIND: Final[Mapping[str | None, KeyKind | None]] = {
    "rsa-sha256": "rsa",
    "ed25519": "ed25519",
    "hs2019": None,
    None: None,
}
_IMF_FIXDATE: Final = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\d\d) (\w{3}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT", re.ASCII
)
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parameters:
    key_id: str
    algorithm: str | None
    covered: tuple[str, ...]
    signature: bytes
    created: int | None
    expires: int | None


def read(request: SignedRequest, now: Millis) -> SignatureClaim:
    """Read the `Signature` header and check all that needs no key: form, coverage, time, host, digest.

    Raises BadSignature.
    """
    parameters = _parameters(request)
    _check_coverage(request, parameters)
    created = _check_times(request, parameters, now)
    _check_host(request)
    if "digest" in parameters.covered:
        digests.verify_digest(request.values("digest"), request.body)
    if "content-digest" in parameters.covered:
        digests.verify_content_digest(request.values("content-digest"), request.body)
    return SignatureClaim(
        key_id=parameters.key_id,
        scheme="cavage",
        created=created * SECOND,
        signature=parameters.signature,
        bases=tuple(_bases(request, parameters)),
        required=_REQUIRED_KIND[parameters.algorithm],
        covered=parameters.covered,
    )


def sign(request: SignedRequest, *, key_id: str, key: PrivateKey, now: Millis) -> dict[str, str]:
    """The headers to add to `request`: host, date, signature, and the digest if it must have one."""
    headers = {"host": request.authority, "date": http_date(now)}
    if request.must_bind_body:
        headers["digest"] = digests.digest(request.body)
    covered = ("(request-target)", *headers, *request.also_signed)
    base = signing_string(request, covered, extra=headers)
    algorithm = "rsa-sha256" if key.kind == "rsa" else "hs2019"
    signature = base64.b64encode(key.sign(base)).decode("ascii")
    headers["signature"] = (
        f'keyId="{key_id}",algorithm="{algorithm}",headers="{" ".join(covered)}",signature="{signature}"'
    )
    return headers


def signing_string(
    request: SignedRequest,
    covered: Sequence[str],
    *,
    created: int | None = None,
    expires: int | None = None,
    extra: Mapping[str, str] | None = None,
) -> bytes:
    """The bytes that are signed (§ 2.3), over the request's own headers or, before them, `extra` ones.

    Raises BadSignature when something covered is not there.
    """
    special = {
        "(request-target)": f"{request.method.lower()} {request.target}",
        "(created)": None if created is None else str(created),
        "(expires)": None if expires is None else str(expires),
        **(extra or {}),
    }
    lines: list[str] = []
    for name in covered:
        value = special[name] if name in special else _header(request, name)
        if value is None or "\n" in value or "\r" in value:
            raise BadSignature(f"the signature covers {name}, which the request does not carry")
        lines.append(f"{name}: {value}")
    try:
        return "\n".join(lines).encode("latin-1")
    except UnicodeEncodeError as error:
        raise BadSignature("a signed header cannot be written as bytes") from error


def http_date(at: Millis) -> str:
    """IMF-fixdate (RFC 9110 § 5.6.7): Sun, 06 Nov 1994 08:49:37 GMT."""
    return format_datetime(datetime.fromtimestamp(at // SECOND, UTC), usegmt=True)


def _parameters(request: SignedRequest) -> _Parameters:
    values = request.values("signature")
    if len(values) != 1 or len(values[0]) > limits.SIGNATURE_HEADER:
        raise BadSignature("the request must carry exactly one Signature header")
    strings, integers = parse_parameters(values[0])
    if "keyId" not in strings or "signature" not in strings:
        raise BadSignature("the signature names no key, or has no value")
    # Seconds are unquoted integers (§ 2.1.4); read as anything else, two readers could see two times.
    if not strings.keys().isdisjoint(("created", "expires")):
        raise BadSignature("the times of the signature must be integers")
    algorithm = strings.get("algorithm")
    if algorithm not in _REQUIRED_KIND:
        raise BadSignature("the algorithm of the signature is not supported")
    check_key_id(strings["keyId"])
    return _Parameters(
        key_id=strings["keyId"],
        algorithm=algorithm,
        # § 2.1.6: a signature without a list covers (created) alone; that is too little, and refused later.
        covered=tuple(strings.get("headers", "(created)").lower().split(" ")),
        signature=_decoded(strings["signature"]),
        created=integers.get("created"),
        expires=integers.get("expires"),
    )


def parse_parameters(header: str) -> tuple[dict[str, str], dict[str, int]]:
    """The quoted and the integer parameters of a header in this form (§ 4.1). Raises BadSignature."""
    strings: dict[str, str] = {}
    integers: dict[str, int] = {}
    at = 0
    while at < len(header):
        match = _PARAMETER.match(header, at)
        if match is None:
            raise BadSignature("the Signature header is malformed")
        name, string, integer = match.groups()
        if name in strings or name in integers:
            raise BadSignature("the Signature header has the same parameter twice")
        if integer is None:
            strings[name] = string
        else:
            integers[name] = int(integer)
        at = match.end()
    return strings, integers


def _decoded(signature: str) -> bytes:
    try:
        return binascii.a2b_base64(signature, strict_mode=True)
    except ValueError as error:  # binascii.Error is one; a letter beyond ASCII raises the plain kind
        raise BadSignature("the signature is not valid base64") from error


def _check_coverage(request: SignedRequest, parameters: _Parameters) -> None:
    covered = set(parameters.covered)
    if len(covered) != len(parameters.covered):
        raise BadSignature("the signature covers the same header twice")
    if not {"(request-target)", "host"} <= covered or covered.isdisjoint({"date", "(created)"}):
        raise BadSignature("the signature must cover (request-target), host, and date or (created)")
    # RFC 9530 obsoletes Digest; some (bovine) sign its successor in the old way.
    if request.must_bind_body and covered.isdisjoint({"digest", "content-digest"}):
        raise BadSignature("the signature must cover the digest of the body")
    # § 2.3: "If the algorithm parameter starts with rsa, hmac, or ecdsa, an implementation MUST produce
    # an error" for (created) and (expires).
    if parameters.algorithm == "rsa-sha256" and not covered.isdisjoint({"(created)", "(expires)"}):
        raise BadSignature("a signature with rsa-sha256 cannot cover (created) or (expires)")


def _check_times(request: SignedRequest, parameters: _Parameters, now: Millis) -> int:
    """When the request was signed, in seconds; every time that the signature covers must be within bounds."""
    times: list[int] = []
    if "(created)" in parameters.covered:
        if parameters.created is None:
            raise BadSignature("the signature covers (created), and does not say it")
        times.append(parameters.created)
    if "date" in parameters.covered:
        times.append(_date(request))
    for time in times:
        check_window(time, parameters.expires, now)
    return times[0]


def _date(request: SignedRequest) -> int:
    values = request.values("date")
    return _seconds(values[0] if len(values) == 1 else "")


@lru_cache(maxsize=64)
def _seconds(date: str) -> int:
    """Of an IMF-fixdate; what arrives in one second mostly bears the same."""
    match = _IMF_FIXDATE.fullmatch(date)
    if match is None or match.group(2) not in _MONTHS:
        raise BadSignature("the Date header is missing or malformed")
    day, month, year, hour, minute, second = match.groups()
    try:
        moment = datetime(
            int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second), tzinfo=UTC
        )
    except ValueError as error:
        raise BadSignature("the Date header is not a date") from error
    return int(moment.timestamp())


def _check_host(request: SignedRequest) -> None:
    values = request.values("host")
    ours = normal_authority(request.authority, request.scheme)
    if len(values) != 1 or normal_authority(values[0], request.scheme) != ours:
        raise BadSignature("the request was signed for another host")


def _bases(request: SignedRequest, parameters: _Parameters) -> list[bytes]:
    path, has_query, _ = request.target.partition("?")
    # Some peers leave the query out of what they sign. For a GET that is tolerated, for nothing else.
    targets = [request]
    if has_query and request.method.upper() == "GET":
        targets.append(replace(request, target=path))
    return [
        signing_string(target, parameters.covered, created=parameters.created, expires=parameters.expires)
        for target in targets
    ]


def _header(request: SignedRequest, name: str) -> str | None:
    values = request.values(name)
    return ", ".join(values) if values else None
