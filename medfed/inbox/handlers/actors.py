"""Flag: a peer reports what happens here."""

from medfed.activitypub.wire import listed, reference, text_of
from medfed.inbox.admit import Admitted
from medfed.inbox.handling import Handling
from medfed.inbox.resolve import Resolved
from medfed.kernel import limits
from medfed.kernel.html import plain
from medfed.storage import accounts, posts
from medfed.storage.database import Transaction
from medfed.storage.moderation import Report, add_report


async def flag(tx: Transaction, use: Handling, admitted: Admitted, _resolved: Resolved) -> str:
    """Store a report about a member, with the posts of that member that it names."""
    named = [reference(item) for item in listed(admitted.activity.document.get("object"), limits.ADDRESSEES)]
    known = await accounts.find_by_uris(tx, named)
    about = [account for account in known.values() if account.local]
    reported = await posts.find_by_uris(tx, named)
    if not about:
        authors = await accounts.find_many(tx, (post.account_id for post in reported.values()))
        about = [account for account in authors.values() if account.local]
    if not about:
        return "about nobody here"
    target = about[0]
    await add_report(
        tx,
        Report(
            id=use.here.ids.new(),
            uri=admitted.activity.id,
            reporter_id=admitted.actor.id,
            target_id=target.id,
            post_uris=tuple(uri for uri, post in reported.items() if post.account_id == target.id),
            comment=plain(text_of(admitted.activity.document, "content", limits.SUMMARY)),
            category="other",
            forwarded=True,
            created_at=use.here.now(),
        ),
    )
    return "reported"
