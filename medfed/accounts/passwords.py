"""Passwords: what is accepted, how they are hashed, and how they are checked without telling more than yes or no."""

import asyncio
import secrets
import unicodedata
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from medfed.kernel.errors import Invalid, Unauthenticated

SHORTEST: Final = 8
LONGEST: Final = 256

# OWASP's second recommendation: 19 MiB and two passes take 30 ms, so that sign-ins cannot be used to exhaust a
# small machine, as the library's own default of 64 MiB can.
_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_NOBODYS: Final = "$argon2id$v=19$m=19456,t=2,p=1$C0+j+7AwWm3d3t5xYgk8Yw$gV9mF3m2J9m0i0y5Z1bq0oYkq3mXl0y1WJkq7c9vC3A"
"""Checked when there is no such member, so that the answer takes as long as for one (F20)."""

_WORDS: Final = 4


def check_password(password: str, *, username: str = "", email: str = "") -> str:
    """A password that a member may have. Raises Invalid."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise Invalid(
            f"a password has {SHORTEST} to {LONGEST} characters",
            {"password": f"{SHORTEST} to {LONGEST} characters"},
        )
    own = {username.casefold(), email.casefold(), email.casefold().partition("@")[0]} - {""}
    if password.casefold() in own or len(set(password)) < 3:
        raise Invalid("the password is too easy to guess", {"password": "too easy to guess"})
    return password


async def hash_password(password: str) -> str:
    """What is stored of a password. Takes about 30 ms, in a thread."""
    return await asyncio.to_thread(_HASHER.hash, _normal(password))


async def verify(password_hash: str, password: str) -> None:
    """Raises Unauthenticated unless it is the password; an empty hash is nobody's, and takes as long."""
    await asyncio.to_thread(_verify, password_hash, password)


def one_time_password() -> str:
    """A password to hand over: 80 bits, without letters that look alike."""
    alphabet = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(alphabet) for _ in range(4)) for _ in range(_WORDS))


def _verify(password_hash: str, password: str) -> None:
    try:
        _HASHER.verify(password_hash or _NOBODYS, _normal(password[:LONGEST]))
    except (VerificationError, InvalidHashError):
        raise Unauthenticated("the name or the password is wrong") from None
    if not password_hash:
        raise Unauthenticated("the name or the password is wrong")


def _normal(password: str) -> str:
    """The same password from every keyboard."""
    return unicodedata.normalize("NFC", password)
