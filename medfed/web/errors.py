"""How pages refuse."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from medfed.kernel.errors import MedfedError


async def answer(_request: Request, error: MedfedError) -> Response:
    """The page for a refusal or a failure."""
    return PlainTextResponse(error.safe, status_code=error.status)
