"""Bring a database to the schema that this program knows: numbered SQL files, forward only, each in one transaction.

The files are described in medfed/storage/migrations/README.md.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final

from medfed.kernel.clock import Clock, SystemClock
from medfed.kernel.errors import Misconfigured
from medfed.storage.database import Store, Transaction, View
from medfed.storage.scan import pieces, split
from medfed.storage.sqlite import SqliteStore
from medfed.storage.statements import Engine, sql

_FILE: Final = re.compile(r"(?P<number>\d{4})_(?P<name>[a-z0-9_]+)(?:\.(?P<engine>sqlite|postgres))?\.sql")

_RECORD_TABLE: Final = """
    CREATE TABLE IF NOT EXISTS schema_migration (
        number      BIGINT PRIMARY KEY,
        name        TEXT NOT NULL,
        checksum    TEXT NOT NULL,
        applied_at  BIGINT NOT NULL
    )
"""
# Any number will do, as long as no other program takes the same one in this database.
_LOCK = sql(
    "SELECT 1 AS locked",
    postgres="SELECT set_config('statement_timeout', '0', true) AS locked FROM pg_advisory_xact_lock(7236723)",
)
_HAS_RECORD = sql(
    "SELECT COUNT(*) AS n FROM sqlite_schema WHERE name = 'schema_migration'",
    postgres="SELECT COUNT(*) AS n FROM pg_tables WHERE tablename = 'schema_migration'"
    " AND schemaname = current_schema()",
)
_APPLIED = sql("SELECT number, name, checksum, applied_at FROM schema_migration ORDER BY number")
_RECORD = sql(
    """
    INSERT INTO schema_migration (number, name, checksum, applied_at)
    VALUES (:number, :name, :checksum, :applied_at)
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One step of the schema, as one engine will execute it."""

    number: int
    name: str
    checksum: str
    """SHA-256 of the files it was read from."""
    statements: tuple[str, ...]


async def migrate(
    store: Store, *, clock: Clock | None = None, known: Sequence[Migration] | None = None
) -> list[Migration]:
    """Apply what is missing, and return it. A SQLite file that holds data is first copied beside itself.

    Safe to interrupt anywhere and to run again, also by several processes at once. Raises Misconfigured when an
    applied file has been changed, or the schema is newer than this program.
    """
    known = bundled(store.engine) if known is None else known
    waiting = await plan(store, known=known)
    if waiting and isinstance(store, SqliteStore) and waiting[0] is not known[0]:
        await store.copy_to(store.path.with_name(f"{store.path.name}.before-{waiting[0].number:04}"))
    clock = clock or SystemClock()
    return [migration for migration in waiting if await _apply(store, migration, known, clock)]


async def plan(store: Store, *, known: Sequence[Migration] | None = None) -> list[Migration]:
    """What `migrate` would apply, in order; changes nothing. Raises like `migrate`."""
    known = bundled(store.engine) if known is None else known
    async with store.view() as view:
        return await _waiting(view, known)


@cache
def bundled(engine: Engine) -> list[Migration]:
    """The migrations that this program carries, in order. They do not change while it runs."""
    return read(resources.files("medfed.storage").joinpath("migrations"), engine)


def read(folder: Traversable, engine: Engine) -> list[Migration]:
    """The migrations in a folder, for `engine`. Raises Misconfigured for a number used twice or left out."""
    parts: dict[int, dict[str, tuple[str, str]]] = {}
    for file in sorted(folder.iterdir(), key=lambda each: each.name):
        match = _FILE.fullmatch(file.name)
        if match is None:
            continue
        kinds = parts.setdefault(int(match["number"]), {})
        kind = match["engine"] or ""
        if kind in kinds or any(name != match["name"] for name, _ in kinds.values()):
            raise Misconfigured(f"migration {match['number']} exists twice")
        kinds[kind] = (match["name"], file.read_text(encoding="utf-8").replace("\r\n", "\n"))
    if list(parts) != list(range(1, len(parts) + 1)):
        raise Misconfigured(f"migrations must be numbered 1, 2, 3, … without gaps: {sorted(parts)}")
    return [_migration(number, kinds, engine) for number, kinds in parts.items()]


def _migration(number: int, kinds: dict[str, tuple[str, str]], engine: Engine) -> Migration:
    common = kinds.get("", ("", ""))[1]
    own = kinds.get(engine, ("", ""))[1]
    statements = split(common)
    if engine == "sqlite":
        statements = [for_sqlite(statement) for statement in statements]
    return Migration(
        number=number,
        name=next(iter(kinds.values()))[0],
        checksum=hashlib.sha256(f"{common}\0{own}".encode()).hexdigest(),
        statements=(*statements, *split(own)),
    )


_TYPES: Final = re.compile(r"\b(BIGINT|SMALLINT|BYTEA|DOUBLE\s+PRECISION)\b", re.IGNORECASE)
_SQLITE_TYPES: Final = {"BIGINT": "INTEGER", "SMALLINT": "INTEGER", "BYTEA": "BLOB", "DOUBLE": "REAL"}
_FOREIGN_TYPES: Final = re.compile(
    r"\b(BOOLEAN|JSONB?|(?:BIG|SMALL)?SERIAL|TIMESTAMPTZ?|UUID|VARCHAR|NUMERIC|INTEGER)\b", re.IGNORECASE
)
_CREATE_TABLE: Final = re.compile(r"CREATE\s+TABLE\b", re.IGNORECASE)
_KEY_OF_COLUMNS: Final = re.compile(r"PRIMARY\s+KEY\s*\(", re.IGNORECASE)


def for_sqlite(statement: str) -> str:
    """A statement of a common file in SQLite's words. Raises Misconfigured for a type outside the agreed ones."""
    mapped = "".join(
        _TYPES.sub(_sqlite_type, piece.text) if piece.kind == "code" else piece.text
        for piece in pieces(_refuse_foreign_types(statement))
    ).replace('COLLATE "C"', "COLLATE BINARY")
    mapped = mapped.replace("GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY", "PRIMARY KEY AUTOINCREMENT")
    if not _CREATE_TABLE.match(mapped):
        return mapped
    # Such tables join others, and are little more than their key: SQLite then keeps one tree for both.
    return f"{mapped} STRICT, WITHOUT ROWID" if _KEY_OF_COLUMNS.search(mapped) else f"{mapped} STRICT"


