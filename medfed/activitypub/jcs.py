"""One byte sequence for one JSON value, for proofs to be made over: JSON Canonicalization Scheme, RFC 8785."""

import math
from typing import Final

import orjson

from medfed.kernel import limits
from medfed.kernel.errors import Malformed

_DEEPEST: Final = 200
_SURROGATES: Final = "\ud800"


def canonicalize(value: object) -> bytes:
    """The canonical form of what a JSON parser returns.

    Raises Malformed for what JSON between strangers cannot carry: integers beyond ±(2^53-1), NaN, infinities,
    lone surrogates, other Python types, nesting deeper than 200.
    """
    try:
        if _is_plain(value):
            return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        return _written(value, _DEEPEST).encode("utf-8")
    except (TypeError, UnicodeEncodeError) as error:
        raise Malformed("a value has no canonical JSON form") from error


def _is_plain(value: object) -> bool:
    """Whether sorting keys by code point and printing integers is all that RFC 8785 asks for this value.

    Not so for floats, whose notation is ECMAScript's, nor when a key reaches the surrogates: RFC 8785 sorts
    keys by UTF-16 code units, where U+1F600 comes before U+FB01.
    """
    pending: list[object] = [value]
    while pending:
        item = pending.pop()
        kind = type(item)
        if kind is str or kind is bool or item is None:
            continue
        if type(item) is dict:
            if not all(type(key) is str and (key.isascii() or max(key) < _SURROGATES) for key in item):
                return False
            pending.extend(item.values())
        elif type(item) is list:
            pending.extend(item)
        elif type(item) is not int or abs(item) > limits.JSON_INT:
            return False
    return True


def _written(value: object, depth: int) -> str:
    if depth == 0:
        raise Malformed("a value is nested too deep for a canonical form")
    match value:
        case dict():
            return _written_object(value, depth)
        case list() | tuple():
            return f"[{','.join(_written(item, depth - 1) for item in value)}]"
        case None | bool() | str():
            return orjson.dumps(value).decode("utf-8")
        case int():
            return _written_integer(value)
        case float():
            return _written_float(value)
        case _:
            raise Malformed(f"{type(value).__name__} has no canonical JSON form")


def _written_object(value: dict[object, object], depth: int) -> str:
    members: list[tuple[bytes, str]] = []
    for key, item in value.items():
        if not isinstance(key, str):
            raise Malformed("a key of a JSON object is not a string")
        # RFC 8785 §3.2.3: "sorted based on the UTF-16 code units of their names"
        members.append((key.encode("utf-16-be"), f"{_written(key, depth)}:{_written(item, depth - 1)}"))
    members.sort()
    return f"{{{','.join(text for _, text in members)}}}"


def _written_integer(value: int) -> str:
    if abs(value) > limits.JSON_INT:
        raise Malformed("an integer beyond 2^53 - 1 has no canonical JSON form")
    return str(int(value))


def _written_float(value: float) -> str:
    """ECMAScript's Number::toString; repr() too finds the shortest digits that read back equal."""
    if not math.isfinite(value):
        raise Malformed("NaN and infinities have no JSON form")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    digits, point = _decimal(abs(value))
    return sign + _placed(digits, point)


def _decimal(value: float) -> tuple[str, int]:
    """Digits d1d2…dk and n such that value = 0.d1d2…dk × 10^n (k and n as in ECMA-262)."""
    mantissa, _, exponent = repr(value).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    return digits.rstrip("0"), point


def _placed(digits: str, point: int) -> str:
    if len(digits) <= point <= 21:
        return digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"0.{'0' * -point}{digits}"
    mantissa = digits if len(digits) == 1 else f"{digits[0]}.{digits[1:]}"
    return f"{mantissa}e{point - 1:+d}"
