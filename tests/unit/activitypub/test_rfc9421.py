"""RFC 9421: the vectors of its appendix, what must be covered, and agreement with another implementation."""

import base64
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from http_message_signatures import HTTPMessageSigner, HTTPMessageVerifier, HTTPSignatureKeyResolver, algorithms
from hypothesis import given
from hypothesis import strategies as st

from medfed.activitypub import claims, digests, keys, rfc9421
from medfed.activitypub.claims import SignedRequest, VerifiedSignature
from medfed.activitypub.keys import PrivateKey
from medfed.kernel import limits
from medfed.kernel.clock import SECOND, Millis
from medfed.kernel.errors import BadSignature
from tests.unit.activitypub.requests import KEY_ID, NOW, a_get, a_post, signed, with_headers
from tests.unit.activitypub.vectors import vector, w3c_key

APPENDIX = vector("rfc9421/appendix-b.json")
CREATED = NOW // SECOND


def published(message: dict[str, Any]) -> SignedRequest:
    method, target, _ = message["startLine"].split()
    headers = [(name.lower(), value) for name, value in message["headers"]]
    return SignedRequest(
        method=method,
        target=target,
        scheme="https",
        authority=dict(headers)["host"],
        headers=headers,
        body=message.get("body", "").encode(),
    )


REQUEST_CASES = [case for case in APPENDIX["cases"] if case["message"] == "request"]


@pytest.mark.parametrize("case", REQUEST_CASES, ids=lambda case: case["section"])
def test_the_signature_bases_of_the_rfc_are_rebuilt(case: dict[str, str]) -> None:
    (member,) = rfc9421.parse_input(case["signatureInput"])
    assert member.label == case["label"]
    assert rfc9421.signature_base(published(APPENDIX["request"]), member).decode() == case["signatureBase"]


def test_the_ed25519_signature_of_the_rfc_verifies() -> None:
    case = next(case for case in REQUEST_CASES if case["alg"] == "ed25519")
    (member,) = rfc9421.parse_input(case["signatureInput"])
    signature = base64.b64decode(case["signature"].partition(":")[2].rstrip(":"))
    key = keys.parse_public_pem(vector("rfc9421/keys.json")["test-key-ed25519"]["publicPem"])
    key.verify(signature, rfc9421.signature_base(published(APPENDIX["request"]), member))


def test_the_signature_base_of_the_proxy_is_rebuilt() -> None:
    case = APPENDIX["tlsProxy"]
    member_text = case["signatureBase"].rpartition('"@signature-params": ')[2]
    (member,) = rfc9421.parse_input(f"ttrp={member_text}")
    base = rfc9421.signature_base(published(case["signedMessage"]), member)
    assert base.decode() == case["signatureBase"]


@pytest.mark.parametrize("message", APPENDIX["transformations"]["messages"], ids=lambda message: message["note"])
def test_transformations_on_the_way_break_only_what_the_rfc_says(message: dict[str, Any]) -> None:
    request = published(message)
    (member,) = rfc9421.parse_input(request.values("signature-input")[0])
    signature = base64.b64decode(request.values("signature")[0].partition(":")[2].rstrip(":"))
    base = rfc9421.signature_base(request, member)
    key = keys.parse_public_pem(vector("rfc9421/keys.json")["test-key-ed25519"]["publicPem"])
    if message["valid"]:
        assert base.decode() == APPENDIX["transformations"]["signatureBase"]
        key.verify(signature, base)
    else:
        with pytest.raises(BadSignature):
            key.verify(signature, base)


