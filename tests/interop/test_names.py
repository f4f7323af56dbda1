"""Four servers by name, over TLS, behind the proxy of deploy/: two of ours, and two on Fedify, one for each scheme."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from tests.interop.named import NamedMedfed, NamedPeer
from tests.interop.network import Network
from tests.interop.servers import Member, PeerPerson, Unavailable, eventually, install

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("names")]

LYON, PARIS, OSLO, TURIN = "lyon.test", "paris.test", "oslo.test", "turin.test"


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    network = Network(tmp_path_factory.mktemp("names") / "network", [LYON, PARIS, OSLO, TURIN])
    try:
        network.start()
    except Unavailable as why:
        network.stop()
        pytest.skip(str(why))
    yield network
    network.stop()


@dataclass(frozen=True, slots=True)
class Servers:
    """All four: Oslo knocks with RFC 9421 first, Turin with draft-cavage."""

    lyon: NamedMedfed
    paris: NamedMedfed
    oslo: NamedPeer
    turin: NamedPeer


@pytest.fixture(scope="module")
def servers(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """All at once, since each needs a while to start."""
    folder = tmp_path_factory.mktemp("names")
    lyon, paris = (NamedMedfed(folder / name, network, name) for name in (LYON, PARIS))
    oslo, turin = (NamedPeer(folder / name, network, name) for name in (OSLO, TURIN))
    each = (oslo, turin, lyon, paris)
    try:
        install()
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda server: server.start(), each))
        turin.ask("configure", firstKnock="cavage")
        yield Servers(lyon, paris, oslo, turin)
    except Unavailable as why:
        pytest.skip(f"no independent peer: {why}")
    finally:
        for server in each:
            server.stop()


@pytest.fixture(scope="module")
def ada(servers: Servers) -> Member:
    """A member of ours in Lyon."""
    return servers.lyon.member("ada")


@pytest.fixture(scope="module")
def bob(servers: Servers) -> Member:
    """A member of ours in Paris."""
    return servers.paris.member("bob")


@pytest.fixture(scope="module")
def frida(servers: Servers) -> PeerPerson:
    """Somebody in Oslo."""
    return servers.oslo.person("frida")


@pytest.fixture(scope="module")
def fiona(servers: Servers) -> PeerPerson:
    """Somebody in Turin, where she is called frida too."""
    return servers.turin.person("frida")


@pytest.fixture(scope="module")
def circle(ada: Member, bob: Member, frida: PeerPerson, fiona: PeerPerson) -> None:
    """Everybody follows Ada; Ada and Bob follow everybody."""
    for member in (ada, bob):
        others = {ada.handle, bob.handle, frida.handle, fiona.handle} - {member.handle}
        for handle in sorted(others):
            member.post(f"/api/v1/accounts/{member.finds(handle)['id']}/follow")
    for person in (frida, fiona):
        person.does("follow", target=ada.handle)
        person.does("follow", target=bob.handle)
    for member in (ada, bob):

        def complete(member: Member = member) -> bool:
            me = member.get("/api/v1/accounts/verify_credentials")
            return (me["followers_count"], me["following_count"]) == (3, 3)

        eventually(complete, f"{member.username} is followed by three and follows three")
    for person in (frida, fiona):
        eventually(lambda person=person: len(person.followers()) == 2, "and so are the others")  # type: ignore[misc]


def test_each_finds_the_others_by_name(ada: Member, bob: Member, frida: PeerPerson, fiona: PeerPerson) -> None:
    for member, sought in ((ada, bob), (ada, frida), (ada, fiona), (bob, frida)):
        assert member.finds(sought.handle)["uri"] == sought.uri
    for person in (frida, fiona):
        assert person.does("lookup", target=ada.handle)["document"]["id"] == ada.uri
        resource = f"acct:{bob.handle.lstrip('@')}"
        assert person.peer.ask("webfinger", resource=resource)["subject"] == resource


def test_each_peer_is_understood_at_the_first_knock_of_its_kind(
    circle: None, ada: Member, frida: PeerPerson, fiona: PeerPerson
) -> None:
    for person, scheme in ((frida, "rfc9421"), (fiona, "cavage")):
        before = len(person.peer.ask("sent"))
        post = person.does("post", content="<p>Guten Morgen</p>")
        ada.sees(post["uri"])
        sent = [each for each in person.peer.ask("sent")[before:] if each["method"] == "POST"]
        assert {(each["scheme"], each["status"]) for each in sent} == {(scheme, 202)}


def test_a_thread_over_four_servers_is_whole_on_both_of_ours(
    circle: None, ada: Member, bob: Member, frida: PeerPerson, fiona: PeerPerson
) -> None:
    root = ada.post("/api/v1/statuses", status="Qui a déjà vu cela ?")
    frida.peer.receives("Create", root["uri"])
    first = frida.does("post", content="<p>Ich, einmal.</p>", replyTo=root["uri"])
    heard = bob.sees(first["uri"])
    second = bob.post("/api/v1/statuses", status=f"{frida.handle} moi aussi", in_reply_to_id=heard["id"])
    fiona.peer.receives("Create", second["uri"])
    third = fiona.does("post", content="<p>Anch'io.</p>", replyTo=second["uri"])
    uris = [first["uri"], second["uri"], third["uri"]]
    for member in (ada, bob):
        known = member.finds(root["uri"])

        def whole(member: Member = member, known: str = known["id"]) -> bool:
            context = member.get(f"/api/v1/statuses/{known}/context")
            return [each["uri"] for each in context["descendants"]] == uris

        eventually(whole, f"the thread is whole for {member.username}")
    for person in (frida, fiona):
        assert person.does("lookup", target=second["uri"])["document"]["inReplyTo"] == first["uri"]


def test_a_poll_is_voted_on_from_three_servers(
    circle: None, ada: Member, bob: Member, frida: PeerPerson, fiona: PeerPerson
) -> None:
    status = ada.post("/api/v1/statuses", status="Biopsie ?", poll={"options": ["Oui", "Non"], "expires_in": 3600})
    seen = bob.sees(status["uri"])
    bob.post(f"/api/v1/polls/{seen['poll']['id']}/votes", choices=[0])
    frida.does("vote", question=status["uri"], choice="Oui")
    fiona.does("vote", question=status["uri"], choice="Non")

    def counted(member: Member, local: Mapping[str, Any]) -> bool:
        options = member.get(f"/api/v1/polls/{local['poll']['id']}")["options"]
        return [option["votes_count"] for option in options] == [2, 1]

    eventually(lambda: counted(ada, status), "all three votes are counted")


def test_what_a_503_kept_out_arrives_once_and_in_order(
    circle: None, network: Network, servers: Servers, ada: Member, frida: PeerPerson, fiona: PeerPerson
) -> None:
    with network.down(OSLO):
        uris = [ada.post("/api/v1/statuses", status=f"Pendant la panne, {number}")["uri"] for number in range(3)]
        fiona.peer.receives("Create", uris[-1])
        eventually(lambda: any((each[0], each[2]) == ("POST", 503) for each in network.log(OSLO)), "Oslo refuses")
    servers.lyon.run("queue", "retry", OSLO)
    frida.peer.receives("Create", uris[-1])
    arrived = [each["document"]["object"]["id"] for each in frida.peer.seen(type="Create")]
    assert [uri for uri in arrived if uri in uris] == uris


def test_we_follow_somebody_who_moves_from_one_peer_to_the_other(
    circle: None, ada: Member, bob: Member, frida: PeerPerson, fiona: PeerPerson
) -> None:
    felix = fiona.peer.person("felix")
    felix.does("alias", target=frida.uri)
    frida.does("move", target=felix.uri)
    for member in (ada, bob):

        def asked(uri: str = member.uri) -> bool:
            follows = [each["document"] for each in felix.peer.seen(type="Follow", signed=True)]
            return any((follow["actor"], follow["object"]) == (uri, felix.uri) for follow in follows)

        eventually(asked, f"{member.username} asks to follow the new account")


def test_our_member_moves_to_a_peer_and_everybody_hears_of_it(
    circle: None, servers: Servers, bob: Member, frida: PeerPerson, fiona: PeerPerson
) -> None:
    fiona.does("alias", target=bob.uri)
    servers.paris.run("member", "move", "bob", fiona.uri)
    for person in (frida, fiona):
        move = person.peer.receives("Move", bob.uri)
        assert (move["signed"], move["document"]["target"]) == (True, fiona.uri)
    assert frida.does("lookup", target=bob.uri)["document"]["movedTo"] == fiona.uri
