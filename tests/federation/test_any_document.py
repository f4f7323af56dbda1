"""Whatever JSON arrives: it is read or refused, never wider than it says, and never a crash."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medfed.activitypub.wire import NO_POSTS, POST_KINDS, read_activity, read_actor, read_post
from medfed.domain.accounts import KINDS
from medfed.domain.posts import PUBLIC_ALIASES, visibility_of
from medfed.inbox.routes import ROUTES
from medfed.kernel.errors import Malformed, OriginMismatch
from tests.support.stranger import PUBLIC, Document, Stranger
from tests.support.world import a_world

NOW = 1_795_600_000_000
AS2 = sorted((Path(__file__).parent.parent / "vectors" / "as2").glob("*.json"))
ALICE = "https://good.test/users/alice"

MEMBERS = (
    "@context", "id", "type", "actor", "object", "target", "to", "cc", "bto", "bcc", "audience", "attributedTo",
    "content", "contentMap", "name", "nameMap", "summary", "summaryMap", "tag", "attachment", "url", "href", "icon",
    "image", "inReplyTo", "published", "updated", "endTime", "closed", "oneOf", "anyOf", "votersCount", "replies",
    "totalItems", "sensitive", "source", "mediaType", "blurhash", "width", "focalPoint", "publicKey", "publicKeyPem",
    "owner", "assertionMethod", "controller", "publicKeyMultibase", "inbox", "outbox", "followers", "following",
    "endpoints", "sharedInbox", "preferredUsername", "manuallyApprovesFollowers", "discoverable", "alsoKnownAs",
    "movedTo", "attestations", "audiencePolicy", "profession", "specialty", "jurisdictions", "minAssurance", "case",
    "stage", "medfed:audiencePolicy", "proof",
)  # fmt: skip
WORDS = (
    ALICE, f"{ALICE}/followers", f"{ALICE}/inbox", "https://good.test/notes/1", "https://evil.test/1", PUBLIC,
    "as:Public", "Public", "public", "", " ", "https://", "https://[", "https://good.test:x/", "https://\u00e4.test/",
    "acct:a@b", "2026-11-25T10:00:00Z", "9999-12-31T23:59:59+14:00", "0001-01-01T00:00:00Z", "2026-11-25", "T",
    "medfed:physician", "high", "image/png", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "z6Mk",
    "\u202e", "a" * 3_000,
)  # fmt: skip
TYPES = sorted(
    {*POST_KINDS, *KINDS, *(line.activity for line in ROUTES), "Mention", "Hashtag", "PropertyValue", "Link"}
)

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(WORDS)
    | st.sampled_from(TYPES)
    | st.text(max_size=20)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=6)
        | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=20,
)
documents = st.dictionaries(st.sampled_from(MEMBERS), values, max_size=14)
likely_posts = st.builds(
    lambda base, more: {**base, **more},
    st.just({"id": "https://good.test/notes/1", "attributedTo": ALICE}),
    documents,
).flatmap(lambda document: st.sampled_from(sorted(POST_KINDS)).map(lambda kind: {"type": kind, **document}))
likely_actors = documents.map(
    lambda document: {
        "id": ALICE,
        "type": "Person",
        "inbox": f"{ALICE}/inbox",
        "preferredUsername": "alice",
        **document,
    }
)
likely_activities = documents.map(
    lambda document: {"id": "https://good.test/1", "type": "Create", "actor": ALICE, **document}
)
slow = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@given(documents | likely_posts)
@slow
@pytest.mark.case("D04", "A21")
def test_any_document_is_a_post_or_is_refused(document: Document) -> None:
    try:
        said = read_post(document, NOW)
    except (Malformed, OriginMismatch):
        return
    assert said.kind not in NO_POSTS
    assert isinstance(said.author, str)
    for moment in (said.published, said.updated):
        assert moment is None or 0 <= moment <= NOW + 3_600_000


@given(documents | likely_actors)
@slow
def test_any_document_is_an_actor_or_is_refused(document: Document) -> None:
    try:
        actor = read_actor(document, NOW)
    except (Malformed, OriginMismatch):
        return
    assert actor.kind in KINDS
    assert all(key.id.startswith("https://good.test/") or key.id.startswith("https://evil.test/") for key in actor.keys)


@given(documents | likely_activities)
@slow
@pytest.mark.case("D04")
def test_any_document_is_an_activity_or_is_refused(document: Document) -> None:
    try:
        activity = read_activity(document)
    except (Malformed, OriginMismatch):
        return
    assert activity.kind
    assert activity.id


@given(likely_posts)
@slow
@pytest.mark.case("A14", "A15")
def test_no_post_is_for_more_than_its_document_says(document: Document) -> None:
    try:
        said = read_post(document, NOW)
    except (Malformed, OriginMismatch):
        return
    followers = f"{ALICE}/followers"
    visibility = visibility_of(said.to, said.cc, followers_uri=followers, restricted=said.requires is not None)
    named = set(_strings({name: document.get(name) for name in ("to", "cc", "audience")}))
    restricted = any(name.endswith("audiencePolicy") and document[name] is not None for name in document)
    if visibility in ("public", "unlisted"):
        assert named & PUBLIC_ALIASES
        assert not restricted
    if visibility == "public":
        assert set(_strings(document.get("to"))) & PUBLIC_ALIASES
    if visibility == "followers":
        assert followers in named
        assert not restricted
    if visibility == "verified":
        _is_no_wider(document, said.requires)


def _is_no_wider(document: Document, requires: Any) -> None:
    """What a policy names in plain words is required; what it says in any other way is required of nobody."""
    policy = document.get("audiencePolicy")
    if not isinstance(policy, dict):
        assert requires.min_assurance == "?"
        return
    for name, kept in (("profession", requires.professions), ("specialty", requires.specialties)):
        assert bool(kept) == (policy.get(name) not in (None, []))
    assert bool(requires.countries) == (policy.get("jurisdictions") not in (None, []))
    assert (
        requires.min_assurance == policy.get("minAssurance", "low")
        or requires.min_assurance == "?"
        or (len(requires.min_assurance) == 20)
    )


def _strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for inner in value.values() for text in _strings(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in _strings(inner)]
    return []


@pytest.mark.case("A21", "A22")
async def test_every_example_of_the_standard_is_taken_or_refused_and_never_a_crash() -> None:
    """Raw, as if alice had said it, and as the object of every kind of activity, delivered and applied."""
    assert len(AS2) > 200
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        await lyon.member("dr-roy")
        alice = Stranger(world, "good.test").person("alice")
        for number, path in enumerate(AS2):
            raw = path.read_bytes()
            assert (await alice.sends(lyon, raw)).status in (202, 400, 401, 403), path.name
            try:
                example = orjson.loads(raw)
            except orjson.JSONDecodeError:
                continue  # one of them breaks a line within a string, which JSON does not allow
            own = _made_own(example, f"https://good.test/examples/{number}")
            kind = ("Create", "Update", "Announce", "Undo", "Like", "Flag", "Add", "Offer", "Delete")[number % 9]
            for document in (own | {"actor": ALICE}, alice.activity("Create", own), alice.activity(kind, own)):
                answer = await alice.sends(lyon, document)
                assert answer.status in (202, 400, 401, 403), (path.name, answer.status, answer.body)
            if number % 20 == 0:
                await world.settle()
        await world.settle()
        counts = [await lyon.became(f"https://good.test/examples/{number}") for number in range(len(AS2))]
        assert not any(state.startswith(("dead", "waiting")) for state in counts)
        # Whatever was stored can be read by somebody who follows nobody, and by the author's followers.
        await lyon.home("dr-roy")


def _made_own(example: Document, id_: str) -> Document:
    """The example as something that alice may say."""
    return {**example, "id": id_, "attributedTo": ALICE, "to": [PUBLIC]}


@given(body=values | documents)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@pytest.mark.case("A21")
def test_no_signed_json_makes_the_inbox_crash(body: object) -> None:
    async def deliver() -> None:
        async with a_world("lyon.test") as world:
            alice = Stranger(world, "good.test").person("alice")
            for said in (body, {"id": "https://good.test/x", "type": "Create", "actor": ALICE, "object": body}):
                answer = await alice.sends(world["lyon.test"], orjson.dumps(said))
                assert answer.status < 500
            await world.settle()
            state = await world["lyon.test"].became("https://good.test/x")
            assert not state.startswith(("waiting", "dead")), state

    asyncio.run(deliver())
