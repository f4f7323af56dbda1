"""Attestations and the trust policy from the command line."""

import json
from pathlib import Path

import pytest

from medfed.cli.attest import duration
from medfed.kernel.errors import Invalid
from tests.cli.conftest import Done, Place


@pytest.fixture
def hospital(place: Place) -> Place:
    """An instance with one member, roy."""
    assert place.run("member", "create", "roy", "--email", "roy@lyon.example").status == 0
    return place


def attested(place: Place, *more: str) -> Done:
    return place.run(
        "attest", "issue", "roy", "--profession", "physician", "--country", "FR", "--level", "substantial", *more
    )


def test_a_member_is_attested_and_the_credential_printed(hospital: Place) -> None:
    done = attested(hospital, "--specialty", "cardiology")
    assert done.status == 0, done.err
    assert done.json["issuer"]["id"] == "did:web:lyon.example"
    assert "published" in done.err
    (listed,) = hospital.run("attest", "list", "--json").json
    assert listed["subject"] == "roy@lyon.example"
    assert (listed["profession"], listed["specialties"], listed["state"]) == ("physician", ["cardiology"], "accepted")
    assert "cardiology" in hospital.run("attest", "list").out


@pytest.mark.parametrize(
    ("arguments", "status", "word"),
    [
        (["nobody", "--profession", "physician", "--level", "low"], 1, "no account"),
        (["roy", "--profession", "wizard", "--level", "low"], 1, "wizard"),
        (["roy", "--profession", "physician", "--level", "absolute"], 2, "absolute"),
        (["roy", "--profession", "physician", "--level", "low", "--valid-for", "soon"], 1, "365d"),
        (["roy", "--profession", "physician", "--level", "low", "--valid-for", "9999d"], 1, ""),
        (["@a b@c", "--profession", "physician", "--level", "low"], 1, "not a handle"),
    ],
)
def test_what_cannot_be_attested_is_refused(hospital: Place, arguments: list[str], status: int, word: str) -> None:
    done = hospital.run("attest", "issue", *arguments)
    assert done.status == status
    assert word in done.err
    assert hospital.run("attest", "list", "--json").json == []


def test_our_own_word_is_recognised_until_it_is_taken_back(hospital: Place, tmp_path: Path) -> None:
    made = attested(hospital, "--json").json
    file = tmp_path / "credential.json"
    file.write_text(json.dumps(made["credential"]))
    good = hospital.run("attest", "verify", str(file), "--json")
    assert good.status == 0, good.err
    assert good.json["recognised"] is True
    assert good.json["state"] == "trusted"
    assert hospital.run("attest", "revoke", made["id"], "--reason", "left the hospital").status == 0
    bad = hospital.run("attest", "verify", str(file), "--json")
    assert bad.status == 1
    assert bad.json["state"] == "revoked"
    again = hospital.run("attest", "revoke", made["uri"], "--reason", "again")
    assert again.status == 1
    assert "before" in again.err


@pytest.mark.case("N01")
def test_a_changed_credential_is_not_recognised(hospital: Place, tmp_path: Path) -> None:
    credential = attested(hospital).json
    credential["credentialSubject"]["assuranceLevel"] = "high"
    file = tmp_path / "credential.json"
    file.write_text(json.dumps(credential))
    done = hospital.run("attest", "verify", str(file), "--json")
    assert done.status == 1
    assert done.json["authentic"] is False
    assert done.json["state"] == "invalid"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"type": "VerifiableCredential"}', "{" * 10_000, "x" * 70_000])
def test_what_is_no_credential_is_refused_in_words(hospital: Place, tmp_path: Path, text: str) -> None:
    file = tmp_path / "credential.json"
    file.write_text(text)
    done = hospital.run("attest", "verify", str(file))
    assert done.status == 1
    assert done.err.startswith("medfed: ")
    assert done.err.count("\n") == 1
    assert hospital.run("attest", "verify", str(tmp_path / "nothing.json")).status == 1


