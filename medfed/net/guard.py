"""Decides which URLs and addresses may be contacted, so that nobody can send us into a private network.

Nothing here touches the network: text goes in, a `Url` that cannot be wrong or a `Blocked` comes out. The
address policy is an allow-list drawn from the IANA special-purpose registries, because `ipaddress.is_global`
says yes to more than a dozen addresses that must be refused (and to different ones in each Python release).
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias
from urllib.parse import quote

import idna

from medfed.kernel.errors import Blocked, Misconfigured

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

URL_LENGTH: Final = 2_048
HOST_LENGTH: Final = 253
_REMEMBERED: Final = 1_024
"""The inboxes of a busy instance are read again and again."""
DEFAULT_PORTS: Final = {"http": 80, "https": 443}

_V4_SPECIAL: Final = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "168.63.129.16/32",  # not in the registry: the platform endpoint of one large cloud
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.31.196.0/24",
            "192.52.193.0/24",
            "192.88.99.0/24",
            "192.168.0.0/16",
            "192.175.48.0/24",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
        ),
    )
)
_V6_GLOBAL: Final = IPv6Network("2000::/3")
_V6_SPECIAL: Final = tuple(
    map(
        IPv6Network,
        ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20"),
    )
)
_V4_IN_LAST_BITS: Final = tuple(
    map(IPv6Network, ("::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48")),
)

_SHAPE: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[^\[\]/?#@]*\]|[^\[\]/?#@:]*)(?::(?P<port>[^/?#@]*))?(?P<rest>[/?#].*)?"
)
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_PORT: Final = re.compile(r"[1-9][0-9]{0,4}")
_QUAD: Final = re.compile(r"(?:0|[1-9][0-9]{0,2})(?:\.(?:0|[1-9][0-9]{0,2})){3}")
_NUMERIC_LABEL: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_TARGET_SAFE: Final = "%/?:@!$&'()*+,;=-._~[]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Url:
    """An http(s) URL in its one canonical spelling, without fragment."""

    scheme: str
    host: str
    """Lower-case A-label, dotted quad, or IPv6 text without brackets."""
    port: int
    authority: str
    """What stands in the Host header: host, and the port where it is not the scheme's own."""
    target: str
    """Path and query as they stand in the request line; ASCII, starts with `/`."""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"

    @property
    def literal(self) -> Address | None:
        """The address, where the host is one instead of a name."""
        return _literal(self.host)


@lru_cache(maxsize=_REMEMBERED)
def parse_url(text: str, *, allow_http: bool = False, ports: frozenset[int] | None = frozenset({80, 443})) -> Url:
    """Read a URL by a grammar that leaves no two parsers anything to disagree on. Raises Blocked.

    `ports` are those that may be named; None means all. IP literals pass here; the `Policy` decides on them.
    """
    _refuse_strange_characters(text)
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        raise Blocked("not an http(s) URL, or one with credentials in it")
    scheme = shape["scheme"]
    if scheme == "http" and not allow_http:
        raise Blocked("plain http is not used")
    host = _host(shape["host"])
    if "." not in host and ":" not in host and not allow_http:
        raise Blocked("a host name without a domain", host=host)
    port = _port(shape["port"], scheme, host)
    if ports is not None and port not in ports:
        raise Blocked(f"port {port} is not used between servers", host=host)
    return Url(
        scheme=scheme,
        host=host,
        port=port,
        authority=_authority(scheme, host, port),
        target=_target(shape["rest"] or ""),
    )


def _refuse_strange_characters(text: str) -> None:
    if len(text) > URL_LENGTH:
        raise Blocked("a URL longer than 2048 characters")
    if not text.isprintable() or " " in text or "\\" in text:  # of white space, only the blank is printable
        raise Blocked("a URL with whitespace, control characters or backslashes")


def _host(text: str) -> str:
    if text.startswith("["):
        return _v6_host(text[1:-1])
    name = text.lower() if text.isascii() else _a_labels(text)
    labels = name.split(".")
    if len(name) > HOST_LENGTH or not all(_LABEL.fullmatch(label) for label in labels):
        raise Blocked("not a host name")
    if _NUMERIC_LABEL.fullmatch(labels[-1]):
        return _v4_host(name)
    if any(label.startswith("xn--") for label in labels) and _a_labels(name) != name:
        raise Blocked("a host name whose punycode is not canonical")
    return name


def _v6_host(text: str) -> str:
    try:
        address = IPv6Address(text)
    except ValueError:
        raise Blocked("not an IPv6 address") from None
    if address.scope_id is not None:
        raise Blocked("an address with a zone")
    return address.compressed


