"""Migrations are applied once, whole, in order, and never by a program that is too old."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from medfed.kernel.clock import FixedClock
from medfed.kernel.errors import MedfedError, Misconfigured
from medfed.storage.connect import connect
from medfed.storage.database import Store
from medfed.storage.migrate import bundled, for_sqlite, is_empty, migrate, plan, read
from medfed.storage.sqlite import SqliteStore
from medfed.storage.statements import REGISTRY, sql

_RECORDED = sql("SELECT number FROM schema_migration ORDER BY number")
_TABLES = sql(
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name IN ('one', 'two', 'more')",
    postgres="SELECT tablename AS name FROM pg_tables WHERE tablename IN ('one', 'two', 'more')",
)
_COLUMNS = sql(
    """
    SELECT m.name AS tbl, c.name AS col, c.type AS type, c."notnull" OR c.pk > 0 AS needed, c.pk > 0 AS pk
    FROM sqlite_schema m, pragma_table_info(m.name) c
    WHERE m.type = 'table' AND m.sql LIKE 'CREATE TABLE%' AND m.name <> 'sqlite_sequence'
    """,
    postgres="""
    SELECT c.table_name AS tbl, c.column_name AS col, c.data_type AS type, c.is_nullable = 'NO' AS needed,
           EXISTS (
               SELECT 1 FROM pg_index i
               JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey)
               WHERE i.indisprimary AND i.indrelid = c.table_name::regclass AND a.attname = c.column_name
           ) AS pk
    FROM information_schema.columns c
    WHERE c.table_schema = current_schema()
    """,
)
_INDEXES = sql(
    "SELECT name, tbl_name AS tbl FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL",
    postgres="""
    SELECT indexname AS name, tablename AS tbl FROM pg_indexes
    WHERE schemaname = current_schema() AND indexname NOT LIKE '%\\_pkey' AND indexname NOT LIKE '%\\_key'
    """,
)
for _statement in (_TABLES, _COLUMNS, _INDEXES):
    REGISTRY.remove(_statement)

_AS_SQLITE = {"bigint": "INTEGER", "smallint": "INTEGER", "text": "TEXT", "bytea": "BLOB", "double precision": "REAL"}


def _folder(path: Path, files: dict[str, str]) -> Path:
    path.mkdir(exist_ok=True)
    for name, text in files.items():
        (path / name).write_text(text)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {
        "0001_one.sql": "CREATE TABLE one (id BIGINT PRIMARY KEY, name TEXT NOT NULL);",
        "0002_two.sql": "CREATE TABLE two (id BIGINT PRIMARY KEY); CREATE INDEX two_id ON two (id);",
        "0002_two.postgres.sql": "COMMENT ON TABLE two IS 'a table; on PostgreSQL only';",
        "README.md": "not a migration",
    }
    return _folder(tmp_path / "migrations", files)


async def _tables(store: Store) -> set[str]:
    async with store.view() as view:
        return {row["name"] for row in await view.all(_TABLES)}


async def test_an_empty_database_gets_everything_and_a_second_run_nothing(bare_store: Store) -> None:
    assert await is_empty(bare_store)
    assert await plan(bare_store) == bundled(bare_store.engine)
    assert await is_empty(bare_store), "a plan changes nothing"
    clock = FixedClock(at=5)
    assert [m.number for m in await migrate(bare_store, clock=clock)] == [m.number for m in bundled(bare_store.engine)]
    assert await migrate(bare_store, clock=clock) == []
    assert not await is_empty(bare_store)


async def test_only_what_is_missing_is_applied(bare_store: Store, folder: Path) -> None:
    known = read(folder, bare_store.engine)
    await migrate(bare_store, known=known[:1])
    assert await _tables(bare_store) == {"one"}
    assert [m.name for m in await migrate(bare_store, known=known)] == ["two"]
    assert await _tables(bare_store) == {"one", "two"}


async def test_two_processes_that_migrate_at_once_apply_each_file_once(bare_store: Store, folder: Path) -> None:
    known = read(folder, bare_store.engine)
    done = await asyncio.gather(migrate(bare_store, known=known), migrate(bare_store, known=known))
    assert sorted(m.number for each in done for m in each) == [1, 2]


@pytest.mark.case("I08")
async def test_a_file_that_fails_leaves_nothing_of_itself(bare_store: Store, folder: Path) -> None:
    (folder / "0002_two.sql").write_text("CREATE TABLE two (id BIGINT PRIMARY KEY); CREATE TABLE one (id BIGINT);")
    with pytest.raises(MedfedError):
        await migrate(bare_store, known=read(folder, bare_store.engine))
    assert await _tables(bare_store) == {"one"}
    (folder / "0002_two.sql").write_text("CREATE TABLE two (id BIGINT PRIMARY KEY);")
    await migrate(bare_store, known=read(folder, bare_store.engine))
    assert await _tables(bare_store) == {"one", "two"}


_KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from medfed.storage.connect import connect
from medfed.storage.migrate import migrate, read

async def main(url, folder, after):
    store = await connect(url)
    known = read(Path(folder), store.engine)
    seen = 0
    async def script(self, statements, _script):
        nonlocal seen
        for statement in statements:
            if seen == after:
                os.kill(os.getpid(), signal.SIGKILL)
            await _script(self, [statement])
            seen += 1
    from medfed.storage import postgres, sqlite
    for transaction in (sqlite.SqliteTransaction, postgres.PostgresTransaction):
        plain = transaction.script
        transaction.script = lambda self, statements, plain=plain: script(self, statements, plain)
    await migrate(store, known=known)
    await store.aclose()

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


@pytest.mark.case("I08", "X17")
async def test_killed_between_any_two_statements_the_next_run_completes(empty_database_url: str, folder: Path) -> None:
    kills = 0
    for after in range(8):
        command = [sys.executable, "-c", _KILLED, empty_database_url, str(folder), str(after)]
        done = await asyncio.to_thread(subprocess.run, command, env={**os.environ, "PYTHONPATH": str(Path.cwd())})
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL
        kills += 1
    assert kills >= 3
    store = await connect(empty_database_url)
    assert await plan(store, known=read(folder, store.engine)) == []
    assert await _tables(store) == {"one", "two"}
    await store.aclose()


@pytest.mark.case("I09")
async def test_a_schema_newer_than_the_program_is_refused(bare_store: Store, folder: Path) -> None:
    known = read(folder, bare_store.engine)
    await migrate(bare_store, known=known)
    for attempt in (plan, migrate):
        with pytest.raises(Misconfigured, match="install the newer medfed"):
            await attempt(bare_store, known=known[:1])


async def test_a_changed_file_is_refused(bare_store: Store, folder: Path) -> None:
    await migrate(bare_store, known=read(folder, bare_store.engine))
    (folder / "0001_one.sql").write_text("CREATE TABLE one (id BIGINT PRIMARY KEY);")
    with pytest.raises(Misconfigured, match="0001"):
        await migrate(bare_store, known=read(folder, bare_store.engine))


async def test_a_sqlite_file_with_data_is_copied_first(tmp_path: Path, folder: Path) -> None:
    store = await SqliteStore.open(tmp_path / "medfed.db", durable=False)
    known = read(folder, "sqlite")
    await migrate(store, known=known[:1])
    assert not (tmp_path / "medfed.db.before-0001").exists()
    await migrate(store, known=known)
    await store.aclose()
    copy = await SqliteStore.open(tmp_path / "medfed.db.before-0002", durable=False)
    assert await _tables(copy) == {"one"}
    await copy.aclose()


def test_gaps_and_numbers_used_twice_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="gaps"):
        read(_folder(tmp_path / "gap", {"0002_two.sql": ""}), "sqlite")
    with pytest.raises(Misconfigured, match="twice"):
        read(_folder(tmp_path / "twice", {"0001_one.sql": "", "0001_uno.sql": ""}), "sqlite")


def test_types_are_put_in_sqlite_words_and_unknown_ones_refused() -> None:
    common = "CREATE TABLE t (a BIGINT PRIMARY KEY, b BYTEA, c DOUBLE PRECISION, d TEXT DEFAULT 'BIGINT' COLLATE \"C\")"
    assert for_sqlite(common) == (
        "CREATE TABLE t (a INTEGER PRIMARY KEY, b BLOB, c REAL, d TEXT DEFAULT 'BIGINT' COLLATE BINARY) STRICT"
    )
    with pytest.raises(Misconfigured, match="JSONB"):
        for_sqlite("CREATE TABLE t (a JSONB)")


@pytest.mark.case("I08")
async def test_both_engines_get_the_same_schema(sqlite_template: Path, postgres_url: str, tmp_path: Path) -> None:
    one = await SqliteStore.open(shutil.copyfile(sqlite_template, tmp_path / "copy.db"), durable=False)
    other = await connect(postgres_url)
    async with one.view() as view:
        ours = {(r["tbl"], r["col"], r["type"], bool(r["needed"]), bool(r["pk"])) for r in await view.all(_COLUMNS)}
        our_indexes = {(r["name"], r["tbl"]) for r in await view.all(_INDEXES)}
    async with other.view() as view:
        theirs = {
            (r["tbl"], r["col"], _AS_SQLITE.get(r["type"], r["type"]), r["needed"], r["pk"])
            for r in await view.all(_COLUMNS)
        }
        their_indexes = {(r["name"], r["tbl"]) for r in await view.all(_INDEXES)}
    await one.aclose()
    await other.aclose()
    assert ours == theirs
    assert our_indexes == their_indexes
