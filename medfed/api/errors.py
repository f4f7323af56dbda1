"""How the client API refuses: a status, a short error, a description."""

from starlette.responses import Response

from medfed.edge import Json
from medfed.kernel.errors import Invalid, MedfedError, TooMany


def answer(error: MedfedError) -> Response:
    """The JSON answer for a refusal or a failure."""
    body: dict[str, object] = {"error": error.safe, "error_description": error.safe}
    if isinstance(error, Invalid) and error.fields:
        body["details"] = {
            name: [{"error": "ERR_INVALID", "description": problem}] for name, problem in error.fields.items()
        }
    headers = {"cache-control": "private, no-store"}
    if isinstance(error, TooMany):
        headers["retry-after"] = str(error.retry_after)
    return Json(body, status_code=error.status, headers=headers)
