"""Data Integrity proofs (eddsa-jcs-2022, FEP-8b32): documents that stay authentic wherever they travel."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from medfed.activitypub import jcs, multibase
from medfed.activitypub.keys import PrivateKey, PublicKey
from medfed.kernel import limits
from medfed.kernel.clock import MINUTE, Millis, iso, parse_iso
from medfed.kernel.errors import BadProof, BadSignature, Malformed

CRYPTOSUITE: Final = "eddsa-jcs-2022"
_SKEW: Final = 5 * MINUTE
_SIGNATURE_BYTES: Final = 64
_REARRANGING: Final = frozenset({"@graph", "@included", "@reverse", "@nest"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofClaim:
    """A proof that is well-formed, timely and made for the purpose; only its key has not been asked yet."""

    verification_method: str
    created: Millis | None
    signature: bytes
    message: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedProof:
    """Evidence, made by `verify` alone: the holder of `key` proved the document. Whose key it is, is next."""

    verification_method: str
    created: Millis | None
    key: PublicKey


def sign(
    document: Mapping[str, object],
    *,
    key: PrivateKey,
    verification_method: str,
    created: Millis,
    purpose: str = "assertionMethod",
) -> dict[str, object]:
    """A copy of `document` with a proof, in place of any that it had. Raises Malformed for what JCS cannot carry."""
    unsecured = {name: value for name, value in document.items() if name != "proof"}
    config: dict[str, object] = {
        "type": "DataIntegrityProof",
        "cryptosuite": CRYPTOSUITE,
        "created": iso(created),
        "verificationMethod": verification_method,
        "proofPurpose": purpose,
    }
    if "@context" in unsecured:
        config = {"@context": unsecured["@context"], **config}
    signature = key.sign(_message(config, unsecured))
    return {**unsecured, "proof": {**config, "proofValue": multibase.encode_base58btc(signature)}}


def read(document: Mapping[str, object], *, now: Millis, purpose: str = "assertionMethod") -> ProofClaim:
    """Read the one proof of a document and check all that needs no key. Raises BadProof.

    Fetch the key that `verification_method` names, then call `verify`.
    """
    claims = read_all(document, now=now, purpose=purpose)
    if len(claims) != 1:
        raise BadProof("the document has several proofs")
    return claims[0]


def read_all(
    document: Mapping[str, object], *, now: Millis, purpose: str = "assertionMethod"
) -> tuple[ProofClaim, ...]:
    """Read every proof of a proof set, at least one and at most 8; each of them has to be good. Raises BadProof."""
    proof = document.get("proof")
    proofs = proof if isinstance(proof, list) else [proof]
    if not 0 < len(proofs) <= limits.PROOFS:
        raise BadProof("the document has no proof, or too many")
    if _is_rearranged(document):
        raise BadProof("the document uses JSON-LD keywords that rearrange it")
    # FEP-8b32: a linked data signature is made after the proof, and over it.
    unsecured = {name: value for name, value in document.items() if name not in ("proof", "signature")}
    return tuple(_read(item, unsecured, now, purpose) for item in proofs)


def understood(document: Mapping[str, object], *, now: Millis) -> ProofClaim | None:
    """The one proof of a document that is of our kind and of today; None when none says anything to us.

    FEP-8b32 has verifiers ignore other cryptosuites and what has expired; a document that can be rearranged has no
    proof (D20), and of several none is chosen. Raises BadProof for one of our kind that is malformed.
    """
    proof = document.get("proof")
    proofs = proof if isinstance(proof, list) else [proof]
    if len(proofs) > limits.PROOFS:
        return None
    ours = [item for item in proofs if isinstance(item, dict) and _is_ours(item)]
    if len(ours) != 1 or ("expires" in ours[0] and now >= _moment(ours[0]["expires"])) or _is_rearranged(document):
        return None
    unsecured = {name: value for name, value in document.items() if name not in ("proof", "signature")}
    return _read(ours[0], unsecured, now, "assertionMethod")


def _is_ours(proof: Mapping[str, object]) -> bool:
    kind = (proof.get("type"), proof.get("cryptosuite"), proof.get("proofPurpose"))
    return kind == ("DataIntegrityProof", CRYPTOSUITE, "assertionMethod") and "previousProof" not in proof


def verify(claim: ProofClaim, key: PublicKey) -> VerifiedProof:
    """Check the claim with the key that `claim.verification_method` names. Raises BadProof."""
    if key.kind != "ed25519":
        raise BadProof(f"{CRYPTOSUITE} takes an Ed25519 key")
    try:
        key.verify(claim.signature, claim.message)
    except BadSignature as error:
        raise BadProof("the proof does not verify") from error
    return VerifiedProof(verification_method=claim.verification_method, created=claim.created, key=key)


def _read(proof: object, unsecured: dict[str, object], now: Millis, purpose: str) -> ProofClaim:
    if not isinstance(proof, dict):
        raise BadProof("the document has no proof")
    if proof.get("type") != "DataIntegrityProof" or proof.get("cryptosuite") != CRYPTOSUITE:
        raise BadProof(f"the proof is not a DataIntegrityProof with {CRYPTOSUITE}")
    if proof.get("proofPurpose") != purpose:
        raise BadProof("the proof was made for another purpose")
    if "previousProof" in proof:
        raise BadProof("chained proofs are not supported")
    config = {name: value for name, value in proof.items() if name != "proofValue"}
    return ProofClaim(
        verification_method=_method(proof.get("verificationMethod")),
        created=_created(proof, now),
        signature=_signature(proof.get("proofValue")),
        message=_readable_message(config, _in_context_of(proof, unsecured)),
    )


def _method(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= limits.KEY_ID or not value.isprintable():
        raise BadProof("the proof does not name its verification method")
    return value


def _created(proof: dict[str, object], now: Millis) -> Millis | None:
    if "expires" in proof and now >= _moment(proof["expires"]):
        raise BadProof("the proof has expired")
    if "created" not in proof:
        return None
    created = _moment(proof["created"])
    if created > now + _SKEW:
        raise BadProof("the proof is from the future")
    return created


def _moment(value: object) -> Millis:
    if not isinstance(value, str):
        raise BadProof("a date of the proof is malformed")
    try:
        return parse_iso(value)
    except ValueError as error:
        raise BadProof("a date of the proof is malformed") from error


def _signature(value: object) -> bytes:
    if not isinstance(value, str) or not value.startswith("z"):
        raise BadProof("the value of the proof is not base58btc")
    try:
        signature = multibase.decode(value)
    except Malformed as error:
        raise BadProof("the value of the proof is not base58btc") from error
    if len(signature) != _SIGNATURE_BYTES:
        raise BadProof("the value of the proof is not 64 bytes long")
    return signature


def _in_context_of(proof: dict[str, object], unsecured: dict[str, object]) -> dict[str, object]:
    """REC § 3.3.2: the proof's context begins the document's, which is then verified with that context alone."""
    if "@context" not in proof:
        return unsecured
    signed, shown = _contexts(proof["@context"]), _contexts(unsecured.get("@context", []))
    # Compared in canonical form: to Python, True == 1 == 1.0.
    if _canonical(signed) != _canonical(shown[: len(signed)]):
        raise BadProof("the proof was made in another context")
    return {**unsecured, "@context": proof["@context"]}


def _contexts(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _is_rearranged(document: Mapping[str, object]) -> bool:
    """Whether JSON-LD keywords could make a signed tree mean another one; contexts are data here, never run."""
    pending: list[object] = [value for name, value in document.items() if name != "@context"]
    names = set(document)
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            names |= item.keys()
            pending.extend(value for name, value in item.items() if name != "@context")
        elif isinstance(item, list):
            pending.extend(item)
    return bool(names & _REARRANGING)


def _readable_message(config: dict[str, object], unsecured: dict[str, object]) -> bytes:
    try:
        return _message(config, unsecured)
    except Malformed as error:
        raise BadProof("the document has no canonical form") from error


def _canonical(value: object) -> bytes:
    try:
        return jcs.canonicalize(value)
    except Malformed as error:
        raise BadProof("the document has no canonical form") from error


def _message(config: dict[str, object], unsecured: dict[str, object]) -> bytes:
    """REC § 3.3.4: the hash of the proof configuration, then that of the document."""
    return b"".join(hashlib.sha256(jcs.canonicalize(part)).digest() for part in (config, unsecured))
