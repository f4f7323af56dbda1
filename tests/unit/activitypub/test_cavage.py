"""draft-cavage-12: the vectors of its appendix, what must be covered, and the habits of peers."""

import base64
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from medfed.activitypub import cavage, claims, digests
from medfed.activitypub.claims import SignedRequest, VerifiedSignature
from medfed.activitypub.keys import PrivateKey, PublicKey
from medfed.kernel import limits
from medfed.kernel.clock import DAY, MINUTE, SECOND, Millis
from medfed.kernel.errors import BadSignature
from tests.unit.activitypub.requests import KEY_ID, NOW, a_get, a_post, signed, with_headers
from tests.unit.activitypub.vectors import vector

APPENDIX = vector("draft-cavage-12/appendix-c.json")
CREATED = NOW // SECOND


def published_request() -> SignedRequest:
    request = APPENDIX["request"]
    method, target, _ = request["startLine"].split()
    headers = [(name.lower(), value) for name, value in request["headers"]]
    return SignedRequest(
        method=method,
        target=target,
        scheme="https",
        authority="example.com",
        headers=headers,
        body=request["body"].encode(),
    )


def published_key() -> PublicKey:
    """A 1024-bit key: too weak for us, so taken past the door."""
    material = serialization.load_pem_public_key(APPENDIX["publicPem"].encode())
    assert isinstance(material, rsa.RSAPublicKey)
    return PublicKey(kind="rsa", spki=b"", material=material)


@pytest.mark.parametrize("case", APPENDIX["cases"], ids=lambda case: case["section"])
def test_the_signatures_of_the_draft_verify(case: dict[str, object]) -> None:
    covered = case["headersInSigningString"]
    assert isinstance(covered, list)
    base = cavage.signing_string(published_request(), covered)
    assert base.decode() == case["signingString"]
    published_key().verify(base64.b64decode(str(case["signature"])), base)


def test_the_times_of_a_signature_are_signed_as_the_draft_prints_them() -> None:
    case = APPENDIX["cases"][2]
    base = cavage.signing_string(
        published_request(),
        str(case["headersParam"]).split(),
        created=int(case["created"]),
        expires=int(case["expires"]),
    )
    assert b"\n(created): 1402170695\n(expires): 1402170699\nhost: " in base


def handmade(
    key: PrivateKey,
    covered: str = "(request-target) host date digest",
    *,
    request: SignedRequest | None = None,
    parameters: str = 'algorithm="hs2019"',
    created: int | None = None,
    expires: int | None = None,
    date: str | None = None,
    signed_target: str | None = None,
) -> SignedRequest:
    """A request signed by somebody with habits of their own."""
    complete = with_headers(signed("cavage", request or a_post(), key), date=date or cavage.http_date(NOW))
    as_signed = replace(complete, target=signed_target or complete.target)
    base = cavage.signing_string(as_signed, covered.split(" "), created=created, expires=expires)
    value = base64.b64encode(key.sign(base)).decode()
    times = "".join(
        f",{name}={time}" for name, time in (("created", created), ("expires", expires)) if time is not None
    )
    header = f'keyId="{KEY_ID}",{parameters},headers="{covered}"{times},signature="{value}"'
    return with_headers(complete, signature=header)


def admitted(request: SignedRequest, key: PrivateKey, now: Millis = NOW) -> VerifiedSignature:
    return claims.verify(cavage.read(request, now), key.public)


def refused(request: SignedRequest, key: PrivateKey, now: Millis = NOW) -> None:
    with pytest.raises(BadSignature):
        admitted(request, key, now)


@pytest.mark.parametrize(
    ("covered", "created", "expires"),
    [
        ("(request-target) host date digest", None, None),
        ("digest date host (request-target)", None, None),
        ("(request-target) host date digest user-agent", None, None),
        ("(request-target) (created) host digest", CREATED, None),
        ("(request-target) (created) (expires) host digest", CREATED, CREATED + 60),
        ("(request-target) (created) host date digest", CREATED, None),
    ],
)
def test_sufficient_coverage_is_accepted_in_any_order(
    covered: str, created: int | None, expires: int | None, ed25519_key: PrivateKey
) -> None:
    request = a_post(headers=[("user-agent", " peer/1.0 ")])
    admitted(handmade(ed25519_key, covered, request=request, created=created, expires=expires), ed25519_key)


@pytest.mark.case("C03")
@pytest.mark.parametrize(
    ("covered", "created"),
    [
        ("host date digest", None),
        ("(request-target) date digest", None),
        ("(request-target) host digest", None),
        ("(request-target) host date", None),
        ("date", None),
        ("(created)", CREATED),
        ("(request-target) host date digest date", None),
    ],
)
def test_insufficient_coverage_is_refused(covered: str, created: int | None, ed25519_key: PrivateKey) -> None:
    refused(handmade(ed25519_key, covered, created=created), ed25519_key)


