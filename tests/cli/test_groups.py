"""Groups from the command line."""

import sqlite3
from contextlib import closing

from tests.cli.conftest import Place
from tests.cli.test_people import create


def test_a_group_is_made_listed_moderated_and_closed(place: Place) -> None:
    create(place, "dupont")
    create(place, "roy")
    made = place.run(
        "group", "create", "cardiologie", "--title", "Cardiologie, Lyon", "--moderator", "dupont", "--json"
    )
    assert made.status == 0, made.err
    assert made.json["uri"] == "https://lyon.example/users/cardiologie"
    assert made.json["moderators"] == ["dupont"]
    assert "Cardiologie, Lyon" in place.run("group", "list").out
    assert place.run("group", "members", "cardiologie", "--json").json == []
    changed = place.run("group", "moderators", "cardiologie", "--add", "roy", "--remove", "dupont", "--json")
    assert changed.json["moderators"] == ["roy"]
    assert place.run("audit", "verify").status == 0
    closed = place.run("group", "close", "cardiologie", "--yes", "--json")
    assert closed.json["name"] == "cardiologie"
    assert place.run("group", "list", "--json").json == []
    again = place.run("group", "create", "cardiologie", "--title", "Encore")
    assert (again.status, "taken" in again.err) == (1, True)


def test_a_closed_group_keeps_its_name_to_itself(place: Place) -> None:
    create(place, "dupont")
    made = place.run("group", "create", "rcp", "--title", "Ophelia", "--closed", "--moderator", "dupont", "--json").json
    assert (made["closed"], made["title"], made["members"]) == (True, "Ophelia", 0)
    with closing(sqlite3.connect(place.data / "medfed.db")) as database:
        kept = database.execute("SELECT display_name, locked, discoverable FROM account WHERE username = 'rcp'")
        assert kept.fetchone() == ("", 1, 0)


def test_what_cannot_be_a_group_is_refused_in_one_sentence(place: Place) -> None:
    create(place, "dupont")
    for arguments, word in (
        (["create", "dupont", "--title", "Moi"], "taken"),
        (["create", "a b", "--title", "Moi"], "cannot be a user name"),
        (["create", "neuf", "--title", "x" * 61], "60 characters"),
        (["create", "neuf", "--title", "Neuf", "--moderator", "nobody"], "nobody"),
        (["members", "dupont"], "no group"),
        (["moderators", "nowhere"], "no group"),
        (["close", "dupont", "--yes"], "no group"),
    ):
        done = place.run("group", *arguments)
        assert done.status == 1, arguments
        assert word in done.err, (arguments, done.err)
    assert place.run("group", "list", "--json").json == []
