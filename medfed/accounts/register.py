"""How an account comes to be: members, created or signed up; the instance's own actor; confirmation and approval."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from medfed.accounts.passwords import check_password
from medfed.activitypub.here import Here
from medfed.activitypub.keys import FRAGMENTS, KeyKind, PrivateKey, generate_ed25519, generate_rsa
from medfed.activitypub.uris import authority_of
from medfed.domain.accounts import (
    INSTANCE_USERNAME,
    ROLES,
    Account,
    AccountKey,
    Kind,
    Member,
    Role,
    check_chosen_username,
    check_email,
    check_username,
)
from medfed.kernel.clock import DAY
from medfed.kernel.errors import Forbidden, Gone, Invalid
from medfed.kernel.html import neutralise
from medfed.kernel.paging import id_of
from medfed.kernel.secrets import same_secret
from medfed.notifications.mail import Letter, post_letter
from medfed.storage import accounts, moderation
from medfed.storage.database import Transaction

RegistrationMode: TypeAlias = Literal["closed", "invite", "approval", "open"]

DISPLAY_NAME: Final = 60
CONFIRM_WITHIN: Final = 3 * DAY
INVITED_FOR: Final = 14 * DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKeys:
    """Key material for one account, not yet stored."""

    rsa: PrivateKey
    ed25519: PrivateKey


async def new_keys() -> NewKeys:
    """RSA-2048, which every peer verifies, and Ed25519 for proofs. Takes 100 ms, in a thread: before a transaction."""
    rsa, ed25519 = await asyncio.to_thread(lambda: (generate_rsa(), generate_ed25519()))
    return NewKeys(rsa=rsa, ed25519=ed25519)


async def register(
    tx: Transaction,
    here: Here,
    *,
    username: str,
    email: str,
    password_hash: str,
    keys: NewKeys,
    role: Role = "member",
    display_name: str = "",
    language: str = "",
    locked: bool = False,
    kind: Kind = "Person",
    confirmed: bool = True,
    approved: bool = True,
) -> Member:
    """Create a member. Raises Invalid when the name or the address is not acceptable or is taken."""
    check_username(username)
    email = check_email(email)
    if role not in ROLES:
        raise Invalid(f"{role!r} is not a role: {', '.join(ROLES)}", {"role": f"one of {', '.join(ROLES)}"})
    if await accounts.find_by_handle(tx, username, here.domain) is not None:
        raise Invalid(f"the user name {username!r} is taken", {"username": "taken"})
    if await accounts.find_member_by_email(tx, email) is not None:
        raise Invalid("the e-mail address is taken", {"email": "taken"})
    account = await _store(
        tx,
        here,
        replace(
            _blank(here, here.uris.actor(username), username, kind),
            url=here.uris.profile(username),
            display_name=neutralise(display_name, DISPLAY_NAME),
            locked=locked,
        ),
        keys,
    )
    now = here.now()
    member = Member(
        account=account,
        email=email,
        role=role,
        language=language if language in here.languages else here.languages[0],
        password_hash=password_hash,
        created_at=now,
        confirmed_at=now if confirmed else None,
        approved_at=now if approved else None,
    )
    await accounts.add_member(tx, member)
    return member


async def register_instance_actor(tx: Transaction, here: Here, keys: NewKeys) -> Account:
    """The Application actor that signs for the server itself; once made, it stays as it is."""
    known = await accounts.find_by_uri(tx, here.uris.instance_actor)
    if known is not None:
        return known
    blank = _blank(here, here.uris.instance_actor, INSTANCE_USERNAME, "Application")
    named = replace(blank, display_name=here.name, url=f"{here.uris.base}/", locked=True, discoverable=False)
    return await _store(tx, here, named, keys)


async def register_group(tx: Transaction, here: Here, *, username: str, keys: NewKeys) -> Account:
    """The account of a group, which nobody signs in as. Raises Invalid when the name is not acceptable or is taken."""
    check_username(username)
    if await accounts.find_by_handle(tx, username, here.domain) is not None:
        raise Invalid(f"the user name {username!r} is taken", {"username": "taken"})
    blank = _blank(here, here.uris.actor(username), username, "Group")
    return await _store(tx, here, replace(blank, url=here.uris.profile(username)), keys)


# ── signing up ───────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class SignUpRules:
    """Who may sign up by themselves, from the configuration."""

    mode: RegistrationMode
    confirm: Literal["email", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignUp:
    """What somebody filled in. `invitation` is a token of `invite`."""

    username: str
    email: str
    password: str
    agreement: bool
    language: str = ""
    display_name: str = ""
    invitation: str = ""


def check_sign_up(here: Here, rules: SignUpRules, form: SignUp) -> SignUp:
    """The form itself, if it may be handed in. Raises Forbidden, Invalid. Pure, so that no key is made in vain."""
    if rules.mode == "closed":
        raise Forbidden("this instance takes no registrations")
    problems: dict[str, str] = {}
    checks: tuple[Callable[[], str], ...] = (
        lambda: check_chosen_username(form.username),
        lambda: check_email(form.email),
        lambda: check_password(form.password, username=form.username, email=form.email),
    )
    for check in checks:
        try:
            check()
        except Invalid as error:
            problems |= error.fields
    if not form.agreement:
        problems["agreement"] = "must be accepted"
    if problems:
        raise Invalid("; ".join(f"{name}: {problem}" for name, problem in problems.items()), problems)
    if rules.mode == "invite":
        _check_invitation(here, form)
    return form


async def sign_up(
    tx: Transaction, here: Here, rules: SignUpRules, form: SignUp, *, password_hash: str, keys: NewKeys
) -> Member:
    """Register somebody who filled in the form; confirmation mail is promised in the same transaction.

    Raises like `check_sign_up` and `register`.
    """
    check_sign_up(here, rules, form)
    member = await register(
        tx,
        here,
        username=form.username,
        email=form.email,
        password_hash=password_hash,
        keys=keys,
        display_name=form.display_name,
        language=form.language,
        confirmed=rules.confirm == "none",
        approved=rules.mode in ("open", "invite"),
    )
    if rules.confirm == "email":
        await send_confirmation(tx, here, member)
    return member


def invite(here: Here, email: str) -> str:
    """An invitation for one address; it is spent when the address has become a member's. Raises Invalid."""
    address = check_email(email)
    until = here.now() + INVITED_FOR
    return f"{until}.{here.vault.fingerprint(f'{address}|{until}', purpose='invitation')}"


