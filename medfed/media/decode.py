"""The child process that opens images of strangers: bytes in, clean pixels out, little memory, little time.

Started by medfed.media.accept as a script of its own, so it imports nothing of medfed. What it writes to stdout is
one line of JSON, then the image, then its preview. A refusal is a JSON line with `refused` and exit status 3.
"""

import io
import json
import math
import resource
import sys
import warnings
from collections.abc import Sequence
from typing import Any, Final

CPU_SECONDS: Final = 10
MEMORY: Final = 1024 * 1024 * 1024
FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "AVIF")
LONGEST_SIDE: Final = 20_000
PREVIEW_SIDE: Final = 640
PNG_AT_MOST: Final = 4 * 1024 * 1024
REFUSED: Final = 3


class Refusal(Exception):
    """The image is not acceptable; the message says why, in words for the one who sent it."""


def main(arguments: Sequence[str]) -> int:
    """arguments: pixels at most, longest side of the result, and `WIDTHxHEIGHT` to crop to, or `keep`."""
    _confine()
    pixels, side, shape = int(arguments[0]), int(arguments[1]), arguments[2]
    try:
        header, parts = convert(sys.stdin.buffer.read(), pixels=pixels, side=side, shape=shape)
    except Refusal as refusal:
        sys.stdout.write(json.dumps({"refused": str(refusal)}) + "\n")
        return REFUSED
    sys.stdout.buffer.write(json.dumps(header).encode() + b"\n" + b"".join(parts))
    return 0


