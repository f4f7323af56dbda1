"""Groups: which there are here, who is in one, and what its moderators and admins do."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import Final, TypeAlias

from starlette.responses import Response

from medfed.accounts import groups as making
from medfed.accounts import leave, register, sessions
from medfed.domain.accounts import Account
from medfed.domain.groups import Group
from medfed.kernel.errors import Forbidden, Invalid, Malformed, NotFound
from medfed.kernel.html import plain
from medfed.kernel.paging import Page
from medfed.posts import carry, read
from medfed.relations import follow as relating
from medfed.storage import accounts, groups, posts, relations, timelines
from medfed.storage.database import Transaction, View
from medfed.web.present import people, person, post_path
from medfed.web.problems import in_words
from medfed.web.sent import number
from medfed.web.sheet import page
from medfed.web.views import FormView, GroupPostView, GroupView
from medfed.web.visit import Visit, go

_MEMBERS: Final = 200
_POSTS: Final = 20


async def index(visit: Visit) -> Response:
    """GET /groups: the groups of this instance; admins make new ones here."""
    return await _index(visit, FormView(), 200)


async def _index(visit: Visit, form: FormView, status: int) -> Response:
    async with visit.instance.store.view() as view:
        found = await groups.every(view)
        known = await accounts.find_many(view, (each.account_id for each in found))
        followed = await relations.followed_among(view, visit.viewer.id, known) if visit.viewer else set()
        moderated = {each.account_id for each in found if each.closed and await _may_manage(view, visit, each)}
        # That there is a closed group is for its members and moderators to know (M11).
        shown = [each for each in found if not each.closed or each.account_id in followed | moderated]
        counts = {each.account_id: await relations.count_followers(view, each.account_id) for each in shown}
    rows = tuple(
        _row(visit, known[each.account_id], each, joined=each.account_id in followed, members=counts[each.account_id])
        for each in shown
        if known[each.account_id].active
    )
    may_make = visit.member is not None and visit.member.is_at_least("admin")
    return await page(visit, "groups", current="groups", status=status, groups=rows, may_make=may_make, form=form)


async def _may_manage(view: View, visit: Visit, group: Group) -> bool:
    return visit.member is not None and await _moderates(view, visit, group.account_id)


def _row(visit: Visit, account: Account, group: Group, *, joined: bool, members: int) -> GroupView:
    shown = person(visit, account)
    return GroupView(
        person=replace(shown, name=group.title) if group.title else shown,
        about=(group.about or plain(account.summary))[:300],
        members=members,
        closed=group.closed,
        moderated=group.moderated,
        joined=joined,
        href=f"/groups/{account.username}",
    )


async def group_titles(view: View, ids: Iterable[int]) -> dict[int, tuple[str, str]]:
    """(name in its address, title) of groups of ours, for those who moderate them."""
    known = {each.account_id: each for each in await groups.among(view, ids)}
    them = await accounts.find_many(view, known)
    return {id_: (them[id_].username, known[id_].title or them[id_].name) for id_ in known if id_ in them}


async def create(visit: Visit) -> Response:
    """POST /groups: make one, moderated by whoever makes it."""
    sent, instance = visit.sent, visit.instance
    keys = await register.new_keys()
    try:
        async with instance.store.transaction("create group") as tx:
            made = await making.create(
                tx,
                instance.here,
                instance.levels,
                username=sent.text("name").strip(),
                keys=keys,
                title=sent.text("title").strip(),
                about=sent.text("about").strip(),
                closed=bool(sent.text("closed")),
                moderated=bool(sent.text("moderated")),
                moderators=[visit.account],
                by=visit.account.acct,
            )
    except Invalid as error:
        words = in_words(visit, error)
        errors = {{"username": "name", "display_name": "title", "note": "about"}.get(k, k): v for k, v in words.items()}
        return await _index(visit, FormView(values=sent.values(), errors=errors), 422)
    return go(visit, f"/groups/{made.username}", "saved")


async def inside(visit: Visit) -> Response:
    """GET /groups/NAME: its members, for members; what waits for its moderators, for those. Raises NotFound."""
    async with visit.instance.store.view() as view:
        account, group = await making.named(view, visit.instance.here, visit.param("name"))
        joined = account.id in await relations.followed_among(view, visit.account.id, [account.id])
        moderates = await _moderates(view, visit, account.id)
        if not joined and not moderates:
            raise NotFound("who is in a group is for its members to see")
        member_ids = [id_ for _, id_ in await relations.followers(view, account.id, Page(limit=_MEMBERS))]
        asking = (
            [id_ for _, id_ in await relations.requests(view, account.id, Page(limit=_MEMBERS))] if moderates else []
        )
        moderators = await groups.moderators(view, account.id)
        known = await people(view, visit, {*member_ids, *asking, *moderators})
        recent = await _recent(view, visit, account) if moderates else ()
        members = await relations.count_followers(view, account.id)
    admin = visit.member is not None and visit.member.is_at_least("admin")
    return await page(
        visit,
        "group",
        current="groups",
        group=_row(visit, account, group, joined=joined, members=members),
        moderators=tuple((str(id_), known[id_]) for id_ in moderators if id_ in known),
        members=tuple((str(id_), known[id_]) for id_ in member_ids if id_ in known),
        asking=tuple((str(id_), known[id_]) for id_ in asking if id_ in known),
        recent=recent,
        moderates=moderates,
        admin=admin,
        form=FormView(),
    )


async def _moderates(view: View, visit: Visit, group_id: int) -> bool:
    if visit.member is not None and visit.member.is_at_least("moderator"):
        return True
    return await groups.moderates(view, group_id, visit.account.id)


async def _recent(view: View, visit: Visit, account: Account) -> tuple[GroupPostView, ...]:
    found = await timelines.in_group(view, account.id, Page(limit=_POSTS))
    shown = await read.readable(view, visit.instance.here, visit.viewer, found)
    authors = await accounts.find_many(view, (each.account_id for each in shown))
    by = await people(view, visit, authors)
    return tuple(
        GroupPostView(
            id=str(each.id),
            by=by[each.account_id],
            excerpt=plain(each.content)[:140],
            href=post_path(authors[each.account_id], each),
        )
        for each in shown
    )


# ── deeds ────────────────────────────────────────────────────────────────────────────────────────────────────

_Deed: TypeAlias = Callable[[Transaction, Visit, Account], Awaitable[str]]


async def act(visit: Visit) -> Response:
    """POST /groups/NAME: let in, refuse, remove, ban, take out; appoint, dismiss, close. Raises NotFound, Forbidden."""
    do, instance = visit.sent.text("do"), visit.instance
    deed, of_admins = _OF_MODERATORS.get(do), _OF_ADMINS.get(do)
    if deed is None and of_admins is None:
        raise Malformed("that cannot be done with a group")
    async with instance.store.transaction("act on group") as tx:
        account, _ = await making.named(tx, instance.here, visit.param("name"))
        if deed is not None and not await _moderates(tx, visit, account.id):
            raise Forbidden("only its moderators do that")
        if of_admins is not None and not (visit.member is not None and visit.member.is_at_least("admin")):
            raise Forbidden("only admins do that")
        flash = await (deed or of_admins or _close)(tx, visit, account)
    return go(visit, "/groups" if do == "close" else f"/groups/{account.username}", flash)


async def _other(tx: Transaction, visit: Visit) -> Account:
    return await accounts.get(tx, number(visit.sent.text("account")))


async def _accept(tx: Transaction, visit: Visit, group: Account) -> str:
    if not await relating.authorize(tx, visit.instance.here, group, await _other(tx, visit)):
        raise NotFound("nobody asks")
    return "accepted"


async def _remove(tx: Transaction, visit: Visit, group: Account) -> str:
    if not await relating.reject(tx, visit.instance.here, group, await _other(tx, visit)):
        raise NotFound("that is no member")
    return "refused"


async def _ban(tx: Transaction, visit: Visit, group: Account) -> str:
    await relating.block(tx, visit.instance.here, group, await _other(tx, visit))
    return "refused"


async def _take_out(tx: Transaction, visit: Visit, group: Account) -> str:
    post = await posts.get(tx, number(visit.sent.text("post")))
    if not await carry.take_out(tx, visit.instance.here, visit.instance.levels, group, post, visit.account):
        raise NotFound("the group has no such post")
    return "saved"


async def _appoint(tx: Transaction, visit: Visit, group: Account) -> str:
    member = await sessions.get_member(tx, visit.instance.here, visit.sent.text("username").strip())
    await making.appoint(tx, visit.instance.here, group, member.account, by=visit.account.acct)
    return "saved"


async def _dismiss(tx: Transaction, visit: Visit, group: Account) -> str:
    await making.dismiss(tx, visit.instance.here, group, await _other(tx, visit), by=visit.account.acct)
    return "saved"


async def _close(tx: Transaction, visit: Visit, group: Account) -> str:
    await leave.leave(tx, visit.instance.here, visit.instance.levels, group, by=visit.account.acct)
    return "saved"


_OF_MODERATORS: Final[dict[str, _Deed]] = {
    "accept": _accept,
    "refuse": _remove,
    "remove": _remove,
    "ban": _ban,
    "take-out": _take_out,
}
_OF_ADMINS: Final[dict[str, _Deed]] = {"appoint": _appoint, "dismiss": _dismiss, "close": _close}
