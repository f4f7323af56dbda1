"""Accounts, their keys, and members."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any, Final

import orjson

from medfed.domain.accounts import Account, AccountKey, Member, ProfileField, fold_handle
from medfed.kernel.clock import Millis
from medfed.kernel.errors import Gone, NotFound
from medfed.storage import emojis
from medfed.storage.database import Row, Transaction, View
from medfed.storage.statements import sql

CHANGED: Final = "accounts"
"""The channel that says that what is known of some account, or of its keys, has changed."""

OWN_KEYS: Final = "own keys"
"""The channel that says that an account of this instance signs with another key."""

_COLUMNS: Final = """
    a.id, a.uri, a.local, a.kind, a.username, a.domain, a.host, a.display_name, a.summary, a.summary_source, a.url,
    a.inbox, a.shared_inbox, a.outbox, a.followers_uri, a.following_uri, a.attestations_uri, a.avatar, a.header,
    a.fields, a.emojis, a.featured_uri, a.featured_at, a.also_known_as, a.moved_to, a.moved_at, a.locked,
    a.discoverable, a.created_at, a.updated_at, a.fetched_at,
    a.suspended_at, a.gone_at, a.last_post_at, a.posts_count, a.followers_count, a.following_count
"""

_BY_ID = sql(f"SELECT {_COLUMNS} FROM account a WHERE a.id = :id")
_BY_IDS = sql(f"SELECT {_COLUMNS} FROM account a WHERE a.id IN :ids[]")
_BY_URI = sql(f"SELECT {_COLUMNS} FROM account a WHERE a.uri = :uri")
_BY_URIS = sql(f"SELECT {_COLUMNS} FROM account a WHERE a.uri IN :uris[text]")
_BY_HANDLE = sql(f"SELECT {_COLUMNS} FROM account a WHERE a.handle = :handle")
_HAS_PICTURE = sql("SELECT 1 FROM account WHERE (local = 1 AND avatar = :key) OR (local = 1 AND header = :key) LIMIT 1")
_LOCAL = sql(
    f"""
    SELECT {_COLUMNS} FROM account a
    WHERE a.local = 1 AND a.kind <> 'Application' AND a.suspended_at IS NULL AND a.id > :after
    ORDER BY a.id
    LIMIT :limit
    """
)
_OWN = sql(f"SELECT {_COLUMNS} FROM account a WHERE a.local = 1 AND a.gone_at IS NULL ORDER BY a.id")
_DIRECTORY = sql(
    f"""
    SELECT {_COLUMNS} FROM account a
    WHERE a.kind <> 'Application' AND a.discoverable = 1 AND a.suspended_at IS NULL AND a.gone_at IS NULL
      AND (:local_only = 0 OR a.local = 1)
    ORDER BY a.last_post_at DESC NULLS LAST, a.id DESC
    LIMIT :limit OFFSET :offset
    """
)
_SEARCH = sql(
    f"""
    SELECT {_COLUMNS} FROM account a
    WHERE a.kind <> 'Application' AND a.suspended_at IS NULL AND a.gone_at IS NULL
      AND (a.handle LIKE :prefix ESCAPE '!' OR LOWER(a.display_name) LIKE :part ESCAPE '!')
    ORDER BY a.local DESC, a.followers_count DESC, a.id
    LIMIT :limit OFFSET :offset
    """
)
_UPSERT = sql(
    """
    INSERT INTO account (
        id, uri, local, kind, username, handle, domain, host, display_name, summary, summary_source, url,
        inbox, shared_inbox, outbox, followers_uri, following_uri, attestations_uri, avatar, header,
        fields, emojis, featured_uri, also_known_as, moved_to, locked, discoverable, created_at, updated_at, fetched_at
    ) VALUES (
        :id, :uri, :local, :kind, :username, :handle, :domain, :host, :display_name, :summary, :summary_source, :url,
        :inbox, :shared_inbox, :outbox, :followers_uri, :following_uri, :attestations_uri, :avatar, :header,
        :fields, :emojis, :featured_uri, :also_known_as, :moved_to, :locked, :discoverable, :created_at, :updated_at,
        :fetched_at
    )
    ON CONFLICT (uri) DO UPDATE SET
        kind = excluded.kind, username = excluded.username, handle = excluded.handle, domain = excluded.domain,
        display_name = excluded.display_name, summary = excluded.summary, summary_source = excluded.summary_source,
        url = excluded.url, inbox = excluded.inbox, shared_inbox = excluded.shared_inbox, outbox = excluded.outbox,
        followers_uri = excluded.followers_uri, following_uri = excluded.following_uri,
        attestations_uri = excluded.attestations_uri, avatar = excluded.avatar, header = excluded.header,
        fields = excluded.fields, emojis = excluded.emojis, featured_uri = excluded.featured_uri,
        also_known_as = excluded.also_known_as, moved_to = excluded.moved_to,
        locked = excluded.locked, discoverable = excluded.discoverable, updated_at = excluded.updated_at,
        fetched_at = excluded.fetched_at, gone_at = NULL
    WHERE account.local = 0 OR account.gone_at IS NULL
    RETURNING id
    """
)
_SUSPEND = sql("UPDATE account SET suspended_at = :at, suspended_with_host = 0 WHERE id = :id")
_HIDE_HOST = sql(
    """
    UPDATE account SET suspended_at = :at, suspended_with_host = 1
    WHERE host = :host AND local = 0 AND suspended_at IS NULL
    """
)
_SHOW_HOST = sql(
    """
    UPDATE account SET suspended_at = NULL, suspended_with_host = 0
    WHERE host = :host AND local = 0 AND suspended_with_host = 1
    """
)
_MOVED = sql("UPDATE account SET moved_to = :target, moved_at = COALESCE(:at, moved_at) WHERE id = :id")
_ASK_FEATURED = sql("UPDATE account SET featured_at = :at WHERE id = :id AND featured_at <= :before")
_GONE = sql("UPDATE account SET gone_at = :at WHERE id = :id")
_GONE_AT = sql(
    "UPDATE account SET gone_at = :at WHERE local = 0 AND gone_at IS NULL AND (inbox = :inbox OR shared_inbox = :inbox)"
)
_FREE_HANDLE = sql(
    "UPDATE account SET handle = handle || '#' || id WHERE handle = :handle AND uri <> :uri AND local = 0"
)
_COUNT_POST = sql(
    "UPDATE account SET posts_count = posts_count + :by, last_post_at = COALESCE(:at, last_post_at) WHERE id = :id"
)
_COUNT_FOLLOWS = sql(
    """
    UPDATE account SET
        followers_count = CASE
            WHEN account.kind = 'Group' AND EXISTS (
                SELECT 1 FROM community c WHERE c.account_id = account.id AND c.closed = 1) THEN 0
            ELSE (SELECT COUNT(*) FROM follow WHERE target_id = account.id AND state = 'accepted') END,
        following_count = (SELECT COUNT(*) FROM follow WHERE follower_id = account.id AND state = 'accepted')
    WHERE id IN :ids[]
    """
)

_KEY_COLUMNS: Final = """
    k.uri, k.account_id, k.kind, k.public, k.sealed, k.created_at, k.retired_at, k.bound_until, k.revoked_at
