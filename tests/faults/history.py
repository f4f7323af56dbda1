"""What happened during a fault, and the invariants that must hold when it is over, whatever happened."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from medfed.delivery.send import SETTLE_AFTER
from medfed.storage.connect import connect
from medfed.storage.database import Row
from medfed.storage.statements import sql

_ARRIVALS = sql("SELECT uri, state, note FROM inbox_log")
_POSTS = sql("SELECT p.uri, a.uri AS author FROM post p JOIN account a ON a.id = p.account_id WHERE p.local = 0")
_HOMES = sql("SELECT p.uri FROM home_entry h JOIN post p ON p.id = h.post_id WHERE p.local = 0")
_MENTIONS = sql("SELECT p.uri FROM notification n JOIN post p ON p.id = n.post_id WHERE n.kind = 'mention'")
_COUNTS = sql("SELECT uri, posts_count FROM account WHERE local = 0")
_OWED = sql("SELECT host, state FROM delivery")
_ORPHANS = sql("SELECT COUNT(*) FROM delivery d LEFT JOIN outbox o ON o.id = d.activity_id WHERE o.id IS NULL")
_INTEGRITY = sql(sqlite="PRAGMA integrity_check", postgres="SELECT 'ok' AS integrity_check")
_FOREIGN_KEYS = sql(sqlite="PRAGMA foreign_key_check", postgres="SELECT 1 WHERE 1 = 0")


@dataclass(slots=True)
class History:
    """What the outside did and saw."""

    sent: set[str] = field(default_factory=set)
    """Activities that were sent, answered or not."""
    acknowledged: set[str] = field(default_factory=set)
    """Activities that were answered 202."""
    mentioning: set[str] = field(default_factory=set)
    """Those of them that mention the member."""
    promised: list[str] = field(default_factory=list)
    """Ids of activities that the member's instance owes, in order."""
    audience: set[str] = field(default_factory=set)
    """Hosts that they are owed to."""
    received: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """By host, in the order in which they came, repetitions included."""
    kills: int = 0
    back_after: list[float] = field(default_factory=list)
    """Seconds from each restart to the first answer."""


@dataclass(slots=True)
class Aftermath:
    """What the database holds when everything has come to rest."""

    arrivals: dict[str, str]
    posts: Counter[str]
    homes: Counter[str]
    mentions: Counter[str]
    authors: Counter[str]
    counted: dict[str, int]
    owed: list[Row]
    damage: list[str]

    @classmethod
    async def of(cls, url: str) -> "Aftermath":
        """Read it. No server may be running on SQLite."""
        store = await connect(url, durable=False)
        try:
            async with store.view() as view:
                posts = await view.all(_POSTS)
                integrity = [str(row["integrity_check"]) for row in await view.all(_INTEGRITY)]
                foreign = [str(dict(row)) for row in await view.all(_FOREIGN_KEYS)]
                orphans = await view.value(_ORPHANS)
                return cls(
                    arrivals={row["uri"]: row["state"] for row in await view.all(_ARRIVALS)},
                    posts=Counter(row["uri"] for row in posts),
                    authors=Counter(row["author"] for row in posts),
                    homes=Counter(row["uri"] for row in await view.all(_HOMES)),
                    mentions=Counter(row["uri"] for row in await view.all(_MENTIONS)),
                    counted={row["uri"]: row["posts_count"] for row in await view.all(_COUNTS)},
                    owed=await view.all(_OWED),
                    damage=[*(line for line in integrity if line != "ok"), *foreign, *(["orphans"] if orphans else [])],
                )
        finally:
            await store.aclose()


RESENT_AFTER_A_KILL = SETTLE_AFTER + 1
"""Deliveries of one lane that a kill may repeat: those made and not yet settled, and the one on its way."""


def violations(history: History, after: Aftermath) -> list[str]:
    """What does not hold, each with the name of its invariant. Empty when all is well."""
    return [
        *(f"I-1 lost: {uri}" for uri in sorted(_lost(history, after))),
        *(f"I-2 not exactly once: {what}" for what in _repeated(history, after)),
        *(f"I-3 {what}" for what in _undelivered(history, after)),
        *(f"I-4 {host} received what is not for it" for host in sorted(set(history.received) - history.audience)),
        *(f"I-5 {damage}" for damage in after.damage),
        *(f"I-6 back only after {seconds:.0f} s" for seconds in history.back_after if seconds > 60),
    ]


def _lost(history: History, after: Aftermath) -> set[str]:
    """I-1: what was answered 202 is stored and applied."""
    applied = {uri for uri, state in after.arrivals.items() if state == "done"}
    stored = {f"{uri}/activity" for uri in after.posts}
    return (history.acknowledged - applied) | (history.acknowledged - stored)


def _repeated(history: History, after: Aftermath) -> list[str]:
    """I-2: every effect of an activity is there once: post, place in the home, notification, count of its author."""
    found = [f"post {uri}" for uri, times in after.posts.items() if times != 1]
    found += [f"home {uri}" for uri in after.posts.keys() | after.homes.keys() if after.homes[uri] != 1]
    expected = {uri.removesuffix("/activity") for uri in history.mentioning} & after.posts.keys()
    found += [f"notification {uri}" for uri in expected | after.mentions.keys() if after.mentions[uri] != 1]
    found += [f"count {uri}" for uri, count in after.counted.items() if count != after.authors[uri]]
    unasked = {f"{uri}/activity" for uri in after.posts} - history.sent
    return found + [f"never sent {uri}" for uri in unasked]


def _undelivered(history: History, after: Aftermath) -> list[str]:
    """I-3: everybody has everything, in order; nothing is owed any more; a kill repeats no more than it may."""
    found = [f"still owed to {row['host']}: {row['state']}" for row in after.owed]
    for host in sorted(history.audience):
        came = list(history.received.get(host, ()))
        once = list(dict.fromkeys(came))
        if set(once) != set(history.promised):
            found.append(f"{host} has {len(once)} of {len(history.promised)}")
        elif once != history.promised:
            found.append(f"{host} got them out of order")
        if len(came) - len(once) > history.kills * RESENT_AFTER_A_KILL:
            found.append(f"{host} got {len(came) - len(once)} again")
    return found
