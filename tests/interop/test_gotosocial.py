"""Both ways between medfed and a GoToSocial, by name, over TLS: what people do with each other.

GoToSocial answers nothing that is not signed, hides its people's profiles from whom they blocked, and has opinions of
its own on who may answer whom. MEDFED_TEST_GOTOSOCIAL names its binary, beside which its folder `web` lies.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.interop.named import PASSWORD, GoToSocial, NamedMedfed
from tests.interop.network import Network
from tests.interop.servers import Member, Unavailable, eventually
from tests.interop.test_posts import a_png

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("gotosocial")]

OURS, THEIRS = "lyon.test", "gts.test"


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    network = Network(tmp_path_factory.mktemp("named") / "network", [OURS, THEIRS])
    try:
        network.start()
        yield network
    except Unavailable as why:
        pytest.skip(str(why))
    finally:
        network.stop()


@pytest.fixture(scope="module")
def gotosocial(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GoToSocial]:
    try:
        server = GoToSocial(tmp_path_factory.mktemp("named") / "gotosocial", network, THEIRS)
    except Unavailable as why:
        pytest.skip(str(why))
    try:
        server.start("gino", "greta", "gil", "gaspard", "gustave", "giles")
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def medfed(network: Network, gotosocial: GoToSocial, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NamedMedfed]:
    server = NamedMedfed(tmp_path_factory.mktemp("named") / "medfed", network, OURS)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def ada(medfed: NamedMedfed) -> Member:
    return medfed.member("ada", "--display-name", "Ada Martin")


@pytest.fixture(scope="module")
def gino(gotosocial: GoToSocial) -> Member:
    """Somebody on GoToSocial, where everybody approves their followers until they say otherwise."""
    gino = gotosocial.person("gino")
    gino.patch("/api/v1/accounts/update_credentials", locked=False, display_name="Gino Rossi")
    return gino


@pytest.fixture(scope="module")
def friends(ada: Member, gino: Member) -> tuple[Member, Member]:
    """Ada and Gino, who follow each other."""
    for one, other in ((ada, gino), (gino, ada)):
        follow(one, other)
        eventually(lambda one=one, other=other: relation(one, other)["following"], f"{one.username} follows")  # type: ignore[misc]
    return ada, gino


@dataclass(frozen=True, slots=True)
class Way:
    """A direction: who says something, and who on the other server hears it."""

    author: Member
    reader: Member

    def says(self, text: str, **fields: Any) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """A post, as its author has it and as it arrives in the reader's home."""
        said = self.author.post("/api/v1/statuses", status=text, **fields)
        return said, self.reader.sees(said["uri"])


@pytest.fixture(params=["from us", "to us"])
def way(request: pytest.FixtureRequest, friends: tuple[Member, Member]) -> Way:
    ada, gino = friends
    return Way(ada, gino) if request.param == "from us" else Way(gino, ada)


def follow(one: Member, other: Member) -> Mapping[str, Any]:
    found = one.finds(other.handle)
    assert found, f"{one.handle} does not find {other.handle}"
    relation: Mapping[str, Any] = one.post(f"/api/v1/accounts/{found['id']}/follow")
    return relation


def relation(one: Member, other: Member) -> Mapping[str, Any]:
    found = one.finds(other.handle)
    (now,) = one.get(f"/api/v1/accounts/relationships?id[]={found['id']}")
    relation: Mapping[str, Any] = now
    return relation


def status(member: Member, local: Mapping[str, Any]) -> Any:
    return member.get(f"/api/v1/statuses/{local['id']}")


# ── meeting ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_they_find_each_other_by_handle_and_by_url(ada: Member, gino: Member) -> None:
    for one, other, name in ((ada, gino, "Gino Rossi"), (gino, ada, "Ada Martin")):
        by_handle, by_url = one.finds(other.handle), one.finds(other.uri)
        assert (by_handle["acct"], by_handle["display_name"]) == (other.handle.lstrip("@"), name)
        assert by_url["id"] == by_handle["id"]


def test_each_follows_the_other(friends: tuple[Member, Member]) -> None:
    ada, gino = friends
    for one, other in ((ada, gino), (gino, ada)):
        assert relation(one, other)["followed_by"]
        assert one.notified("follow")["account"]["acct"] == other.handle.lstrip("@")


@pytest.mark.parametrize("answer", ["authorize", "reject"])
def test_whoever_is_locked_decides(medfed: NamedMedfed, gotosocial: GoToSocial, answer: str) -> None:
    locked = gotosocial.person("greta")
    other = medfed.member(f"bea{answer}")
    asking = [(other, locked)]
    for one, asked in asking:
        assert follow(one, asked)["requested"]
        (waiting,) = eventually(lambda asked=asked: asked.get("/api/v1/follow_requests"), "a request waits")  # type: ignore[misc]
        asked.post(f"/api/v1/follow_requests/{waiting['id']}/{answer}")

        def settled(one: Member = one, asked: Member = asked) -> bool:
            now = relation(one, asked)
            return not now["requested"] and now["following"] is (answer == "authorize")

        eventually(settled, f"the {answer} arrives")


