"""Who may answer and quote a post: its author decides, beforehand or each time, and takes quotes back."""

from collections.abc import Sequence
from typing import Final

from starlette.responses import Response

from medfed.domain.interactions import (
    ANSWER_CHOICES,
    QUOTE_CHOICES,
    AnswerChoice,
    Consent,
    QuoteChoice,
    answer_choice,
    answer_rule,
    quote_choice,
    quote_rule,
)
from medfed.domain.posts import Post
from medfed.kernel.errors import NotFound
from medfed.kernel.paging import Page
from medfed.posts import consents as deciding
from medfed.posts import publish, read
from medfed.storage import consents, posts, quotes
from medfed.storage.database import View
from medfed.web.present import around, excerpt_of, items, one, people, post_path
from medfed.web.sent import number
from medfed.web.sheet import asked_page, page, paging
from medfed.web.views import FormView, NotificationView
from medfed.web.visit import Visit, back, go

_SHOWN: Final = 20


def quotable_by(said: str) -> QuoteChoice | None:
    """Who may quote, as a form says it."""
    return next((choice for choice in QUOTE_CHOICES if choice == said), None)


def answerable_by(said: str) -> AnswerChoice | None:
    """Who may answer, as a form says it."""
    return next((choice for choice in ANSWER_CHOICES if choice == said), None)


async def policy(visit: Visit) -> Response:
    """GET /posts/ID/policy: who may answer and quote one's own post, and who quotes it. Raises NotFound."""
    wanted, here = asked_page(visit, _SHOWN), visit.instance.here
    async with visit.instance.store.view() as view:
        post = await _own(view, visit)
        shown = one(visit, post, await around(view, visit, [post]))

        async def candidates(part: Page) -> list[Post]:
            return await quotes.quoting(view, post.id, part)

        found = await read.fill(view, here, visit.viewer, wanted, candidates)
        quoting = await items(view, visit, found)
    values = {"quotable_by": quote_choice(post.policy.quote), "answerable_by": answer_choice(post.policy.reply)}
    return await page(
        visit,
        "post_policy",
        post=shown,
        form=FormView(values=values),
        quotable=post.is_open,
        quoting=quoting,
        paging=paging(visit, wanted, [each.id for each in found]),
    )


async def _own(view: View, visit: Visit) -> Post:
    post = await read.get(view, visit.instance.here, visit.viewer, number(visit.param("id")))
    if post.account_id != visit.account.id or post.is_boost:
        raise NotFound("there is no such post of yours")
    return post


async def post_policy(visit: Visit) -> Response:
    """POST /posts/ID/policy: change who may, or, with `revoke`, take a quote back. Raises NotFound."""
    instance, author = visit.instance, visit.account
    async with instance.store.transaction("set who may") as tx:
        post = await _own(tx, visit)
        if visit.sent.text("revoke"):
            other = await read.get(tx, instance.here, author, number(visit.sent.text("revoke")))
            await deciding.revoke(tx, instance.here, instance.levels, author, post, other)
        else:
            quotable = quotable_by(visit.sent.text("quotable_by"))
            answerable = answerable_by(visit.sent.text("answerable_by"))
            changed = post.policy
            if quotable is not None and post.is_open:
                changed = changed.saying("quote", quote_rule(quotable, author.followers_uri))
            if answerable is not None:
                changed = changed.saying("reply", answer_rule(answerable, author.followers_uri))
            await publish.set_policy(tx, instance.here, instance.levels, author, post, changed)
    return go(visit, f"/posts/{post.id}/policy", "saved")


# ── who asks ─────────────────────────────────────────────────────────────────────────────────────────────────


async def asked(view: View, visit: Visit) -> tuple[NotificationView, ...]:
    """Who waits for the member's consent, as lines above what has happened."""
    found = await consents.waiting(view, visit.account.id, Page(limit=_SHOWN))
    return await _lines(view, visit, found) if found else ()


async def _lines(view: View, visit: Visit, found: Sequence[Consent]) -> tuple[NotificationView, ...]:
    about = await posts.find_many(view, {each.post_id for each in found})
    them = await people(view, visit, {each.account_id for each in found})
    return tuple(
        NotificationView(
            kind="quote_request",
            at=each.created_at,
            href=post_path(visit.account, about[each.post_id]),
            actor=them.get(each.account_id),
            excerpt=each.excerpt or excerpt_of(about[each.post_id]),
            unread=True,
            request_action=f"/notifications/consents/{each.id}",
        )
        for each in found
        if each.post_id in about
    )


async def answer(visit: Visit) -> Response:
    """POST /notifications/consents/ID: let somebody do what they ask for, or not. Raises NotFound."""
    instance, grants = visit.instance, visit.sent.text("do") == "accept"
    async with instance.store.transaction("answer request") as tx:
        id_ = number(visit.param("id"))
        await deciding.decide(tx, instance.here, instance.levels, visit.account, id_, grants=grants)
    return back(visit, "accepted" if grants else "refused", default="/notifications")
