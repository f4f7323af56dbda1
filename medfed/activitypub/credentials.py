"""Credentials, status lists and DID documents on the wire: written, and read against a closed schema.

A JCS proof does not check what terms mean. So everything that is read has exactly the contexts, types and terms
that we know, and what has more is refused.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from medfed.activitypub import did, jcs, proofs
from medfed.activitypub.contexts import AS2, DID, MULTIKEY
from medfed.activitypub.keys import PrivateKey
from medfed.activitypub.proofs import ProofClaim
from medfed.activitypub.statuslist import BitString, parse_index
from medfed.activitypub.uris import NAMESPACE, Uris, authority_of
from medfed.domain.codes import COUNTRIES, Coding, profession_codings, profession_of, specialties_of, specialty_codings
from medfed.domain.credentials import (
    ASSURANCES,
    CREDENTIAL_TYPES,
    LONGEST_VALIDITY,
    METHODS,
    Assurance,
    Claim,
    StatusEntry,
)
from medfed.domain.trust import did_of, host_of
from medfed.kernel import limits
from medfed.kernel.clock import DAY, MINUTE, Millis, iso, parse_iso
from medfed.kernel.errors import BadProof, Malformed
from medfed.kernel.html import neutralise

Document: TypeAlias = dict[str, object]
Purpose: TypeAlias = Literal["revocation", "suspension"]

VC2: Final = "https://www.w3.org/ns/credentials/v2"
LIST_TTL: Final = 15 * MINUTE
LIST_VALIDITY: Final = 1 * DAY
MEDIA_TYPE: Final = "application/vc"

PRACTITIONER: Final = "PractitionerCredential"
_CREDENTIAL: Final = "VerifiableCredential"
_STATUS_LIST: Final = "BitstringStatusListCredential"

_TERMS: Final[Mapping[str, object]] = {
    "@protected": True,
    PRACTITIONER: f"{NAMESPACE}{PRACTITIONER}",
    **{name: f"{NAMESPACE}{name}" for name in CREDENTIAL_TYPES},
    "Practitioner": f"{NAMESPACE}Practitioner",
    "PractitionerEvidence": f"{NAMESPACE}PractitionerEvidence",
    "subjectKey": {"@id": f"{NAMESPACE}subjectKey", "@type": "@id"},
    "jurisdiction": f"{NAMESPACE}jurisdiction",
    "profession": f"{NAMESPACE}profession",
    "specialty": f"{NAMESPACE}specialty",
    "system": {"@id": f"{NAMESPACE}system", "@type": "@id"},
    "code": f"{NAMESPACE}code",
    "display": f"{NAMESPACE}display",
    "assuranceLevel": f"{NAMESPACE}assuranceLevel",
    "method": f"{NAMESPACE}method",
    "verifiedOn": f"{NAMESPACE}verifiedOn",
    "trustFramework": f"{NAMESPACE}trustFramework",
}
"""Every term that a credential may use, and what it has to mean."""

_MOST: Final = 64
_LONGEST_TEXT: Final = 300
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


# ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """Who signs: the name that is shown, the verification method, and its key."""

    did: str
    name: str
    method: str
    key: PrivateKey


def issue(claim: Claim, issuer: Issuer, *, now: Millis) -> Document:
    """A signed credential that says what `claim` says. Dates are those of the claim, which are whole days."""
    types = [_CREDENTIAL, PRACTITIONER, *claim.types]
    document: Document = {
        "@context": [VC2, _terms_for(types)],
        "id": claim.uri,
        "type": types,
        "issuer": {"id": issuer.did, "name": issuer.name},
        "validFrom": iso(claim.valid_from),
        "validUntil": iso(claim.valid_until),
        "credentialSubject": _subject(claim),
        "evidence": [
            {"type": "PractitionerEvidence", "method": method, "verifiedOn": claim.verified_on}
            for method in claim.methods
        ],
        "credentialStatus": [_status_entry(entry) for entry in claim.status],
    }
    return proofs.sign(document, key=issuer.key, verification_method=issuer.method, created=now)


def _terms_for(types: Iterable[str]) -> Document:
    return {name: term for name, term in _TERMS.items() if name not in CREDENTIAL_TYPES or name in types}


def _subject(claim: Claim) -> Document:
    subject: Document = {"id": claim.subject, "type": "Practitioner", "subjectKey": claim.subject_key}
    if claim.country:
        subject["jurisdiction"] = claim.country
    subject["profession"] = [
        _coding(coding) for coding in profession_codings(claim.profession, claim.specialties, claim.country)
    ]
    if claim.specialties:
        subject["specialty"] = [_coding(coding) for coding in specialty_codings(claim.specialties, claim.country)]
    subject["assuranceLevel"] = claim.assurance
    return subject


def _coding(coding: Coding) -> Document:
    return {"system": coding.system, "code": coding.code, "display": coding.display}


def _status_entry(entry: StatusEntry) -> Document:
    return {
        "id": f"{entry.url}#{entry.index}",
        "type": "BitstringStatusListEntry",
        "statusPurpose": entry.purpose,
        "statusListIndex": str(entry.index),
        "statusListCredential": entry.url,
    }


def status_list(url: str, purpose: Purpose, bits: BitString, issuer: Issuer, *, now: Millis) -> Document:
    """A signed status list, good for a day."""
    document: Document = {
        "@context": [VC2],
        "id": url,
        "type": [_CREDENTIAL, _STATUS_LIST],
        "issuer": issuer.did,
        "validFrom": iso(now),
        "validUntil": iso(now + LIST_VALIDITY),
        "credentialSubject": {
            "id": f"{url}#list",
            "type": "BitstringStatusList",
            "statusPurpose": purpose,
            "ttl": LIST_TTL,
            "encodedList": bits.encode(),
        },
    }
    return proofs.sign(document, key=issuer.key, verification_method=issuer.method, created=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerKey:
    """A public issuer key: its id, its Multikey, and its end, if one is set."""

    id: str
    public: str
    expires_at: Millis | None = None
    revoked_at: Millis | None = None


def did_document(uris: Uris, keys: Sequence[IssuerKey]) -> Document:
    """/.well-known/did.json. A revoked key stays, so that it is known to be, and may assert nothing."""
    return {
        "@context": [DID, MULTIKEY],
        "id": uris.did,
        "alsoKnownAs": [uris.instance_actor],
        "verificationMethod": [_method(uris.did, key) for key in keys],
        "assertionMethod": [key.id for key in keys if key.revoked_at is None],
        "service": [
            {
                "id": f"{uris.did}#activitypub",
                "type": "ActivityPubActor",
                "serviceEndpoint": uris.instance_actor,
            },
            {
                "id": f"{uris.did}#status",
                "type": "StatusLists",
                "serviceEndpoint": f"{uris.base}/credentials/status",
            },
        ],
    }


def _method(controller: str, key: IssuerKey) -> Document:
    method: Document = {
        "id": key.id,
        "type": "Multikey",
        "controller": controller,
        "publicKeyMultibase": key.public,
    }
    if key.expires_at is not None:
        method["expires"] = iso(key.expires_at)
    if key.revoked_at is not None:
        method["revoked"] = iso(key.revoked_at)
    return method


def attestations(uri: str, owner: str, items: Sequence[object]) -> Document:
    """The collection in which an actor shows the credentials that it chose to show."""
    return {
        "@context": AS2,
        "id": uri,
        "type": "Collection",
        "attributedTo": owner,
        "totalItems": len(items),
        "items": list(items),
    }


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class UnverifiedCredential:
    """A credential that was read: well-formed, in our vocabulary, and not to be believed yet."""

    claim: Claim
    document: Document


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedCredential:
    """Evidence, made by `verify` alone: the issuer's key, `key` as a Multikey, made this credential."""

    claim: Claim
    key: str
    document: Document


