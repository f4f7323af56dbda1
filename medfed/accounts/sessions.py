"""Signing in and out through the web pages, and everything that ends what was signed in."""

from dataclasses import dataclass
from typing import Final

from medfed.accounts import passwords
from medfed.activitypub.here import Here
from medfed.domain.accounts import ROLES, Account, Member, Role, parse_handle
from medfed.kernel.clock import HOUR, MINUTE, Millis
from medfed.kernel.errors import Invalid, Malformed, NotFound, Unauthenticated
from medfed.kernel.secrets import hash_token, new_token
from medfed.storage import accounts, moderation, oauth
from medfed.storage.database import Store, Transaction, View
from medfed.storage.oauth import Session

IDLE: Final = 30 * MINUTE
ABSOLUTE: Final = 12 * HOUR
_TOUCH_AFTER: Final = 1 * MINUTE

ENDED: Final = "sessions"
"""The channel that tells every process that sessions or tokens have ended, so that open streams are looked at."""

_WRONG: Final = "the name or the password is wrong, or the account is not open"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A new session; `token` is for the cookie and is stored nowhere."""

    token: str
    session: Session


async def authenticate(store: Store, here: Here, identifier: str, password: str) -> Member:
    """The member of this name or e-mail address and password. Raises Unauthenticated.

    It says the same, after the same time, when there is no such member, when the password is wrong, and when the
    login is not confirmed, not approved or closed (F20). No connection is held while the password is hashed.
    """
    async with store.view() as view:
        member = await _find(view, here, identifier)
    try:
        await passwords.verify(member.password_hash if member else "", password)
    except Unauthenticated:
        raise Unauthenticated(_WRONG) from None
    if member is None or not member.may_sign_in:
        raise Unauthenticated(_WRONG)
    return member


async def _find(view: View, here: Here, identifier: str) -> Member | None:
    candidate = identifier.strip()[:320]
    by_address = await accounts.find_member_by_email(view, candidate.casefold()) if "@" in candidate else None
    if by_address is not None:
        return by_address
    try:
        handle = parse_handle(candidate)
    except Malformed:
        return None
    if handle.domain not in ("", here.domain):
        return None
    account = await accounts.find_by_handle(view, handle.username, here.domain)
    return await accounts.find_member(view, account.id) if account is not None else None


async def sign_in(tx: Transaction, here: Here, member: Member, *, user_agent: str = "") -> SignedIn:
    """Open a session for a member who has authenticated; always a new one (F04)."""
    now, token = here.now(), new_token()
    session = Session(
        token_hash=hash_token(token),
        account_id=member.account.id,
        csrf=new_token(),
        created_at=now,
        last_seen=now,
        expires_at=now + ABSOLUTE,
        user_agent=user_agent[:200],
    )
    await oauth.add_session(tx, session)
    await accounts.note_sign_in(tx, member.account.id, now)
    return SignedIn(token=token, session=session)


async def resume(view: View, here: Here, token: str) -> tuple[Session, Member]:
    """The session of a cookie and whose it is. Raises Unauthenticated: unknown, idle, expired, or login closed."""
    now = here.now()
    session = await oauth.find_session(view, hash_token(token), now)
    if session is None or now - session.last_seen > IDLE:
        raise Unauthenticated("sign in again")
    member = await accounts.find_member(view, session.account_id)
    if member is None or not member.may_sign_in:
        raise Unauthenticated("sign in again")
    return session, member


def is_due_for_touch(session: Session, now: Millis) -> bool:
    """Whether `touch` is worth a write: at most one a minute and session."""
    return now - session.last_seen > _TOUCH_AFTER


async def touch(tx: Transaction, here: Here, session: Session) -> None:
    """The session is in use; its idle time starts again."""
    await oauth.touch_session(tx, session.token_hash, here.now())


async def sign_out(tx: Transaction, session: Session) -> None:
    """End one session."""
    await oauth.end_session(tx, session.token_hash)
    tx.wake(ENDED)


async def change_password(tx: Transaction, here: Here, account_id: int, password_hash: str, *, by: str) -> None:
    """Replace a password, by whatever route, and end every session and token of the member (F06); audited."""
    await accounts.set_password(tx, account_id, password_hash)
    await end_everything(tx, here, account_id)
    await _record(tx, here, by, "member.password", account_id)


async def disable(tx: Transaction, here: Here, account: Account, *, by: str) -> None:
    """Close a member's login and end every session and token; audited."""
    await accounts.disable(tx, account.id, here.now())
    await end_everything(tx, here, account.id)
    await _record(tx, here, by, "member.disable", account.id)


async def enable(tx: Transaction, here: Here, account: Account, *, by: str) -> None:
    """Open a closed login again; audited."""
    await accounts.disable(tx, account.id, None)
    await _record(tx, here, by, "member.enable", account.id)


async def set_role(tx: Transaction, here: Here, account: Account, role: str, *, by: str) -> Role:
    """Give a member another role; what they had signed in with another one ends; audited. Raises Invalid."""
    wanted = next((known for known in ROLES if known == role), None)
    if wanted is None:
        raise Invalid(f"{role!r} is not a role: {', '.join(ROLES)}", {"role": f"one of {', '.join(ROLES)}"})
    await accounts.set_role(tx, account.id, wanted)
    await end_everything(tx, here, account.id)
    await moderation.record(
        tx, at=here.now(), actor=by, action="member.role", subject=str(account.id), detail={"role": wanted}
    )
    return wanted


async def end_everything(tx: Transaction, here: Here, account_id: int) -> None:
    """End every session and token of a member."""
    await oauth.revoke_everything(tx, account_id, here.now())
    tx.wake(ENDED)


async def get_member(view: View, here: Here, username: str) -> Member:
    """The member of this name. Raises NotFound, Malformed."""
    handle = parse_handle(username)
    if handle.domain in ("", here.domain):
        account = await accounts.find_by_handle(view, handle.username, here.domain)
        member = await accounts.find_member(view, account.id) if account is not None else None
        if member is not None:
            return member
    raise NotFound(f"there is no member {username[:100]!r} here")


async def _record(tx: Transaction, here: Here, by: str, action: str, account_id: int) -> None:
    await moderation.record(tx, at=here.now(), actor=by, action=action, subject=str(account_id))
