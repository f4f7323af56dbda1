"""The error taxonomy: who is wrong, what status that is, and what may be said about it.

MedfedError
├── Refused            our caller is wrong: `.status`, `.safe` may be shown
│   ├── Invalid 422 · Malformed 400 · Unauthenticated 401 · Forbidden 403 · NotFound 404
│   ├── Conflict 409 · Gone 410 · TooLarge 413 · Unsupported 415 · TooMany 429
│   └── Untrusted      a peer is wrong: BadSignature, BadProof, OriginMismatch 401 · PolicyRefusal 403
├── RemoteFailure      another server failed us
│   ├── Unreachable    try again later (timeout, 5xx, 429)
│   └── RemoteGone · RemoteRefused   never again (410, 404; other 4xx)
└── Broken             we are wrong: Misconfigured, StorageDown, NoRoom 507
"""

from collections.abc import Mapping


class MedfedError(Exception):
    """Root of everything this server raises on purpose."""

    status = 500

    @property
    def safe(self) -> str:
        """What a stranger may be told."""
        return "internal error"


class Refused(MedfedError):
    """Our caller is wrong; the message says how, and may be shown."""

    status = 400

    @property
    def safe(self) -> str:
        """The message itself: a refusal is written for the one refused."""
        return str(self) or type(self).__name__


class Invalid(Refused):
    """Well-formed input that breaks a rule. `fields` names each field and what is wrong with it."""

    status = 422

    def __init__(self, message: str, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.fields: dict[str, str] = dict(fields or {})


class Malformed(Refused):
    """Input that cannot be read at all."""

    status = 400


class Unauthenticated(Refused):
    """No, or no valid, proof of who is asking."""

    status = 401


class Forbidden(Refused):
    """We know who asks; they may not."""

    status = 403


class NotFound(Refused):
    """Nothing here, or nothing that the caller may know of."""

    status = 404


class Conflict(Refused):
    """The state of things has moved on."""

    status = 409


class Gone(Refused):
    """It was here and will not come back."""

    status = 410


class TooLarge(Refused):
    """Over a limit of `kernel.limits`."""

    status = 413


class Unsupported(Refused):
    """A media type or content coding that is not understood here."""

    status = 415


class TooMany(Refused):
    """Over a rate; `retry_after` is in seconds."""

    status = 429

    def __init__(self, message: str, retry_after: int = 60) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Untrusted(Refused):
    """A peer is wrong."""

    status = 401


class BadSignature(Untrusted):
    """An HTTP signature is missing, malformed, or does not verify."""


class BadProof(Untrusted):
    """A data integrity proof is missing, malformed, or does not verify."""


class OriginMismatch(Untrusted):
    """Something speaks for another origin than its own (FEP-fe34)."""


class PolicyRefusal(Untrusted):
    """Authentic, and not wanted here."""

    status = 403


class RemoteFailure(MedfedError):
    """Another server failed us. `host` is its authority (host[:port])."""

    status = 503

    def __init__(self, message: str, *, host: str = "", remote_status: int | None = None) -> None:
        super().__init__(message)
        self.host = host
        self.remote_status = remote_status

    @property
    def safe(self) -> str:
        """Who failed, and nothing of how: that is for the log."""
        return f"{self.host or 'another server'} did not answer as it should; try again later"


class Unreachable(RemoteFailure):
    """Worth trying again; `retry_after` (seconds) is what the other side asked for, if it did."""

    def __init__(
        self,
        message: str,
        *,
        host: str = "",
        remote_status: int | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message, host=host, remote_status=remote_status)
        self.retry_after = retry_after


class RemoteGone(RemoteFailure):
    """404 or 410: the thing is not there."""


class RemoteRefused(RemoteFailure):
    """The other side will not; asking again is pointless."""


class Blocked(RemoteFailure):
    """Our own rules forbid this request: an address, a scheme or a host that is never contacted."""


class Broken(MedfedError):
    """We are wrong. Logged with the request id, never explained to the caller."""


class Misconfigured(Broken):
    """The configuration or the environment cannot work; the message says what to change."""


class StorageDown(Broken):
    """The database is not answering, or is full."""

    status = 503


class NoRoom(Broken):
    """The disk is nearly full: what is large has to wait (507, RFC 4918 § 11.5)."""

    status = 507

    @property
    def safe(self) -> str:
        """The message itself: who uploads has to know that it is not their file."""
        return str(self)
