"""Likes and boosts, and taking them back, both ways, between medfed and a server that we did not write."""

import pytest

from tests.interop.servers import Member, Peer, PeerPerson, eventually

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("interop")]


def test_our_like_arrives_and_is_taken_back(friends: tuple[Member, PeerPerson], peer: Peer) -> None:
    ada, frida = friends
    post = frida.does("post", content="<p>Lesenswert</p>")
    status = ada.sees(post["uri"])
    ada.post(f"/api/v1/statuses/{status['id']}/favourite")
    like = peer.receives("Like", post["uri"])
    assert like["signed"]
    ada.post(f"/api/v1/statuses/{status['id']}/unfavourite")
    undo = peer.receives("Undo", post["uri"])
    assert undo["document"]["object"]["id"] == like["id"]


def test_the_peers_like_counts_and_is_taken_back(friends: tuple[Member, PeerPerson], peer: Peer) -> None:
    ada, frida = friends
    status = ada.post("/api/v1/statuses", status="À lire")
    like = frida.does("like", object=status["uri"])["id"]
    ada.notified("favourite", uri=status["uri"])
    path = f"/api/v1/statuses/{status['id']}"
    assert ada.get(path)["favourites_count"] == 1
    assert [each["acct"] for each in ada.get(f"{path}/favourited_by")] == [frida.handle.lstrip("@")]
    frida.does("undo", activity=like, to=ada.uri)
    eventually(lambda: ada.get(path)["favourites_count"] == 0, "the like is taken back")


def test_our_boost_arrives_and_is_taken_back(friends: tuple[Member, PeerPerson], peer: Peer) -> None:
    ada, frida = friends
    post = frida.does("post", content="<p>Zum Weitersagen</p>")
    status = ada.sees(post["uri"])
    ada.post(f"/api/v1/statuses/{status['id']}/reblog")
    announce = peer.receives("Announce", post["uri"])
    assert (announce["signed"], announce["proven"]) == (True, True)
    ada.post(f"/api/v1/statuses/{status['id']}/unreblog")
    undo = peer.receives("Undo", post["uri"])
    assert undo["document"]["object"]["id"] == announce["id"]


def test_the_peers_boost_counts_and_is_taken_back(friends: tuple[Member, PeerPerson], peer: Peer) -> None:
    ada, frida = friends
    status = ada.post("/api/v1/statuses", status="À faire circuler")
    boost = frida.does("boost", object=status["uri"])["id"]
    ada.notified("reblog", uri=status["uri"])
    path = f"/api/v1/statuses/{status['id']}"
    assert ada.get(path)["reblogs_count"] == 1
    frida.does("undo", activity=boost, to=ada.uri)
    eventually(lambda: ada.get(path)["reblogs_count"] == 0, "the boost is taken back")
