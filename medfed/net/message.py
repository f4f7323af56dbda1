"""The words in which the house talks to the network: a request, a response, and who carries them."""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from medfed.net.guard import Url


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingRequest:
    """One request as it will stand on the wire. Header names are lower-case; `host` is among them."""

    method: str
    to: Url
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def url(self) -> str:
        """The absolute URL, canonical, without fragment."""
        return str(self.to)

    @property
    def scheme(self) -> str:
        """`https`, or `http` where the operator allows it."""
        return self.to.scheme

    @property
    def authority(self) -> str:
        """The value of Host and of `@authority`."""
        return self.to.authority

    @property
    def target(self) -> str:
        """Path and query as in the request line: `(request-target)` and `@target-uri` are built from it."""
        return self.to.target


@dataclass(frozen=True, slots=True)
class Headers:
    """The header fields of a response: any letter case, any number of times."""

    raw: Sequence[tuple[bytes, bytes]] = ()

    def all(self, name: str) -> list[str]:
        """Every value of the field, in order."""
        wanted = name.lower().encode("latin-1")
        return [value.decode("latin-1").strip() for key, value in self.raw if key.lower() == wanted]

    def get(self, name: str, default: str = "") -> str:
        """The value, several joined with a comma as RFC 9110 §5.3 has it."""
        values = self.all(name)
        return ", ".join(values) if values else default

    def __contains__(self, name: str) -> bool:
        return bool(self.all(name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What came back. `body` is decoded, and sure to be complete only for a 2xx answer to a GET."""

    status: int
    url: str
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""


Signer: TypeAlias = Callable[[OutgoingRequest], Generator[Mapping[str, str], Response, Response]]
"""Called once per hop with the request as it will be sent: yields the headers to add to it, is sent the answer, and
may yield others, for the same request to be made again. It returns the answer that counts."""


class Transport(Protocol):
    """Carries one request to one host. The pool of sockets is one; a test's pretend internet is another."""

    async def send(self, request: OutgoingRequest, timeout: float, limit: int) -> Response:  # noqa: ASYNC109
        """Exchange within `timeout` seconds and `limit` decoded body bytes; follow no redirect.

        Raises RemoteFailure.
        """
        ...

    async def aclose(self) -> None:
        """Let go of everything that is open."""
        ...
