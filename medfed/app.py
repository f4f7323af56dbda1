"""Joins the route tables, the error pages and the manners of one instance into an ASGI application."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from starlette.middleware.errors import ServerErrorMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from medfed.activitypub import rfc9421
from medfed.api.errors import answer as answer_api
from medfed.api.routes import routes as api_routes
from medfed.discovery.health import routes as health_routes
from medfed.discovery.media import routes as media_routes
from medfed.discovery.routes import ROUTES as DISCOVERY
from medfed.edge import CORS_HEADERS, VARY, Json, Manners, Route, Router, allows_other_origins, wants_page
from medfed.inbox.http import routes as inbox_routes
from medfed.instance import Instance
from medfed.kernel.correlation import request_id
from medfed.kernel.errors import Broken, MedfedError, NotFound, RemoteFailure, TooMany
from medfed.web.errors import answer as answer_page
from medfed.web.render import Pages
from medfed.web.routes import routes as web_routes
from medfed.web.visit import Front, Tries
from medfed.worker.loop import Worker

log: Final = logging.getLogger(__name__)


def build_app(instance: Instance, *, worker: Worker | None = None) -> ASGIApp:
    """The application of one instance. With a `worker`, its lifespan does the background work too."""
    front = Front(pages=Pages(), tries=Tries(enabled=instance.settings.limits.enabled))
    edges = (
        ("inbox", inbox_routes(instance)),
        ("discovery", DISCOVERY),
        ("discovery", media_routes()),
        ("api", api_routes(instance)),
        ("web", web_routes(front)),
        ("discovery", health_routes((lambda: worker.beat) if worker else None)),
    )
    application = _Application([(name, route) for name, routes in edges for route in routes], front, worker)
    return Manners(ServerErrorMiddleware(application, handler=_answer_crash), instance)


class _Application:
    """Finds the endpoint, calls it, and answers for what it refuses."""

    def __init__(self, routes: Sequence[tuple[str, Route]], front: Front, worker: Worker | None) -> None:
        documents = {(route.method, route.path) for name, route in routes if name == "discovery"}
        self._pages = {
            route.path: route for name, route in routes if name == "web" and (route.method, route.path) in documents
        }
        """Pages at the paths of documents: the Accept header chooses between them."""
        pages = {id(page) for page in self._pages.values()}
        self._router = Router(route for _, route in routes if id(route) not in pages)
        self._edges = {id(route): name for name, route in routes}
        self._front = front
        self._worker = worker

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the process's lifespan."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        path: str = scope["path"]
        cross_origin = CORS_HEADERS if allows_other_origins(path) else {}
        # No name holds a NUL, and not every database can be asked for one.
        route, parameters, methods = self._router.find(scope["method"], path) if "\0" not in path else (None, {}, ())
        if route is not None and route.path in self._pages and wants_page(request):
            route = self._pages[route.path]
        if scope["method"] == "OPTIONS" and route is None and (methods or cross_origin):
            response = Response(status_code=204, headers=_allow(methods))
        elif route is None:
            response = await self._unrouted(request, methods)
        else:
            scope["path_params"] = parameters
            scope["medfed.route"] = route
            try:
                response = await self._answer(request, route)
            except ClientDisconnect:
                return
        response.headers.update(cross_origin)
        await response(scope, receive, send)

    async def _answer(self, request: Request, route: Route) -> Response:
        try:
            return await route.endpoint(request)
        except MedfedError as error:
            return await self._refusal(request, error, self._edges[id(route)])

    async def _unrouted(self, request: Request, methods: Sequence[str]) -> Response:
        edge = "api" if request.url.path.startswith(("/api/", "/oauth/")) else "web"
        if methods and wants_page(request):
            return PlainTextResponse("This address takes no such request.\n", 405, _allow(methods))
        if methods:
            return Json({"error": "method not allowed"}, status_code=405, headers=_allow(methods))
        return await self._refusal(request, NotFound("there is nothing here"), edge)

    async def _refusal(self, request: Request, error: MedfedError, edge: str) -> Response:
        if isinstance(error, Broken | RemoteFailure):
            log.error(
                "%s %s: %s: %s",
                request.method,
                request.url.path,
                type(error).__name__,
                error,
                exc_info=error if isinstance(error, Broken) else None,
            )
        if edge == "web":
            return await answer_page(self._front, request, error)
        if edge == "api":
            return answer_api(error)
        return _answer_peer(request, error)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        work = None
        if self._worker is not None:
            await self._worker.start()  # what it raises ends the server: nobody would see that no work is done
            work = asyncio.create_task(self._worker.work(), name="worker")
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if work is not None:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
        await send({"type": "lifespan.shutdown.complete"})


def _allow(methods: Sequence[str]) -> dict[str, str]:
    """Which methods an address takes, those included that no route table names."""
    if not methods:
        return {}
    also = [name for name in ("HEAD",) if "GET" in methods and name not in methods]
    return {"allow": ", ".join([*methods, *also, "OPTIONS"])}


def _answer_peer(request: Request, error: MedfedError) -> Response:
    """A peer learns the status and one sentence; a failure of a third server means: try again.

    It is for who asked: no cache gives it to another, who may have what this one may not.
    """
    headers = {"vary": VARY, "cache-control": "no-store"}
    if error.status == 503:
        headers["retry-after"] = "60"
    if isinstance(error, TooMany):
        headers["retry-after"] = str(error.retry_after)
    if error.status == 401:
        is_fetch = request.method in ("GET", "HEAD")
        headers["accept-signature"] = rfc9421.ACCEPTED_OF_FETCHES if is_fetch else rfc9421.ACCEPTED
    return Json({"error": error.safe}, status_code=error.status, headers=headers)


async def _answer_crash(request: Request, _error: Exception) -> Response:
    """Something that nobody foresaw: logged by the server with the request id, explained to nobody."""
    if wants_page(request):
        text = f"Something failed on this instance. Nothing you can do about it.\nRequest {request_id.get()}\n"
        return PlainTextResponse(text, status_code=500)
    headers = CORS_HEADERS if allows_other_origins(request.url.path) else {}
    return Json({"error": "internal error", "request_id": request_id.get()}, status_code=500, headers=headers)
