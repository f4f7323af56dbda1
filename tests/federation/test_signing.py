"""How requests are signed: ours as each peer wants it (RFC 9421 § 5), and theirs with every key that they may have."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from medfed.activitypub import claims, keys, rfc9421
from medfed.activitypub.claims import Scheme, SignedRequest
from medfed.activitypub.keys import KeyKind, PrivateKey, PublicKey
from medfed.activitypub.signatures import read_claim
from medfed.domain.accounts import Account
from medfed.kernel.clock import DAY, MINUTE
from medfed.kernel.errors import BadSignature
from medfed.moderation import lanes
from medfed.net.message import OutgoingRequest
from medfed.storage import accounts, peers
from tests.federation.conftest import Open
from tests.support.stranger import Puppet, Stranger, get_letter, signed, signed_cavage, signed_rfc9421
from tests.support.world import Site, World, a_world

Judgement = tuple[int, Mapping[str, str]] | None


@dataclass(slots=True)
class Verifier:
    """A peer that verifies what it gets, and is particular about it."""

    keys: dict[str, PublicKey]
    world: World
    takes: Scheme | None = None
    wants: str = ""
    """The Accept-Signature that goes with its refusals; NONCE stands for a fresh one."""
    kind: KeyKind | None = None
    covers: frozenset[str] = frozenset()
    tag: str = ""
    refuses_with: int = 401
    always_says: bool = False
    nonces: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    """Of each delivery: scheme, kind of key, and whether it was taken."""

    def __call__(self, request: SignedRequest) -> Judgement:
        if request.method == "GET":
            return None
        problem, said = self._problem(request)
        self.seen.append(f"{said}: {problem or 'taken'}")
        if problem:
            return self.refuses_with, self._challenge()
        return 202, self._challenge() if self.always_says else {}

    def _challenge(self) -> dict[str, str]:
        if not self.wants:
            return {}
        if "NONCE" in self.wants:
            self.nonces.append(secrets.token_hex(4))
        return {"accept-signature": self.wants.replace("NONCE", self.nonces[-1] if self.nonces else "")}

    def _problem(self, request: SignedRequest) -> tuple[str, str]:
        scheme = "rfc9421" if request.values("signature-input") else "cavage"
        try:
            claim = read_claim(request, self.world.clock.now())
            key = self.keys[claim.key_id]
            claims.verify(claim, key)
        except BadSignature as error:
            return str(error), scheme
        said = f"{scheme} {key.kind}"
        if self.takes not in (None, scheme):
            return "other scheme", said
        if self.kind not in (None, key.kind):
            return "other key", said
        if not self.wants:
            return "", said
        if scheme == "cavage":
            return "other scheme", said
        (member,) = rfc9421.parse_input(request.values("signature-input")[0])
        if not self.covers <= {component.name for component in member.components}:
            return "covers too little", said
        if self.tag and member.strings.get("tag") != self.tag:
            return "other tag", said
        if "NONCE" in self.wants and member.strings.get("nonce") not in self.nonces[-1:]:
            return "stale", said
        return "", said


async def _keys_of(site: Site, account: Account) -> dict[str, PublicKey]:
    async with site.instance.store.view() as view:
        held = await accounts.keys(view, account.id)
    return {
        key.uri: keys.parse_public_pem(key.public) if key.kind == "rsa" else keys.parse_multikey(key.public)
        for key in held
    }


async def _reader(world: World, **opinions: object) -> tuple[Puppet, Verifier]:
    """Somebody on another host who follows dr-roy of lyon.test, on a server that verifies, and is not known yet."""
    lyon = world["lyon.test"]
    roy = await lyon.member("dr-roy")
    reader = Stranger(world, "peer.test").person("reader")
    await reader.tells(lyon, reader.activity("Follow", roy.uri))
    known = await _remembered(lyon)
    async with lyon.instance.store.transaction("forget") as tx:
        await peers.replace_scheme(tx, "peer.test", "", known=known, until=0, at=world.clock.now())
    verifier = Verifier(keys=await _keys_of(lyon, roy), world=world, **opinions)  # type: ignore[arg-type]
    reader.home.judge = verifier
    return reader, verifier


async def _remembered(site: Site) -> str:
    async with site.instance.store.view() as view:
        peer = await peers.find(view, "peer.test")
    assert peer is not None
    return peer.signs_with


async def _publishes(world: World, text: str = "Dermatose inhabituelle") -> str:
    post = await world["lyon.test"].publishes("dr-roy", text)
    await world.settle()
    return post.uri


def _posted(world: World) -> list[OutgoingRequest]:
    return [request for request in world.internet.sent_to("peer.test") if request.method == "POST"]


def _notes(puppet: Puppet) -> list[str]:
    return [activity["object"]["id"] for activity in puppet.home.heard("Create")]


# ── double-knocking ──────────────────────────────────────────────────────────────────────────────────────────


async def test_who_is_not_known_gets_what_everybody_reads(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        _, verifier = await _reader(world)
        verifier.seen.clear()
        await _publishes(world)
        assert verifier.seen == ["cavage rsa: taken"]
        assert await _remembered(world["lyon.test"]) == "cavage"


async def test_who_notes_an_id_before_reading_the_signature_hears_the_first_word_all_the_same() -> None:
    """PieFed does: 500 to what it cannot read, and 200 to the second knock, which it takes for a repetition."""
    async with a_world("lyon.test") as world:
        reader, verifier = await _reader(world, takes="cavage", refuses_with=500)
        noted: set[bytes] = set()

        def notes_first(request: SignedRequest) -> Judgement:
            if request.body in noted:
                return 200, {}
            noted.add(request.body)
            return verifier(request)

        reader.home.judge = notes_first
        post = await _publishes(world)
        assert verifier.seen[-1] == "cavage rsa: taken"
        assert _notes(reader) == [post]


async def test_who_signs_by_rfc_9421_is_written_to_with_it(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon = world["lyon.test"]
        reader, verifier = await _reader(world, takes="rfc9421")
        unsigned = reader.letter(lyon, reader.activity("Follow", "https://lyon.test/users/dr-roy"))
        letter = signed(unsigned, "rfc9421", reader.key_id, reader.rsa, world.clock.now())
        assert (await letter.send(lyon)).status == 202
        assert await _remembered(lyon) == "rfc9421"
        verifier.seen.clear()
        await _publishes(world)
        assert set(verifier.seen) == {"rfc9421 rsa: taken"}


async def test_instances_of_ours_come_to_rfc_9421_with_the_first_answer(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test") as world:
        await world.follow("dr-roy@lille.test", "dr-dupont@lyon.test")
        for text in ("Une dermatose", "Une autre"):
            await world["lyon.test"].publishes("dr-dupont", text)
            await world.settle()
        sent = [each for each in world.internet.sent_to("lille.test") if each.method == "POST"]
        assert "signature-input" not in sent[0].headers
        assert all("signature-input" in each.headers for each in sent[1:])
        assert len(sent) > 1


@pytest.mark.parametrize("status", [400, 401, 403, 500, 501, 502])
async def test_a_peer_that_no_longer_knows_the_draft_is_reached_and_remembered(status: int) -> None:
    async with a_world("lyon.test") as world:
        reader, verifier = await _reader(world, takes="rfc9421", refuses_with=status)
        said = [await _publishes(world), await _publishes(world)]
        assert verifier.seen[-3:] == ["cavage rsa: other scheme", "rfc9421 rsa: taken", "rfc9421 rsa: taken"]
        assert _notes(reader) == said
        assert await _remembered(world["lyon.test"]) == "rfc9421"


@pytest.mark.parametrize("status", [400, 401, 403, 500])
@pytest.mark.parametrize(("before", "after"), [("cavage", "rfc9421"), ("rfc9421", "cavage")])
async def test_a_host_that_changes_its_mind_is_reached_all_the_same(status: int, before: Scheme, after: Scheme) -> None:
    async with a_world("lyon.test") as world:
        reader, verifier = await _reader(world, takes=before)
        said = [await _publishes(world)]
        verifier.takes, verifier.refuses_with = after, status
        said += [await _publishes(world), await _publishes(world)]
        # What a server says that crashes may have another reason: there the other scheme waits for the second attempt.
        await world.pass_time(2 * MINUTE)
        assert _notes(reader) == said
        assert verifier.seen[-1] == f"{after} rsa: taken"
        assert await _remembered(world["lyon.test"]) == after


async def test_what_a_host_takes_is_asked_anew_after_a_week() -> None:
    async with a_world("lyon.test") as world:
        _, verifier = await _reader(world, takes="rfc9421")
        await _publishes(world)
        verifier.takes = None
        await world.pass_time(8 * DAY)
        await _publishes(world)
        assert verifier.seen[-1] == "cavage rsa: taken"


@pytest.mark.parametrize("status", [404, 405, 410, 413, 422, 429, 503])
async def test_an_answer_that_no_signature_would_change_is_taken_as_it_is(status: int) -> None:
    async with a_world("lyon.test") as world:
        _, verifier = await _reader(world, takes="rfc9421", refuses_with=status)
        verifier.seen.clear()
        await _publishes(world)
        assert verifier.seen == ["cavage rsa: other scheme"]


async def test_a_peer_that_is_busy_at_the_second_knock_is_tried_again_later() -> None:
    async with a_world("lyon.test") as world:
        reader, _ = await _reader(world)
        reader.home.judge, reader.home.answers = None, [(401, {}), (503, {"retry-after": "60"})]
        post = await _publishes(world)
        await world.pass_time(2 * MINUTE)
        assert _notes(reader) == [post]


# ── what a peer asks for ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_whoever_asks_for_ed25519_gets_it_at_the_second_knock_and_then_at_the_first(
    status: int, open_world: Open
) -> None:
    async with open_world("lyon.test") as world:
        wants = 'sig1=("@method" "@target-uri" "content-digest");created;alg="ed25519"'
        reader, verifier = await _reader(world, wants=wants, kind="ed25519", refuses_with=status)
        said = [await _publishes(world), await _publishes(world)]
        assert verifier.seen[-3:] == ["cavage rsa: other key", "rfc9421 ed25519: taken", "rfc9421 ed25519: taken"]
        assert _notes(reader) == said
        assert await _remembered(world["lyon.test"]) == f"rfc9421 {wants.replace(';created', '')}"


async def test_components_label_and_tag_are_as_the_peer_asks() -> None:
    async with a_world("lyon.test") as world:
        covers = ("@authority", "@request-target", "@scheme", "host", "date", "content-type", "content-length")
        listed = " ".join(f'"{name}"' for name in covers)
        reader, verifier = await _reader(
            world, wants=f'chu=({listed});created;expires;tag="fedi"', covers=frozenset(covers), tag="fedi"
        )
        said = [await _publishes(world), await _publishes(world)]
        assert _notes(reader) == said
        assert verifier.seen[-2:] == ["rfc9421 rsa: taken"] * 2
        last = _posted(world)[-1].headers["signature-input"]
        assert last.startswith(f'chu=({listed} "@method" "@target-uri" "content-digest"')
        assert ";created=" in last
        assert ";expires=" in last


async def test_a_nonce_is_used_once_and_the_next_one_comes_with_a_success() -> None:
    async with a_world("lyon.test") as world:
        reader, verifier = await _reader(world, wants='sig1=("@method");nonce="NONCE"', always_says=True)
        verifier.seen.clear()
        said = [await _publishes(world)]
        assert verifier.seen == ["cavage rsa: other scheme", "rfc9421 rsa: taken"]
        assert "nonce" not in await _remembered(world["lyon.test"])
        verifier.seen.clear()
        posts = [await world["lyon.test"].publishes("dr-roy", f"Cas {number}") for number in range(3)]
        await world.settle()
        # The nonce of the last success was for a lane that has ended; within a lane each success brings the next.
        assert verifier.seen == ["rfc9421 rsa: stale", *["rfc9421 rsa: taken"] * 3]
        assert _notes(reader) == [*said, *(post.uri for post in posts)]


async def test_a_peer_that_is_never_content_is_asked_three_times_and_no_more() -> None:
    async with a_world("lyon.test") as world:
        _, verifier = await _reader(world, wants='sig1=("@method");nonce="NONCE"', tag="never")
        verifier.seen.clear()
        await _publishes(world)
        assert len(verifier.seen) == 3


@pytest.mark.parametrize(
    ("wants", "reason"),
    [
        ('sig1=("@method");alg="ecdsa-p256-sha256"', "the algorithm ecdsa-p256-sha256"),
        ('sig1=("@method");keyid="https://peer.test/k"', "the key https://peer.test/k"),
        ('sig1=("@method" "authorization")', "authorization"),
        ("nonsense", "malformed"),
    ],
)
async def test_what_we_cannot_sign_is_said_where_an_admin_looks(wants: str, reason: str) -> None:
    async with a_world("lyon.test") as world:
        _, verifier = await _reader(world, wants=wants, tag="never")
        verifier.seen.clear()
        await _publishes(world)
        assert len(verifier.seen) == 2
        async with world["lyon.test"].instance.store.view() as view:
            (lane,) = await lanes.lanes(view, world.clock.now())
        assert lane.state == "refused"
        assert "answered 401; it wants a signature that we do not make:" in lane.last_error
        assert reason in lane.last_error


async def test_a_peer_that_no_longer_asks_for_anything_gets_the_usual_again() -> None:
    async with a_world("lyon.test") as world:
        reader, verifier = await _reader(world, wants='sig1=("@method");alg="ed25519"', kind="ed25519")
        said = [await _publishes(world)]
        verifier.wants, verifier.kind = "", "rsa"
        said += [await _publishes(world), await _publishes(world)]
        assert verifier.seen[-3:] == ["rfc9421 ed25519: other key", "rfc9421 rsa: taken", "rfc9421 rsa: taken"]
        assert _notes(reader) == said
        assert await _remembered(world["lyon.test"]) == "rfc9421"


# ── fetches ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("takes", "wants", "kind"),
    [
        ("cavage", "", "rsa"),
        ("rfc9421", "", "rsa"),
        ("rfc9421", 'sig1=("@method" "@target-uri");alg="ed25519"', "ed25519"),
    ],
)
async def test_what_we_fetch_we_ask_for_in_the_manner_of_its_server(takes: Scheme, wants: str, kind: KeyKind) -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        verifier = Verifier(
            keys=await _keys_of(lyon, await lyon.instance.actor()), world=world, takes=takes, wants=wants, kind=kind
        )
        stranger = Stranger(world, "peer.test")
        alice, bob = stranger.person("alice"), stranger.person("bob")

        def judge(request: SignedRequest) -> Judgement:
            problem, said = verifier._problem(request)
            verifier.seen.append(f"{said}: {problem or 'taken'}")
            return (401, verifier._challenge()) if problem else None

        stranger.judge = judge
        for puppet in (alice, bob):
            assert (await lyon.instance.lookup.actor(puppet.uri)).uri == puppet.uri
        expected = f"{takes} {kind}: taken"
        assert verifier.seen[-1] == expected
        assert len(verifier.seen) == (2 if takes == "cavage" else 3)


# ── keys of peers ────────────────────────────────────────────────────────────────────────────────────────────


def _only(puppet: Puppet, kind: KeyKind, form: str) -> tuple[str, PrivateKey]:
    """From now on its actor lists one key alone, as PEM or as a Multikey (FEP-521a); (key id, key)."""
    key = puppet.rsa if kind == "rsa" else puppet.ed25519
    key_id = f"{puppet.uri}#the-key"
    multikey = {
        "id": key_id, "type": "Multikey", "controller": puppet.uri, "publicKeyMultibase": key.public.multikey
    }  # fmt: skip
    pem = {"id": key_id, "owner": puppet.uri, "publicKeyPem": key.public.pem}
    listed = {"publicKey": pem, "assertionMethod": None} if form == "pem" else {
        "publicKey": None, "assertionMethod": [multikey]
    }  # fmt: skip
    puppet.home.documents[f"/users/{puppet.name}"] = puppet.document(**listed)
    return key_id, key


@pytest.mark.parametrize("form", ["pem", "multikey"])
@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
@pytest.mark.parametrize("scheme", ["cavage", "rfc9421"])
async def test_whoever_publishes_one_key_in_either_form_signs_with_it(
    scheme: Scheme, kind: KeyKind, form: str, open_world: Open
) -> None:
    async with open_world("lyon.test") as world:
        lyon = world["lyon.test"]
        post = await lyon.publishes("dr-roy", "Dermatose inhabituelle")
        alice = Stranger(world, "good.test").person("alice")
        key_id, key = _only(alice, kind, form)
        like = alice.activity("Like", post.uri)
        letter = signed(alice.letter(lyon, like), scheme, key_id, key, world.clock.now())
        assert (await letter.send(lyon)).status == 202
        await world.settle()
        assert await lyon.became(like["id"]) == "done: liked"
        asks = signed(get_letter(lyon, post.uri), scheme, key_id, key, world.clock.now())
        assert (await asks.send(lyon)).status == 200


@pytest.mark.case("C15")
@pytest.mark.parametrize(
    ("kind", "algorithm", "fine"),
    [("ed25519", "hs2019", True), ("ed25519", "ed25519", True), ("ed25519", None, True),
     ("ed25519", "rsa-sha256", False), ("rsa", "hs2019", True), ("rsa", "rsa-sha256", True), ("rsa", "ed25519", False),
     ("rsa", "rsa-sha512", False)],
)  # fmt: skip
async def test_the_label_of_a_signature_never_overrules_its_key(kind: KeyKind, algorithm: str, fine: bool) -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        alice = Stranger(world, "good.test").person("alice")
        key_id, key = _only(alice, kind, "multikey")
        letter = alice.letter(lyon, alice.create())
        answer = await signed_cavage(letter, key_id, key, world.clock.now(), algorithm=algorithm).send(lyon)
        assert answer.status == (202 if fine else 401)


@pytest.mark.case("C07")
@pytest.mark.parametrize("members", [{"controller": "https://evil.test/users/eve"}, {"id": "https://evil.test/key"}])
async def test_a_multikey_that_is_somebody_elses_signs_nothing(members: dict[str, str]) -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        alice = Stranger(world, "good.test").person("alice")
        key_id, key = _only(alice, "ed25519", "multikey")
        document = alice.home.documents["/users/alice"]
        assert isinstance(document, dict)
        document["assertionMethod"][0] |= members
        letter = signed(alice.letter(lyon, alice.create()), "rfc9421", key_id, key, world.clock.now())
        assert (await letter.send(lyon)).status == 401


# ── what we ask for ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_peer_that_signs_as_we_ask_is_let_in(method: str) -> None:
    """What our 401 asks for is what is enough: nothing less is, and nothing more is needed."""
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        post = await lyon.publishes("dr-roy", "Dermatose inhabituelle")
        alice = Stranger(world, "good.test").person("alice")
        unsigned = get_letter(lyon, post.uri) if method == "GET" else alice.letter(lyon, alice.create())
        refused = await unsigned.send(lyon)
        assert refused.status == 401
        (asked,) = rfc9421.parse_input(refused.headers["accept-signature"])
        # § 5.1: created "has no associated value", a key id would have to have one.
        assert (asked.names, asked.strings, asked.integers) == (frozenset({"created"}), {}, {})
        names = [component.name for component in asked.components]
        for covered in (names, *([name for name in names if name != missing] for missing in names)):
            letter = signed_rfc9421(unsigned, alice.key_id, alice.rsa, world.clock.now(), covered=covered)
            assert (await letter.send(lyon)).status == ({"GET": 200, "POST": 202}[method] if covered is names else 401)
