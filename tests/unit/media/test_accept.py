"""Images come in as pixels, whatever else was in the file stays out."""

import io
import random
import resource
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from medfed.activitypub.here import Here
from medfed.activitypub.uris import Uris
from medfed.kernel import limits
from medfed.kernel.blurhash import is_blurhash
from medfed.kernel.clock import FixedClock
from medfed.kernel.errors import Invalid, TooLarge, Unsupported
from medfed.kernel.ids import Ids
from medfed.kernel.secrets import Vault
from medfed.media.accept import Images, check_kind, checked_focus
from medfed.media.blobs import FileBlobs
from medfed.media.decode import blurhash

CANARY = b"DUPONT-1958-03-02"
METADATA = (CANARY, b"Exif\0", b"ICC_PROFILE", b"iCCP", b"http://ns.adobe", b"tEXt", b"iTXt", b"zTXt", b"Photoshop")


@pytest.fixture
def here() -> Here:
    clock = FixedClock()
    return Here(
        name="Lyon",
        contact="",
        languages=("fr",),
        mode="cautious",
        uris=Uris(base="https://lyon.example", domain="lyon.example"),
        ids=Ids(clock),
        clock=clock,
        vault=Vault(b"k" * 32),
    )


@pytest.fixture
def blobs(tmp_path: Path) -> FileBlobs:
    return FileBlobs(tmp_path / "media")


@pytest.fixture
def images(blobs: FileBlobs) -> Images:
    return Images(blobs)


def photo(size: tuple[int, int] = (800, 600), mode: str = "RGB") -> Image.Image:
    noise = random.Random(1)
    small = Image.frombytes("RGB", (16, 16), noise.randbytes(16 * 16 * 3))
    return small.resize(size, Image.Resampling.BICUBIC).convert(mode)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    target = io.BytesIO()
    image.save(target, kind, **options)
    return target.getvalue()


def with_canaries(kind: str) -> bytes:
    """An image with the canary in every place for metadata that the format has, and behind its end."""
    text = CANARY.decode()
    exif = Image.Exif()
    exif[0x010E] = text  # ImageDescription
    exif[0x013B] = text  # Artist
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[29] = text  # GPSDateStamp
    options: dict[str, object] = {"exif": exif, "icc_profile": b"\0" * 128 + CANARY}
    if kind == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_text("Comment", text)
        info.add_itxt("XML:com.adobe.xmp", text)
        info.add_text("Patient", text, zip=True)
        options["pnginfo"] = info
    else:
        options["xmp"] = CANARY
    if kind == "JPEG":
        options["comment"] = CANARY
    if kind == "GIF":
        options = {"comment": CANARY}
    data = saved(photo(), kind, **options)
    if kind == "JPEG":
        iptc = b"Photoshop 3.0\x00" + CANARY
        data = data[:2] + b"\xff\xed" + struct.pack(">H", len(iptc) + 2) + iptc + data[2:]
    assert CANARY in data or kind == "GIF"
    return data + CANARY


@pytest.mark.case("E17", "E11", "E12")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "AVIF"])
async def test_no_byte_of_metadata_reaches_the_stored_files(
    images: Images, blobs: FileBlobs, here: Here, kind: str, tmp_path: Path
) -> None:
    attachment = await images.accept(here, 1, with_canaries(kind), description="une lésion")
    for key in (attachment.file_key, attachment.preview_key):
        data = await blobs.read(key)
        for chunk in METADATA:
            assert chunk not in data
        with Image.open(io.BytesIO(data)) as stored:
            assert not stored.getexif()
            assert "comment" not in stored.info
    assert (attachment.width, attachment.height) == (800, 600)
    assert is_blurhash(attachment.blurhash)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]  # noqa: ASYNC240
    assert len(files) == 2
    assert all(path.stat().st_mode & 0o077 == 0 for path in files)


@pytest.mark.parametrize(
    ("kind", "mode", "mime"),
    [("JPEG", "RGB", "image/jpeg"), ("JPEG", "L", "image/jpeg"), ("JPEG", "CMYK", "image/jpeg"),
     ("PNG", "RGB", "image/png"),
     ("PNG", "P", "image/png"), ("PNG", "1", "image/png"), ("PNG", "I;16", "image/png"), ("WEBP", "RGB", "image/jpeg"),
     ("GIF", "P", "image/png"), ("AVIF", "RGB", "image/jpeg")],
)  # fmt: skip
async def test_every_kind_is_stored_as_what_suits_it(
    images: Images, here: Here, kind: str, mode: str, mime: str
) -> None:
    attachment = await images.accept(here, 1, saved(photo((200, 100), mode), kind))
    assert attachment.mime == mime


