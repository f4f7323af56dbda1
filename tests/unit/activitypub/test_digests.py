"""A digest binds the body, in one reading only."""

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medfed.activitypub import digests
from medfed.kernel.errors import BadSignature
from tests.unit.activitypub.vectors import vector

BODY = b'{"hello": "world"}'
SHA256 = base64.b64encode(hashlib.sha256(BODY).digest()).decode()
SHA512 = base64.b64encode(hashlib.sha512(BODY).digest()).decode()
MD5 = "Sd/dVLAcvNLSq16eXua5uQ=="


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_a_digest_holds_for_its_body_only(body: bytes, other: bytes) -> None:
    digests.verify_digest([digests.digest(body)], body)
    digests.verify_content_digest([digests.content_digest(body)], body)
    if body != other:
        with pytest.raises(BadSignature):
            digests.verify_digest([digests.digest(body)], other)
        with pytest.raises(BadSignature):
            digests.verify_content_digest([digests.content_digest(body)], other)


def test_the_digests_of_the_specifications_are_verified() -> None:
    cavage = dict(vector("draft-cavage-12/appendix-c.json")["request"]["headers"])
    digests.verify_digest([cavage["Digest"]], BODY)
    request = vector("rfc9421/appendix-b.json")["request"]
    digests.verify_content_digest([dict(request["headers"])["Content-Digest"]], request["body"].encode())


@pytest.mark.case("C04")
@pytest.mark.parametrize(
    "value", [f"SHA-256={SHA256}", f"sha-256={SHA256}", f"SHA-512={SHA512}", f" SHA-256={SHA256} "]
)
def test_a_digest_is_read_in_any_case(value: str) -> None:
    digests.verify_digest([value], BODY)


@pytest.mark.case("C04")
@pytest.mark.parametrize(
    "values",
    [
        [],
        [f"SHA-256={SHA256}", f"SHA-256={SHA256}"],
        [f"SHA-256={SHA256},SHA-512={SHA512}"],
        [f"SHA-256={SHA256}, SHA-256={SHA256}"],
        [f"MD5={MD5}"],
        [f"SHA={SHA256}"],
        [f"SHA-256={SHA256[:-4]}"],
        [f"SHA-256={SHA256[:-1]}"],
        [f"SHA-256={SHA256}="],
        [f"SHA-512={SHA256}"],
        ["SHA-256="],
        [SHA256],
        [""],
        [f"SHA-256=:{SHA256}:"],
        [f"SHA-256={base64.b64encode(b'x' * 32).decode()}"],
    ],
)
def test_a_doubtful_digest_is_refused(values: list[str]) -> None:
    with pytest.raises(BadSignature):
        digests.verify_digest(values, BODY)


@pytest.mark.case("C04")
@pytest.mark.parametrize(
    "values",
    [
        [],
        [f"sha-256=:{SHA256}:", f"sha-256=:{SHA256}:"],
        [f"sha-256=:{SHA256}:, sha-512=:{SHA512}:"],
        [f"md5=:{MD5}:"],
        [f"SHA-256=:{SHA256}:"],
        [f"sha-256={SHA256}"],
        [f"sha-256=:{SHA256}"],
        [f"sha-256=:{SHA256}:;q=1"],
        ["sha-256=::"],
        [f"sha-256=:{SHA256[:-1]}:"],
        [f"sha-512=:{SHA256}:"],
    ],
)
def test_a_doubtful_content_digest_is_refused(values: list[str]) -> None:
    with pytest.raises(BadSignature):
        digests.verify_content_digest(values, BODY)
