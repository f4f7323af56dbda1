"""Reports: a member finds fault with an account or its statuses."""

from typing import Final

from starlette.responses import Response

from medfed.api import entities, present
from medfed.api.calls import Call
from medfed.domain.posts import Post
from medfed.edge import Json
from medfed.kernel.errors import Invalid, NotFound
from medfed.moderation.report import report
from medfed.posts import read
from medfed.storage import accounts, posts
from medfed.storage.database import View

CATEGORIES: Final = ("spam", "legal", "violation", "other")
STATUSES: Final = 100


async def create(call: Call) -> Response:
    """Report an account; with `forward`, its own instance is told, without the member's name."""
    params = call.params
    target_id = params.id("account_id")
    category = params.text("category") or "other"
    if target_id is None:
        raise Invalid("account_id is missing", {"account_id": "is missing"})
    if category not in CATEGORIES:
        raise Invalid("no such category", {"category": ", ".join(CATEGORIES)})
    forward_as = await call.instance.actor() if params.flag("forward") else None
    async with call.store.transaction("report") as tx:
        target = await accounts.find(tx, target_id)
        if target is None:
            raise NotFound("there is no such account")
        about = await _statuses(tx, call)
        filed = await report(
            tx,
            call.here,
            member=call.account,
            target=target,
            posts=about,
            comment=params.text("comment"),
            category=category,
            forward_as=forward_as,
        )
        shown = await present.account(tx, call.here, target)
    return Json(entities.report(filed, shown, [post.id for post in about]))


async def _statuses(view: View, call: Call) -> list[Post]:
    """Only what the member may read can be reported by them: anything else would show that it is there."""
    ids = call.params.ids("status_ids")[:STATUSES]
    known = await posts.find_many(view, ids)
    return await read.readable(view, call.here, call.account, [known[id_] for id_ in ids if id_ in known])
