"""In which manner a request of ours is signed: as most peers expect it, or as one asks for it (RFC 9421 § 5)."""

from dataclasses import dataclass, replace
from typing import Final

from medfed.activitypub import cavage, rfc9421
from medfed.activitypub.claims import Scheme, SignedRequest
from medfed.activitypub.keys import KeyKind, PrivateKey
from medfed.activitypub.rfc9421 import Component, SignatureInput
from medfed.kernel import limits
from medfed.kernel.clock import DAY, Millis
from medfed.kernel.errors import BadSignature


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """A scheme and a kind of key; for RFC 9421 also a label and what is covered and said beyond the usual."""

    scheme: Scheme
    kind: KeyKind = "rsa"
    label: str = rfc9421.LABEL
    covers: tuple[Component, ...] = ()
    nonce: str = ""
    tag: str = ""

    @property
    def lasting(self) -> "Manner":
        """What of it holds for the next request: a nonce is good for one."""
        return replace(self, nonce="") if self.nonce else self

    @property
    def says(self) -> str:
        """In one line, for the database: the scheme, and the Accept-Signature that asks for the rest."""
        if self.kind == "rsa" and self.label == rfc9421.LABEL and not self.covers and not self.tag:
            return self.scheme
        items = " ".join(component.raw for component in self.covers)
        tag = f";tag={rfc9421.quoted(self.tag)}" if self.tag else ""
        return f'{self.scheme} {self.label}=({items});alg="{rfc9421.NAME_OF[self.kind]}"{tag}'

    def equals(self, other: "Manner") -> bool:
        """Whether the other makes a signature that says as much: order is nothing, and the usual is covered anyway."""
        return (self.scheme, self.kind, self.label, self.nonce, self.tag, self._beyond()) == (
            (other.scheme, other.kind, other.label, other.nonce, other.tag, other._beyond())
        )

    def _beyond(self) -> frozenset[tuple[str, str | None]]:
        return frozenset((each.name, each.parameter) for each in self.covers if each.name not in rfc9421.USUAL)


CAVAGE: Final = Manner(scheme="cavage")
RFC9421: Final = Manner(scheme="rfc9421")
REMEMBERED_FOR: Final = 7 * DAY
"""How long what a host was found to take is taken for granted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKeys:
    """The keys of one account, each with its id."""

    rsa: tuple[str, PrivateKey]
    ed25519: tuple[str, PrivateKey]

    def of(self, kind: KeyKind) -> tuple[str, PrivateKey]:
        """(key id, key) of one kind."""
        return self.ed25519 if kind == "ed25519" else self.rsa

    def kind_of(self, key_id: str) -> KeyKind | None:
        """The kind of the key of this id; None if it is none of these."""
        return next((key.kind for id_, key in (self.rsa, self.ed25519) if id_ == key_id), None)


def sign(request: SignedRequest, manner: Manner, keys: SigningKeys, now: Millis) -> dict[str, str]:
    """The headers that sign a request. Raises BadSignature when it carries not what the manner covers."""
    key_id, key = keys.of(manner.kind)
    if manner.scheme == "cavage":
        return cavage.sign(request, key_id=key_id, key=key, now=now)
    return rfc9421.sign(
        request,
        key_id=key_id,
        key=key,
        now=now,
        covers=manner.covers,
        label=manner.label,
        nonce=manner.nonce,
        tag=manner.tag,
    )


def remembered(text: str) -> Manner | None:
    """The manner that `says` wrote; None for nothing, and for what an older release wrote otherwise."""
    scheme, _, asked = text.partition(" ")
    if scheme == "cavage":
        return CAVAGE
    if scheme != "rfc9421":
        return None
    try:
        return _from(rfc9421.parse_input(asked)[0], None) if asked else RFC9421
    except BadSignature:
        return None


def asked_for(accept_signature: str, keys: SigningKeys) -> Manner:
    """The first signature that Accept-Signature asks for and that these keys can make.

    What it leaves out is added, or a peer could have us sign what it may show to others as ours: the method, the
    target, the body, and when. Raises BadSignature, which says what cannot be had.
    """
    if len(accept_signature) > limits.SIGNATURE_HEADER:
        raise BadSignature("Accept-Signature is too long")
    reasons: list[str] = []
    for member in rfc9421.parse_input(accept_signature):
        try:
            return _from(member, keys)
        except BadSignature as error:
            reasons.append(str(error))
    raise BadSignature("; ".join(dict.fromkeys(reasons)))


def _from(member: SignatureInput, keys: SigningKeys | None) -> Manner:
    if len(member.components) > limits.SIGNATURE_COMPONENTS:
        raise BadSignature("it covers too much")
    for component in member.components:
        if component.name.startswith("@") and component.name not in rfc9421.DERIVED:
            raise BadSignature(f"it covers {component.name}")
    # § 5.1: created and expires "have no associated value"; ours say both anyway.
    return Manner(
        scheme="rfc9421",
        kind=_kind(member, keys),
        label=member.label,
        covers=member.components,
        nonce=member.strings.get("nonce", ""),
        tag=member.strings.get("tag", ""),
    )


def _kind(member: SignatureInput, keys: SigningKeys | None) -> KeyKind:
    algorithm, key_id = member.strings.get("alg"), member.strings.get("keyid")
    if algorithm is not None and algorithm not in rfc9421.KIND_OF:
        raise BadSignature(f"the algorithm {algorithm[:60]}")
    kind = rfc9421.KIND_OF[algorithm] if algorithm is not None else None
    if key_id is None or keys is None:
        return kind or "rsa"
    named = keys.kind_of(key_id)
    if named is None or kind not in (None, named):
        raise BadSignature(f"the key {key_id[:100]}")
    return named
