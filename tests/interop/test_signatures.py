"""Signatures and proofs of ours before Fedify's verification, and Fedify's before ours."""

import json
from typing import Any

import pytest

from tests.interop.servers import Medfed, Member, Peer, PeerPerson, ask

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("interop")]

FORGERIES = {
    "unsigned": "nothing vouches for it",
    "proof": "a proof alone: an inbox here wants to know who is at the door",
    "body": "RFC 9421, and another body than was signed",
    "cavage-body": "cavage, and another body than was signed",
    "stranger": "signed by another than the actor",
    "old": "signed yesterday",
    "forwarded-body": "passed on by another, and no longer what its author's proof is for",
}


def test_fedify_verifies_our_requests_and_our_proofs(friends: tuple[Member, PeerPerson], peer: Peer) -> None:
    ada, _ = friends
    status = ada.post("/api/v1/statuses", status="Signé et prouvé")
    create = peer.receives("Create", status["uri"])
    assert (create["scheme"], create["signed"], create["proven"]) == ("rfc9421", True, True)


def test_fedify_refuses_our_proof_once_a_letter_has_changed(friends: tuple[Member, PeerPerson], peer: Peer) -> None:
    ada, _ = friends
    status = ada.post("/api/v1/statuses", status="Mot pour mot")
    document: dict[str, Any] = dict(peer.receives("Create", status["uri"])["document"])
    assert peer.ask("verify-proof", document=document)["verified"] is True
    document["object"] = document["object"] | {"content": document["object"]["content"] + " "}
    assert peer.ask("verify-proof", document=document)["verified"] is False


def test_the_peer_refuses_what_nobody_of_ours_signed(ada: Member, frida: PeerPerson, peer: Peer) -> None:
    activity = {
        "@context": "https://www.w3.org/ns/activitystreams",
        "id": f"{ada.uri}#unsigned",
        "type": "Like",
        "actor": ada.uri,
        "object": frida.uri,
    }
    headers = {"content-type": "application/activity+json"}
    assert ask("POST", f"{frida.uri}/inbox", json.dumps(activity).encode(), headers).status == 401


