"""did:web and did:key, and which key a document really lists."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medfed.activitypub import did, keys
from medfed.kernel.clock import SECOND, parse_iso
from medfed.kernel.errors import BadProof
from tests.unit.activitypub.vectors import vector

NOW = parse_iso("2026-11-25T10:00:00Z")
DID = "did:web:societe.example"
METHOD = f"{DID}#key-1"
KEY = keys.generate_ed25519().public


@pytest.mark.parametrize("case", vector("multikey-did/did-web.json")["resolutions"])
def test_a_did_web_is_found_where_its_specification_says(case: dict[str, str]) -> None:
    assert did.did_web_url(case["did"]) == case["url"]


@given(
    st.from_regex(r"[a-z0-9]([a-z0-9-]{0,5}[a-z0-9])?(\.[a-z]{2,5}){1,2}", fullmatch=True),
    st.none() | st.integers(1, 65535),
    st.lists(st.from_regex(r"[A-Za-z0-9_~-]([A-Za-z0-9._~-]|%[0-9A-F]{2}){0,5}", fullmatch=True), max_size=3),
)
def test_every_did_web_in_its_one_form_has_a_url(host: str, port: int | None, path: list[str]) -> None:
    authority, place = f"{host}:{port}" if port else host, "/".join(path or [".well-known"])
    identifier = ":".join(["did:web", authority.replace(":", "%3A"), *path])
    assert did.did_web_url(identifier) == f"https://{authority}/{place}/did.json"


@pytest.mark.parametrize(
    "identifier",
    [
        "",
        "did:web:",
        "did:web",
        "did:key:z6Mk",
        "did:web:Example.com",
        "did:web:exämple.com",
        "did:web:example.com/path",
        "did:web:example.com:..:etc",
        "did:web:example.com:.",
        "did:web:example.com::a",
        "did:web:example.com:a:",
        "did:web:user@example.com",
        "did:web:example.com%3a3000",
        "did:web:example.com%3A0",
        "did:web:example.com%2Fa",
        "did:web:example.com?query",
        "did:web:example.com#key",
        "did:web:example.com\n",
        "did:web:-example.com",
        "did:web:example..com",
        "did:web:example.com.",
        "did:web:" + "a." * 130 + "com",
        "did:web:example.com:" + "a" * 3000,
    ],
)
def test_what_is_not_a_did_web_in_its_one_form_has_no_url(identifier: str) -> None:
    with pytest.raises(BadProof):
        did.did_web_url(identifier)


def test_a_did_key_is_its_key() -> None:
    document = vector("multikey-did/did-key.json")["document"]
    key = did.parse_did_key(document["id"])
    assert f"did:key:{key.multikey}" == document["id"]
    assert did.parse_did_key(document["assertionMethod"][0]) == key
    assert did.verification_key(document, document["assertionMethod"][0], document["id"], NOW) == key


@pytest.mark.parametrize("multikey", vector("multikey-did/did-key.json")["identifiers"][2:])
def test_a_did_key_of_another_kind_is_refused(multikey: str) -> None:
    with pytest.raises(BadProof):
        did.parse_did_key(f"did:key:{multikey}")


@pytest.mark.parametrize(
    "form", ["{0}", "did:key:", "did:web:{0}", "did:key:{0}#", "did:key:{0}#key", "did:key:did:key:{0}"]
)
def test_a_damaged_did_key_is_refused(form: str) -> None:
    with pytest.raises(BadProof):
        did.parse_did_key(form.format(KEY.multikey))


def a_method(**changes: object) -> dict[str, object]:
    method = {"id": METHOD, "type": "Multikey", "controller": DID, "publicKeyMultibase": KEY.multikey, **changes}
    return {name: value for name, value in method.items() if value is not ...}


def a_document(*methods: object, listed: object = (METHOD,), **changes: object) -> dict[str, object]:
    entries = list(listed) if isinstance(listed, tuple) else listed
    return {"id": DID, "verificationMethod": list(methods) or [a_method()], "assertionMethod": entries, **changes}


@pytest.mark.parametrize(
    "document",
    [
        a_document(),
        a_document(listed=("#key-1",)),
        a_document(a_method(id="#key-1")),
        a_document(listed=METHOD),
        a_document(listed=(a_method(),), verificationMethod=[]),
        a_document(listed=(a_method(),)),
        a_document(a_method(), a_method(id=f"{DID}#other"), listed=(f"{DID}#other", METHOD)),
        a_document(a_method(expires="2026-11-25T10:00:00.001Z")),
        {"id": DID, "assertionMethod": a_method()},
    ],
)
def test_a_key_that_is_listed_is_found(document: dict[str, object]) -> None:
    assert did.verification_key(document, METHOD, DID, NOW) == KEY


@pytest.mark.case("N01")
@pytest.mark.parametrize(
    "document",
    [
        {},
        a_document(id="did:web:other.example"),
        a_document(listed=()),
        a_document(listed=(f"{DID}#other",)),
        a_document(listed=None),
        a_document(listed=(17, None, ["x"])),
        a_document(assertionMethod=[], authentication=[METHOD]),
        a_document(verificationMethod=None),
        a_document(a_method(id=f"{DID}#other")),
        a_document(a_method(), a_method()),
        a_document(listed=(METHOD, a_method())),
        a_document(a_method(controller="did:web:other.example")),
        a_document(a_method(controller=...)),
        a_document(a_method(controller=[DID])),
        a_document(a_method(type="Ed25519VerificationKey2020")),
        a_document(a_method(type=["Multikey"])),
        a_document(a_method(publicKeyMultibase=...)),
        a_document(a_method(publicKeyMultibase=17)),
        a_document(a_method(publicKeyMultibase="z")),
        a_document(a_method(expires="2026-11-25T10:00:00Z")),
        a_document(a_method(revoked="2026-11-25T09:00:00+00:00")),
        a_document(a_method(expires="2026-11-26T10:00:00")),
        a_document(a_method(expires="never")),
        a_document(a_method(revoked=None)),
    ],
)
def test_a_key_that_is_not_duly_listed_is_refused(document: dict[str, object]) -> None:
    with pytest.raises(BadProof):
        did.verification_key(document, METHOD, DID, NOW)


def test_an_rsa_multikey_makes_no_proofs() -> None:
    rsa = vector("fep/fep-521a.json")["scenarios"][1]["docs"][0]["json"]["publicKeyMultibase"]
    with pytest.raises(BadProof, match="Ed25519"):
        did.verification_key(a_document(a_method(publicKeyMultibase=rsa)), METHOD, DID, NOW)


@pytest.mark.parametrize("method", ["", DID, "#key-1", "did:web:other.example#key-1", f"{DID}:alice#key-1"])
def test_a_method_of_somebody_else_is_refused(method: str) -> None:
    with pytest.raises(BadProof):
        did.verification_key(a_document(), method, DID, NOW)


def test_a_revocation_in_the_future_does_not_count_yet() -> None:
    document = a_document(a_method(revoked="2026-11-25T10:00:01Z"))
    assert did.verification_key(document, METHOD, DID, NOW) == KEY
    with pytest.raises(BadProof):
        did.verification_key(document, METHOD, DID, NOW + SECOND)


def test_the_key_of_an_actor_is_found_in_the_same_way() -> None:
    actor: dict[str, Any] = vector("fep/fep-8b32.json")["scenarios"][1]["docs"][1]["json"]
    method = actor["assertionMethod"][0]
    key = did.verification_key(actor, method["id"], actor["id"], NOW)
    assert key.multikey == method["publicKeyMultibase"]