@pytest.mark.parametrize(
    ("component", "value"),
    [
        ('"@method"', "POST"),
        ('"@target-uri"', "https://lyon.test/inbox?a=1"),
        ('"@authority"', "lyon.test"),
        ('"@scheme"', "https"),
        ('"@request-target"', "/inbox?a=1"),
        ('"@path"', "/inbox"),
        ('"@query"', "?a=1"),
        ('"@query-param";name="a"', "1"),
        ('"x-empty"', ""),
        ('"x-twice"', "one, two"),
    ],
)
def test_components_have_the_values_of_the_rfc(component: str, value: str) -> None:
    request = a_post(authority="LYON.test:443", headers=[("x-empty", ""), ("x-twice", " one"), ("x-twice", "two\t")])
    (member,) = rfc9421.parse_input(f"sig=({component});created=1")
    assert rfc9421.signature_base(request, member).decode().split("\n")[0] == f"{component}: {value}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("var", "this%20is%20a%20big%0Amultiline%20value"),
        ("bar", "with%20plus%20whitespace"),
        ("fa%C3%A7ade%22%3A%20", "something"),
        ("empty", ""),
        ("tilde", "%7E*-._"),
    ],
)
def test_query_parameters_are_encoded_as_in_the_rfc(name: str, value: str) -> None:
    target = (
        "/parameters?var=this%20is%20a%20big%0Amultiline%20value&bar=with+plus+whitespace"
        "&fa%C3%A7ade%22%3A%20=something&empty&tilde=~*-._"
    )
    (member,) = rfc9421.parse_input(f'sig=("@query-param";name="{name}");created=1')
    assert (
        rfc9421.signature_base(replace(a_get(), target=target), member)
        .decode()
        .startswith(f'"@query-param";name="{name}": {value}\n')
    )


@pytest.mark.parametrize("target", ["/?a=1&a=2", "/", "/?b=1"])
def test_a_query_parameter_that_is_not_there_once_cannot_be_signed(target: str) -> None:
    (member,) = rfc9421.parse_input('sig=("@query-param";name="a");created=1')
    with pytest.raises(BadSignature):
        rfc9421.signature_base(replace(a_get(), target=target), member)


def test_an_absent_path_or_query_is_signed_as_the_rfc_says() -> None:
    (member,) = rfc9421.parse_input('sig=("@path" "@query");created=1')
    base = rfc9421.signature_base(replace(a_get(), target=""), member).decode()
    assert base.startswith('"@path": /\n"@query": ?\n')


@pytest.mark.parametrize(
    "component",
    [
        '"@status"',
        '"@signature-params"',
        '"@unknown"',
        '"X-Peer"',
        '"absent"',
        '""',
        '"@query-param"',
        '"@query-param";name',
        '"@query-param";name=a',
        '"@query-param";name="a";name="a"',
        '"@method";req',
        '"@method";name="a"',
        '"x-peer";sf',
        '"x-peer";bs',
        '"x-peer";key="a"',
        '"x-peer";tr',
        '"x-peer";unknown=1',
    ],
)
def test_a_component_that_is_not_understood_is_refused(component: str) -> None:
    with pytest.raises(BadSignature):
        (member,) = rfc9421.parse_input(f"sig=({component});created=1")
        rfc9421.signature_base(a_post(headers=[("x-peer", "1")]), member)


@pytest.mark.parametrize("value", ["é", "a\nb", "a\rb", 'x\n"@method": GET'])
def test_a_value_that_could_forge_a_line_cannot_be_signed(value: str) -> None:
    (member,) = rfc9421.parse_input('sig=("x-peer");created=1')
    with pytest.raises(BadSignature):
        rfc9421.signature_base(a_post(headers=[("x-peer", value)]), member)


def handmade(
    key: PrivateKey,
    components: str = '"@method" "@target-uri" "content-digest"',
    parameters: str | None = None,
    *,
    request: SignedRequest | None = None,
) -> SignedRequest:
    """A request signed by somebody with habits of their own."""
    complete = signed("rfc9421", request or a_post(), key)
    if parameters is None:
        parameters = f';keyid="{KEY_ID}";created={CREATED}'
    (member,) = rfc9421.parse_input(f"sig1=({components}){parameters}")
    value = base64.b64encode(key.sign(rfc9421.signature_base(complete, member))).decode()
    return with_headers(complete, signature_input=f"sig1=({components}){parameters}", signature=f"sig1=:{value}:")


def admitted(request: SignedRequest, key: PrivateKey, now: Millis = NOW) -> VerifiedSignature:
    return claims.verify(rfc9421.read(request, now), key.public)


def refused(request: SignedRequest, key: PrivateKey, now: Millis = NOW) -> None:
    with pytest.raises(BadSignature):
        admitted(request, key, now)


@pytest.mark.parametrize(
    "components",
    [
        '"@method" "@target-uri" "content-digest"',
        '"content-digest"   "@target-uri" "@method"',
        ' "@method" "@target-uri" "content-digest" ',
        '"@method" "@target-uri" "@authority" "host" "content-digest"',
        '"@method" "@authority" "@request-target" "content-digest"',
        '"@method" "@authority" "@path" "@query" "content-digest"',
    ],
)
def test_sufficient_coverage_is_accepted_as_it_was_written(components: str, ed25519_key: PrivateKey) -> None:
    admitted(handmade(ed25519_key, components), ed25519_key)


