"""Every way to sign wrongly, for every kind of activity, at every inbox: refused, and nothing is stored."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import orjson
import pytest

from medfed.activitypub.cavage import http_date
from medfed.activitypub.digests import digest
from medfed.activitypub.keys import generate_ed25519
from medfed.kernel.clock import MINUTE, SECOND
from tests.federation.activities import KINDS, one_of_each
from tests.support.stranger import Letter, Puppet, Stranger, signed, signed_cavage, signed_rfc9421
from tests.support.world import Site, World, a_world, some_keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Whom the forger pretends to be, and who the forger is."""

    alice: Puppet
    """Somebody that the site knows, on a good host."""
    mallory: Puppet
    """A forger with a good key of an own, which the site knows too."""
    unknown: Puppet
    """A forger on a host that the site has never heard of."""
    now: int


Forge = Callable[[Letter, Scene], Letter]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgery:
    """A way to sign wrongly, the cases it is in, and how it is answered."""

    name: str
    cases: tuple[str, ...]
    forge: Forge
    status: int = 401


def _as_alice(letter: Letter, scene: Scene, scheme: str = "cavage") -> Letter:
    return signed(letter, scheme, scene.alice.key_id, scene.alice.rsa, scene.now)


def _cavage(letter: Letter, scene: Scene, **how: object) -> Letter:
    return signed_cavage(letter, scene.alice.key_id, scene.alice.rsa, scene.now, **how)  # type: ignore[arg-type]


def _rfc9421(letter: Letter, scene: Scene, **how: object) -> Letter:
    return signed_rfc9421(letter, scene.alice.key_id, scene.alice.rsa, scene.now, **how)  # type: ignore[arg-type]


def _of_another_body(scheme: str) -> Forge:
    def forge(letter: Letter, scene: Scene) -> Letter:
        other = replace(letter, body=letter.body.replace(b'"type"', b'"Type"', 1))
        return replace(_as_alice(other, scene, scheme), body=letter.body)

    return forge


def _resigned_digest(letter: Letter, scene: Scene) -> Letter:
    """The signature of another body, with the digest of this one."""
    forged = _of_another_body("cavage")(letter, scene)
    return forged.with_headers(digest=digest(letter.body))


def _to_another_inbox(letter: Letter, scene: Scene) -> Letter:
    return replace(_as_alice(replace(letter, target="/users/nobody/inbox"), scene), target=letter.target)


def _to_another_host(letter: Letter, scene: Scene) -> Letter:
    return replace(_as_alice(replace(letter, authority="lille.test"), scene), authority=letter.authority)


def _doubled(name: str) -> Forge:
    def forge(letter: Letter, scene: Scene) -> Letter:
        whole = _as_alice(letter, scene, "rfc9421" if name in ("signature-input", "content-digest") else "cavage")
        return whole.also(name, whole.value(name))

    return forge


def _bent(name: str, value: str, scheme: str = "cavage") -> Forge:
    return lambda letter, scene: _as_alice(letter, scene, scheme).with_headers(**{name: value})


def _without(name: str, scheme: str = "cavage") -> Forge:
    return lambda letter, scene: _as_alice(letter, scene, scheme).with_headers(**{name: None})


def _in_authorization(letter: Letter, scene: Scene) -> Letter:
    whole = _as_alice(letter, scene)
    return whole.with_headers(signature=None, authorization=f"Signature {whole.value('signature')}")


def _garbage(letter: Letter, scene: Scene) -> Letter:
    value = _as_alice(letter, scene).value("signature")
    start = value.index('signature="')
    return _as_alice(letter, scene).with_headers(signature=value[:start] + 'signature="%%%"')


def _signed_at(offset: int) -> Forge:
    return lambda letter, scene: _as_alice(letter, replace(scene, now=scene.now + offset))


