"""Decentralized identifiers of two kinds: did:web for issuers, did:key for the keys of practitioners."""

import re
from collections.abc import Iterator
from typing import Final

from medfed.activitypub import keys
from medfed.activitypub.keys import PublicKey
from medfed.kernel import limits
from medfed.kernel.clock import Millis, parse_iso
from medfed.kernel.errors import BadProof, BadSignature

_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST: Final = rf"(?=.{{1,253}}(?:[:/]|%3A|$)){_LABEL}(?:\.{_LABEL})*+"
_SEGMENT: Final = r"(?!\.{1,2}(?:[:/]|$))(?:[A-Za-z0-9._~-]|%[0-9A-F]{2})++"
_DID_WEB: Final = re.compile(rf"did:web:({_HOST})(?:%3A([1-9][0-9]{{0,4}}))?((?::{_SEGMENT})*)")
_WELL_KNOWN: Final = "/.well-known"


def did_web_url(did: str) -> str:
    """Where the document of a did:web is. Raises BadProof for what is not a did:web in its one normal form."""
    match = _DID_WEB.fullmatch(did) if len(did) <= limits.KEY_ID else None
    if match is None:
        raise BadProof("not a did:web identifier")
    host, port, path = match.groups()
    place = path.replace(":", "/") if path else _WELL_KNOWN
    return f"https://{host}{f':{port}' if port else ''}{place}/did.json"


def parse_did_key(did: str) -> PublicKey:
    """The key that a did:key is, given as such or as its verification method did:key:z…#z…

    Raises BadProof unless it is Ed25519.
    """
    identifier, has_fragment, fragment = did.partition("#")
    multikey = identifier.removeprefix("did:key:")
    if multikey == identifier or (has_fragment and fragment != multikey):
        raise BadProof("not a did:key identifier")
    return _ed25519(multikey)


def verification_key(document: dict[str, object], method_id: str, did: str, now: Millis) -> PublicKey:
    """The key that `document`, fetched as that of `did`, lists for making assertions under `method_id`.

    An actor document that has `assertionMethod` (FEP-521a) is read the same way, with the actor's id as `did`.
    Raises BadProof: also when the key belongs to somebody else, has expired or was revoked by `now`.
    """
    if document.get("id") != did:
        raise BadProof("the document of the key describes somebody else")
    if method_id.partition("#")[0] != did or method_id == did:
        raise BadProof("the verification method does not belong to the signer")
    method = _listed(document, method_id, did)
    if method.get("type") != "Multikey" or method.get("controller") != did:
        raise BadProof("the verification method is not a Multikey of the signer")
    # Controlled Identifiers 1.0 § 2.2: not valid for a proof that is verified at or after these.
    for end in ("expires", "revoked"):
        if end in method and now >= _moment(method[end]):
            raise BadProof("the verification method has expired or was revoked")
    return _ed25519(method.get("publicKeyMultibase"))


def _listed(document: dict[str, object], method_id: str, did: str) -> dict[str, object]:
    """The one method with this id: embedded in assertionMethod, or referred to from there."""
    entries = _entries(document, "assertionMethod")
    found = [entry for entry in _objects(entries) if _absolute(entry.get("id"), did) == method_id]
    if any(_absolute(entry, did) == method_id for entry in entries):
        methods = _objects(_entries(document, "verificationMethod"))
        found += [method for method in methods if _absolute(method.get("id"), did) == method_id]
    if len(found) != 1:
        raise BadProof("the verification method is not listed exactly once for assertions")
    return found[0]


def _entries(document: dict[str, object], name: str) -> list[object]:
    value = document.get(name, [])
    return value if isinstance(value, list) else [value]


def _objects(entries: list[object]) -> Iterator[dict[str, object]]:
    return (entry for entry in entries if isinstance(entry, dict))


def _absolute(identifier: object, did: str) -> object:
    if isinstance(identifier, str) and identifier.startswith("#"):
        return did + identifier
    return identifier


def _moment(value: object) -> Millis:
    if not isinstance(value, str):
        raise BadProof("a date of the verification method is malformed")
    try:
        return parse_iso(value)
    except ValueError as error:
        raise BadProof("a date of the verification method is malformed") from error


def _ed25519(multikey: object) -> PublicKey:
    if not isinstance(multikey, str):
        raise BadProof("the verification method has no key")
    try:
        key = keys.parse_multikey(multikey)
    except BadSignature as error:
        raise BadProof("the key of the verification method cannot be read") from error
    if key.kind != "ed25519":
        raise BadProof("proofs are made with Ed25519 keys")
    return key