@pytest.mark.case("C03")
@pytest.mark.parametrize(
    "components",
    [
        "",
        '"@target-uri" "content-digest"',
        '"@method" "content-digest"',
        '"@method" "@authority" "content-digest"',
        '"@method" "@authority" "@path" "content-digest"',
        '"@method" "@authority" "@query" "content-digest"',
        '"@method" "@path" "@query" "content-digest"',
        '"@method" "@request-target" "content-digest"',
        '"@method" "@target-uri"',
        '"@method" "@target-uri" "digest"',
        '"@method" "@target-uri" "content-digest" "@method"',
    ],
)
def test_insufficient_coverage_is_refused(components: str, ed25519_key: PrivateKey) -> None:
    with pytest.raises(BadSignature):
        admitted(handmade(ed25519_key, components, request=a_post(headers=[("digest", "x")])), ed25519_key)


@pytest.mark.case("C03", "C16")
def test_the_query_has_to_be_covered_once_there_is_one(ed25519_key: PrivateKey) -> None:
    request = handmade(ed25519_key, '"@method" "@authority" "@path"', request=replace(a_get(), target="/users/a"))
    admitted(request, ed25519_key)
    for target in ("/users/a?", "/users/a?page=1", "/users/a?x#y"):
        refused(replace(request, target=target), ed25519_key)


@pytest.mark.parametrize(
    "parameters",
    [
        f';created={CREATED};keyid="{KEY_ID}"',
        f';alg="ed25519";keyid="{KEY_ID}";created={CREATED}',
        f';created={CREATED};expires={CREATED};keyid="{KEY_ID}"',
        f';created={CREATED - limits.SIGNATURE_PAST_SECONDS};keyid="{KEY_ID}"',
        f';created={CREATED + limits.SIGNATURE_FUTURE_SECONDS};keyid="{KEY_ID}"',
        f';created={CREATED};keyid="{KEY_ID}";nonce="a\\"b\\\\c";tag="x"',
        f'; created={CREATED};  keyid="{KEY_ID}";x=1.5;y;z=?1;t=token;b=:AA==:',
    ],
)
def test_parameters_are_accepted_in_any_order(parameters: str, ed25519_key: PrivateKey) -> None:
    admitted(handmade(ed25519_key, parameters=parameters), ed25519_key)


@pytest.mark.case("C05", "C15")
@pytest.mark.parametrize(
    "parameters",
    [
        "",
        f";created={CREATED}",
        f';keyid="{KEY_ID}"',
        f';created="{CREATED}";keyid="{KEY_ID}"',
        f';created={CREATED}.0;keyid="{KEY_ID}"',
        f';created=-{CREATED};keyid="{KEY_ID}"',
        f';created={2**63};keyid="{KEY_ID}"',
        f';created;keyid="{KEY_ID}"',
        f';created={CREATED};created={CREATED};keyid="{KEY_ID}"',
        f';created={CREATED - limits.SIGNATURE_PAST_SECONDS - 1};keyid="{KEY_ID}"',
        f';created={CREATED + limits.SIGNATURE_FUTURE_SECONDS + 1};keyid="{KEY_ID}"',
        f';created={CREATED};expires={CREATED - 1};keyid="{KEY_ID}"',
        f';created={CREATED - 60};expires={CREATED - 1};keyid="{KEY_ID}"',
        f';created={CREATED};expires="{CREATED + 60}";keyid="{KEY_ID}"',
        f";created={CREATED};keyid=token",
        f';created={CREATED};keyid="{KEY_ID}";alg=ed25519',
        f';created={CREATED};keyid="{KEY_ID}";alg="rsa-v1_5-sha256"',
        f';created={CREATED};keyid="{KEY_ID}";alg="rsa-pss-sha512"',
        f';created={CREATED};keyid="{KEY_ID}";alg="hmac-sha256"',
        f';created={CREATED};keyid="{KEY_ID}";alg=""',
        f';created={CREATED};keyid="{KEY_ID}";nonce=1',
        f';created={CREATED};keyid="{KEY_ID}" ;tag="x"',
        f';created={CREATED};keyid="{KEY_ID}";Tag="x"',
        f';created={CREATED};keyid="{KEY_ID}',
    ],
)
@pytest.mark.limit("SIGNATURE_PAST_SECONDS", "SIGNATURE_FUTURE_SECONDS")
def test_parameters_that_are_missing_wrong_or_out_of_time_are_refused(parameters: str, ed25519_key: PrivateKey) -> None:
    with pytest.raises(BadSignature):
        admitted(handmade(ed25519_key, parameters=parameters), ed25519_key)


