"""Files of age: the published vectors, what other programs read and write, and every way in which one is damaged."""

import hashlib
import io
import random
import subprocess
import zlib
from pathlib import Path
from typing import Final

import pytest

from medfed.kernel import bech32
from medfed.kernel.age import Damaged, Identity, NotForThisKey, Reader, Recipient, Writer, parse_identities
from medfed.kernel.errors import Malformed
from tests.faults.tools import tool

VECTORS: Final = Path(__file__).resolve().parents[2] / "vectors" / "age"
RAISED: Final[dict[str, type[Exception]]] = {
    "no match": NotForThisKey,
    "HMAC failure": Damaged,
    "header failure": Damaged,
    "payload failure": Damaged,
}
HELD_BACK: Final = {
    "stream_no_final_full", "stream_no_final_two_chunks_full", "stream_trailing_garbage_long",
    "stream_trailing_garbage_short", "stream_two_final_chunks", "stream_two_final_chunks_full",
    "stream_two_final_chunks_second",
}  # fmt: skip
"""Where the reference gives out a whole chunk before it sees that what should follow does not; we look first."""
EDGES: Final = (0, 1, 65535, 65536, 65537, 131071, 131072, 131073)


def _vector(name: str) -> tuple[dict[str, list[str]], bytes]:
    head, _, file = (VECTORS / name).read_bytes().partition(b"\n\n")
    facts: dict[str, list[str]] = {}
    for line in head.decode().splitlines():
        key, _, value = line.partition(": ")
        facts.setdefault(key, []).append(value)
    return facts, zlib.decompress(file) if "compressed" in facts else file


def _read(reader: Reader, into: bytearray) -> None:
    while part := reader.read(4_000):
        into += part


@pytest.mark.case("I19")
@pytest.mark.parametrize("name", sorted(path.name for path in VECTORS.iterdir()))
def test_a_published_vector_ends_as_it_says(name: str) -> None:
    facts, file = _vector(name)
    identities = [Identity.parse(text) for text in facts.get("identity", [])]
    given = bytearray()
    expected = facts["expect"][0]
    if expected == "success":
        _read(Reader(io.BytesIO(file), identities), given)
    else:
        with pytest.raises(RAISED[expected]):
            _read(Reader(io.BytesIO(file), identities), given)
    if "payload" in facts and name not in HELD_BACK:
        assert hashlib.sha256(given).hexdigest() == facts["payload"][0], "and nothing else was given out"


@pytest.mark.parametrize("size", EDGES)
def test_what_was_written_is_read_by_each_of_its_recipients(size: int) -> None:
    one, two, other = Identity.make(), Identity.make(), Identity.make()
    plain = random.Random(size).randbytes(size)
    file = _encrypted(plain, one, two, step=size // 3 + 1)
    for identity in (one, two):
        assert Reader(io.BytesIO(file), [other, identity]).read() == plain
    with pytest.raises(NotForThisKey):
        Reader(io.BytesIO(file), [other])


def test_a_file_that_is_cut_off_or_changed_anywhere_is_refused() -> None:
    identity = Identity.make()
    file = _encrypted(bytes(70_000), identity)
    chance = random.Random(7)
    header = file.index(b"--- ") + 60
    for end in [
        *range(0, header, 7),
        *(chance.randrange(len(file)) for _ in range(60)),
        header + 65_552,
        len(file) - 1,
    ]:
        with pytest.raises(Damaged):
            Reader(io.BytesIO(file[:end]), [identity]).read()
    for place in [*range(header), *(chance.randrange(len(file)) for _ in range(60)), len(file) - 1]:
        changed = bytearray(file)
        changed[place] ^= 1 << chance.randrange(8)
        with pytest.raises((Damaged, NotForThisKey)):
            Reader(io.BytesIO(bytes(changed)), [identity]).read()
    with pytest.raises(Damaged):
        Reader(io.BytesIO(file + b"\0"), [identity]).read()


def test_a_header_without_end_is_not_read_for_ever() -> None:
    endless = io.BytesIO(b"age-encryption.org/v1\n" + b"-> X\n\n" * 100_000)
    with pytest.raises(Damaged):
        Reader(endless, [Identity.make()])
    assert endless.tell() < 100_000


def test_a_key_that_was_not_copied_whole_is_refused_and_not_repeated() -> None:
    identity = Identity.make()
    secret = identity.reveal()
    assert Identity.parse(secret).recipient == identity.recipient
    assert Recipient.parse(f" {identity.recipient} ") == identity.recipient
    swapped = secret[:-2] + secret[-1] + secret[-2]
    for wrong in (
        secret[:-1],
        secret.lower()[:20] + secret[20:],
        "AGE-SECRET-KEY-1",
        "",
        *[swapped] * (swapped != secret),
    ):
        with pytest.raises(Malformed) as refused:
            Identity.parse(wrong)
        assert secret[20:40] not in str(refused.value)
    for wrong in (secret, str(identity.recipient)[:-1], bech32.encode("age", bytes(31)), "ssh-ed25519 AAAA"):
        with pytest.raises(Malformed):
            Recipient.parse(wrong)
    with pytest.raises(Malformed):
        _encrypted(b"", Identity.make(), recipients=[Recipient(bytes(32))])
    with pytest.raises(Malformed):
        _encrypted(b"", recipients=[])


def test_a_key_file_has_comments_and_several_keys() -> None:
    one, two = Identity.make(), Identity.make()
    text = f"# created: today\n# public key: {one.recipient}\n{one.reveal()}\n\n{two.reveal()}\n"
    assert [each.recipient for each in parse_identities(text)] == [one.recipient, two.recipient]
    with pytest.raises(Malformed):
        parse_identities("# nothing\n")


@pytest.mark.case("I19")
@pytest.mark.parametrize("size", EDGES)
def test_the_age_of_others_reads_ours_and_we_read_theirs(tmp_path: Path, size: int) -> None:
    """Debian's package `age`: what an operator has who has no medfed."""
    age = tool("age")
    identity, plain = Identity.make(), random.Random(size).randbytes(size)
    (tmp_path / "key").write_text(identity.reveal() + "\n")
    (tmp_path / "ours.age").write_bytes(_encrypted(plain, Identity.make(), identity))
    done = subprocess.run([age, "-d", "-i", tmp_path / "key", tmp_path / "ours.age"], capture_output=True, check=True)
    assert done.stdout == plain
    theirs = subprocess.run([age, "-r", str(identity.recipient)], input=plain, capture_output=True, check=True).stdout
    assert Reader(io.BytesIO(theirs), [identity]).read() == plain


def _encrypted(
    plain: bytes, *identities: Identity, step: int = 10_000, recipients: list[Recipient] | None = None
) -> bytes:
    target = io.BytesIO()
    chosen = [identity.recipient for identity in identities] if recipients is None else recipients
    writer = Writer(target, chosen)
    for start in range(0, len(plain), step):
        assert writer.write(plain[start : start + step]) == len(plain[start : start + step])
    writer.finish()
    return target.getvalue()
