"""Credentials, status lists and DID documents: what we write is read back, and nothing else than we know is read."""

import copy
import gzip
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medfed.activitypub import credentials as wire
from medfed.activitypub import multibase, proofs
from medfed.activitypub.keys import generate_ed25519
from medfed.activitypub.statuslist import BitString
from medfed.activitypub.strictjson import parse_object
from medfed.activitypub.uris import Uris
from medfed.domain.credentials import Claim, StatusEntry
from medfed.kernel.clock import DAY, HOUR, MINUTE, SECOND, iso, parse_iso
from medfed.kernel.errors import BadProof, Malformed, MedfedError
from tests.unit.activitypub.vectors import text, vector
from tests.unit.domain.claims import a_claim

THEN = parse_iso("2026-11-23T10:00:00Z")
NOW = parse_iso("2026-11-25T10:00:00Z")
URIS = Uris(base="https://society.example", domain="society.example")
KEY = generate_ed25519()
ISSUER = wire.Issuer(did=URIS.did, name="Society", method=f"{URIS.did}#key-2026-11", key=KEY)
LIST_URL = "https://society.example/credentials/status/1"

CLAIM = a_claim(
    types=("SpecialtyCredential",),
    methods=("registry-lookup", "document-review"),
    verified_on="2026-11-25",
    valid_from=NOW - NOW % DAY,
    valid_until=NOW - NOW % DAY + 365 * DAY,
    subject_key=f"did:key:{generate_ed25519().public.multikey}",
)


def did_document(**changes: Any) -> dict[str, Any]:
    """The issuer's document."""
    key = wire.IssuerKey(id=ISSUER.method, public=KEY.public.multikey, **changes)
    return wire.did_document(URIS, [key])


def issued(claim: Claim = CLAIM) -> dict[str, Any]:
    """A signed credential, as it comes off the wire."""
    return parse_object(orjson.dumps(wire.issue(claim, ISSUER, now=NOW)))


def signed_anew(change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """What the issuer itself would sign after a change."""
    document = issued()
    change(document)
    return proofs.sign(document, key=KEY, verification_method=ISSUER.method, created=NOW)


# ── the published examples ───────────────────────────────────────────────────────────────────────────────────


def test_the_published_credential_verifies() -> None:
    read = wire.read_credential(parse_object(text("attestations/credential.json").encode()))
    verified = wire.verify(read, vector("attestations/issuer-did.json"), now=THEN)
    assert verified.claim.issuer == "did:web:societe-cardio.example"
    assert (verified.claim.profession, verified.claim.specialties) == ("physician", ("cardiology",))
    assert (verified.claim.country, verified.claim.assurance) == ("FR", "substantial")
    assert [entry.index for entry in verified.claim.status] == [94567, 23452]


def test_the_published_status_list_verifies() -> None:
    read = wire.read_status_list(vector("attestations/status-list.json"), now=THEN)
    verified = wire.verify_status_list(read, vector("attestations/issuer-did.json"), now=THEN)
    assert (verified.purpose, verified.ttl, len(verified.bits)) == ("revocation", 15 * MINUTE, 131_072)


def test_the_published_collection_is_read() -> None:
    owner = "https://chu.example/users/alice"
    (item,) = wire.read_collection(vector("attestations/collection.json"), uri=f"{owner}/attestations", owner=owner)
    assert isinstance(item, dict)
    assert wire.read_credential(item).claim.subject == owner


def test_the_published_issuer_has_two_keys() -> None:
    keys = wire.read_issuer(vector("attestations/issuer-did.json"), "did:web:societe-cardio.example", now=THEN)
    assert len(keys) == 2


# ── writing and reading ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "claim",
    [
        CLAIM,
        replace(CLAIM, types=("LicenceCredential",), profession="nurse", specialties=(), country=""),
        replace(CLAIM, types=("EmploymentCredential",), country="DE", assurance="low"),
    ],
)
def test_what_is_issued_is_read_back_and_verifies(claim: Claim) -> None:
    verified = wire.verify(wire.read_credential(issued(claim)), did_document(), now=NOW)
    assert verified.claim == claim
    assert verified.key == KEY.public.multikey


