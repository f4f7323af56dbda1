"""Instances on a pretend internet: real signatures, real HTTP semantics, real databases, no sockets.

async with a_world("lyon.test", "lille.test") as world:
    lyon, lille = world.instances.values()
    await world.follow("dr-roy@lille.test", "dr-dupont@lyon.test")
    post = await lyon.publishes("dr-dupont", "Dermatose inhabituelle")
    await world.settle()
    assert post.uri in await lille.home("dr-roy")
"""

import re
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

from starlette.types import ASGIApp

from medfed.accounts import register
from medfed.accounts.register import NewKeys
from medfed.activitypub.keys import generate_ed25519, generate_rsa
from medfed.app import build_app
from medfed.domain.accounts import Account, Handle, parse_handle
from medfed.domain.notifications import NotificationKind
from medfed.domain.peers import Level
from medfed.domain.posts import Draft, Post, Visibility
from medfed.instance import Instance, open_instance
from medfed.kernel.clock import FixedClock, Millis
from medfed.kernel.paging import Page
from medfed.kernel.secrets import Vault
from medfed.posts import compose, publish, react, read
from medfed.relations import follow as relating
from medfed.settings import Settings, from_document
from medfed.storage import accounts, migrate, notifications, posts, relations, timelines
from medfed.storage.database import View
from medfed.storage.statements import sql
from medfed.verification import issuer
from medfed.verification.policy import set_level
from medfed.worker.loop import Worker
from tests.support.internet import PretendInternet

_KEYS: list[NewKeys] = []
"""RSA keys cost 100 ms each: a test run makes a few and deals them out."""


_LOGGED = sql("SELECT state, note FROM inbox_log WHERE uri = :uri")
_TABLES = {
    name: sql(f"SELECT * FROM {name}")  # noqa: S608 - the names are those of the schema
    for file in sorted((Path(migrate.__file__).parent / "migrations").glob("*.sql"))
    for name in re.findall(r"^CREATE TABLE (\w+)", file.read_text(), re.MULTILINE)
    if name != "task"  # its recurring rows are the worker's own business
}
NOTIFICATION_KINDS = get_args(NotificationKind)


def some_keys() -> NewKeys:
    """Keys for a new account."""
    if len(_KEYS) < 4:
        _KEYS.append(NewKeys(rsa=generate_rsa(), ed25519=generate_ed25519()))
    used = _KEYS[secrets.randbelow(len(_KEYS))]
    return NewKeys(rsa=used.rsa, ed25519=generate_ed25519())


