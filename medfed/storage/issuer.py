"""What makes this instance an issuer: its keys and its status lists."""

from dataclasses import dataclass
from typing import Final, Literal

from medfed.kernel.clock import Millis
from medfed.storage.database import Transaction, View
from medfed.storage.statements import sql

_KEY_COLUMNS: Final = "id, public, sealed, created_at, expires_at, revoked_at"
_KEYS = sql(f"SELECT {_KEY_COLUMNS} FROM issuer_key ORDER BY created_at DESC, id DESC")
_ADD_KEY = sql(
    """
    INSERT INTO issuer_key (id, public, sealed, created_at, expires_at, revoked_at)
    VALUES (:id, :public, :sealed, :created_at, NULL, NULL)
    """
)
_END_KEY = sql("UPDATE issuer_key SET expires_at = :expires_at, revoked_at = :revoked_at WHERE id = :id")

_LIST_COLUMNS: Final = "number, purpose, bits, document, signed_at"
_LIST = sql(f"SELECT {_LIST_COLUMNS} FROM status_list WHERE number = :number")
_LISTS_IN = sql(f"SELECT {_LIST_COLUMNS} FROM status_list WHERE number IN :numbers[]")
_NEWEST_LIST = sql("SELECT MAX(number) FROM status_list WHERE purpose = 'revocation'")
_SIGNED_BEFORE = sql(f"SELECT {_LIST_COLUMNS} FROM status_list WHERE signed_at <= :before ORDER BY number")
_PUT_LIST = sql(
    """
    INSERT INTO status_list (number, purpose, bits, document, signed_at)
    VALUES (:number, :purpose, :bits, :document, :signed_at)
    ON CONFLICT (number) DO UPDATE SET
        bits = excluded.bits, document = excluded.document, signed_at = excluded.signed_at
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedKey:
    """A key that this instance attests with; its private part is sealed."""

    id: str
    public: str
    sealed: bytes
    created_at: Millis
    expires_at: Millis | None = None
    revoked_at: Millis | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnList:
    """A status list of ours, as bits and as the signed document that is served."""

    number: int
    purpose: Literal["revocation", "suspension"]
    bits: bytes
    document: str
    signed_at: Millis


async def keys(view: View) -> list[SealedKey]:
    """Every issuer key, newest first."""
    return [SealedKey(**dict(row)) for row in await view.all(_KEYS)]


async def add_key(tx: Transaction, key: SealedKey) -> None:
    """Store a new issuer key."""
    await tx.run(_ADD_KEY, id=key.id, public=key.public, sealed=key.sealed, created_at=key.created_at)


async def end_key(tx: Transaction, id_: str, *, expires_at: Millis | None, revoked_at: Millis | None) -> None:
    """Give a key an end."""
    await tx.run(_END_KEY, id=id_, expires_at=expires_at, revoked_at=revoked_at)


async def find_list(view: View, number: int) -> OwnList | None:
    """The status list with this number."""
    row = await view.one_or_none(_LIST, number=number)
    return OwnList(**dict(row)) if row else None


async def find_lists(view: View, numbers: set[int]) -> dict[int, OwnList]:
    """Those of these status lists that exist."""
    if not numbers:
        return {}
    return {row["number"]: OwnList(**dict(row)) for row in await view.all(_LISTS_IN, numbers=list(numbers))}


async def newest_list(view: View) -> int | None:
    """The number of the newest revocation list; None when there is none."""
    number = await view.value(_NEWEST_LIST)
    return int(number) if number is not None else None


async def signed_before(view: View, before: Millis) -> list[OwnList]:
    """Status lists that were last signed by then."""
    return [OwnList(**dict(row)) for row in await view.all(_SIGNED_BEFORE, before=before)]


async def put_list(tx: Transaction, own: OwnList) -> None:
    """Store a status list, or its new state."""
    await tx.run(
        _PUT_LIST,
        number=own.number,
        purpose=own.purpose,
        bits=own.bits,
        document=own.document,
        signed_at=own.signed_at,
    )
