"""eddsa-jcs-2022: the published vectors verify, and nothing that was changed does."""

import copy
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medfed.activitypub import did, jcs, multibase, proofs
from medfed.activitypub.proofs import VerifiedProof
from medfed.kernel.clock import MINUTE, SECOND, iso, parse_iso
from medfed.kernel.errors import BadProof, Malformed
from tests.unit.activitypub.vectors import text, vector, w3c_key

CREATED = parse_iso("2023-02-24T23:36:38Z")
NOW = CREATED + 60 * MINUTE
KEY = w3c_key()
METHOD = f"did:key:{KEY.public.multikey}#{KEY.public.multikey}"
UNSIGNED: dict[str, Any] = vector("vc-di-eddsa/unsigned.json")
SIGNED: dict[str, Any] = vector("vc-di-eddsa/eddsa-jcs-2022/signedJCS.json")


def verify(document: dict[str, Any], now: int = NOW) -> VerifiedProof:
    return proofs.verify(proofs.read(document, now=now), KEY.public)


def resigned(document: dict[str, Any], **changes: object) -> dict[str, Any]:
    """`document` with a proof whose configuration was changed before it was signed."""
    unsecured = {name: value for name, value in document.items() if name != "proof"}
    signed = proofs.sign(unsecured, key=KEY, verification_method=METHOD, created=CREATED)
    proof = signed["proof"]
    assert isinstance(proof, dict)
    config = {name: value for name, value in {**proof, **changes}.items() if name != "proofValue" and value is not ...}
    context = {"@context": config["@context"]} if "@context" in config else {}
    parts = (config, {**unsecured, **context})
    signature = KEY.sign(b"".join(hashlib.sha256(jcs.canonicalize(part)).digest() for part in parts))
    return {**unsecured, "proof": {**config, "proofValue": multibase.encode_base58btc(signature)}}


@pytest.mark.case("N01")
def test_the_credential_of_the_recommendation_is_signed_and_verified_as_published() -> None:
    signed = proofs.sign(UNSIGNED, key=KEY, verification_method=METHOD, created=CREATED)
    assert signed == SIGNED
    claim = proofs.read(SIGNED, now=NOW)
    assert claim.message.hex() == text("vc-di-eddsa/eddsa-jcs-2022/combinedHashJCS.txt").strip()
    assert claim.signature.hex() == text("vc-di-eddsa/eddsa-jcs-2022/sigHexJCS.txt").strip()
    evidence = proofs.verify(claim, did.parse_did_key(claim.verification_method))
    assert evidence == VerifiedProof(verification_method=METHOD, created=CREATED, key=KEY.public)


def test_the_activity_of_fep_8b32_is_signed_and_verified_as_published() -> None:
    unsigned, expected = (step["json"] for step in vector("fep/fep-8b32.json")["scenarios"][0]["docs"])
    method = expected["proof"]["verificationMethod"]
    assert proofs.sign(unsigned, key=KEY, verification_method=method, created=CREATED) == expected
    document, actor = (step["json"] for step in vector("fep/fep-8b32.json")["scenarios"][1]["docs"])
    claim = proofs.read(document, now=NOW)
    proofs.verify(claim, did.verification_key(actor, claim.verification_method, actor["id"], NOW))


def test_the_statement_of_fep_c390_without_any_context_is_signed_and_verified_as_published() -> None:
    claim, statement = (step["json"] for step in vector("fep/fep-c390.json")["scenarios"][0]["docs"])
    method = statement["proof"]["verificationMethod"]
    assert proofs.sign(claim, key=KEY, verification_method=method, created=CREATED) == statement
    verify(statement)


def test_a_linked_data_signature_beside_the_proof_is_left_out() -> None:
    verify({**SIGNED, "signature": {"type": "RsaSignature2017", "signatureValue": "…"}})


def test_neither_signing_nor_verifying_changes_the_document() -> None:
    for document in (UNSIGNED, {**SIGNED, "signature": {}}):
        before = copy.deepcopy(document)
        proofs.sign(document, key=KEY, verification_method=METHOD, created=CREATED)
        if "proof" in document:
            verify(document)
        assert document == before


def test_a_new_proof_takes_the_place_of_the_old() -> None:
    renewed = proofs.sign(SIGNED, key=KEY, verification_method=METHOD, created=NOW)
    assert verify(renewed).created == NOW


