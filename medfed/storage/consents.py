"""What others were allowed to do with posts written here, were refused, or ask to be allowed."""

from dataclasses import asdict

from medfed.domain.interactions import Consent, ConsentState, Deed
from medfed.kernel.paging import Page
from medfed.storage.database import Row, Transaction, View
from medfed.storage.paging import Paged
from medfed.storage.statements import sql

_COLUMNS = (
    "c.id, c.deed, c.post_id, c.author_id, c.account_id, c.object_uri, c.request_uri, c.excerpt, c.state, c.created_at"
)
_ADD = sql(
    """
    INSERT INTO consent
        (id, deed, post_id, author_id, account_id, object_uri, request_uri, excerpt, state, created_at)
    VALUES
        (:id, :deed, :post_id, :author_id, :account_id, :object_uri, :request_uri, :excerpt, :state, :created_at)
    ON CONFLICT (post_id, deed, object_uri) DO NOTHING
    """
)
_FIND = sql(f"SELECT {_COLUMNS} FROM consent c WHERE c.id = :id")
_OF = sql(
    f"SELECT {_COLUMNS} FROM consent c WHERE c.post_id = :post_id AND c.deed = :deed AND c.object_uri = :object_uri"
)
_WAITING = Paged(f"SELECT {_COLUMNS} FROM consent c WHERE c.author_id = :author_id AND c.state = 'waiting'", "c.id")
_COUNT_WAITING = sql(
    """
    SELECT COUNT(*) FROM consent c
    WHERE c.account_id = :account_id AND c.author_id = :author_id AND c.state = 'waiting'
    """
)
_DECIDE = sql("UPDATE consent SET state = :state WHERE id = :id AND state = :before")


async def add(tx: Transaction, consent: Consent) -> bool:
    """Store one; False when there is one for the same thing."""
    return await tx.run(_ADD, **asdict(consent)) > 0


async def find(view: View, id_: int) -> Consent | None:
    """The one with this id."""
    row = await view.one_or_none(_FIND, id=id_)
    return _consent(row) if row else None


async def of(view: View, post_id: int, deed: Deed, object_uri: str) -> Consent | None:
    """The one for doing a thing with a post by means of an object."""
    row = await view.one_or_none(_OF, post_id=post_id, deed=deed, object_uri=object_uri)
    return _consent(row) if row else None


async def waiting(view: View, author_id: int, page: Page) -> list[Consent]:
    """What an author is still asked, newest first."""
    return [_consent(row) for row in await _WAITING.rows(view, page, author_id=author_id)]


async def count_waiting(view: View, author_id: int, account_id: int) -> int:
    """How many requests of one account wait for the same author."""
    return int(await view.value(_COUNT_WAITING, author_id=author_id, account_id=account_id) or 0)


async def decide(tx: Transaction, id_: int, *, before: ConsentState, state: ConsentState) -> bool:
    """Change what was decided; False when it was not `before`."""
    return await tx.run(_DECIDE, id=id_, before=before, state=state) > 0


def _consent(row: Row) -> Consent:
    return Consent(**dict(row))
