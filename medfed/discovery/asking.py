"""Who asks for a document, and whether they may have it: authorised fetch."""

from collections.abc import Sequence

from starlette.requests import Request

from medfed.domain.accounts import Account
from medfed.domain.posts import Post
from medfed.edge import as_signed, instance_of
from medfed.instance import Instance
from medfed.kernel.errors import PolicyRefusal, Unauthenticated
from medfed.posts import read
from medfed.storage.database import View


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
    for verified practitioners, whom it undertakes to hold to the same rule. A person's actor may have what that
    person may read here, checked by ourselves.
    """
    trusted = instance.levels.is_trusted(who.host)
    asked = [post for post in candidates if trusted or post.visibility != "verified"]
    if who.kind != "Application":
        return await read.readable(view, instance.here, who, asked)
    open_ = {post.id for post in await read.readable(view, instance.here, None, asked)}
    return [post for post in asked if post.id in open_ or post.visibility == "verified"]
