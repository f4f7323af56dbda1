"""Reports, and the audit trail: a chain in which no entry can be changed unseen."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from medfed.kernel.clock import Millis
from medfed.kernel.paging import Page
from medfed.storage.database import Transaction, View
from medfed.storage.paging import Paged
from medfed.storage.statements import sql


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A member, or a peer's instance actor, finds fault with an account."""

    id: int
    uri: str
    reporter_id: int
    target_id: int
    post_uris: tuple[str, ...]
    comment: str
    category: str
    forwarded: bool
    created_at: Millis
    resolved_at: Millis | None = None
    resolved_by: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Who did what to whom; `detail` is JSON and never holds content."""

    seq: int
    at: Millis
    actor: str
    action: str
    subject: str
    detail: str
    previous: str
    hash: str


_ADD_REPORT = sql(
    """
    INSERT INTO report (id, uri, reporter_id, target_id, post_uris, comment, category, forwarded, created_at)
    VALUES (:id, :uri, :reporter_id, :target_id, :post_uris, :comment, :category, :forwarded, :created_at)
    ON CONFLICT (uri) DO NOTHING
    """
)
_REPORTS = Paged(
    """
    SELECT r.id, r.uri, r.reporter_id, r.target_id, r.post_uris, r.comment, r.category, r.forwarded, r.created_at,
           r.resolved_at, r.resolved_by
    FROM report r WHERE (:open_only = 0 OR r.resolved_at IS NULL)
    """,
    "r.id",
)
_RESOLVE = sql("UPDATE report SET resolved_at = :at, resolved_by = :by WHERE id = :id AND resolved_at IS NULL")
# Two that append at once would both follow the same entry; SQLite has one writer.
_TURN = sql("SELECT 1", postgres="SELECT pg_advisory_xact_lock(7236724)")
_HASH_OF = sql("SELECT hash FROM audit WHERE seq = :seq")
_HEAD = sql("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")
_APPEND = sql(
    """
    INSERT INTO audit (seq, at, actor, action, subject, detail, previous, hash)
    VALUES (:seq, :at, :actor, :action, :subject, :detail, :previous, :hash)
    """
)
_AUDIT = Paged("SELECT seq, at, actor, action, subject, detail, previous, hash FROM audit WHERE 1 = 1", "seq")
_AUDIT_FROM = sql(
    """
    SELECT seq, at, actor, action, subject, detail, previous, hash FROM audit
    WHERE seq > :after ORDER BY seq LIMIT :limit
    """
)


async def add_report(tx: Transaction, report: Report) -> bool:
    """Store a report; False if it was stored before."""
    values = asdict(report)
    del values["resolved_at"], values["resolved_by"]
    values |= {"post_uris": orjson.dumps(report.post_uris).decode(), "forwarded": int(report.forwarded)}
    return await tx.run(_ADD_REPORT, **values) > 0


async def reports(view: View, page: Page, *, open_only: bool) -> list[Report]:
    """Reports, newest first."""
    return [
        Report(
            **(dict(row) | {"post_uris": tuple(orjson.loads(row["post_uris"])), "forwarded": bool(row["forwarded"])})
        )
        for row in await _REPORTS.rows(view, page, open_only=int(open_only))
    ]


async def resolve_report(tx: Transaction, id_: int, *, by: int, at: Millis) -> bool:
    """Close a report; False if it was closed."""
    return await tx.run(_RESOLVE, id=id_, by=by, at=at) > 0


async def record(
    tx: Transaction, *, at: Millis, actor: str, action: str, subject: str, detail: Mapping[str, Any] | None = None
) -> None:
    """Append to the audit trail, in the transaction of what it tells (G16)."""
    await tx.value(_TURN)
    head = await tx.one_or_none(_HEAD)
    seq = head["seq"] + 1 if head else 1
    previous = head["hash"] if head else ""
    text = orjson.dumps(dict(detail or {}), option=orjson.OPT_SORT_KEYS).decode()
    await tx.run(
        _APPEND,
        seq=seq,
        at=at,
        actor=actor,
        action=action,
        subject=subject,
        detail=text,
        previous=previous,
        hash=link(previous, seq=seq, at=at, actor=actor, action=action, subject=subject, detail=text),
    )


def link(previous: str, *, seq: int, at: Millis, actor: str, action: str, subject: str, detail: str) -> str:
    """SHA-256, in hex, over the hash before and the fields of an entry."""
    fields = orjson.dumps([previous, seq, at, actor, action, subject, detail])
    return hashlib.sha256(fields).hexdigest()


async def audit(view: View, page: Page) -> list[AuditEntry]:
    """The trail, newest first."""
    return [AuditEntry(**dict(row)) for row in await _AUDIT.rows(view, page)]


async def head(view: View) -> tuple[int, str] | None:
    """Sequence number and hash of the last entry."""
    row = await view.one_or_none(_HEAD)
    return (row["seq"], row["hash"]) if row else None


async def hash_of(view: View, seq: int) -> str | None:
    """The hash of an entry, if there is one of this number."""
    found: str | None = await view.value(_HASH_OF, seq=seq)
    return found


async def first_broken_link(view: View) -> int | None:
    """The sequence number of the first entry that was changed, removed or moved; None if the chain holds."""
    previous, expected, after = "", 1, 0
    while True:
        rows = await view.all(_AUDIT_FROM, after=after, limit=1_000)
        if not rows:
            return None
        for row in rows:
            entry = AuditEntry(**dict(row))
            values = asdict(entry)
            stored, before = values.pop("hash"), values.pop("previous")
            if entry.seq != expected or before != previous or stored != link(previous, **values):
                return expected
            previous, expected, after = entry.hash, entry.seq + 1, entry.seq
