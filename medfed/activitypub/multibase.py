"""Binary values as Multibase text: base58btc for keys and proofs, base64url for status lists."""

import base64
import binascii
import re
from typing import Final

from medfed.kernel.errors import Malformed

_ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUES: Final = {character: value for value, character in enumerate(_ALPHABET)}
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]*+")
_LONGEST_BASE58: Final = 2_048
"""Base 58 takes quadratic time; an 8192-bit RSA key needs 1,414 characters."""


def encode_base58btc(data: bytes) -> str:
    """`z` and base 58 with the Bitcoin alphabet."""
    number = int.from_bytes(data, "big")
    digits: list[str] = []
    while number:
        number, digit = divmod(number, 58)
        digits.append(_ALPHABET[digit])
    zeros = len(data) - len(data.lstrip(b"\0"))
    return "z" + "1" * zeros + "".join(reversed(digits))


def encode_base64url(data: bytes) -> str:
    """`u` and base64url without padding."""
    return "u" + base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes:
    """Read `z…` or `u…`. Raises Malformed for every other base, and for text that is not in its base."""
    match text[:1]:
        case "z":
            return _decode_base58btc(text[1:])
        case "u":
            return _decode_base64url(text[1:])
        case _:
            raise Malformed("a multibase value must be base58btc (z) or base64url (u)")


def _decode_base58btc(text: str) -> bytes:
    if len(text) > _LONGEST_BASE58:
        raise Malformed("a base58 value is too long")
    number = 0
    try:
        for character in text:
            number = number * 58 + _VALUES[character]
    except KeyError:
        raise Malformed("a base58 value has a character outside its alphabet") from None
    zeros = len(text) - len(text.lstrip("1"))
    return b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")


def _decode_base64url(text: str) -> bytes:
    if not _BASE64URL.fullmatch(text):
        raise Malformed("a base64url value has a character outside its alphabet")
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise Malformed("a base64url value is cut short") from error