def _signed_with(key_id: Callable[[Scene], str], whose: Callable[[Scene], Puppet], scheme: str = "cavage") -> Forge:
    return lambda letter, scene: signed(letter, scheme, key_id(scene), whose(scene).rsa, scene.now)


def _with_ed25519(letter: Letter, scene: Scene) -> Letter:
    """A key of the wrong kind under the id of an RSA key."""
    return signed(letter, "rfc9421", scene.alice.key_id, generate_ed25519(), scene.now)


ALL = ("(request-target)", "host", "date", "digest")
COVER = ("@method", "@target-uri", "content-digest")

FORGERIES = (
    Forgery(name="no signature", cases=("C01",), forge=lambda letter, scene: letter.with_headers(host="lyon.test")),
    Forgery(name="empty signature", cases=("C01",), forge=_bent("signature", "")),
    Forgery(name="two signatures", cases=("C01",), forge=_doubled("signature")),
    Forgery(name="two signature inputs", cases=("C01",), forge=_doubled("signature-input")),
    Forgery(name="in Authorization", cases=("C01",), forge=_in_authorization),
    Forgery(name="garbage for base64", cases=("C01",), forge=_garbage),
    Forgery(name="garbage for a signature header", cases=("C01",), forge=_bent("signature", "keyId=,,")),
    Forgery(name="an input without a signature", cases=("C01",), forge=_without("signature", "rfc9421")),
    Forgery(name="another body, cavage", cases=("C01", "C04"), forge=_of_another_body("cavage")),
    Forgery(name="another body, RFC 9421", cases=("C01", "C04"), forge=_of_another_body("rfc9421")),
    Forgery(name="another body, digest renewed", cases=("C01", "C04"), forge=_resigned_digest),
    Forgery(name="another inbox", cases=("C16",), forge=_to_another_inbox),
    Forgery(name="another host", cases=("C04",), forge=_to_another_host),
    Forgery(name="host header changed", cases=("C04",), forge=_bent("host", "evil.test")),
    Forgery(name="host header doubled", cases=("C04",), forge=_doubled("host")),
    Forgery(name="no digest", cases=("C03", "C04"), forge=_without("digest")),
    Forgery(name="no content digest", cases=("C03", "C04"), forge=_without("content_digest", "rfc9421")),
    Forgery(name="two digests", cases=("C04",), forge=_doubled("digest")),
    Forgery(name="two content digests", cases=("C04",), forge=_doubled("content-digest")),
    Forgery(
        name="an MD5 digest",
        cases=("C04",),
        forge=lambda letter, scene: _cavage(letter, scene, digest="MD5=1B2M2Y8AsgTpgAmY7PhCfg=="),
    ),
    Forgery(
        name="two digests in one",
        cases=("C04",),
        forge=lambda letter, scene: _cavage(
            letter, scene, digest=f"{digest(letter.body)},SHA-512=z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg"
        ),
    ),
    *(
        Forgery(
            name=f"cavage without {left_out}",
            cases=("C03",),
            forge=lambda letter, scene, kept=tuple(name for name in ALL if name != left_out): _cavage(  # type: ignore[misc]
                letter, scene, covered=kept
            ),
        )
        for left_out in ALL
    ),
    *(
        Forgery(
            name=f"RFC 9421 without {left_out}",
            cases=("C03",),
            forge=lambda letter, scene, kept=tuple(name for name in COVER if name != left_out): _rfc9421(  # type: ignore[misc]
                letter, scene, covered=kept
            ),
        )
        for left_out in COVER
    ),
    Forgery(
        name="RFC 9421 without created",
        cases=("C03",),
        forge=lambda letter, scene: _rfc9421(letter, scene, parameters=""),
    ),
    Forgery(name="66 minutes old", cases=("C05",), forge=_signed_at(-66 * MINUTE)),
    Forgery(name="6 minutes ahead", cases=("C05",), forge=_signed_at(6 * MINUTE)),
    Forgery(name="no date", cases=("C05",), forge=_without("date")),
    Forgery(
        name="a date changed afterwards",
        cases=("C05",),
        forge=lambda letter, scene: _as_alice(letter, scene).with_headers(date=http_date(scene.now - SECOND)),
    ),
    Forgery(
        name="created as a string",
        cases=("C05",),
        forge=lambda letter, scene: _rfc9421(letter, scene, parameters=f';created="{scene.now // 1000}"'),
    ),
    Forgery(
        name="created before time",
        cases=("C05",),
        forge=lambda letter, scene: _rfc9421(letter, scene, parameters=";created=-1"),
    ),
    Forgery(
        name="created as far as numbers go",
        cases=("C05",),
        forge=lambda letter, scene: _bent("signature-input", f'sig1=();created={2**63};keyid="{scene.alice.key_id}"')(
            _as_alice(letter, scene, "rfc9421"), scene
        ),
    ),
    Forgery(
        name="expired before it was made",
        cases=("C05",),
        forge=lambda letter, scene: _rfc9421(
            letter, scene, parameters=f";created={scene.now // 1000};expires={scene.now // 1000 - 1}"
        ),
    ),
    Forgery(
        name="alice's key id, the forger's key",
        cases=("C02",),
        forge=_signed_with(lambda scene: scene.alice.key_id, lambda scene: scene.mallory),
    ),
    Forgery(
        name="alice's key id, the forger's key, RFC 9421",
        cases=("C02",),
        forge=_signed_with(lambda scene: scene.alice.key_id, lambda scene: scene.mallory, "rfc9421"),
    ),
    Forgery(
        name="the forger's own key",
        cases=("C02",),
        forge=_signed_with(lambda scene: scene.mallory.key_id, lambda scene: scene.mallory),
    ),
    Forgery(
        name="the own key of somebody unheard of",
        cases=("C02",),
        forge=_signed_with(lambda scene: scene.unknown.key_id, lambda scene: scene.unknown),
    ),
    Forgery(
        name="a key that alice does not list",
        cases=("C07",),
        forge=_signed_with(lambda scene: f"{scene.alice.uri}#other-key", lambda scene: scene.mallory),
    ),
    Forgery(
        name="a key of this very instance",
        cases=("C09",),
        forge=_signed_with(lambda scene: "https://lyon.test/users/dr-dupont#main-key", lambda scene: scene.mallory),
    ),
    Forgery(name="a key of the wrong kind", cases=("C15",), forge=_with_ed25519),
    Forgery(
        name="an algorithm that contradicts the key",
        cases=("C15",),
        forge=lambda letter, scene: _rfc9421(letter, scene, parameters=f';created={scene.now // 1000};alg="ed25519"'),
    ),
    Forgery(
        name="an algorithm that nobody knows",
        cases=("C15",),
        forge=lambda letter, scene: _cavage(letter, scene, algorithm="hmac-sha256"),
    ),
    *(
        Forgery(
            name=f"the key id {key_id[:24]}",
            cases=("C09",),
            forge=_signed_with(lambda scene, key_id=key_id: key_id, lambda scene: scene.mallory),  # type: ignore[misc]
        )
        for key_id in (
            "https://127.0.0.1/users/alice#main-key",
            "https://[::1]/users/alice#main-key",
            "http://169.254.169.254/latest/meta-data",
            "https://localhost/users/alice",
            "acct:alice@good.test",
            "did:web:good.test",
            "data:application/activity+json,{}",
            "file:///etc/passwd",
            "https://good.test/" + "x" * 10_000,
            "main-key",
        )
    ),
)


