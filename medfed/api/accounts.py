"""Accounts: who they are, what they wrote, and what there is between them and the member who asks."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from starlette.responses import Response

from medfed.accounts import passwords, profile, register
from medfed.accounts.consent import issue_token, within
from medfed.accounts.profile import Edited, ProfileEdit
from medfed.accounts.register import SignUp, SignUpRules
from medfed.api import entities, present
from medfed.api.calls import Call
from medfed.api.entities import FROM_CLIENTS
from medfed.api.limits import Limit
from medfed.api.paging import limit_of, page_of
from medfed.api.params import Params
from medfed.api.timelines import listing
from medfed.domain.accounts import Account, Handle, Member, ProfileField, parse_handle
from medfed.domain.posts import Post
from medfed.edge import Json
from medfed.kernel.errors import Malformed, NotFound, RemoteFailure, Unauthenticated, Untrusted
from medfed.kernel.paging import Page
from medfed.kernel.text import fold_hashtag
from medfed.posts import featured, read
from medfed.storage import accounts, groups, oauth, relations, timelines
from medfed.storage.database import View

MANY: Final = 40
QUERY: Final = 300

Found = list[tuple[int, int]]


# ── one's own ────────────────────────────────────────────────────────────────────────────────────────────────


async def verify_credentials(call: Call) -> Response:
    """The member whose token this is."""
    async with call.store.view() as view:
        return Json(await present.own_account(view, call.here, call.member))


async def update_credentials(call: Call) -> Response:
    """Change the member's profile, and how their posts begin."""
    change = await _edit(call)
    source = call.params.inner("source")
    visibility = source.optional_text("privacy")
    async with call.store.transaction("edit profile") as tx:
        edited = await profile.edit(tx, call.here, call.instance.levels, call.account, change)
        member = await profile.prefer(
            tx,
            call.here,
            call.member,
            visibility=FROM_CLIENTS.get(visibility, visibility) if visibility is not None else None,
            sensitive=source.optional_flag("sensitive"),
            posting_language=source.optional_text("language"),
            quotes=source.optional_text("quote_policy"),
        )
    return await _edited(call, member, edited)


async def remove_avatar(call: Call) -> Response:
    """Take the member's portrait away."""
    return await _without_picture(call, ProfileEdit(avatar=""))


async def remove_header(call: Call) -> Response:
    """Take the member's banner away."""
    return await _without_picture(call, ProfileEdit(header=""))


async def _without_picture(call: Call, change: ProfileEdit) -> Response:
    async with call.store.transaction("edit profile") as tx:
        edited = await profile.edit(tx, call.here, call.instance.levels, call.account, change)
    return await _edited(call, call.member, edited)


async def _edited(call: Call, member: Member, edited: Edited) -> Response:
    for key in edited.unused:
        await call.instance.blobs.delete(key)
    async with call.store.view() as view:
        return Json(await present.own_account(view, call.here, replace(member, account=edited.account)))


async def _edit(call: Call) -> ProfileEdit:
    params, images = call.params, call.instance.images
    avatar, header = params.upload("avatar"), params.upload("header")
    return ProfileEdit(
        display_name=params.optional_text("display_name"),
        bio=params.optional_text("note"),
        fields=_fields(params) if "fields_attributes" in params else None,
        locked=params.optional_flag("locked"),
        discoverable=params.optional_flag("discoverable"),
        avatar=await images.accept_avatar(avatar) if avatar is not None else None,
        header=await images.accept_header(header) if header is not None else None,
    )


def _fields(params: Params) -> list[ProfileField]:
    given = params.items("fields_attributes")
    return [ProfileField(name=one.text("name").strip(), value=one.text("value").strip()) for one in given]


async def preferences(call: Call) -> Response:
    """What clients start from."""
    return Json(entities.preferences(call.member))


async def sign_up(call: Call) -> Response:
    """Register a member, as far as this instance takes registrations; the token works once they are let in."""
    settings, params, here = call.instance.settings.registration, call.params, call.here
    rules = SignUpRules(mode=settings.mode, confirm=settings.confirm)
    form = register.check_sign_up(
        here,
        rules,
        SignUp(
            username=params.text("username", most=QUERY),
            email=params.text("email", most=QUERY),
            password=params.text("password", most=2_000),
            agreement=params.flag("agreement"),
            language=params.text("locale", most=20),
            invitation=params.text("invite_code", most=2_000),
        ),
    )
    password_hash = await passwords.hash_password(form.password)
    keys = await register.new_keys()
    if call.caller is None or call.caller.token.app_id is None:
        raise Unauthenticated("this method requires an application's token")
    granted = call.caller.token.scopes
    async with call.store.transaction("sign up") as tx:
        app = await oauth.find_app_by_id(tx, call.caller.token.app_id)
        if app is None:
            raise Unauthenticated("the access token is invalid")
        member = await register.sign_up(tx, here, rules, form, password_hash=password_hash, keys=keys)
        scopes = within(_without_admin(granted), granted)
        return Json(await issue_token(tx, here, app, account_id=member.account.id, scopes=scopes))


def _without_admin(scopes: str) -> str:
    return " ".join(scope for scope in scopes.split() if not scope.startswith("admin:"))


# ── anybody's ────────────────────────────────────────────────────────────────────────────────────────────────


async def show(call: Call) -> Response:
    """One account."""
    async with call.store.view() as view:
        return Json(await present.account(view, call.here, await get_account(view, call)))