def _confine() -> None:
    """Before Pillow is imported: what follows cannot take more than this from the machine."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


def convert(data: bytes, *, pixels: int, side: int, shape: str) -> tuple[dict[str, Any], list[bytes]]:
    """(facts, [image, preview]), made from the pixels alone. Raises Refusal."""
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - after _confine

    warnings.simplefilter("ignore")
    Image.MAX_IMAGE_PIXELS = None  # our own limit is checked below, before anything is decoded
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
            _measure(opened, pixels)
            picture, lossless = _pixels_of(opened, side), opened.format in ("PNG", "GIF")
    except UnidentifiedImageError:
        raise Refusal("the image cannot be read") from None
    except MemoryError:
        raise Refusal("the image needs too much memory") from None
    except (
        OSError,
        ValueError,
        SyntaxError,
        EOFError,
        TypeError,
        KeyError,
        IndexError,
        OverflowError,
        ArithmeticError,
    ):
        raise Refusal("the image is damaged") from None
    picture = _shaped(picture, side, shape)
    ending, image = _encoded(picture, lossless=lossless)
    small = picture.copy()
    small.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    preview_ending, preview = _encoded(small, lossless=False)
    small.thumbnail((32, 32))
    header = {
        "width": picture.width,
        "height": picture.height,
        "ending": ending,
        "size": len(image),
        "preview_ending": preview_ending,
        "preview_size": len(preview),
        "blurhash": blurhash(small.convert("RGB")),
    }
    return header, [image, preview]


def _measure(opened: Any, pixels: int) -> None:
    width, height = opened.size
    if width < 1 or height < 1:
        raise Refusal("the image is empty")
    if width * height > pixels or max(width, height) > LONGEST_SIDE:
        raise Refusal(f"the image is too large: {width} × {height} pixels, at most {pixels // 1_000_000} million")


def _pixels_of(opened: Any, side: int) -> Any:
    """The first frame, upright, in sRGB, in a new image that remembers nothing of the file."""
    from PIL import Image, ImageOps  # noqa: PLC0415 - after _confine

    opened.draft("RGB", (side, side))
    profile = opened.info.get("icc_profile")
    upright = ImageOps.exif_transpose(opened)
    if upright.mode.startswith(("I", "F")):
        # 16 bits and more: keep the high ones.
        upright = upright.point(lambda value: value / 256).convert("L") if upright.mode != "F" else upright.convert("L")
    mode = "RGBA" if _has_alpha(upright) else "L" if upright.mode in ("L", "1") else "RGB"
    if upright.mode == "CMYK" or (profile and mode != "L"):
        upright = _in_srgb(upright, profile, mode)
    upright = upright.convert(mode)
    if mode == "RGBA" and upright.getchannel("A").getextrema()[0] == 255:
        upright = upright.convert("RGB")
    return Image.frombytes(upright.mode, upright.size, upright.tobytes())


def _has_alpha(image: Any) -> bool:
    return image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info


def _in_srgb(image: Any, profile: bytes | None, mode: str) -> Any:
    """Colours as they were meant: a skin photographed in Display P3 must not turn pale."""
    from PIL import ImageCms  # noqa: PLC0415 - after _confine

    if not profile or image.mode not in ("RGB", "RGBA", "CMYK"):
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode=mode) or image
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image


def _shaped(picture: Any, side: int, shape: str) -> Any:
    from PIL import Image, ImageOps  # noqa: PLC0415 - after _confine

    if shape == "keep":
        picture.thumbnail((side, side), Image.Resampling.LANCZOS)
        return picture
    width, height = (int(part) for part in shape.split("x"))
    return ImageOps.fit(picture, (width, height), Image.Resampling.LANCZOS)


def _encoded(picture: Any, *, lossless: bool) -> tuple[str, bytes]:
    """JPEG for photographs; PNG for drawings and screenshots while it is small; WebP for what is transparent."""
    alpha = picture.mode == "RGBA"
    if lossless:
        written = _saved(picture, "PNG", optimize=True)
        if len(written) <= PNG_AT_MOST:
            return "png", written
    if alpha:
        return "webp", _saved(picture, "WEBP", quality=90, method=4)
    return "jpg", _saved(picture, "JPEG", quality=88, optimize=True, progressive=True)


def _saved(picture: Any, kind: str, **options: Any) -> bytes:
    target = io.BytesIO()
    picture.save(target, kind, **options)
    return target.getvalue()


# ── blurhash ─────────────────────────────────────────────────────────────────────────────────────────────────

DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"


def blurhash(image: Any, across: int = 4, down: int = 3) -> str:
    """A few characters that clients paint as a blur while the image loads: the lowest terms of a cosine transform."""
    width, height = image.size
    data = image.tobytes()
    linear = [_linear(value) for value in range(256)]
    rows = [
        _along([linear[value] for value in data[y * width * 3 : (y + 1) * width * 3]], across) for y in range(height)
    ]
    factors = []
    for v in range(down):
        wave = [math.cos(math.pi * v * y / height) for y in range(height)]
        for u in range(across):
            scale = (1 if u == v == 0 else 2) / (width * height)
            factors.append([scale * sum(wave[y] * rows[y][u][c] for y in range(height)) for c in range(3)])
    return _written(factors, across, down)


def _along(row: list[float], across: int) -> list[list[float]]:
    """The sums over one row of pixels, by horizontal frequency and colour."""
    width = len(row) // 3
    sums = []
    for u in range(across):
        wave = [math.cos(math.pi * u * x / width) for x in range(width)]
        sums.append([sum(w * value for w, value in zip(wave, row[c::3], strict=True)) for c in range(3)])
    return sums


def _written(factors: list[list[float]], across: int, down: int) -> str:
    average, details = factors[0], factors[1:]
    largest = max((abs(value) for factor in details for value in factor), default=0.0)
    step = max(0, min(82, math.floor(largest * 166 - 0.5)))
    unit = (step + 1) / 166
    colour = (_srgb(average[0]) << 16) + (_srgb(average[1]) << 8) + _srgb(average[2])
    text = _base83(across - 1 + (down - 1) * 9, 1) + _base83(step, 1) + _base83(colour, 4)
    for factor in details:
        red, green, blue = (_quantised(value / unit) for value in factor)
        text += _base83((red * 19 + green) * 19 + blue, 2)
    return text


def _quantised(value: float) -> int:
    return max(0, min(18, math.floor(math.copysign(math.sqrt(abs(value)), value) * 9 + 9.5)))


def _base83(value: int, length: int) -> str:
    return "".join(DIGITS[value // 83**place % 83] for place in reversed(range(length)))


def _linear(value: int) -> float:
    share = value / 255
    return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4


def _srgb(value: float) -> int:
    share = max(0.0, min(1.0, value))
    return int((share * 12.92 if share <= 0.0031308 else 1.055 * share ** (1 / 2.4) - 0.055) * 255 + 0.5)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
