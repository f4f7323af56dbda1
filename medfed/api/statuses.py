"""Statuses: posting, editing, deleting, threads, and what members do with them."""

from typing import Final

from starlette.responses import Response

from medfed.api import entities, media, present, quotes
from medfed.api.calls import Call
from medfed.api.entities import FROM_CLIENTS, Entity
from medfed.api.paging import page_of
from medfed.api.params import Params
from medfed.domain.accounts import Account, Handle
from medfed.domain.posts import Draft, Poll, PollOption, Post, Visibility
from medfed.edge import Json
from medfed.instance import Instance
from medfed.kernel import limits
from medfed.kernel.clock import iso_millis
from medfed.kernel.errors import Conflict, Invalid, Malformed, NotFound, RemoteFailure, Untrusted
from medfed.kernel.html import plain
from medfed.posts import complete, compose, publish, react, read
from medfed.posts.react import Act
from medfed.storage import posts, reactions
from medfed.storage.database import Transaction, View

IDEMPOTENCY_KEY: Final = 255
MANY: Final = 40
POLL_SECONDS: Final = (5 * 60, 31 * 24 * 60 * 60)

_LANGUAGE: Final = 20


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────


async def show(call: Call) -> Response:
    """One status."""
    async with call.store.view() as view:
        post = await read.get(view, call.here, call.viewer, call.id())
        return Json(await present.status(view, call.here, call.viewer, post))


async def several(call: Call) -> Response:
    """Statuses by id; those that may not be read are left out."""
    ids = call.params.ids("id")[:MANY]
    async with call.store.view() as view:
        known = await posts.find_many(view, ids)
        candidates = [known[id_] for id_ in ids if id_ in known]
        readable = await read.readable(view, call.here, call.viewer, candidates)
        return Json(await present.statuses(view, call.here, call.viewer, readable))


async def context(call: Call) -> Response:
    """What stands above and below a status in its thread."""
    async with call.store.view() as view:
        post = await read.get(view, call.here, call.viewer, call.id())
        thread = await read.thread(view, call.here, call.viewer, post)
        shown = await present.statuses(view, call.here, call.viewer, [*thread.ancestors, *thread.descendants])
    if call.viewer is not None:
        await complete.ask(call.store, call.here, post)
    above = len(thread.ancestors)
    return Json({"ancestors": shown[:above], "descendants": shown[above:]})


async def source(call: Call) -> Response:
    """What the author typed."""
    async with call.store.view() as view:
        post = await _own(view, call)
    return Json({"id": str(post.id), "text": typed(post), "spoiler_text": post.spoiler})


async def history(call: Call) -> Response:
    """Every version of a status, oldest first."""
    async with call.store.view() as view:
        post = await read.get(view, call.here, call.viewer, call.id())
        now = await present.status(view, call.here, call.viewer, post)
        earlier = await posts.revisions(view, post.id)
    versions = [
        *((one["content"], one["spoiler"], bool(one["sensitive"]), one["at"]) for one in earlier),
        (post.content, post.spoiler, post.sensitive, post.edited_at or post.published_at),
    ]
    shown: list[Entity] = [
        {
            "account": now["account"],
            "content": content,
            "spoiler_text": spoiler,
            "sensitive": sensitive,
            "created_at": iso_millis(at),
            # Files and polls are not kept with earlier words, and those of today were not theirs.
            "media_attachments": [],
            "emojis": now["emojis"],
        }
        for content, spoiler, sensitive, at in versions
    ]
    shown[-1]["media_attachments"] = now["media_attachments"]
    poll = now["poll"]
    if isinstance(poll, dict):
        shown[-1]["poll"] = {"options": [{"title": option["title"]} for option in poll["options"]]}
    return Json(shown)


async def favourited_by(call: Call) -> Response:
    """Who found a status useful."""
    page = page_of(call.params, default=40, most=80)
    async with call.store.view() as view:
        post = await read.get(view, call.here, call.viewer, call.id())
        found = await reactions.likers(view, post.id, page)
        shown = await present.accounts_by_id(view, call.here, (account_id for _, account_id in found))
    return Json(shown, headers=call.links([cursor for cursor, _ in found]))


async def reblogged_by(call: Call) -> Response:
    """Who passed a status on."""
    page = page_of(call.params, default=40, most=80)
    async with call.store.view() as view:
        post = await read.get(view, call.here, call.viewer, call.id())
        found = await reactions.boosters(view, post.id, page)
        shown = await present.accounts_by_id(view, call.here, (account_id for _, account_id in found))
    return Json(shown, headers=call.links([cursor for cursor, _ in found]))


def typed(post: Post) -> str:
    """What to put into an editor; a peer's post, or a case, has only its text."""
    return post.source or plain(post.content)


async def _own(view: View, call: Call) -> Post:
    """The caller's own status; everybody else's are not there (F08)."""
    post = await read.get(view, call.here, call.viewer, call.id())
    if post.account_id != call.account.id or post.is_boost:
        raise NotFound("there is no such post of yours")
    return post


# ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────


async def create(call: Call) -> Response:
    """Publish a status. The same Idempotency-Key again gives the same status again."""
    author = call.account
    key = call.request.headers.get("idempotency-key", "")[:IDEMPOTENCY_KEY]
    async with call.store.view() as view:
        before = await _made_before(view, author, key)
        if before is not None:
            return Json(await present.status(view, call.here, author, before))
        parent_id = call.params.id("in_reply_to_id")
        if parent_id is not None:
            await read.get(view, call.here, author, parent_id)
        quoted_id = call.params.id("quoted_status_id")
        if quoted_id is not None:
            await _quotable(view, call, quoted_id)
    draft = compose.check(_draft(call))
    named = await resolve(call.instance, draft)
    post = await _publish(call, draft, named, key)
    async with call.store.view() as view:
        return Json(await present.status(view, call.here, author, post))


async def _made_before(view: View, author: Account, key: str) -> Post | None:
    made = await posts.find_by_key(view, author.id, key) if key else None
    return await posts.find(view, made) if made is not None else None


async def _publish(call: Call, draft: Draft, named: dict[Handle, Account], key: str) -> Post:
    here, author = call.here, call.account
    try:
        async with call.store.transaction("publish status") as tx:
            before = await _made_before(tx, author, key)
            if before is not None:
                return before
            parent = await read.get(tx, here, author, draft.in_reply_to_id) if draft.in_reply_to_id else None
            quoted = await _quotable(tx, call, draft.quoted_id) if draft.quoted_id else None
            post = await publish.publish(
                tx, here, call.instance.levels, author, draft, named=named, parent=parent, quoted=quoted
            )
            await _remember(tx, call, key, post)
            return post
    except _RaceLost:
        async with call.store.view() as view:
            made = await _made_before(view, author, key)
        if made is None:
            raise Conflict("the same request is under way") from None
        return made


async def _quotable(view: View, call: Call, id_: int) -> Post:
    """The status to quote, or what it passes on. Raises Invalid for what is not there, or not for the member."""
    try:
        post = await read.get(view, call.here, call.account, id_)
        return await read.get(view, call.here, call.account, post.boost_of_id) if post.boost_of_id else post
    except NotFound:
        raise Invalid("there is no such post to quote", {"quoted_status_id": "is not there"}) from None


async def _remember(tx: Transaction, call: Call, key: str, post: Post) -> None:
    remembered = not key or await posts.remember_key(tx, call.account.id, key, post.id, call.here.now())
    # A key whose post was deleted since is free, though taken.
    if not remembered and await _made_before(tx, call.account, key) is not None:
        raise _RaceLost


class _RaceLost(Conflict):
    """Another request with the same key was faster."""


async def resolve(instance: Instance, draft: Draft) -> dict[Handle, Account]:
    """The accounts that a draft names, asking other servers; whoever cannot be found stays plain text."""
    named: dict[Handle, Account] = {}
    for handle in compose.handles_in(draft):
        try:
            named[handle] = await instance.lookup.handle(handle)
        except (NotFound, Malformed, RemoteFailure, Untrusted):
            continue
    return named


def _draft(call: Call) -> Draft:
    params = call.params
    if params.optional_text("scheduled_at"):
        raise Invalid("posts cannot be scheduled here", {"scheduled_at": "is not supported"})
    preferences = call.member.preferences
    return Draft(
        text=params.text("status"),
        visibility=visibility_of(params.text("visibility") or str(preferences.get("visibility", "public"))),
        spoiler=params.text("spoiler_text"),
        sensitive=params.flag("sensitive", default=bool(preferences.get("sensitive", False))),
        language=_language(call),
        in_reply_to_id=params.id("in_reply_to_id"),
        media_ids=tuple(params.ids("media_ids")),
        poll=_poll(call),
        quoted_id=params.id("quoted_status_id"),
        quotable_by=quotes.quotable_by(params) or entities.default_quotes(call.member),
        answerable_by=quotes.answerable_by(params),
    )


def visibility_of(text: str) -> Visibility:
    """A client's word for an audience. Raises Invalid."""
    known = FROM_CLIENTS.get(text)
    if known is None:
        raise Invalid("no such visibility", {"visibility": "public, unlisted, private or direct"})
    return known


def _language(call: Call) -> str:
    language = call.params.text("language", most=_LANGUAGE)
    return language or str(entities.default_language(call.member) or "")


def _poll(call: Call) -> Poll | None:
    if "poll" not in call.params:
        return None
    asked: Params = call.params.inner("poll")
    if "options" not in asked:
        return None
    seconds = asked.number("expires_in", 24 * 60 * 60, least=POLL_SECONDS[0], most=POLL_SECONDS[1])
    return Poll(
        multiple=asked.flag("multiple"),
        closes_at=call.here.now() + seconds * 1000,
        options=tuple(PollOption(title=title.strip()) for title in asked.texts("options", most=1_000)),
    )


