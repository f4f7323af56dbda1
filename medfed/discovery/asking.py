"""Who asks for a document, and whether they may have it: authorised fetch."""

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
    """Whether a peer's actor may have a post.

    An instance actor asks for its whole instance: it may have what is open, and, if the peer is trusted, what is
    for verified practitioners, whom it undertakes to hold to the same rule. A person's actor may have what that
    person may read here, checked by ourselves.
    """
    if who.kind != "Application":
        if post.visibility == "verified" and not instance.levels.is_trusted(who.host):
            return False
        return await read.may(view, instance.here, who, post)
    if post.visibility == "verified":
        return instance.levels.is_trusted(who.host)
    return await read.may(view, instance.here, None, post)
