"""What a browser sends with a form or in an address: read within limits, cleaned, and never trusted as a path."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote, urlsplit

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.types import Message, Receive

from medfed.edge import check_announced
from medfed.kernel import limits
from medfed.kernel.errors import Malformed, NotFound, TooLarge, Unsupported
from medfed.kernel.paging import id_of

_FIELDS: Final = 200
_FILES: Final = 8
_TEXT: Final = 256 * limits.KIB
_LONGEST_PATH: Final = 8_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """The fields and files of a form. Empty file fields are left out."""

    fields: Mapping[str, Sequence[str]] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)

    def text(self, name: str, default: str = "") -> str:
        """The last value of a field."""
        values = self.fields.get(name)
        return values[-1] if values else default

    def every(self, name: str) -> tuple[str, ...]:
        """All values of a field, each once."""
        return tuple(dict.fromkeys(value for value in self.fields.get(name, ()) if value))

    def ids(self, name: str) -> tuple[int, ...]:
        """The ids in a field. Raises Malformed for anything else."""
        return tuple(_id(value) for value in self.every(name))

    def values(self) -> dict[str, str]:
        """What was typed, to be shown again; passwords and the form's token never are."""
        return {
            name: values[-1]
            for name, values in self.fields.items()
            if values and name != "csrf" and "password" not in name
        }


def _id(value: str) -> int:
    id_ = id_of(value)
    if id_ is None:
        raise Malformed("that is not an id")
    return id_


def clean(text: str) -> str:
    """Text that every database holds: no NUL, no half of a surrogate pair."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def number(text: str) -> int:
    """The id in a path. Raises NotFound for what is none."""
    id_ = id_of(text)
    if not id_:
        raise NotFound("there is no such page")
    return id_


def own_path(text: str, default: str = "/") -> str:
    """A path on this instance to go back to; `default` for whatever could lead elsewhere (F12)."""
    if not text.startswith("/") or len(text) > _LONGEST_PATH:
        return default
    for form in (text, unquote(text), unquote(unquote(text))):
        if form.startswith("//") or "\\" in form or not form.isprintable():
            return default
    try:
        parts = urlsplit(text)
    except ValueError:
        return default
    return default if parts.scheme or parts.netloc else text


@asynccontextmanager
async def read_form(request: Request) -> AsyncIterator[Sent]:
    """The form of a request, counted while it arrives. Raises TooLarge, Unsupported, Malformed.

    Multipart forms may hold images and be as long as an upload; every other one is a short text (H01, H02).
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    limit = limits.UPLOAD_BODY if kind == "multipart/form-data" else limits.API_BODY
    if kind not in ("multipart/form-data", "application/x-www-form-urlencoded", ""):
        raise Unsupported("that is not a form")
    check_announced(request, limit)
    counted = Request(request.scope, _counting(request, limit))
    try:
        form = await counted.form(max_files=_FILES, max_fields=_FIELDS, max_part_size=_TEXT)
    except MultiPartException as error:
        raise Malformed(f"the form cannot be read: {error.message}") from None
    fields: dict[str, list[str]] = {}
    files: dict[str, bytes] = {}
    try:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                data = await value.read()
                if data:
                    files[clean(name)] = data
            else:
                fields.setdefault(clean(name), []).append(clean(value).replace("\r\n", "\n"))
        yield Sent(fields=fields, files=files)
    finally:
        await form.close()


def _counting(request: Request, limit: int) -> Receive:
    size = 0

    async def receive() -> Message:
        nonlocal size
        message = await request.receive()
        size += len(message.get("body", b""))
        if size > limit:
            raise TooLarge(f"at most {limit // limits.MIB} MiB")
        return message

    return receive


def query(request: Request) -> Sent:
    """The parameters of an address."""
    fields: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        fields.setdefault(clean(name), []).append(clean(value))
    return Sent(fields=fields)
