"""Other instances: how far each is let in, what it understands, how its lane fares."""

from collections.abc import Iterable
from typing import Final

from medfed.domain.peers import Level, Peer
from medfed.kernel.clock import DAY, Millis
from medfed.storage.database import Row, Transaction, View
from medfed.storage.statements import sql

_COLUMNS: Final = """
    domain, level, note, signs_with, signs_until, first_seen, last_heard, last_sent,
    failing_since, failures, next_at, asked_until, last_error
"""
_FIND = sql(f"SELECT {_COLUMNS} FROM peer WHERE domain = :domain")
_MANY = sql(f"SELECT {_COLUMNS} FROM peer WHERE domain IN :domains[text]")
_ALL = sql(f"SELECT {_COLUMNS} FROM peer ORDER BY domain")
_COUNT = sql("SELECT COUNT(*) FROM peer")
_INSERT = sql(
    """
    INSERT INTO peer (domain, level, note, signs_with, signs_until, first_seen, failures,
                      next_at, asked_until, last_error)
    VALUES (:domain, '', '', '', 0, :at, 0, 0, 0, '')
    ON CONFLICT (domain) DO NOTHING
    """
)
_SET_LEVEL = sql("UPDATE peer SET level = :level, note = :note WHERE domain = :domain")
_HEARD = sql(
    """
    UPDATE peer SET last_heard = :at, failures = CASE WHEN failures > 0 THEN 1 ELSE 0 END,
        next_at = CASE WHEN failures = 0 THEN next_at WHEN asked_until > :at THEN asked_until ELSE :at END
    WHERE domain = :domain
    RETURNING failures
    """
)
_SENT = sql(
    """
    UPDATE peer SET last_sent = :at, failing_since = NULL, failures = 0, next_at = 0, asked_until = 0, last_error = ''
    WHERE domain = :domain
    """
)
_FAILED = sql(
    """
    UPDATE peer SET failures = failures + 1, failing_since = COALESCE(failing_since, :at), next_at = :next_at,
        asked_until = :asked_until, last_error = :error
    WHERE domain = :domain
    """
)
_SIGNS = sql(
    """
    UPDATE peer SET signs_with = :scheme, signs_until = :until
    WHERE domain = :domain AND (signs_with = :known OR signs_until <= :at)
    """
)
_ASSUME = sql(
    """
    UPDATE peer SET signs_with = :scheme, signs_until = :until
    WHERE domain = :domain AND (signs_with IN ('', 'cavage') OR signs_until <= :at)
    """
)
_RETRY_NOW = sql("UPDATE peer SET next_at = 0 WHERE :domain = '' OR domain = :domain")
_CALL_IN = sql("UPDATE peer SET next_at = 0, asked_until = 0 WHERE next_at > :latest OR asked_until > :latest")


_IS_KNOWN = sql(
    """
    SELECT EXISTS (SELECT 1 FROM account WHERE host = :host AND local = 0)
        OR EXISTS (SELECT 1 FROM peer WHERE domain = :host AND level <> '') AS known
    """
)
_NEWCOMERS = sql("SELECT COUNT(*) FROM newcomer WHERE site = :site AND host <> :host AND at > :since")
_INTRODUCE = sql(
    """
    INSERT INTO newcomer (site, host, at) VALUES (:site, :host, :at)
    ON CONFLICT (site, host) DO UPDATE SET at = CASE WHEN newcomer.at > :since THEN newcomer.at ELSE excluded.at END
    """
)
_FORGET_NEWCOMERS = sql("DELETE FROM newcomer WHERE at <= :since")
_USE = sql(
    """
    INSERT INTO peer_usage (host, day, activities, bytes) VALUES (:host, :day, :activities, :bytes)
    ON CONFLICT (host, day) DO UPDATE SET
        activities = peer_usage.activities + excluded.activities, bytes = peer_usage.bytes + excluded.bytes
    RETURNING activities, bytes
    """
)
_USED = sql("SELECT host, activities, bytes FROM peer_usage WHERE day = :day")
_FORGET_USAGE = sql("DELETE FROM peer_usage WHERE day < :day")


async def find(view: View, domain: str) -> Peer | None:
    """What we know about a peer."""
    row = await view.one_or_none(_FIND, domain=domain)
    return _peer(row) if row else None


async def find_many(view: View, domains: Iterable[str]) -> dict[str, Peer]:
    """Those of `domains` that we know."""
    wanted = list(set(domains))
    if not wanted:
        return {}
    return {row["domain"]: _peer(row) for row in await view.all(_MANY, domains=wanted)}