def read_credential(document: Document) -> UnverifiedCredential:
    """Read a credential. Raises Malformed for what is not in the closed schema.

    Whether it is valid today is for the decision to say, so that an expired one can be shown as just that.
    """
    types = _types(document)
    _check_context(document, types)
    _closed(document, _CREDENTIAL_MEMBERS, "the credential")
    uri = _web(document.get("id"), "id")
    issuer, issuer_name = _issuer(document.get("issuer"))
    if did_of(authority_of(uri)) != issuer:
        raise Malformed("the credential's id is not on its issuer's host")
    valid_from, valid_until = _validity(document)
    methods, verified_on = _evidence(document.get("evidence", []))
    subject = _object(document.get("credentialSubject"), "credentialSubject")
    _closed(subject, _SUBJECT_MEMBERS, "the subject")
    if subject.get("type") != "Practitioner":
        raise Malformed("the subject is not a practitioner")
    about = _web(subject.get("id"), "credentialSubject.id")
    claim = Claim(
        uri=uri,
        issuer=issuer,
        issuer_name=issuer_name,
        subject=about,
        subject_host=authority_of(about),
        subject_key=_subject_key(subject),
        types=types,
        profession=profession_of(_codings(subject.get("profession", []), "profession")),
        specialties=specialties_of(_codings(subject.get("specialty", []), "specialty")),
        country=_country(subject["jurisdiction"]) if "jurisdiction" in subject else "",
        assurance=_assurance(subject.get("assuranceLevel")),
        methods=methods,
        verified_on=verified_on,
        valid_from=valid_from,
        valid_until=valid_until,
        status=_statuses(document.get("credentialStatus"), issuer),
    )
    return UnverifiedCredential(claim=claim, document=document)