def test_a_proof_in_an_older_shorter_context_still_verifies() -> None:
    longer = {**SIGNED, "@context": [*SIGNED["@context"], "https://www.w3.org/ns/activitystreams"]}
    verify(longer)


def test_a_single_context_may_be_written_with_or_without_a_list() -> None:
    document = {**UNSIGNED, "@context": "https://www.w3.org/ns/credentials/v2"}
    signed = proofs.sign(document, key=KEY, verification_method=METHOD, created=CREATED)
    verify(signed)
    verify({**signed, "@context": ["https://www.w3.org/ns/credentials/v2"]})


@pytest.mark.case("D20")
@pytest.mark.parametrize(
    "context",
    [
        SIGNED["@context"][::-1],
        SIGNED["@context"][:1],
        SIGNED["@context"][1:],
        ["https://evil.example/context", *SIGNED["@context"]],
        [],
        "https://www.w3.org/ns/credentials/v2",
        None,
        {"type": "@id"},
    ],
)
def test_a_proof_in_another_context_is_refused(context: object) -> None:
    with pytest.raises(BadProof, match="context"):
        proofs.read({**SIGNED, "@context": context}, now=NOW)


@pytest.mark.case("D20")
def test_a_context_that_only_python_finds_equal_is_refused() -> None:
    document = resigned({**UNSIGNED, "@context": [{"@protected": True}]})
    verify(document)
    with pytest.raises(BadProof, match="context"):
        proofs.read({**document, "@context": [{"@protected": 1}]}, now=NOW)


@pytest.mark.case("D20")
@pytest.mark.parametrize("keyword", ["@graph", "@included", "@reverse", "@nest"])
def test_keywords_that_rearrange_a_document_are_refused(keyword: str) -> None:
    for document in (
        {**UNSIGNED, keyword: []},
        {**UNSIGNED, "credentialSubject": {"a": [{keyword: {}}]}},
    ):
        with pytest.raises(BadProof, match="rearrange"):
            proofs.read(proofs.sign(document, key=KEY, verification_method=METHOD, created=CREATED), now=NOW)
    contextual = {**UNSIGNED, "@context": [{"parent": {"@reverse": "child"}}]}
    verify(proofs.sign(contextual, key=KEY, verification_method=METHOD, created=CREATED))


@pytest.mark.case("N01")
@pytest.mark.parametrize(
    "changes",
    [
        {"type": "Ed25519Signature2020"},
        {"type": ["DataIntegrityProof"]},
        {"type": ...},
        {"cryptosuite": "eddsa-rdfc-2022"},
        {"cryptosuite": "ecdsa-jcs-2019"},
        {"cryptosuite": ...},
        {"proofPurpose": "authentication"},
        {"proofPurpose": ["assertionMethod"]},
        {"proofPurpose": ...},
        {"verificationMethod": ...},
        {"verificationMethod": ""},
        {"verificationMethod": 17},
        {"verificationMethod": {"id": METHOD}},
        {"verificationMethod": "did:web:" + "a" * 10_000},
        {"verificationMethod": "did:web:a\nb"},
        {"created": iso(NOW + 5 * MINUTE + SECOND)},
        {"created": "2023-02-24T23:36:38"},
        {"created": "yesterday"},
        {"created": None},
        {"created": 1677281798},
        {"expires": iso(NOW)},
        {"expires": iso(CREATED)},
        {"expires": "never"},
        {"expires": None},
        {"previousProof": "urn:uuid:1"},
    ],
    ids=str,
)
def test_an_authentic_proof_of_the_wrong_sort_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(BadProof):
        proofs.read(resigned(UNSIGNED, **changes), now=NOW)


@pytest.mark.parametrize(
    "changes",
    [
        {"created": iso(NOW + 5 * MINUTE)},
        {"created": "2023-02-25T00:36:38+01:00"},
        {"created": ...},
        {"expires": iso(NOW + SECOND)},
        {"@context": ...},
        {"id": "urn:uuid:1", "nonce": "n"},
    ],
    ids=str,
)
def test_an_authentic_proof_within_the_rules_is_accepted(changes: dict[str, object]) -> None:
    verify(resigned(UNSIGNED, **changes))


