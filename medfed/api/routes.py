"""The client API, one line an endpoint."""

from typing import Final

from medfed.edge import Route

ROUTES: Final[tuple[Route, ...]] = ()
