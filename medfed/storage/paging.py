"""A listing as a pair of statements: newest first, and, for min_id, nearest first."""

from medfed.kernel.paging import Page
from medfed.storage.database import Row, View
from medfed.storage.statements import sql


class Paged:
    """A SELECT that can be paged by one id column.

    `text` is a SELECT with a WHERE and without ORDER BY; rows of both directions come back newest first.
    """

    def __init__(self, text: str, key: str) -> None:
        within = f"{text} AND {key} < :page_max AND {key} > :page_min"
        self._newest = sql(f"{within} ORDER BY {key} DESC LIMIT :page_limit")
        self._nearest = sql(f"{within} ORDER BY {key} ASC LIMIT :page_limit")

    async def rows(self, view: View, page: Page, **params: object) -> list[Row]:
        """The rows of one page, newest first."""
        statement = self._nearest if page.forwards else self._newest
        found = await view.all(
            statement,
            page_max=page.max_id,
            page_min=max(page.min_id, page.since_id),
            page_limit=page.limit,
            **params,
        )
        return found[::-1] if page.forwards else found
