"""Polls: read, and answered once."""

from starlette.responses import Response

from medfed.api import present
from medfed.api.calls import Call
from medfed.edge import Json
from medfed.kernel.errors import Invalid, NotFound
from medfed.posts import react, read
from medfed.storage.database import View


async def show(call: Call) -> Response:
    """A poll; its id is that of its status."""
    async with call.store.view() as view:
        return Json(await _poll_entity(view, call))


async def vote(call: Call) -> Response:
    """Answer a poll."""
    choices = [
        int(choice) if choice.isascii() and choice.isdigit() and len(choice) < 4 else -1
        for choice in call.params.texts("choices", most=10)
    ]
    async with call.store.transaction("vote") as tx:
        post = await read.get(tx, call.here, call.viewer, call.id())
        if post.account_id == call.account.id:
            raise Invalid("nobody answers their own poll", {"choices": "it is your own poll"})
        await react.vote(tx, call.here, call.account, post, choices)
    async with call.store.view() as view:
        return Json(await _poll_entity(view, call))


async def _poll_entity(view: View, call: Call) -> object:
    post = await read.get(view, call.here, call.viewer, call.id())
    shown = (await present.status(view, call.here, call.viewer, post))["poll"]
    if shown is None or post.is_boost:
        raise NotFound("there is no such poll")
    return shown