async def _a_scene(world: World) -> tuple[Site, Scene]:
    lyon = world["lyon.test"]
    await lyon.member("dr-dupont")
    good, evil = Stranger(world, "good.test"), Stranger(world, "evil.test")
    scene = Scene(
        alice=good.person("alice"),
        mallory=evil.person("mallory"),
        unknown=Stranger(world, "unknown.test").person("trudy"),
        now=world.clock.now(),
    )
    while scene.mallory.rsa.public == scene.alice.rsa.public:
        scene.mallory.rsa = some_keys().rsa
        evil.documents["/users/mallory"] = scene.mallory.document()
    while scene.unknown.rsa.public == scene.alice.rsa.public:
        scene.unknown.rsa = some_keys().rsa
        scene.unknown.home.documents["/users/trudy"] = scene.unknown.document()
    for puppet in (scene.alice, scene.mallory):
        await puppet.tells(lyon, puppet.activity("Arrive", None))
    return lyon, scene


@pytest.mark.parametrize(
    "forgery",
    [pytest.param(each, id=each.name, marks=pytest.mark.case(*each.cases)) for each in FORGERIES],
)
async def test_a_forgery_is_refused_and_nothing_is_stored(forgery: Forgery) -> None:
    async with a_world("lyon.test") as world:
        lyon, scene = await _a_scene(world)
        post = await lyon.publishes("dr-dupont", "Dermatose inhabituelle")
        await world.settle()
        activities = one_of_each(scene.alice, lyon, post)
        assert set(activities) == set(KINDS)
        before, sent = await lyon.contents(), len(world.internet.requests)
        for kind, activity in activities.items():
            for target in ("/inbox", "/users/dr-dupont/inbox", "/actor/inbox"):
                letter = scene.alice.letter(lyon, activity, target=target)
                answer = await forgery.forge(letter, scene).send(lyon)
                assert answer.status == forgery.status, (kind, target, answer.status, answer.body)
        await world.settle()
        assert await _without_refreshed_actors(lyon) == _without_actors(before)
        # Whoever seems to have new keys may be asked for them, once; nobody else is asked anything.
        asked = [request.url for request in world.internet.requests[sent:]]
        assert asked in ([], [scene.alice.uri]), asked


