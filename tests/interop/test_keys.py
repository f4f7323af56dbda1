"""Keys of ours that change before Fedify: what is signed with the new ones counts there, and it still reads us."""

import pytest

from tests.interop.servers import Medfed, Peer, PeerPerson, eventually

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("interop")]


@pytest.mark.case("C18")
@pytest.mark.parametrize("how", ["planned", "compromised"])
def test_fedify_believes_who_was_given_new_keys(peer: Peer, medfed: Medfed, frida: PeerPerson, how: str) -> None:
    eva = medfed.member(f"eva-{how}")
    frida.does("follow", target=eva.handle)
    eventually(lambda: eva.get("/api/v1/accounts/verify_credentials")["followers_count"], "Frida follows Eva")
    before = eva.post("/api/v1/statuses", status=f"Avant ({how})")
    assert peer.receives("Create", before["uri"])["signed"]
    medfed.run("member", "rotate-keys", f"eva-{how}", *(["--compromised", "--yes"] if how == "compromised" else []))
    after = eva.post("/api/v1/statuses", status=f"Après ({how})")
    create = peer.receives("Create", after["uri"])
    assert (create["signed"], create["proven"]) == (True, True)
    assert f"{eva.uri}#ed25519-key-2" == create["document"]["proof"]["verificationMethod"]
    found = eva.finds(frida.handle)
    eva.post(f"/api/v1/accounts/{found['id']}/follow")
    asked = f"/api/v1/accounts/relationships?id[]={found['id']}"
    eventually(lambda: eva.get(asked)[0]["following"], "Eva follows Frida")
    # Fedify signs what it asks for: it reads the actor that signed under the id of the new key, fragment and all.
    answer = frida.does("post", content=f"<p>Gelesen ({how})</p>", mentions=[eva.handle])
    eva.sees(answer["uri"])
