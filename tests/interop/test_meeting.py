"""Finding each other and following, between medfed and a server that we did not write."""

import json

import pytest

from tests.interop.servers import Medfed, Member, Peer, PeerPerson, eventually

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("interop")]


def test_the_peer_finds_our_member_by_handle(ada: Member, peer: Peer) -> None:
    found = peer.ask("webfinger", resource=f"acct:{ada.handle.lstrip('@')}")
    links = {(link["rel"], link.get("type")): link.get("href") for link in found["links"]}
    assert found["subject"] == f"acct:{ada.handle.lstrip('@')}"
    assert links["self", "application/activity+json"] == ada.uri


def test_the_peer_reads_our_actor_without_any_context_from_the_network(ada: Member, frida: PeerPerson) -> None:
    found = frida.does("lookup", target=ada.handle)
    assert found["kind"] == "Person"
    assert found["foreign"] == []
    actor = found["document"]
    assert (actor["id"], actor["name"], actor["preferredUsername"]) == (ada.uri, "Ada Martin", "ada")
    assert actor["inbox"] == f"{ada.uri}/inbox"
    assert actor["publicKey"]["id"] == f"{ada.uri}#main-key"


def test_an_actor_document_with_attestations_needs_no_context_from_the_network(
    physician: Member, frida: PeerPerson
) -> None:
    shown = json.loads(frida.does("raw", url=f"{physician.uri}/attestations")["body"])
    assert shown["totalItems"] == 1
    actor = json.loads(frida.does("raw", url=physician.uri)["body"])
    assert actor["attestations"] == f"{physician.uri}/attestations"
    found = frida.does("lookup", target=physician.uri)
    assert (found["kind"], found["foreign"]) == ("Person", [])


def test_the_peer_reads_our_instance_actor(frida: PeerPerson, medfed: Medfed) -> None:
    assert frida.does("lookup", target=f"{medfed.url}/actor")["kind"] == "Application"


def test_the_peer_accepts_both_our_nodeinfo_documents(medfed: Medfed, peer: Peer) -> None:
    documents = peer.ask("nodeinfo", host=medfed.domain)
    assert [document["software"]["name"] for document in documents] == ["medfed", "medfed"]


def test_our_member_finds_a_person_of_the_peer_by_handle_and_by_url(ada: Member, frida: PeerPerson) -> None:
    by_handle, by_url = ada.finds(frida.handle), ada.finds(frida.uri)
    assert by_handle["acct"] == frida.handle.lstrip("@")
    assert by_handle["display_name"] == "Frida Lindqvist"
    assert by_url["id"] == by_handle["id"]


def test_following_works_both_ways(friends: tuple[Member, PeerPerson]) -> None:
    ada, frida = friends
    assert ada.uri in frida.followers()
    ada.notified("follow")


def test_followers_elsewhere_hear_of_a_changed_profile(friends: tuple[Member, PeerPerson], peer: Peer) -> None:
    ada, frida = friends
    ada.patch("/api/v1/accounts/update_credentials", note="Cardiologue à Lyon")
    update = peer.receives("Update", ada.uri)
    assert (update["signed"], update["proven"]) == (True, True)
    assert "Cardiologue à Lyon" in frida.does("lookup", target=ada.uri)["document"]["summary"]


def test_we_unfollow(cleo: Member, frida: PeerPerson) -> None:
    found = cleo.finds(frida.handle)
    cleo.post(f"/api/v1/accounts/{found['id']}/follow")
    eventually(lambda: cleo.uri in frida.followers(), "Cleo follows Frida")
    cleo.post(f"/api/v1/accounts/{found['id']}/unfollow")
    eventually(lambda: cleo.uri not in frida.followers(), "Cleo no longer follows Frida")


def test_a_locked_member_of_ours_lets_somebody_follow_who_later_leaves(
    cleo: Member, frida: PeerPerson, peer: Peer
) -> None:
    assert frida.does("lookup", target=cleo.uri)["document"]["manuallyApprovesFollowers"] is True
    follow = frida.does("follow", target=cleo.handle)["id"]
    (asking,) = eventually(lambda: cleo.get("/api/v1/follow_requests"), "Frida's request waits")
    assert asking["acct"] == frida.handle.lstrip("@")
    assert follow not in json.dumps(peer.seen(type="Accept"))
    cleo.post(f"/api/v1/follow_requests/{asking['id']}/authorize")
    peer.receives("Accept", follow)

    def followers() -> int:
        count: int = cleo.get("/api/v1/accounts/verify_credentials")["followers_count"]
        return count

    assert followers() == 1
    frida.does("undo", activity=follow, to=cleo.uri)
    eventually(lambda: followers() == 0, "Frida no longer follows Cleo")


def test_a_locked_member_of_ours_may_refuse(cleo: Member, peer: Peer) -> None:
    follow = peer.person("felix").does("follow", target=cleo.handle)["id"]
    (asking,) = eventually(lambda: cleo.get("/api/v1/follow_requests"), "Felix's request waits")
    cleo.post(f"/api/v1/follow_requests/{asking['id']}/reject")
    peer.receives("Reject", follow)


@pytest.mark.parametrize("answer", ["Accept", "Reject"])
def test_a_locked_person_of_the_peer_decides_who_follows(ada: Member, peer: Peer, answer: str) -> None:
    felix = peer.person("felix")
    found = ada.finds(felix.handle)
    assert found["locked"] is True
    assert ada.post(f"/api/v1/accounts/{found['id']}/follow")["requested"] is True
    follow = peer.receives("Follow", felix.uri)
    felix.does("answer", follow=follow["id"], kind=answer)

    def settled() -> bool:
        (now,) = ada.get(f"/api/v1/accounts/relationships?id[]={found['id']}")
        return not now["requested"] and now["following"] is (answer == "Accept")

    eventually(settled, f"felix's {answer} takes effect")
    ada.post(f"/api/v1/accounts/{found['id']}/unfollow")
    eventually(lambda: ada.uri not in felix.followers(), "and is over")
