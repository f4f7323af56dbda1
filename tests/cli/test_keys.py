"""The keys of accounts, from the command line."""

from pathlib import Path

import pytest

from medfed.activitypub.keys import generate_ed25519, generate_rsa
from tests.cli.conftest import Place

URI = "https://lyon.example/users/roy"


@pytest.fixture
def hospital(place: Place) -> Place:
    """An instance with one member, roy."""
    assert place.run("member", "create", "roy", "--email", "roy@lyon.example").status == 0
    return place


def states(place: Place, *whose: str) -> dict[str, str]:
    """What has become of each key of an account, by what follows # in its id."""
    return {key["id"].partition("#")[2]: key["state"] for key in place.run("member", "keys", *whose, "--json").json}


@pytest.mark.case("C18")
def test_a_member_and_the_instance_are_given_new_keys(hospital: Place) -> None:
    assert states(hospital, "roy") == {"main-key": "current", "ed25519-key": "current"}
    done = hospital.run("member", "rotate-keys", "roy", "--json")
    assert done.status == 0, done.err
    assert done.json == {
        "account": "roy@lyon.example",
        "new": [f"{URI}#main-key-2", f"{URI}#ed25519-key-2"],
        "old": [f"{URI}#ed25519-key", f"{URI}#main-key"],
        "revoked": [],
        "bound_again": 0,
        "unbound": 0,
    }
    assert states(hospital, "roy") == {
        "main-key": "overlapping",
        "ed25519-key": "overlapping",
        "main-key-2": "current",
        "ed25519-key-2": "current",
    }
    assert hospital.run("member", "rotate-keys", "--instance", "--compromised").status == 0
    assert states(hospital, "--instance") == {
        "main-key": "revoked",
        "ed25519-key": "revoked",
        "main-key-2": "current",
        "ed25519-key-2": "current",
    }
    assert hospital.run("doctor").status == 0
    assert "keys-compromised" not in hospital.run("audit", "verify").err


@pytest.mark.case("C18")
def test_the_old_key_id_is_in_the_list_of_what_was_revoked(hospital: Place) -> None:
    done = hospital.run("member", "rotate-keys", "roy", "--compromised", "--json")
    assert done.json["revoked"] == done.json["old"] == [f"{URI}#ed25519-key", f"{URI}#main-key"]
    revoked = [key for key in hospital.run("member", "keys", "roy", "--json").json if key["state"] == "revoked"]
    assert [key["id"] for key in revoked] == done.json["revoked"]
    assert all(key["revoked_at"] and key["revoked_at"] == key["shown_until"] for key in revoked)


def test_every_account_is_given_new_keys_by_the_server(hospital: Place) -> None:
    done = hospital.run("member", "rotate-keys", "--all", "--json")
    assert done.json == {"accounts": 2, "compromised": False}


@pytest.mark.parametrize("arguments", [[], ["roy", "--instance"], ["roy", "--all"]])
def test_it_has_to_be_said_whose_keys_and_once(hospital: Place, arguments: list[str]) -> None:
    assert hospital.run("member", "rotate-keys", *arguments).status == 2
    assert states(hospital, "roy") == {"main-key": "current", "ed25519-key": "current"}


@pytest.mark.parametrize("name", ["nobody", "instance.actor", "roy@lille.example"])
def test_who_is_not_here_is_given_none(hospital: Place, name: str) -> None:
    for command in ("keys", "rotate-keys"):
        done = hospital.run("member", command, name)
        assert (done.status, "no account" in done.err) == (1, True)


@pytest.mark.case("C14")
def test_a_key_is_revoked_by_policy_as_multikey_or_from_a_file(hospital: Place, tmp_path: Path) -> None:
    one, other = generate_ed25519().public, generate_rsa().public
    file = tmp_path / "stolen.pem"
    file.write_text(other.pem)
    assert hospital.run("policy", "revoke-key", one.multikey, "--json").json == {"key": one.multikey, "version": 1}
    assert hospital.run("policy", "revoke-key", str(file), "--json").json == {"key": other.multikey, "version": 2}
    assert hospital.run("policy", "show", "--json").json["revokedKeys"] == [one.multikey, other.multikey]
    again = hospital.run("policy", "revoke-key", one.multikey, "--json")
    assert again.json == {"key": one.multikey, "version": None}


@pytest.mark.parametrize("key", ["z6Mk", "https://peer.example/users/x#main-key", "-----BEGIN PRIVATE KEY-----", ""])
def test_what_is_no_key_is_not_revoked(hospital: Place, key: str) -> None:
    done = hospital.run("policy", "revoke-key", "--", key)
    assert (done.status, "neither a Multikey" in done.err) == (1, True)


def test_a_key_of_an_own_account_is_replaced_and_not_revoked(hospital: Place) -> None:
    done = hospital.run("policy", "revoke-key", f"{URI}#main-key")
    assert (done.status, "rotate-keys NAME --compromised" in done.err) == (1, True)
