"""Files that only the holder of a key can read, in the format of age (age-encryption.org/v1, by C2SP), to X25519 keys.

Any program that knows age opens them, so that nobody needs medfed to reach a backup of medfed. The format is followed
to the letter and its primitives come from `cryptography`: nothing here is of our own making.
"""

import base64
import hmac
import io
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from medfed.kernel import bech32
from medfed.kernel.errors import Malformed, Refused

_VERSION: Final = b"age-encryption.org/v1\n"
_X25519: Final = b"X25519"
_RECIPIENT: Final = "age"
_IDENTITY: Final = "age-secret-key-"
_FILE_KEY_BYTES: Final = 16
_NONCE_BYTES: Final = 16
_TAG_BYTES: Final = 16
_CHUNK: Final = 64 * 1024
_COLUMNS: Final = 64
_LONGEST_HEADER: Final = 64 * 1024
"""Some five hundred recipients; without an end, a file of another kind would be read into memory."""
_ARGUMENTS: Final = re.compile(rb"-> ([!-~]+(?: [!-~]+)*)\n")
_MAC: Final = re.compile(rb"--- ([A-Za-z0-9+/]{43})\n")


class Damaged(Malformed):
    """A file that is not of age, or that was changed or cut off."""


class NotForThisKey(Refused):
    """A file that was encrypted to other keys."""

    status = 403


@dataclass(frozen=True, slots=True)
class Recipient:
    """A public key: whoever knows it can write, and nothing else."""

    key: bytes

    @classmethod
    def parse(cls, text: str) -> "Recipient":
        """An `age1…`. Raises Malformed."""
        try:
            key = bech32.decode(_RECIPIENT, text.strip())
        except Malformed as error:
            raise Malformed(f"{text[:80]!r} is no age recipient (age1…): {error}") from None
        if len(key) != 32:
            raise Malformed(f"{text[:80]!r} is no age recipient: another length")
        return cls(key)

    def __str__(self) -> str:
        return bech32.encode(_RECIPIENT, self.key)


class Identity:
    """A private key: it opens what was encrypted to its recipient."""

    def __init__(self, key: bytes) -> None:
        self._key = X25519PrivateKey.from_private_bytes(key)
        self.recipient = Recipient(self._key.public_key().public_bytes_raw())

    @classmethod
    def make(cls) -> "Identity":
        """A new one."""
        return cls(secrets.token_bytes(32))

    @classmethod
    def parse(cls, text: str) -> "Identity":
        """An `AGE-SECRET-KEY-1…`. Raises Malformed, never repeating it."""
        try:
            key = bech32.decode(_IDENTITY, text)
        except Malformed as error:
            raise Malformed(f"no age identity (AGE-SECRET-KEY-1…): {error}") from None
        if len(key) != 32:
            raise Malformed("no age identity: another length")
        return cls(key)

    def reveal(self) -> str:
        """The key itself, for the file that it is kept in."""
        return bech32.encode(_IDENTITY, self._key.private_bytes_raw()).upper()

    def unwrap(self, share: bytes, body: bytes) -> bytes | None:
        """The file key in a stanza, if it is for this one. Raises Damaged."""
        try:
            shared = self._key.exchange(X25519PublicKey.from_public_bytes(share))
        except ValueError:  # the share is a point of low order: the secret would be known to everybody
            raise Damaged("its header holds a key that is none") from None
        try:
            return ChaCha20Poly1305(_wrapping(shared, share, self.recipient)).decrypt(bytes(12), body, None)
        except InvalidTag:
            return None


def parse_identities(text: str) -> list[Identity]:
    """The identities in a key file: one a line, `#` begins a comment. Raises Malformed."""
    lines = (line.strip() for line in text.splitlines())
    found = [Identity.parse(line) for line in lines if line and not line.startswith("#")]
    if not found:
        raise Malformed("no age identity (AGE-SECRET-KEY-1…) is in it")
    return found


