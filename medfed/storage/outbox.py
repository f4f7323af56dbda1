"""What we owe to peers: activities, and one delivery for each inbox that is to have them."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final, TypeAlias

from medfed.kernel.clock import Millis
from medfed.kernel.paging import Page
from medfed.storage.database import Transaction, View
from medfed.storage.paging import Paged
from medfed.storage.statements import sql

WITHDRAWALS: Final = frozenset({"Delete", "Undo", "Remove"})
"""What takes something back: owed for longer than the rest, even to who does not answer."""

_ADD = sql(
    """
    INSERT INTO outbox (id, uri, account_id, post_id, kind, body, listed, to_followers, keep_until, created_at)
    VALUES (:id, :uri, :account_id, :post_id, :kind, :body, :listed, :to_followers, :keep_until, :created_at)
    """
)
_OWE = sql(
    """
    INSERT INTO delivery (activity_id, host, inbox, state, attempts, next_at, last_error)
    VALUES (:activity_id, :host, :inbox, 'waiting', 0, :at, '')
    ON CONFLICT (activity_id, inbox) DO NOTHING
    """
)
_OWE_FOLLOWERS = sql(
    """
    INSERT INTO delivery (activity_id, host, inbox, state, attempts, next_at, last_error)
    SELECT DISTINCT CAST(:activity_id AS BIGINT), a.host,
           CASE WHEN a.shared_inbox <> '' THEN a.shared_inbox ELSE a.inbox END, 'waiting', 0, CAST(:at AS BIGINT), ''
    FROM follow f JOIN account a ON a.id = f.follower_id LEFT JOIN peer p ON p.domain = a.host
    WHERE f.target_id = :account_id AND f.state = 'accepted' AND a.local = 0
      AND a.suspended_at IS NULL AND a.gone_at IS NULL AND a.inbox <> ''
      AND CASE WHEN COALESCE(p.level, '') = '' THEN CAST(:unjudged AS TEXT) ELSE p.level END IN :levels[text]
      AND a.host <> CAST(:but_not_on AS TEXT)
    ON CONFLICT (activity_id, inbox) DO NOTHING
    """
)
# Whoever was given it or fetched it, and whoever does something with it, for a group may have brought it to them.
_OWE_HOLDERS = sql(
    """
    INSERT INTO delivery (activity_id, host, inbox, state, attempts, next_at, last_error)
    SELECT CAST(:activity_id AS BIGINT), h.host, h.inbox, 'waiting', 0, CAST(:at AS BIGINT), ''
    FROM (
        SELECT holder.host, (
            SELECT CASE WHEN a.shared_inbox <> '' THEN a.shared_inbox ELSE a.inbox END FROM account a
            WHERE a.local = 0 AND a.host = holder.host AND a.inbox <> '' AND a.gone_at IS NULL
              AND (a.suspended_at IS NULL OR CAST(:even_suspended AS SMALLINT) = 1)
            LIMIT 1
        ) AS inbox
        FROM (
            SELECT d.host FROM post_distribution d WHERE d.post_id = :post_id
            UNION SELECT a.host FROM post b JOIN account a ON a.id = b.account_id
                  WHERE b.boost_of_id = :post_id AND a.local = 0
            UNION SELECT a.host FROM post r JOIN account a ON a.id = r.account_id
                  WHERE r.in_reply_to_id = :post_id AND a.local = 0
            UNION SELECT a.host FROM reaction l JOIN account a ON a.id = l.account_id
                  WHERE l.post_id = :post_id AND a.local = 0
            UNION SELECT a.host FROM poll_vote v JOIN account a ON a.id = v.account_id
                  WHERE v.post_id = :post_id AND a.local = 0
            UNION SELECT a.host FROM quote q JOIN post s ON s.id = q.post_id JOIN account a ON a.id = s.account_id
                  WHERE q.quoted_id = :post_id AND a.local = 0
        ) holder
    ) h LEFT JOIN peer p ON p.domain = h.host
    WHERE h.inbox IS NOT NULL AND h.host <> CAST(:but_not_on AS TEXT)
      AND CASE WHEN COALESCE(p.level, '') = '' THEN CAST(:unjudged AS TEXT) ELSE p.level END IN :levels[text]
      AND NOT EXISTS (SELECT 1 FROM delivery o WHERE o.activity_id = :activity_id AND o.host = h.host)
    ON CONFLICT (activity_id, inbox) DO NOTHING
    """
)
_FOLLOWER_INBOXES = sql(
    """
    SELECT DISTINCT a.host, CASE WHEN a.shared_inbox <> '' THEN a.shared_inbox ELSE a.inbox END AS inbox
    FROM follow f JOIN account a ON a.id = f.follower_id
    WHERE f.target_id = :account_id AND f.state = 'accepted' AND a.local = 0
      AND a.suspended_at IS NULL AND a.gone_at IS NULL AND a.inbox <> ''
    """
)
_REMEMBER_HOSTS = sql(
    """
    INSERT INTO post_distribution (post_id, host, at)
    SELECT DISTINCT CAST(:post_id AS BIGINT), d.host, CAST(:at AS BIGINT) FROM delivery d
    WHERE d.activity_id = :activity_id
    ON CONFLICT DO NOTHING
    """
)
_INBOXES_ON = sql(
    """
    SELECT a.host, MIN(CASE WHEN a.shared_inbox <> '' THEN a.shared_inbox ELSE a.inbox END) AS inbox
    FROM account a WHERE a.local = 0 AND a.host IN :hosts[text] AND a.inbox <> '' AND a.gone_at IS NULL
    GROUP BY a.host
    """
)
_EVERYBODY = sql(
    """
    SELECT a.host, MIN(CASE WHEN a.shared_inbox <> '' THEN a.shared_inbox ELSE a.inbox END) AS inbox
    FROM account a WHERE a.local = 0 AND a.inbox <> '' AND a.gone_at IS NULL
    GROUP BY a.host
    """
)
# From host to host along the index: what waits for hosts that are down costs nothing, however much it is.
_LANES: Final = """
    WITH RECURSIVE lane (host) AS (
        SELECT (SELECT MIN(d.host) FROM delivery d WHERE d.state = 'waiting')
        UNION ALL
        SELECT (SELECT MIN(d.host) FROM delivery d WHERE d.state = 'waiting' AND d.host > lane.host)
        FROM lane WHERE lane.host IS NOT NULL
    )
