"""What peers look up here, as their engineers read it: every link leads somewhere, and every answer can be cached."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from medfed.accounts import groups as making
from medfed.storage import accounts
from tests.support.stranger import Answer, Document, Stranger, get_letter
from tests.support.world import Site, World, a_world, some_keys


async def _get(site: Site, target: str, *, method: str = "GET", accept: str = "application/activity+json") -> Answer:
    return await replace(get_letter(site, target, accept=accept), method=method).send(site)


def _here(site: Site, url: str) -> str:
    return url.removeprefix(site.instance.here.uris.base)


def _links(actor: Document, names: Iterable[str]) -> list[str]:
    return [actor[name] for name in names if name in actor]


@pytest.mark.parametrize("of", ["/actor", "/users/dr-roy"])
async def test_the_collections_that_an_actor_links_can_be_read(of: str) -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = world["lyon.test"], Stranger(world, "good.test").person("alice")
        await lyon.member("dr-roy")
        actor = (await alice.asks(lyon, of)).json
        for link in _links(actor, ("outbox", "followers", "following", "featured", "attestations")):
            answer = await alice.asks(lyon, _here(lyon, link))
            assert (answer.status, answer.json["id"]) == (200, link)
            assert answer.json["type"] in ("Collection", "OrderedCollection")


@pytest.mark.parametrize("before", ["0", "1", "9223372036854775807", "9223372036854775808", "9999999999999999999"])
async def test_a_page_of_an_outbox_begins_wherever_one_likes(before: str) -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = world["lyon.test"], Stranger(world, "good.test").person("alice")
        await lyon.publishes("dr-roy", "Bonjour")
        answer = await alice.asks(lyon, f"/users/dr-roy/outbox?before={before}")
        assert (answer.status, answer.json["type"]) == (200, "OrderedCollectionPage")


async def test_an_outbox_is_read_to_its_end_page_by_page() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = world["lyon.test"], Stranger(world, "good.test").person("alice")
        written = [(await lyon.publishes("dr-roy", f"Bonjour {number}")).uri for number in range(45)]
        outbox = (await alice.asks(lyon, "/users/dr-roy/outbox")).json
        assert outbox["totalItems"] == 45
        read, following = [], outbox["first"]
        while following:
            page = (await alice.asks(lyon, _here(lyon, following))).json
            assert (page["id"], page["partOf"]) == (following, outbox["id"])
            read += [item["object"]["id"] for item in page["orderedItems"]]
            following = page.get("next")
        assert read == written[::-1]


@pytest.mark.parametrize("resource", ["https://lyon.test/", "https://lyon.test"])
async def test_the_instance_actor_is_found_by_the_address_of_its_server(resource: str) -> None:
    """FEP-d556."""
    async with a_world("lyon.test") as world:
        answer = await _get(world["lyon.test"], f"/.well-known/webfinger?resource={resource}")
        assert (answer.status, answer.headers["content-type"]) == (200, "application/jrd+json")
        assert answer.json["subject"] == "https://lyon.test/"
        assert {
            "rel": "https://www.w3.org/ns/activitystreams#Service",
            "type": "application/activity+json",
            "href": "https://lyon.test/actor",
        } in answer.json["links"]


@pytest.mark.parametrize(
    ("resource", "status"),
    [
        ("acct:dr-roy@lyon.test", 200), ("ACCT:Dr-Roy@LYON.TEST", 200), ("https://lyon.test/@dr-roy", 200),
        ("HTTPS://LYON.test/@dr-roy", 200), ("https://lyon.test/users/dr-roy", 200), ("acct:lyon.test@lyon.test", 200),
        ("dr-roy@lyon.test", 400), ("", 400), ("mailto:dr-roy@lyon.test", 404), ("acct:dr-roy@lille.test", 404),
        ("acct:nobody@lyon.test", 404), ("https://lille.test/", 404),
    ],
)  # fmt: skip
async def test_a_resource_may_be_written_in_every_way_that_its_rfc_allows(resource: str, status: int) -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        await lyon.member("dr-roy")
        assert (await _get(lyon, f"/.well-known/webfinger?resource={resource}")).status == status


# ── how it is answered ───────────────────────────────────────────────────────────────────────────────────────


async def _someone_at(world: World) -> Site:
    lyon = world["lyon.test"]
    await lyon.member("dr-roy")
    return lyon


async def test_whoever_must_sign_is_told_what_to_cover() -> None:
    async with a_world("lyon.test") as world:
        lyon = await _someone_at(world)
        read = await _get(lyon, "/users/dr-roy/outbox")
        sent = await Stranger(world, "good.test").person("alice").letter(lyon, b"{}").send(lyon)
        assert (read.status, sent.status) == (401, 401)
        assert read.headers["accept-signature"] == 'sig1=("@method" "@target-uri");created'
        assert sent.headers["accept-signature"] == 'sig1=("@method" "@target-uri" "content-digest");created'


@pytest.mark.case("M10")
@pytest.mark.parametrize("path", ["/users/dr-roy/outbox", "/users/nobody", "/users/dr-roy/posts/1"])
async def test_no_cache_keeps_a_refusal_for_somebody_else(path: str) -> None:
    async with a_world("lyon.test") as world:
        lyon = await _someone_at(world)
        answer = await _get(lyon, path)
        assert answer.status in (401, 404)
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["vary"] == "Accept, Signature, Signature-Input"


async def test_pages_and_documents_at_one_address_are_kept_apart_by_caches() -> None:
    async with a_world("lyon.test") as world:
        lyon = await _someone_at(world)
        for path in ("/users/dr-roy", "/users/dr-roy/posts/1"):
            answer = await _get(lyon, path, accept="text/html")
            assert (answer.status, answer.headers["vary"]) == (302, "Accept")


@pytest.mark.parametrize(
    ("path", "methods"), [("/inbox", "POST, OPTIONS"), ("/users/dr-roy", "GET, HEAD, OPTIONS"), ("/nowhere/at/all", "")]
)
async def test_every_address_says_what_it_takes(path: str, methods: str) -> None:
    async with a_world("lyon.test") as world:
        lyon = await _someone_at(world)
        asked = await _get(lyon, path, method="OPTIONS")
        assert (asked.status, asked.headers.get("allow", "")) == ((204, methods) if methods else (404, ""))
        refused = await _get(lyon, path, method="PUT")
        assert (refused.status, refused.headers.get("allow", "")) == ((405, methods) if methods else (404, ""))


async def test_a_peer_that_has_the_attestations_of_an_account_is_told_so() -> None:
    async with a_world("lyon.test", federation={"mode": "open"}) as world:
        lyon, alice = await _someone_at(world), Stranger(world, "good.test").person("alice")
        first = await alice.asks(lyon, "/users/dr-roy/attestations")
        assert first.headers["cache-control"] == "private, no-cache"
        letter = get_letter(lyon, "/users/dr-roy/attestations").also("if-none-match", first.headers["etag"])
        again = await alice.signs(letter).send(lyon)
        assert (first.status, again.status, again.body) == (200, 304, b"")


async def test_what_an_actor_changes_is_shown_at_once() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = world["lyon.test"], Stranger(world, "good.test").person("alice")
        member = await lyon.member("dr-roy")
        target, resource = "/users/dr-roy", "/.well-known/webfinger?resource=acct:dr-roy@lyon.test"
        assert (await alice.asks(lyon, target)).json["manuallyApprovesFollowers"] is False
        assert (await _get(lyon, resource)).status == 200
        async with lyon.instance.store.transaction("lock") as tx:
            await accounts.store(tx, replace(member, locked=True))
        assert (await alice.asks(lyon, target)).json["manuallyApprovesFollowers"] is True
        assert (await _get(lyon, target)).json["manuallyApprovesFollowers"] is True
        async with lyon.instance.store.transaction("close") as tx:
            await accounts.suspend(tx, member.id, lyon.instance.here.now())
        assert [(await _get(lyon, one)).status for one in (target, resource)] == [410, 404]


async def test_what_is_for_those_who_sign_is_not_shown_to_who_asks_next_without() -> None:
    async with a_world("lyon.test") as world:
        lyon, alice = world["lyon.test"], Stranger(world, "good.test").person("alice")
        await lyon.member("dr-roy")
        whole = (await alice.asks(lyon, "/users/dr-roy")).json
        bare = (await _get(lyon, "/users/dr-roy")).json
        assert "summary" in whole
        assert "summary" not in bare
        assert (await alice.asks(lyon, "/users/dr-roy")).json == whole


@pytest.mark.parametrize("closed", [False, True])
async def test_an_open_group_is_shown_whole_to_who_does_not_sign_and_a_closed_one_is_not(closed: bool) -> None:
    """PieFed signs a fetch only if it is answered 401, and refuses a group without its name."""
    async with a_world("lyon.test") as world:
        lyon, rita = world["lyon.test"], Stranger(world, "pie.test").person("rita")
        chief = await lyon.member("dr-chef")
        async with lyon.instance.store.transaction("make group") as tx:
            await making.create(
                tx,
                lyon.instance.here,
                lyon.instance.levels,
                username="cardiologie",
                keys=some_keys(),
                title="Cardiologie, Lyon",
                closed=closed,
                moderators=[chief],
                by="test",
            )
        bare = (await _get(lyon, "/users/cardiologie")).json
        assert bare.get("name") == (None if closed else "Cardiologie, Lyon")
        assert ("attributedTo" in bare) is not closed
        if not closed:
            assert bare == (await rita.asks(lyon, "/users/cardiologie")).json
