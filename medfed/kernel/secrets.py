"""Passwords and tokens are hashed, private keys and evidence are sealed; nothing secret is stored plain."""

import hashlib
import hmac
import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from medfed.kernel.errors import Misconfigured

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12


class Vault:
    """Seals small secrets under the key-encryption key, which is kept outside the database (C17, I16)."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise Misconfigured(f"the key-encryption key must be {KEY_BYTES} bytes long")
        self._box = AESGCM(key)
        self._mac = hashlib.sha256(b"medfed hmac" + key).digest()

    def seal(self, plain: bytes, *, purpose: str) -> bytes:
        """Encrypt; `purpose` is bound to the result, so that it opens nowhere else."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._box.encrypt(nonce, plain, purpose.encode())

    def open(self, sealed: bytes, *, purpose: str) -> bytes:
        """Decrypt. Raises Misconfigured when the key is not the one that sealed it."""
        try:
            return self._box.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], purpose.encode())
        except InvalidTag:
            raise Misconfigured("the key-encryption key does not open what this database holds") from None

    def fingerprint(self, text: str, *, purpose: str) -> str:
        """HMAC-SHA-256 in hex: equal inputs can be found, and not guessed without the key."""
        return hmac.new(self._mac, f"{purpose}\0{text}".encode(), hashlib.sha256).hexdigest()


def new_token() -> str:
    """An unguessable token, 256 bits, URL-safe."""
    return secrets.token_urlsafe(32)


def same_secret(one: str, other: str) -> bool:
    """Whether two texts are equal; how long it takes says nothing about where they differ (C19)."""
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))


def hash_token(token: str) -> str:
    """What is stored of a token: its SHA-256 in hex. Tokens are random, so that no salt is needed."""
    return hashlib.sha256(token.encode()).hexdigest()
