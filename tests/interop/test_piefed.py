"""Both ways between medfed and a PieFed, by name, over TLS: communities as Lemmy has them (FEP-1b12).

PieFed notes the id of an activity before it reads the signature, signs a fetch only when it is answered 401, and takes
a vote against a post for the end of the vote for it. MEDFED_TEST_PIEFED names its source, in which its environment
`venv` is, as its guide has it; it needs redis-server and PostgreSQL.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from tests.interop.named import NamedMedfed
from tests.interop.network import Network
from tests.interop.piefed import PieFed, Reader
from tests.interop.servers import Member, Unavailable, eventually
from tests.support.databases import PostgresServer

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("piefed")]

OURS, THEIRS = "lyon.test", "pie.test"


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    network = Network(tmp_path_factory.mktemp("pie") / "network", [OURS, THEIRS])
    try:
        PieFed.find()
        network.start()
        yield network
    except Unavailable as why:
        pytest.skip(str(why))
    finally:
        network.stop()


@pytest.fixture(scope="module")
def piefed(network: Network, postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PieFed]:
    database = asyncio.run(postgres.create(template="template0"))
    server = PieFed(tmp_path_factory.mktemp("pie") / "fed", network, THEIRS, postgres, database.rpartition("/")[2])
    try:
        server.start("paula", "pierre")
        yield server
    finally:
        server.stop()
        asyncio.run(postgres.drop(database))


@pytest.fixture(scope="module")
def medfed(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NamedMedfed]:
    server = NamedMedfed(tmp_path_factory.mktemp("pie") / "medfed", network, OURS)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def ada(medfed: NamedMedfed) -> Member:
    return medfed.member("ada", "--display-name", "Ada Martin")


@pytest.fixture(scope="module")
def paula(piefed: PieFed) -> Reader:
    """Whose instance and community it is."""
    return piefed.person("paula")


@pytest.fixture(scope="module")
def pierre(piefed: PieFed) -> Reader:
    return piefed.person("pierre")


@pytest.fixture(scope="module")
def theirs(ada: Member, paula: Reader) -> int:
    """The id that a community of PieFed's has there; Ada has joined it, with the first word to that host."""
    made = paula.post("/community", name="cardio", title="Cardiologie", description="Le cœur")
    found = ada.finds("@cardio@pie.test")
    assert (found["group"], found["display_name"]) == (True, "Cardiologie")
    ada.post(f"/api/v1/accounts/{found['id']}/follow")
    eventually(lambda: _relation(ada, found)["following"], "Ada is in the community")
    return int(made["community_view"]["community"]["id"])


@pytest.fixture(scope="module")
def ours(medfed: NamedMedfed, ada: Member, pierre: Reader) -> int:
    """The id that a group of ours has on PieFed; Pierre and Ada have joined it."""
    medfed.run("group", "create", "neuro", "--title", "Neurologie, Lyon", "--moderator", "ada")
    found = pierre.finds("!neuro@lyon.test")["community"]["community"]
    assert found["title"] == "Neurologie, Lyon"
    pierre.post("/community/follow", community_id=found["id"], follow=True)
    eventually(lambda: "pierre" in medfed.run("group", "members", "neuro"), "Pierre is in the group")
    here = ada.finds("@neuro@lyon.test")
    ada.post(f"/api/v1/accounts/{here['id']}/follow")
    return int(found["id"])


def _relation(one: Member, found: Mapping[str, Any]) -> Mapping[str, Any]:
    (now,) = one.get(f"/api/v1/accounts/relationships?id[]={found['id']}")
    relation: Mapping[str, Any] = now
    return relation


def _status(member: Member, shown: Mapping[str, Any]) -> Any:
    return member.get(f"/api/v1/statuses/{shown['id']}")


def _gone(member: Member, shown: Mapping[str, Any]) -> Callable[[], bool]:
    return lambda: member.ask("GET", f"/api/v1/statuses/{shown['id']}").status == 404


def _begun(pierre: Reader, ada: Member, community: int, title: str, **fields: Any) -> tuple[Any, Any]:
    """A discussion that Pierre begins: as he has it, and as the group brings it into Ada's home."""
    said = pierre.post("/post", title=title, community_id=community, **{"body": "Que faire ?"} | fields)
    post = said["post_view"]["post"]

    def passed_on() -> Any:
        home = ada.get("/api/v1/timelines/home?limit=40")
        return next((each["reblog"] for each in home if (each["reblog"] or {}).get("uri") == post["ap_id"]), None)

    return post, eventually(passed_on, f"{title} comes into Ada's home")


