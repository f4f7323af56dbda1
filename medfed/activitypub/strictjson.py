"""Read JSON that strangers wrote, refusing every text that two readers could understand differently."""

import re
from typing import Final

import orjson

from medfed.kernel import limits
from medfed.kernel.errors import Malformed

_LONG_NUMBER: Final = re.compile(rb"[-+.\deE]{17,}")
_INTEGER: Final = re.compile(rb"-?\d+")
_LONGEST_INTEGER: Final = len(f"-{limits.JSON_INT}")

_NUL: Final = b"\\u0000"
_BACKSLASH: Final = b"\\\\"


def parse_object(
    data: bytes, *, max_array: int = limits.JSON_ARRAY, max_nodes: int = limits.JSON_NODES
) -> dict[str, object]:
    """Read one JSON object; see `parse`."""
    value = parse(data, max_array=max_array, max_nodes=max_nodes)
    if not isinstance(value, dict):
        raise Malformed("the document is not a JSON object")
    return value


def parse(data: bytes, *, max_array: int = limits.JSON_ARRAY, max_nodes: int = limits.JSON_NODES) -> object:
    """Read one JSON value (I-JSON, RFC 7493), bounded in depth, array length and number of values.

    Raises Malformed: also for duplicate keys, NaN, lone surrogates and integers beyond ±(2^53-1), which would
    otherwise be read as something the sender did not write; and for NUL, which not every database can hold.
    """
    try:
        value: object = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise Malformed("the document is not valid JSON") from error
    if _NUL in data and _NUL in data.replace(_BACKSLASH, b""):
        raise Malformed("the document holds a NUL character")
    texts, numbers = _survey(value, max_array, max_nodes)
    if _quotes(data) != 2 * texts:
        raise Malformed("an object of the document has the same key twice")
    _refuse_big_integers(numbers, data)
    return value


def _survey(value: object, max_array: int, max_nodes: int) -> tuple[int, list[float]]:
    """Walk the tree breadth-first and refuse what is too big; how many keys and strings it has, and its numbers."""
    texts = nodes = 0
    numbers: list[float] = []
    level: list[list[object] | dict[str, object]] = [[value]]
    depth = -1  # for the list that was just put around the value
    while level:
        depth += 1
        below: list[list[object] | dict[str, object]] = []
        for container in level:
            nodes += len(container)
            if type(container) is dict:
                texts += len(container)
            elif len(container) > max_array:
                raise Malformed("an array of the document is too long")
            for item in container.values() if type(container) is dict else container:
                if type(item) is str:
                    texts += 1
                elif type(item) is dict or type(item) is list:
                    below.append(item)
                elif type(item) is int or type(item) is float:
                    numbers.append(item)
        if nodes > max_nodes or depth > limits.JSON_DEPTH:
            raise Malformed("the document is nested too deep or has too many values")
        level = below
    return texts, numbers


def _quotes(data: bytes) -> int:
    """How many quotation marks delimit the keys and strings of a text already known to be JSON.

    Two for each; so more than the tree needs when a key that came again has displaced a member.
    """
    if b"\\\\" not in data:  # then each escaped quotation mark is one, and nothing need be copied
        return data.count(b'"') - data.count(b'\\"')
    return _without_escapes(data).count(b'"')


def _without_escapes(data: bytes) -> bytes:
    if b"\\" not in data:
        return data
    # A run of backslashes starts with an escape, so pairing them from the left is exact.
    return data.replace(b"\\\\", b"").replace(b'\\"', b"")


def _refuse_big_integers(numbers: list[float], data: bytes) -> None:
    for number in numbers:
        if type(number) is int and abs(number) > limits.JSON_INT:
            raise Malformed("an integer of the document is beyond 2^53 - 1")
    # The parser turns integers of more than 64 bits into floats, so the text has to tell which were meant.
    if any(abs(number) >= 2**63 for number in numbers):
        outside_strings = b" ".join(_without_escapes(data).split(b'"')[::2])
        written = [text for text in _LONG_NUMBER.findall(outside_strings) if _INTEGER.fullmatch(text)]
        # Longer than any integer within bounds can be, or one that is not: int() of a long text would be slow.
        if any(len(text) > _LONGEST_INTEGER or abs(int(text)) > limits.JSON_INT for text in written):
            raise Malformed("an integer of the document is beyond 2^53 - 1")
