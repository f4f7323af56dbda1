"""Who quotes a status and who may; what is asked of the member's consent (the last as GoToSocial has it)."""

from typing import Final

from starlette.responses import Response

from medfed.api import present
from medfed.api.calls import Call
from medfed.api.entities import Entity
from medfed.api.paging import page_of
from medfed.api.params import Params
from medfed.api.timelines import listing
from medfed.domain.interactions import (
    QUOTE_CHOICES,
    AnswerChoice,
    Consent,
    Deed,
    QuoteChoice,
    answer_rule,
    quote_rule,
)
from medfed.domain.posts import Post
from medfed.edge import Json
from medfed.kernel.clock import iso_millis
from medfed.kernel.errors import Invalid, NotFound
from medfed.kernel.paging import Page
from medfed.posts import consents as deciding
from medfed.posts import publish, read
from medfed.storage import accounts, consents, posts, quotes
from medfed.storage.database import View

_KINDS: Final[dict[Deed, str]] = {"like": "favourite", "reply": "reply", "boost": "reblog", "quote": "quote"}


# ── what a client says ───────────────────────────────────────────────────────────────────────────────────────


def quotable_by(params: Params) -> QuoteChoice | None:
    """Who may quote, if it is said. Raises Invalid."""
    said = params.optional_text("quote_approval_policy")
    if not said:
        return None
    known = next((choice for choice in QUOTE_CHOICES if choice == said), None)
    if known is None:
        raise Invalid("no such policy", {"quote_approval_policy": ", ".join(QUOTE_CHOICES)})
    return known


def answerable_by(params: Params) -> AnswerChoice | None:
    """Who may answer, if it is said: GoToSocial's `interaction_policy[can_reply][automatic_approval]` (or `always`).

    Whoever is mentioned, and the author, may in any case. Raises Invalid.
    """
    policy = params.inner("interaction_policy")
    if "can_reply" not in policy:
        return None
    rule = policy.inner("can_reply")
    named = rule.texts("automatic_approval") or rule.texts("always")
    unknown = set(named) - {"public", "followers", "mentioned", "author"}
    if unknown or rule.texts("manual_approval") or rule.texts("with_approval"):
        says = "public, followers, mentioned or author, without asking"
        raise Invalid("no such policy", {"interaction_policy.can_reply": says})
    if "public" in named:
        return "public"
    return "followers" if "followers" in named else "mentioned"


# ── quotes of a status ───────────────────────────────────────────────────────────────────────────────────────


async def quoting(call: Call) -> Response:
    """The statuses that quote one, as far as the caller may read them."""
    async with call.store.view() as view:
        post = await read.get(view, call.here, call.viewer, call.id())

    async def candidates(view: View, page: Page) -> list[Post]:
        return await quotes.quoting(view, post.id, page)

    return await listing(call, candidates)


async def revoke(call: Call) -> Response:
    """No longer let a status be quoted by another; the answer is the other."""
    async with call.store.transaction("revoke quote") as tx:
        post = await read.get(tx, call.here, call.viewer, call.id())
        other = await read.get(tx, call.here, call.viewer, call.id("quoting_status_id"))
        await deciding.revoke(tx, call.here, call.instance.levels, call.account, post, other)
    async with call.store.view() as view:
        return Json(await present.status(view, call.here, call.viewer, other))


async def set_policy(call: Call) -> Response:
    """Change who may quote, and answer, an own status."""
    quotable, answerable = quotable_by(call.params), answerable_by(call.params)
    author, here = call.account, call.here
    async with call.store.transaction("set interaction policy") as tx:
        post = await read.get(tx, here, author, call.id())
        policy = post.policy
        if quotable is not None:
            policy = policy.saying("quote", quote_rule(quotable, author.followers_uri))
        if answerable is not None:
            policy = policy.saying("reply", answer_rule(answerable, author.followers_uri))
        post = await publish.set_policy(tx, here, call.instance.levels, author, post, policy)
    async with call.store.view() as view:
        return Json(await present.status(view, here, author, post))


# ── what is asked ────────────────────────────────────────────────────────────────────────────────────────────


async def requests(call: Call) -> Response:
    """Who asks to do something with the member's statuses."""
    page = page_of(call.params)
    async with call.store.view() as view:
        found = await consents.waiting(view, call.account.id, page)
        shown = await _requests(view, call, found)
    return Json(shown, headers=call.links([one.id for one in found]))


async def _requests(view: View, call: Call, found: list[Consent]) -> list[Entity]:
    people = await accounts.find_many(view, {one.account_id for one in found})
    shown = dict(zip(people, await present.accounts(view, call.here, list(people.values())), strict=True))
    about = await posts.find_many(view, {one.post_id for one in found})
    statuses = await present.statuses(view, call.here, call.viewer, list(about.values()))
    by_id = {str(status["id"]): status for status in statuses}
    return [
        {
            "id": str(one.id),
            "type": _KINDS[one.deed],
            "created_at": iso_millis(one.created_at),
            "account": shown[one.account_id],
            "status": by_id[str(one.post_id)],
            "reply": None,
            "accepted_at": None,
            "rejected_at": None,
            "uri": one.object_uri,
            "medfed": {"excerpt": one.excerpt},
        }
        for one in found
        if one.account_id in shown and str(one.post_id) in by_id
    ]


async def show_request(call: Call) -> Response:
    """One of them."""
    async with call.store.view() as view:
        return Json(await _request(view, call))


async def _request(view: View, call: Call) -> Entity:
    one = await consents.find(view, call.id())
    shown = await _requests(view, call, [one]) if one is not None and one.author_id == call.account.id else []
    if one is None or one.state != "waiting" or not shown:
        raise NotFound("nobody asks for that")
    return shown[0]


async def authorize(call: Call) -> Response:
    """Let them."""
    return await _decide(call, grants=True)


async def refuse(call: Call) -> Response:
    """Do not let them."""
    return await _decide(call, grants=False)


async def _decide(call: Call, *, grants: bool) -> Response:
    async with call.store.transaction("answer interaction request") as tx:
        shown = await _request(tx, call)
        await deciding.decide(tx, call.here, call.instance.levels, call.account, call.id(), grants=grants)
    return Json(shown | {"accepted_at" if grants else "rejected_at": iso_millis(call.here.now())})
