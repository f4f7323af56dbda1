"""Outbox, followers, following, featured, replies and conversations of local actors."""

from collections.abc import Sequence
from typing import Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

from medfed.activitypub import contexts, render
from medfed.activitypub.uris import authority_of
from medfed.discovery.asking import fetchable, may_fetch, require_asker
from medfed.discovery.documents import local_account
from medfed.domain.accounts import Account
from medfed.domain.posts import Post
from medfed.edge import activity_json, instance_of
from medfed.kernel.errors import NotFound
from medfed.kernel.paging import LARGEST, Page, id_of
from medfed.posts.publish import whole_of
from medfed.storage import accounts, groups, outbox, posts, relations, timelines
from medfed.storage.database import View

PAGE: Final = 20


async def outbox_of(request: Request) -> Response:
    """GET /users/NAME/outbox: what is for everybody, nothing else (M03)."""
    instance = instance_of(request)
    who = await require_asker(request)
    before = _number(request, "before")
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
    """GET /users/NAME/followers: how many, not who (N27); of a closed group, whether a peer has members, to its like.

    `?is_follower=` an actor of that peer: `true` or `false`, as Lemmy says of private communities.
    """
    who = await require_asker(request)
    instance = instance_of(request)
    async with instance.store.view() as view:
        account = await local_account(view, request)
        group = await groups.of_account(view, account)
        if group is None or not group.closed:
            return activity_json(render.collection(account.followers_uri, total=account.followers_count))
        if not instance.levels.is_trusted(who.host) or not await groups.has_member_on(view, account.id, who.host):
            raise NotFound("there is no such collection")
        host = authority_of(request.query_params.get("is_follower", "")[:2_000])
        has = instance.levels.is_trusted(host) and await groups.has_member_on(view, account.id, host)
    return Response(b"true" if has else b"false", media_type="application/json")


async def followers_synchronization(request: Request) -> Response:
    """GET /users/NAME/followers_synchronization: which of the asker's own host follow, all of them, and nobody else.

    Whoever follows from another host is not the asker's business (FEP-8fcf). In one piece, as Mastodon reads it.
    """
    instance = instance_of(request)
    who = await require_asker(request)
    async with instance.store.view() as view:
        account = await local_account(view, request)
        listed = await relations.followers_on(view, account.id, who.host)
    url = instance.here.uris.followers_synchronization(account.uri)
    document = render.collection(url, total=len(listed)) | {"orderedItems": listed}
    return activity_json(document, public=False)


async def following(request: Request) -> Response:
    """GET /users/NAME/following: how many, not who (N27)."""
    await require_asker(request)
    async with instance_of(request).store.view() as view:
        account = await local_account(view, request)
    return activity_json(render.collection(account.following_uri, total=account.following_count))


async def moderators(request: Request) -> Response:
    """GET /users/NAME/moderators: who moderates a group of ours (FEP-1b12)."""
    instance = instance_of(request)
    await require_asker(request)
    async with instance.store.view() as view:
        account = await local_account(view, request)
        group = await groups.find(view, account.id)
        if group is None or group.closed:
            raise NotFound("that is no group that shows who moderates it")
        known = await accounts.find_many(view, await groups.moderators(view, account.id))
    items = [each.uri for each in known.values() if each.active]
    return activity_json(render.collection(instance.here.uris.moderators(account.uri), total=len(items), items=items))


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
        items = [render.post(instance.here.uris, await whole_of(view, instance.here, post, account)) for post in pinned]
    document = render.collection(f"{account.uri}/featured", total=len(items), items=items)
    return activity_json(document | {"@context": list(contexts.POST)})


async def replies(request: Request) -> Response:
    """GET /users/NAME/posts/ID/replies: ids of the answers that the asker may read (M06)."""
    instance = instance_of(request)
    who = await require_asker(request)
    async with instance.store.view() as view:
        post = await _post(view, request, who)
        shown = await fetchable(view, instance, who, await posts.replies(view, post.id))
    return _listed(request, instance.here.uris.replies(post.uri), post, shown, ordered=False)


async def context(request: Request) -> Response:
    """GET /users/NAME/posts/ID/context: ids of all posts of a conversation begun here that the asker may read."""
    instance = instance_of(request)
    who = await require_asker(request)
    async with instance.store.view() as view:
        post = await _post(view, request, who)
        if post.id != post.conversation_id:
            raise NotFound("that post began no conversation")
        author = await accounts.get(view, post.account_id)
        shown = await fetchable(view, instance, who, await posts.conversation(view, post.id))
    return _listed(request, instance.here.uris.context(post.uri), post, shown, ordered=True, owner=author.uri)


async def _post(view: View, request: Request, who: Account) -> Post:
    """The local post that the path names, if it is for the asker. Raises NotFound either way else (M12)."""
    instance = instance_of(request)
    uri = f"{instance.here.uris.actor(request.path_params['username'])}/posts/{request.path_params['id']}"
    post = await posts.find_by_uri(view, uri)
    if post is None or post.is_boost or not await may_fetch(view, instance, who, post):
        raise NotFound("there is no such post")
    return post


def _listed(
    request: Request,
    collection: str,
    post: Post,
    shown: Sequence[Post],
    *,
    ordered: bool,
    owner: str = "",
) -> Response:
    """What an asker may read of a thread: the collection with its first page in it, or one of the pages after it."""
    everybodys = post.is_open and all(each.is_open for each in shown)
    after = _number(request, "after")
    page = _page(collection, [each for each in shown if each.id > (after or 0)], after, ordered=ordered)
    if after is None:
        bare = {name: value for name, value in page.items() if name != "@context"}
        page = render.collection(collection, total=len(shown), ordered=ordered) | {"first": bare}
        if owner:
            page["attributedTo"] = owner
    return activity_json(page, public=everybodys)


def _page(collection: str, rest: Sequence[Post], after: int | None, *, ordered: bool) -> render.Rendered:
    following = f"{collection}?after={rest[PAGE - 1].id}" if len(rest) > PAGE else ""
    return render.page(
        f"{collection}?after={after or 0}",
        part_of=collection,
        items=[each.uri for each in rest[:PAGE]],
        next_=following,
        ordered=ordered,
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


def _number(request: Request, name: str) -> int | None:
    """Where a page begins; None when the collection itself is asked for."""
    value = request.query_params.get(name, "")
    id_ = id_of(value)
    return LARGEST if id_ is None and value.isascii() and value.isdigit() else id_