def _v4_host(text: str) -> str:
    if _QUAD.fullmatch(text) is None or _literal(text) is None:
        raise Blocked("a number where a host name belongs")
    return text


@lru_cache(maxsize=_REMEMBERED)
def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _a_labels(name: str) -> str:
    """IDNA 2008 without any mapping but case: look-alikes of dots and digits are refused, not repaired."""
    if any(dot in name for dot in "\u3002\uff0e\uff61"):
        raise Blocked("a host name with dots that are not dots")
    if len(name) > HOST_LENGTH:
        raise Blocked("not a host name")
    try:
        return idna.encode(unicodedata.normalize("NFC", name.lower()), std3_rules=True).decode("ascii")
    except idna.IDNAError:
        raise Blocked("not an internationalised host name") from None


def _port(text: str | None, scheme: str, host: str) -> int:
    if text is None:
        return DEFAULT_PORTS[scheme]
    if _PORT.fullmatch(text) is None or int(text) > 65_535:
        raise Blocked("not a port", host=host)
    return int(text)


def _authority(scheme: str, host: str, port: int) -> str:
    bracketed = f"[{host}]" if ":" in host else host
    return bracketed if port == DEFAULT_PORTS[scheme] else f"{bracketed}:{port}"


def _target(rest: str) -> str:
    target = rest.partition("#")[0]
    if not target.startswith("/"):
        target = "/" + target
    return quote(target, safe=_TARGET_SAFE)


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public internet by the IANA special-purpose registries.

    Mapped, compatible, NAT64, 6to4 and Teredo addresses are never public: they spell an IPv4 address.
    """
    if isinstance(address, IPv4Address):
        return not any(address in special for special in _V4_SPECIAL)
    return address in _V6_GLOBAL and not any(address in special for special in _V6_SPECIAL)


def embedded(address: Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 address spells (RFC 4291 §2.5.5, 6052, 3056, 4380), if it does."""
    if isinstance(address, IPv4Address):
        return None
    if any(address in prefix for prefix in _V4_IN_LAST_BITS):
        return IPv4Address(int(address) & 0xFFFF_FFFF) if int(address) > 1 else None
    if address.teredo is not None:
        return address.teredo[1]
    return address.sixtofour


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Read the operator's CIDR list. Raises Misconfigured."""
    try:
        return tuple(ip_network(text) for text in texts)
    except ValueError as error:
        raise Misconfigured(f"allow_networks: {error}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the operator allows beyond TLS to the public internet on ports 80 and 443: what is named here.

    `allow_http` opens plain http and any port, but only towards `allow_networks`.
    """

    allow_networks: Sequence[Network] = ()
    allow_http: bool = False
    ports: frozenset[int] = field(default=frozenset({80, 443}))

    def parse(self, text: str) -> Url:
        """Read a URL that this server may be asked to contact. Raises Blocked."""
        url = parse_url(text, allow_http=self.allow_http, ports=None if self.allow_http else self.ports)
        literal = url.literal
        if literal is not None and not self._is_allowed_network(literal):
            raise Blocked("an address where a host name belongs", host=url.authority)
        return url

    def check(self, url: Url, addresses: Sequence[Address]) -> None:
        """Refuse the whole answer of the name service if one address in it is off limits. Raises Blocked."""
        internal_only = url.scheme == "http" or url.port not in self.ports
        for address in addresses:
            if self._is_allowed_network(address):
                continue
            if internal_only or not is_public(address):
                raise Blocked(f"{url.host} has an address that is never contacted", host=url.authority)

    def _is_allowed_network(self, address: Address) -> bool:
        if not any(address in network for network in self.allow_networks):
            return False
        inner = embedded(address)
        return inner is None or is_public(inner) or self._is_allowed_network(inner)


def resolve_reference(base: Url, reference: str) -> str:
    """The absolute URL that a `Location` from `base` means (RFC 3986 §5.2); still to be parsed."""
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", reference):
        return reference
    if reference.startswith("//"):
        return f"{base.scheme}:{reference}"
    origin = f"{base.scheme}://{base.authority}"
    path, _, _ = base.target.partition("?")
    if reference.startswith("?"):
        return f"{origin}{path}{reference}"
    if reference == "" or reference.startswith("#"):
        return str(base)
    merged = reference if reference.startswith("/") else path.rpartition("/")[0] + "/" + reference
    path, mark, query = merged.partition("#")[0].partition("?")
    return f"{origin}{_without_dot_segments(path)}{mark}{query}"


def _without_dot_segments(path: str) -> str:
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)