def _asked(ada: Member, pierre: Reader, community: int, text: str, **fields: Any) -> tuple[Any, Any]:
    """A discussion that Ada begins: as she has it, and as it is in the community on PieFed."""
    said = ada.post("/api/v1/statuses", status=text, **fields)
    there = eventually(lambda: pierre.discussions(community).get(said["uri"]), f"{text} comes to PieFed")
    return said, there["post"]


# ── their community, our member ──────────────────────────────────────────────────────────────────────────────


def test_a_discussion_of_theirs_comes_with_title_comments_and_edits(ada: Member, pierre: Reader, theirs: int) -> None:
    post, here = _begun(pierre, ada, theirs, "Bloc de branche ?")
    assert "Bloc de branche ?" in here["content"]
    comment = pierre.post("/comment", body="Un ECG de repos", post_id=post["id"])["comment_view"]["comment"]

    def answers() -> list[str]:
        return [each["uri"] for each in ada.get(f"/api/v1/statuses/{here['id']}/context")["descendants"]]

    eventually(lambda: comment["ap_id"] in answers(), "the comment is in the thread")
    pierre.put("/post", post_id=post["id"], title="Bloc de branche gauche", body="Vu ce matin")
    eventually(lambda: "gauche" in _status(ada, here)["content"], "the edit arrives")
    pierre.post("/post/delete", post_id=post["id"], deleted=True)
    eventually(_gone(ada, here), "the discussion is gone")


def test_our_comment_is_read_voted_on_answered_edited_and_deleted_there(
    ada: Member, pierre: Reader, theirs: int
) -> None:
    post, here = _begun(pierre, ada, theirs, "Un avis ?")
    said = ada.post("/api/v1/statuses", status="Le mien", in_reply_to_id=here["id"])
    there = eventually(lambda: pierre.comments(post["id"]).get(said["uri"]), "the comment is there")["comment"]
    assert there["body"] == "Le mien"
    for score, likes in ((1, 1), (-1, 0), (1, 1)):
        pierre.post("/comment/like", comment_id=there["id"], score=score)
        eventually(lambda likes=likes: _status(ada, said)["favourites_count"] == likes, f"a vote of {score} arrives")  # type: ignore[misc]
    answer = pierre.post("/comment", body="Merci", post_id=post["id"], parent_id=there["id"])["comment_view"]["comment"]
    assert ada.notified("mention", uri=answer["ap_id"])
    ada.put(f"/api/v1/statuses/{said['id']}", status="Le mien, corrigé")
    eventually(lambda: "corrigé" in pierre.comments(post["id"])[said["uri"]]["comment"]["body"], "the edit arrives")
    ada.delete(f"/api/v1/statuses/{said['id']}")
    eventually(lambda: pierre.comments(post["id"])[said["uri"]]["comment"]["deleted"], "it is deleted there")


def test_our_like_is_a_vote_there(ada: Member, pierre: Reader, theirs: int) -> None:
    post, here = _begun(pierre, ada, theirs, "À relire")
    ada.post(f"/api/v1/statuses/{here['id']}/favourite")
    eventually(lambda: pierre.votes_for(post["id"]) == 2, "Ada's like counts beside the author's own vote")
    ada.post(f"/api/v1/statuses/{here['id']}/unfavourite")
    eventually(lambda: pierre.votes_for(post["id"]) == 1, "it is taken back")


def test_a_moderator_takes_a_discussion_out_and_puts_it_back(
    ada: Member, paula: Reader, pierre: Reader, theirs: int
) -> None:
    post, here = _begun(pierre, ada, theirs, "Un sujet pour modérer")

    def passed_on() -> bool:
        home = ada.get("/api/v1/timelines/home?limit=40")
        return any((each["reblog"] or {}).get("uri") == here["uri"] for each in home)

    paula.post("/post/feature", post_id=post["id"], featured=True, feature_type="Community")
    paula.post("/post/lock", post_id=post["id"], locked=True)
    paula.post("/post/remove", post_id=post["id"], removed=True, reason="Hors sujet")
    eventually(lambda: not passed_on(), "it is taken out")
    assert _status(ada, here)["uri"] == here["uri"]
    paula.post("/post/remove", post_id=post["id"], removed=False, reason="Tout de même")
    eventually(passed_on, "it is put back")