def verify(read: UnverifiedCredential, issuer_document: Document, *, now: Millis) -> VerifiedCredential:
    """Check the proof with the key that the issuer's DID document lists for it. Raises BadProof."""
    proof = proofs.read(read.document, now=now)
    key = did.verification_key(issuer_document, proof.verification_method, read.claim.issuer, now)
    proofs.verify(proof, key)
    return VerifiedCredential(claim=read.claim, key=key.multikey, document=read.document)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnverifiedStatusList:
    """A status list that was read, and is not to be believed yet."""

    url: str
    issuer: str
    purpose: Purpose
    bits: BitString
    valid_from: Millis
    valid_until: Millis
    ttl: Millis
    proof: ProofClaim


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusList:
    """Evidence, made by `verify_status_list` alone: what an issuer says of all its credentials at once.

    `key` is the Multikey that it was signed with.
    """

    url: str
    key: str
    issuer: str
    purpose: Purpose
    bits: BitString
    valid_from: Millis
    valid_until: Millis
    ttl: Millis


def read_status_list(document: Document, *, now: Millis) -> UnverifiedStatusList:
    """Read a status list. Raises Malformed, BadProof. One that has ended or not begun is refused."""
    if document.get("@context") != [VC2]:
        raise Malformed("the status list has another context")
    _closed(document, _LIST_MEMBERS, "the status list")
    if document.get("type") != [_CREDENTIAL, _STATUS_LIST]:
        raise Malformed("this is not a status list")
    url = _web(document.get("id"), "id")
    issuer, _ = _issuer(document.get("issuer"))
    if did_of(authority_of(url)) != issuer:
        raise Malformed("the status list is not on its issuer's host")
    valid_from, valid_until = _validity(document)
    if not valid_from - 5 * MINUTE <= now < valid_until:
        raise Malformed("the status list is not valid now")
    subject = _object(document.get("credentialSubject"), "credentialSubject")
    _closed(subject, _LIST_SUBJECT_MEMBERS, "the status list")
    if subject.get("type") != "BitstringStatusList":
        raise Malformed("this is not a status list")
    return UnverifiedStatusList(
        url=url,
        issuer=issuer,
        purpose=_purpose(subject.get("statusPurpose")),
        bits=BitString.decode(_text(subject.get("encodedList"), "encodedList", longest=limits.STATUS_LIST)),
        valid_from=valid_from,
        valid_until=valid_until,
        ttl=_ttl(subject.get("ttl", LIST_TTL)),
        proof=proofs.read(document, now=now),
    )


def verify_status_list(read: UnverifiedStatusList, issuer_document: Document, *, now: Millis) -> StatusList:
    """Check the proof with the key that the issuer's DID document lists for it. Raises BadProof."""
    key = did.verification_key(issuer_document, read.proof.verification_method, read.issuer, now)
    proofs.verify(read.proof, key)
    return StatusList(
        url=read.url,
        key=key.multikey,
        issuer=read.issuer,
        purpose=read.purpose,
        bits=read.bits,
        valid_from=read.valid_from,
        valid_until=read.valid_until,
        ttl=read.ttl,
    )


def read_issuer(document: Document, issuer: str, *, now: Millis) -> frozenset[str]:
    """The Multikeys that a DID document, fetched as that of `issuer`, lists for assertions today. Raises BadProof."""
    if document.get("id") != issuer:
        raise BadProof("the DID document describes somebody else")
    methods = document.get("assertionMethod", [])
    ids = [method.get("id") if isinstance(method, dict) else method for method in _list(methods)]
    found = set()
    for id_ in ids:
        if not isinstance(id_, str):
            continue
        absolute = f"{issuer}{id_}" if id_.startswith("#") else id_
        try:
            found.add(did.verification_key(document, absolute, issuer, now).multikey)
        except BadProof:
            continue  # another kind of key, or one that has ended: the others still count
    return frozenset(found)


