"""WebFinger, NodeInfo, host-meta, and other addresses that are fixed by RFCs."""

from functools import partial
from typing import Final
from urllib.parse import urlsplit

import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from medfed.activitypub import wellknown
from medfed.activitypub.uris import Uris
from medfed.domain.accounts import INSTANCE_USERNAME, Account
from medfed.edge import Json, instance_of
from medfed.instance import Instance, Shown
from medfed.kernel.clock import DAY, iso
from medfed.kernel.errors import Malformed, NotFound
from medfed.storage import accounts, posts
from medfed.storage.database import View

_CACHED: Final = {"cache-control": "max-age=3600, public", "vary": "Accept"}


class Jrd(Json):
    """application/jrd+json."""

    media_type = "application/jrd+json"


async def webfinger(request: Request) -> Response:
    """GET /.well-known/webfinger: who `acct:NAME@DOMAIN`, or a URL of ours, is. Raises Malformed, NotFound."""
    instance = instance_of(request)
    resource = request.query_params.get("resource", "")
    if not resource:
        raise Malformed("the parameter resource is missing")
    scheme, colon, rest = resource.partition(":")
    if not colon or not scheme.isalpha():
        raise Malformed("resource is a URI: acct:name@domain")
    if _is_the_server(instance.here.uris, resource):
        return Jrd(wellknown.webfinger_of_server(instance.here.uris), headers=_CACHED)
    shown = await instance.documents.get(f"webfinger {resource}", partial(_webfinger, instance, scheme.lower(), rest))
    return Response(shown.open, media_type=Jrd.media_type, headers=_CACHED)


async def _webfinger(instance: Instance, scheme: str, rest: str) -> Shown:
    async with instance.store.view() as view:
        account = await _find(view, instance, scheme, rest)
    if account is None or not account.active:
        raise NotFound("nobody of this name is here")
    found = orjson.dumps(wellknown.webfinger(instance.here.uris, account))
    return Shown(whole=found, open=found)


def _is_the_server(uris: Uris, resource: str) -> bool:
    return uris.is_ours(resource) and urlsplit(resource).path in ("", "/")


async def _find(view: View, instance: Instance, scheme: str, rest: str) -> Account | None:
    uris = instance.here.uris
    if scheme == "acct":
        name, _, domain = rest.removeprefix("@").rpartition("@")
        if domain.lower() not in (uris.domain, uris.authority):
            return None
        if name.lower() in (uris.domain, INSTANCE_USERNAME):
            return await accounts.find_by_uri(view, uris.instance_actor)
        account = await accounts.find_by_handle(view, name, uris.domain)
        return account if account is not None and account.local else None
    if scheme not in ("https", "http") or not uris.is_ours(f"{scheme}:{rest}"):
        return None
    path = urlsplit(rest).path
    if path.startswith("/@") and "/" not in path[2:]:
        account = await accounts.find_by_handle(view, path[2:], uris.domain)
    else:
        account = await accounts.find_by_uri(view, uris.base + path)
    return account if account is not None and account.local else None


async def nodeinfo_links(request: Request) -> Response:
    """GET /.well-known/nodeinfo: where the NodeInfo documents are, and the instance actor."""
    return Json(wellknown.nodeinfo_links(instance_of(request).here.uris), headers=_CACHED)


async def nodeinfo(request: Request) -> Response:
    """GET /nodeinfo/VERSION: what this server is, and how busy (2.0 and 2.1)."""
    instance = instance_of(request)
    version = request.path_params["version"]
    if version not in wellknown.NODEINFO_VERSIONS:
        raise NotFound("no such version")
    now = instance.here.now()
    async with instance.store.view() as view:
        document = wellknown.nodeinfo(
            version,
            name=instance.here.name,
            open_registration=instance.settings.registration.mode == "open",
            members=await accounts.count_members(view),
            month=await accounts.count_active_since(view, now - 30 * DAY),
            half_year=await accounts.count_active_since(view, now - 180 * DAY),
            posts=await posts.count_local(view),
            source=instance.settings.instance.source_url,
        )
    kind = f'application/json; profile="http://nodeinfo.diaspora.software/ns/schema/{version}#"'
    return Json(document, media_type=kind)


async def host_meta(request: Request) -> Response:
    """GET /.well-known/host-meta: where WebFinger is, as XRD."""
    text = wellknown.host_meta(instance_of(request).here.uris)
    return Response(text, media_type="application/xrd+xml", headers=_CACHED)


async def host_meta_json(request: Request) -> Response:
    """GET /.well-known/host-meta.json: the same as JRD."""
    return Jrd(wellknown.host_meta_json(instance_of(request).here.uris), headers=_CACHED)


async def change_password(_request: Request) -> Response:
    """GET /.well-known/change-password: the page, for password managers."""
    return RedirectResponse("/settings", status_code=302)


async def security_txt(request: Request) -> Response:
    """GET /.well-known/security.txt: whom to tell of a vulnerability."""
    here = instance_of(request).here
    if not here.contact:
        raise NotFound("no contact is configured")
    text = wellknown.security_txt(here.contact, iso(here.now() + 180 * DAY), here.languages)
    return Response(text, media_type="text/plain; charset=utf-8")
