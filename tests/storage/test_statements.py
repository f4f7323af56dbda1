"""SQL is written once: it compiles for both engines, and every statement of the program prepares on both."""

import importlib
import pkgutil
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

import medfed.storage
from medfed.storage import accounts, notifications, outbox
from medfed.storage.migrate import bundled
from medfed.storage.paging import Paged
from medfed.storage.scan import pieces, split
from medfed.storage.statements import REGISTRY, Statement, sql


def _declared(text: str | None = None, **by_engine: str) -> Statement:
    statement = sql(text, **by_engine)
    REGISTRY.remove(statement)
    return statement


def _every_statement() -> list[Statement]:
    for module in pkgutil.iter_modules(medfed.storage.__path__, "medfed.storage."):
        importlib.import_module(module.name)
    return list(REGISTRY)


def test_every_statement_prepares_on_sqlite(sqlite_template: Path) -> None:
    raw = sqlite3.connect(f"file:{sqlite_template}?immutable=1", uri=True)
    statements = _every_statement()
    assert len(statements) > 50
    broken = []
    for statement in statements:
        try:
            raw.execute(f"EXPLAIN {statement.sqlite}", dict.fromkeys(statement.names))
        except sqlite3.Error as error:
            broken.append((str(error), statement.sqlite))
    raw.close()
    assert broken == []


async def test_every_statement_prepares_on_postgres(postgres_url: str) -> None:
    import asyncpg  # noqa: PLC0415 - SQLite alone must be testable without the driver

    raw = await asyncpg.connect(postgres_url)
    broken = []
    for statement in _every_statement():
        try:
            await raw.prepare(statement.postgres)
        except asyncpg.PostgresError as error:
            broken.append((str(error), statement.postgres))
    await raw.close()
    assert broken == []


def test_the_same_name_is_the_same_number() -> None:
    statement = _declared("SELECT :b, :a, :b WHERE x = :a")
    assert statement.postgres == "SELECT $1, $2, $1 WHERE x = $2"
    assert statement.sqlite == "SELECT :b, :a, :b WHERE x = :a"
    assert statement.for_postgres({"a": 1, "b": 2}) == [2, 1]


@pytest.mark.parametrize(
    "opaque",
    [
        "x::text", "':a'", "'it''s :a'", "E'\\':a'", '":a"', "-- :a\n", "/* :a /* :b */ :c */", "$$:a$$",
        "$t$ $$ :a $t$",
    ],
)  # fmt: skip
def test_what_only_looks_like_a_parameter_is_left_alone(opaque: str) -> None:
    statement = _declared(f"SELECT {opaque} , :real")
    assert statement.postgres == f"SELECT {opaque} , $1"
    assert statement.names == {"real"}


def test_a_list_is_an_array_or_a_json_array() -> None:
    statement = _declared("SELECT 1 WHERE a IN :ids[] AND b NOT IN :names[text] AND c = :ids_not")
    assert statement.postgres == "SELECT 1 WHERE a = ANY($1::bigint[]) AND b <> ALL($2::text[]) AND c = $3"
    assert "a IN (SELECT value FROM json_each(:ids)) AND b NOT IN (SELECT value" in statement.sqlite
    given_ = {"ids": (1, 2), "names": ["é"], "ids_not": 3}
    assert statement.for_postgres(given_) == [[1, 2], ["é"], 3]
    assert statement.for_sqlite(given_) == {"ids": "[1, 2]", "names": '["\\u00e9"]', "ids_not": 3}


def test_a_list_of_anything_else_and_a_missing_engine_are_refused() -> None:
    with pytest.raises(ValueError, match="uuid"):
        sql("SELECT 1 WHERE a IN :ids[uuid]")
    with pytest.raises(ValueError, match="each engine"):
        sql(sqlite="SELECT 1")


_FRAGMENTS = st.sampled_from(
    ["SELECT a", " ", "\n", "'x;y'", "''''", '"q;"', "-- c;\n", "/* ; */", "$$ ; $$", "::text", ":name", "= ", "(", ")"]
)