@pytest.mark.case("C03")
def test_a_signature_that_lists_nothing_covers_too_little(ed25519_key: PrivateKey) -> None:
    request = handmade(ed25519_key, "(created)", created=CREATED)
    refused(
        with_headers(request, signature=request.values("signature")[0].replace('headers="(created)",', "")), ed25519_key
    )
    for covered in ("", " ", "(request-target)  host date digest"):
        bent = request.values("signature")[0].replace('headers="(created)"', f'headers="{covered}"')
        refused(with_headers(request, signature=bent), ed25519_key)


def test_a_signature_over_a_header_that_is_not_there_is_refused(ed25519_key: PrivateKey) -> None:
    request = handmade(
        ed25519_key, "(request-target) host date digest x-peer", request=a_post(headers=[("x-peer", "1")])
    )
    admitted(request, ed25519_key)
    refused(with_headers(request, x_peer=None), ed25519_key)
    refused(with_headers(request, x_peer="1\nhost: evil"), ed25519_key)
    refused(with_headers(request, x_peer="☃"), ed25519_key)


@pytest.mark.case("C05")
@pytest.mark.parametrize(
    ("created", "expires", "fine"),
    [
        (CREATED - limits.SIGNATURE_PAST_SECONDS, None, True),
        (CREATED - limits.SIGNATURE_PAST_SECONDS - 1, None, False),
        (CREATED + limits.SIGNATURE_FUTURE_SECONDS, None, True),
        (CREATED + limits.SIGNATURE_FUTURE_SECONDS + 1, None, False),
        (-CREATED, None, False),
        (0, None, False),
        (CREATED - 10, CREATED, True),
        (CREATED - 10, CREATED - 1, False),
        (CREATED, CREATED - 1, False),
        (CREATED + 60, CREATED + 30, False),
    ],
)
def test_created_and_expires_are_honoured(
    created: int, expires: int | None, fine: bool, ed25519_key: PrivateKey
) -> None:
    covered = "(request-target) host digest (created)" + (" (expires)" if expires else "")
    request = handmade(ed25519_key, covered, created=created, expires=expires)
    (admitted if fine else refused)(request, ed25519_key)


@pytest.mark.case("C05")
def test_every_time_that_is_covered_has_to_be_in_the_window(ed25519_key: PrivateKey) -> None:
    old = cavage.http_date(NOW - DAY)
    covered = "(request-target) host date digest (created)"
    refused(handmade(ed25519_key, covered, created=CREATED, date=old), ed25519_key)
    admitted(handmade(ed25519_key, covered.replace(" date", ""), created=CREATED, date=old), ed25519_key)


@pytest.mark.case("C05")
@pytest.mark.parametrize(
    "replacement",
    [
        f'created="{CREATED}"',
        f"created={CREATED}.5",
        f"created={2**63}",
        "created=",
        "created=now",
        f"created={CREATED},created={CREATED}",
        "x=1",
    ],
)
def test_a_time_that_is_not_one_integer_is_refused(replacement: str, ed25519_key: PrivateKey) -> None:
    request = handmade(ed25519_key, "(request-target) host digest (created)", created=CREATED)
    admitted(request, ed25519_key)
    header = request.values("signature")[0].replace(f"created={CREATED}", replacement)
    refused(with_headers(request, signature=header), ed25519_key)


@pytest.mark.case("C05")
@pytest.mark.parametrize(
    "date",
    [
        "",
        "yesterday",
        "2026-11-25T10:00:00Z",
        "Wed, 25 Nov 2026 21:46:40 +0000",
        "Wed, 25 Xxx 2026 21:46:40 GMT",
        "Wed, 31 Nov 2026 21:46:40 GMT",
        "Wed, 25 Nov 2026 25:46:40 GMT",
        "Wednesday, 25-Nov-26 21:46:40 GMT",
        "Wed, 25 Nov 0000 21:46:40 GMT",
    ],
)
def test_a_date_in_another_form_is_refused(date: str, ed25519_key: PrivateKey) -> None:
    refused(with_headers(handmade(ed25519_key), date=date), ed25519_key)
    if date:
        refused(handmade(ed25519_key, date=date), ed25519_key)


def test_a_date_that_comes_twice_or_not_at_all_is_refused(ed25519_key: PrivateKey) -> None:
    request = handmade(ed25519_key)
    refused(with_headers(request, date=None), ed25519_key)
    refused(replace(request, headers=[*request.headers, ("date", cavage.http_date(NOW))]), ed25519_key)


@pytest.mark.case("C04")
def test_a_request_for_another_host_is_refused(ed25519_key: PrivateKey) -> None:
    for host in ("evil.test", "lyon.test:80", "lyon.test.", "lyon.test, lyon.test", ""):
        request = handmade(ed25519_key, request=a_post(authority=host))
        refused(replace(request, authority="lyon.test"), ed25519_key)
    request = handmade(ed25519_key)
    refused(replace(request, headers=[*request.headers, ("host", "lyon.test")]), ed25519_key)
    refused(with_headers(request, host=None), ed25519_key)