"""
_KEYS = sql(f"SELECT {_KEY_COLUMNS} FROM account_key k WHERE k.account_id = :account_id ORDER BY k.created_at, k.uri")
_KEYS_OF = sql(f"SELECT {_KEY_COLUMNS} FROM account_key k WHERE k.account_id IN :ids[] ORDER BY k.created_at, k.uri")
_KEY_WITH_OWNER = sql(
    f"""
    SELECT {_COLUMNS}, k.uri AS key_uri, k.kind AS key_kind, k.public AS key_public, k.retired_at AS key_retired_at,
           k.created_at AS key_created_at, k.bound_until AS key_bound_until, k.revoked_at AS key_revoked_at
    FROM account_key k JOIN account a ON a.id = k.account_id
    WHERE k.uri = :uri
    """
)
_ADD_KEY = sql(
    """
    INSERT INTO account_key (uri, account_id, kind, public, sealed, created_at)
    VALUES (:uri, :account_id, :kind, :public, :sealed, :created_at)
    ON CONFLICT (uri) DO UPDATE SET
        kind = excluded.kind, public = excluded.public, created_at = excluded.created_at, retired_at = NULL
    WHERE account_key.account_id = excluded.account_id
    """
)
_RETIRE_KEY = sql(
    "UPDATE account_key SET retired_at = :at, bound_until = :bound_until, revoked_at = :revoked_at WHERE uri = :uri"
)
_FORGET_PRIVATE = sql("UPDATE account_key SET sealed = NULL WHERE uri = :uri")
_FORGET_RETIRED = sql("UPDATE account_key SET sealed = NULL WHERE retired_at <= :now AND sealed IS NOT NULL")
_DROP_OTHER_KEYS = sql("DELETE FROM account_key WHERE account_id = :account_id AND NOT uri IN :uris[text]")

_MEMBER_COLUMNS: Final = """
    m.email, m.password_hash, m.role, m.language, m.preferences, m.created_at AS member_since, m.confirmed_at,
    m.approved_at, m.disabled_at
