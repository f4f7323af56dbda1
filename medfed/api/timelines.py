"""Lists of statuses: home, public, hashtags, bookmarks, favourites; conversations and read markers."""

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.responses import Response

from medfed.api import entities, present
from medfed.api.calls import Call, empty
from medfed.api.paging import page_of
from medfed.domain.posts import Post
from medfed.edge import Json
from medfed.kernel.errors import NotFound
from medfed.kernel.paging import Page
from medfed.kernel.text import fold_hashtag
from medfed.posts import read
from medfed.storage import notifications, posts, timelines
from medfed.storage.database import View
from medfed.storage.timelines import Listed

MARKERS: Final = ("home", "notifications")

Candidates = Callable[[View, Page], Awaitable[list[Post]]]


async def home(call: Call) -> Response:
    """The member's home."""
    return await listing(call, lambda view, page: timelines.home(view, call.account.id, page), quiet=True)


async def public(call: Call) -> Response:
    """Public statuses, of this instance or of all that are known."""
    local, remote = call.params.flag("local"), call.params.flag("remote")

    async def candidates(view: View, page: Page) -> list[Post]:
        return await timelines.public(view, page, local_only=local, remote_only=remote)

    return await listing(call, candidates, quiet=True, media_only=call.params.flag("only_media"))


async def tagged(call: Call) -> Response:
    """Public statuses with a hashtag."""
    tag, local = fold_hashtag(call.part("tag")), call.params.flag("local")

    async def candidates(view: View, page: Page) -> list[Post]:
        return await timelines.tagged(view, tag, page, local_only=local)

    return await listing(call, candidates, quiet=True, media_only=call.params.flag("only_media"))


async def show_tag(call: Call) -> Response:
    """A hashtag: hashtags are not followed here."""
    tag = fold_hashtag(call.part("tag"))
    if not tag:
        raise NotFound("there is no such hashtag")
    return Json(entities.tag(call.here, tag))


async def listing(call: Call, candidates: Candidates, *, quiet: bool = False, media_only: bool = False) -> Response:
    """A page of statuses that the caller may read."""
    page = page_of(call.params)
    async with call.store.view() as view:

        async def more(page: Page) -> list[Post]:
            return await candidates(view, page)

        found = await read.fill(view, call.here, call.viewer, page, more, quiet=quiet)
        cursors = [post.id for post in found]
        if media_only:
            files = await posts.attachments(view, cursors)
            found = [post for post in found if post.id in files]
        shown = await present.statuses(view, call.here, call.viewer, found)
    return Json(shown, headers=call.links(cursors))


async def bookmarks(call: Call) -> Response:
    """What the member keeps."""
    return await _listed(call, timelines.kept)


async def favourites(call: Call) -> Response:
    """What the member found useful."""
    return await _listed(call, timelines.liked)


async def _listed(call: Call, listed: Callable[[View, int, Page], Awaitable[list[Listed]]]) -> Response:
    async with call.store.view() as view:
        found = await listed(view, call.account.id, page_of(call.params))
        readable = await read.readable(view, call.here, call.viewer, [one.post for one in found])
        shown = await present.statuses(view, call.here, call.viewer, readable)
    return Json(shown, headers=call.links([one.cursor for one in found]))


# ── conversations ────────────────────────────────────────────────────────────────────────────────────────────


async def conversations(call: Call) -> Response:
    """Direct conversations, the latest first."""
    page = page_of(call.params)
    async with call.store.view() as view:
        found = await timelines.conversations(view, call.account.id, page)
        return Json(await _conversations(view, call, found), headers=call.links([post.id for post in found]))


async def read_conversation(call: Call) -> Response:
    """Mark a conversation as read."""
    own = call.account
    async with call.store.transaction("read conversation") as tx:
        post = await timelines.conversation(tx, own.id, call.id())
        if post is None:
            raise NotFound("there is no such conversation")
        await notifications.mark(tx, own.id, _marker(post), post.id, call.here.now())
    async with call.store.view() as view:
        return Json((await _conversations(view, call, [post]))[0])


async def _conversations(view: View, call: Call, found: list[Post]) -> list[entities.Entity]:
    own = call.account
    readable = await read.readable(view, call.here, own, found)
    shown = await present.statuses(view, call.here, own, readable)
    marks = await notifications.markers(view, own.id, [_marker(post) for post in readable])
    everyone = await posts.mentions(view, [post.id for post in readable])
    people = {
        post.id: {post.account_id, *(one.account_id for one in everyone.get(post.id, ()))} - {own.id}
        for post in readable
    }
    ids = sorted({id_ for some in people.values() for id_ in some})
    accounts = {str(one["id"]): one for one in await present.accounts_by_id(view, call.here, ids)}
    return [
        {
            "id": str(post.conversation_id),
            "unread": post.account_id != own.id
            and post.id > int(marks.get(_marker(post), {"last_read": 0})["last_read"]),
            "accounts": [accounts[str(id_)] for id_ in sorted(people[post.id]) if str(id_) in accounts],
            "last_status": status,
        }
        for post, status in zip(readable, shown, strict=True)
    ]


def _marker(post: Post) -> str:
    return f"conversation {post.conversation_id}"


# ── markers ──────────────────────────────────────────────────────────────────────────────────────────────────


async def markers(call: Call) -> Response:
    """How far the member has read."""
    names = [name for name in call.params.texts("timeline") if name in MARKERS]
    async with call.store.view() as view:
        found = await notifications.markers(view, call.account.id, names)
    return Json({name: entities.marker(row) for name, row in found.items()})


async def mark(call: Call) -> Response:
    """Remember how far the member has read."""
    wanted = {name: call.params.inner(name).id("last_read_id") for name in MARKERS if name in call.params}
    given = {name: id_ for name, id_ in wanted.items() if id_ is not None}
    async with call.store.transaction("mark") as tx:
        for name, id_ in given.items():
            await notifications.mark(tx, call.account.id, name, id_, call.here.now())
        found = await notifications.markers(tx, call.account.id, list(given))
    return Json({name: entities.marker(row) for name, row in found.items()})


# ── what there is not ────────────────────────────────────────────────────────────────────────────────────────


async def nothing(_call: Call) -> Response:
    """A list of something that this instance does not have: always empty."""
    return Json([])


async def not_there(_call: Call) -> Response:
    """One of something that this instance does not have: never found."""
    raise NotFound("there is nothing of this kind here")


async def accepted(_call: Call) -> Response:
    """Something that changes nothing here."""
    return empty()
