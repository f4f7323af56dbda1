"""Client applications, authorization codes, bearer tokens and web sessions. Secrets are stored hashed only."""

from dataclasses import asdict, dataclass
from typing import Any, Final

import orjson

from medfed.kernel.clock import Millis
from medfed.storage.database import Row, Transaction, View
from medfed.storage.statements import sql


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A client application. `client_secret` is the SHA-256 of the secret, in hex."""

    id: int
    client_id: str
    client_secret: str
    name: str
    website: str
    redirect_uris: tuple[str, ...]
    scopes: str
    created_at: Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """An authorization code, by its hash."""

    code_hash: str
    app_id: int
    account_id: int
    redirect_uri: str
    scopes: str
    challenge: str
    expires_at: Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A bearer token, by its hash; `account_id` is None for an application's own."""

    token_hash: str
    app_id: int | None
    account_id: int | None
    scopes: str
    created_at: Millis
    code_hash: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Somebody signed in through the web pages; `csrf` guards their forms."""

    token_hash: str
    account_id: int
    csrf: str
    created_at: Millis
    last_seen: Millis
    expires_at: Millis
    user_agent: str


_APP_COLUMNS: Final = "id, client_id, client_secret, name, website, redirect_uris, scopes, created_at"
_ADD_APP = sql(
    f"""
    INSERT INTO oauth_app ({_APP_COLUMNS})
    VALUES (:id, :client_id, :client_secret, :name, :website, :redirect_uris, :scopes, :created_at)
    """
)
_APP = sql(f"SELECT {_APP_COLUMNS} FROM oauth_app WHERE client_id = :client_id")
_APP_BY_ID = sql(f"SELECT {_APP_COLUMNS} FROM oauth_app WHERE id = :id")
_ADD_CODE = sql(
    """
    INSERT INTO oauth_code (code_hash, app_id, account_id, redirect_uri, scopes, challenge, expires_at)
    VALUES (:code_hash, :app_id, :account_id, :redirect_uri, :scopes, :challenge, :expires_at)
    """
)
_CODE = sql(
    """
    SELECT code_hash, app_id, account_id, redirect_uri, scopes, challenge, expires_at FROM oauth_code
    WHERE code_hash = :code_hash
    """
)
_USE_CODE = sql("UPDATE oauth_code SET used_at = :at WHERE code_hash = :code_hash AND used_at IS NULL")
_ADD_TOKEN = sql(
    """
    INSERT INTO oauth_token (token_hash, app_id, account_id, code_hash, scopes, created_at)
    VALUES (:token_hash, :app_id, :account_id, :code_hash, :scopes, :created_at)
    """
)
_TOKEN = sql(
    """
    SELECT token_hash, app_id, account_id, scopes, created_at, code_hash FROM oauth_token
    WHERE token_hash = :token_hash AND revoked_at IS NULL
    """
)
_REVOKE = sql("UPDATE oauth_token SET revoked_at = :at WHERE token_hash = :token_hash AND revoked_at IS NULL")
_REVOKE_OF_CODE = sql("UPDATE oauth_token SET revoked_at = :at WHERE code_hash = :code_hash AND revoked_at IS NULL")
_REVOKE_OF_ACCOUNT = sql(
    "UPDATE oauth_token SET revoked_at = :at WHERE account_id = :account_id AND revoked_at IS NULL"
)
_REVOKE_OF_APP = sql(
    """
    UPDATE oauth_token SET revoked_at = :at
    WHERE account_id = :account_id AND app_id = :app_id AND revoked_at IS NULL
    """
)
_APPS_OF = sql(
    """
    SELECT p.id, p.name, p.website, MAX(t.created_at) AS since, MIN(t.scopes) AS scopes
    FROM oauth_token t JOIN oauth_app p ON p.id = t.app_id
    WHERE t.account_id = :account_id AND t.revoked_at IS NULL
    GROUP BY p.id, p.name, p.website ORDER BY since DESC
    """
)

_ADD_SESSION = sql(
    """
    INSERT INTO web_session (token_hash, account_id, csrf, created_at, last_seen, expires_at, user_agent)
    VALUES (:token_hash, :account_id, :csrf, :created_at, :last_seen, :expires_at, :user_agent)
    """
)
_SESSION = sql(
    """
    SELECT token_hash, account_id, csrf, created_at, last_seen, expires_at, user_agent FROM web_session
    WHERE token_hash = :token_hash AND expires_at > :now
    """
)
_SESSIONS_OF = sql(
    """
    SELECT token_hash, account_id, csrf, created_at, last_seen, expires_at, user_agent FROM web_session
    WHERE account_id = :account_id AND expires_at > :now ORDER BY last_seen DESC
    """
)
_SEEN = sql("UPDATE web_session SET last_seen = :at WHERE token_hash = :token_hash")
_END_SESSION = sql("DELETE FROM web_session WHERE token_hash = :token_hash")
_END_SESSIONS = sql("DELETE FROM web_session WHERE account_id = :account_id")
_SWEEP_SESSIONS = sql("DELETE FROM web_session WHERE expires_at <= :now")
_SWEEP_CODES = sql("DELETE FROM oauth_code WHERE expires_at <= :before")


async def add_app(tx: Transaction, app: App) -> None:
    """Register an application."""
    await tx.run(_ADD_APP, **(asdict(app) | {"redirect_uris": orjson.dumps(app.redirect_uris).decode()}))


async def find_app(view: View, client_id: str) -> App | None:
    """The application with this client id."""
    row = await view.one_or_none(_APP, client_id=client_id)
    return _app(row) if row else None


async def find_app_by_id(view: View, id_: int) -> App | None:
    """The application with this id."""
    row = await view.one_or_none(_APP_BY_ID, id=id_)
    return _app(row) if row else None


async def add_code(tx: Transaction, code: Code) -> None:
    """Remember an authorization code."""
    await tx.run(_ADD_CODE, **asdict(code))


async def find_code(view: View, code_hash: str) -> Code | None:
    """An authorization code, used or not."""
    row = await view.one_or_none(_CODE, code_hash=code_hash)
    return Code(**dict(row)) if row else None


async def use_code(tx: Transaction, code_hash: str, at: Millis) -> bool:
    """Spend a code; False if it was spent before (F01)."""
    return await tx.run(_USE_CODE, code_hash=code_hash, at=at) > 0


async def add_token(tx: Transaction, token: Token) -> None:
    """Remember a bearer token."""
    await tx.run(_ADD_TOKEN, **asdict(token))


async def find_token(view: View, token_hash: str) -> Token | None:
    """A token that was not revoked."""
    row = await view.one_or_none(_TOKEN, token_hash=token_hash)
    return Token(**dict(row)) if row else None


async def revoke_token(tx: Transaction, token_hash: str, at: Millis) -> None:
    """End one token."""
    await tx.run(_REVOKE, token_hash=token_hash, at=at)


async def revoke_tokens_of_code(tx: Transaction, code_hash: str, at: Millis) -> None:
    """A code was used twice: end what the first use gave out."""
    await tx.run(_REVOKE_OF_CODE, code_hash=code_hash, at=at)


async def revoke_everything(tx: Transaction, account_id: int, at: Millis) -> None:
    """End every token and session of a member (F06)."""
    await tx.run(_REVOKE_OF_ACCOUNT, account_id=account_id, at=at)
    await tx.run(_END_SESSIONS, account_id=account_id)


async def revoke_app(tx: Transaction, account_id: int, app_id: int, at: Millis) -> None:
    """End what a member gave to one application."""
    await tx.run(_REVOKE_OF_APP, account_id=account_id, app_id=app_id, at=at)


async def apps_of(view: View, account_id: int) -> list[dict[str, Any]]:
    """Applications that hold a token of a member: id, name, website, since, scopes."""
    return [dict(row) for row in await view.all(_APPS_OF, account_id=account_id)]


async def add_session(tx: Transaction, session: Session) -> None:
    """Remember somebody who signed in."""
    await tx.run(_ADD_SESSION, **asdict(session))


async def find_session(view: View, token_hash: str, now: Millis) -> Session | None:
    """A session that has not expired."""
    row = await view.one_or_none(_SESSION, token_hash=token_hash, now=now)
    return Session(**dict(row)) if row else None


async def sessions_of(view: View, account_id: int, now: Millis) -> list[Session]:
    """Sessions of a member, most recently used first."""
    return [Session(**dict(row)) for row in await view.all(_SESSIONS_OF, account_id=account_id, now=now)]


async def touch_session(tx: Transaction, token_hash: str, at: Millis) -> None:
    """A session was used."""
    await tx.run(_SEEN, token_hash=token_hash, at=at)


async def end_session(tx: Transaction, token_hash: str) -> None:
    """Sign out."""
    await tx.run(_END_SESSION, token_hash=token_hash)


async def sweep(tx: Transaction, now: Millis) -> None:
    """Drop expired sessions and codes."""
    await tx.run(_SWEEP_SESSIONS, now=now)
    await tx.run(_SWEEP_CODES, before=now)


def _app(row: Row) -> App:
    values = dict(row)
    return App(**(values | {"redirect_uris": tuple(orjson.loads(values["redirect_uris"]))}))
