"""Both ways between medfed and a NodeBB, by name, over TLS: its categories are groups (FEP-1b12), and it follows ours.

NodeBB signs by draft-cavage. MEDFED_TEST_NODEBB names its source, installed (`npm install`) and built
(`./nodebb build`); it needs redis-server and redis-cli.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

import pytest

from tests.interop.named import NamedMedfed
from tests.interop.network import Network
from tests.interop.nodebb import NodeBB, Poster
from tests.interop.servers import Member, Unavailable, eventually

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("nodebb")]

OURS, THEIRS = "lyon.test", "node.test"
CATEGORY = 2
"""General Discussion, which every new NodeBB has."""


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    network = Network(tmp_path_factory.mktemp("node") / "network", [OURS, THEIRS])
    try:
        NodeBB.find()
        network.start()
        yield network
    except Unavailable as why:
        pytest.skip(str(why))
    finally:
        network.stop()


@pytest.fixture(scope="module")
def nodebb(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeBB]:
    server = NodeBB(tmp_path_factory.mktemp("node") / "bb", network, THEIRS)
    try:
        server.start("nora", "noe")
        yield server
    except Unavailable as why:
        pytest.skip(str(why))
    finally:
        server.stop()


@pytest.fixture(scope="module")
def medfed(network: Network, nodebb: NodeBB, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NamedMedfed]:
    server = NamedMedfed(tmp_path_factory.mktemp("node") / "medfed", network, OURS)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def nora(nodebb: NodeBB) -> Poster:
    """Who administers it."""
    return Poster(nodebb, 1, "nora")


@pytest.fixture(scope="module")
def noe(nodebb: NodeBB) -> Poster:
    return Poster(nodebb, 2, "noe")


@pytest.fixture(scope="module")
def ada(medfed: NamedMedfed) -> Member:
    """A member of ours who is in a category of theirs."""
    ada = medfed.member("ada", "--display-name", "Ada Martin")
    found = ada.finds(f"@general-discussion@{THEIRS}")
    assert (found["group"], found["display_name"]) == (True, "General Discussion")
    ada.post(f"/api/v1/accounts/{found['id']}/follow")
    eventually(lambda: _relation(ada, found)["following"], "Ada is in the category")
    return ada


@pytest.fixture(scope="module")
def ours(medfed: NamedMedfed, ada: Member, noe: Poster) -> str:
    """A group of ours, in which Noé is, too."""
    medfed.run("group", "create", "neuro", "--title", "Neurologie, Lyon", "--moderator", "ada")
    uri = f"https://{OURS}/users/neuro"
    assert noe.does("GET", f"/category/neuro@{OURS}")["name"] == "Neurologie, Lyon"
    noe.does("PUT", f"/v3/categories/{quote(uri, safe='')}/watch", state="watching")
    eventually(lambda: "noe" in medfed.run("group", "members", "neuro"), "Noé is in the group")
    here = ada.finds(f"@neuro@{OURS}")
    ada.post(f"/api/v1/accounts/{here['id']}/follow")
    return uri


def _relation(one: Member, found: Mapping[str, Any]) -> Mapping[str, Any]:
    (now,) = one.get(f"/api/v1/accounts/relationships?id[]={found['id']}")
    relation: Mapping[str, Any] = now
    return relation


def _status(member: Member, shown: Mapping[str, Any]) -> Any:
    return member.get(f"/api/v1/statuses/{shown['id']}")


def _gone(member: Member, shown: Mapping[str, Any]) -> Callable[[], bool]:
    return lambda: member.ask("GET", f"/api/v1/statuses/{shown['id']}").status == 404


def _passed_on(member: Member, uri: str) -> Any:
    """A post in the home of a member, into which a group has passed it."""

    def look() -> Any:
        home = member.get("/api/v1/timelines/home?limit=40")
        return next((each["reblog"] for each in home if (each["reblog"] or {}).get("uri") == uri), None)

    return eventually(look, f"{uri} comes into the home of {member.username}")


def test_a_topic_of_theirs_comes_with_title_answers_and_edits(ada: Member, nora: Poster, noe: Poster) -> None:
    topic, uri = noe.begins(CATEGORY, "Bloc de branche ?", "Que faire **vite** ?")
    here = _passed_on(ada, uri)
    assert "Bloc de branche ?" in here["content"]
    answer = nora.answers(topic, "Un ECG de repos")

    def answers() -> list[str]:
        return [each["uri"] for each in ada.get(f"/api/v1/statuses/{here['id']}/context")["descendants"]]

    eventually(lambda: answer in answers(), "the answer is in the thread")
    noe.does("PUT", f"/v3/posts/{uri.rpartition('/')[2]}", title="Bloc de branche", content="Texte corrigé par Noé")
    eventually(lambda: "corrigé" in _status(ada, here)["content"], "the edit arrives")
    nora.does("DELETE", f"/v3/topics/{topic}/state")
    eventually(_gone(ada, here), "what a moderator deletes is gone")


def test_our_answer_is_read_voted_on_edited_and_deleted_there(ada: Member, noe: Poster) -> None:
    _, uri = noe.begins(CATEGORY, "Un avis là-dessus ?", "Qui en a déjà vu ?")
    here = _passed_on(ada, uri)
    said = ada.post("/api/v1/statuses", status="Moi, une fois", in_reply_to_id=here["id"])
    eventually(lambda: noe.sees(said["uri"]), "Ada's answer is there")
    for delta, likes in ((1, 1), (-1, 0)):
        noe.votes(said["uri"], delta)
        eventually(lambda likes=likes: _status(ada, said)["favourites_count"] == likes, f"a vote of {delta} arrives")  # type: ignore[misc]
    ada.put(f"/api/v1/statuses/{said['id']}", status="Moi, deux fois")
    eventually(lambda: "deux fois" in noe.sees(said["uri"])["content"], "the edit arrives")
    ada.delete(f"/api/v1/statuses/{said['id']}")
    eventually(lambda: noe.sees(said["uri"]) is None, "the deletion arrives")


def test_our_like_is_a_vote_there(ada: Member, noe: Poster) -> None:
    _, uri = noe.begins(CATEGORY, "À relire, s'il vous plaît", "Un article de ce matin")
    here = _passed_on(ada, uri)
    ada.post(f"/api/v1/statuses/{here['id']}/favourite")
    eventually(lambda: noe.sees(uri)["upvotes"] == 1, "Ada's like counts")
    ada.post(f"/api/v1/statuses/{here['id']}/unfavourite")
    eventually(lambda: noe.sees(uri)["upvotes"] == 0, "it is taken back")


def test_our_post_is_a_topic_there(ada: Member, noe: Poster) -> None:
    said = ada.post("/api/v1/statuses", status=f"Un sujet de Lyon @general-discussion@{THEIRS}")
    there = eventually(lambda: noe.topics(CATEGORY).get(said["uri"]), "it is a topic of the category")
    assert "Un sujet de Lyon" in there["title"]
    _passed_on(ada, said["uri"])
    answer = noe.answers(there["tid"], "Bienvenue dans la catégorie")
    assert ada.notified("mention", uri=answer)["status"]["in_reply_to_id"] == said["id"]


def test_what_is_said_in_our_group_is_discussed_there(ada: Member, noe: Poster, ours: str) -> None:
    said = ada.post("/api/v1/statuses", status="Migraine avec aura ? @neuro")
    there = eventually(lambda: noe.topics(ours).get(said["uri"]), "it is a topic there")
    answer = noe.answers(there["tid"], "Un avis de Noé")
    eventually(lambda: ada.finds(answer).get("in_reply_to_id") == said["id"], "Noé's answer arrives")
    noe.votes(said["uri"], 1)
    eventually(lambda: _status(ada, said)["favourites_count"] == 1, "Noé's vote arrives")
    _, uri = noe.begins(ours, "Un sujet de Noé", "Que dire de plus ?")
    assert "Un sujet de Noé" in _passed_on(ada, uri)["content"]


def test_people_follow_each_other(ada: Member, noe: Poster) -> None:
    found = ada.finds(noe.handle)
    ada.post(f"/api/v1/accounts/{found['id']}/follow")
    eventually(lambda: _relation(ada, found)["following"], "Ada follows Noé")
    noe.does("GET", f"/user/ada@{OURS}")
    noe.does("PUT", f"/v3/users/ada@{OURS}/follow")
    eventually(lambda: _relation(ada, found)["followed_by"], "Noé follows Ada")
    said = ada.post("/api/v1/statuses", status="Bonjour à qui me suit")
    eventually(lambda: noe.sees(said["uri"]), "it arrives")


def test_what_a_503_kept_out_arrives(medfed: NamedMedfed, ada: Member, noe: Poster, network: Network) -> None:
    with network.down(THEIRS):
        said = [
            ada.post("/api/v1/statuses", status=f"Panne, {n} @general-discussion@{THEIRS}")["uri"] for n in range(3)
        ]
        eventually(lambda: ("POST", 503) in {(each[0], each[2]) for each in network.log(THEIRS)}, "it is refused")

    def arrived() -> bool:
        medfed.run("queue", "retry", THEIRS)
        return set(said) <= set(noe.topics(CATEGORY))

    eventually(arrived, "everything arrives", 60)


def test_what_is_signed_with_a_new_key_is_taken(medfed: NamedMedfed, ada: Member, noe: Poster) -> None:
    medfed.run("member", "rotate-keys", "ada")
    said = ada.post("/api/v1/statuses", status=f"Après le changement de clé @general-discussion@{THEIRS}")
    eventually(lambda: said["uri"] in noe.topics(CATEGORY), "it arrives")