async def several(call: Call) -> Response:
    """Accounts by id."""
    ids = call.params.ids("id")[:MANY]
    async with call.store.view() as view:
        return Json(await present.accounts_by_id(view, call.here, ids))


async def lookup(call: Call) -> Response:
    """The known account of a handle; nobody is asked."""
    handle = parse_handle(call.params.text("acct", most=QUERY))
    async with call.store.view() as view:
        account = await accounts.find_by_handle(view, handle.username, handle.domain or call.here.domain)
        if account is None or not account.active or account.kind == "Application":
            raise NotFound("there is no account of this name")
        return Json(await present.account(view, call.here, account))


async def get_account(view: View, call: Call) -> Account:
    """The account of the path. Raises NotFound."""
    account = await accounts.find(view, call.id())
    if account is None or account.gone_at is not None:
        raise NotFound("there is no such account")
    return account


async def statuses(call: Call) -> Response:
    """What an account wrote, as far as the caller may read it."""
    params = call.params
    replies, boosts = not params.flag("exclude_replies"), not params.flag("exclude_reblogs")
    media, tag = params.flag("only_media"), fold_hashtag(params.text("tagged", most=QUERY))
    async with call.store.view() as view:
        author = await get_account(view, call)
        pinned = await _pinned(view, call, author) if params.flag("pinned") else None
    if pinned is not None:
        if call.viewer is not None:
            await featured.look(call.store, call.here, author)
        return pinned
    if author.suspended_at is not None:
        return Json([])

    async def candidates(view: View, page: Page) -> list[Post]:
        return await timelines.by_account(
            view, author.id, page, replies=replies, boosts=boosts, media_only=media, tag=tag
        )

    return await listing(call, candidates)


async def _pinned(view: View, call: Call, author: Account) -> Response:
    found = await read.readable(view, call.here, call.viewer, await timelines.pinned(view, author.id))
    return Json(await present.statuses(view, call.here, call.viewer, found))


async def followers(call: Call) -> Response:
    """Who follows an account; only members see that (N27)."""
    return await _related(call, relations.followers)


async def following(call: Call) -> Response:
    """Whom an account follows; only members see that (N27)."""
    return await _related(call, relations.following)


async def _related(call: Call, related: Callable[[View, int, Page], Awaitable[Found]]) -> Response:
    page = page_of(call.params, default=40, most=80)
    async with call.store.view() as view:
        account = await get_account(view, call)
        found = await related(view, account.id, page) if call.viewer is not None else []
        if call.viewer is not None and call.viewer.id != account.id:
            # Who is in a closed group is for its members (M11), seen from either side.
            open_ = await groups.without_closed(view, [account.id, *(id_ for _, id_ in found)], but_of=call.viewer.id)
            found = [each for each in found if each[1] in open_ and account.id in open_]
        return await account_page(view, call, found)


async def account_page(view: View, call: Call, found: Found) -> Response:
    """Accounts by (cursor, account id), with links to the pages around."""
    shown = await present.accounts_by_id(view, call.here, (account_id for _, account_id in found))
    return Json(shown, headers=call.links([cursor for cursor, _ in found]))


async def search(call: Call) -> Response:
    """Accounts by name; `resolve` asks the server that a handle names."""
    limit = limit_of(call.params, default=40, most=80)
    text = call.params.text("q", most=QUERY).strip()
    found = await find(call, text, limit=limit, offset=call.params.number("offset", 0, most=1_000))
    if call.params.flag("following"):
        async with call.store.view() as view:
            followed = await relations.followed_among(view, call.account.id, [one.id for one in found])
        found = [one for one in found if one.id in followed]
    async with call.store.view() as view:
        return Json(await present.accounts(view, call.here, found))


async def find(call: Call, text: str, *, limit: int, offset: int = 0) -> list[Account]:
    """Accounts that a search is about: the one of the handle first."""
    if not text:
        return []
    exact = await _by_handle(call, text) if offset == 0 else None
    bare = text.removeprefix("@")
    async with call.store.view() as view:
        others = await accounts.search(view, bare, limit=limit, offset=offset)
    found = {one.id: one for one in ([exact] if exact else []) + others}
    return list(found.values())[:limit]


async def _by_handle(call: Call, text: str) -> Account | None:
    try:
        handle = parse_handle(text)
    except Malformed:
        return None
    wants_others = handle.domain not in ("", call.here.domain)
    if wants_others and not (call.params.flag("resolve") and call.viewer is not None):
        async with call.store.view() as view:
            return await accounts.find_by_handle(view, handle.username, handle.domain)
    return await ask(call, handle)


async def ask(call: Call, handle: Handle) -> Account | None:
    """The account of a handle, asking its server; None when it cannot be had (F09)."""
    if handle.domain not in ("", call.here.domain):
        call.count(Limit.RESOLVE)
    try:
        account = await call.instance.lookup.handle(handle)
    except (NotFound, Malformed, RemoteFailure, Untrusted):
        return None
    return account if account.active and account.kind != "Application" else None


async def directory(call: Call) -> Response:
    """Accounts that want to be found, for members."""
    limit = limit_of(call.params, default=20, most=20)
    offset = call.params.number("offset", 0, most=1_000)
    async with call.store.view() as view:
        found = await accounts.directory(view, local_only=call.params.flag("local"), limit=limit, offset=offset)
        return Json(await present.accounts(view, call.here, found))
