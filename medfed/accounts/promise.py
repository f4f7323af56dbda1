"""An account promises an activity to inboxes, in the transaction of what the activity tells."""

from collections.abc import Iterable, Sequence
from typing import Final

import orjson

from medfed.accounts.keyring import signing_key
from medfed.activitypub import contexts, proofs, render
from medfed.activitypub.here import Here
from medfed.activitypub.render import Rendered, with_context
from medfed.domain.accounts import Account
from medfed.domain.posts import AS_PUBLIC
from medfed.kernel.clock import DAY
from medfed.storage import accounts, groups, outbox
from medfed.storage.database import Transaction
from medfed.storage.outbox import WITHDRAWALS, Inbox, Outgoing, Recipient

KEEP: Final = 7 * DAY
KEEP_WITHDRAWALS: Final = 30 * DAY
WITHHELD_FOR: Final = 7 * DAY
"""How long what a peer may no longer have is kept for the case that it may again (J11)."""
WAKE: Final = "delivery"
"""The channel that wakes the delivery worker."""


async def promise(
    tx: Transaction,
    here: Here,
    author: Account,
    activity: Rendered,
    recipients: Iterable[Recipient],
    *,
    post_id: int | None = None,
    listed: bool = False,
    proven: bool = False,
    context: Sequence[object] = contexts.ACTIVITY,
) -> Rendered:
    """Owe `activity` to `recipients`; the document as it is sent.

    A public one carries a proof by the author's Ed25519 key (FEP-8b32), and so does one that others will pass on
    (`proven`).

    What is not public carries none: a leaked private post must not be provable for ever. Raises Misconfigured when
    the author has no key, or it does not open: nothing public leaves without its proof.
    """
    now = here.now()
    document = with_context(activity, context)
    if proven or is_public(activity):
        method, key = await signing_key(tx, here.vault, author.id, "ed25519", said_at=now, now=now)
        document = proofs.sign(document, key=key, verification_method=method, created=now)
    kind = str(activity["type"])
    await outbox.enqueue(
        tx,
        Outgoing(
            id=here.ids.new(),
            uri=str(activity["id"]),
            account_id=author.id,
            kind=kind,
            body=orjson.dumps(document),
            created_at=now,
            keep_until=now + (KEEP_WITHDRAWALS if kind in WITHDRAWALS else KEEP),
            post_id=post_id,
            listed=listed,
            to_followers=author.followers_uri in _recipients(activity),
        ),
        recipients,
    )
    tx.wake(WAKE)
    return document


async def promise_profile(tx: Transaction, here: Here, account: Account, recipients: Iterable[Recipient]) -> None:
    """Owe `recipients` the account's actor document as it is now."""
    group = await groups.of_account(tx, account)
    actor = render.actor(here.uris, account, await accounts.keys(tx, account.id), now=here.now(), group=group)
    del actor["@context"]
    update = render.activity(
        "Update",
        id_=here.uris.activity(account.uri, here.ids.new()),
        actor_uri=account.uri,
        object_=actor,
        to=[AS_PUBLIC],
        cc=[account.followers_uri],
    )
    await promise(tx, here, account, update, recipients, context=contexts.ACTOR)


def is_public(activity: Rendered) -> bool:
    """Whether an activity is addressed to everybody."""
    return AS_PUBLIC in _recipients(activity)


def _recipients(activity: Rendered) -> list[object]:
    named = (activity.get("to"), activity.get("cc"))
    return [name for names in named if isinstance(names, list) for name in names]


def inbox_of(account: Account) -> Inbox:
    """Where to send what is for this account alone."""
    return Inbox(host=account.host, url=account.inbox)


def shared_inbox_of(account: Account) -> Inbox:
    """Where to send what is for this account among others."""
    return Inbox(host=account.host, url=account.delivery_inbox)