@dataclass(slots=True)
class Site:
    """One instance with its application and its worker, and verbs that read like the story they test."""

    instance: Instance
    app: ASGIApp
    worker: Worker
    world: "World"

    @property
    def domain(self) -> str:
        """The instance's domain."""
        return self.instance.here.domain

    async def member(self, username: str, **more: Any) -> Account:
        """A member of this name, made if there is none."""
        known = await self.find(username)
        if known is not None:
            return known
        async with self.instance.store.transaction("make member") as tx:
            member = await register.register(
                tx,
                self.instance.here,
                username=username,
                email=f"{username}@{self.domain}" if "." in self.domain else f"{username}@example.org",
                password_hash="",
                keys=some_keys(),
                **more,
            )
        return member.account

    async def find(self, handle: str) -> Account | None:
        """The account that this instance knows under a handle."""
        named = parse_handle(handle)
        async with self.instance.store.view() as view:
            return await accounts.find_by_handle(view, named.username, named.domain or self.domain)

    async def publishes(
        self,
        username: str,
        text: str,
        *,
        visibility: Visibility = "public",
        reply_to: Post | None = None,
        quoted: Post | None = None,
        **more: Any,
    ) -> Post:
        """A member publishes."""
        author = await self.member(username)
        parent = await self.copy_of(reply_to) if reply_to is not None else None
        quoted = await self.copy_of(quoted) if quoted is not None else None
        draft = compose.check(Draft(text=text, visibility=visibility, **more))
        named: dict[Handle, Account] = {}
        for handle in compose.handles_in(draft):
            named[handle] = await self.instance.lookup.handle(handle)
        async with self.instance.store.transaction("publish") as tx:
            return await publish.publish(
                tx, self.instance.here, self.instance.levels, author, draft, named=named, parent=parent, quoted=quoted
            )

    async def copy_of(self, post: Post) -> Post:
        """This instance's record of a post."""
        async with self.instance.store.view() as view:
            found = await posts.find_by_uri(view, post.uri)
        assert found is not None, f"{self.domain} does not have {post.uri}"
        return found

    async def has(self, post: Post) -> bool:
        """Whether this instance stores a post."""
        async with self.instance.store.view() as view:
            return await posts.find_by_uri(view, post.uri) is not None

    async def home(self, username: str) -> list[str]:
        """URIs of what a member's home shows, newest first."""
        member = await self.member(username)
        async with self.instance.store.view() as view:

            async def candidates(page: Page) -> list[Post]:
                return await timelines.home(view, member.id, page)

            shown = await read.fill(view, self.instance.here, member, Page(), candidates)
        return [post.uri for post in shown]

    async def follows(self, username: str, handle: str) -> None:
        """A member follows somebody."""
        member = await self.member(username)
        target = await self.instance.lookup.handle(parse_handle(handle))
        async with self.instance.store.transaction("follow") as tx:
            await relating.follow(tx, self.instance.here, member, target)

    async def unfollows(self, username: str, handle: str) -> None:
        """A member follows somebody no longer."""
        member, target = await self.member(username), await self._known(handle)
        async with self.instance.store.transaction("unfollow") as tx:
            await relating.unfollow(tx, self.instance.here, member, target)

    async def blocks(self, username: str, handle: str, *, undo: bool = False) -> None:
        """A member blocks somebody, or does so no longer."""
        member, target = await self.member(username), await self._known(handle)
        async with self.instance.store.transaction("block") as tx:
            await (relating.unblock if undo else relating.block)(tx, self.instance.here, member, target)

    async def _known(self, handle: str) -> Account:
        found = await self.find(handle)
        assert found is not None, f"{self.domain} does not know {handle}"
        return found

    async def edits(self, username: str, post: Post, text: str, **more: Any) -> Post:
        """A member gives an own post new words."""
        author = await self.member(username)
        draft = compose.check(Draft(text=text, visibility=post.visibility, **more))
        async with self.instance.store.transaction("edit") as tx:
            return await publish.edit(
                tx, self.instance.here, self.instance.levels, author, await self._own(tx, post), draft, named={}
            )

    async def deletes(self, username: str, post: Post) -> None:
        """A member deletes an own post."""
        author = await self.member(username)
        async with self.instance.store.transaction("delete") as tx:
            await publish.delete(tx, self.instance.here, self.instance.levels, author, await self._own(tx, post))

    async def likes(self, username: str, post: Post, *, undo: bool = False) -> None:
        """A member likes a post that this instance has, or takes that back."""
        member, own = await self.member(username), await self.copy_of(post)
        async with self.instance.store.transaction("like") as tx:
            await (react.unlike if undo else react.like)(tx, self.instance.here, self.instance.levels, member, own)

    async def boosts(self, username: str, post: Post, *, undo: bool = False) -> None:
        """A member boosts a post that this instance has, or takes that back."""
        member, own = await self.member(username), await self.copy_of(post)
        async with self.instance.store.transaction("boost") as tx:
            if undo:
                await react.unboost(tx, self.instance.here, self.instance.levels, member, own)
            else:
                await react.boost(tx, self.instance.here, self.instance.levels, member, own)

    async def votes(self, username: str, post: Post, *choices: int) -> None:
        """A member answers a poll that this instance has."""
        member, own = await self.member(username), await self.copy_of(post)
        async with self.instance.store.transaction("vote") as tx:
            await react.vote(tx, self.instance.here, member, own, choices)

    async def may_read(self, username: str, post: Post) -> bool:
        """Whether a member may read a post."""
        viewer = await self.member(username)
        async with self.instance.store.view() as view:
            known = await posts.find_by_uri(view, post.uri)
            return known is not None and await read.may(view, self.instance.here, viewer, known)

    async def follow_of(self, follower: str, target: str) -> str:
        """The state of a follow here: "pending", "accepted", or "" when there is none. Handles, or own names."""
        who, whom = await self.find(follower), await self.find(target)
        assert who is not None
        assert whom is not None
        async with self.instance.store.view() as view:
            known = await relations.find(view, who.id, whom.id)
        return known.state if known is not None else ""

    async def told(self, username: str) -> list[str]:
        """Kinds of a member's notifications, newest first."""
        member = await self.member(username)
        async with self.instance.store.view() as view:
            found = await notifications.page(view, member.id, Page(), kinds=NOTIFICATION_KINDS)
        return [each.kind for each in found]

    async def became(self, activity_uri: str) -> str:
        """What the inbox log says of an activity, "state: note"; "" when it never got in."""
        async with self.instance.store.view() as view:
            row = await view.one_or_none(_LOGGED, uri=activity_uri)
        return f"{row['state']}: {row['note']}" if row else ""

    async def contents(self) -> dict[str, list[str]]:
        """Every row of every table, for a test that nothing was stored."""
        async with self.instance.store.view() as view:
            return {name: sorted(repr(row) for row in await view.all(table)) for name, table in _TABLES.items()}

    async def _own(self, view: View, post: Post) -> Post:
        return await posts.get(view, post.id)

    async def judges(self, domain: str, level: Level | None) -> None:
        """An admin sets the level of a peer."""
        async with self.instance.store.transaction("set level") as tx:
            await set_level(tx, self.instance.here, domain, level, by="test")
        await self.instance.levels.reload(self.instance.store)


