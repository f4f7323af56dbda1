"""Every official vector that is kept here is used by a test, with its intermediate steps, or refused as it should be.

What of the specifications is not here, and why: tests/vectors/README.md.
"""

import base64
import hashlib
import hmac
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from medfed.activitypub import claims, did, jcs, keys, multibase, proofs, rfc9421
from medfed.activitypub.claims import SignedRequest
from medfed.activitypub.keys import PrivateKey
from medfed.kernel.clock import MINUTE, SECOND, parse_iso
from medfed.kernel.errors import BadProof, BadSignature
from tests.unit.activitypub.vectors import ROOT, secret_multikey, text, vector, w3c_key

JCS: Final = "vc-di-eddsa/eddsa-jcs-2022"
CHAIN: Final = "vc-di-eddsa/proof-set-chain"
APPENDIX: Final = vector("rfc9421/appendix-b.json")
KEYS: Final = vector("rfc9421/keys.json")
NOW: Final = parse_iso("2023-02-27T00:00:00Z")
DOCUMENTS: Final = ("arrays", "french", "structures", "unicode", "values", "weird")
USED_ELSEWHERE: Final = frozenset({"as2", "attestations", "peers"})
"""Documents of other tests: what peers send, and what we sign ourselves."""


def test_no_vector_lies_here_unused() -> None:
    tests = "\n".join(path.read_text("utf-8") for path in sorted(Path(__file__).parent.rglob("test_*.py")))
    for path in sorted(ROOT.rglob("*.*")):
        name = path.relative_to(ROOT).as_posix()
        if path.name == "README.md" or name.partition("/")[0] in USED_ELSEWHERE:
            continue
        folder = name.rpartition("/")[0]
        said = (f'"{name}"', f'"{folder}/{{name}}', f'"{path.name}"', f'/{path.name}"')
        assert any(each in tests for each in said), f"{name} is used by no test"


# ── JCS (RFC 8785) ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_canonical_form_of_the_rfc_is_right_to_the_byte(name: str) -> None:
    published = bytes.fromhex(text(f"jcs/outhex/{name}.txt"))
    assert jcs.canonicalize(vector(f"jcs/input/{name}.json")) == published


# ── Data Integrity (eddsa-jcs-2022, REC appendix B.3) ────────────────────────────────────────────────────────


def _step(name: str) -> str:
    return text(f"{JCS}/{name}").strip()


def test_each_step_of_eddsa_jcs_2022_is_as_published() -> None:
    document, config = vector("vc-di-eddsa/unsigned.json"), vector(f"{JCS}/" + "proofConfigJCS.json")
    canonical, canonical_config = jcs.canonicalize(document), jcs.canonicalize(config)
    assert canonical.decode() == _step("canonDocJCS.txt")
    assert hashlib.sha256(canonical).hexdigest() == _step("docHashJCS.txt")
    assert canonical_config.decode() == _step("proofCanonJCS.txt")
    assert hashlib.sha256(canonical_config).hexdigest() == _step("proofHashJCS.txt")
    method = str(config["verificationMethod"])
    signed = proofs.sign(document, key=w3c_key(), verification_method=method, created=parse_iso(str(config["created"])))
    proof = signed["proof"]
    assert isinstance(proof, dict)
    assert {name: value for name, value in proof.items() if name != "proofValue"} == config
    assert proof["proofValue"] == _step("sigBTC58JCS.txt")
    assert multibase.decode(_step("sigBTC58JCS.txt")).hex() == _step("sigHexJCS.txt")
    claim = proofs.read(signed, now=NOW)
    assert claim.message.hex() == _step("combinedHashJCS.txt") == _step("proofHashJCS.txt") + _step("docHashJCS.txt")


def test_the_other_credential_of_the_recommendation_is_signed_and_verified_with_jcs() -> None:
    """It is published with the other cryptosuite only; the pair must agree all the same."""
    key = w3c_key()
    method = f"did:key:{key.public.multikey}#{key.public.multikey}"
    document = vector("vc-di-eddsa/employmentAuth.json")
    signed = proofs.sign(document, key=key, verification_method=method, created=NOW)
    proofs.verify(proofs.read(signed, now=NOW), did.parse_did_key(method))


@pytest.mark.parametrize(
    "name",
    [
        f"{CHAIN}/signedProofSet1.json",
        f"{CHAIN}/signedProofSet2.json",
        f"{CHAIN}/signedProofChain1.json",
        f"{CHAIN}/signedProofChain2.json",
        "vc-di-eddsa/eddsa-rdfc-2022/signedDataInt.json",
    ],
)
def test_a_proof_that_needs_rdf_is_refused_whatever_stands_beside_it(name: str) -> None:
    """signedProofSet1.json and the others: eddsa-rdfc-2022 signs what a JSON-LD processor makes of a document."""
    with pytest.raises(BadProof, match="eddsa-jcs-2022"):
        proofs.read_all(vector(name), now=NOW)


def _pairs() -> list[PrivateKey]:
    """multiKeyPairs.json: four keys, each with its public half."""
    found = []
    for pair in vector(f"{CHAIN}/" + "multiKeyPairs.json").values():
        key = secret_multikey(pair["privateKeyMultibase"])
        assert key.public.multikey == pair["publicKeyMultibase"]
        found.append(key)
    return found


def _proven(document: dict[str, Any], key: PrivateKey) -> dict[str, Any]:
    method = f"did:key:{key.public.multikey}#{key.public.multikey}"
    return dict(proofs.sign(document, key=key, verification_method=method, created=NOW - MINUTE))


