"""Signatures, proofs and documents of bovine and of apsig before ours, and ours before theirs."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.interop.servers import Libraries, Medfed, Member, Unavailable

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("libraries")]


@pytest.fixture(scope="module")
def boris(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Libraries]:
    """The server of boris."""
    server = Libraries(tmp_path_factory.mktemp("libraries") / "peer")
    try:
        server.start()
    except Unavailable as why:
        pytest.skip(str(why))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def site(boris: Libraries, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Medfed]:
    """An instance of ours."""
    server = Medfed(tmp_path_factory.mktemp("libraries") / "medfed")
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def ada(site: Medfed) -> Member:
    """A member of ours."""
    return site.member("ada", "--display-name", "Ada Martin")


@pytest.fixture(scope="module")
def follower(ada: Member, boris: Libraries) -> Libraries:
    """Boris, who follows Ada and is followed by her."""
    followed = boris.ask("follow", inbox=f"{ada.uri}/inbox", target=ada.uri, by="bovine")
    assert followed["status"] == 202, followed
    boris.receives("Accept", followed["id"])
    found = ada.finds(f"@boris@{boris.domain}")
    ada.post(f"/api/v1/accounts/{found['id']}/follow")
    boris.receives("Follow", f"http://{boris.domain}/boris")
    return boris


def post(boris: Libraries, ada: Member, by: str, **more: Any) -> Any:
    return boris.ask("post", inbox=f"{ada.uri}/inbox", content=f"<p>Von {by}</p>", to=[ada.uri], by=by, **more)


def test_bovine_finds_our_member_by_handle(ada: Member, boris: Libraries) -> None:
    found = boris.ask("find", resource=f"acct:{ada.handle.lstrip('@')}", origin=ada.server.url)
    assert found == ada.uri


def test_our_member_finds_an_actor_that_bovine_wrote(ada: Member, boris: Libraries) -> None:
    found = ada.finds(f"@boris@{boris.domain}")
    assert (found["display_name"], found["uri"]) == ("Boris Petrov", f"http://{boris.domain}/boris")


@pytest.mark.parametrize("by", ["bovine", "bovine, content-digest", "apsig"])
def test_what_either_signs_with_cavage_arrives(ada: Member, follower: Libraries, by: str) -> None:
    answer = post(follower, ada, by)
    assert answer["status"] == 202, answer
    assert f"Von {by}" in ada.notified("mention", uri=answer["uri"])["status"]["content"]


def test_apsigs_rfc_9421_does_not_cover_the_body_and_is_refused(ada: Member, follower: Libraries) -> None:
    answer = post(follower, ada, "apsig, rfc9421")
    assert answer["status"] == 401
    assert "content-digest" in answer["body"]


@pytest.mark.parametrize("by", ["bovine", "apsig"])
def test_fetches_that_either_signs_are_answered(ada: Member, follower: Libraries, by: str) -> None:
    status = ada.post("/api/v1/statuses", status="Pour qui signe")
    assert follower.ask("get", url=status["uri"], by=None)["status"] == 401
    answer = follower.ask("get", url=status["uri"], by=by)
    assert json.loads(answer["body"])["id"] == status["uri"]


def test_both_verify_our_requests_with_cavage_once_they_refused_rfc_9421(ada: Member, follower: Libraries) -> None:
    status = ada.post("/api/v1/statuses", status="Signé deux fois")
    arrived = follower.receives("Create", status["uri"])
    assert (arrived["scheme"], arrived["bovine"], arrived["apsig"]) == ("cavage", ada.uri, f"{ada.uri}#main-key")


def test_apsig_verifies_our_proof_until_a_letter_changes(ada: Member, follower: Libraries) -> None:
    status = ada.post("/api/v1/statuses", status="Prouvé mot pour mot")
    document = dict(follower.receives("Create", status["uri"])["document"])
    assert follower.ask("verify", document=document)["apsig"] is True
    document["object"] = document["object"] | {"content": document["object"]["content"] + " "}
    assert follower.ask("verify", document=document)["apsig"] is False


@pytest.mark.parametrize("proof", ["bovine", "apsig"])
def test_what_another_passes_on_counts_by_the_proof_that_either_made(
    ada: Member, follower: Libraries, proof: str
) -> None:
    told = {"inbox": f"{ada.uri}/inbox", "content": f"<p>Bewiesen: {proof}</p>", "to": [ada.uri], "proof": proof}
    altered = follower.ask("pass-on", altered=True, **told)
    assert altered["status"] == 401, altered
    honest = follower.ask("pass-on", altered=False, **told)
    assert honest["status"] == 202, honest
    assert ada.notified("mention", uri=honest["uri"])["account"]["username"] == "boris"
    assert altered["uri"] not in ada.home()
