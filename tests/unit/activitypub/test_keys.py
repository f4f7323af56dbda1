"""Which keys are taken from strangers, and that they verify only what was signed."""

import base64
import json
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from hypothesis import given
from hypothesis import strategies as st

from medfed.activitypub import keys, multibase
from medfed.activitypub.keys import PrivateKey, PublicKey
from medfed.kernel.errors import BadSignature, Misconfigured
from tests.unit.activitypub.vectors import vector, w3c_key


def pem_of(key: PublicKeyTypes) -> str:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def rsa_numbers(bits: int, exponent: int) -> rsa.RSAPublicKey:
    """A key that nobody holds: an odd modulus of the wanted size."""
    return rsa.RSAPublicNumbers(exponent, 2 ** (bits - 1) + 2 ** (bits // 2) + 15).public_key()


@pytest.fixture(params=["rsa", "ed25519"])
def key(request: pytest.FixtureRequest, rsa_key: PrivateKey, ed25519_key: PrivateKey) -> PrivateKey:
    return {"rsa": rsa_key, "ed25519": ed25519_key}[request.param]


def test_a_key_comes_back_from_each_of_its_forms(key: PrivateKey) -> None:
    assert keys.parse_public_pem(key.public.pem) == key.public
    assert keys.parse_multikey(key.public.multikey) == key.public
    loaded = keys.load_private(key.to_pkcs8())
    assert loaded.public == key.public
    assert loaded.kind == key.kind
    key.public.verify(loaded.sign(b"message"), b"message")
    assert len(key.public.fingerprint) == 64


def test_a_signature_holds_for_its_message_and_key_only(rsa_key: PrivateKey, ed25519_key: PrivateKey) -> None:
    for signer, other in ((rsa_key, ed25519_key), (ed25519_key, rsa_key)):
        signature = signer.sign(b"message")
        signer.public.verify(signature, b"message")
        for verifier, signed, message in (
            (signer, signature, b"another"),
            (other, signature, b"message"),
            (signer, b"", b"message"),
            (signer, signature[:-1], b"message"),
            (signer, signature + b"\0", b"message"),
        ):
            with pytest.raises(BadSignature):
                verifier.public.verify(signed, message)


@given(st.integers(0, 64 * 8 - 1), st.binary(max_size=64))
def test_a_flipped_bit_spoils_an_ed25519_signature(bit: int, message: bytes) -> None:
    key = w3c_key()
    signature = bytearray(key.sign(message))
    signature[bit // 8] ^= 1 << bit % 8
    with pytest.raises(BadSignature):
        key.public.verify(bytes(signature), message)


@pytest.mark.case("C17")
def test_a_private_key_never_shows_its_material(key: PrivateKey) -> None:
    shown = repr(key) + str(key) + f"{key!r}"
    assert "PRIVATE" not in shown
    assert "material" not in shown
    assert "object at" not in shown


def test_the_keys_of_fep_521a_have_their_published_multikey() -> None:
    for scenario in vector("fep/fep-521a.json")["scenarios"]:
        multikey = scenario["docs"][0]["json"]["publicKeyMultibase"]
        published = bytes.fromhex(scenario["params"][0].split('"')[1])
        key = keys.parse_multikey(multikey)
        assert key.multikey == multikey
        assert published in key.spki


def test_the_w3c_key_pair_belongs_together() -> None:
    assert w3c_key().public.multikey == vector("vc-di-eddsa/keyPair.json")["publicKeyMultibase"]


def test_only_ed25519_and_rsa_multikeys_are_read() -> None:
    published = vector("multikey-did/cid-multikey.json")["publicKeyMultibase"]
    for multikey in published + vector("multikey-did/did-key.json")["identifiers"]:
        if multikey.startswith("z6Mk"):
            assert keys.parse_multikey(multikey).kind == "ed25519"
        else:
            with pytest.raises(BadSignature, match="neither"):
                keys.parse_multikey(multikey)


def multikey_of(prefix: bytes, key: bytes) -> str:
    return multibase.encode_base58btc(prefix + key)


@pytest.mark.parametrize(
    "multikey",
    [
        "",
        "z",
        "z0",
        multikey_of(b"\xed\x01", bytes(31)),
        multikey_of(b"\xed\x01", bytes(33)),
        multikey_of(b"\x80\x26", bytes(32)),
        multikey_of(b"\x85\x24", b"garbage"),
        multikey_of(b"\x85\x24", keys.generate_ed25519().public.spki),
        "u" + base64.urlsafe_b64encode(b"\xed\x01" + bytes(32)).decode().rstrip("="),
        "z" + "2" * 10_000,
    ],
    ids=range(10),  # the keys are new in every process, and a test needs the same name in all of them
)
def test_a_damaged_multikey_is_refused(multikey: str) -> None:
    with pytest.raises(BadSignature):
        keys.parse_multikey(multikey)


def test_an_rsa_multikey_with_another_wrapping_or_a_weak_key_is_refused(rsa_key: PrivateKey) -> None:
    with pytest.raises(BadSignature, match="PKCS #1"):
        keys.parse_multikey(multikey_of(b"\x85\x24", rsa_key.public.spki))
    weak = rsa_numbers(1024, 65_537).public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    with pytest.raises(BadSignature, match="bits"):
        keys.parse_multikey(multikey_of(b"\x85\x24", weak))


@pytest.mark.case("C11")
@pytest.mark.parametrize("bits", [2047, 1024, 512, 8193, 16384])
@pytest.mark.limit("RSA_BITS")
def test_an_rsa_key_of_a_bad_size_is_refused(bits: int) -> None:
    try:
        pem = pem_of(rsa_numbers(bits, 65_537))
    except ValueError:
        pytest.skip("the library itself refuses to build this key")
    with pytest.raises(BadSignature):
        keys.parse_public_pem(pem)


@pytest.mark.case("C11")
@pytest.mark.parametrize(("bits", "exponent"), [(2048, 65_537), (8192, 65_537), (4096, 2**32 - 1)])
def test_an_rsa_key_at_the_bounds_is_read_and_verifies(bits: int, exponent: int) -> None:
    key = keys.parse_public_pem(pem_of(rsa_numbers(bits, exponent)))
    assert key.kind == "rsa"
    with pytest.raises(BadSignature):
        key.verify(bytes(bits // 8 - 1) + b"\2", b"message")


@pytest.mark.case("C11")
@pytest.mark.parametrize("exponent", [1, 3, 17, 65_535, 65_538, 2**32, 2**32 + 1, 2**64 + 1])
def test_an_rsa_key_with_a_strange_exponent_is_refused(exponent: int, rsa_key: PrivateKey) -> None:
    with pytest.raises(BadSignature):
        keys.parse_public_pem(pem_with_exponent(exponent))


def pem_with_exponent(exponent: int) -> str:
    """Written by hand: the library refuses to write some of these."""

    def der(tag: int, content: bytes) -> bytes:
        size = len(content)
        length = bytes([size]) if size < 128 else b"\x82" + size.to_bytes(2, "big")
        return bytes([tag]) + length + content

    def integer(value: int) -> bytes:
        return der(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))

    pkcs1 = der(0x30, integer(2**2047 + 2**1024 + 15) + integer(exponent))
    algorithm = bytes.fromhex("300d06092a864886f70d0101010500")
    spki = der(0x30, algorithm + der(3, b"\0" + pkcs1))
    return f"-----BEGIN PUBLIC KEY-----\n{base64.encodebytes(spki).decode()}-----END PUBLIC KEY-----\n"


def test_the_handwritten_key_is_read_when_its_exponent_is_good() -> None:
    assert keys.parse_public_pem(pem_with_exponent(65_537)).kind == "rsa"


def other_keys() -> list[PublicKeyTypes]:
    curves: list[ec.EllipticCurve] = [ec.SECP256R1(), ec.SECP256K1(), ec.SECP384R1()]
    return [
        *(ec.generate_private_key(curve).public_key() for curve in curves),
        ed448.Ed448PrivateKey.generate().public_key(),
        x25519.X25519PrivateKey.generate().public_key(),
    ]


@pytest.mark.case("C11")
def test_keys_of_other_kinds_are_refused() -> None:
    for key in other_keys():
        with pytest.raises(BadSignature, match="neither RSA nor Ed25519"):
            keys.parse_public_pem(pem_of(key))


@pytest.mark.case("C11")
def test_a_key_on_a_binary_curve_is_refused() -> None:
    # sect163k1 (1.3.132.0.1), whose small subgroups were CVE-2026-26007.
    spki = bytes.fromhex("3040301006072a8648ce3d020106052b81040001032c0004" + "02" * 42)
    pem = f"-----BEGIN PUBLIC KEY-----\n{base64.encodebytes(spki).decode()}-----END PUBLIC KEY-----\n"
    with pytest.raises(BadSignature):
        keys.parse_public_pem(pem)


@pytest.mark.case("C11")
def test_what_is_not_a_plain_public_key_is_refused(rsa_key: PrivateKey) -> None:
    pkcs1 = vector("rfc9421/keys.json")["test-key-rsa"]["publicPem"]
    private = vector("rfc9421/keys.json")["test-key-ed25519"]["privatePem"]
    good = rsa_key.public.pem
    body = good.split("-----")[2]
    for pem in (
        "",
        "garbage",
        pkcs1,
        pkcs1.replace("RSA PUBLIC", "PUBLIC"),
        private,
        private.replace("PRIVATE", "PUBLIC"),
        good + good,
        good + private,
        "text " + good,
        good.replace("-----END PUBLIC KEY-----", ""),
        good.replace(body, "\n!!!\n"),
        good.replace(body, "\nAAAAA\n"),
        good.replace(body, body.replace("A", "B", 1)),
        good.replace(body, "\n" + "A" * 1_000_000 + "\n"),
        good + "\n" * 5_000,
        json.dumps(good),
    ):
        with pytest.raises(BadSignature):
            keys.parse_public_pem(pem)


@pytest.mark.parametrize("change", [str.strip, lambda pem: pem.replace("\n", "\r\n"), lambda pem: f"\n {pem}\n"])
def test_line_endings_do_not_matter(change: Callable[[str], str], rsa_key: PrivateKey) -> None:
    assert keys.parse_public_pem(change(rsa_key.public.pem)) == rsa_key.public


@given(st.text(max_size=200) | st.binary(max_size=60).map(lambda data: base64.b64encode(data).decode()))
def test_no_text_makes_the_reader_fail_in_another_way(text: str) -> None:
    for read, form in (
        (keys.parse_public_pem, "-----BEGIN PUBLIC KEY-----{}-----END PUBLIC KEY-----"),
        (keys.parse_multikey, "z{}"),
    ):
        for candidate in (text, form.format(text)):
            try:
                assert isinstance(read(candidate), PublicKey)
            except BadSignature:
                continue


def test_a_stored_key_that_cannot_be_loaded_is_our_fault(rsa_key: PrivateKey) -> None:
    other = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for stored in (b"", rsa_key.to_pkcs8()[:-20], other, rsa_key.public.spki):
        with pytest.raises(Misconfigured):
            keys.load_private(stored)
