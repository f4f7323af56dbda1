"""What was promised to a peer that is down arrives when it is back: once, and in order."""

import pytest

from tests.interop.servers import Medfed, Member, Peer, PeerPerson, eventually

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("interop")]


def test_what_is_said_during_an_outage_arrives_once_and_in_order(
    friends: tuple[Member, PeerPerson], peer: Peer, medfed: Medfed
) -> None:
    ada, _ = friends
    peer.stop()
    try:
        uris = [ada.post("/api/v1/statuses", status=f"Pendant la panne, {number}")["uri"] for number in range(3)]
        eventually(lambda: peer.domain in medfed.run("queue", "list", "--json"), "the deliveries wait")
    finally:
        peer.start()
    medfed.run("queue", "retry", peer.domain)
    peer.receives("Create", uris[-1])
    arrived = [each["document"]["object"]["id"] for each in peer.seen(type="Create")]
    assert [uri for uri in arrived if uri in uris] == uris