"""
_DUE_HOSTS = sql(
    f"""
    {_LANES},
    due AS (
        SELECT lane.host, CASE WHEN p.failures > 0 THEN 1 ELSE 0 END AS doubtful,
               (SELECT MIN(d.id) FROM delivery d WHERE d.host = lane.host AND d.state = 'waiting') AS first_id,
               (SELECT MAX(d.id) FROM delivery d WHERE d.host = lane.host AND d.state = 'waiting') AS last_id
        FROM lane LEFT JOIN peer p ON p.domain = lane.host
        WHERE lane.host IS NOT NULL AND (p.next_at IS NULL OR p.next_at <= :now) AND NOT lane.host IN :busy[text]
    ),
    ranked AS (SELECT due.*, ROW_NUMBER() OVER (PARTITION BY doubtful ORDER BY first_id) AS place FROM due)
    SELECT host, first_id, last_id, doubtful FROM ranked
    WHERE (doubtful = 1 AND place <= :doubtful) OR (doubtful = 0 AND place <= :limit)
    ORDER BY first_id
    """
)
_DELIVERY: Final = """
    SELECT d.id, d.activity_id, d.host, d.inbox, d.attempts, o.uri, o.kind, o.body, o.account_id, o.post_id,
           o.keep_until, o.created_at, o.to_followers, p.visibility, m.since AS missing_since, m.tries AS missing_tries
    FROM delivery d JOIN outbox o ON o.id = d.activity_id LEFT JOIN post p ON p.id = o.post_id
    LEFT JOIN missing_inbox m ON m.inbox = d.inbox
