"""HTTP signatures on what leaves: one account's, and to each host in the manner that it takes."""

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from medfed.activitypub import manners
from medfed.activitypub.claims import SignedRequest
from medfed.activitypub.manners import CAVAGE, RFC9421, Manner, SigningKeys
from medfed.kernel import limits
from medfed.kernel.clock import Clock
from medfed.kernel.errors import BadSignature
from medfed.kernel.kept import Kept
from medfed.net.message import OutgoingRequest, Response

REFUSALS: Final = frozenset({400, 401, 403})
"""Answers of a peer that may merely not have been able to read the signature, and may say which one it wants."""
CRASHES: Final = frozenset({500, 501, 502})
"""Answers of software that may have stumbled over a signature of a kind that it does not know."""
_HOSTS_KEPT: Final = 10_000

_Knock: TypeAlias = tuple[Manner, Mapping[str, str]]


@dataclass(slots=True)
class Manners:
    """What is known of how hosts take our signatures, while this lives; the oldest is forgotten first."""

    known: Kept[str, Manner] = field(default_factory=lambda: Kept(_HOSTS_KEPT))
    complaint: str = ""
    """What the host that was last written to asked for and cannot have; '' when there is nothing of the kind."""

    def of(self, host: str) -> Manner | None:
        """The manner that a host took last, or has asked for since."""
        return self.known.get(host)

    def learn(self, host: str, manner: Manner) -> None:
        """A host takes this manner."""
        self.known[host] = manner


@dataclass(frozen=True, slots=True, kw_only=True)
class Knocking:
    """Signs each hop of a request anew, and the same request otherwise when it may not have been understood.

    To a host of which nothing is known it knocks as `first` says. An answer in `confusing` is followed by the other
    scheme; a refusal that carries Accept-Signature (RFC 9421 § 5) by what that asks for; three knocks at most.
    """

    keys: SigningKeys
    clock: Clock
    manners: Manners
    first: Manner
    confusing: frozenset[int] = REFUSALS

    def __call__(self, request: OutgoingRequest) -> Generator[Mapping[str, str], Response, Response]:
        """The conversation about one request, as `net.message.Signer` has it."""
        signed, host = _as_signed(request), request.authority
        self.manners.complaint = ""
        manner, headers = self._opening(signed, host)
        tried: list[Manner] = []
        answers: list[Response] = []
        while True:
            response = yield headers
            tried.append(manner)
            answers.append(response)
            if response.status < 400:
                self._learn(host, manner, response)
                return response
            again = self._otherwise(signed, tried, response)
            if again is None:
                return _telling(answers)
            manner, headers = again

    def _opening(self, signed: SignedRequest, host: str) -> _Knock:
        known = self.manners.of(host)
        if known is not None:
            try:
                return known, self._sign(signed, known)
            except BadSignature:
                pass  # it asked for what this request, unlike the last, does not carry
        return self.first, self._sign(signed, self.first)

    def _otherwise(self, signed: SignedRequest, tried: list[Manner], response: Response) -> _Knock | None:
        if len(tried) >= limits.KNOCKS:
            return None
        for manner in self._others(response):
            if any(manner.equals(each) for each in tried):
                continue
            try:
                return manner, self._sign(signed, manner)
            except BadSignature as error:
                self._complain(error)
        return None

    def _others(self, response: Response) -> Iterator[Manner]:
        if response.status in REFUSALS and (asked := self._asked(response)) is not None:
            yield asked
        if response.status in self.confusing:
            yield RFC9421
            yield CAVAGE

    def _asked(self, response: Response) -> Manner | None:
        """What the peer wants signatures to be like, if it says so and can have it."""
        accept = response.headers.get("accept-signature")
        if not accept:
            return None
        try:
            return manners.asked_for(accept, self.keys)
        except BadSignature as error:
            self._complain(error)
            return None

    def _complain(self, error: BadSignature) -> None:
        self.manners.complaint = f"it wants a signature that we do not make: {error}"[:200]

    def _learn(self, host: str, manner: Manner, response: Response) -> None:
        """A nonce is good for one request: what was used up is forgotten, what came with a success is for the next."""
        if response.status < 300:
            self.manners.learn(host, self._asked(response) or manner.lasting)

    def _sign(self, signed: SignedRequest, manner: Manner) -> Mapping[str, str]:
        return manners.sign(signed, manner, self.keys, self.clock.now())


def _telling(answers: list[Response]) -> Response:
    """The answer that counts: one that a signature, understood or not, would not have changed; else the first."""
    unclear = REFUSALS | CRASHES
    return next((answer for answer in reversed(answers) if answer.status not in unclear), answers[0])


def _as_signed(request: OutgoingRequest) -> SignedRequest:
    return SignedRequest(
        method=request.method,
        target=request.target,
        scheme=request.scheme,
        authority=request.authority,
        headers=tuple(request.headers.items()),
        body=request.body,
    )