async def _without_refreshed_actors(site: Site) -> dict[str, list[str]]:
    return _without_actors(await site.contents())


def _without_actors(tables: dict[str, list[str]]) -> dict[str, list[str]]:
    """Fetching alice anew is allowed, and leaves traces in her own rows: how many there are must not change."""
    return {name: [str(len(rows))] if name in ("account", "account_key") else rows for name, rows in tables.items()}


@pytest.mark.case("C01", "C02", "A09")
@pytest.mark.parametrize("scheme", ["cavage", "rfc9421"])
async def test_the_same_activities_signed_rightly_are_let_in(scheme: str) -> None:
    """The control: what the forgeries have wrong is really what they are refused for."""
    async with a_world("lyon.test") as world:
        lyon, scene = await _a_scene(world)
        post = await lyon.publishes("dr-dupont", "Dermatose inhabituelle")
        for kind, activity in one_of_each(scene.alice, lyon, post).items():
            answer = await scene.alice.sends(lyon, activity, scheme=scheme)
            assert answer.status == 202, (kind, answer.status, answer.body)
        await world.settle()


@pytest.mark.case("C02", "A09")
@pytest.mark.parametrize("scheme", ["cavage", "rfc9421"])
async def test_nobody_says_anything_in_anothers_name(scheme: str) -> None:
    """Mallory signs rightly as mallory; the activities say alice, from another host and from her own."""
    async with a_world("lyon.test") as world:
        lyon, scene = await _a_scene(world)
        neighbour = scene.alice.home.person("mallory")
        await neighbour.tells(lyon, neighbour.activity("Arrive", None))
        post = await lyon.publishes("dr-dupont", "Dermatose inhabituelle")
        await world.settle()
        before, sent = await lyon.contents(), len(world.internet.requests)
        for forger in (scene.mallory, neighbour):
            for kind, activity in one_of_each(scene.alice, lyon, post).items():
                for target in ("/inbox", "/users/dr-dupont/inbox"):
                    answer = await forger.sends(lyon, activity, target=target, scheme=scheme)
                    assert answer.status == 401, (kind, target, answer.status)
        assert await lyon.contents() == before
        assert len(world.internet.requests) == sent


