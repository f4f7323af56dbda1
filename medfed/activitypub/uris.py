"""Every URI this server mints, and how to read one back."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from medfed.kernel.paging import id_of

_PLAIN: Final = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*|[0-9a-f:.]*:[0-9a-f:.]*")
"""A name of A-labels, an IPv4 or an IPv6 address; `urlsplit` has put it into lower case."""

_USUAL: Final = re.compile(r"(https?)://([a-z0-9-]+(?:\.[a-z0-9-]+)*)(?::([1-9][0-9]{0,4}))?(?=[/?#])")
"""How nearly every URI begins: what this finds needs no other reader, and costs a tenth."""

_LAST_PORT: Final = 65_535
_REMEMBERED: Final = 1_024
"""One activity compares the same few URIs some twenty times."""

NAMESPACE: Final = "https://w3id.org/medfed/ns#"


@dataclass(frozen=True, slots=True, kw_only=True)
class Uris:
    """Mints and reads the URIs of one instance. `base` is its public URL without a trailing slash."""

    base: str
    domain: str

    @property
    def authority(self) -> str:
        """host[:port] of the public URL."""
        return urlsplit(self.base).netloc.lower()

    @property
    def did(self) -> str:
        """The did:web of this instance (a port is percent-encoded)."""
        return f"did:web:{self.authority.replace(':', '%3A')}"

    @property
    def instance_actor(self) -> str:
        """The Application actor that signs for the server itself."""
        return f"{self.base}/actor"

    @property
    def shared_inbox(self) -> str:
        """Where peers deliver once for all members."""
        return f"{self.base}/inbox"

    def actor(self, username: str) -> str:
        """A local actor's id."""
        return f"{self.base}/users/{quote(username)}"

    def profile(self, username: str) -> str:
        """The page of a local account."""
        return f"{self.base}/@{quote(username)}"

    def post(self, username: str, id_: int) -> str:
        """A local post's object id."""
        return f"{self.actor(username)}/posts/{id_}"

    def post_page(self, username: str, id_: int) -> str:
        """The page of a local post."""
        return f"{self.profile(username)}/{id_}"

    def activity(self, actor_uri: str, id_: int) -> str:
        """An id for an activity of a local actor (the instance actor included)."""
        return f"{actor_uri}/activities/{id_}"

    def follow(self, actor_uri: str, id_: int) -> str:
        """An id for a Follow."""
        return f"{actor_uri}/follows/{id_}"

    def followers_synchronization(self, actor_uri: str) -> str:
        """Where a peer asks who on its host follows a local actor (FEP-8fcf)."""
        return f"{actor_uri}/followers_synchronization"

    def moderators(self, group_uri: str) -> str:
        """The collection of those who moderate a group."""
        return f"{group_uri}/moderators"

    def audience(self, username: str, id_: int) -> str:
        """The audience collection of one verified-only post; it is never enumerated."""
        return f"{self.actor(username)}/audiences/{id_}"

    def replies(self, post_uri: str) -> str:
        """The replies collection of a local post."""
        return f"{post_uri}/replies"

    def context(self, post_uri: str) -> str:
        """The collection of the conversation that a local post began."""
        return f"{post_uri}/context"

    def authorization(self, actor_uri: str, id_: int) -> str:
        """Where a member says that something may be done with a post of theirs."""
        return f"{actor_uri}/authorizations/{id_}"

    def credential(self, id_: int) -> str:
        """A credential issued here."""
        return f"{self.base}/credentials/{id_}"

    def status_list(self, number: int) -> str:
        """A status list of this issuer."""
        return f"{self.base}/credentials/status/{number}"

    def tag(self, folded: str) -> str:
        """The page of a hashtag."""
        return f"{self.base}/tags/{quote(folded)}"

    def media(self, key: str) -> str:
        """A stored file."""
        return f"{self.base}/media/{key}"

    def is_ours(self, uri: str) -> bool:
        """Whether a URI is on this instance's host, however it is written (D11)."""
        return same_origin(uri, self.base)

    def username_of(self, actor_uri: str) -> str | None:
        """The name in a local actor's id; None when it is not one."""
        rest = self._path_under(actor_uri, "/users/")
        return unquote(rest) if rest and "/" not in rest else None

    def post_id_of(self, uri: str) -> int | None:
        """The id in a local post's URI or page; None when it is neither."""
        rest = self._path_under(uri, "/users/") or ""
        _, marker, number = rest.partition("/posts/")
        if not marker:
            page = self._path_under(uri, "/@") or ""
            _, _, number = page.partition("/")
        return id_of(number)

    def _path_under(self, uri: str, prefix: str) -> str | None:
        start = self.base + prefix
        return uri[len(start) :] if uri.startswith(start) else None


def _port(scheme: str, port: int | None) -> int:
    return port or (443 if scheme == "https" else 80)


@lru_cache(maxsize=_REMEMBERED)
def authority_of(uri: str) -> str:
    """host[:port] of a URI, lower case, default ports dropped; '' when it has none, or not in plain words.

    The one function that every origin comparison goes through (FEP-fe34). Two readers must not see two hosts in
    one URI, nor two spellings be two hosts: credentials, backslashes, and names that are not A-labels are no
    authority at all (D12).
    """
    usual = _USUAL.match(uri)
    if usual is None:
        return _authority_of_any(uri)
    scheme, host, digits = usual.groups()
    if digits is None or int(digits) == _port(scheme, None):
        return host
    return f"{host}:{digits}" if int(digits) <= _LAST_PORT else ""


def _authority_of_any(uri: str) -> str:
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        return ""
    host = (parts.hostname or "").removesuffix(".")
    if parts.scheme not in ("https", "http") or "@" in parts.netloc or _PLAIN.fullmatch(host) is None:
        return ""
    if ":" in host:
        host = f"[{host}]"
    if port is None or port == _port(parts.scheme, None):
        return host
    return f"{host}:{port}"


def same_origin(one: str, other: str) -> bool:
    """Whether two URIs belong to the same host[:port]."""
    authority = authority_of(one)
    return bool(authority) and authority == authority_of(other)


def is_at_home(url: str, owner: str) -> bool:
    """Whether a URL has the scheme and the host[:port] of its owner's id: their own server answers there."""
    return same_origin(url, owner) and url.partition(":")[0] == owner.partition(":")[0]
