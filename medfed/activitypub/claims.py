"""What a signed HTTP request claims about its sender, before and after the claim has been checked."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from medfed.activitypub.keys import KeyKind, PublicKey
from medfed.kernel import limits
from medfed.kernel.clock import SECOND, Millis
from medfed.kernel.errors import BadSignature

Scheme: TypeAlias = Literal["cavage", "rfc9421"]

_DEFAULT_PORTS: Final = {"https": ":443", "http": ":80"}
_BODILESS: Final = frozenset({"GET", "HEAD"})
_SIGNED_IF_SENT: Final = ("collection-synchronization",)
"""Headers that mean nothing unless the signature covers them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRequest:
    """An HTTP request as its signature sees it.

    `target` is the raw path and query of the request line, never normalised. `scheme` and `authority` are those
    that this server is known by (or, on the way out, that the request is for): not what a Host header says.
    `headers` have lower-case names and keep their order and duplicates, decoded as Latin-1.
    """

    method: str
    target: str
    scheme: str
    authority: str
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    _named: dict[str, list[str]] = field(init=False, repr=False, compare=False, default_factory=dict)

    @classmethod
    def outgoing(cls, method: str, url: str, body: bytes = b"") -> "SignedRequest":
        """A request to be signed. `url` is absolute; its fragment is left out. Raises ValueError."""
        scheme, separator, rest = url.partition("#")[0].partition("://")
        path = min((at for at in (rest.find("/"), rest.find("?")) if at >= 0), default=len(rest))
        if not separator or not path or not url.isascii() or not url.isprintable() or " " in url:
            raise ValueError("not an absolute URL")
        target = rest[path:] if rest[path : path + 1] == "/" else f"/{rest[path:]}"
        return cls(method=method, target=target, scheme=scheme, authority=rest[:path], body=body)

    def values(self, name: str) -> list[str]:
        """Every value of a header, in order, without the white space around it."""
        if not self._named:  # a signature is read by asking for some of them again and again
            for header, value in self.headers:
                self._named.setdefault(header, []).append(value.strip(" \t"))
        return self._named.get(name, [])

    @property
    def also_signed(self) -> tuple[str, ...]:
        """Headers that the request carries and that a signature of ours covers besides the usual ones."""
        return tuple(name for name, _ in self.headers if name in _SIGNED_IF_SENT)

    @property
    def must_bind_body(self) -> bool:
        """Whether the signature has to cover a digest: there is a body, or there could be."""
        return bool(self.body) or self.method.upper() not in _BODILESS


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureClaim:
    """A signature that is well-formed, timely, and covers what it must; only its key has not been asked yet.

    `bases` are the byte strings any of which the key may have signed. `required` is the kind of key that the
    signature's own algorithm label commits to, if it does. `covered` names the headers (and derived components) that
    the signature binds.
    """

    key_id: str
    scheme: Scheme
    created: Millis
    signature: bytes
    bases: tuple[bytes, ...]
    required: KeyKind | None = None
    covered: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedSignature:
    """Evidence, made by `verify` alone: the holder of `key` signed the request. Whose key it is, is next."""

    key_id: str
    scheme: Scheme
    created: Millis
    key: PublicKey


def verify(claim: SignatureClaim, key: PublicKey) -> VerifiedSignature:
    """Check the claim with the key that `claim.key_id` names. Raises BadSignature."""
    if claim.required not in (None, key.kind):
        raise BadSignature("the algorithm of the signature is not that of its key")
    for base in claim.bases:
        if _signed(claim, key, base):
            return VerifiedSignature(key_id=claim.key_id, scheme=claim.scheme, created=claim.created, key=key)
    raise BadSignature("the signature does not verify")


def _signed(claim: SignatureClaim, key: PublicKey, base: bytes) -> bool:
    try:
        key.verify(claim.signature, base)
    except BadSignature:
        return False
    return True


def check_window(created: int, expires: int | None, now: Millis) -> None:
    """Refuse what was signed too long ago or in the future, or has expired. Seconds, except `now`."""
    age = now - created * SECOND
    if age > limits.SIGNATURE_PAST_SECONDS * SECOND:
        raise BadSignature("the signature is too old")
    if age < -limits.SIGNATURE_FUTURE_SECONDS * SECOND:
        raise BadSignature("the signature is from the future: please check the clock")
    if expires is None:
        return
    if expires < created:
        raise BadSignature("the signature expired before it was made")
    if now > expires * SECOND:
        raise BadSignature("the signature has expired")


def check_key_id(key_id: str) -> None:
    """Refuse a key id that cannot name anything. Where it points is for the caller to judge."""
    if not 0 < len(key_id) <= limits.KEY_ID or not key_id.isascii() or not key_id.isprintable():
        raise BadSignature("the key id is not a usable identifier")


def normal_authority(authority: str, scheme: str) -> str:
    """Lower case, without the port that the scheme implies (RFC 9421 § 2.2.3)."""
    return authority.lower().removesuffix(_DEFAULT_PORTS.get(scheme, ""))
