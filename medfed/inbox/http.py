"""POST to an inbox: read, authenticate, admit, record, and only then 202."""

import logging
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from medfed.activitypub import followersync, rfc9421
from medfed.activitypub.manners import CAVAGE, REMEMBERED_FOR, RFC9421
from medfed.domain.peers import Level
from medfed.edge import Route, as_signed, instance_of, read_body
from medfed.inbox import hearsay
from medfed.inbox.admit import admit
from medfed.inbox.authenticate import Authenticated, Gatekeeper, NothingToDo
from medfed.inbox.hearsay import Hearsay
from medfed.inbox.record import Recorder
from medfed.instance import Instance
from medfed.kernel import limits
from medfed.kernel.allowance import Allowance
from medfed.kernel.clock import MINUTE
from medfed.kernel.errors import Malformed, NotFound, OriginMismatch, StorageDown, TooMany, Unsupported
from medfed.relations.synchronise import Comparer
from medfed.storage import accounts, peers, shares
from medfed.storage.inbox_log import Arrival

log: Final = logging.getLogger(__name__)

WAKE: Final = "inbox"
"""The channel that wakes whoever applies arrivals."""

_RUMOURS_PER: Final = 10 * MINUTE

_READS_BOTH: Final = {"accept-signature": rfc9421.ACCEPTED}
_LEARN_AGAIN: Final = REMEMBERED_FOR // 2

_TYPES: Final = ("application/activity+json", "application/ld+json", "application/json")


class Inbox:
    """The door of one instance."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._gatekeeper = Gatekeeper(
            identifier=instance.identifier, lookup=instance.lookup, levels=instance.levels, here=instance.here
        )
        self._recorder = Recorder(instance)
        self._lessons = Allowance()
        self._comparer = Comparer(store=instance.store, here=instance.here, digests=instance.followers)

    async def shared(self, request: Request) -> Response:
        """POST /inbox."""
        return await self._take(request)

    async def personal(self, request: Request) -> Response:
        """POST /users/NAME/inbox."""
        username = request.path_params["username"]
        async with instance_of(request).store.view() as view:
            account = await accounts.find_by_handle(view, username, self._instance.here.domain)
        if account is None or not account.local:
            raise NotFound("there is no such inbox")
        return await self._take(request)

    async def instance_actor(self, request: Request) -> Response:
        """POST /actor/inbox."""
        return await self._take(request)

    async def _take(self, request: Request) -> Response:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in _TYPES:
            raise Unsupported("an inbox takes application/activity+json")
        if not self._instance.store.has_room():
            raise StorageDown("the disk is nearly full: nothing is taken in")
        body = await read_body(request, limits.INBOX_BODY)
        try:
            authenticated = await self._gatekeeper.authenticate(as_signed(request, self._instance.here.uris, body))
        except NothingToDo:
            return Response(status_code=202)
        if isinstance(authenticated, Hearsay):
            return await self._hear(authenticated)
        admitted = admit(self._instance.levels, authenticated)
        here = self._instance.here
        arrival = Arrival(
            id=here.ids.new(),
            uri=admitted.activity.id,
            actor_uri=admitted.actor.uri,
            kind=admitted.activity.kind[:100],
            body=body,
            received_at=here.now(),
        )
        if authenticated.by == RFC9421.scheme:
            await self._learn(authenticated.actor.host)
        if await self._recorder.take(arrival, admitted):
            self._instance.store.wake(WAKE)
        if followersync.HEADER in authenticated.covered:
            await self._compare(authenticated, request)
        # Whoever knocks with the draft, because everybody reads it, may knock with RFC 9421 from now on.
        return Response(status_code=202, headers=_READS_BOTH if authenticated.by == CAVAGE.scheme else None)

    async def _learn(self, host: str) -> None:
        """Who signs by RFC 9421 reads it: our deliveries there begin with it, unless something else is asked for."""
        now = self._instance.here.now()
        if self._lessons.take(host, now, most=1, per=_LEARN_AGAIN):
            return
        async with self._instance.store.transaction("learn a scheme") as tx:
            await peers.assume_scheme(tx, host, RFC9421.says, until=now + REMEMBERED_FOR, at=now)

    async def _hear(self, heard: Hearsay) -> Response:
        """Somebody passes on what is not proven: ask the server of who is said to have said it, or refuse it."""
        instance, passer = self._instance, heard.passer
        allowed = instance.levels.of(passer.host) in (Level.FEDERATED, Level.TRUSTED) and passer.active
        async with instance.store.view() as view:
            allowed = allowed and await hearsay.concerns_us(view, instance.here, heard)
        if not allowed:
            raise heard.problem
        share, now = f"rumours/{passer.host}", instance.here.now()
        async with instance.store.transaction("hear") as tx:
            if not await shares.take(tx, share, most=limits.RUMOURS_PER_HOST, per=_RUMOURS_PER, now=now):
                wait = _RUMOURS_PER // 1000
                raise TooMany("too much that others said; send what your own actors say", retry_after=wait)
            await hearsay.ask_later(tx, instance.here, heard.activity)
        return Response(status_code=202)

    async def _compare(self, authenticated: Authenticated, request: Request) -> None:
        """Hold what the author's server says of its followers here against what we know (FEP-8fcf)."""
        author = authenticated.actor
        values = request.headers.getlist(followersync.HEADER)
        try:
            announced = followersync.read(", ".join(values), actor=author.uri, followers=author.followers_uri)
        except (Malformed, OriginMismatch) as error:
            log.info("a header of %s was ignored: %s", author.uri, error)
            return
        await self._comparer.compare(author, announced)


def routes(instance: Instance) -> list[Route]:
    """Where peers may post."""
    inbox = Inbox(instance)
    return [
        Route(method="POST", path="/inbox", endpoint=inbox.shared),
        Route(method="POST", path="/users/{username}/inbox", endpoint=inbox.personal),
        Route(method="POST", path="/actor/inbox", endpoint=inbox.instance_actor),
    ]
