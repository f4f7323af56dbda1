"""Members and tokens from the command line."""

import sqlite3
import stat
from contextlib import closing

import pytest

from medfed.cli.output import table
from tests.cli.conftest import Place


def create(place: Place, username: str, *more: str) -> str:
    done = place.run("member", "create", username, "--email", f"{username}@lyon.example", *more)
    assert done.status == 0, done.err
    return done.out


def test_a_member_is_created_with_a_one_time_password(place: Place) -> None:
    done = place.run("member", "create", "roy", "--email", "roy@lyon.example", "--role", "admin", "--json", "--locked")
    made = done.json
    assert made["state"] == "active"
    assert made["role"] == "admin"
    assert made["uri"] == "https://lyon.example/users/roy"
    assert len(made["password"]) == 19
    assert made["password"] not in place.run("member", "list").out


def test_a_password_comes_from_stdin_and_is_not_printed(place: Place) -> None:
    arguments = ("member", "create", "roy", "--email", "roy@lyon.example", "--password-stdin", "--json")
    done = place.spawn(*arguments, stdin="correct horse battery\n")
    assert done.status == 0, done.err
    assert "password" not in done.json
    short = place.spawn("member", "set-password", "roy", "--password-stdin", stdin="short\n")
    assert (short.status, short.err) == (1, "medfed: a password has 8 to 256 characters\n")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["@roy@lille.example", "--email", "a@lyon.example"], "cannot be a user name"),
        (["roy", "--email", "nowhere"], "not an e-mail address"),
        (["DUPONT", "--email", "a@lyon.example"], "taken"),
        (["new", "--email", "dupont@lyon.example"], "taken"),
        (["new\n\x1b[31m", "--email", "a@lyon.example"], "cannot be a user name"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(place: Place, arguments: list[str], word: str) -> None:
    create(place, "dupont")
    done = place.run("member", "create", *arguments)
    assert done.status == 1
    assert word in done.err
    assert done.err.count("\n") == 1
    assert "\x1b" not in done.err
    assert done.out == ""


def test_the_operator_may_call_the_first_admin_admin(place: Place) -> None:
    made = place.run("member", "create", "admin", "--email", "admin@lyon.example", "--role", "admin", "--json")
    assert made.status == 0, made.err
    assert made.json["username"] == "admin"


@pytest.mark.parametrize("handle", ["nobody", "@a b@c", "roy@lille.example", "@"])
def test_an_unknown_or_malformed_handle_is_refused_everywhere(place: Place, handle: str) -> None:
    for command in (
        ["member", "disable", handle],
        ["member", "enable", handle],
        ["member", "approve", handle],
        ["member", "set-role", handle, "admin"],
        ["member", "set-password", handle],
        ["token", "create", handle],
    ):
        done = place.run(*command)
        assert done.status == 1
        assert "medfed: " in done.err
        assert "Traceback" not in done.err


def test_a_token_is_printed_alone_unless_json_is_asked_for(place: Place) -> None:
    create(place, "roy")
    assert len(place.run("token", "create", "roy").out.strip()) == 43
    made = place.run("token", "create", "@roy@lyon.example", "--scopes", "read", "--json").json
    assert (made["scopes"], made["token_type"], made["username"]) == ("read", "Bearer", "roy")
    assert place.run("token", "create", "roy", "--scopes", "everything").err == "medfed: 'everything' is not a scope\n"


def test_a_closed_login_has_no_new_tokens_until_it_is_opened(place: Place) -> None:
    create(place, "roy")
    assert place.run("member", "disable", "roy").status == 0
    assert place.run("member", "list", "--json").json[0]["state"] == "disabled"
    assert "may not sign in" in place.run("token", "create", "roy").err
    assert place.run("member", "enable", "roy").status == 0
    assert place.run("token", "create", "roy").status == 0


def test_roles_and_passwords_change_and_the_trail_holds(place: Place) -> None:
    create(place, "roy")
    assert place.run("member", "set-role", "roy", "verifier").status == 0
    assert place.run("member", "list", "--json").json[0]["role"] == "verifier"
    assert len(place.run("member", "set-password", "roy").out.strip()) == 19
    assert place.run("audit", "verify", "--json").json == {"intact": True, "broken_at": None, "cut_off": None}


def test_an_invitation_is_for_an_address(place: Place) -> None:
    assert place.run("member", "invite", "new@lyon.example").out.count(".") == 1
    assert place.run("member", "invite", "nowhere").status == 1


def test_peers_are_judged_and_shown(place: Place) -> None:
    assert place.run("peer", "set", "Lille.Example", "trusted", "--note", "GHT").status == 0
    (peer,) = place.run("peer", "list", "--json").json
    assert (peer["domain"], peer["level"], peer["note"]) == ("lille.example", "trusted", "GHT")
    assert "trusted" in place.run("peer", "show", "lille.example").out
    assert "limited" in place.run("peer", "show", "unknown.example").err
    for domain in ("lyon.example", "not a domain", ""):
        assert place.run("peer", "set", domain, "trusted").status == 1


def test_queues_are_listed_retried_and_dropped(place: Place) -> None:
    nothing = {"hosts": [], "tasks": [], "arrivals": {"waiting": 0, "dead": 0}}
    assert place.run("queue", "list", "--json").json == nothing
    assert "nothing is owed" in place.run("queue", "list").out
    assert place.run("queue", "retry").status == 0
    assert "0 deliveries" in place.run("queue", "drop", "lille.example").err
    assert place.run("queue", "drop", "lille.example", "--json").json == {"domain": "lille.example", "dropped": 0}


def test_what_was_given_up_is_a_problem_until_it_is_tried_again(place: Place) -> None:
    with closing(sqlite3.connect(place.data / "medfed.db")) as raw, raw:
        raw.execute("INSERT INTO task VALUES (1, 'sweep', '{}', 'sweep', 0, 0, 5, 'dead', 'ZeroDivisionError')")
        raw.execute("INSERT INTO inbox_log VALUES (1, 'https://a.example/1', 'https://a.example/roy', 'Create',"
                    " X'7B7D', 0, 'dead', 5, 0, '')")  # fmt: skip
    doctor = place.run("doctor", "--json")
    problems = [each["says"] for each in doctor.json["findings"] if each["weight"] == "problem"]
    assert doctor.status == 1
    assert all("medfed queue" in problem for problem in problems)
    assert len(problems) == 2
    done = place.run("queue", "retry", "--json").json
    assert done == {"domain": "", "put_back": 0, "tasks": 1, "arrivals": 1}
    listed = place.run("queue", "list", "--json").json
    assert listed["arrivals"] == {"waiting": 1, "dead": 0}
    assert [task["state"] for task in listed["tasks"]] == ["waiting"]


def test_what_a_peer_refused_has_no_next_time_until_somebody_says_so(place: Place) -> None:
    with closing(sqlite3.connect(place.data / "medfed.db")) as raw, raw:
        (author,) = raw.execute("SELECT id FROM account").fetchone()
        made = "INSERT INTO outbox VALUES (1, 'https://lyon.example/1', ?, NULL, 'Create', X'7B7D', 0, 0, 0, 0)"
        raw.execute(made, (author,))
        raw.execute("INSERT INTO delivery VALUES (2, 1, 'lille.example', 'https://lille.example/inbox', 'parked', 1, 0,"
                    " 'RemoteRefused: 403')")  # fmt: skip
    (host,) = place.run("queue", "list", "--json").json["hosts"]
    assert (host["state"], host["next"], host["last_error"]) == ("refused", None, "RemoteRefused: 403")
    assert place.run("queue", "retry", "lille.example", "--json").json["put_back"] == 1
    (host,) = place.run("queue", "list", "--json").json["hosts"]
    assert (host["state"], host["next"]) == ("waiting", "now")


def test_nothing_that_is_written_can_be_read_by_others(place: Place) -> None:
    create(place, "roy")
    for path in place.data.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_a_table_shows_no_control_characters() -> None:
    text = table(
        [{"name": "a\x1b[31m\n", "empty": "", "yes": True, "many": ["a", "b"]}], "name", "empty", "yes", "many"
    )
    assert text.splitlines()[1] == "a\\x1b[31m\\n  –      yes  a, b"


def test_a_token_for_an_admin_includes_the_administration_and_a_members_does_not(place: Place) -> None:
    assert place.run("member", "create", "boss", "--email", "boss@lyon.example", "--role", "admin").status == 0
    assert place.run("member", "create", "roy", "--email", "roy@lyon.example").status == 0
    admin = place.run("token", "create", "boss", "--scopes", "read write follow push", "--json").json
    assert admin["scopes"] == "read write follow push admin:read admin:write"
    member = place.run("token", "create", "roy", "--scopes", "read write follow push", "--json").json
    assert member["scopes"] == "read write follow push"


def test_a_hospital_can_act_under_its_own_name(place: Place) -> None:
    made = place.run("member", "create", "chu", "--email", "chu@lyon.example", "--kind", "Organization", "--json")
    assert made.status == 0, made.err
    assert place.run("member", "create", "x", "--email", "x@lyon.example", "--kind", "Application").status == 2


# ── moving and leaving ───────────────────────────────────────────────────────────────────────────────────────


def test_a_member_moves_to_another_that_names_them_and_back(place: Place) -> None:
    create(place, "dupont")
    create(place, "durand")
    refused = place.run("member", "move", "dupont", "@durand")
    assert refused.status == 1
    assert "add @dupont@lyon.example to its aliases first" in refused.err
    uri = "https://lyon.example/users/dupont"
    assert place.run("member", "alias", "durand", "@dupont", "--json").json["aliases"] == [uri]
    moved = place.run("member", "move", "dupont", "@durand", "--json")
    assert moved.json == {"username": "dupont", "moved_to": "https://lyon.example/users/durand"}
    assert place.run("member", "move", "dupont", "--back", "--json").json["moved_to"] == ""
    again = place.run("member", "move", "dupont", "@durand")
    assert again.status == 1
    assert "can move again from" in again.err
    assert place.run("member", "alias", "durand", uri, "--remove", "--json").json["aliases"] == []
    assert place.run("member", "move", "dupont").status == 2


def test_a_member_is_erased_for_good(place: Place) -> None:
    create(place, "dupont")
    done = place.run("member", "delete", "dupont", "--json")
    assert done.json == {"username": "dupont", "uri": "https://lyon.example/users/dupont"}
    assert place.run("member", "list", "--json").json == []
    assert place.run("member", "delete", "dupont").status == 1
    taken = place.run("member", "create", "Dupont", "--email", "x@lyon.example")
    assert taken.status == 1
    assert "taken" in taken.err
    assert place.run("audit", "verify").status == 0
