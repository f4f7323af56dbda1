"""Open the database that a URL names, with the driver it needs."""

from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from medfed.kernel.errors import Misconfigured
from medfed.storage.database import Store
from medfed.storage.lock import Role
from medfed.storage.sqlite import SqliteStore

_POSTGRES: Final = ("postgresql", "postgres")


async def connect(url: str, *, role: Role = "server", readers: int = 3, pool: int = 10, durable: bool = True) -> Store:
    """Open `sqlite:///relative/path`, `sqlite:////absolute/path` or `postgresql://…`.

    `readers` and `durable` concern SQLite, `pool` PostgreSQL. Raises ServerRunning, Misconfigured.
    """
    scheme = urlsplit(url).scheme
    if scheme in _POSTGRES:
        # Imported here, because the driver is an extra that a SQLite installation does not have.
        from medfed.storage.postgres import PostgresStore  # noqa: PLC0415

        return await PostgresStore.open(url, pool=pool)
    return await SqliteStore.open(sqlite_path(url), role=role, readers=readers, durable=durable)


def sqlite_path(url: str) -> Path:
    """The file that a sqlite URL names. Raises Misconfigured for any other, not repeating its password."""
    parts = urlsplit(url)
    if parts.scheme != "sqlite" or parts.netloc or len(parts.path) < 2:
        raise Misconfigured("database.url must be sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME")
    return Path(unquote(parts.path[1:]))
