"""A group is made, changed and closed, and somebody comes to moderate it."""

from collections.abc import Iterable

from medfed.accounts import profile
from medfed.accounts.peers import PeerLevels
from medfed.accounts.profile import ProfileEdit
from medfed.accounts.register import NewKeys, register_group
from medfed.activitypub.here import Here
from medfed.domain.accounts import Account
from medfed.domain.groups import Group
from medfed.kernel.errors import Invalid, NotFound
from medfed.storage import accounts, groups, moderation, notifications
from medfed.storage.database import Transaction, View


async def create(
    tx: Transaction,
    here: Here,
    levels: PeerLevels,
    *,
    username: str,
    keys: NewKeys,
    title: str,
    about: str = "",
    closed: bool = False,
    moderated: bool = False,
    moderators: Iterable[Account] = (),
    by: str,
) -> Account:
    """Make a group; audited. `closed`: only members read it, and moderators let people in; what it is called is for
    them, too. `moderated`: only its moderators begin discussions. Raises Invalid.
    """
    account = await register_group(tx, here, username=username, keys=keys)
    change = ProfileEdit(display_name=title, bio=about)
    profile.check(change)
    kept = {"title": title, "about": about} if closed else {}
    if closed:
        change = ProfileEdit(locked=True, discoverable=False)
    now = here.now()
    await groups.add(tx, Group(account_id=account.id, closed=closed, moderated=moderated, created_at=now, **kept))
    edited = await profile.edit(tx, here, levels, account, change)
    detail = {"closed": closed, "moderated": moderated}
    await moderation.record(tx, at=here.now(), actor=by, action="group.create", subject=username, detail=detail)
    for each in moderators:
        await appoint(tx, here, edited.account, each, by=by)
    return edited.account


async def appoint(tx: Transaction, here: Here, group: Account, account: Account, *, by: str) -> None:
    """From now on, a member of this instance moderates a group; audited. Raises Invalid."""
    if not account.local or not account.active or account.kind in ("Group", "Application"):
        raise Invalid("a group is moderated by members of this instance", {"moderator": "no member here"})
    await groups.add_moderator(tx, group.id, account.id, here.now())
    detail = {"moderator": account.username}
    await moderation.record(tx, at=here.now(), actor=by, action="group.appoint", subject=group.username, detail=detail)


async def dismiss(tx: Transaction, here: Here, group: Account, account: Account, *, by: str) -> bool:
    """Somebody no longer moderates a group; audited. False if they did not."""
    if not await groups.drop_moderator(tx, group.id, account.id):
        return False
    await notifications.withdraw_requests_to(tx, group_id=group.id, account_id=account.id)
    detail = {"moderator": account.username}
    await moderation.record(tx, at=here.now(), actor=by, action="group.dismiss", subject=group.username, detail=detail)
    return True


async def named(view: View, here: Here, username: str) -> tuple[Account, Group]:
    """The group of ours with this name. Raises NotFound."""
    account = await accounts.find_by_handle(view, username.removeprefix("!").removeprefix("@"), here.domain)
    group = await groups.find(view, account.id) if account is not None and account.active else None
    if account is None or group is None:
        raise NotFound(f"there is no group {username[:60]!r} here")
    return account, group