@given(st.lists(_FRAGMENTS).map("".join))
def test_pieces_joined_are_the_text(text: str) -> None:
    assert "".join(piece.text for piece in pieces(text)) == text


@given(st.text(alphabet="ab:;'\"-/*$ \nE\\"))
def test_any_text_can_be_cut(text: str) -> None:
    assert "".join(piece.text for piece in pieces(text)) == text
    split(text)


@given(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1))
def test_numbers_are_dense_and_in_order_of_appearance(names: list[str]) -> None:
    statement = _declared("SELECT " + ", ".join(f":{name}" for name in names))
    numbers = [int(number) for number in re.findall(r"\$(\d+)", statement.postgres)]
    assert [statement.order[number - 1] for number in numbers] == names
    assert len(statement.order) == len(set(names))


def test_a_script_is_split_at_the_semicolons_that_end_statements() -> None:
    script = """
    -- first; not a statement
    CREATE TABLE a (x TEXT DEFAULT ';'); /* ; */
    CREATE TRIGGER t AFTER INSERT ON a BEGIN
        UPDATE a SET x = CASE WHEN x = ';' THEN 'a' ELSE 'b' END;
        DELETE FROM a WHERE x = 'END;';
    END;
    CREATE FUNCTION f () RETURNS trigger AS $body$ BEGIN RETURN NEW; END $body$ LANGUAGE plpgsql;
    ;
    CREATE TRIGGER u AFTER INSERT ON a FOR EACH ROW EXECUTE FUNCTION f ();
    SELECT 1
    """
    heads = [" ".join(statement.split()[:3]) for statement in split(script)]
    assert heads == ["CREATE TABLE a", "CREATE TRIGGER t", "CREATE FUNCTION f", "CREATE TRIGGER u", "SELECT 1"]


_GROWS: Final = frozenset(
    {"account", "attachment", "delivery", "follow", "home_entry", "inbox_log", "notification", "outbox", "post"}
)


def test_only_rare_statements_read_a_whole_table_that_grows() -> None:
    """By SQLite's plan; what may is what an admin asks for, what a search is, and what happens once in an hour."""
    rare = {
        outbox._RESUME, outbox._DROP_INBOX, outbox._UNPARK, outbox._DROP, outbox._LIST, outbox._WITHHELD_SINCE,
        outbox._DROP_WITHHELD, outbox._WITHHOLD_ALL,
        accounts._DIRECTORY, accounts._SEARCH, accounts._COUNT_ACTIVE, accounts._GONE_AT,
        notifications._FORGET_FROM,
    }  # fmt: skip
    raw = sqlite3.connect(":memory:")
    for migration in bundled("sqlite"):
        for statement in migration.statements:
            raw.execute(statement)
    assert [each.sqlite for each in _of_the_program() if each not in rare and _scans(raw, each) & _GROWS] == []


def _of_the_program() -> Iterator[Statement]:
    """Without those that tests declare."""
    for module in pkgutil.iter_modules(medfed.storage.__path__, "medfed.storage."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, Statement):
                yield value
            elif isinstance(value, Paged):
                yield from (value._newest, value._nearest)


def _scans(raw: sqlite3.Connection, statement: Statement) -> set[str]:
    """Tables that it reads from end to end, but for those of which it reads an index that holds what it wants."""
    if "schema_migration" in statement.sqlite:
        return set()
    given_ = {name: "[1]" if name in statement.lists else 1 for name in statement.names}
    steps = [row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {statement.sqlite}", given_)]
    scanned = [step.split()[1] for step in steps if step.startswith("SCAN ") and "COVERING" not in step]
    names = {alias: table for table, alias in re.findall(r"\b(\w+)\s+(?:AS\s+)?(\w)\b", statement.sqlite)}
    return {names.get(name, name) for name in scanned}