@pytest.mark.case("C15")
@pytest.mark.parametrize(
    ("kind", "parameters", "fine"),
    [
        ("rsa", 'algorithm="rsa-sha256"', True),
        ("rsa", 'algorithm="hs2019"', True),
        ("rsa", 'opaque="x"', True),
        ("ed25519", 'algorithm="hs2019"', True),
        ("ed25519", 'opaque="x"', True),
        ("ed25519", 'algorithm="rsa-sha256"', False),
        ("rsa", 'algorithm="rsa-sha512"', False),
        ("rsa", 'algorithm="hmac-sha256"', False),
        ("rsa", 'algorithm=""', False),
        ("rsa", 'algorithm="none"', False),
        ("rsa", 'algorithm="hs2019",algorithm="hs2019"', False),
        ("rsa", 'algorithm="hs2019",keyId="x"', False),
        ("rsa", "algorithm=7", True),
    ],
)
def test_the_key_decides_the_algorithm_and_the_label_has_to_agree(
    kind: str, parameters: str, fine: bool, rsa_key: PrivateKey, ed25519_key: PrivateKey
) -> None:
    key = rsa_key if kind == "rsa" else ed25519_key
    (admitted if fine else refused)(handmade(key, parameters=parameters), key)


def test_rsa_sha256_cannot_cover_the_times_of_the_signature(rsa_key: PrivateKey) -> None:
    for covered in ("(request-target) host digest (created)", "(request-target) host date digest (expires)"):
        for label, accepts in (("hs2019", admitted), ("rsa-sha256", refused)):
            request = handmade(
                rsa_key,
                covered,
                parameters=f'algorithm="{label}"',
                created=CREATED,
                expires=CREATED + 60,
            )
            accepts(request, rsa_key)


@pytest.mark.case("C16")
def test_a_query_may_be_left_out_of_what_is_signed_for_a_get_only(ed25519_key: PrivateKey) -> None:
    covered = "(request-target) host date"
    admitted(handmade(ed25519_key, covered, request=a_get(), signed_target="/users/dupont"), ed25519_key)
    admitted(handmade(ed25519_key, covered, request=a_get()), ed25519_key)
    refused(handmade(ed25519_key, covered, request=a_get(), signed_target="/users/dupont?page=2"), ed25519_key)
    refused(handmade(ed25519_key, covered, request=a_get(), signed_target="/users"), ed25519_key)
    refused(handmade(ed25519_key, request=a_post(), signed_target="/inbox"), ed25519_key)


def test_a_get_needs_no_digest_unless_it_has_a_body(ed25519_key: PrivateKey) -> None:
    covered = "(request-target) host date"
    request = handmade(ed25519_key, covered, request=a_get())
    admitted(request, ed25519_key)
    refused(replace(request, body=b"x"), ed25519_key)


def test_the_successor_of_the_digest_binds_a_body_as_well(ed25519_key: PrivateKey) -> None:
    covered = "(request-target) host date content-digest"
    body = a_post().body
    request = handmade(
        ed25519_key, covered, request=with_headers(a_post(), **{"content-digest": digests.content_digest(body)})
    )
    admitted(request, ed25519_key)
    refused(replace(request, body=body + b" "), ed25519_key)


def test_a_successor_of_the_digest_that_is_not_signed_binds_nothing(ed25519_key: PrivateKey) -> None:
    request = with_headers(a_post(), **{"content-digest": digests.content_digest(a_post().body)})
    refused(handmade(ed25519_key, "(request-target) host date", request=request), ed25519_key)


@pytest.mark.case("C01")
@pytest.mark.parametrize(
    "header",
    [
        "keyId",
        'keyId="a"',
        'signature="AAAA"',
        'keyId="a",signature="!"',
        'keyId="a",signature="AAA"',
        'keyId=a,signature="AAAA"',
        'keyId="a" signature="AAAA"',
        'keyId="a\\"b",signature="AAAA"',
        'keyId="a,signature="AAAA"',
        'keyId=7,signature="AAAA"',
        ",",
        "x" * 9_000,
        'Signature keyId="a",signature="AAAA"',
    ],
)
def test_a_malformed_header_is_refused(header: str, ed25519_key: PrivateKey) -> None:
    refused(with_headers(handmade(ed25519_key), signature=header), ed25519_key)


def test_white_space_between_parameters_is_tolerated(ed25519_key: PrivateKey) -> None:
    request = handmade(ed25519_key)
    admitted(with_headers(request, signature=request.values("signature")[0].replace('",', '" ,\t ')), ed25519_key)


def test_dates_are_written_as_http_writes_them() -> None:
    assert cavage.http_date(784_111_777_000) == "Sun, 06 Nov 1994 08:49:37 GMT"
    assert cavage.http_date(784_111_777_000 + MINUTE) == "Sun, 06 Nov 1994 08:50:37 GMT"
