"""Uploads: an image comes in, is decoded at once, and waits for the status it belongs to."""

from starlette.responses import Response

from medfed.api import entities
from medfed.api.calls import Call
from medfed.api.params import Params
from medfed.domain.posts import Attachment
from medfed.edge import Json
from medfed.kernel import limits
from medfed.kernel.errors import Invalid, NotFound
from medfed.media.accept import checked_focus
from medfed.storage import posts
from medfed.storage.database import View


async def upload(call: Call) -> Response:
    """Take in an image; it is ready when the answer comes."""
    data = call.params.upload("file")
    if data is None:
        raise Invalid("the file is missing", {"file": "is missing"})
    one = await call.instance.images.accept(
        call.here,
        call.account.id,
        data,
        description=call.params.text("description", most=limits.ALT_TEXT_LOCAL),
        focus=focus_of(call.params) or (0.0, 0.0),
    )
    async with call.store.transaction("store upload") as tx:
        await posts.add_attachment(tx, one)
    return _answer(call, one)


async def show(call: Call) -> Response:
    """An upload that waits for its status."""
    async with call.store.view() as view:
        return _answer(call, await _waiting(view, call))


async def describe(call: Call) -> Response:
    """Change the description and the focal point of an upload that waits for its status."""
    focus = focus_of(call.params)
    async with call.store.transaction("describe upload") as tx:
        one = await _waiting(tx, call)
        await posts.describe_attachment(
            tx,
            one.id,
            call.account.id,
            description=call.params.text("description", one.description, most=limits.ALT_TEXT_LOCAL).strip(),
            focus=focus or (one.focus_x, one.focus_y),
        )
        return _answer(call, await _waiting(tx, call))


async def _waiting(view: View, call: Call) -> Attachment:
    one = await posts.find_attachment(view, call.id(), call.account.id)
    if one is None or one.post_id is not None:
        raise NotFound("there is no such upload of yours")
    return one


def _answer(call: Call, one: Attachment) -> Response:
    # Nobody else may look at it yet, so that its links expire.
    return Json(entities.media(call.here, one, restricted_to=call.account.id))


def focus_of(params: Params) -> tuple[float, float] | None:
    """`focus=0.1,-0.5`. Raises Invalid."""
    text = params.optional_text("focus", most=60)
    if not text:
        return None
    x, comma, y = text.partition(",")
    try:
        return checked_focus(float(x), float(y)) if comma else _refuse()
    except ValueError:
        return _refuse()


def _refuse() -> tuple[float, float]:
    raise Invalid("the focal point is two numbers from -1 to 1", {"focus": "two numbers from -1 to 1"})
