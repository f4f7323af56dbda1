"""Who asks for a document, and whether they may have it: authorised fetch."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from starlette.requests import Request

from medfed.domain.accounts import Account
from medfed.domain.posts import RESTRICTED, Post
from medfed.edge import as_signed, instance_of
from medfed.instance import Instance
from medfed.kernel.errors import PolicyRefusal, RemoteFailure, Unauthenticated
from medfed.net.fetch import fetch_json
from medfed.posts import read
from medfed.storage import accounts, groups
from medfed.storage.database import View

_YES_OR_NO: Final = ("application/json", "application/activity+json")


async def asker(request: Request) -> Account | None:
    """The actor that signed this GET; None when nobody did. Raises BadSignature, PolicyRefusal, Unreachable."""
    if "signature" not in request.headers:
        return None
    instance = instance_of(request)
    who = await instance.identifier.signer_of(as_signed(request, instance.here.uris))
    if not who.active:
        raise PolicyRefusal("this account is suspended here, or gone where it was")
    return who


async def require_asker(request: Request) -> Account:
    """The actor that signed this GET. Raises Unauthenticated when nobody did."""
    who = await asker(request)
    if who is None:
        raise Unauthenticated("sign this request: this instance answers peers that say who they are")
    return who


async def may_fetch(view: View, instance: Instance, who: Account, post: Post) -> bool:
    """Whether a peer's actor may have a post."""
    return bool(await fetchable(view, instance, who, [post]))


async def fetchable(view: View, instance: Instance, who: Account, candidates: Sequence[Post]) -> list[Post]:
    """Those of `candidates` that a peer's actor may have, in their order.

    An instance actor asks for its whole instance: it may have what is open, and, if the peer is trusted, what is
    for verified practitioners, whom it undertakes to hold to the same rule, and what closed groups have that it has
    members of. A person's actor may have what that person may read here, checked by ourselves.
    """
    trusted = instance.levels.is_trusted(who.host)
    asked = [post for post in candidates if trusted or post.visibility not in RESTRICTED]
    if who.kind != "Application":
        return await read.readable(view, instance.here, who, asked)
    given = {post.id for post in await read.readable(view, instance.here, None, asked)}
    in_groups = (post.id for post in asked if post.visibility == "group")
    given |= await groups.readable_on(view, who.host, in_groups)
    return [post for post in asked if post.id in given or post.visibility == "verified"]


async def may_have(instance: Instance, who: Account, post: Post) -> bool:
    """Whether a peer's actor may have a post; of one in a closed group elsewhere, that group is asked."""
    async with instance.store.view() as view:
        if await may_fetch(view, instance, who, post):
            return True
    return await _is_of_its_group(instance, who, post)


async def _is_of_its_group(instance: Instance, who: Account, post: Post) -> bool:
    """Whether a peer may have a member's post in a closed group of another instance: that one is asked.

    As Lemmy asks for the private communities of others: `followers?is_follower=` of the group, signed. Asks the
    network; a peer that is not trusted is not even asked about.
    """
    if post.visibility != "group" or not instance.levels.is_trusted(who.host):
        return False
    async with instance.store.view() as view:
        group = await accounts.find_by_uri(view, post.audience_uri)
    if group is None or group.local or not group.followers_uri or not instance.levels.is_trusted(group.host):
        return False
    if group.host == who.host:
        return True
    url = f"{group.followers_uri}?is_follower={quote(who.uri, safe='')}"
    try:
        answer = await fetch_json(instance.net, url, types=_YES_OR_NO, sign=await instance.sign_as_instance())
    except RemoteFailure:
        return False
    return answer.body.strip() == b"true"
