"""One medfed and one peer for all interop tests; they skip, and say why, where the peer cannot be had."""

import os
from collections.abc import Iterator

import pytest

from tests.interop.servers import Medfed, Member, Peer, PeerPerson, Unavailable, eventually


@pytest.fixture(scope="session")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    """The server built on Fedify."""
    if os.environ.get("MEDFED_TEST_INTEROP") == "off":
        pytest.skip("MEDFED_TEST_INTEROP=off")
    server = Peer(tmp_path_factory.mktemp("interop") / "peer")
    try:
        server.start()
    except Unavailable as why:
        pytest.skip(f"no independent peer: {why}")
    yield server
    server.stop()


@pytest.fixture(scope="session")
def medfed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Medfed]:
    """An instance of ours."""
    server = Medfed(tmp_path_factory.mktemp("interop") / "medfed")
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def ada(peer: Peer, medfed: Medfed) -> Member:
    """A member of ours."""
    return medfed.member("ada", "--display-name", "Ada Martin")


@pytest.fixture(scope="session")
def cleo(peer: Peer, medfed: Medfed) -> Member:
    """A member of ours who approves followers."""
    return medfed.member("cleo", "--locked")


@pytest.fixture(scope="session")
def physician(ada: Member, medfed: Medfed) -> Member:
    """Ada, whom her own instance attests as a physician."""
    medfed.run("attest", "issue", "ada", "--profession", "physician", "--specialty", "cardiology", "--level", "high")
    return ada


@pytest.fixture(scope="session")
def frida(peer: Peer) -> PeerPerson:
    """Somebody on the peer, who accepts every follower."""
    return peer.person("frida")


@pytest.fixture(scope="session")
def friends(ada: Member, frida: PeerPerson) -> tuple[Member, PeerPerson]:
    """Ada and Frida, who follow each other."""
    found = ada.finds(frida.handle)
    ada.post(f"/api/v1/accounts/{found['id']}/follow")
    frida.does("follow", target=ada.handle)

    def both() -> bool:
        (now,) = ada.get(f"/api/v1/accounts/relationships?id[]={found['id']}")
        return bool(now["following"] and now["followed_by"])

    eventually(both, "Ada and Frida follow each other")
    return ada, frida
