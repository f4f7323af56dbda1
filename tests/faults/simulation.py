"""A few instances live through a seeded story of deeds, outages and lost answers; in the end they must agree.

Time is pretended, the servers are real. The story depends on the seed alone; how threads interleave in it does not.
"""

import random
from collections import Counter
from dataclasses import dataclass, field
from itertools import permutations
from typing import Final

from medfed.domain.posts import Post, Visibility
from medfed.kernel.clock import HOUR, MINUTE
from medfed.kernel.paging import Page
from medfed.net.message import OutgoingRequest
from medfed.storage import outbox, posts, reactions
from medfed.storage.statements import Statement, sql
from medfed.worker.loop import Worker
from tests.support.world import Site, World

DOMAINS: Final = ("lyon.test", "lille.test", "nantes.test")
MEMBERS: Final = ("a", "b")
LOST: Final = 0.08
"""How many answers to deliveries get lost after the delivery took effect."""
ROUNDS_OF_REST: Final = 8

_OWED = sql("SELECT host, state, last_error FROM delivery")
_UNAPPLIED = sql("SELECT uri, state, note FROM inbox_log WHERE state <> 'done'")
_TWICE = sql("SELECT uri, COUNT(*) AS times FROM post GROUP BY uri HAVING COUNT(*) > 1")
_HOMES = sql(
    "SELECT h.account_id, p.uri, COUNT(*) AS times FROM home_entry h JOIN post p ON p.id = h.post_id "
    "GROUP BY h.account_id, p.uri HAVING COUNT(*) > 1"
)
_DAMAGE = sql(sqlite="PRAGMA foreign_key_check", postgres="SELECT 1 WHERE 1 = 0")


@dataclass(slots=True)
class Written:
    """A post as the story knows it."""

    post: Post
    home: str
    author: str
    text: str
    owed_to: set[str]
    """Hosts whose people followed the author when it was written."""
    liked_by: set[str] = field(default_factory=set)
    deleted: bool = False