def _check_invitation(here: Here, form: SignUp) -> None:
    until, _, mac = form.invitation.partition(".")
    subject = f"{check_email(form.email)}|{until}"
    genuine = same_secret(here.vault.fingerprint(subject, purpose="invitation"), mac)
    if not genuine or int(until) < here.now():
        raise Invalid(
            "the invitation is not valid for this address, or has expired", {"invitation": "not valid or expired"}
        )


async def send_confirmation(tx: Transaction, here: Here, member: Member) -> None:
    """Promise the mail that confirms an address. It goes to the stored address only (F19)."""
    link = f"{here.uris.base}/confirm?token={confirmation_token(here, member)}"
    await post_letter(
        tx,
        here,
        Letter(
            to=member.email,
            subject=f"{here.name}: confirm your address · confirmez votre adresse",
            text=(
                f"{member.account.handle}\n\n"
                f"To confirm this e-mail address, open within three days:\n"
                f"Pour confirmer cette adresse, ouvrez ce lien dans les trois jours :\n\n{link}\n\n"
                "If you did not ask for this, do nothing.\nSi vous n'avez rien demandé, ne faites rien.\n"
            ),
        ),
    )


def confirmation_token(here: Here, member: Member) -> str:
    """Confirms this member's present address; it is spent when the address is confirmed (F10)."""
    until = here.now() + CONFIRM_WITHIN
    return f"{member.account.id}.{until}.{_confirmation_mac(here, member, until)}"


async def confirm(tx: Transaction, here: Here, token: str) -> Member:
    """Confirm the address that a token was sent to. Raises Invalid, and Gone when it was used or is too old."""
    first, second, mac = [*token.split("."), "", "", ""][:3]
    id_, until = id_of(first), id_of(second)
    if id_ is None or until is None:
        raise Invalid("this is not a confirmation link")
    member = await accounts.find_member(tx, id_)
    if member is None or not same_secret(_confirmation_mac(here, member, until), mac):
        raise Invalid("this is not a confirmation link")
    if until < here.now():
        raise Gone("this link has expired; ask for a new one")
    if not await accounts.confirm(tx, member.account.id, here.now()):
        raise Gone("this link was used already")
    return replace(member, confirmed_at=here.now())


def _confirmation_mac(here: Here, member: Member, until: int) -> str:
    subject = f"{member.account.id}|{member.email}|{until}"
    return here.vault.fingerprint(subject, purpose="confirmation")


async def approve(tx: Transaction, here: Here, account_id: int, *, by: str) -> None:
    """Let in somebody who signed up; audited."""
    if await accounts.approve(tx, account_id, here.now()):
        await moderation.record(tx, at=here.now(), actor=by, action="member.approve", subject=str(account_id))


# ── the account itself ───────────────────────────────────────────────────────────────────────────────────────


def _blank(here: Here, uri: str, username: str, kind: Kind) -> Account:
    now = here.now()
    return Account(
        id=here.ids.new(),
        uri=uri,
        local=True,
        kind=kind,
        username=username,
        domain=here.domain,
        host=authority_of(here.uris.base),
        inbox=f"{uri}/inbox",
        shared_inbox=here.uris.shared_inbox,
        outbox=f"{uri}/outbox",
        followers_uri=f"{uri}/followers",
        following_uri=f"{uri}/following",
        attestations_uri=f"{uri}/attestations",
        created_at=now,
        updated_at=now,
    )


async def _store(tx: Transaction, here: Here, account: Account, keys: NewKeys) -> Account:
    await accounts.store(tx, account)
    await store_keys(tx, here, account, keys, {kind: f"{account.uri}#{name}" for kind, name in FRAGMENTS.items()})
    return account


async def store_keys(tx: Transaction, here: Here, account: Account, keys: NewKeys, uris: Mapping[KeyKind, str]) -> None:
    """Store new keys of an own account, sealed, under these ids."""
    now = here.now()
    for key in (keys.rsa, keys.ed25519):
        uri = uris[key.kind]
        await accounts.add_key(
            tx,
            AccountKey(
                uri=uri,
                account_id=account.id,
                kind=key.kind,
                public=key.public.pem if key.kind == "rsa" else key.public.multikey,
                sealed=here.vault.seal(key.to_pkcs8(), purpose=uri),
                created_at=now,
            ),
        )
