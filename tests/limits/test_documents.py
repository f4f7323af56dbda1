"""What a document of a peer may hold: one less than the limit, the limit, and one more (H05)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import pytest

from medfed.activitypub import proofs, strictjson
from medfed.activitypub.keys import generate_ed25519, parse_public_pem
from medfed.activitypub.wire import PeerActor, PeerPost, read_actor, read_post
from medfed.domain.interactions import Policy
from medfed.kernel import limits
from medfed.kernel.errors import BadProof, BadSignature, Malformed

Document: TypeAlias = dict[str, Any]

NOW = 1_795_600_000_000
HOST = "https://good.test"
ALICE = f"{HOST}/users/alice"


def post(**members: Any) -> PeerPost:
    note = {"id": f"{HOST}/notes/1", "type": "Note", "attributedTo": ALICE, "content": "<p>Bonjour</p>"}
    return read_post(note | members, NOW)


def actor(**members: Any) -> PeerActor:
    person = {"id": ALICE, "type": "Person", "inbox": f"{ALICE}/inbox", "preferredUsername": "alice"}
    return read_actor(person | members, NOW)


def people(number: int) -> list[str]:
    return [f"{HOST}/users/{at}" for at in range(number)]


def keys(number: int) -> list[Document]:
    pem = generate_ed25519().public.pem
    return [{"id": f"{ALICE}#key-{at}", "owner": ALICE, "publicKeyPem": pem} for at in range(number)]


def policy(**rules: Any) -> Policy:
    return post(interactionPolicy=rules).policy


def picture(**members: Any) -> Document:
    return {"type": "Image", "url": f"{HOST}/a.png", **members}


def line(name: str = "Hôpital", value: str = "Lyon") -> Document:
    return {"type": "PropertyValue", "name": name, "value": value}


def array(number: int) -> int:
    value = strictjson.parse(b"[%s]" % b",".join([b"1"] * number))
    assert isinstance(value, list)
    return len(value)


def nodes(number: int) -> int:
    """A document of so many values: the outermost array, full arrays in it, and what is left."""
    whole, rest = divmod(number - 1, 1 + 900)
    rows = [[0] * 900] * whole + [0] * rest
    strictjson.parse(repr(rows).encode())
    return number


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """How much of something is kept of a document that brings so much."""

    limit: str
    of: str
    kept: Callable[[int], int]


CUT = (
    Property(
        limit="MENTIONS",
        of="a post",
        kept=lambda n: len(post(tag=[{"type": "Mention", "href": uri} for uri in people(n)]).mentions),
    ),
    Property(limit="ATTACHMENTS_IN", of="a post", kept=lambda n: len(post(attachment=[picture()] * n).attachments)),
    Property(limit="CONTENT_IN", of="a note", kept=lambda n: len(post(content="é" * n).content)),
    Property(
        limit="CONTENT_IN",
        of="an article of which only the summary is sent",
        kept=lambda n: len(post(type="Article", content="", summary="é" * n).content),
    ),
    Property(limit="CONTENT_IN", of="a source", kept=lambda n: len(post(source={"content": "é" * n}).source)),
    Property(limit="NAME", of="a post", kept=lambda n: len(post(name="é" * n).title)),
    Property(limit="NAME", of="an actor", kept=lambda n: len(actor(name="é" * n).name)),
    Property(limit="SUMMARY", of="a post", kept=lambda n: len(post(summary="é" * n).summary)),
    Property(limit="SUMMARY", of="an actor", kept=lambda n: len(actor(summary="é" * n).summary)),
    Property(
        limit="ALT_TEXT",
        of="a picture",
        kept=lambda n: len(post(attachment=picture(name="é" * n)).attachments[0].description),
    ),
    Property(
        limit="ALT_TEXT",
        of="a picture with a summary",
        kept=lambda n: len(post(attachment=picture(summary="é" * n)).attachments[0].description),
    ),
    Property(
        limit="POLL_OPTIONS_KEPT",
        of="a poll",
        kept=lambda n: len(getattr(post(type="Question", oneOf=[{"name": "yes"}] * n).poll, "options", ())),
    ),
    Property(limit="FIELDS", of="an actor", kept=lambda n: len(actor(attachment=[line()] * n).fields)),
    Property(limit="FIELD", of="the name", kept=lambda n: len(actor(attachment=line(name="é" * n)).fields[0][0])),
    Property(limit="FIELD", of="the value", kept=lambda n: len(actor(attachment=line(value="é" * n)).fields[0][1])),
    Property(
        limit="POLICY_ENTRIES",
        of="who may answer",
        kept=lambda n: len(getattr(policy(canReply={"automaticApproval": people(n)}).reply, "automatic", ())),
    ),
    Property(limit="ALSO_KNOWN_AS", of="an actor", kept=lambda n: len(actor(alsoKnownAs=people(n)).also_known_as)),
)
WHOLE = (
    Property(limit="ADDRESSEES", of="to", kept=lambda n: len(post(to=people(n)).to)),
    Property(
        limit="ADDRESSEES", of="cc with an audience", kept=lambda n: len(post(cc=people(n - 1), audience=HOST).cc)
    ),
    Property(
        limit="TAGS",
        of="a post",
        kept=lambda n: len(post(tag=[{"type": "Hashtag", "name": f"#t{at}"} for at in range(n)]).hashtags),
    ),
    Property(limit="AUTHORS", of="a post", kept=lambda n: n if post(attributedTo=people(n)).author else 0),
    Property(limit="KEYS_PER_ACTOR", of="publicKey", kept=lambda n: len(actor(publicKey=keys(n)).keys)),
    Property(limit="JSON_ARRAY", of="a list", kept=array),
    Property(limit="JSON_NODES", of="a document", kept=nodes),
)


def named(one: Property) -> str:
    return f"{one.limit}-{one.of}".replace(" ", "-")


@pytest.mark.limit(*{one.limit for one in CUT})
@pytest.mark.case("H05")
@pytest.mark.parametrize("one", CUT, ids=named)
def test_what_is_longer_than_its_limit_is_cut_there(one: Property) -> None:
    most: int = getattr(limits, one.limit)
    assert [one.kept(most - 1), one.kept(most), one.kept(most + 1)] == [most - 1, most, most]


@pytest.mark.limit(*{one.limit for one in WHOLE})
@pytest.mark.case("H05")
@pytest.mark.parametrize("one", WHOLE, ids=named)
def test_what_would_mean_something_else_when_cut_is_refused_beyond_its_limit(one: Property) -> None:
    most: int = getattr(limits, one.limit)
    assert [one.kept(most - 1), one.kept(most)] == [most - 1, most]
    with pytest.raises(Malformed):
        one.kept(most + 1)


@pytest.mark.limit("PROOFS")
@pytest.mark.case("H05")
def test_a_proof_set_is_read_up_to_its_limit() -> None:
    key = generate_ed25519()
    one = proofs.sign({"id": ALICE}, key=key, verification_method=f"{ALICE}#ed25519-key", created=NOW)["proof"]

    def read(number: int) -> int:
        return len(proofs.read_all({"id": ALICE, "proof": [one] * number}, now=NOW))

    assert [read(limits.PROOFS - 1), read(limits.PROOFS)] == [limits.PROOFS - 1, limits.PROOFS]
    with pytest.raises(BadProof):
        read(limits.PROOFS + 1)


@pytest.mark.limit("PUBLIC_KEY_PEM")
@pytest.mark.case("H05")
def test_a_key_is_read_up_to_its_limit() -> None:
    key = generate_ed25519().public

    def pem(length: int) -> str:
        return key.pem.strip().replace("\n-----END", "\n" * (length - len(key.pem.strip()) + 1) + "-----END")

    for length in (limits.PUBLIC_KEY_PEM - 1, limits.PUBLIC_KEY_PEM):
        assert len(pem(length)) == length
        assert parse_public_pem(pem(length)) == key
    with pytest.raises(BadSignature, match="too long"):
        parse_public_pem(pem(limits.PUBLIC_KEY_PEM + 1))