def test_a_credential_has_the_shape_of_the_published_one() -> None:
    ours = issued()
    theirs = vector("attestations/credential.json")
    assert ours.keys() == theirs.keys()
    assert ours["@context"] == theirs["@context"]
    assert ours["credentialSubject"].keys() == theirs["credentialSubject"].keys()
    assert ours["credentialStatus"][0].keys() == theirs["credentialStatus"][0].keys()


def test_an_issuers_name_cannot_imitate_a_mark() -> None:
    document = signed_anew(lambda it: it["issuer"].update(name="Society\u202e\u200b✔"))
    with pytest.raises(Malformed):
        wire.read_credential(document)


def test_an_issuer_may_be_named_by_its_did_alone() -> None:
    def bare(document: dict[str, Any]) -> None:
        document["issuer"] = URIS.did

    assert wire.read_credential(signed_anew(bare)).claim.issuer_name == ""


# ── proofs ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.case("N01")
@settings(max_examples=2_000)
@given(st.data())
def test_no_bit_of_a_credential_can_be_changed(data: st.DataObject) -> None:
    raw = bytearray(orjson.dumps(issued()))
    place = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[place // 8] ^= 1 << place % 8
    with pytest.raises(MedfedError):
        wire.verify(wire.read_credential(parse_object(bytes(raw))), did_document(), now=NOW)


@pytest.mark.case("N01")
@pytest.mark.parametrize(
    "change",
    [
        lambda it: it.pop("proof"),
        lambda it: it["proof"].update(proofPurpose="authentication"),
        lambda it: it["proof"].update(verificationMethod=f"{URIS.did}#key-2025-01"),
        lambda it: it["proof"].update(verificationMethod="did:web:rogue.example#key-2026-11"),
        lambda it: it["proof"].update(cryptosuite="eddsa-rdfc-2022"),
        lambda it: it["proof"]["@context"].reverse(),
    ],
)
def test_a_proof_that_is_not_the_issuers_own_does_not_verify(change: Callable[[dict[str, Any]], None]) -> None:
    document = issued()
    change(document)
    read = wire.read_credential(document)
    with pytest.raises(BadProof):
        wire.verify(read, did_document(), now=NOW)


@pytest.mark.parametrize("end", ["expires_at", "revoked_at"])
def test_a_key_that_has_ended_verifies_nothing(end: str) -> None:
    document = did_document(**{end: NOW})
    with pytest.raises(BadProof):
        wire.verify(wire.read_credential(issued()), document, now=NOW)
    assert wire.read_issuer(document, URIS.did, now=NOW) == frozenset()


# ── the closed schema ────────────────────────────────────────────────────────────────────────────────────────


def _set(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    """Set a member of a document; a path such as credentialSubject.profession.0.code."""

    def change(document: dict[str, Any]) -> None:
        *parents, last = path.split(".")
        target: Any = document
        for name in parents:
            target = target[int(name)] if isinstance(target, list) else target[name]
        target[int(last) if isinstance(target, list) else last] = value

    return change


_ENTRY = {"type": "PractitionerEvidence", "method": "national-idp"}


@pytest.mark.parametrize(
    "change",
    [
        _set("@context", "https://www.w3.org/ns/credentials/v2"),
        _set("@context.0", "https://www.w3.org/ns/credentials/v1"),
        _set("@context.1", "https://evil.example/context"),
        _set("@context.1.@protected", 1),
        _set("@context.1.profession", "https://evil.example/hobby"),
        _set("@context.1.extra", "https://evil.example/extra"),
        lambda it: it["@context"].append({}),
        lambda it: it["@context"][1].pop("code"),
        _set("type", "VerifiableCredential"),
        _set("type", ["VerifiableCredential", "PractitionerCredential"]),
        _set("type", ["VerifiableCredential", "PractitionerCredential", "DriverCredential"]),
        _set("type", ["VerifiableCredential", "PractitionerCredential", "SpecialtyCredential", "SpecialtyCredential"]),
        _set("type", ["VerifiableCredential", "PractitionerCredential", "LicenceCredential"]),
        _set("statusEntry", {}),
        _set("id", "https://elsewhere.example/credentials/1"),
        _set("id", "urn:uuid:1"),
        _set("id", "https://society.example/credentials/1#x"),
        _set("id", 3),
        _set("issuer", 3),
        _set("issuer", "https://society.example"),
        _set("issuer", "did:web:society.example:doctors"),
        _set("issuer.id", None),
        _set("issuer.url", "https://society.example"),
        _set("issuer.name", 7),
        _set("validFrom", None),
        _set("validFrom", "2026-11-25"),
        _set("validFrom", "yesterday"),
        _set("validUntil", "2028-11-25T00:00:00Z"),
        _set("validUntil", "2026-11-24T00:00:00Z"),
        _set("credentialSubject", []),
        _set("credentialSubject.type", "Patient"),
        _set("credentialSubject.licence", "10000000009"),
        _set("credentialSubject.id", "did:web:lyon.example"),
        _set("credentialSubject.subjectKey", "z6Mk"),
        _set("credentialSubject.subjectKey", None),
        _set("credentialSubject.jurisdiction", "France"),
        _set("credentialSubject.jurisdiction", ["FR"]),
        _set("credentialSubject.assuranceLevel", "total"),
        _set("credentialSubject.profession", ["physician"]),
        _set("credentialSubject.profession.0.version", "1"),
        _set("credentialSubject.profession.0.code", 10),
        _set("credentialSubject.profession.0.display", "x" * 301),
        _set("credentialSubject.profession", [{"system": "urn:x", "code": "1"}] * 65),
        _set("evidence.0.type", "Rumour"),
        _set("evidence.0.method", "clairvoyance"),
        _set("evidence.0.note", "seen"),
        _set("evidence.0.verifiedOn", "yesterday"),
        _set("evidence.0.trustFramework", 3),
        _set("evidence", ["document-review"]),
        _set("credentialStatus", []),
        _set("credentialStatus", None),
        _set("credentialStatus.0.type", "RevocationList2020"),
        _set("credentialStatus.0.statusPurpose", "message"),
        _set("credentialStatus.0.statusPurpose", "suspension"),
        _set("credentialStatus.0.statusListIndex", "-1"),
        _set("credentialStatus.0.statusListIndex", 5),
        _set("credentialStatus.0.statusListCredential", "https://elsewhere.example/status/1"),
        _set("credentialStatus.0.statusSize", 2),
    ],
)
def test_what_is_not_in_our_vocabulary_is_refused_though_its_issuer_signed_it(
    change: Callable[[dict[str, Any]], None],
) -> None:
    with pytest.raises(Malformed):
        wire.read_credential(signed_anew(change))


def test_what_may_be_left_out_may_be_left_out() -> None:
    def spare(document: dict[str, Any]) -> None:
        document["evidence"] = [_ENTRY]
        del document["credentialSubject"]["jurisdiction"]
        del document["credentialSubject"]["specialty"]
        del document["credentialStatus"][1]
        document["credentialSubject"]["profession"] = {"system": "urn:x", "code": "1"}

    claim = wire.read_credential(signed_anew(spare)).claim
    assert (claim.country, claim.specialties, claim.profession, claim.verified_on) == ("", (), "", "")
    assert claim.status == (StatusEntry(url=LIST_URL, index=5, purpose="revocation"),)


# ── status lists ─────────────────────────────────────────────────────────────────────────────────────────────


def a_list(bits: BitString | None = None) -> dict[str, Any]:
    """A signed status list of now."""
    return copy.deepcopy(wire.status_list(LIST_URL, "revocation", bits or BitString(), ISSUER, now=NOW))


def list_anew(change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """What the issuer itself would sign after a change."""
    document = a_list()
    change(document)
    return proofs.sign(document, key=KEY, verification_method=ISSUER.method, created=NOW)


def test_a_list_says_what_was_set() -> None:
    bits = BitString()
    bits.set(5)
    read = wire.verify_status_list(wire.read_status_list(a_list(bits), now=NOW), did_document(), now=NOW)
    assert (read.bits.get(5), read.bits.get(6)) == (True, False)
    assert read.bits.get(131_072 - 1 - 5) is False
    assert (read.url, read.issuer, read.valid_until) == (LIST_URL, URIS.did, NOW + DAY)


@pytest.mark.case("N06")
@pytest.mark.parametrize(
    "change",
    [
        _set("@context", ["https://www.w3.org/ns/credentials/v2", {}]),
        _set("type", ["VerifiableCredential"]),
        _set("extra", 1),
        _set("id", "https://elsewhere.example/status/1"),
        _set("issuer", "did:web:elsewhere.example"),
        _set("validUntil", iso(NOW)),
        _set("validFrom", iso(NOW + 6 * MINUTE)),
        _set("credentialSubject.type", "RevocationList2020"),
        _set("credentialSubject.statusPurpose", "message"),
        _set("credentialSubject.statusSize", 2),
        _set("credentialSubject.ttl", -1),
        _set("credentialSubject.ttl", "soon"),
        _set("credentialSubject.encodedList", ""),
        _set("credentialSubject.encodedList", "zabc"),
        _set("credentialSubject.encodedList", "uAAAA"),
        _set("credentialSubject.encodedList", multibase.encode_base64url(gzip.compress(bytes(16_383)))),
        _set("credentialSubject.encodedList", multibase.encode_base64url(gzip.compress(bytes(2**21)))),
    ],
)
def test_a_list_that_is_not_one_says_nothing(change: Callable[[dict[str, Any]], None]) -> None:
    with pytest.raises(Malformed):
        wire.read_status_list(list_anew(change), now=NOW)


@pytest.mark.case("N06")
def test_a_list_that_is_unsigned_or_signed_by_others_says_nothing() -> None:
    unsigned = a_list()
    del unsigned["proof"]
    with pytest.raises(BadProof):
        wire.read_status_list(unsigned, now=NOW)
    foreign = proofs.sign(a_list(), key=generate_ed25519(), verification_method=ISSUER.method, created=NOW)
    with pytest.raises(BadProof):
        wire.verify_status_list(wire.read_status_list(foreign, now=NOW), did_document(), now=NOW)


def test_a_list_counts_until_it_ends_and_its_ttl_is_at_most_a_day() -> None:
    wire.read_status_list(a_list(), now=NOW + DAY - SECOND)
    with pytest.raises(Malformed):
        wire.read_status_list(a_list(), now=NOW + DAY)
    lasting = list_anew(_set("credentialSubject.ttl", 400 * DAY))
    assert wire.read_status_list(lasting, now=NOW).ttl == DAY


def test_a_suspension_list_is_one_too() -> None:
    document = wire.status_list(LIST_URL, "suspension", BitString(), ISSUER, now=NOW)
    assert wire.read_status_list(document, now=NOW).purpose == "suspension"


# ── DID documents ────────────────────────────────────────────────────────────────────────────────────────────


def test_our_own_document_has_the_shape_of_the_published_one() -> None:
    ours = did_document(expires_at=NOW + HOUR)
    assert ours.keys() == vector("attestations/issuer-did.json").keys()
    assert ours["verificationMethod"][0]["expires"] == iso(NOW + HOUR)
    assert wire.read_issuer(ours, URIS.did, now=NOW) == {KEY.public.multikey}


def test_keys_of_other_kinds_and_nonsense_are_left_out() -> None:
    document = did_document()
    document["assertionMethod"] += ["#elsewhere", 7, {"id": f"{URIS.did}#broken", "type": "Multikey"}]
    assert wire.read_issuer(document, URIS.did, now=NOW) == {KEY.public.multikey}
    relative = did_document()
    relative["assertionMethod"] = "#key-2026-11"
    assert wire.read_issuer(relative, URIS.did, now=NOW) == {KEY.public.multikey}


def test_the_document_of_somebody_else_is_refused() -> None:
    with pytest.raises(BadProof):
        wire.read_issuer(did_document(), "did:web:elsewhere.example", now=NOW)
    assert wire.read_issuer({"id": URIS.did}, URIS.did, now=NOW) == frozenset()


# ── collections ──────────────────────────────────────────────────────────────────────────────────────────────

OWNER = "https://lyon.example/users/alice"


def test_a_collection_is_read_back() -> None:
    document = wire.attestations(f"{OWNER}/attestations", OWNER, [{"id": "x"}, "https://a.example/1"])
    assert document["totalItems"] == 2
    assert len(wire.read_collection(document, uri=f"{OWNER}/attestations", owner=OWNER)) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"id": "https://lyon.example/users/bob/attestations"},
        {"type": "Note"},
        {"attributedTo": "https://lyon.example/users/bob"},
        {"items": ["https://a.example/1"] * 65},
    ],
)
def test_another_collection_is_refused(change: dict[str, Any]) -> None:
    document = wire.attestations(f"{OWNER}/attestations", OWNER, []) | change
    with pytest.raises(Malformed):
        wire.read_collection(document, uri=f"{OWNER}/attestations", owner=OWNER)
