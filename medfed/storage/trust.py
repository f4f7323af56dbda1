"""What recognition rests on: issuers' documents and pinned keys, their status lists, the trust policy."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Final, Literal

import orjson

from medfed.domain import policies
from medfed.domain.trust import TrustPolicy
from medfed.kernel.clock import Millis
from medfed.kernel.errors import Conflict
from medfed.storage.database import Row, Transaction, View
from medfed.storage.statements import sql

CHANGED: Final = "policy"
"""The channel that says that another policy is in force."""

_ISSUER_COLUMNS: Final = "did, document, pinned, state, fetched_at, fresh_until, tried_at, last_error"
_ISSUERS = sql(f"SELECT {_ISSUER_COLUMNS} FROM issuer WHERE did IN :dids[text]")
_ALL_ISSUERS = sql(f"SELECT {_ISSUER_COLUMNS} FROM issuer ORDER BY did")
_STALE_ISSUERS = sql(
    f"""
    SELECT {_ISSUER_COLUMNS} FROM issuer i
    WHERE i.fresh_until <= :now AND EXISTS (SELECT 1 FROM credential c WHERE c.issuer = i.did)
    ORDER BY i.tried_at
    """
)
_PUT_ISSUER = sql(
    """
    INSERT INTO issuer (did, document, pinned, state, fetched_at, fresh_until, tried_at, last_error)
    VALUES (:did, :document, :pinned, :state, :fetched_at, :fresh_until, :tried_at, :last_error)
    ON CONFLICT (did) DO UPDATE SET
        document = excluded.document, pinned = excluded.pinned, state = excluded.state,
        fetched_at = excluded.fetched_at, fresh_until = excluded.fresh_until, tried_at = excluded.tried_at,
        last_error = excluded.last_error
    """
)

_CACHE_COLUMNS: Final = "url, issuer, purpose, bits, valid_from, valid_until, ttl, fetched_at, tried_at, last_error"
_CACHED = sql(f"SELECT {_CACHE_COLUMNS} FROM status_cache WHERE url IN :urls[text]")
_PUT_CACHED = sql(
    """
    INSERT INTO status_cache (url, issuer, purpose, bits, valid_from, valid_until, ttl, fetched_at, tried_at,
                              last_error)
    VALUES (:url, :issuer, :purpose, :bits, :valid_from, :valid_until, :ttl, :fetched_at, :tried_at, :last_error)
    ON CONFLICT (url) DO UPDATE SET
        issuer = excluded.issuer, purpose = excluded.purpose, bits = excluded.bits, valid_from = excluded.valid_from,
        valid_until = excluded.valid_until, ttl = excluded.ttl, fetched_at = excluded.fetched_at,
        tried_at = excluded.tried_at, last_error = excluded.last_error
    WHERE status_cache.valid_from <= excluded.valid_from
    """
)
_FAILED_CACHED = sql("UPDATE status_cache SET tried_at = :at, last_error = :error WHERE url = :url")

_POLICY = sql("SELECT version, document FROM trust_policy ORDER BY version DESC LIMIT 1")
_HISTORY = sql("SELECT version, author, created_at FROM trust_policy ORDER BY version DESC LIMIT :limit")
_ADD_POLICY = sql(
    """
    INSERT INTO trust_policy (version, document, author, created_at) VALUES (:version, :document, :author, :at)
    ON CONFLICT (version) DO NOTHING
    """
)

_FOLLOWS_BY_HOST = sql(
    """
    SELECT a.host, COUNT(*) AS follows FROM follow f
    JOIN account a ON a.local = 0 AND (a.id = f.follower_id OR a.id = f.target_id)
    GROUP BY a.host
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownIssuer:
    """An issuer as we know it. `document` is '' while it could never be fetched; `pinned` are Multikeys."""

    did: str
    document: str = ""
    pinned: tuple[str, ...] = ()
    state: Literal["known", "key-discontinuity"] = "known"
    fetched_at: Millis = 0
    fresh_until: Millis = 0
    tried_at: Millis = 0
    last_error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedList:
    """A peer's status list; `bits` is empty while no good one was had."""

    url: str
    issuer: str
    purpose: str
    bits: bytes = b""
    valid_from: Millis = 0
    valid_until: Millis = 0
    ttl: Millis = 0
    fetched_at: Millis = 0
    tried_at: Millis = 0
    last_error: str = ""


