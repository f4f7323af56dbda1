"""Key material: generate, load, publish as PEM and as Multikey, sign and verify.

The type of a key decides its algorithm, always: RSA means RSASSA-PKCS1-v1_5 with SHA-256, Ed25519 means
EdDSA. No algorithm name that arrives over the wire is ever trusted to choose one.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from medfed.activitypub import multibase
from medfed.domain.accounts import AccountKey
from medfed.kernel import limits
from medfed.kernel.errors import BadSignature, Malformed, Misconfigured

KeyKind: TypeAlias = Literal["rsa", "ed25519"]

FRAGMENTS: Final[Mapping[KeyKind, str]] = {"rsa": "main-key", "ed25519": "ed25519-key"}
"""What follows # in the ids of our own first keys; later ones are numbered."""

_RSA_EXPONENTS: Final = range(65_537, 2**32, 2)
_SPKI_PEM: Final = re.compile(r"\s*+-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]++)-----END PUBLIC KEY-----\s*+")

_PADDING: Final = padding.PKCS1v15()
_HASH: Final = hashes.SHA256()

# Multicodec prefixes, as unsigned varints: ed25519-pub 0xed and rsa-pub 0x1205 (FEP-521a).
_ED25519_PUB: Final = b"\xed\x01"
_RSA_PUB: Final = b"\x85\x24"


def key_name(kind: KeyKind, number: int) -> str:
    """What follows # in the id of the first, second, … key of a kind that an account of ours has."""
    return FRAGMENTS[kind] if number == 1 else f"{FRAGMENTS[kind]}-{number}"


KEY_NAMES: Final = tuple(key_name(kind, number) for number in range(1, 13) for kind in FRAGMENTS)
"""The names that keys of ours are likely to have: a new one a year."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """Somebody's verification key, already known to be strong enough. Equal when the keys are."""

    kind: KeyKind
    spki: bytes
    material: rsa.RSAPublicKey | Ed25519PublicKey = field(repr=False, compare=False)

    def verify(self, signature: bytes, message: bytes) -> None:
        """Raises BadSignature unless this key made `signature` over exactly `message`."""
        try:
            if isinstance(self.material, Ed25519PublicKey):
                self.material.verify(signature, message)
            else:
                self.material.verify(signature, message, _PADDING, _HASH)
        except InvalidSignature as error:
            raise BadSignature("the signature does not verify") from error

    @property
    def pem(self) -> str:
        """SubjectPublicKeyInfo in PEM, as `publicKey.publicKeyPem` carries it."""
        return self.material.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ).decode("ascii")

    @property
    def multikey(self) -> str:
        """`publicKeyMultibase` of a Multikey: z6Mk… for Ed25519, z4MX… (PKCS #1, FEP-521a) for RSA."""
        if isinstance(self.material, Ed25519PublicKey):
            return multibase.encode_base58btc(_ED25519_PUB + self.material.public_bytes_raw())
        pkcs1 = self.material.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
        return multibase.encode_base58btc(_RSA_PUB + pkcs1)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the SubjectPublicKeyInfo, in lower-case hexadecimal; what pins and deny-lists hold."""
        return hashlib.sha256(self.spki).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateKey:
    """A signing key of ours. Its material never shows in a repr, a log or a traceback."""

    public: PublicKey
    material: rsa.RSAPrivateKey | Ed25519PrivateKey = field(repr=False, compare=False)

    @property
    def kind(self) -> KeyKind:
        """Decides the algorithm, like the public key's."""
        return self.public.kind

    def sign(self, message: bytes) -> bytes:
        """A signature that `public.verify` accepts. RSA-2048 takes about 1 ms, Ed25519 about 50 µs."""
        if isinstance(self.material, Ed25519PrivateKey):
            return self.material.sign(message)
        return self.material.sign(message, _PADDING, _HASH)

    def to_pkcs8(self) -> bytes:
        """The secret itself, unencrypted PKCS #8 DER. Only for sealing at rest."""
        return self.material.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def generate_rsa() -> PrivateKey:
    """A new RSA-2048 key: what every peer can verify. Takes about 100 ms."""
    return _private(rsa.generate_private_key(public_exponent=65_537, key_size=2_048))


def generate_ed25519() -> PrivateKey:
    """A new Ed25519 key, for proofs and for the peers that verify it."""
    return _private(Ed25519PrivateKey.generate())


