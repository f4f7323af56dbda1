"""Read JSON that strangers wrote, refusing every text that two readers could understand differently."""

import re
from typing import Final

import orjson

from medfed.kernel import limits
from medfed.kernel.errors import Malformed

_LONG_NUMBER: Final = re.compile(rb"[-+.\deE]{16,}")
_INTEGER: Final = re.compile(rb"-?\d+")


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
    otherwise be read as something the sender did not write.
    """
    try:
        value: object = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise Malformed("the document is not valid JSON") from error
    members = _count_members(value, max_array, max_nodes)
    outside_strings = _outside_strings(data)
    if outside_strings.count(b":") != members:
        raise Malformed("an object of the document has the same key twice")
    _refuse_big_integers(outside_strings)
    return value


def _count_members(value: object, max_array: int, max_nodes: int) -> int:
    """Walk the tree breadth-first, refuse what is too big, and count its object members."""
    level: list[object] = [value]
    nodes = members = depth = 0
    while level:
        nodes += len(level)
        # The innermost level holds scalars and empty containers: depth counts the containers around them.
        if nodes > max_nodes or depth > limits.JSON_DEPTH:
            raise Malformed("the document is nested too deep or has too many values")
        depth += 1
        below: list[object] = []
        for item in level:
            if type(item) is dict:
                members += len(item)
                below.extend(item.values())
            elif type(item) is list:
                if len(item) > max_array:
                    raise Malformed("an array of the document is too long")
                below.extend(item)
        level = below
    return members


def _outside_strings(data: bytes) -> bytes:
    """The punctuation and numbers of a text already known to be JSON."""
    if b"\\" in data:
        # A run of backslashes starts with an escape, so pairing them from the left is exact.
        data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b" ".join(data.split(b'"')[::2])


def _refuse_big_integers(outside_strings: bytes) -> None:
    for match in _LONG_NUMBER.finditer(outside_strings):
        number = match.group()
        if not _INTEGER.fullmatch(number):
            continue
        # 17 digits are too many whatever they are, and int() must not be fed a megabyte of them.
        if len(number.lstrip(b"-")) > 16 or abs(int(number)) > limits.JSON_INT:
            raise Malformed("an integer of the document is beyond 2^53 - 1")