async def everyone(view: View) -> list[Peer]:
    """Every peer we know, by domain."""
    return [_peer(row) for row in await view.all(_ALL)]


async def count(view: View) -> int:
    """How many peers we know."""
    return int(await view.value(_COUNT) or 0)


async def meet(tx: Transaction, domain: str, at: Millis) -> None:
    """Make sure there is a row for a peer."""
    await tx.run(_INSERT, domain=domain, at=at)


async def set_level(tx: Transaction, domain: str, level: Level | None, *, note: str, at: Millis) -> None:
    """Judge a peer; None leaves it to the mode."""
    await meet(tx, domain, at)
    await tx.run(_SET_LEVEL, domain=domain, level=level.value if level else "", note=note)


async def heard_from(tx: Transaction, domain: str, at: Millis) -> bool:
    """A peer has spoken: it lives. What waits for it may be tried at once, unless it asked for patience.

    Whether it had failed us; its failures are counted from the beginning again (J06).
    """
    await meet(tx, domain, at)
    return bool((await tx.one(_HEARD, domain=domain, at=at))["failures"])


async def sent_to(tx: Transaction, domain: str, at: Millis) -> None:
    """A delivery arrived."""
    await meet(tx, domain, at)
    await tx.run(_SENT, domain=domain, at=at)


async def failed(
    tx: Transaction, domain: str, *, at: Millis, next_at: Millis, error: str, asked_until: Millis = 0
) -> None:
    """A delivery failed; the lane rests until `next_at`, and until `asked_until` even if the peer is heard from."""
    await meet(tx, domain, at)
    await tx.run(_FAILED, domain=domain, at=at, next_at=next_at, asked_until=asked_until, error=error[:300])


async def replace_scheme(tx: Transaction, domain: str, scheme: str, *, known: str, until: Millis, at: Millis) -> None:
    """Remember another scheme than was `known`, unless something else was learnt meanwhile."""
    await meet(tx, domain, at)
    await tx.run(_SIGNS, domain=domain, scheme=scheme, known=known, until=until, at=at)


async def assume_scheme(tx: Transaction, domain: str, scheme: str, *, until: Millis, at: Millis) -> None:
    """Take it that a peer accepts a newer signature scheme than the draft, unless it has asked for something else."""
    await meet(tx, domain, at)
    await tx.run(_ASSUME, domain=domain, scheme=scheme, until=until, at=at)


async def retry_now(tx: Transaction, domain: str = "") -> None:
    """Let a lane (or every one) be tried at once."""
    await tx.run(_RETRY_NOW, domain=domain)


async def call_in(tx: Transaction, latest: Millis) -> int:
    """Try at once what was put off beyond `latest`, by a clock that was wrong; how many lanes."""
    return await tx.run(_CALL_IN, latest=latest)


async def is_known(view: View, host: str) -> bool:
    """Whether we know an account of a host, or an administrator has judged it."""
    return bool(await view.value(_IS_KNOWN, host=host))


async def introduce(tx: Transaction, site: str, host: str, *, now: Millis, most: int) -> bool:
    """Begin to know a host; False when `most` others of its site were begun with within a day (H09)."""
    since = now - DAY
    if int(await tx.value(_NEWCOMERS, site=site, host=host, since=since) or 0) >= most:
        return False
    await tx.run(_INTRODUCE, site=site, host=host, at=now, since=since)
    return True


async def use(tx: Transaction, host: str, now: Millis, *, activities: int, size: int) -> tuple[int, int]:
    """Count what a host has sent; (activities, bytes) of the whole day."""
    row = await tx.one(_USE, host=host, day=now // DAY, activities=activities, bytes=size)
    return int(row["activities"]), int(row["bytes"])


async def used(view: View, now: Millis) -> dict[str, tuple[int, int]]:
    """(activities, bytes) of today by host, as far as they were written down."""
    return {row["host"]: (int(row["activities"]), int(row["bytes"])) for row in await view.all(_USED, day=now // DAY)}


async def forget_counts(tx: Transaction, now: Millis) -> None:
    """Drop the counts of earlier days; those of the last week stay."""
    await tx.run(_FORGET_NEWCOMERS, since=now - DAY)
    await tx.run(_FORGET_USAGE, day=now // DAY - 7)


def _peer(row: Row) -> Peer:
    values = dict(row)
    values["level"] = Level(values["level"]) if values["level"] else None
    return Peer(**values)