def load_private(pkcs8: bytes) -> PrivateKey:
    """Load what `to_pkcs8` gave. Raises Misconfigured: a stored key that does not load is our fault.

    Our own keys were generated here and sealed since, so the slow proof that an RSA key is sound is skipped.
    """
    try:
        material = serialization.load_der_private_key(pkcs8, password=None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise Misconfigured("a stored private key cannot be read") from error
    if not isinstance(material, rsa.RSAPrivateKey | Ed25519PrivateKey):
        raise Misconfigured("a stored private key is neither RSA nor Ed25519")
    return _private(material)


def parse_public_pem(text: str) -> PublicKey:
    """Read the `publicKeyPem` of an actor: RSA of 2048 to 8192 bits, or Ed25519. Raises BadSignature.

    Only SubjectPublicKeyInfo is read: nothing in the fediverse publishes PKCS #1 in PEM, and what can be
    written in one way only can be compared.
    """
    if len(text) > limits.PUBLIC_KEY_PEM:
        raise BadSignature("the public key is too long")
    match = _SPKI_PEM.fullmatch(text)
    if match is None:
        raise BadSignature("the public key is not a SubjectPublicKeyInfo in PEM")
    try:
        der = base64.b64decode("".join(match.group(1).split()), validate=True)
    except binascii.Error as error:
        raise BadSignature("the public key is not valid PEM") from error
    key = _load_public(der)
    if key.spki != der:
        # PKCS #1 under the wrong label, or an RSA key that is restricted to PSS.
        raise BadSignature("the public key is not a plain SubjectPublicKeyInfo")
    return key


def parse_multikey(text: str) -> PublicKey:
    """Read a `publicKeyMultibase`. Raises BadSignature unless it is Ed25519 or an acceptable RSA key."""
    try:
        data = multibase.decode(text)
    except Malformed as error:
        raise BadSignature("the Multikey is not valid multibase") from error
    if not text.startswith("z"):
        raise BadSignature("a Multikey is written in base58btc")
    if data.startswith(_ED25519_PUB):
        return _load_ed25519(data.removeprefix(_ED25519_PUB))
    if data.startswith(_RSA_PUB):
        key = _load_public(data.removeprefix(_RSA_PUB))
        if key.multikey != text:
            raise BadSignature("an RSA Multikey holds a PKCS #1 public key")
        return key
    raise BadSignature("the Multikey is neither Ed25519 nor RSA")


def stored_key(key: AccountKey) -> PublicKey:
    """The key of an account as it is stored: RSA in PEM, Ed25519 as Multikey. Raises BadSignature."""
    return parse_public_pem(key.public) if key.kind == "rsa" else parse_multikey(key.public)


def _load_ed25519(raw: bytes) -> PublicKey:
    try:
        return _public(Ed25519PublicKey.from_public_bytes(raw))
    except ValueError as error:
        raise BadSignature("an Ed25519 key has 32 bytes") from error


def _load_public(der: bytes) -> PublicKey:
    try:
        material = serialization.load_der_public_key(der)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadSignature("the public key cannot be read") from error
    if not isinstance(material, rsa.RSAPublicKey | Ed25519PublicKey):
        raise BadSignature("the public key is neither RSA nor Ed25519")
    if isinstance(material, rsa.RSAPublicKey):
        _refuse_weak_rsa(material)
    return _public(material)


def _refuse_weak_rsa(material: rsa.RSAPublicKey) -> None:
    shortest, longest = limits.RSA_BITS
    if not shortest <= material.key_size <= longest:
        raise BadSignature(f"an RSA key must have {shortest} to {longest} bits")
    if material.public_numbers().e not in _RSA_EXPONENTS:
        raise BadSignature("the public exponent of an RSA key must be odd, from 65537 to 2^32")


def _public(material: rsa.RSAPublicKey | Ed25519PublicKey) -> PublicKey:
    spki = material.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    kind: KeyKind = "ed25519" if isinstance(material, Ed25519PublicKey) else "rsa"
    return PublicKey(kind=kind, spki=spki, material=material)


def _private(material: rsa.RSAPrivateKey | Ed25519PrivateKey) -> PrivateKey:
    return PrivateKey(public=_public(material.public_key()), material=material)