class Writer(io.RawIOBase):
    """Encrypts what is written to it; only `finish` makes the file whole. It leaves the file open."""

    def __init__(self, target: BinaryIO, recipients: Sequence[Recipient]) -> None:
        if not recipients:
            raise Malformed("nobody is named who could read it")
        file_key, nonce = secrets.token_bytes(_FILE_KEY_BYTES), secrets.token_bytes(_NONCE_BYTES)
        head = _VERSION + b"".join(_stanza(file_key, recipient) for recipient in recipients) + b"---"
        target.write(head + b" " + _b64(_mac(file_key, head)) + b"\n" + nonce)
        self._target = target
        self._seal = _Stream(file_key, nonce)
        self._pending = bytearray()

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, data: Any) -> int:
        """Take some bytes; the last chunk is kept back, because it is marked as the last."""
        self._pending += data
        while len(self._pending) > _CHUNK:
            self._target.write(self._seal.encrypt(bytes(self._pending[:_CHUNK]), last=False))
            del self._pending[:_CHUNK]
        return len(memoryview(data))

    def finish(self) -> None:
        """Write the last chunk: without it, a reader takes the file for one that was cut off."""
        self._target.write(self._seal.encrypt(bytes(self._pending), last=True))
        self._pending.clear()


class Reader(io.RawIOBase):
    """Decrypts, chunk by chunk; what it gives out is authentic, and only its end says that it is all."""

    def __init__(self, source: BinaryIO, identities: Sequence[Identity]) -> None:
        """Read the header. Raises Damaged, NotForThisKey."""
        file_key = _file_key(source, identities)
        nonce = source.read(_NONCE_BYTES)
        if len(nonce) != _NONCE_BYTES:
            raise Damaged("it was cut off")
        self._source = source
        self._open = _Stream(file_key, nonce)
        self._ahead = source.read(_CHUNK + _TAG_BYTES)
        self._plain = memoryview(b"")
        self._ended = False

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill some of `buffer`; 0 at the end, which has then been proven. Raises Damaged."""
        if not self._plain and not self._ended:
            self._plain = memoryview(self._next())
        target = memoryview(buffer).cast("B")
        size = min(len(target), len(self._plain))
        target[:size] = self._plain[:size]
        self._plain = self._plain[size:]
        return size

    def _next(self) -> bytes:
        chunk = self._ahead
        self._ahead = self._source.read(_CHUNK + _TAG_BYTES)
        self._ended = not self._ahead
        plain = self._open.decrypt(chunk, last=self._ended)
        if self._ended and not plain and not self._open.is_first:
            raise Damaged("its last part is empty")
        return plain


class _Stream:
    """The STREAM construction: each chunk under a nonce that counts, and says whether it is the last."""

    def __init__(self, file_key: bytes, nonce: bytes) -> None:
        self._box = ChaCha20Poly1305(_derived(file_key, salt=nonce, info=b"payload"))
        self._count = 0

    @property
    def is_first(self) -> bool:
        """Whether the chunk that was just done was the first."""
        return self._count == 1

    def encrypt(self, plain: bytes, *, last: bool) -> bytes:
        return self._box.encrypt(self._nonce(last=last), plain, None)

    def decrypt(self, chunk: bytes, *, last: bool) -> bytes:
        try:
            return self._box.decrypt(self._nonce(last=last), chunk, None)
        except InvalidTag:
            raise Damaged("it was changed or cut off") from None

    def _nonce(self, *, last: bool) -> bytes:
        nonce = self._count.to_bytes(11, "big") + bytes([last])
        self._count += 1
        return nonce


def _file_key(source: BinaryIO, identities: Sequence[Identity]) -> bytes:
    lines = _Lines(source)
    if lines.take() != _VERSION:
        raise Damaged("it is no file of age, version 1")
    stanzas, mac = _stanzas(lines)
    kinds = [arguments[0] for arguments, _ in stanzas]
    if b"scrypt" in kinds and len(kinds) > 1:
        raise Damaged("it is for a passphrase and for keys at once")
    for share, body in [_checked(*stanza) for stanza in stanzas if stanza[0][0] == _X25519]:
        for identity in identities:
            key = identity.unwrap(share, body)
            if key is None:
                continue
            if not hmac.compare_digest(_mac(key, bytes(lines.taken)), mac):
                raise Damaged("its header was changed")
            return key
    raise NotForThisKey("it was encrypted to another key than this")


class _Lines:
    """The lines of a header. `taken` is what of them is authenticated."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self.taken = bytearray()

    def take(self) -> bytes:
        """The next one, with its end. Raises Damaged."""
        line = self._source.readline(_LONGEST_HEADER - len(self.taken))
        if not line.endswith(b"\n"):
            raise Damaged("its header has no end")
        self.taken += b"---" if line.startswith(b"---") else line
        return line