async def issuers(view: View, dids: Iterable[str]) -> dict[str, KnownIssuer]:
    """Those of these issuers that we know."""
    wanted = list(set(dids))
    if not wanted:
        return {}
    return {row["did"]: _issuer(row) for row in await view.all(_ISSUERS, dids=wanted)}


async def every_issuer(view: View) -> list[KnownIssuer]:
    """Every issuer that we know."""
    return [_issuer(row) for row in await view.all(_ALL_ISSUERS)]


async def stale_issuers(view: View, now: Millis) -> list[KnownIssuer]:
    """Issuers of known credentials whose document should be fetched anew, longest untried first."""
    return [_issuer(row) for row in await view.all(_STALE_ISSUERS, now=now)]


async def put_issuer(tx: Transaction, issuer: KnownIssuer) -> None:
    """Store what is known of an issuer."""
    await tx.run(_PUT_ISSUER, **(asdict(issuer) | {"pinned": orjson.dumps(issuer.pinned).decode()}))


async def cached_lists(view: View, urls: Iterable[str]) -> dict[str, CachedList]:
    """Those of these status lists that we have."""
    wanted = list(set(urls))
    if not wanted:
        return {}
    return {row["url"]: CachedList(**dict(row)) for row in await view.all(_CACHED, urls=wanted)}


async def put_list(tx: Transaction, cached: CachedList) -> bool:
    """Keep a status list; False when we have a newer one: lists never go backwards (N06)."""
    return await tx.run(_PUT_CACHED, **asdict(cached)) > 0


async def list_failed(tx: Transaction, cached: CachedList) -> None:
    """Remember that a list could not be had, and when; what we have of it stays."""
    if not await tx.run(_FAILED_CACHED, url=cached.url, at=cached.tried_at, error=cached.last_error):
        await put_list(tx, cached)


async def policy(view: View) -> TrustPolicy:
    """The policy in force; version 0, empty, before the first."""
    row = await view.one_or_none(_POLICY)
    return policies.from_json(row["document"]) if row else TrustPolicy()


async def revoked_keys(view: View) -> frozenset[str]:
    """The Multikeys that the policy in force revokes, whoever they belong to."""
    row = await view.one_or_none(_POLICY)
    return frozenset(orjson.loads(row["document"])["revokedKeys"]) if row else frozenset()


async def add_policy(tx: Transaction, new: TrustPolicy, *, author: str, at: Millis) -> None:
    """Put a policy in force. Raises Conflict when its version was taken meanwhile."""
    tx.wake(CHANGED)
    stored = await tx.run(_ADD_POLICY, version=new.version, document=policies.to_json(new), author=author, at=at)
    if not stored:
        raise Conflict("the policy was changed by somebody else meanwhile; look at it again")


async def policy_history(view: View, limit: int = 50) -> list[tuple[int, str, Millis]]:
    """(version, author, time) of the last policies, newest first."""
    rows = await view.all(_HISTORY, limit=limit)
    return [(row["version"], row["author"], row["created_at"]) for row in rows]


async def follows_by_host(view: View) -> dict[str, int]:
    """How many follows there are between members and each peer, either way."""
    return {row["host"]: row["follows"] for row in await view.all(_FOLLOWS_BY_HOST)}


def _issuer(row: Row) -> KnownIssuer:
    return KnownIssuer(**(dict(row) | {"pinned": tuple(orjson.loads(row["pinned"]))}))
