"""Bitstring Status List 1.0: one bit a credential, so that asking about one reveals nothing about which."""

import gzip
import zlib
from typing import Final

from medfed.activitypub import multibase
from medfed.kernel import limits
from medfed.kernel.errors import Malformed

MINIMUM_LENGTH: Final = 131_072
"""Herd privacy: the fewest entries that the specification allows (§ 5.1)."""

_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS


class BitString:
    """A fixed number of bits, all clear at first; index 0 is the leftmost, most significant one."""

    def __init__(self, length: int = MINIMUM_LENGTH) -> None:
        if length < MINIMUM_LENGTH or length % 8:
            raise Malformed(f"a status list has at least {MINIMUM_LENGTH} entries, in whole bytes")
        self._bytes = bytearray(length // 8)

    def __len__(self) -> int:
        return len(self._bytes) * 8

    def get(self, index: int) -> bool:
        """Whether the bit is set. Raises Malformed outside the list: an unknown status is never good."""
        byte, mask = self._place(index)
        return bool(self._bytes[byte] & mask)

    def set(self, index: int) -> None:
        """Set the bit: revoke or suspend."""
        byte, mask = self._place(index)
        self._bytes[byte] |= mask

    def clear(self, index: int) -> None:
        """Clear the bit: reinstate."""
        byte, mask = self._place(index)
        self._bytes[byte] &= ~mask

    def to_bytes(self) -> bytes:
        """The uncompressed list, for storage."""
        return bytes(self._bytes)

    def encode(self) -> str:
        """The `encodedList` of a BitstringStatusList: multibase `u` of the gzipped bits."""
        return multibase.encode_base64url(gzip.compress(self._bytes, mtime=0))

    @classmethod
    def from_bytes(cls, data: bytes) -> "BitString":
        """The list that `to_bytes` gave. Raises Malformed when it is too short for herd privacy."""
        bits = cls(len(data) * 8)
        bits._bytes[:] = data
        return bits

    @classmethod
    def decode(cls, encoded: str) -> "BitString":
        """Read an `encodedList`, inflating at most 1 MiB. Raises Malformed."""
        if not encoded.startswith("u"):
            raise Malformed("a status list is multibase base64url (u)")
        return cls.from_bytes(_inflate(multibase.decode(encoded)))

    def _place(self, index: int) -> tuple[int, int]:
        if not 0 <= index < len(self):
            raise Malformed("the index is outside the status list")
        return index // 8, 0x80 >> index % 8


def parse_index(text: str) -> int:
    """Read a `statusListIndex`, which is "an integer, expressed as a string". Raises Malformed."""
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise Malformed("a status list index is a non-negative integer, as a string")
    return int(text)


def _inflate(data: bytes) -> bytes:
    inflater = zlib.decompressobj(_GZIP_WINDOW)
    try:
        bits = inflater.decompress(data, limits.STATUS_LIST + 1)
    except zlib.error as error:
        raise Malformed("a status list is not gzip") from error
    if not inflater.eof or len(bits) > limits.STATUS_LIST:
        raise Malformed("a status list is cut short or too long")
    if inflater.unused_data:
        raise Malformed("a status list has bytes after its end")
    return bits