def _stanzas(lines: _Lines) -> tuple[list[tuple[list[bytes], bytes]], bytes]:
    """Arguments and body of each stanza, and the header's MAC. Raises Damaged."""
    found: list[tuple[list[bytes], bytes]] = []
    while True:
        line = lines.take()
        if line.startswith(b"---"):
            match = _MAC.fullmatch(line)
            if match is None or not found:
                raise Damaged("its header ends in a way that none does")
            return found, _unb64(match[1])
        match = _ARGUMENTS.fullmatch(line)
        if match is None:
            raise Damaged("its header holds what none does")
        found.append((match[1].split(b" "), b"".join(_body(lines))))


def _body(lines: _Lines) -> Iterator[bytes]:
    """Lines of 64 columns; a shorter one, which may be empty, ends it."""
    while True:
        line = lines.take().removesuffix(b"\n")
        if len(line) > _COLUMNS:
            raise Damaged("its header holds too long a line")
        yield _unb64(line)
        if len(line) < _COLUMNS:
            return


def _checked(arguments: Sequence[bytes], body: bytes) -> tuple[bytes, bytes]:
    """Share and wrapped key of an X25519 stanza. A longer key could be made to fit two recipients differently."""
    share = _unb64(arguments[1]) if len(arguments) == 2 else b""
    if len(share) != 32 or len(body) != _FILE_KEY_BYTES + _TAG_BYTES:
        raise Damaged("its header holds a key of another length")
    return share, body


def _stanza(file_key: bytes, recipient: Recipient) -> bytes:
    ephemeral = X25519PrivateKey.generate()
    share = ephemeral.public_key().public_bytes_raw()
    try:
        shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(recipient.key))
    except ValueError:
        raise Malformed(f"{recipient} is no key: everybody could read what is encrypted to it") from None
    body = ChaCha20Poly1305(_wrapping(shared, share, recipient)).encrypt(bytes(12), file_key, None)
    return b"-> " + _X25519 + b" " + _b64(share) + b"\n" + _b64(body) + b"\n"


def _wrapping(shared: bytes, share: bytes, recipient: Recipient) -> bytes:
    return _derived(shared, salt=share + recipient.key, info=b"age-encryption.org/v1/X25519")


def _mac(file_key: bytes, head: bytes) -> bytes:
    return hmac.digest(_derived(file_key, salt=b"", info=b"header"), head, "sha256")


def _derived(secret: bytes, *, salt: bytes, info: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=salt, info=info).derive(secret)


def _b64(data: bytes) -> bytes:
    return base64.b64encode(data).rstrip(b"=")


def _unb64(text: bytes) -> bytes:
    """Canonical base64 without padding, as the format has it. Raises Damaged."""
    try:
        data = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except ValueError:
        raise Damaged("its header holds what is no base64") from None
    if _b64(data) != text:
        raise Damaged("its header holds base64 that is written in another way than age does")
    return data