def read_collection(document: Document, *, uri: str, owner: str) -> list[object]:
    """The items of an actor's collection of attestations: credentials, or where they are. Raises Malformed."""
    if document.get("id") != uri or document.get("type") not in ("Collection", "OrderedCollection"):
        raise Malformed("this is not the collection of attestations")
    if document.get("attributedTo", owner) != owner:
        raise Malformed("the collection belongs to somebody else")
    items = _list(document.get("items", document.get("orderedItems", [])))
    if len(items) > _MOST:
        raise Malformed("the collection has too many attestations")
    return items


# ── the closed schema ────────────────────────────────────────────────────────────────────────────────────────

_CREDENTIAL_MEMBERS: Final = frozenset(
    {
        "@context",
        "id",
        "type",
        "issuer",
        "validFrom",
        "validUntil",
        "credentialSubject",
        "evidence",
        "credentialStatus",
        "proof",
    }
)
_SUBJECT_MEMBERS: Final = frozenset(
    {"id", "type", "subjectKey", "jurisdiction", "profession", "specialty", "assuranceLevel"}
)
_CODING_MEMBERS: Final = frozenset({"system", "code", "display"})
_EVIDENCE_MEMBERS: Final = frozenset({"type", "method", "trustFramework", "verifiedOn"})
_STATUS_MEMBERS: Final = frozenset({"id", "type", "statusPurpose", "statusListIndex", "statusListCredential"})
_LIST_MEMBERS: Final = frozenset(
    {"@context", "id", "type", "issuer", "validFrom", "validUntil", "credentialSubject", "proof"}
)
_LIST_SUBJECT_MEMBERS: Final = frozenset({"id", "type", "statusPurpose", "ttl", "encodedList"})
_ISSUER_MEMBERS: Final = frozenset({"id", "name"})


def _closed(value: Mapping[str, object], members: frozenset[str], what: str) -> None:
    unknown = sorted(value.keys() - members)
    if unknown:
        raise Malformed(f"{what} has an unknown term {unknown[0][:60]!r}")


def _types(document: Document) -> tuple[str, ...]:
    types = document.get("type")
    if not isinstance(types, list) or types[:2] != [_CREDENTIAL, PRACTITIONER]:
        raise Malformed("this is not a practitioner credential")
    special = types[2:]
    if not special or not all(name in CREDENTIAL_TYPES for name in special) or len(set(special)) < len(special):
        raise Malformed("the credential has no known type, or an unknown one")
    return tuple(special)


def _check_context(document: Document, types: Iterable[str]) -> None:
    """Exactly two contexts: the standard one, and terms that mean what they mean to us."""
    contexts = document.get("@context")
    if not isinstance(contexts, list) or len(contexts) != 2 or contexts[0] != VC2 or not isinstance(contexts[1], dict):
        raise Malformed("the credential has another context")
    terms = contexts[1]
    required = _terms_for(types).keys()
    if not required <= terms.keys() <= _TERMS.keys():
        raise Malformed("the context of the credential lacks a term, or has another one")
    meant = {name: _TERMS[name] for name in terms}
    # In canonical form: to Python, True == 1.
    if jcs.canonicalize(terms) != jcs.canonicalize(meant):
        raise Malformed("a term of the credential's context means something else")


def _issuer(value: object) -> tuple[str, str]:
    """(did, name); the name without anything that could pass for a mark (N11)."""
    if isinstance(value, str):
        return _issuer_id(value), ""
    issuer = _object(value, "issuer")
    _closed(issuer, _ISSUER_MEMBERS, "the issuer")
    name = issuer.get("name", "")
    return _issuer_id(issuer.get("id")), neutralise(_text(name, "issuer.name"), 100) if name else ""


def _issuer_id(value: object) -> str:
    """A did:web of a host; raises Malformed."""
    if not isinstance(value, str):
        raise Malformed("the credential has no issuer")
    try:
        did.did_web_url(value)
    except BadProof as error:
        raise Malformed("the issuer is not a did:web") from error
    if did_of(host_of(value)) != value:
        raise Malformed("the issuer is not the did:web of a host")
    return value