"""
_MEMBER = sql(
    f"SELECT {_COLUMNS}, {_MEMBER_COLUMNS} FROM member m JOIN account a ON a.id = m.account_id WHERE a.id = :id"
)
_MEMBER_BY_EMAIL = sql(
    f"SELECT {_COLUMNS}, {_MEMBER_COLUMNS} FROM member m JOIN account a ON a.id = m.account_id WHERE m.email = :email"
)
_MEMBERS = sql(
    f"""
    SELECT {_COLUMNS}, {_MEMBER_COLUMNS} FROM member m JOIN account a ON a.id = m.account_id
    WHERE a.id > :after ORDER BY a.id LIMIT :limit
    """
)
_WAITING = sql(
    f"""
    SELECT {_COLUMNS}, {_MEMBER_COLUMNS} FROM member m JOIN account a ON a.id = m.account_id
    WHERE m.approved_at IS NULL AND m.confirmed_at IS NOT NULL ORDER BY a.id LIMIT :limit
    """
)
_ADD_MEMBER = sql(
    """
    INSERT INTO member (account_id, email, password_hash, role, language, preferences, created_at,
                        confirmed_at, approved_at)
    VALUES (:account_id, :email, :password_hash, :role, :language, :preferences, :created_at,
            :confirmed_at, :approved_at)
    """
)
_SET_PASSWORD = sql("UPDATE member SET password_hash = :password_hash WHERE account_id = :id")
_SET_PREFERENCES = sql("UPDATE member SET language = :language, preferences = :preferences WHERE account_id = :id")
_SET_ROLE = sql("UPDATE member SET role = :role WHERE account_id = :id")
_SIGNED_IN = sql("UPDATE member SET last_sign_in = :at WHERE account_id = :id")
_APPROVE = sql("UPDATE member SET approved_at = :at WHERE account_id = :id AND approved_at IS NULL")
_CONFIRM = sql("UPDATE member SET confirmed_at = :at WHERE account_id = :id AND confirmed_at IS NULL")
_DISABLE = sql("UPDATE member SET disabled_at = :at WHERE account_id = :id")
_COUNT_MEMBERS = sql("SELECT COUNT(*) FROM member WHERE approved_at IS NOT NULL")
_COUNT_ACTIVE = sql("SELECT COUNT(*) FROM account a JOIN member m ON m.account_id = a.id WHERE a.last_post_at > :since")


async def find(view: View, id_: int) -> Account | None:
    """The account with this id."""
    row = await view.one_or_none(_BY_ID, id=id_)
    return _account(row) if row else None


async def get(view: View, id_: int) -> Account:
    """The account with this id. Raises NotFound."""
    account = await find(view, id_)
    if account is None:
        raise NotFound("no such account")
    return account


async def find_many(view: View, ids: Iterable[int]) -> dict[int, Account]:
    """Those of `ids` that exist, by id."""
    wanted = list(set(ids))
    if not wanted:
        return {}
    return {row["id"]: _account(row) for row in await view.all(_BY_IDS, ids=wanted)}


async def find_by_uri(view: View, uri: str) -> Account | None:
    """The account of an actor id."""
    row = await view.one_or_none(_BY_URI, uri=uri)
    return _account(row) if row else None


async def get_own(view: View, username: str, domain: str) -> Account:
    """The account of this name that is kept here, whoever acts as it; not the instance actor. Raises NotFound."""
    found = await find_by_handle(view, username, domain)
    if found is None or not found.local or found.kind == "Application" or found.gone_at is not None:
        raise NotFound(f"there is no account {username[:100]!r} here")
    return found


async def find_by_uris(view: View, uris: Iterable[str]) -> dict[str, Account]:
    """Those of `uris` that we know, by URI."""
    wanted = list(set(uris))
    if not wanted:
        return {}
    return {row["uri"]: _account(row) for row in await view.all(_BY_URIS, uris=wanted)}


async def find_by_handle(view: View, username: str, domain: str) -> Account | None:
    """The account called name@domain."""
    row = await view.one_or_none(_BY_HANDLE, handle=fold_handle(username, domain))
    return _account(row) if row else None


async def has_picture(view: View, key: str) -> bool:
    """Whether a stored file is the avatar or header of an account of ours."""
    return await view.value(_HAS_PICTURE, key=key) is not None


async def local(view: View, *, after: int = 0, limit: int = 500) -> list[Account]:
    """Accounts of this instance, but for the instance actor, oldest first."""
    return [_account(row) for row in await view.all(_LOCAL, after=after, limit=limit)]


async def own(view: View) -> list[Account]:
    """Every account of this instance that is not gone, the instance actor and who is suspended included."""
    return [_account(row) for row in await view.all(_OWN)]


async def directory(view: View, *, local_only: bool, limit: int, offset: int) -> list[Account]:
    """Accounts that want to be found, most recently active first."""
    rows = await view.all(_DIRECTORY, local_only=int(local_only), limit=limit, offset=offset)
    return [_account(row) for row in rows]


async def search(view: View, text: str, *, limit: int, offset: int = 0) -> list[Account]:
    """Accounts whose handle begins with, or whose name contains, `text`."""
    quoted = text.casefold().replace("!", "!!").replace("%", "!%").replace("_", "!_")
    rows = await view.all(_SEARCH, prefix=f"{quoted}%", part=f"%{quoted}%", limit=limit, offset=offset)
    return [_account(row) for row in rows]


async def store(tx: Transaction, account: Account) -> int:
    """Insert an account, or refresh the one with the same URI; the id it has.

    Raises Gone for one of our own that was erased meanwhile: there is no way back.
    """
    handle = fold_handle(account.username, account.domain)
    if not account.local:
        await tx.run(_FREE_HANDLE, handle=handle, uri=account.uri)
    values = asdict(account)
    for counted in (
        "featured_at",
        "moved_at",
        "suspended_at",
        "gone_at",
        "last_post_at",
        "posts_count",
        "followers_count",
        "following_count",
    ):
        del values[counted]
    values |= {
        "handle": handle,
        "local": int(account.local),
        "locked": int(account.locked),
        "discoverable": int(account.discoverable),
        "fields": orjson.dumps(values["fields"]).decode(),
        "emojis": emojis.as_text(account.emojis),
        "also_known_as": orjson.dumps(values["also_known_as"]).decode(),
    }
    tx.wake(CHANGED)
    stored = await tx.one_or_none(_UPSERT, **values)
    if stored is None:
        raise Gone("this account is closed")
    return int(stored["id"])


async def suspend(tx: Transaction, id_: int, at: Millis | None) -> None:
    """Suspend (a time) or restore (None) an account."""
    tx.wake(CHANGED)
    await tx.run(_SUSPEND, id=id_, at=at)


async def hide_host(tx: Transaction, host: str, at: Millis) -> None:
    """Suspend every account of a host, so that nothing of it is shown anywhere (G05)."""
    tx.wake(CHANGED)
    await tx.run(_HIDE_HOST, host=host, at=at)


async def show_host(tx: Transaction, host: str) -> None:
    """Restore the accounts that were suspended with their host, and no others."""
    tx.wake(CHANGED)
    await tx.run(_SHOW_HOST, host=host)


async def ask_featured(tx: Transaction, id_: int, at: Millis, *, before: Millis) -> bool:
    """Note that what an account has pinned is asked for now; False if it was after `before`."""
    return await tx.run(_ASK_FEATURED, id=id_, at=at, before=before) > 0


async def mark_gone(tx: Transaction, id_: int, at: Millis) -> None:
    """The actor was deleted where it lived."""
    tx.wake(CHANGED)
    await tx.run(_GONE, id=id_, at=at)


async def set_moved(tx: Transaction, id_: int, target_uri: str, at: Millis | None) -> None:
    """Where an account has moved to; '' when nowhere. `at` is when its followers were taken along."""
    tx.wake(CHANGED)
    await tx.run(_MOVED, id=id_, target=target_uri, at=at)


async def mark_gone_at(tx: Transaction, inbox: str, at: Millis) -> None:
    """An inbox is gone, and so, until they are heard again, are those whose it was (J04)."""
    if await tx.run(_GONE_AT, inbox=inbox, at=at):
        tx.wake(CHANGED)


async def count_post(tx: Transaction, id_: int, by: int, at: Millis | None = None) -> None:
    """Keep the number of posts; `at` is the time of a new one."""
    await tx.run(_COUNT_POST, id=id_, by=by, at=at)


async def recount_follows(tx: Transaction, *ids: int) -> None:
    """Recompute follower and following counts."""
    await tx.run(_COUNT_FOLLOWS, ids=list(ids))


async def keys(view: View, account_id: int) -> list[AccountKey]:
    """Every key of an account, oldest first."""
    return [AccountKey(**dict(row)) for row in await view.all(_KEYS, account_id=account_id)]


async def keys_of(view: View, ids: Iterable[int]) -> dict[int, list[AccountKey]]:
    """Keys of many accounts, by account id."""
    found: dict[int, list[AccountKey]] = {}
    wanted = list(set(ids))
    if wanted:
        for row in await view.all(_KEYS_OF, ids=wanted):
            found.setdefault(row["account_id"], []).append(AccountKey(**dict(row)))
    return found


async def find_key_with_owner(view: View, uri: str) -> tuple[AccountKey, Account] | None:
    """A key and the account it belongs to, in one look-up: what every arrival needs."""
    row = await view.one_or_none(_KEY_WITH_OWNER, uri=uri)
    if row is None:
        return None
    values = dict(row)
    key = AccountKey(
        uri=values.pop("key_uri"),
        account_id=values["id"],
        kind=values.pop("key_kind"),
        public=values.pop("key_public"),
        created_at=values.pop("key_created_at"),
        retired_at=values.pop("key_retired_at"),
        bound_until=values.pop("key_bound_until"),
        revoked_at=values.pop("key_revoked_at"),
    )
    return key, _account(values)


async def add_key(tx: Transaction, key: AccountKey) -> None:
    """Store a key, or replace the one with its id; not that of another account (C07)."""
    values = asdict(key)
    for end in ("retired_at", "bound_until", "revoked_at"):
        del values[end]
    tx.wake(CHANGED)
    if key.sealed is not None:
        tx.wake(OWN_KEYS)
    await tx.run(_ADD_KEY, **values)


async def retire_key(
    tx: Transaction, uri: str, at: Millis, *, bound_until: Millis = 0, revoked_at: Millis | None = None
) -> None:
    """Give an own key its end; see AccountKey."""
    tx.wake(CHANGED)
    tx.wake(OWN_KEYS)
    await tx.run(_RETIRE_KEY, uri=uri, at=at, bound_until=bound_until, revoked_at=revoked_at)


async def forget_private_part(tx: Transaction, uri: str) -> None:
    """Destroy the private part of an own key: it signs nothing any more."""
    tx.wake(OWN_KEYS)
    await tx.run(_FORGET_PRIVATE, uri=uri)


async def forget_retired(tx: Transaction, now: Millis) -> int:
    """Destroy the private parts of keys that sign nothing any more; how many."""
    return await tx.run(_FORGET_RETIRED, now=now)


async def keep_only_keys(tx: Transaction, account_id: int, uris: Sequence[str]) -> None:
    """Forget every key of a peer account that its actor document no longer lists."""
    tx.wake(CHANGED)
    await tx.run(_DROP_OTHER_KEYS, account_id=account_id, uris=list(uris))


async def find_member(view: View, account_id: int) -> Member | None:
    """The member behind a local account."""
    row = await view.one_or_none(_MEMBER, id=account_id)
    return _member(row) if row else None


async def find_member_by_email(view: View, email: str) -> Member | None:
    """The member with this (canonical) address."""
    row = await view.one_or_none(_MEMBER_BY_EMAIL, email=email)
    return _member(row) if row else None


async def members(view: View, *, after: int = 0, limit: int = 100) -> list[Member]:
    """Members, oldest first."""
    return [_member(row) for row in await view.all(_MEMBERS, after=after, limit=limit)]


async def waiting(view: View, *, limit: int = 100) -> list[Member]:
    """Those who signed up, confirmed their address, and wait to be let in; longest first."""
    return [_member(row) for row in await view.all(_WAITING, limit=limit)]


async def add_member(tx: Transaction, member: Member) -> None:
    """Give an account a login. Raises storage.database.Duplicate when the address is taken."""
    await tx.run(
        _ADD_MEMBER,
        account_id=member.account.id,
        email=member.email,
        password_hash=member.password_hash,
        role=member.role,
        language=member.language,
        preferences=orjson.dumps(member.preferences).decode(),
        created_at=member.created_at,
        confirmed_at=member.confirmed_at,
        approved_at=member.approved_at,
    )


async def set_password(tx: Transaction, account_id: int, password_hash: str) -> None:
    """Replace the password hash."""
    await tx.run(_SET_PASSWORD, id=account_id, password_hash=password_hash)


async def set_preferences(tx: Transaction, account_id: int, *, language: str, preferences: dict[str, object]) -> None:
    """Replace interface language and posting defaults."""
    await tx.run(_SET_PREFERENCES, id=account_id, language=language, preferences=orjson.dumps(preferences).decode())


async def set_role(tx: Transaction, account_id: int, role: str) -> None:
    """Give a member another role."""
    await tx.run(_SET_ROLE, id=account_id, role=role)


async def note_sign_in(tx: Transaction, account_id: int, at: Millis) -> None:
    """Remember when a member last signed in."""
    await tx.run(_SIGNED_IN, id=account_id, at=at)


async def approve(tx: Transaction, account_id: int, at: Millis) -> bool:
    """Let a waiting member in; False if there was nothing to approve."""
    return await tx.run(_APPROVE, id=account_id, at=at) > 0


async def confirm(tx: Transaction, account_id: int, at: Millis) -> bool:
    """A member's address is theirs; False if that was known already."""
    return await tx.run(_CONFIRM, id=account_id, at=at) > 0


