"""Images: our own files, and those of peers passed through us so that their servers do not learn who looks (M16)."""

from collections import OrderedDict
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from medfed.discovery.asking import asker, may_have
from medfed.domain.posts import Attachment, Post
from medfed.edge import Route, instance_of
from medfed.instance import Instance
from medfed.kernel import limits
from medfed.kernel.errors import NotFound, RemoteGone, RemoteRefused
from medfed.kernel.paging import id_of
from medfed.media import links
from medfed.media.blobs import mime_of
from medfed.net.fetch import require_success
from medfed.posts import read
from medfed.storage import accounts, emojis, posts

SHOWN: Final = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif", "image/avif"})
_MEMORY: Final = 64 * limits.MIB
_LASTING: Final = "public, max-age=31536000, immutable"
_A_DAY: Final = "public, max-age=86400"
_FLEETING: Final = "private, no-store"


class Media:
    """Serves the images of one instance, and remembers some of its peers'."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[str, bytes]] = OrderedDict()
        self._size = 0

    async def own(self, request: Request) -> Response:
        """GET /media/KEY: an image of a post or profile of ours."""
        instance, key = instance_of(request), request.path_params["key"]
        async with instance.store.view() as view:
            attachment = await posts.find_attachment_by_file(view, key)
            post = await posts.find(view, attachment.post_id) if attachment and attachment.post_id else None
            is_picture = attachment is None and await accounts.has_picture(view, key)
        if attachment is None and not is_picture:
            raise NotFound("there is no such file")
        is_open = is_picture or await _is_everybodys(instance, post)
        if not is_open:
            await _refuse_strangers(request, instance, key, attachment, post)
        return _image(await instance.blobs.read(key), mime_of(key), is_open=is_open)

    async def of_peer(self, request: Request) -> Response:
        """GET /media/peer/ID: the image that a peer's post refers to."""
        instance, id_ = instance_of(request), request.path_params["id"]
        async with instance.store.view() as view:
            attachment = await posts.find_attachment_by_id(view, id_of(id_) or 0)
            post = await posts.find(view, attachment.post_id) if attachment and attachment.post_id else None
        if attachment is None or post is None or not attachment.remote_url:
            raise NotFound("there is no such file")
        is_open = await _is_everybodys(instance, post)
        if not is_open:
            await _check_link(request, instance, id_, attachment, post)
        return await self._through(instance, attachment.remote_url, is_open=is_open)

    async def of_account(self, request: Request) -> Response:
        """GET /media/account/ID: the avatar of a peer's account (or, ?header, its header)."""
        instance, id_ = instance_of(request), request.path_params["id"]
        async with instance.store.view() as view:
            account = await accounts.find(view, id_of(id_) or 0)
        if account is None or account.local or not account.active:
            raise NotFound("there is no such picture")
        source = account.header if "header" in request.query_params else account.avatar
        if not source:
            raise NotFound("there is no such picture")
        return await self._through(instance, source, is_open=True)

    async def of_emoji(self, request: Request) -> Response:
        """GET /media/emoji/ID: the picture of a peer's custom emoji."""
        instance, id_ = instance_of(request), request.path_params["id"]
        async with instance.store.view() as view:
            known = await emojis.find(view, id_of(id_) or 0)
        if known is None or instance.levels.is_blocked(known[0]):
            raise NotFound("there is no such picture")
        return await self._through(instance, known[1], is_open=True, lasting=False)

    async def _through(self, instance: Instance, url: str, *, is_open: bool, lasting: bool = True) -> Response:
        kept = self._kept.get(url)
        if kept is None:
            kept = await _fetch(instance, url)
            if is_open:
                self._keep(url, kept)
        return _image(kept[1], kept[0], is_open=is_open, lasting=lasting)

    def _keep(self, url: str, image: tuple[str, bytes]) -> None:
        self._kept[url] = image
        self._size += len(image[1])
        while self._size > _MEMORY:
            _, dropped = self._kept.popitem(last=False)
            self._size -= len(dropped[1])


async def _is_everybodys(instance: Instance, post: Post | None) -> bool:
    """Whether anybody may read a post now: its author may be suspended (G05)."""
    if post is None:
        return False
    async with instance.store.view() as view:
        return await read.may(view, instance.here, None, post)


async def _refuse_strangers(
    request: Request, instance: Instance, key: str, attachment: Attachment | None, post: Post | None
) -> None:
    """A file that is not open is for who holds a fresh link, and for peers that may have its post."""
    if "token" in request.query_params:
        await _check_link(request, instance, key, attachment, post)
        return
    who = await asker(request)
    if who is not None and post is not None and await may_have(instance, who, post):
        return
    raise NotFound("there is no such file")


async def _check_link(
    request: Request, instance: Instance, name: str, attachment: Attachment | None, post: Post | None
) -> None:
    """A link opens a file while the one it was made for may read its post, or is about to write it (M16).

    Raises NotFound.
    """
    viewer_id = links.viewer_of(instance.here, name, request.query_params.get("token", ""))
    async with instance.store.view() as view:
        viewer = await accounts.find(view, viewer_id)
        if viewer is not None and post is not None and await read.may(view, instance.here, viewer, post):
            return
    if post is not None or attachment is None or attachment.account_id != viewer_id:
        raise NotFound("there is no such file")


async def _fetch(instance: Instance, url: str) -> tuple[str, bytes]:
    try:
        response = await instance.net.get(
            url,
            accept="image/*",
            limit=limits.FETCHED_MEDIA,
            sign=await instance.sign_as_instance(),
            meet=False,
        )
        require_success(response)
    except (RemoteGone, RemoteRefused) as error:
        raise NotFound("there is no such picture") from error
    kind = response.headers.get("content-type").partition(";")[0].strip().lower()
    if kind not in SHOWN:
        raise NotFound("that is not an image we show")
    return kind, response.body


def _image(body: bytes, mime: str, *, is_open: bool, lasting: bool = True) -> Response:
    """An image that can do nothing but be looked at (E10)."""
    if mime not in SHOWN:
        mime = "application/octet-stream"
    return Response(
        body,
        media_type=mime,
        headers={
            "cache-control": _FLEETING if not is_open else _LASTING if lasting else _A_DAY,
            "content-security-policy": "default-src 'none'; sandbox; form-action 'none'; frame-ancestors 'none'",
            "cross-origin-resource-policy": "cross-origin" if is_open else "same-site",
            "referrer-policy": "no-referrer",
        },
    )


def routes() -> list[Route]:
    """Where images are."""
    media = Media()
    return [
        Route(method="GET", path="/media/{key}", endpoint=media.own),
        Route(method="GET", path="/media/peer/{id}", endpoint=media.of_peer),
        Route(method="GET", path="/media/account/{id}", endpoint=media.of_account),
        Route(method="GET", path="/media/emoji/{id}", endpoint=media.of_emoji),
    ]