@pytest.mark.parametrize("answer", ["authorize", "reject"])
def test_whoever_is_locked_here_decides(medfed: NamedMedfed, gotosocial: GoToSocial, answer: str) -> None:
    asking = gotosocial.person("gil")
    locked = medfed.member(f"cleo{answer}", "--locked")
    assert follow(asking, locked)["requested"]
    (waiting,) = eventually(lambda: locked.get("/api/v1/follow_requests"), "a request waits")
    locked.post(f"/api/v1/follow_requests/{waiting['id']}/{answer}")

    def settled() -> bool:
        now = relation(asking, locked)
        return not now["requested"] and now["following"] is (answer == "authorize")

    eventually(settled, f"the {answer} arrives")


# ── posts ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_post_arrives_whole(way: Way) -> None:
    media = way.author.upload(a_png(), "Un carré rouge", focus="0.5,-0.25")
    said, heard = way.says(
        f"Éruption inhabituelle {way.reader.handle} #dermatologie",
        spoiler_text="Lésion cutanée",
        language="fr",
        visibility="public",
        media_ids=[media],
    )
    assert "Éruption inhabituelle" in heard["content"]
    assert (heard["spoiler_text"], heard["sensitive"]) == ("Lésion cutanée", True)
    assert (heard["visibility"], heard["language"]) == ("public", "fr")
    assert [mention["url"] for mention in heard["mentions"]] == [mention["url"] for mention in said["mentions"]]
    assert [tag["name"].lower() for tag in heard["tags"]] == ["dermatologie"]
    (image,) = heard["media_attachments"]
    assert (image["type"], image["description"]) == ("image", "Un carré rouge")
    assert image["meta"]["focus"] == {"x": 0.5, "y": -0.25}
    assert way.reader.notified("mention", uri=said["uri"])


@pytest.mark.parametrize("visibility", ["unlisted", "private"])
def test_fewer_readers_are_as_few_over_there(way: Way, visibility: str) -> None:
    said, heard = way.says(f"Pour quelques-uns, {visibility}", visibility=visibility)
    assert heard["visibility"] == visibility
    assert said["uri"] == heard["uri"]


def test_a_private_word_reaches_whom_it_is_for(way: Way) -> None:
    said = way.author.post("/api/v1/statuses", status=f"{way.reader.handle} entre nous", visibility="direct")
    heard = way.reader.notified("mention", uri=said["uri"])["status"]
    assert heard["visibility"] == "direct"
    assert said["uri"] not in {each["uri"] for each in way.reader.get("/api/v1/timelines/public")}


def test_a_thread_grows_on_both_sides(way: Way) -> None:
    root, seen = way.says("Qui a déjà vu cela ?")
    answer = way.reader.post("/api/v1/statuses", status=f"{way.author.handle} moi, une fois", in_reply_to_id=seen["id"])
    heard = way.author.notified("mention", uri=answer["uri"])["status"]
    assert heard["in_reply_to_id"] == root["id"]
    again = way.author.post("/api/v1/statuses", status=f"{way.reader.handle} et la suite ?", in_reply_to_id=heard["id"])
    way.reader.notified("mention", uri=again["uri"])
    for member, first in ((way.author, root), (way.reader, seen)):
        context = member.get(f"/api/v1/statuses/{first['id']}/context")
        assert [each["uri"] for each in context["descendants"]] == [answer["uri"], again["uri"]]


def test_an_edit_arrives(way: Way) -> None:
    said, heard = way.says("Premier avis")
    way.author.put(f"/api/v1/statuses/{said['id']}", status="Avis corrigé", spoiler_text="Corrigé")
    eventually(lambda: "Avis corrigé" in status(way.reader, heard)["content"], "the edit takes effect")
    assert status(way.reader, heard)["spoiler_text"] == "Corrigé"
    assert status(way.reader, heard)["edited_at"]


def test_a_deletion_takes_effect(way: Way) -> None:
    said, heard = way.says("À retirer")
    way.author.delete(f"/api/v1/statuses/{said['id']}")
    gone = f"/api/v1/statuses/{heard['id']}"
    eventually(lambda: way.reader.ask("GET", gone).status == 404, "the post is gone")


