"""A clinical case before a server that knows nothing of cases: readable if it is for everybody, never there if not."""

import json
from typing import Any

import pytest

from tests.interop.servers import Member, Peer, PeerPerson

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("interop")]


@pytest.fixture
def recognised(friends: tuple[Member, PeerPerson], physician: Member) -> Member:
    """Ada, whom Frida follows and her own instance recognises."""
    return physician


def publish(member: Member, title: str, **more: Any) -> Any:
    case = {
        "title": title,
        "presentation": "Femme de 45 ans, **oppressée** depuis trois jours.",
        "patient": {"age_band": "45-49", "sex": "female"},
        "specialties": ["cardiology"],
        "history": "Aucun antécédent.",
        "examination": "Souffle systolique 3/6.",
        "investigations": "ECG : sous-décalage ST en V4-V6.",
        "question": "Quelle imagerie d'abord ?",
        "stage": "help_wanted",
        "audience": "public",
        "media_ids": [],
        "language": "fr",
        "consent": {"basis": "not_identifiable"},
    }
    return member.post("/api/medfed/v1/cases", **(case | more))


def test_a_public_case_is_a_readable_note_elsewhere(recognised: Member, frida: PeerPerson, peer: Peer) -> None:
    case = publish(recognised, "Dyspnée de repos")
    create = peer.receives("Create", case["uri"])
    note = create["document"]["object"]
    assert (note["type"], create["signed"], create["proven"]) == ("Note", True, True)
    for told in ("Dyspnée de repos", "<strong>oppressée</strong>", "Souffle systolique", "Quelle imagerie"):
        assert told in note["content"]
    assert note["case"]["stage"] == "help_wanted"
    found = frida.does("lookup", target=case["uri"])
    assert (found["kind"], found["foreign"]) == ("Note", [])


def test_the_peer_answers_a_case_and_the_answer_stands_in_its_thread(
    recognised: Member, frida: PeerPerson, peer: Peer
) -> None:
    case = publish(recognised, "Syncope d'effort")
    peer.receives("Create", case["uri"])
    answer = frida.does("post", content="<p>Echokardiographie.</p>", mentions=[recognised.handle], replyTo=case["uri"])
    recognised.notified("mention", uri=answer["uri"])
    thread = recognised.get(f"/api/v1/statuses/{case['status_id']}/context")
    assert [status["uri"] for status in thread["descendants"]] == [answer["uri"]]


@pytest.mark.case("M15")
def test_a_case_for_verified_practitioners_never_reaches_the_peer(
    recognised: Member, frida: PeerPerson, peer: Peer
) -> None:
    question = f"Un avis, {frida.handle} ?"
    case = publish(recognised, "Réservé aux pairs", audience="verified", question=question)
    after = recognised.post("/api/v1/statuses", status="Pour tous, juste après")
    peer.receives("Create", after["uri"])
    assert case["uri"] not in json.dumps(peer.ask("seen"))
    for scheme in ("rfc9421", "cavage"):
        assert frida.does("raw", url=case["uri"], scheme=scheme)["status"] == 404
    assert frida.does("raw", url=case["uri"], signed=False)["status"] in (401, 404)
    outbox = json.loads(frida.does("raw", url=f"{recognised.uri}/outbox")["body"])
    assert case["uri"] not in frida.does("raw", url=outbox["first"])["body"]
