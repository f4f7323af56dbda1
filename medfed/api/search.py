"""Search: accounts, statuses and hashtags, and what a handle or URL leads to (F09, M02)."""

from typing import Final
from urllib.parse import unquote

from starlette.responses import Response

from medfed.api import accounts as found_accounts
from medfed.api import entities, present
from medfed.api.accounts import QUERY
from medfed.api.calls import Call
from medfed.api.limits import Limit
from medfed.api.paging import limit_of
from medfed.domain.accounts import Account, parse_handle
from medfed.domain.posts import Post
from medfed.edge import Json
from medfed.kernel.errors import Invalid, Malformed, NotFound, RemoteFailure, Untrusted
from medfed.kernel.html import safe_url
from medfed.kernel.paging import LARGEST, Page
from medfed.kernel.text import fold_hashtag
from medfed.posts import read
from medfed.storage import accounts, posts, timelines
from medfed.storage.database import View

KINDS: Final = ("accounts", "statuses", "hashtags")


async def search(call: Call) -> Response:
    """Search, for members."""
    params = call.params
    text = params.text("q", most=QUERY).strip()
    kind = params.text("type")
    if kind and kind not in KINDS:
        raise Invalid("no such type", {"type": ", ".join(KINDS)})
    kinds = (kind,) if kind else KINDS
    if text.startswith(("https://", "http://")):
        found, shown = await _at(call, text)
        return await _answer(call, found if "accounts" in kinds else [], shown if "statuses" in kinds else [], [])
    limit, offset = limit_of(params), params.number("offset", 0, most=1_000)
    people = await found_accounts.find(call, text, limit=limit, offset=offset) if "accounts" in kinds else []
    async with call.store.view() as view:
        written = await _written(view, call, text, limit, offset) if "statuses" in kinds else []
        tag = fold_hashtag(text)
        tags = await timelines.tags(view, tag, limit=limit, offset=offset) if tag and "hashtags" in kinds else []
    return await _answer(call, people, written, tags)


async def _answer(call: Call, people: list[Account], written: list[Post], tags: list[str]) -> Response:
    async with call.store.view() as view:
        return Json(
            {
                "accounts": await present.accounts(view, call.here, people),
                "statuses": await present.statuses(view, call.here, call.viewer, written),
                "hashtags": [entities.tag(call.here, tag) for tag in tags],
            }
        )


async def _written(view: View, call: Call, text: str, limit: int, offset: int) -> list[Post]:
    if not text or text.startswith("#") or offset:
        # Statuses are paged by max_id and min_id, not by offset.
        return []
    account_id = call.params.id("account_id")
    page = Page(
        limit=limit,
        max_id=call.params.id("max_id") or LARGEST,
        min_id=call.params.id("min_id") or 0,
    )

    async def candidates(page: Page) -> list[Post]:
        return await timelines.search(view, call.account.id, text, page)

    found = await read.fill(view, call.here, call.viewer, page, candidates)
    return [post for post in found if account_id is None or post.account_id == account_id]


async def _at(call: Call, url: str) -> tuple[list[Account], list[Post]]:
    """What a URL leads to, as far as the caller may read it; other servers are asked only with `resolve`."""
    if not safe_url(url):
        return [], []
    post = await _post_at(call, url)
    if post is not None:
        async with call.store.view() as view:
            return [], await read.readable(view, call.here, call.viewer, [post])
    try:
        account = await _account_at(call, url)
    except Malformed:
        account = None
    return ([account] if account is not None and account.active and account.kind != "Application" else []), []


async def _post_at(call: Call, url: str) -> Post | None:
    own = call.here.uris.post_id_of(url)
    async with call.store.view() as view:
        known = await posts.find_by_uri(view, url)
        if known is None and own is not None:
            known = await posts.find(view, own)
    if known is not None or not _may_ask(call, url):
        return known
    try:
        return await call.instance.posts.post(url)
    except (NotFound, Malformed, RemoteFailure, Untrusted):
        return None


async def _account_at(call: Call, url: str) -> Account | None:
    async with call.store.view() as view:
        known = await accounts.find_by_uri(view, url)
        page = call.here.uris.profile("")
        if known is None and url.startswith(page):
            handle = parse_handle(unquote(url.removeprefix(page)))
            known = await accounts.find_by_handle(view, handle.username, handle.domain or call.here.domain)
    if known is not None or not _may_ask(call, url, count=False):
        return known
    try:
        return await call.instance.lookup.actor(url)
    except (NotFound, Malformed, RemoteFailure, Untrusted):
        return None


def _may_ask(call: Call, url: str, *, count: bool = True) -> bool:
    if not call.params.flag("resolve") or call.here.uris.is_ours(url):
        return False
    if count:
        call.count(Limit.RESOLVE)
    return True