def test_polls_are_voted_on_both_ways(ada: Member, pierre: Reader, theirs: int) -> None:
    choices = [{"id": number, "choice_text": text, "sort_order": number} for number, text in ((1, "Oui"), (2, "Non"))]
    asked = {"end_poll": "2096-01-01T00:00:00.000000Z", "mode": "single", "local_only": False, "choices": choices}
    post, here = _begun(pierre, ada, theirs, "Biopsie ?", poll=asked)
    assert [option["title"] for option in here["poll"]["options"]] == ["Oui", "Non"]
    ada.post(f"/api/v1/polls/{here['poll']['id']}/votes", choices=[1])

    def counted() -> list[int]:
        poll = pierre.get("/post", id=post["id"])["post_view"]["post"]["poll"]
        return [choice["num_votes"] for choice in poll["choices"]]

    eventually(lambda: counted() == [0, 1], "Ada's vote counts there")

    poll = {"options": ["Oui", "Non"], "expires_in": 3600, "multiple": False}
    said, there = _asked(ada, pierre, theirs, "Et un scanner ? @cardio@pie.test", poll=poll)
    second = pierre.get("/post", id=there["id"])["post_view"]["post"]["poll"]["choices"][1]
    pierre.post("/post/poll_vote", post_id=there["id"], choice_id=[second["id"]])

    def votes() -> list[int]:
        return [option["votes_count"] for option in ada.get(f"/api/v1/polls/{said['poll']['id']}")["options"]]

    eventually(lambda: votes() == [0, 1], "Pierre's vote counts here")


# ── our group, their member ──────────────────────────────────────────────────────────────────────────────────


def test_what_is_said_in_our_group_is_discussed_there(ada: Member, pierre: Reader, ours: int) -> None:
    said, there = _asked(ada, pierre, ours, "Céphalées en grappe ? @neuro")
    pierre.post("/post/like", post_id=there["id"], score=1)
    eventually(lambda: _status(ada, said)["favourites_count"] == 1, "Pierre's vote arrives")
    comment = pierre.post("/comment", body="Oxygène", post_id=there["id"])["comment_view"]["comment"]
    heard = eventually(lambda: ada.finds(comment["ap_id"]), "Pierre's comment arrives")
    assert heard["in_reply_to_id"] == said["id"]
    pierre.put("/comment", comment_id=comment["id"], body="Oxygène à haut débit")
    eventually(lambda: "débit" in _status(ada, heard)["content"], "its edit arrives")
    pierre.post("/comment/delete", comment_id=comment["id"], deleted=True)
    eventually(_gone(ada, heard), "its deletion arrives")
    ada.put(f"/api/v1/statuses/{said['id']}", status="Céphalées, corrigées @neuro")
    eventually(lambda: "corrigées" in pierre.discussions(ours)[said["uri"]]["post"]["body"], "our edit arrives")
    ada.delete(f"/api/v1/statuses/{said['id']}")

    def deleted() -> bool:
        known = pierre.discussions(ours).get(said["uri"])
        return known is None or bool(known["post"]["deleted"])

    eventually(deleted, "our deletion arrives")


def test_what_they_write_into_our_group_comes_to_its_members(
    medfed: NamedMedfed, ada: Member, pierre: Reader, ours: int
) -> None:
    post, here = _begun(pierre, ada, ours, "Un sujet de Pierre")
    assert "Un sujet de Pierre" in here["content"]
    bob = medfed.member("bob")
    found = bob.finds("@neuro@lyon.test")
    bob.post(f"/api/v1/accounts/{found['id']}/follow")
    answer = bob.post("/api/v1/statuses", status="Moi aussi", in_reply_to_id=bob.finds(post["ap_id"])["id"])
    eventually(lambda: answer["uri"] in pierre.comments(post["id"]), "Bob's answer is there")


# ── people, outages, keys ────────────────────────────────────────────────────────────────────────────────────


def test_somebody_there_is_followed(ada: Member, pierre: Reader) -> None:
    found = ada.finds(pierre.handle)
    ada.post(f"/api/v1/accounts/{found['id']}/follow")
    eventually(lambda: _relation(ada, found)["following"], "Ada follows Pierre")


def test_what_a_503_kept_out_arrives_in_order(
    medfed: NamedMedfed, ada: Member, pierre: Reader, theirs: int, network: Network
) -> None:
    with network.down(THEIRS):
        said = [ada.post("/api/v1/statuses", status=f"Panne, {n} @cardio@pie.test")["uri"] for n in range(3)]
        eventually(lambda: ("POST", 503) in {(each[0], each[2]) for each in network.log(THEIRS)}, "it is refused")

    def arrived() -> bool:
        medfed.run("queue", "retry", THEIRS)
        return set(said) <= set(pierre.discussions(theirs))

    eventually(arrived, "everything arrives", 60)
    numbers = [pierre.discussions(theirs)[uri]["post"]["id"] for uri in said]
    assert numbers == sorted(numbers)


def test_what_is_signed_with_a_new_key_is_taken(medfed: NamedMedfed, ada: Member, pierre: Reader, theirs: int) -> None:
    medfed.run("member", "rotate-keys", "ada")
    _asked(ada, pierre, theirs, "Après le changement de clé @cardio@pie.test")