@pytest.mark.parametrize("scheme", ["rfc9421", "cavage"])
def test_either_scheme_of_the_peer_is_understood_at_the_first_knock(
    friends: tuple[Member, PeerPerson], peer: Peer, medfed: Medfed, scheme: str
) -> None:
    ada, frida = friends
    with peer.signing_first_with(scheme):
        before = len(peer.ask("sent"))
        post = frida.does("post", content=f"<p>Mit {scheme} unterschrieben</p>", mentions=[ada.handle])
        sent = [each for each in peer.ask("sent")[before:] if each["url"].startswith(medfed.url)]
    ada.sees(post["uri"])
    signed = [each for each in sent if each["scheme"]]
    assert {(each["scheme"], each["status"] // 100) for each in signed} == {(scheme, 2)}, sent
    assert [each["status"] for each in signed if each["method"] == "POST"] == [202]


@pytest.mark.parametrize("scheme", ["cavage", "rfc9421"])
def test_a_peer_that_has_come_to_understand_another_scheme_is_still_reached(
    friends: tuple[Member, PeerPerson], peer: Peer, scheme: str
) -> None:
    ada, _ = friends
    with peer.understanding_only(scheme):
        first = ada.post("/api/v1/statuses", status=f"Premier message en {scheme}")["uri"]
        assert peer.receives("Create", first)["scheme"] == scheme
        second = ada.post("/api/v1/statuses", status="Et le suivant du premier coup")["uri"]
        assert peer.receives("Create", second)["scheme"] == scheme
    knocks = [each for each in peer.seen(type="Create") if each["document"]["object"]["id"] == second]
    assert [each["status"] for each in knocks] == [202]


def test_a_peer_that_wants_a_nonce_gets_its_own_at_the_second_knock(
    friends: tuple[Member, PeerPerson], peer: Peer
) -> None:
    ada, _ = friends
    with peer.wanting_nonces():
        for text in ("Avec le nonce de Fedify", "Et avec le suivant"):
            # For followers: what is for everybody carries a proof, and with that Fedify asks for no signature.
            status = ada.post("/api/v1/statuses", status=text, visibility="private")
            assert peer.receives("Create", status["uri"])["scheme"] == "rfc9421"
            knocks = [
                (each["scheme"], each["status"])
                for each in peer.seen(type="Create")
                if each["document"]["object"]["id"] == status["uri"]
            ]
            assert knocks == [("rfc9421", 401), ("rfc9421", 202)]
    after = ada.post("/api/v1/statuses", status="Et sans", visibility="private")["uri"]
    assert peer.receives("Create", after)["status"] == 202


def test_our_signed_fetches_are_answered_by_a_peer_that_wants_to_know_who_asks(
    ada: Member, frida: PeerPerson, peer: Peer
) -> None:
    post = frida.does("post", content="<p>Nur für Unterzeichnende</p>", private=True)
    public = frida.does("post", content="<p>Für Unterzeichnende</p>")
    assert ask("GET", public["uri"], headers={"accept": "application/activity+json"}).status == 401
    assert ada.finds(public["uri"])["uri"] == public["uri"]
    assert post["uri"] not in ada.home()


@pytest.mark.case("C01", "C02", "C04")
@pytest.mark.parametrize("how", FORGERIES, ids=FORGERIES.get)
def test_a_forgery_is_refused_and_changes_nothing(
    friends: tuple[Member, PeerPerson], peer: Peer, medfed: Medfed, how: str
) -> None:
    ada, _ = friends
    answer = peer.ask("forge", inbox=f"{medfed.url}/inbox", how=how)
    assert answer["status"] == 401
    assert answer["challenge"] == 'sig1=("@method" "@target-uri" "content-digest");created'
    assert answer["uri"] not in ada.home()


@pytest.mark.parametrize("how", ["rfc9421", "cavage", "forwarded"])
def test_the_same_request_without_forgery_is_let_in(
    friends: tuple[Member, PeerPerson], peer: Peer, medfed: Medfed, how: str
) -> None:
    ada, _ = friends
    # "forwarded": signed by Felix, and proven by Frida's own key (FEP-8b32), which is what counts.
    answer = peer.ask("forge", inbox=f"{medfed.url}/inbox", how=how)
    assert answer["status"] == 202, answer["said"]
    assert ada.sees(answer["uri"])["visibility"] == "public"


def test_a_fetch_without_a_signature_gets_an_invitation_to_sign(ada: Member, frida: PeerPerson) -> None:
    status = ada.post("/api/v1/statuses", status="Qui demande ?")
    answer = frida.does("raw", url=status["uri"], signed=False)
    assert answer["status"] == 401
    assert "@target-uri" in answer["headers"]["accept-signature"]
    for scheme in ("rfc9421", "cavage"):
        assert frida.does("raw", url=status["uri"], scheme=scheme)["status"] == 200


@pytest.mark.parametrize("fragment", ["main-key", "ed25519-key"])
def test_a_fetch_of_our_key_by_its_id_is_understood_at_the_first_knock(
    ada: Member, frida: PeerPerson, fragment: str
) -> None:
    # Fedify signs the fragment of what it fetches, too; refused, it would speak cavage to us from then on.
    answer = frida.does("raw", url=f"{ada.uri}#{fragment}", scheme="rfc9421")
    assert answer["status"] == 200
    assert json.loads(answer["body"])["name"] == "Ada Martin"


def test_an_actor_shows_its_keys_and_little_else_to_whoever_does_not_sign(ada: Member, frida: PeerPerson) -> None:
    actor = json.loads(frida.does("raw", url=ada.uri, signed=False)["body"])
    assert actor["publicKey"]["owner"] == ada.uri
    assert "name" not in actor


def test_activities_arrive_in_the_order_in_which_they_were_done(friends: tuple[Member, PeerPerson], peer: Peer) -> None:
    ada, _ = friends
    uris = [ada.post("/api/v1/statuses", status=f"Numéro {number}")["uri"] for number in range(6)]
    peer.receives("Create", uris[-1])
    arrived = [each["document"]["object"]["id"] for each in peer.seen(type="Create", status=202)]
    assert [uri for uri in arrived if uri in uris] == uris
