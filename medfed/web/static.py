"""The style sheet, the script and the icons: read and compressed once, and cached until they change."""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from medfed.kernel.errors import NotFound

_TYPES: Final[Mapping[str, str]] = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
    "webmanifest": "application/manifest+json",
}
_LASTING: Final = "public, max-age=31536000, immutable"
_ASKING: Final = "public, no-cache"


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticFile:
    """A file as it is sent."""

    mime: str
    body: bytes
    zipped: bytes
    digest: str


@cache
def files() -> Mapping[str, StaticFile]:
    """Every static file of the package, by name."""
    found = {}
    for entry in (resources.files("medfed.web") / "static").iterdir():
        mime = _TYPES.get(entry.name.rpartition(".")[2])
        if mime is not None and entry.is_file():
            body = entry.read_bytes()
            found[entry.name] = StaticFile(
                mime=mime,
                body=body,
                zipped=gzip.compress(body, 9, mtime=0),
                digest=hashlib.sha256(body).hexdigest()[:16],
            )
    return found


def address(name: str) -> str:
    """The URL of a static file, which changes with its content."""
    return f"/static/{name}?v={files()[name].digest}"


async def static(request: Request) -> Response:
    """GET /static/NAME. Raises NotFound."""
    name = request.path_params["name"]
    file = files().get(name)
    if file is None:
        raise NotFound("there is no such file")
    lasting = request.query_params.get("v") == file.digest
    headers = {
        "etag": f'"{file.digest}"',
        "cache-control": _LASTING if lasting else _ASKING,
        "vary": "Accept-Encoding",
        "content-type": file.mime,
        "cross-origin-resource-policy": "same-origin",
    }
    if f'"{file.digest}"' in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(file.zipped, headers={**headers, "content-encoding": "gzip"})
    return Response(file.body, headers=headers)