def test_an_unknown_attestation_cannot_be_revoked(hospital: Place) -> None:
    for id_ in ("1", "x", "https://lyon.example/credentials/x", "99999999999999999999"):
        assert hospital.run("attest", "revoke", id_, "--reason", "x").status == 1


def test_the_policy_goes_out_to_a_file_and_comes_back(hospital: Place, tmp_path: Path) -> None:
    hospital.run("peer", "set", "lille.example", "trusted")
    file = tmp_path / "policy.toml"
    assert hospital.run("policy", "export", str(file)).status == 0
    assert "lille.example" in file.read_text()
    unchanged = hospital.run("policy", "apply", str(file), "--dry-run", "--json").json
    assert (unchanged["peers"], unchanged["attestations"]) == ([], [])
    file.write_text(file.read_text().replace('"trusted"', '"blocked"'))
    planned = hospital.run("policy", "apply", str(file), "--dry-run", "--json").json
    assert planned["peers"] == [{"domain": "lille.example", "before": "trusted", "after": "blocked", "follows": 0}]
    assert "trusted" in hospital.run("peer", "show", "lille.example").out
    applied = hospital.run("policy", "apply", str(file))
    assert applied.status == 0, applied.err
    assert "blocked" in hospital.run("peer", "show", "lille.example").out
    stale = hospital.run("policy", "apply", str(file))
    assert stale.status == 1
    assert "came in between" in stale.err
    assert hospital.run("policy", "show", "--json").json["peers"] == {"lille.example": "blocked"}


@pytest.mark.parametrize("text", ["not toml [", "rules = 3\nversion = 0", "versoin = 1"])
def test_a_policy_that_cannot_be_read_changes_nothing(hospital: Place, tmp_path: Path, text: str) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(text)
    before = hospital.run("policy", "show").out
    done = hospital.run("policy", "apply", str(file))
    assert done.status == 1
    assert done.err.count("\n") == 1
    assert hospital.run("policy", "show").out == before


def test_times_are_a_number_and_a_unit() -> None:
    assert duration("2w") == 14 * 24 * 60 * 60 * 1_000
    for text in ("", "0d", "1y", "-1d", "999999d", "١d"):
        with pytest.raises(Invalid):
            duration(text)


def test_the_key_that_this_instance_attests_with_is_replaced(hospital: Place, tmp_path: Path) -> None:
    file = tmp_path / "credential.json"
    file.write_text(json.dumps(attested(hospital).json))
    made = hospital.run("attest", "replace-key", "--json").json
    assert made["issuer"] == "did:web:lyon.example"
    assert hospital.run("attest", "verify", str(file), "--json").json["state"] == "trusted", "the old key ends later"
    worse = hospital.run("attest", "replace-key", "--compromised")
    assert "has to confirm" in worse.err
    assert worse.out.strip() != made["public"]
    dead = hospital.run("attest", "verify", str(file), "--json")
    assert (dead.status, dead.json["recognised"]) == (1, False)
    assert hospital.run("audit", "verify").status == 0


def test_keys_of_an_issuer_that_nobody_met_cannot_be_confirmed(hospital: Place) -> None:
    assert hospital.run("attest", "issuers", "--json").json == []
    done = hospital.run("attest", "confirm-keys", "lille.example", "--key", "z6MkWrong")
    assert (done.status, done.out) == (1, "")
    assert "medfed attest issuers" in done.err


def test_the_versions_of_the_policy_are_listed_with_who_made_them(hospital: Place, tmp_path: Path) -> None:
    assert hospital.run("policy", "history", "--json").json == []
    file = tmp_path / "policy.toml"
    hospital.run("policy", "export", str(file))
    assert hospital.run("policy", "apply", str(file)).status == 0
    (first,) = hospital.run("policy", "history", "--json").json
    assert (first["version"], first["by"]) == (1, "command line")
