"""URLs of images: lasting ones for what is open, short-lived ones for what is not (M16)."""

import hmac
from typing import Final

from medfed.activitypub.here import Here
from medfed.domain.posts import Attachment
from medfed.kernel.clock import MINUTE, Millis

LIFETIME: Final = 5 * MINUTE


def link(here: Here, attachment: Attachment, *, restricted: bool) -> tuple[str, str]:
    """(URL, URL of the preview) of an attachment, ours or a peer's; both are on this instance.

    A peer's files pass through us, so that its server does not learn who looks at what. Restricted ones carry
    a token that expires.
    """
    if not attachment.file_key:
        url = f"{here.uris.base}/media/peer/{attachment.id}"
        signed = f"{url}?token={_token(here, str(attachment.id))}" if restricted else url
        return signed, signed
    return (
        _own(here, attachment.file_key, restricted=restricted),
        _own(here, attachment.preview_key or attachment.file_key, restricted=restricted),
    )


def picture(here: Here, account_id: int, source: str, *, local: bool) -> str:
    """URL of an avatar or header; '' when there is none. A peer's passes through us, too."""
    if not source:
        return ""
    return here.uris.media(source) if local else f"{here.uris.base}/media/account/{account_id}"


def is_valid(here: Here, name: str, token: str) -> bool:
    """Whether a token opens the file `name` now."""
    until, _, mac = token.partition(".")
    if not until.isascii() or not until.isdigit() or int(until) < here.now():
        return False
    return hmac.compare_digest(mac, _mac(here, name, int(until)))


def _own(here: Here, key: str, *, restricted: bool) -> str:
    url = here.uris.media(key)
    return f"{url}?token={_token(here, key)}" if restricted else url


def _token(here: Here, name: str) -> str:
    until = here.now() + LIFETIME
    return f"{until}.{_mac(here, name, until)}"


def _mac(here: Here, name: str, until: Millis) -> str:
    return here.vault.fingerprint(f"{name} {until}", purpose="media link")[:32]
