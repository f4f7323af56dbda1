"""Actors, posts and activities of this instance, for peers."""

from functools import partial

import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from medfed.activitypub import contexts, render
from medfed.activitypub.stamps import stamp
from medfed.discovery.asking import asker, may_fetch, may_have, require_asker
from medfed.domain.accounts import Account
from medfed.edge import activity_bytes, activity_json, actor_bytes, instance_of, wants_page
from medfed.instance import Instance, Shown
from medfed.kernel.errors import Gone, NotFound
from medfed.kernel.paging import id_of
from medfed.posts.publish import whole_of
from medfed.storage import accounts, consents, groups, outbox, posts, reactions
from medfed.storage.database import View

_PUBLIC_WITHOUT_SIGNATURE = (
    "@context", "id", "type", "preferredUsername", "url", "inbox", "outbox", "followers", "following", "endpoints",
    "publicKey", "assertionMethod", "verificationMethod", "manuallyApprovesFollowers", "alsoKnownAs", "movedTo",
)  # fmt: skip
"""What of an actor is given to whoever does not say who they are: enough to verify, to deliver, and to ask."""


async def actor(request: Request) -> Response:
    """GET /users/NAME: whole for those who sign, keys and endpoints of people for everybody, open groups whole."""
    instance = instance_of(request)
    if wants_page(request):
        return _to_page(instance.here.uris.profile(request.path_params["username"]))
    shown = await instance.documents.get(request.scope["path"], partial(_actor, request))
    if shown.status == 410:
        # Whoever holds the Delete of an account asks whether it is true, often without saying who asks (A08).
        return activity_bytes(shown.open, 410)
    who = await asker(request)
    return actor_bytes(shown.open if who is None else shown.whole)


async def _actor(request: Request) -> Shown:
    instance = instance_of(request)
    async with instance.store.view() as view:
        left = await accounts.find_by_handle(view, request.path_params["username"], instance.here.domain)
        if left is not None and left.local and left.gone_at is not None:
            tombstone = orjson.dumps(render.tombstone(left.uri, left.gone_at))
            return Shown(whole=tombstone, open=tombstone, status=410)
        account = await local_account(view, request)
        keys = await accounts.keys(view, account.id)
        group = await groups.of_account(view, account)
    document = render.actor(instance.here.uris, account, keys, now=instance.here.now(), group=group)
    whole = orjson.dumps(document)
    if group is not None and not group.closed:
        # No person's profile: and who does not sign such a fetch (PieFed) refuses a group without its name.
        return Shown(whole=whole, open=whole)
    for_all = {name: document[name] for name in _PUBLIC_WITHOUT_SIGNATURE if name in document}
    return Shown(whole=whole, open=orjson.dumps(for_all))


async def instance_actor(request: Request) -> Response:
    """GET /actor: whole for everybody, so that a peer can verify what we sign to fetch its keys (B16)."""
    instance = instance_of(request)
    shown = await instance.documents.get("/actor", partial(_instance_actor, instance))
    return actor_bytes(shown.open)


async def _instance_actor(instance: Instance) -> Shown:
    account = await instance.actor()
    async with instance.store.view() as view:
        keys = await accounts.keys(view, account.id)
    document = orjson.dumps(render.actor(instance.here.uris, account, keys, now=instance.here.now()))
    return Shown(whole=document, open=document)


async def post(request: Request) -> Response:
    """GET /users/NAME/posts/ID: a post, for those who sign and may read it, and nothing for anybody else (M12)."""
    instance = instance_of(request)
    username, id_ = request.path_params["username"], request.path_params["id"]
    number = id_of(id_)
    if wants_page(request) and number is not None:
        return _to_page(instance.here.uris.post_page(username, number))
    who = await require_asker(request)
    uri = f"{instance.here.uris.actor(username)}/posts/{id_}"
    async with instance.store.view() as view:
        found = await posts.find_by_uri(view, uri)
        if found is None:
            return await _buried(view, instance, who, uri)
    if found.is_boost or not await may_have(instance, who, found):
        raise NotFound("there is no such post")
    async with instance.store.view() as view:
        author = await accounts.get(view, found.account_id)
        whole = await whole_of(view, instance.here, found, author)
        is_known = await posts.was_given_to(view, found.id, who.host)
    if not is_known:
        # Whoever fetched it has it, and has to be told when it is deleted.
        async with instance.store.transaction("remember who has a post") as tx:
            await posts.give_to(tx, found.id, who.host, instance.here.now())
    document = render.with_context(render.post(instance.here.uris, whole), contexts.POST)
    return activity_json(document, public=found.is_open)