class Story:
    """Deeds at random, and what should come of them."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.told: list[str] = []
        """What was done, for whoever has to understand a violation."""
        self._seed = seed
        self._chance = random.Random(seed)
        self._written: list[Written] = []
        self._requests: Counter[str] = Counter()

    async def live(self, steps: int) -> None:
        """Meet, act, and come to rest."""
        await self._meet()
        # Whoever comes to follow later may be given older posts with their next edit; here nobody does.
        self.world.internet.loses = self._loses
        deeds = (
            [self._publish] * 4 + [self._reply] * 3 + [self._like] * 3 + [self._edit] * 2
            + [self._delete] + [self._fail] * 2 + [self._restart] + [self._wait] * 4
        )  # fmt: skip
        for _ in range(steps):
            await self._chance.choice(deeds)()
        for domain in DOMAINS:
            self.world.up(domain)
        self.world.internet.loses = None
        for _ in range(ROUNDS_OF_REST):
            await self.world.pass_time(15 * HOUR)

    async def violations(self) -> list[str]:
        """What does not hold in the end, each with the name of its invariant."""
        found: list[str] = []
        for site in self.world.instances.values():
            found += await _unsettled(site)
            for each in self._written:
                found += await self._wrong(site, each)
        return found

    async def _meet(self) -> None:
        people = [f"{name}@{domain}" for domain in DOMAINS for name in MEMBERS]
        for who, whom in permutations(people, 2):
            if who.partition("@")[2] != whom.partition("@")[2] and self._chance.random() < 0.5:
                await self.world.follow(who, whom)

    def _loses(self, request: OutgoingRequest) -> bool:
        self._requests[request.authority] += 1
        lot = random.Random(f"{self._seed} {request.authority} {self._requests[request.authority]}")
        return request.method == "POST" and lot.random() < LOST

    def _somebody(self) -> tuple[Site, str]:
        return self.world[self._chance.choice(DOMAINS)], self._chance.choice(MEMBERS)

    async def _publish(self, parent: Post | None = None, at: tuple[Site, str] | None = None) -> None:
        site, name = at or self._somebody()
        closed = parent is None and self._chance.random() < 0.3
        visibility: Visibility = "followers" if closed else "public"
        text = f"Avis {len(self._written)}"
        author = await site.member(name)
        async with site.instance.store.view() as view:
            owed_to = {inbox.host for inbox in await outbox.follower_inboxes(view, author.id)}
        post = await site.publishes(name, text, visibility=visibility, reply_to=parent)
        self._written.append(Written(post=post, home=site.domain, author=name, text=text, owed_to=owed_to))
        self.told.append(f"{name}@{site.domain} writes {post.uri} to {visibility}, owed to {sorted(owed_to)}")

    async def _readable(self, site: Site) -> Written | None:
        """Some public post that this instance has."""
        alive = [each for each in self._written if not each.deleted and each.post.visibility == "public"]
        for each in self._chance.sample(alive, len(alive)):
            if await site.has(each.post):
                return each
        return None

    async def _reply(self) -> None:
        site, name = self._somebody()
        each = await self._readable(site)
        if each is not None:
            await self._publish(each.post, (site, name))

    async def _like(self) -> None:
        site, name = self._somebody()
        who, each = f"{name}@{site.domain}", await self._readable(site)
        if each is not None:
            undo = who in each.liked_by
            await site.likes(name, each.post, undo=undo)
            each.liked_by ^= {who}
            self.told.append(f"{who} {'takes back' if undo else 'gives'} a like for {each.post.uri}")

    async def _edit(self) -> None:
        alive = [each for each in self._written if not each.deleted]
        if alive:
            each = self._chance.choice(alive)
            each.text = f"{each.text}, corrigé"
            await self.world[each.home].edits(each.author, each.post, each.text)
            self.told.append(f"{each.post.uri} is edited")

    async def _delete(self) -> None:
        alive = [each for each in self._written if not each.deleted]
        if alive:
            each = self._chance.choice(alive)
            each.deleted = True
            await self.world[each.home].deletes(each.author, each.post)
            self.told.append(f"{each.post.uri} is deleted")

    async def _fail(self) -> None:
        domain = self._chance.choice(DOMAINS)
        if self._chance.random() < 0.5:
            self.world.down(domain)
            self.told.append(f"{domain} goes down")
        else:
            self.world.up(domain)
            self.told.append(f"{domain} comes up")

    async def _restart(self) -> None:
        """What a worker had in memory is gone."""
        site = self.world[self._chance.choice(DOMAINS)]
        site.worker = Worker(site.instance)
        await site.worker.start()
        self.told.append(f"{site.domain} restarts")

    async def _wait(self) -> None:
        await self.world.pass_time(self._chance.choice((MINUTE, 10 * MINUTE, HOUR)))
        self.told.append("time passes")

    async def _wrong(self, site: Site, each: Written) -> list[str]:
        where = f"{each.post.uri} at {site.domain}"
        async with site.instance.store.view() as view:
            known = await posts.find_by_uri(view, each.post.uri)
            if each.deleted:
                return [f"I-3 still there: {where}"] if known is not None else []
            if known is None:
                must = site.domain == each.home or site.domain in each.owed_to
                return [f"I-3 missing: {where}"] if must else []
            found: list[str] = []
            if each.post.visibility == "followers" and site.domain not in {each.home, *each.owed_to}:
                found.append(f"I-4 received what is not for it: {where}")
            if site.domain in {each.home, *each.owed_to} and f"{each.text}<" not in known.content:
                found.append(f"I-3 not the last words: {where}: {known.content}")
            if site.domain == each.home:
                likes = len(await reactions.likers(view, known.id, Page()))
                if likes != len(each.liked_by):
                    found.append(f"I-2 {likes} likes instead of {len(each.liked_by)}: {where}")
            return found


async def _unsettled(site: Site) -> list[str]:
    """I-1, I-2, I-3 and I-5, as far as one database shows them."""
    async with site.instance.store.view() as view:

        async def rows(name: str, query: Statement) -> list[str]:
            return [f"{name} at {site.domain}: {dict(row)}" for row in await view.all(query)]

        return [
            *await rows("I-1 not applied", _UNAPPLIED),
            *await rows("I-2 twice", _TWICE),
            *await rows("I-2 twice in a home", _HOMES),
            *await rows("I-3 still owed", _OWED),
            *await rows("I-5 damage", _DAMAGE),
        ]