@dataclass(slots=True)
class World:
    """Some instances, the internet between them, and the time they share."""

    internet: PretendInternet
    clock: FixedClock
    instances: dict[str, Site] = field(default_factory=dict)

    def __getitem__(self, domain: str) -> Site:
        return self.instances[domain]

    async def settle(self) -> None:
        """Deliver and apply until nobody has anything left to do now."""
        for _ in range(30):
            before = len(self.internet.requests)
            for site in self.instances.values():
                await site.worker.settle()
            if len(self.internet.requests) == before:
                break
        if self.internet.crashes:
            raise self.internet.crashes[0]

    async def pass_time(self, by: Millis) -> None:
        """Let time pass, and everything happen that was waiting for it."""
        self.clock.advance(by)
        await self.settle()

    async def follow(self, follower: str, target: str) -> None:
        """`name@domain` follows `name@domain`, and it has arrived."""
        who, whom = parse_handle(follower), parse_handle(target)
        await self[whom.domain].member(whom.username)
        await self[who.domain].follows(who.username, target)
        await self.settle()

    def down(self, domain: str) -> None:
        """An instance cannot be reached."""
        self.internet.down(domain)

    def up(self, domain: str) -> None:
        """It can be reached again."""
        self.internet.up(domain)


def settings_for(domain: str, data_dir: Path, **sections: Any) -> Settings:
    """A configuration for tests."""
    document: dict[str, Any] = {
        "instance": {"domain": domain, "name": domain.partition(".")[0].title(), "data_dir": str(data_dir)},
        "federation": {"mode": "open"},
        "limits": {"enabled": False},
    }
    for section, values in sections.items():
        document.setdefault(section, {}).update(values)
    return from_document(document, base=data_dir)


@asynccontextmanager
async def a_world(*domains: str, databases: Sequence[str] = (), **sections: Any) -> AsyncIterator[World]:
    """Open instances on a pretend internet. `databases` gives each a URL; by default each has a SQLite file."""
    world = World(internet=PretendInternet(), clock=FixedClock())
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="medfed-world-")))
        for position, domain in enumerate(domains):
            own = dict(sections)
            if databases:
                own["database"] = {"url": databases[position]}
            data_dir = folder / domain.replace(":", "_")
            data_dir.mkdir()
            settings = settings_for(domain, data_dir, **own)
            world.instances[domain] = await _open_site(stack, world, settings)
        yield world


async def _open_site(stack: AsyncExitStack, world: World, settings: Settings) -> Site:
    instance = await stack.enter_async_context(
        open_instance(
            settings,
            role="server",
            clock=world.clock,
            transport=world.internet,
            vault=Vault(secrets.token_bytes(32)),
            durable=False,
        )
    )
    await migrate.migrate(instance.store)
    async with instance.store.transaction("init") as tx:
        await register.register_instance_actor(tx, instance.here, some_keys())
        await issuer.create_key(tx, instance.here)
    worker = Worker(instance)
    await worker.start()
    app = build_app(instance)
    world.internet.register(instance.here.uris.authority, app)
    return Site(instance=instance, app=app, worker=worker, world=world)
