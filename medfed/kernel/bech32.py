"""Bech32 (BIP 173), in which age writes its keys: a typing error is found, not decrypted with."""

from collections.abc import Iterable
from typing import Final

from medfed.kernel.errors import Malformed

_ALPHABET: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM: Final = 6


def encode(prefix: str, data: bytes) -> str:
    """`data` in lower case, behind its prefix and before its checksum. BIP 173's limit of 90 characters is not kept."""
    values = _regrouped(data, 8, 5, pad=True)
    polymod = _polymod([*_expanded(prefix), *values, *[0] * _CHECKSUM]) ^ 1
    checksum = [polymod >> 5 * (_CHECKSUM - 1 - place) & 31 for place in range(_CHECKSUM)]
    return f"{prefix}1{''.join(_ALPHABET[value] for value in (*values, *checksum))}"


def decode(prefix: str, text: str) -> bytes:
    """What stands behind `prefix` (in lower case). Raises Malformed."""
    lower = text.lower()
    if text not in (lower, text.upper()) or not lower.startswith(f"{prefix}1"):
        raise Malformed(f"that does not begin with {prefix}1")
    symbols = lower.removeprefix(f"{prefix}1")
    if len(symbols) < _CHECKSUM or not set(symbols) <= set(_ALPHABET):
        raise Malformed("that holds characters that no key has")
    values = [_ALPHABET.index(symbol) for symbol in symbols]
    if _polymod([*_expanded(prefix), *values]) != 1:
        raise Malformed("its checksum does not hold: it was not copied whole and unchanged")
    return bytes(_regrouped(values[:-_CHECKSUM], 5, 8, pad=False))


def _regrouped(values: Iterable[int], before: int, after: int, *, pad: bool) -> list[int]:
    """The same bits in groups of another size; without padding, left-over bits must be few and zero."""
    held, bits, groups = 0, 0, []
    for value in values:
        held = held << before | value
        bits += before
        while bits >= after:
            bits -= after
            groups.append(held >> bits & (1 << after) - 1)
        held &= (1 << bits) - 1
    if pad and bits:
        groups.append(held << after - bits)
    elif not pad and (bits >= before or held):
        raise Malformed("that ends amid a byte")
    return groups


def _expanded(prefix: str) -> list[int]:
    return [*(ord(letter) >> 5 for letter in prefix), 0, *(ord(letter) & 31 for letter in prefix)]


def _polymod(values: Iterable[int]) -> int:
    checksum = 1
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for place, generator in enumerate(_GENERATOR):
            checksum ^= generator if top >> place & 1 else 0
    return checksum
