"""What happened to a member: notifications, follow requests, private conversations."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, get_args

from starlette.responses import Response

from medfed.domain.notifications import Notification, NotificationKind
from medfed.domain.posts import Post
from medfed.kernel.errors import NotFound
from medfed.kernel.paging import Page
from medfed.posts import read
from medfed.relations import follow as relating
from medfed.storage import accounts, notifications, posts, timelines
from medfed.storage.database import View
from medfed.web import permissions
from medfed.web.groups import group_titles
from medfed.web.present import excerpt_of, people, post_path
from medfed.web.sent import number
from medfed.web.sheet import asked_page, last_read, page, paging
from medfed.web.views import ConversationView, NotificationView, PersonView
from medfed.web.visit import Visit, back, go

_KINDS: Final[tuple[str, ...]] = get_args(NotificationKind)
_SHOWN_AS: Final = {"case_answer_kept": "case_accepted"}
_GROUPED: Final = frozenset({"favourite", "reblog"})
_PAGE: Final = 40


async def index(visit: Visit) -> Response:
    """GET /notifications."""
    wanted = asked_page(visit, _PAGE)
    async with visit.instance.store.view() as view:
        found = await notifications.page(view, visit.account.id, wanted, kinds=list(_KINDS))
        waiting = await permissions.asked(view, visit) if wanted == Page(limit=_PAGE) else ()
        shown = await _views(view, visit, [each for each in found if each.kind != "quote_request"])
    return await page(
        visit,
        "notifications",
        current="notifications",
        notices=(*waiting, *shown),
        paging=paging(visit, wanted, [each.id for each in found]),
    )


async def _views(view: View, visit: Visit, found: Sequence[Notification]) -> tuple[NotificationView, ...]:
    """As they are shown; what its reader may no longer read is not (M01, M09)."""
    about = await posts.find_many(view, (each.post_id for each in found if each.post_id))
    allowed = {
        post.id: post for post in await read.readable(view, visit.instance.here, visit.viewer, [*about.values()])
    }
    them = await people(view, visit, {each.from_id for each in found} | {post.account_id for post in allowed.values()})
    authors = await accounts.find_many(view, {post.account_id for post in allowed.values()})
    joined = {each.group_id for each in found if each.group_id is not None}
    titles = await group_titles(view, joined)
    seen = await last_read(view, visit)
    shown: list[NotificationView] = []
    groups: dict[tuple[str, int], int] = {}
    for each in found:
        if each.post_id is not None and each.post_id not in allowed:
            continue
        key = (each.kind, each.post_id or 0)
        if each.kind in _GROUPED and key in groups:
            earlier = shown[groups[key]]
            shown[groups[key]] = replace(earlier, others=earlier.others + 1)
            continue
        groups[key] = len(shown)
        post = allowed.get(each.post_id or 0)
        href = post_path(authors[post.account_id], post) if post else ""
        unread = each.id > seen
        group = titles.get(each.group_id or 0)
        shown.append(
            _asks(each, them, *group, unread=unread) if group else _view(each, them, post, href, unread=unread)
        )
    return tuple(shown)


def _view(
    each: Notification, them: dict[int, PersonView], post: Post | None, href: str, *, unread: bool
) -> NotificationView:
    actor = them.get(each.from_id)
    asks = each.kind == "follow_request"
    where = "/verification" if each.kind == "attestation_offer" else href or (actor.href if actor else "/notifications")
    kind = "reply" if each.kind == "mention" and post is not None and post.in_reply_to_id else each.kind
    return NotificationView(
        kind=_SHOWN_AS.get(kind, kind),
        at=each.created_at,
        href=where,
        actor=actor,
        excerpt=excerpt_of(post) if post else "",
        unread=unread,
        request_action=f"/notifications/requests/{each.from_id}" if asks else None,
    )


def _asks(each: Notification, them: dict[int, PersonView], name: str, title: str, *, unread: bool) -> NotificationView:
    """Somebody asks to join a group that the reader moderates."""
    where = f"/groups/{name}"
    return NotificationView(
        kind=each.kind,
        at=each.created_at,
        href=where,
        actor=them.get(each.from_id),
        excerpt=title,
        unread=unread,
        request_action=where,
        request_by=str(each.from_id),
    )


async def mark_read(visit: Visit) -> Response:
    """POST /notifications/read."""
    async with visit.instance.store.transaction("mark notifications") as tx:
        newest = await notifications.page(tx, visit.account.id, Page(limit=1), kinds=list(_KINDS))
        if newest:
            await notifications.mark(tx, visit.account.id, "notifications", newest[0].id, visit.now)
    return go(visit, "/notifications", "read")


async def answer_request(visit: Visit) -> Response:
    """POST /notifications/requests/ACCOUNT: accept or refuse who asks to follow. Raises NotFound."""
    instance, accepts = visit.instance, visit.sent.text("do") == "accept"
    async with instance.store.transaction("answer follow request") as tx:
        follower = await accounts.get(tx, number(visit.param("id")))
        decide = relating.authorize if accepts else relating.reject
        if not await decide(tx, instance.here, visit.account, follower):
            raise NotFound("nobody asks")
    return back(visit, "accepted" if accepts else "refused", default="/notifications")


# ── private conversations ────────────────────────────────────────────────────────────────────────────────────


async def messages(visit: Visit) -> Response:
    """GET /messages: private conversations, the latest first."""
    wanted, viewer = asked_page(visit, _PAGE), visit.account
    async with visit.instance.store.view() as view:

        async def candidates(part: Page) -> list[Post]:
            return await timelines.conversations(view, viewer.id, part)

        found = await read.fill(view, visit.instance.here, viewer, wanted, candidates)
        shown = await _conversations(view, visit, found)
    return await page(
        visit,
        "messages",
        current="messages",
        conversations=shown,
        paging=paging(visit, wanted, [post.id for post in found]),
    )


async def _conversations(view: View, visit: Visit, found: Sequence[Post]) -> tuple[ConversationView, ...]:
    latest: dict[int, Post] = {}
    for post in found:
        latest.setdefault(post.conversation_id, post)
    named = await posts.mentions(view, [post.id for post in latest.values()])
    involved = {post.account_id for post in latest.values()}
    involved |= {mention.account_id for mentions in named.values() for mention in mentions}
    them = await people(view, visit, involved)
    authors = await accounts.find_many(view, {post.account_id for post in latest.values()})
    views = []
    for post in latest.values():
        others = dict.fromkeys([post.account_id, *(mention.account_id for mention in named.get(post.id, ()))])
        views.append(
            ConversationView(
                href=post_path(authors[post.account_id], post),
                people=tuple(them[id_] for id_ in others if id_ in them and id_ != visit.account.id),
                excerpt=excerpt_of(post),
                at=post.published_at,
            )
        )
    return tuple(views)