def _sqlite_type(match: re.Match[str]) -> str:
    return _SQLITE_TYPES[match.group().split()[0].upper()]


def _refuse_foreign_types(statement: str) -> str:
    for piece in pieces(statement):
        found = _FOREIGN_TYPES.search(piece.text) if piece.kind == "code" else None
        if found is not None:
            raise Misconfigured(f"{found.group()} in a migration: use BIGINT, SMALLINT, TEXT, BYTEA, DOUBLE PRECISION")
    return statement


async def _apply(store: Store, migration: Migration, known: Sequence[Migration], clock: Clock) -> bool:
    """Apply `migration`, unless somebody else has done so since it was planned."""
    async with store.transaction(f"migration {migration.number}") as tx:
        await hold(tx)
        await _make_record_table(tx, store.engine)
        if migration not in await _waiting(tx, known):
            return False
        await tx.script(migration.statements)
        await tx.run(
            _RECORD,
            number=migration.number,
            name=migration.name,
            checksum=migration.checksum,
            applied_at=clock.now(),
        )
        return True


async def _make_record_table(tx: Transaction, engine: Engine) -> None:
    if not await tx.value(_HAS_RECORD):
        await tx.script([for_sqlite(_RECORD_TABLE.strip()) if engine == "sqlite" else _RECORD_TABLE])


async def _waiting(view: View, known: Sequence[Migration]) -> list[Migration]:
    if not await view.value(_HAS_RECORD):
        return list(known)
    applied = await view.all(_APPLIED)
    if len(applied) > len(known):
        raise Misconfigured(
            f"the database has schema {applied[-1]['number']}, this program knows {len(known)}: "
            "install the newer medfed, or restore the copy made before migrating"
        )
    for row, migration in zip(applied, known, strict=False):
        if (row["number"], row["checksum"]) != (migration.number, migration.checksum):
            raise Misconfigured(
                f"migration {row['number']:04} ({row['name']}) is not the one that this database was made with"
            )
    return list(known[len(applied) :])


async def hold(tx: Transaction) -> None:
    """Wait until nobody else migrates or sets up this database, and keep them waiting until the transaction ends."""
    await tx.one(_LOCK)


async def is_empty(store: Store) -> bool:
    """Whether nothing was ever migrated here: `serve` may then set it up by itself."""
    async with store.view() as view:
        return not await view.value(_HAS_RECORD)
