"""What a client sends, read the same way whether it came as query, form, multipart or JSON, as `id[]=` or `id=`."""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from medfed.edge import read_body, read_json
from medfed.kernel import limits
from medfed.kernel.errors import Invalid, Malformed, Unsupported
from medfed.kernel.paging import LARGEST

FIELDS: Final = 1_000
FILES: Final = 4
TEXT: Final = 100_000
"""The longest text, in characters, that any parameter may have."""

_DEPTH: Final = 4
_KEY: Final = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_TRUE: Final = frozenset({"true", "1", "on", "t", "yes"})
_FALSE: Final = frozenset({"false", "0", "off", "f", "no"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file that came with a form."""

    data: bytes


class Params:
    """Named values of a request, or of one part of it. Every reader raises Invalid that names the field."""

    def __init__(self, values: Mapping[str, Any], prefix: str = "") -> None:
        self._values = values
        self._prefix = prefix

    def __contains__(self, name: str) -> bool:
        return self._values.get(name) is not None

    @property
    def raw(self) -> Mapping[str, Any]:
        """The values as they were read."""
        return self._values

    def text(self, name: str, default: str = "", *, most: int = TEXT) -> str:
        """A text of at most `most` characters."""
        found = self.optional_text(name, most=most)
        return default if found is None else found

    def optional_text(self, name: str, *, most: int = TEXT) -> str | None:
        """A text, or None when it is not given."""
        value = self._single(name)
        if value is None:
            return None
        if isinstance(value, bool | int | float):
            value = str(value).lower() if isinstance(value, bool) else str(value)
        if not isinstance(value, str):
            raise self._invalid(name, "must be a text")
        if len(value) > most:
            raise self._invalid(name, f"is longer than {most} characters")
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A yes or no."""
        found = self.optional_flag(name)
        return default if found is None else found

    def optional_flag(self, name: str) -> bool | None:
        """A yes or no, or None when it is not given."""
        value = self._single(name)
        if value is None or value == "":
            return None
        word = str(value).lower()
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
        raise self._invalid(name, "must be true or false")

    def number(self, name: str, default: int, *, least: int = 0, most: int = LARGEST) -> int:
        """A whole number, not less than `least` and not more than `most`."""
        value = self._single(name)
        if value is None or value == "":
            return default
        number = _whole(value)
        if number is None or not least <= number <= most:
            raise self._invalid(name, f"must be a whole number from {least} to {most}")
        return number

    def id(self, name: str) -> int | None:
        """An id, or None when it is not given."""
        value = self._single(name)
        return None if value is None or value == "" else self._id(name, value)

    def ids(self, name: str) -> list[int]:
        """Ids, each once."""
        return list(dict.fromkeys(self._id(name, value) for value in self._several(name) if value != ""))

    def texts(self, name: str, *, most: int = TEXT) -> list[str]:
        """Texts."""
        found = [value for value in self._several(name) if value is not None]
        if not all(isinstance(value, str | int | float | bool) for value in found):
            raise self._invalid(name, "must be texts")
        texts = [str(value) for value in found]
        if any(len(text) > most for text in texts):
            raise self._invalid(name, f"holds a text longer than {most} characters")
        return texts

    def inner(self, name: str) -> "Params":
        """The part called `name`; an empty one when it is not given."""
        value = self._values.get(name)
        if value is None or value == "":
            value = {}
        if not isinstance(value, Mapping):
            raise self._invalid(name, "must be an object")
        return Params(value, self._named(name))

    def items(self, name: str) -> list["Params"]:
        """The parts of a list of parts, which forms may also number: `fields[0][name]=`."""
        value = self._values.get(name)
        if isinstance(value, Mapping):
            value = [value[key] for key in sorted(value, key=lambda key: (len(key), key))]
        found = value if isinstance(value, list) else []
        if not all(isinstance(part, Mapping) for part in found):
            raise self._invalid(name, "must be a list of objects")
        return [Params(part, f"{self._named(name)}.{index}") for index, part in enumerate(found)]

    def upload(self, name: str) -> bytes | None:
        """A file, or None when it is not given."""
        value = self._single(name)
        if value is None or value == "":
            return None
        if not isinstance(value, Upload):
            raise self._invalid(name, "must be a file")
        return value.data

    def _single(self, name: str) -> Any:
        value = self._values.get(name)
        if isinstance(value, list):
            return value[-1] if value else None
        return value

    def _several(self, name: str) -> list[Any]:
        value = self._values.get(name)
        if value is None:
            return []
        if isinstance(value, Mapping):
            value = list(value.values())
        several = value if isinstance(value, list) else [value]
        if len(several) > FIELDS:
            raise self._invalid(name, f"at most {FIELDS}")
        return several

    def _id(self, name: str, value: object) -> int:
        number = _whole(value)
        if number is None or not 0 <= number <= LARGEST:
            raise self._invalid(name, "must be an id")
        return number

    def _named(self, name: str) -> str:
        return f"{self._prefix}.{name}" if self._prefix else name

    def _invalid(self, name: str, problem: str) -> Invalid:
        named = self._named(name)
        return Invalid(f"{named} {problem}", {named: problem})


def _whole(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 20:
        return int(value)
    return None


async def read_params(request: Request, *, uploads: bool = False) -> Params:
    """The query and the body together; the body wins. Raises Malformed, TooLarge, Unsupported."""
    query = request.scope.get("query_string", b"").decode("latin-1")
    values = nested(_pairs(query))
    if request.method in ("GET", "HEAD"):
        return Params(values)
    body = await read_body(request, limits.UPLOAD_BODY if uploads else limits.API_BODY)
    if not body:
        return Params(values)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        document = read_json(body)
        if not isinstance(document, dict):
            raise Malformed("the body is not a JSON object")
        return Params(values | document)
    if kind == "multipart/form-data":
        return Params(values | nested([pair async for pair in _parts(request.headers, body)]))
    if kind in ("application/x-www-form-urlencoded", ""):
        return Params(values | nested(_pairs(body.decode("utf-8", "replace"))))
    raise Unsupported("send JSON or a form")


def _pairs(text: str) -> Iterable[tuple[str, str]]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS)
    except ValueError:
        raise Malformed("the form cannot be read") from None
    if any("\0" in name or "\0" in value for name, value in pairs):
        raise Malformed("the form holds a NUL character")
    return pairs


async def _parts(headers: Headers, body: bytes) -> AsyncIterator[tuple[str, str | Upload]]:
    async def whole() -> AsyncGenerator[bytes, None]:
        yield body

    parser = MultiPartParser(headers, whole(), max_files=FILES, max_fields=FIELDS, max_part_size=limits.API_BODY)
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError):
        raise Malformed("the multipart form cannot be read") from None
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            data = await value.read()
            await value.close()
            # Browsers send a file field in which nothing was chosen as a file without name and content.
            if data or value.filename:
                yield name, Upload(data=data)
        elif "\0" in name or "\0" in value:
            raise Malformed("the form holds a NUL character")
        else:
            yield name, value


def nested(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """`a[b][]=1&a[b][]=2&c=3` as {"a": {"b": ["1", "2"]}, "c": "3"}. Raises Malformed."""
    tree: dict[str, Any] = {}
    for name, value in pairs:
        match = _KEY.fullmatch(name)
        path = list(_steps(match)) if match else [name]
        if len(path) > _DEPTH:
            raise Malformed("a parameter is nested too deeply")
        _put(tree, path, value)
    return tree


def _steps(match: re.Match[str]) -> Iterator[str]:
    yield match[1]
    if match[2]:
        yield from match[2][1:-1].split("][")


def _put(tree: dict[str, Any], path: list[str], value: Any) -> None:
    name, rest = path[0], path[1:]
    if not rest:
        _add(tree, name, value)
    elif rest[0] == "":
        several = tree.setdefault(name, [])
        if not isinstance(several, list):
            several = tree[name] = [several]
        _append(several, rest[1:], value)
    else:
        inner = tree.setdefault(name, {})
        if not isinstance(inner, dict):
            raise Malformed(f"the parameter {name[:60]!r} is both a value and a list")
        _put(inner, rest, value)


def _add(tree: dict[str, Any], name: str, value: Any) -> None:
    """A name that is repeated becomes a list."""
    if name not in tree:
        tree[name] = value
    elif isinstance(tree[name], list):
        tree[name].append(value)
    elif isinstance(tree[name], dict):
        raise Malformed(f"the parameter {name[:60]!r} is both a value and a list")
    else:
        tree[name] = [tree[name], value]


def _append(several: list[Any], path: list[str], value: Any) -> None:
    """`fields[][name]=a&fields[][value]=b`: a name that the last part has begins the next one."""
    if not path:
        several.append(value)
        return
    if not several or not isinstance(several[-1], dict) or path[0] in several[-1]:
        several.append({})
    _put(several[-1], path, value)