def test_a_proof_set_of_the_keys_of_the_recommendation_verifies_proof_by_proof() -> None:
    document = vector("vc-di-eddsa/unsigned.json")
    together = [_proven(document, key)["proof"] for key in _pairs()]
    claims = proofs.read_all({**document, "proof": together}, now=NOW)
    assert len(claims) == 4
    for claim in claims:
        proofs.verify(claim, did.parse_did_key(claim.verification_method))
    swapped = [{**proof, "proofValue": together[0]["proofValue"]} for proof in together[1:]]
    for claim in proofs.read_all({**document, "proof": swapped}, now=NOW):
        with pytest.raises(BadProof):
            proofs.verify(claim, did.parse_did_key(claim.verification_method))


def test_a_link_of_a_chain_is_refused_for_what_it_claims_to_follow() -> None:
    document = vector("vc-di-eddsa/unsigned.json")
    proof = _proven(document, _pairs()[0])["proof"]
    chained = vector(f"{CHAIN}/signedProofChain1.json")["proof"][-1]["previousProof"]
    with pytest.raises(BadProof, match="chained"):
        proofs.read_all({**document, "proof": proof | {"previousProof": chained}}, now=NOW)


# ── HTTP Message Signatures (RFC 9421, appendix B) ───────────────────────────────────────────────────────────


def _request() -> SignedRequest:
    published = APPENDIX["request"]
    method, target, _ = published["startLine"].split()
    headers = [(name.lower(), value) for name, value in published["headers"]]
    return SignedRequest(
        method=method, target=target, scheme="https", authority="example.com", headers=headers,
        body=published["body"].encode(),
    )  # fmt: skip


def _case(section: str) -> dict[str, str]:
    return next(case for case in APPENDIX["cases"] if case["section"] == section)


def _base_and_signature(section: str) -> tuple[bytes, bytes]:
    case = _case(section)
    (member,) = rfc9421.parse_input(case["signatureInput"])
    signature = base64.b64decode(case["signature"].partition("=:")[2].rstrip(":"))
    return rfc9421.signature_base(_request(), member), signature


@pytest.mark.parametrize("section", ["B.2.1", "B.2.2", "B.2.3"])
def test_the_signatures_with_rsa_pss_are_over_the_base_that_we_build(section: str) -> None:
    base, signature = _base_and_signature(section)
    key = serialization.load_pem_public_key(KEYS["test-key-rsa-pss"]["publicPem"].encode())
    assert isinstance(key, rsa.RSAPublicKey)
    key.verify(signature, base, padding.PSS(mgf=padding.MGF1(hashes.SHA512()), salt_length=64), hashes.SHA512())


def test_the_signature_with_a_shared_secret_is_over_the_base_that_we_build() -> None:
    base, signature = _base_and_signature("B.2.5")
    secret = base64.b64decode(KEYS["test-shared-secret"]["base64"])
    assert hmac.digest(secret, base, "sha256") == signature


def test_the_signature_with_ed25519_is_the_one_that_we_make() -> None:
    base, signature = _base_and_signature("B.2.6")
    material = serialization.load_pem_private_key(KEYS["test-key-ed25519"]["privatePem"].encode(), None)
    assert isinstance(material, Ed25519PrivateKey)
    public = keys.parse_public_pem(KEYS["test-key-ed25519"]["publicPem"])
    assert PrivateKey(public=public, material=material).sign(base) == signature
    public.verify(signature, base)


def test_the_proxy_signed_the_base_that_we_build() -> None:
    case = APPENDIX["tlsProxy"]
    headers = dict(case["signedMessage"]["headers"])
    signature = base64.b64decode(headers["Signature"].partition("=:")[2].rstrip(":"))
    key = serialization.load_pem_public_key(KEYS["test-key-ecc-p256"]["publicPem"].encode())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    half = len(signature) // 2
    der = encode_dss_signature(int.from_bytes(signature[:half]), int.from_bytes(signature[half:]))
    key.verify(der, case["signatureBase"].encode(), ec.ECDSA(hashes.SHA256()))


@pytest.mark.case("C15", "C03")
@pytest.mark.parametrize("section", ["B.2.1", "B.2.2", "B.2.3", "B.2.4", "B.2.5", "B.2.6"])
def test_no_published_request_is_let_in_for_it_covers_too_little_or_is_signed_otherwise(section: str) -> None:
    """B.2.3 covers enough, says no algorithm, and is made with PSS: to an RSA key of an actor it means nothing."""
    case = _case(section)
    signed = _request()
    headers = [(name, value) for name, value in signed.headers if name not in ("signature", "signature-input")]
    headers += [("signature-input", case["signatureInput"]), ("signature", case["signature"])]
    request = SignedRequest(
        method=signed.method, target=signed.target, scheme="https", authority="example.com", headers=headers,
        body=signed.body,
    )  # fmt: skip
    key = keys.parse_public_pem(KEYS["test-key-ed25519" if section == "B.2.6" else "test-key-rsa-pss"]["publicPem"])
    with pytest.raises(BadSignature):
        claims.verify(rfc9421.read(request, 1_618_884_473 * SECOND), key)


@pytest.mark.case("C11")
def test_a_key_that_is_for_another_algorithm_is_refused() -> None:
    with pytest.raises(BadSignature):
        keys.parse_public_pem(KEYS["test-key-ecc-p256"]["publicPem"])


def test_the_rsa_key_of_the_rfc_is_read() -> None:
    with pytest.raises(BadSignature, match="SubjectPublicKeyInfo"):
        keys.parse_public_pem(KEYS["test-key-rsa"]["publicPem"])  # PKCS #1, which no actor publishes
    pkcs1 = serialization.load_pem_public_key(KEYS["test-key-rsa"]["publicPem"].encode())
    spki = pkcs1.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert keys.parse_public_pem(spki.decode()).kind == "rsa"
