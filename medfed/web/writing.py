"""What is written: posts and answers, and what readers do with the posts of others."""

from collections.abc import Mapping
from typing import Final

from starlette.responses import Response

from medfed.accounts.lookup import Lookup
from medfed.accounts.peers import PeerLevels
from medfed.activitypub.here import Here
from medfed.cases import discuss
from medfed.domain.accounts import Account, Handle
from medfed.domain.posts import Draft, Poll, PollOption, Post, Requirement, Visibility
from medfed.kernel import limits
from medfed.kernel.clock import HOUR
from medfed.kernel.errors import Invalid, Malformed, NotFound, RemoteFailure, Untrusted
from medfed.posts import compose as composing
from medfed.posts import publish, react, read
from medfed.posts.react import Act
from medfed.storage import cases, posts
from medfed.storage.database import Transaction, View
from medfed.web.forecast import choices, crowd, forecast
from medfed.web.permissions import answerable_by, quotable_by
from medfed.web.pictures import SLOTS, Pictures, shown, take_in
from medfed.web.present import around, one, post_path
from medfed.web.problems import in_words
from medfed.web.sent import number
from medfed.web.sheet import page
from medfed.web.views import ComposeView, FormView, PostView
from medfed.web.visit import Visit, back, go
from medfed.web.words import LANGUAGES, N_

_AUDIENCES: Final[tuple[Visibility, ...]] = ("verified", "followers", "public", "unlisted", "direct")
_GROUP: Final[Visibility] = "group"
"""Chosen on the page of a closed group; its text names the group."""
_HOURS: Final = ("6", "24", "72", "168")
_POLL_OPTIONS: Final = 4


# ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────


async def compose(visit: Visit) -> Response:
    """GET /compose: `to` names whom to write to, `in_reply_to` what is answered, `quote` what is quoted, `audience` for
    whom.
    """
    to = visit.sent.text("to")[:300]
    preferred = visit.preference("visibility", "followers")
    values = {
        "content": f"@{to.removeprefix('@')} " if to else visit.sent.text("text")[: limits.POST_CHARACTERS],
        "audience": visit.sent.text("audience") or ("direct" if to else preferred),
        "language": visit.preference("language", visit.language),
        "in_reply_to": visit.sent.text("in_reply_to"),
        "quotable_by": visit.preference("quotes", "nobody"),
    }
    parent = await _meant(visit, values["in_reply_to"])
    quoted = await _meant(visit, visit.sent.text("quote"))
    if parent is not None:
        values["audience"] = parent.visibility
    elif quoted is not None:
        values["audience"] = quoted.visibility
    return await _page(visit, FormView(values=values), Pictures(), parent, quoted, foretold=False)


async def post_compose(visit: Visit) -> Response:
    """POST /compose: `do=check` looks at it without publishing."""
    parent = await _meant(visit, visit.sent.text("in_reply_to"))
    quoted = await _meant(visit, visit.sent.text("quote"))
    pictures = await take_in(visit)
    form = FormView(values=visit.sent.values(), errors=pictures.errors)
    try:
        draft = composing.check(_draft(visit, parent, pictures))
    except Invalid as error:
        wrong = FormView(values=form.values, errors={**form.errors, **in_words(visit, error)})
        return await _page(visit, wrong, pictures, parent, quoted, status=422)
    if form.errors or visit.sent.text("do") == "check":
        return await _page(visit, form, pictures, parent, quoted, status=422 if form.errors else 200)
    named = await find_named(visit.instance.lookup, draft)
    if draft.visibility == "direct" and not named:
        nobody = {"content": visit.say(N_("A message names whom it is for: write @name or @name@domain."))}
        return await _page(visit, FormView(values=form.values, errors=nobody), pictures, parent, quoted, status=422)
    try:
        return await _publish(visit, draft, named, parent, quoted)
    except Invalid as error:
        wrong = FormView(values=form.values, errors=in_words(visit, error))
        return await _page(visit, wrong, pictures, parent, quoted, status=422)


async def _publish(
    visit: Visit, draft: Draft, named: Mapping[Handle, Account], parent: Post | None, quoted: Post | None
) -> Response:
    instance, author = visit.instance, visit.account
    async with instance.store.transaction("publish") as tx:
        for meant in (parent, quoted):
            if meant is not None and not await read.may(tx, instance.here, author, meant):
                raise NotFound("there is no such post")
        post = await publish.publish(
            tx, instance.here, instance.levels, author, draft, named=named, parent=parent, quoted=quoted
        )
        path = post_path(author, post)
        if parent is not None:
            case = (await cases.of_posts(tx, [post.conversation_id])).get(post.conversation_id)
            path = f"/cases/{case.id}#post-{post.id}" if case else path
    if draft.visibility == "direct":
        return go(visit, path, "sent")
    return go(visit, path, "answered" if parent is not None else "published")


async def _meant(visit: Visit, id_: str) -> Post | None:
    """The post that is answered, or quoted. Raises NotFound when the member may not read it."""
    if not id_:
        return None
    async with visit.instance.store.view() as view:
        found = await read.get(view, visit.instance.here, visit.viewer, number(id_))
        return await posts.get(view, found.boost_of_id) if found.boost_of_id is not None else found