"""
_LANE = sql(f"{_DELIVERY} WHERE d.host = :host AND d.state = 'waiting' ORDER BY d.id LIMIT :limit")
_WAITING = sql(f"{_DELIVERY} WHERE d.id IN :ids[] AND d.state = 'waiting'")
_DONE = sql("DELETE FROM delivery WHERE id = :id")
_FAILED = sql("UPDATE delivery SET attempts = attempts + 1, last_error = :error WHERE id = :id")
_PARK = sql(
    """
    UPDATE delivery SET state = 'parked', attempts = attempts + 1, last_error = :error, next_at = :again_at
    WHERE id = :id
    """
)
_RESUME = sql("UPDATE delivery SET state = 'waiting' WHERE state = 'parked' AND next_at > 0 AND next_at <= :now")
_WITHHOLD = sql("UPDATE delivery SET state = 'withheld', last_error = :error, next_at = :until WHERE id = :id")
_RELEASE = sql("UPDATE delivery SET state = 'waiting' WHERE state = 'withheld' AND host = :host")
_WITHHELD_SINCE = sql(
    "SELECT host, COUNT(*) AS dropped FROM delivery WHERE state = 'withheld' AND next_at <= :now GROUP BY host"
)
_DROP_WITHHELD = sql("DELETE FROM delivery WHERE state = 'withheld' AND next_at <= :now")
_WITHHOLD_ALL = sql(
    "UPDATE delivery SET state = 'withheld', last_error = :error, next_at = :until WHERE host = :host"
    " AND state <> 'withheld'"
)
_MISSING = sql(
    """
    INSERT INTO missing_inbox (inbox, since, tries) VALUES (:inbox, :at, 1)
    ON CONFLICT (inbox) DO UPDATE SET tries = missing_inbox.tries + 1
    """
)
_FOUND = sql("DELETE FROM missing_inbox WHERE inbox = :inbox")
_WITHDRAWING: Final = ", ".join(f"'{kind}'" for kind in sorted(WITHDRAWALS))
_REFUSED_TOO_LONG = sql(
    f"""
    SELECT d.host, COUNT(*) AS dropped,
           SUM(CASE WHEN o.kind IN ({_WITHDRAWING}) THEN 1 ELSE 0 END) AS withdrawals
    FROM delivery d JOIN outbox o ON o.id = d.activity_id
    WHERE d.state = 'parked' AND d.next_at = 0 AND o.keep_until <= :now
    GROUP BY d.host
    """
)
_DROP_REFUSED = sql(
    """
    DELETE FROM delivery WHERE state = 'parked' AND next_at = 0
      AND (SELECT o.keep_until FROM outbox o WHERE o.id = delivery.activity_id) <= :now
    """
)
_WITHDRAWALS = sql(
    f"""
    SELECT d.host, COUNT(*) AS owed, MIN(o.keep_until) AS until FROM outbox o JOIN delivery d ON d.activity_id = o.id
    WHERE o.kind IN ({_WITHDRAWING})
    GROUP BY d.host
    """
)
_DROP_INBOX = sql("DELETE FROM delivery WHERE inbox = :inbox")
_UNPARK = sql("UPDATE delivery SET state = 'waiting' WHERE state = 'parked' AND (:host = '' OR host = :host)")
_DROP = sql("DELETE FROM delivery WHERE host = :host")
_NEXT = sql(
    f"""
    {_LANES}
    SELECT MIN(COALESCE(p.next_at, 0)) FROM lane LEFT JOIN peer p ON p.domain = lane.host WHERE lane.host IS NOT NULL
    """
)
_LIST = sql(
    """
    SELECT d.host, d.waiting, d.attempts, COALESCE(NULLIF(d.last_error, ''), p.last_error, '') AS last_error,
           d.parked, d.parked_until, d.withheld,
           COALESCE(p.next_at, 0) AS next_at, COALESCE(p.failing_since, 0) AS failing_since,
           COALESCE(p.failures, 0) AS failures, p.last_heard, p.last_sent
    FROM (
        SELECT host, COUNT(*) AS waiting, MAX(attempts) AS attempts, MAX(last_error) AS last_error,
               SUM(CASE WHEN state = 'parked' THEN 1 ELSE 0 END) AS parked,
               SUM(CASE WHEN state = 'withheld' THEN 1 ELSE 0 END) AS withheld,
               MIN(CASE WHEN state = 'parked' AND next_at > 0 THEN next_at END) AS parked_until
        FROM delivery GROUP BY host
    ) d LEFT JOIN peer p ON p.domain = d.host
    ORDER BY d.host
    """
)
_CANCEL_UNSENT = sql(
    """
    DELETE FROM delivery WHERE attempts = 0 AND activity_id IN (
        SELECT o.id FROM outbox o WHERE o.post_id = :post_id AND o.kind IN ('Create', 'Update', 'Announce')
    )
    """
)
_LISTED = Paged("SELECT o.id, o.body FROM outbox o WHERE o.account_id = :account_id AND o.listed = 1", "o.id")
_COUNT_LISTED = sql("SELECT COUNT(*) FROM outbox WHERE account_id = :account_id AND listed = 1")
_UNLIST = sql("UPDATE outbox SET listed = 0 WHERE post_id = :post_id")
_EMPTY = sql("UPDATE outbox SET body = :nothing WHERE post_id = :post_id AND kind IN ('Create', 'Update', 'Announce')")
_BY_URI = sql("SELECT body, account_id, listed, post_id, kind FROM outbox WHERE uri = :uri")
_FORGET_ASKED = sql("DELETE FROM outbox WHERE uri = :uri")
_FORGET = sql(
    """
    DELETE FROM outbox WHERE created_at < :before AND listed = 0
      AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.activity_id = outbox.id)
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """An activity as it will be sent."""

    id: int
    uri: str
    account_id: int
    kind: str
    body: bytes
    created_at: Millis
    keep_until: Millis
    post_id: int | None = None
    listed: bool = False
    to_followers: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbox:
    """Where to send, and the host it counts for."""

    host: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Followers:
    """The inboxes of an author's followers elsewhere, on peers of these levels.

    Named, not listed: the database writes the deliveries down by itself, however many they are.
    """

    account_id: int
    levels: tuple[str, ...]
    unjudged: str
    """The level of a peer that no admin has judged."""
    but_not_on: str = ""
    """A host that has it already: it is its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holders:
    """One inbox on each peer, of these levels, that may hold a post: what is said of the post itself reaches them all.

    Peers that are owed the activity already get it once.
    """

    post_id: int
    levels: tuple[str, ...]
    unjudged: str
    """The level of a peer that no admin has judged."""
    but_not_on: str = ""
    """A host that has it already: it is its own."""
    even_suspended: bool = False
    """Also those of whose people we know only such as are suspended here."""


Recipient: TypeAlias = Inbox | Followers | Holders


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One activity owed to one inbox."""

    id: int
    activity_id: int
    host: str
    inbox: str
    attempts: int
    uri: str
    kind: str
    body: bytes
    account_id: int
    post_id: int | None
    keep_until: Millis
    created_at: Millis
    to_followers: int
    """Whether the author's followers are addressed."""
    visibility: str | None = None
    """Of the post, which never changes; None when there is none, or no more."""
    missing_since: Millis | None = None
    """When the inbox first answered 404, if it has not taken anything since."""
    missing_tries: int | None = None