async def update(call: Call) -> Response:
    """Give a status new words."""
    async with call.store.view() as view:
        post = await _own(view, call)
        kept = [one.id for one in (await posts.attachments(view, [post.id])).get(post.id, [])]
    draft = compose.check(_edited(call, post, kept))
    named = await resolve(call.instance, draft)
    async with call.store.transaction("edit status") as tx:
        post = await _own(tx, call)
        await _describe(tx, call, draft)
        await publish.edit(tx, call.here, call.instance.levels, call.account, post, draft, named=named)
    async with call.store.view() as view:
        post = await read.get(view, call.here, call.viewer, call.id())
        return Json(await present.status(view, call.here, call.viewer, post))


def _edited(call: Call, post: Post, kept: list[int]) -> Draft:
    params = call.params
    if post.title:
        raise Invalid("a case is edited as a case", {"status": "belongs to a case"})
    text = params.optional_text("status")
    spoiler = params.optional_text("spoiler_text")
    return Draft(
        text=post.source if text is None else text,
        visibility=post.visibility,
        spoiler=post.spoiler if spoiler is None else spoiler,
        sensitive=params.flag("sensitive", default=post.sensitive),
        language=params.text("language", most=_LANGUAGE) or post.language,
        media_ids=tuple(params.ids("media_ids")) if "media_ids" in params else tuple(kept),
        quotable_by=quotes.quotable_by(params),
        answerable_by=quotes.answerable_by(params),
    )


async def _describe(tx: Transaction, call: Call, draft: Draft) -> None:
    """New descriptions and focal points of files that stay."""
    for one in call.params.items("media_attributes"):
        id_ = one.id("id")
        if id_ is None or id_ not in draft.media_ids:
            continue
        known = await posts.find_attachment(tx, id_, call.account.id)
        if known is None:
            raise Invalid("a file was not found", {"media_attributes": f"{id_} is not yours"})
        description = one.text("description", known.description, most=limits.ALT_TEXT_LOCAL)
        focus = media.focus_of(one) or (known.focus_x, known.focus_y)
        await posts.describe_attachment(tx, id_, call.account.id, description=description, focus=focus)


async def remove(call: Call) -> Response:
    """Delete a status; the answer holds its text, to be written anew."""
    async with call.store.view() as view:
        post = await _own(view, call)
        shown = await present.status(view, call.here, call.viewer, post)
    async with call.store.transaction("delete status") as tx:
        post = await _own(tx, call)
        await publish.delete(tx, call.here, call.instance.levels, call.account, post)
    return Json(shown | {"text": typed(post)})


# ── what members do with statuses ────────────────────────────────────────────────────────────────────────────


async def _done(call: Call, name: str, act: Act) -> Response:
    """Do something with a status that the caller may read, and show it as it is afterwards."""
    async with call.store.transaction(name) as tx:
        post = await _meant(tx, call)
        await act(tx, call.here, call.instance.levels, call.account, post)
    async with call.store.view() as view:
        post = await read.get(view, call.here, call.viewer, post.id)
        return Json(await present.status(view, call.here, call.viewer, post))


async def _meant(view: View, call: Call) -> Post:
    """The status, or what it passes on."""
    post = await read.get(view, call.here, call.viewer, call.id())
    return await read.get(view, call.here, call.viewer, post.boost_of_id) if post.boost_of_id else post


async def favourite(call: Call) -> Response:
    """Find a status useful."""
    return await _done(call, "like", react.like)


async def unfavourite(call: Call) -> Response:
    """Take that back."""
    return await _done(call, "unlike", react.unlike)


async def bookmark(call: Call) -> Response:
    """Keep a status; nobody is told."""
    return await _done(call, "bookmark", react.keep)


async def unbookmark(call: Call) -> Response:
    """Let a status go."""
    return await _done(call, "unbookmark", react.let_go)


async def pin(call: Call) -> Response:
    """Show an own status on top of the profile."""
    return await _done(call, "pin", react.pin)


async def unpin(call: Call) -> Response:
    """Take it off the top."""
    return await _done(call, "unpin", react.unpin)


async def unreblog(call: Call) -> Response:
    """Take a boost back."""
    return await _done(call, "unboost", react.unboost)


async def reblog(call: Call) -> Response:
    """Pass a status on; the answer is the boost."""
    visibility = visibility_of(call.params.text("visibility") or "public")
    if visibility not in ("public", "unlisted", "followers"):
        raise Invalid("no such visibility", {"visibility": "public, unlisted or private"})
    async with call.store.transaction("boost") as tx:
        post = await _meant(tx, call)
        passed = await react.boost(tx, call.here, call.instance.levels, call.account, post, visibility)
    async with call.store.view() as view:
        passed = await read.get(view, call.here, call.viewer, passed.id)
        return Json(await present.status(view, call.here, call.viewer, passed))
