"""What is read: the home, the public page of the instance, posts with their threads, hashtags."""

from dataclasses import replace

from starlette.responses import RedirectResponse, Response

from medfed.domain.accounts import Account
from medfed.domain.posts import Post
from medfed.edge import wants_page
from medfed.kernel.errors import NotFound
from medfed.kernel.paging import Page
from medfed.kernel.text import fold_hashtag
from medfed.posts import complete, read
from medfed.storage import accounts, cases, posts, timelines
from medfed.storage.database import View
from medfed.web import casebook
from medfed.web.present import Around, around, case_card, items, one, post_path, tree
from medfed.web.sent import number
from medfed.web.sheet import asked_page, page, paging
from medfed.web.views import EMPTY_FORM, CaseCardView, PostView, TabView
from medfed.web.visit import Visit
from medfed.web.words import N_


async def home(visit: Visit) -> Response:
    """GET /: the home of a member, the public page for everybody else."""
    if visit.member is None:
        return await about(visit)
    tab = visit.sent.text("tab")
    if tab == "cases":
        return await _home_of_cases(visit)
    wanted, viewer = asked_page(visit), visit.account
    async with visit.instance.store.view() as view:

        async def candidates(part: Page) -> list[Post]:
            if tab == "local":
                return await timelines.public(view, part, local_only=True)
            return await timelines.home(view, viewer.id, part)

        found = await read.fill(view, visit.instance.here, viewer, wanted, candidates, quiet=True)
        # Private messages have a page of their own.
        shown = await items(view, visit, [post for post in found if post.visibility != "direct"])
        awaiting = await casebook.awaiting(view, visit)
    return await page(
        visit,
        "home",
        current="home",
        tabs=_tabs(visit, tab if tab == "local" else ""),
        items=shown,
        paging=paging(visit, wanted, [post.id for post in found], tab=tab if tab == "local" else ""),
        awaiting=awaiting,
    )


async def _home_of_cases(visit: Visit) -> Response:
    wanted = asked_page(visit)
    async with visit.instance.store.view() as view:
        found = await casebook.readable(view, visit, wanted)
        shown = await casebook.cards(view, visit, found)
        awaiting = await casebook.awaiting(view, visit)
    return await page(
        visit,
        "home",
        current="home",
        tabs=_tabs(visit, "cases"),
        items=shown,
        paging=paging(visit, wanted, [case.id for case, _ in found], tab="cases"),
        awaiting=awaiting,
    )


def _tabs(visit: Visit, current: str) -> tuple[TabView, ...]:
    named = (("", N_("People you follow")), ("cases", N_("Cases")), ("local", N_("This instance")))
    return tuple(
        TabView(word=visit.say(word), href=f"/?tab={tab}" if tab else "/", current=tab == current)
        for tab, word in named
    )


async def about(visit: Visit) -> Response:
    """GET /about: who keeps this instance, and what is public here."""
    wanted = asked_page(visit)
    async with visit.instance.store.view() as view:

        async def candidates(part: Page) -> list[Post]:
            return await timelines.public(view, part, local_only=True)

        found = await read.fill(view, visit.instance.here, None, wanted, candidates)
        shown = await items(view, visit, found)
    return await page(
        visit,
        "front",
        counted=True,
        indexed=True,
        items=shown,
        paging=paging(visit, wanted, [post.id for post in found]),
    )


async def tagged(visit: Visit) -> Response:
    """GET /tags/TAG: public posts with a hashtag."""
    tag = fold_hashtag(visit.param("tag"))[:100]
    wanted = asked_page(visit)
    async with visit.instance.store.view() as view:

        async def candidates(part: Page) -> list[Post]:
            # Strangers are shown what was written here; the rest is for its own instances to show.
            return await timelines.tagged(view, tag, part, local_only=visit.viewer is None)

        found = await read.fill(view, visit.instance.here, visit.viewer, wanted, candidates, quiet=True)
        shown = await items(view, visit, found)
    return await page(visit, "tag", tag=tag, items=shown, paging=paging(visit, wanted, [post.id for post in found]))


# ── one post ─────────────────────────────────────────────────────────────────────────────────────────────────


async def post(visit: Visit) -> Response:
    """GET /@NAME/ID: a post and its thread; a case leads to its own page. Raises NotFound (M12)."""
    id_, instance = number(visit.param("id")), visit.instance
    if _is_for_programs(visit):
        return RedirectResponse(instance.here.uris.post(visit.param("handle"), id_), 302)
    async with instance.store.view() as view:
        found = await read.get(view, instance.here, visit.viewer, id_)
        author = await accounts.get(view, found.account_id)
        if author.acct.casefold() != visit.param("handle").casefold():
            raise NotFound("there is no such post")
        if found.boost_of_id is not None:
            return await _to_original(view, found.boost_of_id)
        case = (await cases.of_posts(view, [found.id])).get(found.id)
        if case is not None:
            return RedirectResponse(f"/cases/{case.id}", 302)
        response = await _post_page(view, visit, found, author)
    if visit.viewer is not None:
        await complete.ask(instance.store, instance.here, found)
    return response


def _is_for_programs(visit: Visit) -> bool:
    """Whether a peer asks, by the address of the page, for the ActivityStreams document (a search does)."""
    accept = visit.request.headers.get("accept", "")
    return not wants_page(visit.request) and ("activity+json" in accept or "ld+json" in accept)


async def _to_original(view: View, id_: int) -> Response:
    original = await posts.get(view, id_)
    return RedirectResponse(post_path(await accounts.get(view, original.account_id), original), 302)


async def _post_page(view: View, visit: Visit, found: Post, author: Account) -> Response:
    here = visit.instance.here
    thread = await read.thread(view, here, visit.viewer, found)
    everything = [*thread.ancestors, found, *thread.descendants]
    gathered = await around(view, visit, everything)
    opening = everything[0]
    case = gathered.cases.get(opening.id) if opening.id == found.conversation_id else None
    answers = tree(visit, found, thread.descendants, gathered, case)
    shown = _with_case_title(
        one(visit, found, gathered, case=case), case.title if case else None, len(thread.descendants)
    )
    above = tuple(_above(visit, post, gathered) for post in thread.ancestors if post.account_id in gathered.people)
    return await page(
        visit,
        "post",
        alternate=found.uri if found.local else None,
        indexed=found.visibility == "public" and found.local and author.discoverable,
        above=above,
        post=shown,
        answers=answers,
        form=EMPTY_FORM,
        can_answer=visit.viewer is not None and shown.can_answer,
    )


def _above(visit: Visit, post: Post, gathered: Around) -> PostView | CaseCardView:
    case = gathered.cases.get(post.id)
    if case is not None:
        return case_card(visit, case, post, gathered)
    return one(visit, post, gathered)


def _with_case_title(view: PostView, title: str | None, answers: int) -> PostView:
    return replace(view, case_title=title, replies=answers)
