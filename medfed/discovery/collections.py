"""Outbox, followers, following, featured and replies of local actors."""

from typing import Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

from medfed.activitypub import contexts, render
from medfed.discovery.asking import may_fetch, require_asker
from medfed.discovery.documents import local_account
from medfed.domain.accounts import Account
from medfed.edge import activity_json, instance_of
from medfed.kernel.errors import NotFound
from medfed.kernel.paging import LARGEST, Page
from medfed.posts.publish import whole_of
from medfed.storage import outbox, posts, relations, timelines
from medfed.storage.database import View

PAGE: Final = 20


async def outbox_of(request: Request) -> Response:
    """GET /users/NAME/outbox: what is for everybody, nothing else (M03)."""
    instance = instance_of(request)
    who = await require_asker(request)
    before = _before(request)
    async with instance.store.view() as view:
        account = await _not_blocking(view, request, who)
        total = await outbox.count_listed(view, account.id)
        first = f"{account.outbox}?before={LARGEST}"
        if before is None:
            return activity_json(render.collection(account.outbox, total=total, first=first))
        rows = await outbox.listed(view, account.id, Page(limit=PAGE, max_id=before))
    items = [orjson.loads(body) for _, body in rows]
    following = f"{account.outbox}?before={rows[-1][0]}" if len(rows) == PAGE else ""
    url = f"{account.outbox}?before={before}"
    return activity_json(render.page(url, part_of=account.outbox, items=items, next_=following))


async def followers(request: Request) -> Response:
    """GET /users/NAME/followers: how many, not who (N27)."""
    await require_asker(request)
    async with instance_of(request).store.view() as view:
        account = await local_account(view, request)
    return activity_json(render.collection(account.followers_uri, total=account.followers_count))


async def following(request: Request) -> Response:
    """GET /users/NAME/following: how many, not who (N27)."""
    await require_asker(request)
    async with instance_of(request).store.view() as view:
        account = await local_account(view, request)
    return activity_json(render.collection(account.following_uri, total=account.following_count))


async def of_instance(request: Request) -> Response:
    """GET of the instance actor's outbox, followers, following: empty, for the server itself has no readers."""
    uris = instance_of(request).here.uris
    return activity_json(render.collection(f"{uris.base}{request.scope['path'].rstrip('/')}", total=0))


async def featured(request: Request) -> Response:
    """GET /users/NAME/featured: pinned posts, whole, newest pin first."""
    instance = instance_of(request)
    who = await require_asker(request)
    async with instance.store.view() as view:
        account = await _not_blocking(view, request, who)
        pinned = [post for post in await timelines.pinned(view, account.id) if post.is_open]
        items = [render.post(instance.here.uris, await whole_of(view, post, account)) for post in pinned]
    document = render.collection(f"{account.uri}/featured", total=len(items), items=items)
    return activity_json(document | {"@context": list(contexts.POST)})


async def replies(request: Request) -> Response:
    """GET /users/NAME/posts/ID/replies: ids of the answers that the asker may read (M06)."""
    instance = instance_of(request)
    who = await require_asker(request)
    uri = f"{instance.here.uris.actor(request.path_params['username'])}/posts/{request.path_params['id']}"
    async with instance.store.view() as view:
        post = await posts.find_by_uri(view, uri)
        if post is None or post.is_boost or not await may_fetch(view, instance, who, post):
            raise NotFound("there is no such post")
        answers = await posts.replies(view, post.id)
        shown = [answer for answer in answers if await may_fetch(view, instance, who, answer)]
    everybodys = post.is_open and all(answer.is_open for answer in shown)
    collection = instance.here.uris.replies(post.uri)
    return activity_json(
        render.collection(collection, total=len(shown), items=[answer.uri for answer in shown], ordered=False),
        public=everybodys,
    )


async def _not_blocking(view: View, request: Request, who: Account) -> Account:
    """The local account that the path names, unless it blocks who asks: then there is none."""
    account = await local_account(view, request)
    _, blocked_by = await relations.blocks_between(view, who.id, [account.id])
    if blocked_by:
        raise NotFound("there is no such account")
    return account


async def audience(_request: Request) -> Response:
    """GET of an audience collection: who is in it is nobody's business."""
    raise NotFound("an audience is not enumerable")


def _before(request: Request) -> int | None:
    """Where a page of the outbox begins; None when the collection itself is asked for."""
    value = request.query_params.get("before", "")
    return min(int(value), LARGEST) if value.isascii() and value.isdigit() and len(value) <= 19 else None
