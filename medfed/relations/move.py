"""An account moves to another: ours elsewhere, and a peer's, with the members who follow it.

Relations move along, and nothing else does: an attestation is about the actor id that it names (N09).
"""

from dataclasses import replace
from typing import Final

from medfed.accounts.lookup import Lookup
from medfed.accounts.peers import PeerLevels
from medfed.accounts.profile import announce
from medfed.accounts.promise import promise
from medfed.activitypub import render
from medfed.activitypub.here import Here
from medfed.domain.accounts import Account, parse_handle
from medfed.kernel.clock import DAY, Millis, iso
from medfed.kernel.errors import Conflict, Forbidden, Invalid, OriginMismatch, PolicyRefusal
from medfed.relations import follow as relating
from medfed.storage import accounts, moderation, relations
from medfed.storage.database import Transaction

ALIASES: Final = 10
COOLDOWN: Final = 30 * DAY
"""How long an account that has moved stays where it is."""


def check(old: Account, new: Account, now: Millis) -> None:
    """Raises OriginMismatch unless both say it, PolicyRefusal when it moves on, or again, too soon (A10).

    The old account need not name the new one in its document, for it says so itself; it must not name another.
    """
    if old.moved_to not in ("", new.uri):
        raise OriginMismatch("the account says that it moved elsewhere")
    if old.uri not in new.also_known_as:
        raise OriginMismatch("the new account does not list the old one under alsoKnownAs")
    if new.moved_to or not new.active or new.kind == "Application":
        raise PolicyRefusal("the new account has moved on, or is closed")
    if old.moved_at is not None and now - old.moved_at < COOLDOWN:
        raise PolicyRefusal("the account has moved in the last 30 days")


async def moved(tx: Transaction, here: Here, old: Account, new: Account) -> int:
    """A move takes effect here: who blocks or mutes the old account does so to the new one, and its followers
    among the members follow the new one, or ask to; how many.
    """
    await accounts.set_moved(tx, old.id, new.uri, here.now())
    await _carry_blocks(tx, here, old, new)
    await _carry_mutes(tx, here, old, new)
    taken = 0
    for id_ in await relations.local_followers(tx, old.id):
        if id_ != new.id:
            taken += await _follow_along(tx, here, await accounts.get(tx, id_), old, new)
    return taken


async def _follow_along(tx: Transaction, here: Here, member: Account, old: Account, new: Account) -> bool:
    """Whether the member follows, or has asked to follow, the new account; then they no longer follow the old."""
    before = await relations.find(tx, member.id, old.id)
    if before is None:
        return False
    if await relations.find(tx, member.id, new.id) is None:
        try:
            await relating.follow(tx, here, member, new, boosts=before.boosts, alert=before.notify)
        except Forbidden:
            return False
    await relating.unfollow(tx, here, member, old)
    return True


async def _carry_blocks(tx: Transaction, here: Here, old: Account, new: Account) -> None:
    for id_ in await relations.local_blockers(tx, old.id):
        blocking, _ = await relations.blocks_between(tx, id_, [new.id])
        if id_ != new.id and not blocking and await relations.find(tx, id_, new.id) is None:
            await relating.block(tx, here, await accounts.get(tx, id_), new)


async def _carry_mutes(tx: Transaction, here: Here, old: Account, new: Account) -> None:
    now = here.now()
    for id_, notifications, expires_at in await relations.mutes_of(tx, old.id, now):
        if id_ == new.id or await relations.muted_among(tx, id_, [new.id], now):
            continue
        await relations.mute(
            tx,
            id_=here.ids.new(),
            account_id=id_,
            target_id=new.id,
            notifications=notifications,
            expires_at=expires_at,
            at=now,
        )


async def named(lookup: Lookup, text: str) -> Account:
    """The account of a handle or an actor id, as its own server describes it now.

    Raises Malformed, NotFound, OriginMismatch, RemoteFailure.
    """
    is_url = text.startswith(("https://", "http://"))
    found = await (lookup.actor(text) if is_url else lookup.handle(parse_handle(text)))
    return found if found.local else await lookup.refresh(found.uri)


# ── what a member does ───────────────────────────────────────────────────────────────────────────────────────


async def add_alias(tx: Transaction, here: Here, levels: PeerLevels, member: Account, other: Account) -> Account:
    """A member says that another account is theirs, too, so that it can move here. Raises Invalid."""
    if other.id == member.id:
        raise Invalid("that is this account", {"alias": "this account"})
    if other.uri in member.also_known_as:
        return member
    if len(member.also_known_as) >= ALIASES:
        raise Invalid(f"at most {ALIASES} aliases", {"alias": f"at most {ALIASES}"})
    return await _with_aliases(tx, here, levels, member, (*member.also_known_as, other.uri))


async def drop_alias(tx: Transaction, here: Here, levels: PeerLevels, member: Account, uri: str) -> Account:
    """A member takes an alias back."""
    kept = tuple(known for known in member.also_known_as if known != uri)
    return member if kept == member.also_known_as else await _with_aliases(tx, here, levels, member, kept)


async def _with_aliases(
    tx: Transaction, here: Here, levels: PeerLevels, member: Account, aliases: tuple[str, ...]
) -> Account:
    changed = replace(member, also_known_as=aliases, updated_at=here.now())
    await accounts.store(tx, changed)
    await announce(tx, here, levels, changed)
    return changed


async def move(tx: Transaction, here: Here, levels: PeerLevels, member: Account, new: Account, *, by: str) -> None:
    """A member moves to another account, whose document was fetched a moment ago; audited.

    Those who follow the member are told, here and elsewhere. Raises Invalid when the other account does not name
    this one, Conflict within 30 days of the last move.
    """
    now = here.now()
    if new.id == member.id:
        raise Invalid("that is this account", {"target": "this account"})
    if member.moved_at is not None and now - member.moved_at < COOLDOWN:
        raise Conflict(f"this account moved lately, and can move again from {iso(member.moved_at + COOLDOWN)}")
    if member.uri not in new.also_known_as:
        says = f"@{new.acct} does not name this account as an alias; add @{member.handle} to its aliases first"
        raise Invalid(says, {"target": says})
    if new.moved_to or not new.active or new.kind == "Application" or levels.is_blocked(new.host):
        says = f"@{new.acct} has moved on, or is closed"
        raise Invalid(says, {"target": says})
    gone = replace(member, moved_to=new.uri, updated_at=now)
    await accounts.store(tx, gone)
    await announce(tx, here, levels, gone)
    activity = render.activity(
        "Move",
        id_=here.uris.activity(member.uri, here.ids.new()),
        actor_uri=member.uri,
        object_=member.uri,
        to=[member.followers_uri],
        target=new.uri,
    )
    await promise(tx, here, member, activity, [levels.followers_of(member)])
    await moved(tx, here, member, new)
    await moderation.record(tx, at=now, actor=by, action="member.move", subject=member.uri, detail={"target": new.uri})


async def stay(tx: Transaction, here: Here, levels: PeerLevels, member: Account) -> None:
    """A member who has moved takes the redirection back; followers that went stay where they are."""
    back = replace(member, moved_to="", updated_at=here.now())
    await accounts.store(tx, back)
    await announce(tx, here, levels, back)
