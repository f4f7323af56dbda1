"""The newest id that was ever minted for what has an order: where minting goes on after a restart."""

from typing import Final

from medfed.storage.database import View
from medfed.storage.statements import sql

_NEWEST: Final = sql(
    """
    SELECT MAX(id) FROM (
        SELECT MAX(id) AS id FROM post UNION ALL SELECT MAX(id) FROM inbox_log UNION ALL SELECT MAX(id) FROM outbox
        UNION ALL SELECT MAX(id) FROM notification
    ) newest
    """
)


async def newest(view: View) -> int:
    """The greatest id of a post, an arrival, an outgoing activity or a notification; 0 when there are none."""
    return int(await view.value(_NEWEST) or 0)
