"""URLs of images: lasting ones for what is open, short-lived ones for what is not (M16)."""

from typing import Final

from medfed.activitypub.here import Here
from medfed.domain.posts import Attachment
from medfed.kernel.clock import MINUTE, Millis
from medfed.kernel.errors import NotFound
from medfed.kernel.paging import id_of
from medfed.kernel.secrets import same_secret

LIFETIME: Final = 5 * MINUTE


def link(here: Here, attachment: Attachment, *, restricted_to: int | None) -> tuple[str, str]:
    """(URL, URL of the preview) of an attachment, ours or a peer's; both are on this instance.

    A peer's files pass through us, so that its server does not learn who looks at what. What is not for everybody
    (`restricted_to` the account that looks; None: no restriction) carries a token that expires, and that opens it
    only while that account may read its post.
    """
    if not attachment.file_key:
        url = f"{here.uris.base}/media/peer/{attachment.id}"
        signed = url if restricted_to is None else f"{url}?token={_token(here, str(attachment.id), restricted_to)}"
        return signed, signed
    return (
        _own(here, attachment.file_key, restricted_to),
        _own(here, attachment.preview_key or attachment.file_key, restricted_to),
    )


def picture(here: Here, account_id: int, source: str, *, local: bool) -> str:
    """URL of an avatar or header; '' when there is none. A peer's passes through us, too."""
    if not source:
        return ""
    return here.uris.media(source) if local else f"{here.uris.base}/media/account/{account_id}"


def viewer_of(here: Here, name: str, token: str) -> int:
    """The account that a token shows the file `name` to now. Raises NotFound."""
    until, viewer, mac = [*token.split("."), "", "", ""][:3]
    ends, viewer_id = id_of(until), id_of(viewer)
    if ends is None or viewer_id is None:
        raise NotFound("there is no such file")
    if ends < here.now() or not same_secret(mac, _mac(here, name, viewer_id, ends)):
        raise NotFound("there is no such file")
    return viewer_id


def _own(here: Here, key: str, restricted_to: int | None) -> str:
    url = here.uris.media(key)
    return url if restricted_to is None else f"{url}?token={_token(here, key, restricted_to)}"


def _token(here: Here, name: str, viewer: int) -> str:
    until = here.now() + LIFETIME
    return f"{until}.{viewer}.{_mac(here, name, viewer, until)}"


def _mac(here: Here, name: str, viewer: int, until: Millis) -> str:
    return here.vault.fingerprint(f"{name} {viewer} {until}", purpose="media link")[:32]