async def enqueue(tx: Transaction, activity: Outgoing, recipients: Iterable[Recipient]) -> int:
    """Store an activity with one delivery per distinct inbox; how many.

    Called in the transaction of what the activity tells, so that promise and effect commit together.
    """
    await tx.run(
        _ADD,
        id=activity.id,
        uri=activity.uri,
        account_id=activity.account_id,
        post_id=activity.post_id,
        kind=activity.kind,
        body=activity.body,
        listed=int(activity.listed),
        to_followers=int(activity.to_followers),
        keep_until=activity.keep_until,
        created_at=activity.created_at,
    )
    found = list(recipients)
    owed = {inbox.url: inbox for inbox in found if isinstance(inbox, Inbox)}
    at, written = activity.created_at, len(owed)
    if owed:
        rows = [{"activity_id": activity.id, "host": i.host, "inbox": i.url, "at": at} for i in owed.values()]
        await tx.run_many(_OWE, rows)
    for followers in (each for each in found if isinstance(each, Followers)):
        written += await tx.run(_OWE_FOLLOWERS, activity_id=activity.id, at=at, **asdict(followers))
    for holders in (each for each in found if isinstance(each, Holders)):
        more = asdict(holders) | {"even_suspended": int(holders.even_suspended)}
        written += await tx.run(_OWE_HOLDERS, activity_id=activity.id, at=at, **more)
    if written and activity.post_id is not None:
        await tx.run(_REMEMBER_HOSTS, post_id=activity.post_id, activity_id=activity.id, at=at)
    return written


