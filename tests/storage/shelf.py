"""A small table of the tests' own, and statements on it."""

from medfed.storage.database import Store
from medfed.storage.statements import REGISTRY, sql

ADD = sql("INSERT INTO shelf (id, name) VALUES (:id, :name)")
ALL = sql("SELECT id, name FROM shelf ORDER BY id")
COUNT = sql("SELECT COUNT(*) AS n FROM shelf")
ONE = sql("SELECT id, name FROM shelf WHERE id = :id")
RENAME = sql(
    """
    WITH chosen AS (SELECT id FROM shelf WHERE id IN :ids[])
    UPDATE shelf SET name = name || :name WHERE id IN (SELECT id FROM chosen)
    """
)
REMOVE = sql("DELETE FROM shelf WHERE name IN :names[text] RETURNING id")
SLOW = sql(
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500000) SELECT MAX(i) AS m FROM n"
)

# These are not the program's: the test that prepares every statement has no such table.
for _statement in (ADD, ALL, COUNT, ONE, RENAME, REMOVE, SLOW):
    REGISTRY.remove(_statement)


async def a_shelf(store: Store) -> None:
    """Create the table."""
    kind, strict = ("INTEGER", "STRICT") if store.engine == "sqlite" else ("BIGINT", "")
    async with store.transaction("make a shelf") as tx:
        await tx.script([f"CREATE TABLE shelf (id {kind} PRIMARY KEY, name TEXT NOT NULL UNIQUE) {strict}"])
