"""Both schemes behind one door: what each has to bind, and what no request gets away with."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medfed.activitypub import claims
from medfed.activitypub.claims import SignedRequest, VerifiedSignature
from medfed.activitypub.keys import PrivateKey
from medfed.activitypub.signatures import read_claim
from medfed.kernel import limits
from medfed.kernel.clock import SECOND
from medfed.kernel.errors import BadSignature
from tests.unit.activitypub.requests import BODY, KEY_ID, NOW, a_get, a_post, signed, with_headers
from tests.unit.activitypub.vectors import w3c_key

SCHEMES = ["cavage", "rfc9421"]


@pytest.fixture(params=["rsa", "ed25519"])
def key(request: pytest.FixtureRequest, rsa_key: PrivateKey, ed25519_key: PrivateKey) -> PrivateKey:
    return {"rsa": rsa_key, "ed25519": ed25519_key}[request.param]


def admitted(request: SignedRequest, key: PrivateKey, now: int = NOW) -> VerifiedSignature:
    return claims.verify(read_claim(request, now), key.public)


def refused(request: SignedRequest, key: PrivateKey, now: int = NOW) -> None:
    with pytest.raises(BadSignature):
        admitted(request, key, now)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_we_sign_is_verified_by_what_we_verify(scheme: str, key: PrivateKey) -> None:
    for request in (
        a_post(),
        a_get(),
        a_post(method="DELETE", body=b""),
        a_post(target="/"),
        a_get(authority="lyon.test:8443"),
    ):
        evidence = admitted(signed(scheme, request, key), key)
        assert evidence == VerifiedSignature(key_id=KEY_ID, scheme=scheme, created=NOW, key=key.public)  # type: ignore[arg-type]


@pytest.mark.case("C01", "C15")
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_signature_by_another_key_is_refused(scheme: str, rsa_key: PrivateKey, ed25519_key: PrivateKey) -> None:
    for signer, other in ((rsa_key, ed25519_key), (ed25519_key, rsa_key), (ed25519_key, w3c_key())):
        refused(signed(scheme, a_post(), signer), other)


@pytest.mark.case("C01", "C16")
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    "changes",
    [
        {"body": b'{"type":"Delete"}'},
        {"body": b""},
        {"body": BODY + b" "},
        {"method": "PUT"},
        {"target": "/inbox"},
        {"target": "/inbox?a=2"},
        {"target": "/inbox?a=1&"},
        {"target": "/Inbox?a=1"},
        {"target": "//inbox?a=1"},
        {"target": "/%69nbox?a=1"},
        {"target": "/inbox/?a=1"},
        {"target": "/users/dupont/inbox?a=1"},
        {"target": "/prefix/inbox?a=1"},
        {"authority": "lille.test"},
        {"authority": "lyon.test:8443"},
    ],
    ids=str,
)
def test_a_request_that_was_changed_on_the_way_is_refused(
    scheme: str, changes: dict[str, object], ed25519_key: PrivateKey
) -> None:
    request = signed(scheme, a_post(), ed25519_key)
    refused(replace(request, **changes), ed25519_key)  # type: ignore[arg-type]


@pytest.mark.case("C16")
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    "target", ["/", "/?", "//", "/a?", "/a??b=?", "/a%2Fb", "/a/../b", "/caf%C3%A9?q=%20", "/a;b=c", "/?/"]
)
def test_any_target_is_verified_as_it_stands_on_the_request_line(
    scheme: str, target: str, ed25519_key: PrivateKey
) -> None:
    request = signed(scheme, a_post(target=target), ed25519_key)
    admitted(request, ed25519_key)
    refused(replace(request, target=target + "?"), ed25519_key)


@pytest.mark.case("C05")
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_window_is_open_up_to_its_edges(scheme: str, ed25519_key: PrivateKey) -> None:
    request = signed(scheme, a_post(), ed25519_key)
    future = limits.SIGNATURE_FUTURE_SECONDS * SECOND
    admitted(request, ed25519_key, NOW - future)
    refused(request, ed25519_key, NOW - future - SECOND)
    # Our RFC 9421 signatures expire after five minutes; cavage ones last as long as the window.
    past = (300 if scheme == "rfc9421" else limits.SIGNATURE_PAST_SECONDS) * SECOND
    admitted(request, ed25519_key, NOW + past)
    refused(request, ed25519_key, NOW + past + SECOND)


@pytest.mark.case("C01")
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_missing_repeated_or_misplaced_signature_is_refused(scheme: str, ed25519_key: PrivateKey) -> None:
    request = signed(scheme, a_post(), ed25519_key)
    signature = request.values("signature")[0]
    refused(with_headers(request, signature=None), ed25519_key)
    refused(with_headers(request, signature=""), ed25519_key)
    refused(with_headers(request, signature="garbage"), ed25519_key)
    refused(replace(request, headers=[*request.headers, ("signature", signature)]), ed25519_key)
    refused(with_headers(request, signature=None, authorization=f"Signature {signature}"), ed25519_key)
    other = signed(scheme, a_post(), ed25519_key, now=NOW - SECOND).values("signature")[0]
    refused(with_headers(request, authorization=f"Signature {other}"), ed25519_key)
    refused(with_headers(request, authorization=f'Signature {signature},keyId="{KEY_ID}x"'), ed25519_key)
    admitted(with_headers(request, authorization="Bearer token"), ed25519_key)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_signature_that_authorization_repeats_word_for_word_counts_once(scheme: str, ed25519_key: PrivateKey) -> None:
    request = signed(scheme, a_post(), ed25519_key)
    signature = request.values("signature")[0]
    admitted(with_headers(request, authorization=f"Signature {signature}"), ed25519_key)


@pytest.mark.case("C01")
def test_a_request_without_any_signature_is_refused(ed25519_key: PrivateKey) -> None:
    for request in (a_post(), a_get(), a_post(headers=[("host", "lyon.test")])):
        refused(request, ed25519_key)


@pytest.mark.case("C04")
@pytest.mark.parametrize(("scheme", "header"), [("cavage", "digest"), ("rfc9421", "content-digest")])
def test_a_missing_or_repeated_digest_is_refused(scheme: str, header: str, ed25519_key: PrivateKey) -> None:
    request = signed(scheme, a_post(), ed25519_key)
    refused(with_headers(request, **{header: None}), ed25519_key)
    refused(replace(request, headers=[*request.headers, (header, request.values(header)[0])]), ed25519_key)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_name_of_the_host_is_compared_in_its_normal_form(scheme: str, ed25519_key: PrivateKey) -> None:
    request = signed(scheme, a_post(authority="LYON.test:443"), ed25519_key)
    admitted(replace(request, authority="lyon.test"), ed25519_key)


@pytest.mark.case("C09")
@pytest.mark.parametrize("key_id", ["", "x" * 10_000, "https://lille.test/é", "https://lille.test/\x7f"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_key_id_that_names_nothing_is_refused_before_anything_is_fetched(
    scheme: str, key_id: str, ed25519_key: PrivateKey
) -> None:
    request = signed(scheme, a_post(), ed25519_key)
    name = "signature" if scheme == "cavage" else "signature-input"
    bent = with_headers(request, **{name: request.values(name)[0].replace(KEY_ID, key_id)})
    with pytest.raises(BadSignature):
        read_claim(bent, NOW)


@given(st.sampled_from(SCHEMES), st.data())
def test_no_flipped_bit_of_what_was_signed_goes_unnoticed(scheme: str, data: st.DataObject) -> None:
    key = w3c_key()
    request = signed(scheme, a_post(), key)
    at = data.draw(st.sampled_from(["target", "body", *(name for name, _ in request.headers)]))
    original = request.body if at == "body" else (request.target if at == "target" else request.values(at)[0]).encode()
    bit = data.draw(st.integers(0, len(original) * 8 - 1))
    flipped = bytearray(original)
    flipped[bit // 8] ^= 1 << bit % 8
    text = flipped.decode("latin-1")
    if at == "body":
        bent = replace(request, body=bytes(flipped))
    else:
        bent = replace(request, target=text) if at == "target" else with_headers(request, **{at: text})
    try:
        evidence = admitted(bent, key)
    except BadSignature:
        return
    # What is not part of any signature: labels, white space, upper case, names of keys in cavage.
    assert at in ("signature", "signature-input", "host", "digest")
    assert evidence.created == NOW


def test_a_signature_with_a_letter_beyond_ascii_is_refused() -> None:
    key = w3c_key()
    request = signed("cavage", a_post(), key)
    bent = request.values("signature")[0].replace('signature="', 'signature="\xe4')
    with pytest.raises(BadSignature, match="base64"):
        admitted(with_headers(request, signature=bent), key)


@given(
    st.sampled_from(["signature", "signature-input", "digest", "content-digest", "date", "host"]),
    st.text(max_size=80) | st.text('sig1=()"@;:,created keyid/+=0', max_size=80),
)
def test_no_header_makes_the_reader_fail_in_another_way(name: str, value: str) -> None:
    key = w3c_key()
    for scheme in SCHEMES:
        request = with_headers(signed(scheme, a_post(), key), **{name: value})
        try:
            admitted(request, key)
        except BadSignature:
            continue


def test_a_url_is_split_without_being_normalised() -> None:
    for url, authority, target in (
        ("https://lyon.test", "lyon.test", "/"),
        ("https://lyon.test/a//b?x=%20#fragment", "lyon.test", "/a//b?x=%20"),
        ("http://LYON.test:8080?q", "LYON.test:8080", "/?q"),
        ("https://lyon.test/?", "lyon.test", "/?"),
    ):
        request = SignedRequest.outgoing("POST", url, BODY)
        assert (request.authority, request.target, request.body) == (authority, target, BODY)
    for url in (
        "lyon.test/inbox",
        "https://",
        "https:///inbox",
        "https://lyon.test/é",
        "https://lyon.test/a b",
        "https://lyon.test/\n",
    ):
        with pytest.raises(ValueError, match="URL"):
            SignedRequest.outgoing("GET", url)