async def follower_inboxes(view: View, account_id: int) -> list[Inbox]:
    """Distinct inboxes, shared ones first choice, of the accepted followers on other instances."""
    rows = await view.all(_FOLLOWER_INBOXES, account_id=account_id)
    return [Inbox(host=row["host"], url=row["inbox"]) for row in rows]


async def inboxes_on(view: View, hosts: Iterable[str]) -> list[Inbox]:
    """One inbox for each of these hosts that we know an account of."""
    wanted = list(set(hosts))
    if not wanted:
        return []
    return [Inbox(host=row["host"], url=row["inbox"]) for row in await view.all(_INBOXES_ON, hosts=wanted)]


async def everybody(view: View) -> list[Inbox]:
    """One inbox for each host that we know an account of."""
    return [Inbox(host=row["host"], url=row["inbox"]) for row in await view.all(_EVERYBODY)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A host that may be tried now: the first and the last thing it is owed, and whether it failed last time."""

    host: str
    first_id: int
    last_id: int
    doubtful: bool


async def due(view: View, now: Millis, *, busy: Iterable[str], limit: int, doubtful: int) -> list[Due]:
    """Hosts that are owed something and may be tried now, longest owed first: `limit` good ones at most,
    and `doubtful` at most of those that failed last time."""
    rows = await view.all(_DUE_HOSTS, now=now, busy=list(busy), limit=limit, doubtful=doubtful)
    return [Due(**{**row, "doubtful": bool(row["doubtful"])}) for row in rows]


async def waiting(view: View, ids: Iterable[int]) -> dict[str, Delivery]:
    """Those of these deliveries that are still to be made, by host."""
    return {row["host"]: Delivery(**row) for row in await view.all(_WAITING, ids=list(ids))}


async def lane(view: View, host: str, limit: int) -> list[Delivery]:
    """What a host is owed, in order."""
    return [Delivery(**row) for row in await view.all(_LANE, host=host, limit=limit)]


async def done(tx: Transaction, id_: int) -> None:
    """A delivery is settled: arrived, or pointless."""
    await tx.run(_DONE, id=id_)


async def done_many(tx: Transaction, ids: Iterable[int]) -> None:
    """Many deliveries are settled."""
    await tx.run_many(_DONE, [{"id": id_} for id_ in ids])


async def failed(tx: Transaction, id_: int, error: str) -> None:
    """A delivery failed and stays at the head of its lane."""
    await tx.run(_FAILED, id=id_, error=error[:300])


async def park(tx: Transaction, id_: int, error: str, *, again_at: Millis = 0) -> None:
    """A delivery was refused by the peer; it waits for a time, or (0) for an admin, and holds its lane up no more."""
    await tx.run(_PARK, id=id_, error=error[:300], again_at=again_at)


async def resume(tx: Transaction, now: Millis) -> int:
    """Put back into their lanes the parked deliveries whose time has come; how many."""
    return await tx.run(_RESUME, now=now)


async def withhold(tx: Transaction, id_: int, error: str, *, until: Millis) -> None:
    """A peer may no longer have this; it is kept for the case that it may again, and then dropped (J11)."""
    await tx.run(_WITHHOLD, id=id_, error=error[:300], until=until)


async def release(tx: Transaction, host: str) -> None:
    """A peer was judged anew: about what was withheld from it is decided anew, too."""
    await tx.run(_RELEASE, host=host)


async def drop_withheld(tx: Transaction, now: Millis) -> dict[str, dict[str, int]]:
    """Forget what was withheld long enough; how much, by host."""
    rows = await tx.all(_WITHHELD_SINCE, now=now)
    if rows:
        await tx.run(_DROP_WITHHELD, now=now)
    return {row["host"]: {"dropped": int(row["dropped"])} for row in rows}


async def withhold_all(tx: Transaction, host: str, error: str, *, until: Millis) -> None:
    """A peer may have nothing any more: what it is owed is kept, tried no more, and then dropped (J11)."""
    await tx.run(_WITHHOLD_ALL, host=host, error=error, until=until)


async def missing(tx: Transaction, inbox: str, at: Millis) -> None:
    """An inbox has answered 404."""
    await tx.run(_MISSING, inbox=inbox, at=at)


async def found(tx: Transaction, inbox: str) -> None:
    """An inbox that had answered 404 has taken something."""
    await tx.run(_FOUND, inbox=inbox)


async def drop_refused(tx: Transaction, now: Millis) -> dict[str, dict[str, int]]:
    """Forget what peers refused and is out of date by now; how much, and how many withdrawals of it, by host."""
    rows = await tx.all(_REFUSED_TOO_LONG, now=now)
    if rows:
        await tx.run(_DROP_REFUSED, now=now)
    return {row["host"]: {name: int(row[name]) for name in ("dropped", "withdrawals")} for row in rows}


async def withdrawals(view: View) -> dict[str, tuple[int, Millis]]:
    """By host, how many deletions and other withdrawals it has not taken yet, and when the first is given up (J05)."""
    return {row["host"]: (int(row["owed"]), int(row["until"])) for row in await view.all(_WITHDRAWALS)}


async def drop_inbox(tx: Transaction, inbox: str) -> int:
    """Forget everything that is owed to one inbox; how many."""
    return await tx.run(_DROP_INBOX, inbox=inbox)


async def retry(tx: Transaction, host: str = "") -> int:
    """Put parked deliveries back into their lanes, of one host or of all; how many."""
    return await tx.run(_UNPARK, host=host)


async def drop(tx: Transaction, host: str) -> int:
    """Forget everything a host is owed; how many."""
    return await tx.run(_DROP, host=host)


async def next_due(view: View) -> Millis | None:
    """When the next lane may be tried; None when nothing is owed."""
    return await view.value(_NEXT)


async def overview(view: View) -> list[dict[str, Any]]:
    """Per host: waiting, parked, withheld, parked_until (or None), attempts, next_at, last_error, failing_since,
    failures, last_heard (or None), last_sent (or None)."""
    return [dict(row) for row in await view.all(_LIST)]


async def forget_asked(tx: Transaction, uri: str) -> None:
    """Forget an activity that was said to one: it is about to be said, under the same id, to all."""
    await tx.run(_FORGET_ASKED, uri=uri)


async def cancel_unsent(tx: Transaction, post_id: int) -> None:
    """Drop what was never tried of a post that is being deleted (J10)."""
    await tx.run(_CANCEL_UNSENT, post_id=post_id)


async def unlist(tx: Transaction, post_id: int) -> None:
    """Take a post's activities out of the outbox collection."""
    await tx.run(_UNLIST, post_id=post_id)


async def empty(tx: Transaction, post_id: int) -> None:
    """Keep none of the words of a post that is being deleted: what still waits of it does not leave (J10, I14)."""
    await tx.run(_EMPTY, post_id=post_id, nothing=b"")


async def listed(view: View, account_id: int, page: Page) -> list[tuple[int, bytes]]:
    """(id, body) of the public activities of an account, newest first."""
    return [(row["id"], row["body"]) for row in await _LISTED.rows(view, page, account_id=account_id)]


async def count_listed(view: View, account_id: int) -> int:
    """How many public activities an account has."""
    return int(await view.value(_COUNT_LISTED, account_id=account_id) or 0)


async def find_listed(view: View, uri: str) -> bytes | None:
    """The body of a public activity, by its id."""
    row = await view.one_or_none(_BY_URI, uri=uri)
    return row["body"] if row and row["listed"] else None


async def forget(tx: Transaction, before: Millis) -> int:
    """Drop unlisted activities that everybody has; how many."""
    return await tx.run(_FORGET, before=before)