def test_a_proof_for_another_purpose_is_accepted_where_that_is_asked_for() -> None:
    document = proofs.sign(
        UNSIGNED, key=KEY, verification_method=METHOD, created=CREATED, purpose="capabilityInvocation"
    )
    proofs.verify(proofs.read(document, now=NOW, purpose="capabilityInvocation"), KEY.public)
    with pytest.raises(BadProof, match="purpose"):
        proofs.read(document, now=NOW)


@pytest.mark.case("N01")
@pytest.mark.parametrize(
    "value",
    [
        ...,
        None,
        17,
        "",
        "z",
        SIGNED["proof"]["proofValue"][1:],
        "z0" + SIGNED["proof"]["proofValue"][2:],
        "u" + "A" * 86,
        SIGNED["proof"]["proofValue"] + "1",
        SIGNED["proof"]["proofValue"][:-3],
        "z1" + SIGNED["proof"]["proofValue"][1:],
        "z" + "2" * 100_000,
    ],
    ids=lambda value: str(value)[:16],
)
def test_a_malformed_proof_value_is_refused(value: object) -> None:
    proof = {name: item for name, item in {**SIGNED["proof"], "proofValue": value}.items() if item is not ...}
    with pytest.raises(BadProof):
        proofs.read({**SIGNED, "proof": proof}, now=NOW)


@pytest.mark.case("N01")
@pytest.mark.parametrize("proof", [..., None, [], [[]], "z", 17, {}, [SIGNED["proof"]] * 2, [SIGNED["proof"]] * 9])
def test_a_document_without_exactly_one_proof_is_refused(proof: object) -> None:
    document = {name: item for name, item in {**SIGNED, "proof": proof}.items() if item is not ...}
    with pytest.raises(BadProof):
        proofs.read(document, now=NOW)


def test_every_proof_of_a_set_has_to_be_good() -> None:
    second = resigned(UNSIGNED, id="urn:uuid:2")["proof"]
    claims = proofs.read_all({**UNSIGNED, "proof": [SIGNED["proof"], second]}, now=NOW)
    assert [proofs.verify(claim, KEY.public).created for claim in claims] == [CREATED, CREATED]
    expired = resigned(UNSIGNED, expires=iso(CREATED))["proof"]
    with pytest.raises(BadProof):
        proofs.read_all({**UNSIGNED, "proof": [SIGNED["proof"], expired]}, now=NOW)


@pytest.mark.case("N02")
def test_a_key_of_another_kind_or_of_somebody_else_is_refused(rsa_key: Any, ed25519_key: Any) -> None:
    claim = proofs.read(SIGNED, now=NOW)
    for key in (rsa_key, ed25519_key):
        with pytest.raises(BadProof):
            proofs.verify(claim, key.public)


@pytest.mark.parametrize("value", [2**60, float("nan"), "\ud800"])
def test_what_has_no_canonical_form_is_neither_signed_nor_verified(value: object) -> None:
    with pytest.raises(Malformed):
        proofs.sign({"a": value}, key=KEY, verification_method=METHOD, created=CREATED)
    for document in ({**SIGNED, "a": value}, {**SIGNED, "@context": [value]}):
        with pytest.raises(BadProof):
            proofs.read(document, now=NOW)


SERIAL = json.dumps(SIGNED, ensure_ascii=False).encode()


@pytest.mark.case("N01")
@settings(max_examples=400)
@given(st.integers(0, len(SERIAL) * 8 - 1))
def test_no_flipped_bit_goes_unnoticed(bit: int) -> None:
    flipped = bytearray(SERIAL)
    flipped[bit // 8] ^= 1 << bit % 8
    try:
        document = json.loads(flipped)
    except ValueError:
        return
    # A space that became another space, or an escape for the same character, is the same document.
    if document != SIGNED:
        with pytest.raises(BadProof):
            verify(document)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-100, 100) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(JSON, st.sampled_from(sorted(SIGNED["proof"])))
def test_no_proof_makes_the_reader_fail_in_another_way(value: Any, name: str) -> None:
    for document in ({**SIGNED, "proof": value}, {**SIGNED, "proof": {**SIGNED["proof"], name: value}}):
        if document == SIGNED:
            continue
        with pytest.raises(BadProof):
            verify(document)
