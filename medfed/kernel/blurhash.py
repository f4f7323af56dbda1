"""Tells blurhashes from other text: what a peer or a client calls one is handed to apps that decode it."""

from typing import Final

_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"


def is_blurhash(text: str) -> bool:
    """Whether a text has only the digits of a blurhash, and the length that its first one says (E14)."""
    if len(text) < 6 or not set(text) <= set(_DIGITS):
        return False
    size = _DIGITS.index(text[0])
    return len(text) == 4 + 2 * (size % 9 + 1) * (size // 9 + 1)
