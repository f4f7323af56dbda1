"""How pages refuse: what happened, whether work is safe, what to do, in the reader's language and without jargon."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from medfed.edge import Json
from medfed.kernel.correlation import request_id
from medfed.kernel.errors import (
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    Malformed,
    MedfedError,
    NoRoom,
    NotFound,
    RemoteFailure,
    TooLarge,
    TooMany,
    Unauthenticated,
    Unsupported,
    Untrusted,
)
from medfed.web.door import dressed
from medfed.web.problems import reason
from medfed.web.sent import own_path
from medfed.web.sheet import page
from medfed.web.views import ProblemView
from medfed.web.visit import Front, Visit, visit_of
from medfed.web.words import N_

_WORDS: Final[Mapping[type[MedfedError], tuple[str, str, str]]] = {
    Unauthenticated: (
        N_("You are no longer signed in"),
        N_("This browser was idle for too long, or was signed out elsewhere. Nothing was published or changed."),
        N_("Copy what you wrote, sign in, and paste it there."),
    ),
    NotFound: (
        N_("This page does not exist, or not for you"),
        N_("The address is wrong, the post was deleted, or it is reserved to other readers."),
        N_("If a colleague gave it to you, ask whom it is addressed to."),
    ),
    Gone: (
        N_("This is no longer here"),
        N_("It was deleted, used up, or its account is closed."),
        "",
    ),
    Forbidden: (
        N_("Refused"),
        N_("You may not do this here. Nothing was changed."),
        "",
    ),
    TooLarge: (
        N_("Too large"),
        N_("What was sent is larger than this instance accepts. Nothing was kept."),
        N_("Images may have up to 40 MiB."),
    ),
    Unsupported: (
        N_("This cannot be read"),
        N_("The file or form is of a kind that is not understood here. Nothing was kept."),
        "",
    ),
    NoRoom: (
        N_("There is no room left"),
        N_("The disk of this instance is nearly full: it takes no more files. Nothing was kept."),
        N_("Text can still be written, and deleting makes room. Tell your administrator."),
    ),
    TooMany: (
        N_("Too many attempts"),
        N_("To keep guessing slow, this instance counts attempts. Nothing was changed."),
        N_("Wait a few minutes, then try again."),
    ),
    Conflict: (
        N_("Somebody was faster"),
        N_("This was changed by somebody else meanwhile. Nothing was changed now."),
        N_("Look at the page again, then repeat what still applies."),
    ),
    Untrusted: (
        N_("The other instance is not believed"),
        N_("What it sent does not hold together, so nothing of it was kept."),
        "",
    ),
    Invalid: (N_("Not accepted"), N_("Something in what was sent breaks a rule. Nothing was changed."), ""),
    Malformed: (N_("This cannot be read"), N_("What was sent could not be understood. Nothing was changed."), ""),
    RemoteFailure: (
        N_("The other instance does not answer"),
        N_("What you asked for is kept elsewhere, and that instance could not be reached."),
        N_("Try again later; what you wrote here is not affected."),
    ),
}
_OURS: Final = (
    N_("Something failed on this instance"),
    N_("It is our fault, not yours. The people who keep this instance find it in their log."),
    N_("Try again in a moment. If it happens again, tell your administrator the number below."),
)


async def answer(front: Front, request: Request, error: MedfedError) -> Response:
    """The page for a refusal or a failure; programs get the same as JSON."""
    if _is_program(request):
        return Json({"error": error.safe}, status_code=error.status)
    visit = await visit_of(front, request)
    if isinstance(error, Unauthenticated) and not _typed(visit):
        return dressed(visit, RedirectResponse(_way_in(visit), 303))
    response = await page(visit, "problem", status=error.status, problem=problem(visit, error))
    if isinstance(error, TooMany):
        response.headers["retry-after"] = str(error.retry_after)
    return dressed(visit, response)


def _is_program(request: Request) -> bool:
    accept = request.headers.get("accept", "")
    return "json" in accept and "text/html" not in accept


def problem(visit: Visit, error: MedfedError) -> ProblemView:
    """An error in words."""
    title, text, todo = next((said for kind, said in _WORDS.items() if isinstance(error, kind)), _OURS)
    detail = error.safe if isinstance(error, Invalid | Malformed | Unsupported | Forbidden) else ""
    return ProblemView(
        status=error.status,
        title=visit.say(title),
        text=visit.say(text),
        todo=visit.say(todo) if todo else reason(visit, detail) if detail else "",
        draft=_typed(visit),
        request_id=request_id.get(),
        back=_way_in(visit) if isinstance(error, Unauthenticated) else _back(visit),
        signed_out=isinstance(error, Unauthenticated),
    )


_WRITTEN: Final = (
    "title", "content", "presentation", "history", "examination", "investigations", "question", "outcome", "summary",
    "poll_option_1", "poll_option_2", "poll_option_3", "poll_option_4", "statement", "comment", "note", "reason", "bio",
    "policy",
)  # fmt: skip
"""The fields that people write in, of all forms, in the order of these."""


def _typed(visit: Visit) -> str:
    """What was written in a form that is refused, to be copied."""
    if visit.request.method != "POST":
        return ""
    return "\n\n".join(text for name in _WRITTEN if (text := visit.sent.text(name).strip()))


def _way_in(visit: Visit) -> str:
    """The door, and behind it the page that was asked for, or that the form was on."""
    asked = visit.request.method in ("GET", "HEAD")
    where = own_path(visit.path) if asked else own_path(visit.sent.text("back"))
    return f"/sign-in?next={quote(where, safe='/')}"


def _back(visit: Visit) -> str:
    """The page that the visitor came from, when it is one of ours."""
    base = visit.instance.here.uris.base
    referer = visit.request.headers.get("referer", "")
    return own_path(referer.removeprefix(base)) if referer.startswith(f"{base}/") else "/"