@pytest.mark.case("C01")
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"null", 400),
        (b"[]", 400),
        (b"{", 400),
        (b'{"type":"Create","type":"Like"}', 400),
        (b'{"id":"https://good.test/1","type":"Like"}', 400),
        (b'{"id":"https://good.test/1","actor":"https://good.test/users/alice"}', 400),
        (b'{"type":"Like","actor":"https://good.test/users/alice"}', 400),
        (b'{"id":"https://evil.test/1","type":"Like","actor":"https://good.test/users/alice"}', 401),
        (b'{"id":"https://lyon.test/1","type":"Like","actor":"https://good.test/users/alice"}', 401),
        (b'{"a":' * 2_000 + b"1" + b"}" * 2_000, 400),
        (b'{"id":"https://good.test/\xff"}', 400),
        (b'{"id":"https://good.test/1","type":"Like","actor":"https://good.test/users/alice","x":NaN}', 400),
        (b'{"a":"' + b"x" * 1_048_600 + b'"}', 413),
    ],
)
async def test_what_cannot_be_read_is_refused_however_well_it_is_signed(body: bytes, status: int) -> None:
    async with a_world("lyon.test") as world:
        lyon, scene = await _a_scene(world)
        before = await lyon.contents()
        for scheme in ("cavage", "rfc9421"):
            answer = await scene.alice.sends(lyon, body, scheme=scheme)
            assert answer.status == status, (answer.status, answer.body)
        assert await lyon.contents() == before


async def test_other_types_coded_bodies_and_lying_lengths_are_refused() -> None:
    async with a_world("lyon.test") as world:
        lyon, scene = await _a_scene(world)
        letter = scene.alice.letter(lyon, scene.alice.create())
        for changes, status in (
            ({"content_type": "text/plain"}, 415),
            ({"content_type": None}, 415),
            ({"content_encoding": "gzip"}, 415),
            ({"content_length": "99999999"}, 413),
            ({"content_length": "-1"}, 413),
            ({"content_length": "\u00b2"}, 413),
            ({"content_length": "1" * 5_000}, 413),
        ):
            answer = await scene.alice.signs(letter.with_headers(**changes)).send(lyon)
            assert answer.status == status, (changes, answer.status)


async def test_an_inbox_that_is_nobodys_is_a_404_and_takes_nothing() -> None:
    async with a_world("lyon.test") as world:
        lyon, scene = await _a_scene(world)
        before = await lyon.contents()
        answer = await scene.alice.sends(lyon, scene.alice.create(), target="/users/nobody/inbox")
        assert answer.status == 404
        assert await lyon.contents() == before


@pytest.mark.case("C05")
@pytest.mark.parametrize(
    ("offset", "status"),
    [
        (-65 * MINUTE, 202),
        (-65 * MINUTE - SECOND, 401),
        (5 * MINUTE, 202),
        (5 * MINUTE + SECOND, 401),
    ],
)
async def test_the_window_of_a_signature_ends_where_it_is_said_to(offset: int, status: int) -> None:
    async with a_world("lyon.test") as world:
        lyon, scene = await _a_scene(world)
        letter = scene.alice.letter(lyon, scene.alice.create())
        answer = await signed_cavage(letter, scene.alice.key_id, scene.alice.rsa, scene.now + offset).send(lyon)
        assert answer.status == status
        created = f";created={(scene.now + offset) // 1000}"
        letter = scene.alice.letter(lyon, scene.alice.create())
        answer = await signed_rfc9421(letter, scene.alice.key_id, scene.alice.rsa, scene.now, parameters=created).send(
            lyon
        )
        assert answer.status == status