async def _buried(view: View, instance: Instance, who: Account, uri: str) -> Response:
    """What is left of a post is shown to those who could have had it: to others it never was (M12)."""
    deleted_at = await posts.tombstone(view, uri, uri.rpartition("/posts/")[0])
    id_ = instance.here.uris.post_id_of(uri)
    if deleted_at is None or id_ is None:
        raise NotFound("there is no such post")
    if not any([await posts.was_given_to(view, id_, host) for host in (posts.EVERYBODY, who.host)]):
        raise NotFound("there is no such post")
    return activity_json(render.tombstone(uri, deleted_at), 410, public=False)


def _to_page(url: str) -> Response:
    """To the page that shows the same to people."""
    return RedirectResponse(url, 302, {"vary": "Accept"})


async def activity(request: Request) -> Response:
    """GET of an activity: a public one of ours, by its id, or a like in a closed group, for its members' servers."""
    instance = instance_of(request)
    who = await require_asker(request)
    uri = f"{instance.here.uris.base}{request.scope['path']}"
    async with instance.store.view() as view:
        body = await outbox.find_listed(view, uri)
    return activity_bytes(body) if body is not None else await _like_in_group(instance, who, uri)


async def _like_in_group(instance: Instance, who: Account, uri: str) -> Response:
    """A like in a closed group has no proof: whoever is told of it by the group asks here (D10).

    Taken back, it is gone for those who were shown it; for all others it never was (M12).
    """
    actor_uri, _, number = uri.partition("/activities/")
    id_ = id_of(number)
    async with instance.store.view() as view:
        liked = await reactions.of_member(view, uri)
        post = await posts.find(view, liked.post_id) if liked is not None and not liked.held else None
        shown = id_ is not None and await posts.was_given_to(view, id_, who.host)
        buried = await posts.tombstone(view, uri, actor_uri)
    if buried is not None and shown:
        return activity_json(render.tombstone(uri, buried), 410, public=False)
    if id_ is None or post is None or post.visibility != "group" or not await may_have(instance, who, post):
        raise NotFound("there is no such activity")
    if not shown:
        async with instance.store.transaction("remember who saw a like") as tx:
            await posts.give_to(tx, id_, who.host, instance.here.now())
    like = render.activity("Like", id_=uri, actor_uri=actor_uri, object_=post.uri)
    return activity_json(render.with_context(like), public=False)


async def authorization(request: Request) -> Response:
    """GET of an authorization: that a member lets a post of theirs be quoted, answered, liked or passed on.

    Shown to those who may have the post; what was taken back is gone.
    """
    instance = instance_of(request)
    who = await require_asker(request)
    author_uri = instance.here.uris.actor(request.path_params["username"])
    id_ = id_of(request.path_params["id"])
    async with instance.store.view() as view:
        consent = await consents.find(view, id_) if id_ is not None else None
        post = await posts.find(view, consent.post_id) if consent is not None else None
        if consent is None or post is None or not await may_fetch(view, instance, who, post):
            raise NotFound("there is no such authorization")
        author = await accounts.get(view, post.account_id)
    if author.uri != author_uri or consent.state in ("waiting", "refused"):
        raise NotFound("there is no such authorization")
    if consent.state == "revoked":
        raise Gone("its author has taken this back")
    uri = instance.here.uris.authorization(author.uri, consent.id)
    document = stamp(consent.deed, id_=uri, by=author.uri, interacting=consent.object_uri, target=post.uri)
    return activity_json(document, public=post.is_open)


async def local_account(view: View, request: Request) -> Account:
    """The local account that the path names. Raises NotFound, Gone."""
    instance = instance_of(request)
    account = await accounts.find_by_handle(view, request.path_params["username"], instance.here.domain)
    if account is None or not account.local or account.kind == "Application":
        raise NotFound("there is no such account")
    if not account.active:
        raise Gone("this account is closed")
    return account