def _draft(visit: Visit, parent: Post | None, pictures: Pictures) -> Draft:
    sent = visit.sent
    asked = sent.text("audience")
    visibility = next((known for known in (*_AUDIENCES, _GROUP) if known == asked), None)
    if visibility is None:
        # An answer without a choice of its own ("as the case") is for whoever reads what it answers.
        visibility = parent.visibility if parent is not None else "followers"
    language = sent.text("language")
    return Draft(
        text=sent.text("content"),
        visibility=visibility,
        spoiler=sent.text("summary")[:500],
        language=language if language in LANGUAGES else visit.language,
        in_reply_to_id=parent.id if parent else None,
        media_ids=pictures.ids,
        poll=_poll(visit),
        quotable_by=quotable_by(sent.text("quotable_by") or visit.preference("quotes", "")),
        answerable_by=answerable_by(sent.text("answerable_by")),
        requires=Requirement() if visibility == "verified" and parent is None else None,
    )


def _poll(visit: Visit) -> Poll | None:
    sent = visit.sent
    titles = [sent.text(f"poll_option_{place}").strip() for place in range(1, _POLL_OPTIONS + 1)]
    titles = [title for title in titles if title]
    if not titles:
        return None
    hours = sent.text("poll_hours")
    return Poll(
        multiple=bool(sent.text("poll_multiple")),
        closes_at=visit.now + int(hours if hours in _HOURS else "24") * HOUR,
        options=tuple(PollOption(title=title) for title in titles),
    )


async def find_named(lookup: Lookup, draft: Draft) -> dict[Handle, Account]:
    """The accounts that a text names; names that lead nowhere stay words."""
    named: dict[Handle, Account] = {}
    for handle in composing.handles_in(draft):
        try:
            named[handle] = await lookup.handle(handle)
        except (NotFound, Malformed, RemoteFailure, Untrusted):
            continue
    return named


async def _page(
    visit: Visit,
    form: FormView,
    pictures: Pictures,
    parent: Post | None,
    quoted: Post | None,
    *,
    status: int = 200,
    foretold: bool = True,
) -> Response:
    chosen = form.value("audience", "followers")
    async with visit.instance.store.view() as view:
        answering = await _shown(view, visit, parent)
        quoting = await _shown(view, visit, quoted)
        them = None if parent is not None else await crowd(view, visit)
    offered = (_GROUP,) if chosen == _GROUP and parent is None else _AUDIENCES
    offered = offered if parent is None else (parent.visibility,)
    checked = chosen if chosen in offered else offered[0]
    return await page(
        visit,
        "compose",
        current="write",
        status=status,
        compose=ComposeView(
            form=form,
            audiences=choices(visit, them, offered, checked),
            forecast=forecast(visit, them, checked) if foretold else None,
            answering=answering,
            quoting=quoting,
            images=shown(visit, pictures),
            limit=limits.POST_CHARACTERS,
            poll_options=_POLL_OPTIONS,
            image_slots=min(SLOTS, limits.POST_ATTACHMENTS - len(pictures.files)),
        ),
    )


async def _shown(view: View, visit: Visit, parent: Post | None) -> PostView | None:
    if parent is None:
        return None
    gathered = await around(view, visit, [parent])
    return one(visit, parent, gathered)


# ── what readers do ──────────────────────────────────────────────────────────────────────────────────────────


async def act(visit: Visit) -> Response:
    """POST /posts/ID: relay, useful, keep, and taking each back; accept, delete, report. Raises NotFound."""
    do, instance = visit.sent.text("do"), visit.instance
    id_ = number(visit.param("id"))
    if do in ("report", "report_identity"):
        category = "identity" if do == "report_identity" else "other"
        return go(visit, f"/report?post={id_}&category={category}")
    done = _ACTS.get(do)
    if done is None:
        raise Malformed("that cannot be done with a post")
    async with instance.store.transaction("act on post") as tx:
        post = await read.get(tx, instance.here, visit.account, id_)
        await done(tx, instance.here, instance.levels, visit.account, post)
    return _after(visit, do, id_)


async def _accept(tx: Transaction, here: Here, levels: PeerLevels, member: Account, post: Post) -> None:
    case = (await cases.of_posts(tx, [post.conversation_id])).get(post.conversation_id)
    if case is None:
        raise NotFound("that is no answer to a case")
    await discuss.accept(tx, here, levels, member, case, post)


_ACTS: Final[Mapping[str, Act]] = {
    "useful": react.like,
    "unuseful": react.unlike,
    "keep": react.keep,
    "unkeep": react.let_go,
    "relay": react.boost,
    "unrelay": react.unboost,
    "accept": _accept,
    "delete": publish.delete,
}


def _after(visit: Visit, do: str, id_: int) -> Response:
    if do == "delete":
        # The page of the post itself is gone.
        came_from = visit.sent.text("back")
        here = str(id_) in came_from or came_from.startswith("/cases/")
        return go(visit, "/", "deleted") if here else back(visit, "deleted")
    if do == "accept":
        return back(visit, "kept-answer")
    return go(visit, f"{visit.sent.text('back').partition('#')[0] or '/'}#post-{id_}")


async def vote(visit: Visit) -> Response:
    """POST /polls/ID: answer a poll. Raises Invalid, NotFound."""
    instance, id_ = visit.instance, number(visit.param("id"))
    choices_made = visit.sent.ids("choices")
    async with instance.store.transaction("vote") as tx:
        post = await read.get(tx, instance.here, visit.account, id_)
        await react.vote(tx, instance.here, visit.account, post, choices_made)
    return back(visit, "voted")