def test_a_like_counts_and_is_taken_back(way: Way) -> None:
    said, heard = way.says("À lire")
    way.reader.post(f"/api/v1/statuses/{heard['id']}/favourite")
    way.author.notified("favourite", uri=said["uri"])
    assert status(way.author, said)["favourites_count"] == 1
    way.reader.post(f"/api/v1/statuses/{heard['id']}/unfavourite")
    eventually(lambda: status(way.author, said)["favourites_count"] == 0, "the like is taken back")


def test_a_boost_counts_and_is_taken_back(way: Way) -> None:
    said, heard = way.says("À faire circuler")
    way.reader.post(f"/api/v1/statuses/{heard['id']}/reblog")
    way.author.notified("reblog", uri=said["uri"])
    assert status(way.author, said)["reblogs_count"] == 1
    way.reader.post(f"/api/v1/statuses/{heard['id']}/unreblog")
    eventually(lambda: status(way.author, said)["reblogs_count"] == 0, "the boost is taken back")


def test_a_boost_brings_a_post_to_who_follows_the_booster(way: Way) -> None:
    """The post is its booster's own."""
    said = way.author.post("/api/v1/statuses", status="Relu ce matin")
    way.reader.sees(said["uri"])
    way.author.post(f"/api/v1/statuses/{said['id']}/reblog")

    def boosted() -> bool:
        home = way.reader.get("/api/v1/timelines/home?limit=40")
        return any((each.get("reblog") or {}).get("uri") == said["uri"] for each in home)

    eventually(boosted, "the boost is in the reader's home")


_BY_ASKING = {"always": ["author"], "with_approval": ["public"]}
_BY_FOLLOWERS = {"always": ["author", "followers"], "with_approval": []}
_DONE = {"favourite": "favourited", "reblog": "reblogged"}


def _counted(member: Member, of: Mapping[str, Any], deed: str) -> int:
    return int(status(member, of)[f"{deed}s_count"])


def _limits(rule: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"can_favourite": rule, "can_reply": rule, "can_reblog": rule}


@pytest.mark.parametrize(
    ("deed", "answer"), [("favourite", "authorize"), ("favourite", "reject"), ("reblog", "reject")]
)
def test_what_an_author_has_to_agree_to_counts_when_they_do(
    friends: tuple[Member, Member], deed: str, answer: str
) -> None:
    """GoToSocial 0.20 answers 404 to its own people who authorise a boost: it looks for an answer in its place."""
    ada, gino = friends
    text = f"À voir : {deed}, {answer}"
    said = gino.post("/api/v1/statuses", status=text, interaction_policy=_limits(_BY_ASKING))
    heard = ada.sees(said["uri"])
    ada.post(f"/api/v1/statuses/{heard['id']}/{deed}")

    def asked() -> Any:
        waiting = gino.get("/api/v1/interaction_requests?favourites=true&replies=true&reblogs=true")
        return next((each for each in waiting if each["status"]["uri"] == said["uri"]), None)

    request = eventually(asked, f"{deed} waits for its author")
    assert (_counted(ada, heard, deed), status(ada, heard)[_DONE[deed]]) == (0, True)
    gino.post(f"/api/v1/interaction_requests/{request['id']}/{answer}")
    if answer == "authorize":
        eventually(lambda: _counted(ada, heard, deed) == _counted(gino, said, deed) == 1, f"{deed} counts")
    else:
        eventually(lambda: not status(ada, heard)[_DONE[deed]], f"{deed} is undone")
        assert _counted(gino, said, deed) == 0


@pytest.mark.parametrize("deed", ["favourite", "reblog"])
def test_what_followers_may_do_counts_at_once(friends: tuple[Member, Member], deed: str) -> None:
    ada, gino = friends
    said = gino.post("/api/v1/statuses", status=f"Pour vous : {deed}", interaction_policy=_limits(_BY_FOLLOWERS))
    heard = ada.sees(said["uri"])
    ada.post(f"/api/v1/statuses/{heard['id']}/{deed}")
    eventually(lambda: _counted(ada, heard, deed) == _counted(gino, said, deed) == 1, f"{deed} counts on both sides")


def test_a_poll_is_voted_on_across(way: Way) -> None:
    said, heard = way.says("Biopsie ?", poll={"options": ["Oui", "Non"], "expires_in": 3600, "multiple": False})
    assert [option["title"] for option in heard["poll"]["options"]] == ["Oui", "Non"]
    voted = way.reader.post(f"/api/v1/polls/{heard['poll']['id']}/votes", choices=[1])
    assert voted["voted"]

    def counts() -> list[int]:
        poll = way.author.get(f"/api/v1/polls/{said['poll']['id']}")
        return [option["votes_count"] for option in poll["options"]]

    eventually(lambda: counts() == [0, 1], "the vote is counted")


