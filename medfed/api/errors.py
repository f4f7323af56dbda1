"""How the client API refuses: a status, a short error, a description."""

from dataclasses import asdict

from starlette.responses import Response

from medfed.accounts.consent import Denied
from medfed.api.auth import InsufficientScope, InvalidToken
from medfed.api.limits import Overrun
from medfed.domain.cases import Identifying
from medfed.edge import Json
from medfed.kernel.errors import Invalid, MedfedError, TooMany


def answer(error: MedfedError) -> Response:
    """The JSON answer for a refusal or a failure."""
    body: dict[str, object] = {"error": error.safe, "error_description": error.safe}
    headers = {"cache-control": "private, no-store"}
    if isinstance(error, Denied):
        # RFC 6749, 5.2.
        body["error"] = error.code
    elif isinstance(error, Invalid) and error.fields:
        body["details"] = {
            name: [{"error": "ERR_INVALID", "description": problem}] for name, problem in error.fields.items()
        }
    if isinstance(error, Identifying):
        body["passages"] = [asdict(passage) for passage in error.passages]
    if error.status == 401 or isinstance(error, InsufficientScope):
        headers["www-authenticate"] = _challenge(error)
    if isinstance(error, TooMany):
        headers["retry-after"] = str(error.retry_after)
    if isinstance(error, Overrun):
        headers |= error.room.headers
    return Json(body, status_code=error.status, headers=headers)


def _challenge(error: MedfedError) -> str:
    """How to say who one is (RFC 6750, 3); nothing more to those who did not try."""
    if isinstance(error, Denied):
        return f'{error.scheme} realm="medfed"'
    if isinstance(error, InvalidToken):
        return f'Bearer realm="medfed", error="invalid_token", error_description="{error.safe}"'
    if isinstance(error, InsufficientScope):
        return f'Bearer realm="medfed", error="insufficient_scope", scope="{error.scopes[0]}"'
    return 'Bearer realm="medfed"'
