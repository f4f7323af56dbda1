"""A member reports an account; the report can be passed on to the account's own instance, without the member's name."""

from collections.abc import Sequence
from typing import Final

from medfed.accounts.promise import promise, shared_inbox_of
from medfed.activitypub import render
from medfed.activitypub.here import Here
from medfed.domain.accounts import Account
from medfed.domain.posts import Post
from medfed.kernel.errors import Invalid, NotFound
from medfed.storage import moderation
from medfed.storage.database import Transaction
from medfed.storage.moderation import Report

LONGEST: Final = 1_000


async def report(
    tx: Transaction,
    here: Here,
    *,
    member: Account,
    target: Account,
    posts: Sequence[Post],
    comment: str,
    category: str,
    forward_as: Account | None,
) -> Report:
    """File a report. With `forward_as`, the instance actor, it is also sent to the target's instance as a Flag.

    A Flag names posts by their ids and never holds their text (M07). Raises Invalid.
    """
    if len(comment) > LONGEST:
        raise Invalid("the comment is too long", {"comment": f"at most {LONGEST} characters"})
    if any(post.account_id != target.id for post in posts):
        raise Invalid("a reported post is by somebody else", {"status_ids": "by another account"})
    forwarded = forward_as is not None and not target.local
    id_ = here.ids.new()
    filed = Report(
        id=id_,
        uri=here.uris.activity(here.uris.instance_actor, id_),
        reporter_id=member.id,
        target_id=target.id,
        post_uris=tuple(post.uri for post in posts),
        comment=comment.strip(),
        category=category,
        forwarded=forwarded,
        created_at=here.now(),
    )
    await moderation.add_report(tx, filed)
    if forwarded and forward_as is not None:
        await promise(tx, here, forward_as, _flag(filed, forward_as, target), [shared_inbox_of(target)])
    return filed


def _flag(filed: Report, sender: Account, target: Account) -> render.Rendered:
    return render.activity(
        "Flag",
        id_=filed.uri,
        actor_uri=sender.uri,
        object_=[target.uri, *filed.post_uris],
        to=[target.uri],
        content=filed.comment,
    )


async def resolve(tx: Transaction, here: Here, moderator: Account, report_id: int, *, note: str = "") -> None:
    """Close a report; audited. Raises NotFound when there is none open of this id."""
    if not await moderation.resolve_report(tx, report_id, by=moderator.id, at=here.now()):
        raise NotFound("there is no such open report")
    await moderation.record(
        tx,
        at=here.now(),
        actor=moderator.acct,
        action="report.resolve",
        subject=str(report_id),
        detail={"note": note[:500]},
    )
