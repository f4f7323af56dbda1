"""Asks the server of what was only heard of, and does what its answer says, as if the actor had told us itself."""

from dataclasses import dataclass
from typing import Final

import orjson

from medfed.activitypub.uris import same_origin
from medfed.activitypub.wire import Activity, Document, author_of, parse_activity, read_post, type_of
from medfed.domain.accounts import KINDS, Account
from medfed.inbox.admit import admit
from medfed.inbox.authenticate import Authenticated
from medfed.inbox.handling import Handling
from medfed.inbox.hearsay import AS_ACTIVITIES, Rumour
from medfed.inbox.resolve import Fetchers
from medfed.inbox.routes import route
from medfed.kernel.clock import DAY
from medfed.kernel.errors import Malformed, OriginMismatch, RemoteGone, Unreachable
from medfed.posts.fetch import Budget
from medfed.storage import accounts, inbox_log
from medfed.storage.database import Transaction
from medfed.storage.inbox_log import Arrival

NEWS: Final = 7 * DAY
"""How old a post may be that we do not have, to be brought by others."""
PATIENCE: Final = 1 * DAY
"""For how long a server that does not answer is asked again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Settles rumours."""

    fetchers: Fetchers
    handling: Handling

    async def settle(self, rumour: Rumour) -> str:
        """What came of it, in a few words. Raises Refused, RemoteFailure; Unreachable: ask again later."""
        try:
            said = await self._at_origin(rumour)
        except Unreachable:
            if self.fetchers.here.now() - rumour.at > PATIENCE:
                return "its server does not answer"
            raise
        return await self._apply(rumour, said) if said is not None else "its server knows nothing of it"

    async def _at_origin(self, rumour: Rumour) -> Authenticated | None:
        match rumour.kind:
            case "Delete":
                return await self._gone(rumour)
            case "Create" | "Update":
                return await self._as_it_stands(rumour)
            case _:
                return await self._itself(rumour)

    async def _as_it_stands(self, rumour: Rumour) -> Authenticated | None:
        """A post as its server shows it today, to whoever may have it; or an actor, which is only refreshed."""
        document = await self.fetchers.posts.document(rumour.object_uri, Budget())
        if type_of(document) in KINDS:
            if await self.fetchers.lookup.known(rumour.object_uri) is not None:
                await self.fetchers.lookup.refresh(rumour.object_uri)
            return None
        said = read_post(document, self.fetchers.here.now())
        known = await self.fetchers.posts.known(said.id)
        old = said.published is None or self.fetchers.here.now() - said.published > NEWS
        if known is None and old:
            return None
        return await self._said(rumour, author_of(document), document)

    async def _gone(self, rumour: Rumour) -> Authenticated | None:
        """A post or an actor that we have, and that its own server says is no more."""
        account = await self.fetchers.lookup.known(rumour.object_uri)
        if account is not None:
            return await self._left(rumour, account)
        post = await self.fetchers.posts.known(rumour.object_uri)
        if post is None or post.local:
            return None
        # What is not for everybody is answered with 404 to who may not see it, and we do not ask as its reader.
        if not await self.fetchers.posts.is_gone(post.uri, certain=not post.is_open):
            return None
        async with self.fetchers.store.view() as view:
            author = await accounts.get(view, post.account_id)
        return await self._said(rumour, author.uri, post.uri)

    async def _left(self, rumour: Rumour, account: Account) -> Authenticated | None:
        if account.local or account.gone_at is not None:
            return None
        try:
            await self.fetchers.lookup.refresh(account.uri)
        except RemoteGone as gone:
            if gone.remote_status != 410:
                return None
            return await self._said(rumour, account.uri, account.uri)
        return None

    async def _itself(self, rumour: Rumour) -> Authenticated | None:
        """An activity, if its server shows it under its id."""
        activity = await self.fetchers.posts.activity(rumour.uri)
        if activity.kind not in AS_ACTIVITIES:
            raise OriginMismatch("what its server shows is something else")
        return await self._by(activity, orjson.dumps(activity.document))

    async def _said(self, rumour: Rumour, actor_uri: str, object_: Document | str) -> Authenticated:
        """What its server says of an object, in the words that its actor would have used."""
        words: dict[str, object] = {"id": rumour.uri, "type": rumour.kind, "actor": actor_uri, "object": object_}
        if not same_origin(rumour.uri, actor_uri):
            raise OriginMismatch("the activity and its object are of different hosts")
        if isinstance(object_, dict):
            words |= {name: object_[name] for name in ("to", "cc") if name in object_}
        body = orjson.dumps(words)
        return await self._by(parse_activity(body), body)

    async def _by(self, activity: Activity, body: bytes) -> Authenticated:
        return Authenticated(
            actor=await self.fetchers.lookup.actor(activity.actor), activity=activity, body=body, by="origin"
        )

    async def _apply(self, rumour: Rumour, said: Authenticated) -> str:
        admitted = admit(self.handling.levels, said)
        line = route(admitted.activity)
        if line is None:
            raise Malformed("not understood")
        resolved = await line.resolve(self.fetchers, admitted)

        async def effect(tx: Transaction) -> str:
            if rumour.kind in AS_ACTIVITIES and not await inbox_log.record(tx, self._arrival(said), state="done"):
                return "known already"
            return await line.apply(tx, self.handling, admitted, resolved)

        return await self.fetchers.store.arrive(f"apply {rumour.kind[:40]}", effect)

    def _arrival(self, said: Authenticated) -> Arrival:
        """Under its id, when that is what its server showed; never under an id that was only heard of."""
        here = self.fetchers.here
        return Arrival(
            id=here.ids.new(),
            uri=said.activity.id,
            actor_uri=said.actor.uri,
            kind=said.activity.kind[:100],
            body=said.body,
            received_at=here.now(),
        )