@pytest.mark.case("C15")
def test_of_several_labels_the_first_one_counts(ed25519_key: PrivateKey) -> None:
    good = handmade(ed25519_key)
    given_input, given_signature = good.values("signature-input")[0], good.values("signature")[0]
    other = given_input.replace("sig1", "sig2")
    forged = "sig2=:" + base64.b64encode(bytes(64)).decode() + ":"
    first = with_headers(good, signature_input=f"{given_input}, {other}", signature=f"{forged}, {given_signature}")
    admitted(first, ed25519_key)
    second = with_headers(good, signature_input=f"{other}, {given_input}", signature=f"{forged}, {given_signature}")
    refused(second, ed25519_key)


@pytest.mark.case("C15")
@pytest.mark.limit("SIGNATURE_LABELS")
def test_labels_that_are_too_many_repeated_or_not_matched_are_refused(ed25519_key: PrivateKey) -> None:
    good = handmade(ed25519_key)
    given_input, given_signature = good.values("signature-input")[0], good.values("signature")[0]

    def labels(count: int) -> str:
        return ", ".join(given_input.replace("sig1", f"sig{number + 1}") for number in range(count))

    admitted(with_headers(good, signature_input=labels(limits.SIGNATURE_LABELS)), ed25519_key)
    refused(with_headers(good, signature_input=labels(limits.SIGNATURE_LABELS + 1)), ed25519_key)
    refused(with_headers(good, signature_input=f"{given_input}, {given_input}"), ed25519_key)
    refused(with_headers(good, signature=f"{given_signature}, {given_signature}"), ed25519_key)
    refused(with_headers(good, signature=given_signature.replace("sig1", "sig2")), ed25519_key)
    refused(replace(good, headers=[*good.headers, ("signature-input", given_input)]), ed25519_key)


@pytest.mark.parametrize(
    "bent",
    [
        "",
        ",",
        "sig1",
        "sig1=",
        "sig1=()",
        "sig1=1",
        "sig1=(",
        "sig1=(@method)",
        'sig1=("a""b")',
        'Sig1=("a")',
        'sig1=("a"),',
        'sig1=("a") sig2=("b")',
        'sig1=("é")',
        "x" * 9_000,
    ],
)
def test_a_malformed_signature_input_is_refused(bent: str, ed25519_key: PrivateKey) -> None:
    refused(with_headers(handmade(ed25519_key), signature_input=bent), ed25519_key)


@pytest.mark.parametrize(
    "bent",
    [
        "",
        "sig1",
        "sig1=",
        "sig1=AAAA",
        'sig1="AAAA"',
        "sig1=:AAA:",
        "sig1=:A=A=:",
        "sig1=:é:",
        "sig1=::",
        "sig1=:AAAA:,",
        "x" * 9_000,
    ],
)
def test_a_malformed_signature_is_refused(bent: str, ed25519_key: PrivateKey) -> None:
    refused(with_headers(handmade(ed25519_key), signature=bent), ed25519_key)


def with_fragment(request: SignedRequest, fragment: str, key: PrivateKey) -> SignedRequest:
    """As Fedify signs a fetch of a key: the fragment is signed, and then not sent."""
    components = '"@method" "@target-uri"' + (' "content-digest"' if request.must_bind_body else "")
    signed_so = handmade(key, components, request=replace(request, target=request.target + fragment))
    return replace(signed_so, target=request.target)


@pytest.mark.parametrize("fragment", ["#main-key", "#ed25519-key", "#main-key-2", "#ed25519-key-12"])
def test_a_fetch_may_have_signed_the_fragment_of_a_key_of_ours(ed25519_key: PrivateKey, fragment: str) -> None:
    admitted(with_fragment(a_get(), fragment, ed25519_key), ed25519_key)