# ── people ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_changed_profile_arrives(way: Way) -> None:
    way.author.patch("/api/v1/accounts/update_credentials", note="Cardiologie, à Lyon et à Turin")

    def shown() -> bool:
        return "Cardiologie, à Lyon et à Turin" in way.reader.finds(way.author.handle)["note"]

    eventually(shown, "the new note is shown")


def test_what_a_503_kept_out_arrives_once(way: Way, network: Network) -> None:
    reader = way.reader.server.domain

    def posts(status: int) -> int:
        return sum((each[0], each[2]) == ("POST", status) and "inbox" in each[1] for each in network.log(reader))

    accepted = posts(202)
    with network.down(reader):
        uris = [way.author.post("/api/v1/statuses", status=f"Pendant la panne, {n}")["uri"] for n in range(3)]
        eventually(lambda: posts(503), "it is refused")
    sender = way.author.server
    if isinstance(sender, NamedMedfed):
        sender.run("queue", "retry", reader)
    for uri in uris:
        way.reader.sees(uri)
    # GoToSocial's home may show twice what came while it was being read; what was sent is in the proxy's log.
    assert sender.domain == THEIRS or posts(202) - accepted == len(uris)


def test_a_blocked_person_sees_nothing_more(medfed: NamedMedfed, gino: Member) -> None:
    dora = medfed.member("dora")
    follow(dora, gino)
    eventually(lambda: relation(dora, gino)["following"], "Dora follows Gino")
    found = gino.finds(dora.handle)
    gino.post(f"/api/v1/accounts/{found['id']}/block")
    eventually(lambda: not relation(dora, gino)["following"], "the block ends it")
    assert relation(dora, gino)["blocked_by"]
    gino.post(f"/api/v1/accounts/{found['id']}/unblock")
    eventually(lambda: not relation(dora, gino)["blocked_by"], "the block is lifted")


def test_our_block_ends_what_there_was(medfed: NamedMedfed, gino: Member) -> None:
    enid = medfed.member("enid")
    follow(gino, enid)
    eventually(lambda: relation(gino, enid)["following"], "Gino follows Enid")
    found = enid.finds(gino.handle)
    enid.post(f"/api/v1/accounts/{found['id']}/block")
    eventually(lambda: not relation(gino, enid)["following"], "the block ends it")


def test_our_member_moves_to_gotosocial(medfed: NamedMedfed, gotosocial: GoToSocial, gino: Member) -> None:
    hana, gustave = medfed.member("hana"), gotosocial.person("gustave")
    follow(gino, hana)
    eventually(lambda: relation(gino, hana)["following"], "Gino follows Hana")
    gustave.post("/api/v1/accounts/alias", also_known_as_uris=[hana.uri])
    medfed.run("member", "move", "hana", gustave.handle)

    def followed() -> bool:
        now = relation(gino, gustave)
        return bool(now["following"] or now["requested"])

    eventually(followed, "Gino follows the account that Hana moved to")


def test_somebody_moves_from_gotosocial_to_us(medfed: NamedMedfed, gotosocial: GoToSocial, ada: Member) -> None:
    gaspard, ines = gotosocial.person("gaspard"), medfed.member("ines")
    gaspard.patch("/api/v1/accounts/update_credentials", locked=False)
    follow(ada, gaspard)
    eventually(lambda: relation(ada, gaspard)["following"], "Ada follows Gaspard")
    medfed.run("member", "alias", "ines", gaspard.handle)
    gaspard.ask("POST", "/api/v1/accounts/move", password=PASSWORD, moved_to_uri=ines.uri)
    eventually(lambda: relation(ada, ines)["following"], "Ada follows the account that Gaspard moved to")


def test_our_member_who_leaves_is_gone_there(medfed: NamedMedfed, gino: Member) -> None:
    flora = medfed.member("flora")
    follow(gino, flora)
    eventually(lambda: relation(gino, flora)["following"], "Gino follows Flora")
    known = gino.finds(flora.handle)["id"]
    medfed.run("member", "delete", "flora", "--yes")

    def gone() -> bool:
        (now,) = gino.get(f"/api/v1/accounts/relationships?id[]={known}")
        return not now["following"]

    eventually(gone, "nobody follows Flora any more")


def test_whoever_leaves_gotosocial_is_gone_here(gotosocial: GoToSocial, ada: Member) -> None:
    giles = gotosocial.person("giles")
    giles.patch("/api/v1/accounts/update_credentials", locked=False)
    follow(ada, giles)
    eventually(lambda: relation(ada, giles)["following"], "Ada follows Giles")
    known = ada.finds(giles.handle)["id"]
    giles.ask("POST", "/api/v1/accounts/delete", password=PASSWORD)
    eventually(lambda: ada.ask("GET", f"/api/v1/accounts/{known}").status == 404, "Giles is gone")
