"""What peers ask of our signatures (RFC 9421 § 5): made if we can, refused with a reason if not."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medfed.activitypub import claims, manners, rfc9421
from medfed.activitypub.claims import SignedRequest
from medfed.activitypub.keys import PrivateKey
from medfed.activitypub.manners import CAVAGE, RFC9421, Manner, SigningKeys
from medfed.activitypub.rfc9421 import SignatureInput
from medfed.activitypub.signatures import read_claim
from medfed.kernel import limits
from medfed.kernel.clock import SECOND
from medfed.kernel.errors import BadSignature
from tests.unit.activitypub.requests import KEY_ID, NOW, a_get, a_post, with_headers

ED25519_ID = "https://lille.test/users/roy#ed25519-key"


@pytest.fixture(scope="module")
def keys(rsa_key: PrivateKey, ed25519_key: PrivateKey) -> SigningKeys:
    return SigningKeys(rsa=(KEY_ID, rsa_key), ed25519=(ED25519_ID, ed25519_key))


def as_sent(request: SignedRequest, manner: Manner, keys: SigningKeys) -> SignedRequest:
    """The request as it arrives, with the headers that every request of ours carries."""
    dressed = with_headers(request, host=request.authority, accept="*/*")
    return with_headers(dressed, **manners.sign(dressed, manner, keys, NOW))


def said(request: SignedRequest) -> SignatureInput:
    (member,) = rfc9421.parse_input(request.values("signature-input")[0])
    return member


def verified(request: SignedRequest, keys: SigningKeys) -> str:
    """The id of the key by which the request verifies."""
    claim = read_claim(request, NOW)
    kind = keys.kind_of(claim.key_id)
    assert kind is not None
    return claims.verify(claim, keys.of(kind)[1].public).key_id


@pytest.mark.parametrize("request_", [a_post(), replace(a_get(), target="/x?a=1")], ids=["POST", "GET"])
def test_a_signature_is_made_as_it_was_asked_for(request_: SignedRequest, keys: SigningKeys) -> None:
    asked = (
        'sig-b22=("@authority" "@method" "host" "date" "@path" "@query-param";name="a" "accept" "@target-uri");'
        'created;expires;nonce="b3k2\\\\\\"pp";tag="app-123";alg="ed25519"'
    )
    sent = as_sent(request_, manners.asked_for(asked, keys), keys)
    member = said(sent)
    names = [component.name for component in member.components]
    assert member.label == "sig-b22"
    assert names[:8] == ["@authority", "@method", "host", "date", "@path", "@query-param", "accept", "@target-uri"]
    assert names[8:] == (["content-digest"] if request_.method == "POST" else [])
    assert member.strings == {"keyid": ED25519_ID, "alg": "ed25519", "nonce": 'b3k2\\"pp', "tag": "app-123"}
    assert member.integers == {"created": NOW // SECOND, "expires": NOW // SECOND + 300}
    assert verified(sent, keys) == ED25519_ID


@pytest.mark.case("C03")
@pytest.mark.parametrize("asked", ["sig1=()", 'sig1=("host")', 'sig1=("@query");nonce="x"', 'sig1=("date");tag="t"'])
def test_whoever_asks_for_less_gets_a_signature_that_is_good_for_this_request_alone(
    asked: str, keys: SigningKeys
) -> None:
    """Or it could show to others, as said by us, what we never said to them."""
    sent = as_sent(a_post(), manners.asked_for(asked, keys), keys)
    assert {"@method", "@target-uri", "content-digest"} <= {component.name for component in said(sent).components}
    assert {"created", "expires"} <= said(sent).integers.keys()
    assert verified(sent, keys) == KEY_ID


@pytest.mark.parametrize("scheme", ["content-digest", "digest"])
def test_a_digest_of_nothing_is_covered_where_one_is_asked_for(scheme: str, keys: SigningKeys) -> None:
    sent = as_sent(a_get(), manners.asked_for(f'sig1=("@method" "@target-uri" "{scheme}");created', keys), keys)
    assert scheme in dict(sent.headers)
    assert verified(sent, keys) == KEY_ID


@pytest.mark.case("C15")
@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ('sig1=("@method");alg="rsa-pss-sha512"', "the algorithm rsa-pss-sha512"),
        ('sig1=("@method");alg="hmac-sha256"', "the algorithm hmac-sha256"),
        ('sig1=("@method");alg="none"', "the algorithm none"),
        ('sig1=("@method");keyid="https://lille.test/users/other#main-key"', "the key https://lille.test/users/other"),
        (f'sig1=("@method");keyid="{KEY_ID}";alg="ed25519"', "the key"),
        ('sig1=("@status")', "@status"),
        ('sig1=("@signature-params")', "@signature-params"),
        ('sig1=("@method";req)', "@method"),
        ('sig1=("content-digest";bs)', "content-digest"),
        ('sig1=("@method" "@method")', "twice"),
        ('sig1=("@method"', "malformed"),
        ("sig1=", "malformed"),
        ("please sign", "malformed"),
        (", ".join(f"sig{n}=()" for n in range(limits.SIGNATURE_LABELS + 1)), "too many"),
        (f'sig1=("@method");tag="{"x" * limits.SIGNATURE_HEADER}"', "too long"),
    ],
    ids=lambda value: value[:40],
)
def test_what_we_do_not_make_is_refused_with_its_reason(asked: str, reason: str, keys: SigningKeys) -> None:
    with pytest.raises(BadSignature, match=reason.replace("(", r"\(")):
        manners.asked_for(asked, keys)


@pytest.mark.limit("SIGNATURE_COMPONENTS")
@pytest.mark.parametrize("by", [-1, 0, 1])
def test_a_signature_covers_as_much_as_its_limit(by: int, keys: SigningKeys) -> None:
    asked = "sig1=(" + " ".join(f'"h{n}"' for n in range(limits.SIGNATURE_COMPONENTS + by)) + ")"
    if by <= 0:
        assert len(manners.asked_for(asked, keys).covers) == limits.SIGNATURE_COMPONENTS + by
        return
    with pytest.raises(BadSignature, match="too much"):
        manners.asked_for(asked, keys)


def test_a_header_that_the_request_does_not_carry_cannot_be_covered(keys: SigningKeys) -> None:
    manner = manners.asked_for('sig1=("@method" "authorization")', keys)
    with pytest.raises(BadSignature, match="authorization"):
        as_sent(a_post(), manner, keys)


def test_of_several_the_first_that_can_be_made_is_made(keys: SigningKeys) -> None:
    manner = manners.asked_for(
        'pss=();alg="rsa-pss-sha512", ecdsa=();alg="ecdsa-p256-sha256", ed=();alg="ed25519"', keys
    )
    assert (manner.label, manner.kind) == ("ed", "ed25519")
    with pytest.raises(BadSignature, match="rsa-pss-sha512; the algorithm ecdsa-p256-sha256"):
        manners.asked_for('pss=();alg="rsa-pss-sha512", ecdsa=();alg="ecdsa-p256-sha256"', keys)


@pytest.mark.parametrize("key_id", [KEY_ID, ED25519_ID])
def test_a_key_that_is_asked_for_by_its_id_signs(key_id: str, keys: SigningKeys) -> None:
    sent = as_sent(a_post(), manners.asked_for(f'sig1=("@method");keyid="{key_id}"', keys), keys)
    assert verified(sent, keys) == key_id


@pytest.mark.parametrize("parameters", [";created", ";created;keyid", ";created;expires", ';alg="rsa-v1_5-sha256"'])
def test_what_we_do_anyway_is_no_other_manner(parameters: str, keys: SigningKeys) -> None:
    for covers in ('"@method" "@target-uri"', '"content-digest" "@target-uri" "@method"', ""):
        assert manners.asked_for(f"sig1=({covers}){parameters}", keys).equals(RFC9421)


@pytest.mark.parametrize(
    "asked",
    ["other=()", 'sig1=("host")', 'sig1=();nonce="n"', 'sig1=();tag="t"', 'sig1=();alg="ed25519"'],
)
def test_what_we_do_not_do_anyway_is_another_manner(asked: str, keys: SigningKeys) -> None:
    manner = manners.asked_for(asked, keys)
    assert not manner.equals(RFC9421)
    assert not manner.equals(CAVAGE)
    assert manner.equals(manner)


def test_a_manner_is_remembered_as_it_was_but_for_its_nonce(keys: SigningKeys) -> None:
    for asked in (
        'sig1=("@method" "@query-param";name="a b" "host");tag="a \\\\\\"b";nonce="n";alg="ed25519"',
        'other=("@method")',
        'sig1=();alg="ed25519"',
    ):
        manner = manners.asked_for(asked, keys)
        again = manners.remembered(manner.lasting.says)
        assert again is not None
        assert again.equals(manner.lasting)
        assert again.nonce == ""
    assert (CAVAGE.says, RFC9421.says) == ("cavage", "rfc9421")
    assert (manners.remembered("cavage"), manners.remembered("rfc9421")) == (CAVAGE, RFC9421)


@pytest.mark.parametrize("text", ["", "ldsig", "rfc9421 sig1=(", 'rfc9421 sig1=();alg="none"', "rfc9421 x"])
def test_a_memory_that_cannot_be_read_is_none(text: str) -> None:
    assert manners.remembered(text) is None


@given(st.text(max_size=200))
def test_whatever_a_peer_asks_is_a_manner_or_a_refusal(asked: str) -> None:
    key = KEYS
    try:
        manner = manners.asked_for(asked, key)
    except BadSignature:
        return
    assert manner.scheme == "rfc9421"


KEYS = SigningKeys(rsa=(KEY_ID, None), ed25519=(ED25519_ID, None))  # type: ignore[arg-type]