def test_no_other_fragment_and_no_delivery_with_one_is_accepted(ed25519_key: PrivateKey) -> None:
    refused(with_fragment(a_get(), "#other", ed25519_key), ed25519_key)
    refused(with_fragment(a_post(), "#main-key", ed25519_key), ed25519_key)


def test_what_we_send_names_method_target_digest_times_key_and_algorithm(rsa_key: PrivateKey) -> None:
    headers = rfc9421.sign(a_post(), key_id=KEY_ID, key=rsa_key, now=NOW)
    assert headers["signature-input"] == (
        f'sig1=("@method" "@target-uri" "content-digest");created={CREATED};expires={CREATED + 300}'
        f';keyid="{KEY_ID}";alg="rsa-v1_5-sha256"'
    )
    assert "content-digest" not in rfc9421.sign(a_get(), key_id=KEY_ID, key=rsa_key, now=NOW)


# --- agreement with another implementation ---


class OneKey(HTTPSignatureKeyResolver):
    """Knows the test's key under every id."""

    def __init__(self, key: PrivateKey) -> None:
        self.key = key

    def resolve_public_key(self, key_id: str) -> Any:
        return self.key.public.material

    def resolve_private_key(self, key_id: str) -> Any:
        return self.key.material


def message_of(request: SignedRequest) -> Any:
    url = f"{request.scheme}://{request.authority}{request.target}"
    return SimpleNamespace(method=request.method, url=url, headers=dict(request.headers))


def algorithm_of(key: PrivateKey) -> Any:
    return algorithms.ED25519 if key.kind == "ed25519" else algorithms.RSA_V1_5_SHA256


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_another_implementation_verifies_what_we_sign(kind: str, rsa_key: PrivateKey, ed25519_key: PrivateKey) -> None:
    key = rsa_key if kind == "rsa" else ed25519_key
    verifier = HTTPMessageVerifier(signature_algorithm=algorithm_of(key), key_resolver=OneKey(key))
    now = int(time.time()) * SECOND
    for request in (a_post(), a_get()):
        arrived = signed("rfc9421", request, key, now)
        (result,) = verifier.verify(message_of(arrived), body=request.body or None)
        assert result.parameters["keyid"] == KEY_ID


PATHS = st.from_regex(r"(/[A-Za-z0-9._~!$&'()*+,;=:@-]{0,6}){1,3}", fullmatch=True)
QUERIES = st.from_regex(r"(\?([a-z]=[A-Za-z0-9+.*_~-]{0,4}(&[f-z]=%[0-9A-F]0)?)?)?", fullmatch=True)
DERIVED = ["@method", "@target-uri", "@authority", "@scheme", "@request-target", "@path", "@query"]
FIELDS = ["host", "x-peer", "content-digest", "date"]
COMPONENTS = st.lists(st.sampled_from([f'"{name}"' for name in (*DERIVED, *FIELDS)]), unique=True)


@given(PATHS, QUERIES, COMPONENTS, st.sampled_from(["GET", "POST", "DELETE"]), st.text('abc ,;=\t"', max_size=8))
def test_both_implementations_build_the_same_base(
    path: str, query: str, components: list[str], method: str, value: str
) -> None:
    key = w3c_key()
    headers = [("host", "lyon.test"), ("x-peer", value), ("content-digest", digests.content_digest(b"")), ("date", "x")]
    request = SignedRequest(method=method, target=path + query, scheme="https", authority="lyon.test", headers=headers)
    signer = HTTPMessageSigner(signature_algorithm=algorithms.ED25519, key_resolver=OneKey(key))
    prepared = signer.prepare(
        message_of(request), key_id=KEY_ID, covered_component_ids=components, use_existing_digest=True, label="sig1"
    )
    (member,) = rfc9421.parse_input(f"sig1={prepared.signature_params}")
    assert rfc9421.signature_base(request, member) == prepared.signature_base


def test_the_rsa_keys_of_the_rfc_are_read() -> None:
    published_pem = vector("rfc9421/keys.json")["test-key-rsa-pss"]["publicPem"]
    assert keys.parse_public_pem(published_pem).kind == "rsa"
    # The RFC prints test-key-rsa as PKCS #1, which actors never publish.
    material = serialization.load_pem_public_key(vector("rfc9421/keys.json")["test-key-rsa"]["publicPem"].encode())
    pem = material.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert keys.parse_public_pem(pem.decode()).kind == "rsa"
