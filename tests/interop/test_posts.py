"""Posts, answers, edits, deletions and polls, both ways, between medfed and a server that we did not write."""

import json
import struct
import zlib
from collections.abc import Mapping
from typing import Any

import pytest

from tests.interop.servers import Medfed, Member, Peer, PeerPerson, eventually

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("interop")]

PUBLIC = "https://www.w3.org/ns/activitystreams#Public"


def a_png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\x00" + b"\xc0\x30\x50" * 12) * 12
    header = struct.pack(">IIBBBBB", 12, 12, 8, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def publish(member: Member, text: str, **fields: Any) -> Mapping[str, Any]:
    status: Mapping[str, Any] = member.post("/api/v1/statuses", status=text, **fields)
    return status


def test_our_post_arrives_whole(friends: tuple[Member, PeerPerson], peer: Peer) -> None:
    ada, frida = friends
    media = ada.upload(a_png(), "Un carré rouge")
    status = publish(
        ada,
        f"Éruption inhabituelle {frida.handle} #dermatologie",
        spoiler_text="Lésion cutanée",
        language="fr",
        media_ids=[media],
    )
    note = peer.receives("Create", status["uri"])["document"]["object"]
    assert note["attributedTo"] == ada.uri
    assert "Éruption inhabituelle" in note["content"]
    assert note["contentMap"] == {"fr": note["content"]}
    assert (note["summary"], note["sensitive"]) == ("Lésion cutanée", True)
    assert PUBLIC in note["to"]
    tags = {tag["type"]: tag for tag in note["tag"]}
    assert tags["Mention"]["href"] == frida.uri
    assert tags["Hashtag"]["name"].lower() == "#dermatologie"
    (image,) = note["attachment"]
    assert (image["type"], image["name"]) == ("Image", "Un carré rouge")


def test_fedify_understands_every_property_of_our_post(friends: tuple[Member, PeerPerson]) -> None:
    ada, frida = friends
    media = ada.upload(a_png(), "Un carré rouge")
    status = publish(ada, f"Pour {frida.handle} #ecg", spoiler_text="ECG", language="fr", media_ids=[media])
    found = frida.does("lookup", target=status["uri"])
    assert (found["kind"], found["foreign"]) == ("Note", [])
    told = json.dumps(found["document"], ensure_ascii=False)
    for expected in (ada.uri, frida.uri, "#ecg", '"summary": "ECG"', "Un carré rouge", '"fr"'):
        assert expected in told


def test_the_peers_post_arrives_whole(friends: tuple[Member, PeerPerson]) -> None:
    ada, frida = friends
    post = frida.does(
        "post",
        content="<p>Ein <strong>seltener</strong> Fall</p>",
        mentions=[ada.handle],
        hashtags=["Kardiologie"],
        summary="EKG",
        imageText="Ein Punkt",
    )
    status = ada.sees(post["uri"])
    assert "<strong>seltener</strong>" in status["content"]
    assert (status["spoiler_text"], status["sensitive"], status["visibility"]) == ("EKG", True, "public")
    assert [mention["acct"] for mention in status["mentions"]] == ["ada"]
    assert [tag["name"].lower() for tag in status["tags"]] == ["kardiologie"]
    (image,) = status["media_attachments"]
    assert (image["type"], image["description"]) == ("image", "Ein Punkt")
    ada.notified("mention", uri=post["uri"])


def test_a_thread_grows_on_both_sides(friends: tuple[Member, PeerPerson], peer: Peer) -> None:
    ada, frida = friends
    root = publish(ada, "Qui a déjà vu cela ?")
    peer.receives("Create", root["uri"])
    answer = frida.does("post", content="<p>Ich, einmal.</p>", mentions=[ada.handle], replyTo=root["uri"])
    theirs = ada.notified("mention", uri=answer["uri"])["status"]
    assert theirs["in_reply_to_id"] == root["id"]
    ours = publish(ada, f"{frida.handle} et comment cela a-t-il fini ?", in_reply_to_id=theirs["id"])
    arrived = peer.receives("Create", ours["uri"])["document"]["object"]
    assert arrived["inReplyTo"] == answer["uri"]
    context = ada.get(f"/api/v1/statuses/{root['id']}/context")
    assert [status["uri"] for status in context["descendants"]] == [answer["uri"], ours["uri"]]


def test_a_private_word_reaches_whom_it_is_for_and_carries_no_proof(
    friends: tuple[Member, PeerPerson], peer: Peer
) -> None:
    ada, frida = friends
    ours = publish(ada, f"{frida.handle} entre nous", visibility="direct")
    create = peer.receives("Create", ours["uri"])
    assert create["document"]["object"]["to"] == [frida.uri]
    assert (create["signed"], "proof" in create["document"]) == (True, False)
    theirs = frida.does("post", content="<p>unter uns</p>", mentions=[ada.handle], private=True)
    assert ada.notified("mention", uri=theirs["uri"])["status"]["visibility"] == "direct"
    refused = peer.person("felix").does("raw", url=ours["uri"])
    assert refused["status"] == 404


def test_our_edit_arrives(friends: tuple[Member, PeerPerson], peer: Peer) -> None:
    ada, _ = friends
    status = publish(ada, "Premier avis")
    peer.receives("Create", status["uri"])
    ada.put(f"/api/v1/statuses/{status['id']}", status="Avis corrigé")
    note = peer.receives("Update", status["uri"])["document"]["object"]
    assert "Avis corrigé" in note["content"]
    assert note["updated"] >= note["published"]


def test_the_peers_edit_arrives(friends: tuple[Member, PeerPerson]) -> None:
    ada, frida = friends
    post = frida.does("post", content="<p>Erste Meinung</p>")
    status = ada.sees(post["uri"])
    frida.does("edit", note=post["note"], content="<p>Bessere Meinung</p>")
    eventually(
        lambda: "Bessere Meinung" in ada.get(f"/api/v1/statuses/{status['id']}")["content"], "the edit takes effect"
    )
    assert len(ada.get(f"/api/v1/statuses/{status['id']}/history")) == 2


def test_our_deletion_arrives_as_a_tombstone(friends: tuple[Member, PeerPerson], peer: Peer) -> None:
    ada, frida = friends
    status = publish(ada, "À retirer")
    peer.receives("Create", status["uri"])
    ada.delete(f"/api/v1/statuses/{status['id']}")
    delete = peer.receives("Delete", status["uri"])
    assert delete["document"]["object"] == {"id": status["uri"], "type": "Tombstone"}
    assert (delete["signed"], delete["proven"]) == (True, True)
    left = frida.does("raw", url=status["uri"])
    assert (left["status"], json.loads(left["body"])["type"]) == (410, "Tombstone")


def test_the_peers_deletion_takes_effect(friends: tuple[Member, PeerPerson]) -> None:
    ada, frida = friends
    post = frida.does("post", content="<p>Zurückzuziehen</p>")
    status = ada.sees(post["uri"])
    frida.does("delete", note=post["note"])
    eventually(lambda: ada.ask("GET", f"/api/v1/statuses/{status['id']}").status == 404, "the post is gone")
    assert post["uri"] not in ada.home()


def test_a_vote_of_the_peer_counts_once(friends: tuple[Member, PeerPerson], peer: Peer) -> None:
    ada, frida = friends
    status = publish(ada, "Biopsie ?", poll={"options": ["Oui", "Non"], "expires_in": 3600})
    question = peer.receives("Create", status["uri"])["document"]["object"]
    assert [option["name"] for option in question["oneOf"]] == ["Oui", "Non"]
    assert frida.does("lookup", target=status["uri"])["kind"] == "Question"
    frida.does("vote", question=status["uri"], choice="Oui")
    frida.does("vote", question=status["uri"], choice="Oui")

    def counts() -> list[int]:
        poll = ada.get(f"/api/v1/polls/{status['poll']['id']}")
        return [option["votes_count"] for option in poll["options"]]

    eventually(lambda: counts() == [1, 0], "Frida's vote is counted")
    assert counts() == [1, 0]


def test_our_vote_reaches_the_peer(friends: tuple[Member, PeerPerson], peer: Peer) -> None:
    ada, frida = friends
    post = frida.does("post", content="<p>Biopsie?</p>", options=["Ja", "Nein"])
    status = ada.sees(post["uri"])
    assert [option["title"] for option in status["poll"]["options"]] == ["Ja", "Nein"]
    ada.post(f"/api/v1/polls/{status['poll']['id']}/votes", choices=[1])
    vote = peer.receives("Create", post["uri"])["document"]["object"]
    assert (vote["name"], vote["inReplyTo"], vote["attributedTo"]) == ("Nein", post["uri"], ada.uri)


def test_our_outbox_lists_what_is_for_everybody(friends: tuple[Member, PeerPerson], peer: Peer, medfed: Medfed) -> None:
    ada, frida = friends
    status = publish(ada, "Pour tous")
    whispered = publish(ada, f"{frida.handle} pour vous", visibility="direct")
    outbox = json.loads(frida.does("raw", url=f"{ada.uri}/outbox")["body"])
    page = frida.does("raw", url=outbox["first"])["body"]
    assert status["uri"] in page
    assert whispered["uri"] not in page
    assert frida.does("raw", url=f"{ada.uri}/outbox", signed=False)["status"] == 401
