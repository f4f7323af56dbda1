"""What this instance attests, and whether it still stands: for peers, and for anybody who wants to check."""

from collections.abc import Mapping
from typing import Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

from medfed.activitypub.credentials import MEDIA_TYPE, attestations
from medfed.activitypub.uris import authority_of
from medfed.discovery.asking import asker, require_asker
from medfed.discovery.documents import local_account
from medfed.domain.peers import Level
from medfed.edge import ACTIVITY_TYPE, VARY, instance_of
from medfed.kernel.errors import NotFound, PolicyRefusal
from medfed.kernel.paging import id_of
from medfed.kernel.secrets import hash_token
from medfed.storage import credentials, issuer
from medfed.verification.issuer import document
from medfed.verification.standing import states_for

_LIST_AGE: Final = 900
_KEYS_AGE: Final = 300


async def did(request: Request) -> Response:
    """GET /.well-known/did.json: the keys that this instance attests with (`did:web`)."""
    instance = instance_of(request)
    async with instance.store.view() as view:
        found = await document(view, instance.here)
    return _public(request, orjson.dumps(found), "application/did+json", _KEYS_AGE)


async def status_list(request: Request) -> Response:
    """GET /credentials/status/N: a status list, whole and signed, so that nobody learns who is being looked up."""
    instance = instance_of(request)
    async with instance.store.view() as view:
        found = await issuer.find_list(view, _number(request))
    if found is None:
        raise NotFound("there is no such status list")
    return _public(request, found.document.encode(), MEDIA_TYPE, _LIST_AGE)


async def credential(request: Request) -> Response:
    """GET /credentials/ID: a credential that its subject has accepted; on offer, for the subject's server only."""
    instance = instance_of(request)
    async with instance.store.view() as view:
        found = await credentials.find_attestation(view, _number(request))
    if found is None or found.state == "declined":
        raise NotFound("there is no such attestation")
    if found.state == "offered":
        who = await asker(request)
        if who is None or who.host != authority_of(found.subject_uri):
            raise NotFound("there is no such attestation")
        return Response(found.document, media_type=MEDIA_TYPE, headers={"cache-control": "private, no-store"})
    return _public(request, found.document.encode(), MEDIA_TYPE, _KEYS_AGE)


async def collection(request: Request) -> Response:
    """GET /users/NAME/attestations: what a member shows, whole, for peers that are federated or trusted."""
    instance = instance_of(request)
    who = await require_asker(request)
    if instance.levels.of(who.host) not in (Level.FEDERATED, Level.TRUSTED):
        raise PolicyRefusal("attestations are shown to federated peers")
    async with instance.store.view() as view:
        account = await local_account(view, request)
        shown = (await states_for(view, instance.here, [account.id])).get(account.id, [])
    items = [orjson.loads(each.document) for each in shown]
    body = orjson.dumps(attestations(account.attestations_uri, account.uri, items))
    return _tagged(request, body, ACTIVITY_TYPE, {"cache-control": "private, no-cache", "vary": VARY})


def _public(request: Request, body: bytes, media_type: str, age: int) -> Response:
    """A document for everybody."""
    return _tagged(request, body, media_type, {"cache-control": f"public, max-age={age}"})


def _tagged(request: Request, body: bytes, media_type: str, headers: Mapping[str, str]) -> Response:
    """A document, or 304 when the caller has it."""
    tag = f'"{hash_token(body.decode())[:32]}"'
    headers = {"etag": tag, **headers}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media_type, headers=headers)


def _number(request: Request) -> int:
    number = id_of(request.path_params["id"])
    if number is None:
        raise NotFound("there is nothing here")
    return number