async def test_transparency_and_size_are_kept_within_bounds(images: Images, blobs: FileBlobs, here: Here) -> None:
    image = photo((4_000, 1_000), "RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    attachment = await images.accept(here, 1, saved(image, "WEBP"))
    assert (attachment.width, attachment.height, attachment.mime) == (3_840, 960, "image/webp")
    with Image.open(io.BytesIO(await blobs.read(attachment.preview_key))) as preview:
        assert preview.size == (640, 160)
        assert preview.mode == "RGBA"


async def test_a_photograph_is_turned_upright(images: Images, here: Here) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    attachment = await images.accept(here, 1, saved(photo((300, 100)), "JPEG", exif=exif))
    assert (attachment.width, attachment.height) == (100, 300)


async def test_portraits_and_banners_have_their_shape(images: Images, blobs: FileBlobs) -> None:
    for key, size in (
        (await images.accept_avatar(saved(photo((900, 300)), "JPEG")), (400, 400)),
        (await images.accept_header(saved(photo((900, 300)), "PNG")), (1_500, 500)),
    ):
        with Image.open(io.BytesIO(await blobs.read(key))) as stored:
            assert stored.size == size


def huge_png() -> bytes:
    """A header that claims 60,000 × 60,000 pixels, and one row of them."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b"\0" * 180_001))
        + chunk(b"IEND", b"")
    )


@pytest.mark.case("E15")
async def test_a_small_file_that_claims_to_be_huge_is_refused_before_it_is_decoded(images: Images, here: Here) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss  # of whatever else this process has started
    with pytest.raises(Invalid, match="too large"):
        await images.accept(here, 1, huge_png())
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss <= max(before, 512 * 1024)


@pytest.mark.case("E15")
async def test_of_a_long_animation_only_the_first_frame_is_decoded(images: Images, here: Here) -> None:
    frames = [photo((64, 64), "L").rotate(n) for n in range(200)]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert (await images.accept(here, 1, data)).mime == "image/png"


@pytest.mark.case("E12")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "AVIF"])
async def test_damaged_images_are_refused_in_words(images: Images, here: Here, kind: str) -> None:
    whole = saved(photo((64, 64)), kind)
    for data in (whole[: len(whole) // 2], whole[:20], whole[:16] + b"\xff" * (len(whole) - 16)):
        with pytest.raises(Invalid, match="image"):
            await images.accept(here, 1, data)


@pytest.mark.case("E12")
@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\0" * 128 + b"DICM" + b"\0" * 100, "DICOM"),
        (b"%PDF-1.7 ...", "PDF"),
        (b"\n\n%PDF-1.7 ...", "PDF"),
        (b"\0\0\0\x20ftypheic" + b"\0" * 50, "HEIC"),
        (b"\0\0\0\x20ftypisom" + b"\0" * 50, "video"),
        (b"<svg onload=x>", "SVG"),
        (b"<?xml version='1.0'?><svg/>", "SVG"),
        (b"II*\0" + b"\0" * 50, "only JPEG"),
        (b"8BPS" + b"\0" * 50, "only JPEG"),
        (b"%!PS-Adobe-3.0 EPSF", "only JPEG"),
        (b"SIMPLE  =", "only JPEG"),
        (b"icns" + b"\0" * 50, "only JPEG"),
        (b"PK\x03\x04" + b"\0" * 50, "only JPEG"),
        (b'{"@context": "https://www.w3.org/ns/activitystreams"}', "only JPEG"),
        (b"push graphic-context", "only JPEG"),
        (b"RIFF\0\0\0\0WAVE", "only JPEG"),
        (b"", "only JPEG"),
    ],
)
def test_everything_else_is_refused_by_its_first_bytes(data: bytes, words: str) -> None:
    with pytest.raises(Unsupported, match=words):
        check_kind(data)


@pytest.mark.case("E12")
async def test_another_format_behind_the_first_bytes_of_an_image_is_not_opened(images: Images, here: Here) -> None:
    for data in (b"\xff\xd8\xff" + b"%!PS-Adobe-3.0 EPSF-3.0\n" * 20, b"GIF89a" + b"<script>" * 50):
        with pytest.raises(Invalid):
            await images.accept(here, 1, data)


@pytest.mark.limit("IMAGE_BYTES")
def test_an_image_of_one_byte_too_many_is_refused() -> None:
    check_kind(b"\xff\xd8\xff" + b"\0" * (limits.IMAGE_BYTES - 3))
    with pytest.raises(TooLarge):
        check_kind(b"\xff\xd8\xff" + b"\0" * (limits.IMAGE_BYTES - 2))


@pytest.mark.case("E14")
@pytest.mark.parametrize("point", [(float("nan"), 0), (0, float("inf")), (1.1, 0), (0, -2)])
def test_a_focal_point_outside_the_image_is_refused(point: tuple[float, float]) -> None:
    with pytest.raises(Invalid):
        checked_focus(*point)


def test_a_blurhash_begins_with_the_average_colour() -> None:
    text = blurhash(Image.new("RGB", (32, 32), (255, 0, 0)))
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"
    value = 0
    for digit in text[2:6]:
        value = value * 83 + digits.index(digit)
    assert value == 0xFF0000
    assert is_blurhash(text)
