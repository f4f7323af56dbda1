"""Every page, one line each."""

from typing import Final

from medfed.edge import Route

ROUTES: Final[tuple[Route, ...]] = ()