@pytest.mark.case("C15")
async def test_of_several_labels_only_the_first_counts() -> None:
    """A good signature under a second label does not heal a bad one under the first."""
    async with a_world("lyon.test") as world:
        lyon, scene = await _a_scene(world)
        letter = scene.alice.letter(lyon, scene.alice.create())
        good = signed_rfc9421(letter, scene.alice.key_id, scene.alice.rsa, scene.now, label="good")
        bad = signed_rfc9421(letter, scene.alice.key_id, scene.mallory.rsa, scene.now, label="bad")

        def both(first: Letter, second: Letter) -> Letter:
            return first.with_headers(
                signature_input=f"{first.value('signature-input')}, {second.value('signature-input')}",
                signature=f"{first.value('signature')}, {second.value('signature')}",
            )

        assert (await both(bad, good).send(lyon)).status == 401
        assert (await both(good, bad).send(lyon)).status == 202


@pytest.mark.case("C16")
async def test_a_signature_counts_for_the_raw_target_alone() -> None:
    async with a_world("lyon.test") as world:
        lyon, scene = await _a_scene(world)
        for was_signed, was_sent in (
            ("/inbox", "/inbox?x=1"),
            ("/inbox?x=1", "/inbox"),
            ("/inbox", "//inbox"),
            ("/inbox", "/inbox/"),
            ("/users/dr-dupont/inbox", "/users/dr%2Ddupont/inbox"),
            ("/prefix/inbox", "/inbox"),
        ):
            letter = replace(scene.alice.letter(lyon, scene.alice.create()), target=was_signed)
            for scheme in ("cavage", "rfc9421"):
                sent = replace(scene.alice.signs(letter, scheme), target=was_sent)
                assert (await sent.send(lyon)).status in (401, 404), (was_signed, was_sent, scheme)
        whole = replace(scene.alice.letter(lyon, scene.alice.create()), target="/inbox?x=1")
        assert (await scene.alice.signs(whole).send(lyon)).status == 202


@pytest.mark.case("A01")
@pytest.mark.parametrize(
    "step",
    [
        "medfed.activitypub.signatures.read_claim",
        "medfed.inbox.authenticate.parse_activity",
        "medfed.accounts.identify.Identifier.find",
        "medfed.accounts.identify.Identifier.verify",
        "medfed.accounts.peers.PeerLevels.is_blocked",
        "medfed.inbox.http.admit",
        # What fails to be settled at once waits for the worker: the door is broken when neither can be written.
        "medfed.storage.inbox_log.settle_new medfed.storage.inbox_log.record",
    ],
)
async def test_whatever_breaks_on_the_way_in_nothing_gets_in(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception that nobody foresaw, at each step of the gate, is a 500 and stores nothing."""
    async with a_world("lyon.test") as world:
        lyon, scene = await _a_scene(world)
        before = await lyon.contents()

        def breaks(*_args: object, **_kwargs: object) -> object:
            raise ZeroDivisionError(step)

        with monkeypatch.context() as patch:
            for each in step.split():
                patch.setattr(each, breaks)
            answer = await scene.alice.sends(lyon, scene.alice.create())
        assert answer.status >= 500
        assert answer.status != 202
        world.internet.crashes.clear()
        assert await lyon.contents() == before


@pytest.mark.case("D18")
async def test_activities_wrapped_in_something_are_not_unwrapped() -> None:
    async with a_world("lyon.test") as world:
        lyon, scene = await _a_scene(world)
        inner = scene.mallory.create()
        before = await lyon.contents()
        for body in ([inner], {"@graph": [inner]}, {"type": "Collection", "items": [inner]}):
            answer = await scene.mallory.sends(lyon, orjson.dumps(body))
            assert answer.status == 400
        assert await lyon.contents() == before
        outer = scene.mallory.activity("OrderedCollection", None, orderedItems=[scene.alice.create()])
        assert (await scene.mallory.tells(lyon, outer)).startswith("done: not understood")
        assert (await lyon.contents())["post"] == before["post"]