async def disable(tx: Transaction, account_id: int, at: Millis | None) -> None:
    """Close (a time) or reopen (None) a member's login."""
    await tx.run(_DISABLE, id=account_id, at=at)


async def count_members(view: View) -> int:
    """How many members there are."""
    return int(await view.value(_COUNT_MEMBERS) or 0)


async def count_active_since(view: View, since: Millis) -> int:
    """How many members have posted since."""
    return int(await view.value(_COUNT_ACTIVE, since=since) or 0)


def _account(row: Row | dict[str, Any]) -> Account:
    values = dict(row)
    values["local"] = bool(values["local"])
    values["locked"] = bool(values["locked"])
    values["discoverable"] = bool(values["discoverable"])
    fields = values["fields"]
    values["fields"] = () if fields == "[]" else tuple(ProfileField(**field) for field in orjson.loads(fields))
    values["emojis"] = emojis.from_text(values["emojis"])
    aliases = values["also_known_as"]
    values["also_known_as"] = () if aliases == "[]" else tuple(orjson.loads(aliases))
    return Account(**values)


def _member(row: Row) -> Member:
    values = dict(row)
    own = {
        name: values.pop(name)
        for name in (
            "email",
            "password_hash",
            "role",
            "language",
            "confirmed_at",
            "approved_at",
            "disabled_at",
        )
    }
    own["created_at"] = values.pop("member_since")
    own["preferences"] = orjson.loads(values.pop("preferences"))
    return Member(account=_account(values), **own)