def _validity(document: Document) -> tuple[Millis, Millis]:
    valid_from, valid_until = _moment(document.get("validFrom")), _moment(document.get("validUntil"))
    if not 0 < valid_until - valid_from <= LONGEST_VALIDITY:
        raise Malformed("a credential is valid for at most 400 days")
    return valid_from, valid_until


def _moment(value: object) -> Millis:
    if not isinstance(value, str):
        raise Malformed("a date of the credential is missing")
    try:
        return parse_iso(value)
    except (ValueError, OverflowError):
        raise Malformed("a date of the credential is malformed") from None


def _subject_key(subject: Document) -> str:
    key = _text(subject.get("subjectKey"), "subjectKey")
    try:
        did.parse_did_key(key)
    except BadProof as error:
        raise Malformed("the subject's key is not a did:key of an Ed25519 key") from error
    return key


def _country(value: object) -> str:
    if not isinstance(value, str) or value not in COUNTRIES:
        raise Malformed("the jurisdiction is not a country")
    return value


def _assurance(value: object) -> Assurance:
    for assurance in ASSURANCES:
        if value == assurance:
            return assurance
    raise Malformed("the credential has no assurance level")


def _codings(value: object, name: str) -> list[Coding]:
    codings = []
    for item in _some(value, name):
        coding = _object(item, name)
        _closed(coding, _CODING_MEMBERS, name)
        codings.append(
            Coding(
                system=_text(coding.get("system"), "system"),
                code=_text(coding.get("code"), "code"),
                display=_text(coding.get("display", "-"), "display"),
            )
        )
    return codings


def _evidence(value: object) -> tuple[tuple[str, ...], str]:
    """(methods, the latest day something was verified on)."""
    methods, days = [], [""]
    for item in _some(value, "evidence"):
        evidence = _object(item, "evidence")
        _closed(evidence, _EVIDENCE_MEMBERS, "the evidence")
        if evidence.get("type") != "PractitionerEvidence" or evidence.get("method") not in METHODS:
            raise Malformed("the evidence is of an unknown kind")
        _text(evidence.get("trustFramework", "-"), "trustFramework")
        methods.append(str(evidence["method"]))
        days.append(_day(evidence.get("verifiedOn", "")))
    return tuple(dict.fromkeys(methods)), max(days)


def _day(value: object) -> str:
    if value == "":
        return ""
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise Malformed("a day of the evidence is malformed")
    return value


def _statuses(value: object, issuer: str) -> tuple[StatusEntry, ...]:
    """Every status entry, at least one of them for revocation, all kept by the issuer itself."""
    entries = []
    for item in _some(value, "credentialStatus"):
        entry = _object(item, "credentialStatus")
        _closed(entry, _STATUS_MEMBERS, "the credential's status")
        if entry.get("type") != "BitstringStatusListEntry":
            raise Malformed("the credential's status is of an unknown kind")
        url = _web(entry.get("statusListCredential"), "statusListCredential")
        if did_of(authority_of(url)) != issuer:
            raise Malformed("the credential's status list is not on its issuer's host")
        entries.append(
            StatusEntry(
                url=url,
                index=parse_index(_text(entry.get("statusListIndex"), "statusListIndex")),
                purpose=_purpose(entry.get("statusPurpose")),
            )
        )
    if not any(entry.purpose == "revocation" for entry in entries):
        raise Malformed("the credential could not be revoked")
    return tuple(entries)


def _purpose(value: object) -> Purpose:
    if value == "revocation":
        return "revocation"
    if value == "suspension":
        return "suspension"
    raise Malformed("a status has another purpose than revocation or suspension")


def _ttl(value: object) -> Millis:
    if type(value) is not int or value < 0:
        raise Malformed("the ttl of a status list is a number of milliseconds")
    return min(value, LIST_VALIDITY)


def _web(value: object, name: str) -> str:
    text = _text(value, name, longest=limits.KEY_ID)
    if not authority_of(text) or not text.isascii() or not text.isprintable() or " " in text or "#" in text:
        raise Malformed(f"{name} is not a URL")
    return text


def _text(value: object, name: str, *, longest: int = _LONGEST_TEXT) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= longest or not value.isprintable():
        raise Malformed(f"{name} is not a short text")
    return value


def _object(value: object, name: str) -> Document:
    if not isinstance(value, dict):
        raise Malformed(f"{name} is not an object")
    return value


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _some(value: object, name: str) -> list[object]:
    items = _list(value)
    if len(items) > _MOST:
        raise Malformed(f"{name} has too many entries")
    return items
