"""Takes in images: looks at the first bytes, has them decoded in a confined child, and keeps pixels only.

Nothing of the original file is stored, so that neither a patient's name in the metadata nor a second file hidden
behind the first can be served (E11, E12, E17, E18).
"""

import asyncio
import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Final

from medfed.activitypub.here import Here
from medfed.domain.posts import Attachment
from medfed.kernel import limits
from medfed.kernel.errors import Invalid, TooLarge, Unsupported
from medfed.media import decode
from medfed.media.blobs import TYPES, Blobs

AT_ONCE: Final = 2
"""Children at the same time: each may take up to a GiB."""
DECODE_TIMEOUT: Final = 30.0
SIDE: Final = 3_840

_KEEP: Final = "keep"
_AVATAR: Final = "400x400"
_HEADER: Final = "1500x500"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A decoded image and its preview, newly written from pixels. The endings are those of blobs.TYPES."""

    data: bytes
    ending: str
    preview: bytes
    preview_ending: str
    width: int
    height: int
    blurhash: str


class Images:
    """Decodes images, a few at a time, and stores them. One for each Instance."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def accept(
        self,
        here: Here,
        account_id: int,
        data: bytes,
        *,
        description: str = "",
        focus: tuple[float, float] = (0.0, 0.0),
    ) -> Attachment:
        """An attachment whose files are stored; its row is not, yet. Raises TooLarge, Unsupported, Invalid."""
        if len(description) > limits.ALT_TEXT_LOCAL:
            raise Invalid("the description is too long", {"description": f"at most {limits.ALT_TEXT_LOCAL} characters"})
        x, y = checked_focus(*focus)
        picture = await self._decode(data, _KEEP)
        key = await self._blobs.write(picture.data, picture.ending)
        preview = await self._blobs.write(picture.preview, picture.preview_ending)
        return Attachment(
            id=here.ids.new(),
            account_id=account_id,
            mime=TYPES[picture.ending],
            file_key=key,
            preview_key=preview,
            description=description.strip(),
            blurhash=picture.blurhash,
            focus_x=x,
            focus_y=y,
            width=picture.width,
            height=picture.height,
            bytes=len(picture.data),
            sha256=hashlib.sha256(picture.data).hexdigest(),
            created_at=here.now(),
        )

    async def accept_avatar(self, data: bytes) -> str:
        """The key of a stored square portrait. Raises TooLarge, Unsupported, Invalid."""
        picture = await self._decode(data, _AVATAR)
        return await self._blobs.write(picture.data, picture.ending)

    async def accept_header(self, data: bytes) -> str:
        """The key of a stored banner, three times as wide as high. Raises TooLarge, Unsupported, Invalid."""
        picture = await self._decode(data, _HEADER)
        return await self._blobs.write(picture.data, picture.ending)

    async def _decode(self, data: bytes, shape: str) -> Picture:
        check_kind(data)
        async with self._turn:
            return await _decoded(data, shape)


def check_kind(data: bytes) -> None:
    """Raises TooLarge, and Unsupported for everything whose first bytes are not those of an image we open."""
    if len(data) > limits.IMAGE_BYTES:
        raise TooLarge(f"an image has at most {limits.IMAGE_BYTES // limits.MIB} MiB")
    for is_it, sentence in _REFUSED:
        if is_it(data):
            raise Unsupported(sentence)
    if not any(is_it(data) for is_it in _OPENED):
        raise Unsupported("only JPEG, PNG, WebP, GIF and AVIF images are accepted")


def checked_focus(x: float, y: float) -> tuple[float, float]:
    """A focal point from -1 to 1 in both directions. Raises Invalid (E14)."""
    if not (isfinite(x) and isfinite(y) and abs(x) <= 1 and abs(y) <= 1):
        raise Invalid("the focal point is two numbers from -1 to 1", {"focus": "from -1 to 1"})
    return x, y


def _brand(data: bytes) -> bytes:
    """The major brand of an ISO media file; b'' for any other."""
    return data[8:12] if data[4:8] == b"ftyp" else b""


_OPENED: Final[tuple[Callable[[bytes], bool], ...]] = (
    lambda data: data.startswith(b"\xff\xd8\xff"),
    lambda data: data.startswith(b"\x89PNG\r\n\x1a\n"),
    lambda data: data[:4] == b"RIFF" and data[8:12] == b"WEBP",
    lambda data: data[:6] in (b"GIF87a", b"GIF89a"),
    lambda data: _brand(data) in (b"avif", b"avis"),
)
_REFUSED: Final[tuple[tuple[Callable[[bytes], bool], str], ...]] = (
    (
        lambda data: data[128:132] == b"DICM",
        "a DICOM file carries the patient's name and dates; export the image as PNG or JPEG without annotations",
    ),
    (
        lambda data: data[:1024].lstrip().startswith(b"%PDF"),
        "a PDF can carry names and hidden text; take the figure out as an image and send that",
    ),
    (
        lambda data: _brand(data) in (b"heic", b"heix", b"mif1", b"msf1", b"hevc"),
        "HEIC images cannot be read here; choose JPEG (“most compatible”) in the camera's settings",
    ),
    (
        lambda data: bool(_brand(data)) and _brand(data) not in (b"avif", b"avis"),
        "videos are not accepted; send a still image",
    ),
    (
        lambda data: data[:256].lstrip().lower().startswith((b"<svg", b"<?xml", b"<!doctype")),
        "drawings in SVG can carry programs; export the drawing as PNG",
    ),
)


async def _decoded(data: bytes, shape: str) -> Picture:
    """Run the child. Raises Invalid when it refuses, dies or takes too long."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        str(Path(decode.__file__)),
        str(limits.IMAGE_PIXELS),
        str(SIDE),
        shape,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={},
        cwd="/",
    )
    try:
        async with asyncio.timeout(DECODE_TIMEOUT):
            answer, _ = await child.communicate(data)
    except TimeoutError:
        raise Invalid("the image takes too long to decode") from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    header, _, rest = answer.partition(b"\n")
    if child.returncode not in (0, decode.REFUSED) or not header:
        # Killed for want of time or memory, or by a fault in a decoder: the image's doing, whatever it was.
        raise Invalid("the image cannot be decoded")
    facts = json.loads(header)
    if "refused" in facts:
        raise Invalid(facts["refused"])
    return Picture(
        data=rest[: facts["size"]],
        ending=facts["ending"],
        preview=rest[facts["size"] : facts["size"] + facts["preview_size"]],
        preview_ending=facts["preview_ending"],
        width=facts["width"],
        height=facts["height"],
        blurhash=facts["blurhash"],
    )
