"""A few instances live through a seeded story of deeds, outages, lost and late messages; in the end they must agree.

Time is pretended, the servers are real. The story depends on the seed alone; how threads interleave in it does not.
What people or instances that have blocked each other make of each other's words is theirs: there, the story demands
only that nothing is damaged, sent to who may not have it, or owed for ever.
"""

import random
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import permutations
from typing import Final
from urllib.parse import urlsplit

from medfed.domain.peers import Level
from medfed.domain.posts import Post, Visibility
from medfed.kernel.clock import HOUR, MINUTE
from medfed.kernel.errors import RemoteFailure
from medfed.kernel.paging import Page
from medfed.net.message import OutgoingRequest
from medfed.storage import outbox, posts, reactions
from medfed.storage.database import View
from medfed.storage.statements import Statement, sql
from medfed.worker.loop import Worker
from tests.support.world import Site, World

DOMAINS: Final = ("lyon.test", "lille.test", "nantes.test")
MEMBERS: Final = ("a", "b")
LOST: Final = 0.08
"""How many answers to deliveries get lost after the delivery took effect."""
LATE: Final = 0.05
"""How many deliveries arrive long after their sender gave them up and made them again."""
ROUNDS_OF_REST: Final = 14

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
    given_to: set[str]
    """Hosts that were owed it, or an edit of it."""
    due_to: set[str]
    """Those of them whose people have followed the author ever since: they must have its last words."""
    liked_by: set[str] = field(default_factory=set)
    boosted_by: set[str] = field(default_factory=set)
    deleted: bool = False

    @property
    def by(self) -> str:
        """Its author's handle."""
        return f"{self.author}@{self.home}"


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
        self._follows: set[tuple[str, str]] = set()
        """(follower, followed) as they want it."""
        self._estranged: set[frozenset[str]] = set()
        """People, and domains, of whom one has blocked the other."""

    async def live(self, steps: int) -> None:
        """Meet, act, and come to rest."""
        await self._meet()
        self.world.internet.loses, self.world.internet.delays = self._loses, self._delays
        deeds = (
            [self._publish] * 4 + [self._reply] * 3 + [self._like] * 3 + [self._boost] + [self._edit] * 2
            + [self._delete] + [self._follow_or_not] * 2 + [self._block] + [self._judge]
            + [self._fail] * 2 + [self._restart] + [self._wait] * 4 + [self._something_late] * 2
        )  # fmt: skip
        for _ in range(steps):
            await self._chance.choice(deeds)()
        for domain in DOMAINS:
            self.world.up(domain)
        self.world.internet.loses = self.world.internet.delays = None
        while self.world.internet.late:
            await self._something_late()
        for _ in range(ROUNDS_OF_REST):
            await self.world.pass_time(15 * HOUR)

    async def violations(self) -> list[str]:
        """What does not hold in the end, each with the name of its invariant."""
        found = await self._disagreements()
        for site in self.world.instances.values():
            friends = [domain for domain in DOMAINS if not self._are_estranged(site.domain, domain)]
            found += await _unsettled(site, friends)
            for each in self._written:
                found += await self._wrong(site, each)
        return found

    async def _meet(self) -> None:
        people = [f"{name}@{domain}" for domain in DOMAINS for name in MEMBERS]
        for each in people:
            name, _, domain = each.partition("@")
            await self.world[domain].member(name)
        for who, whom in permutations(people, 2):
            if who.partition("@")[2] != whom.partition("@")[2] and self._chance.random() < 0.5:
                await self.world.follow(who, whom)
                self._follows.add((who, whom))

    def _loses(self, request: OutgoingRequest) -> bool:
        return request.method == "POST" and self._lot(request) < LOST

    def _delays(self, request: OutgoingRequest) -> bool:
        return request.method == "POST" and self._lot(request) < LATE

    def _lot(self, request: OutgoingRequest) -> float:
        """A number that depends on the seed, and on how many requests this host got before."""
        self._requests[request.authority] += 1
        return random.Random(f"{self._seed} {request.authority} {self._requests[request.authority]}").random()

    def _are_estranged(self, one: str, other: str) -> bool:
        """Whether two people, or the instances of either, have ever blocked each other."""
        domains = one.rpartition("@")[2], other.rpartition("@")[2]
        return frozenset({one, other}) in self._estranged or frozenset(domains) in self._estranged

    def _pair(self) -> tuple[Site, str, str]:
        """Two people of different instances: the site of the first, and both handles."""
        one, other = self._chance.sample(DOMAINS, 2)
        return self.world[one], f"{self._chance.choice(MEMBERS)}@{one}", f"{self._chance.choice(MEMBERS)}@{other}"

    def _still_followed_from(self, author: str) -> set[str]:
        return {who.partition("@")[2] for who, whom in self._follows if whom == author}

    def _somebody(self) -> tuple[Site, str]:
        return self.world[self._chance.choice(DOMAINS)], self._chance.choice(MEMBERS)

    async def _publish(self, parent: Post | None = None, at: tuple[Site, str] | None = None) -> None:
        site, name = at or self._somebody()
        closed = parent is None and self._chance.random() < 0.3
        visibility: Visibility = "followers" if closed else "public"
        text = f"Avis {len(self._written)}"
        given_to = await self._followers_of(site, name)
        post = await site.publishes(name, text, visibility=visibility, reply_to=parent)
        due_to = given_to & self._still_followed_from(f"{name}@{site.domain}")
        self._written.append(
            Written(post=post, home=site.domain, author=name, text=text, given_to=given_to, due_to=due_to)
        )
        self.told.append(f"{name}@{site.domain} writes {post.uri} to {visibility}, owed to {sorted(given_to)}")

    async def _followers_of(self, site: Site, name: str) -> set[str]:
        """Hosts of the followers that the author's instance knows of."""
        author = await site.member(name)
        async with site.instance.store.view() as view:
            return {inbox.host for inbox in await outbox.follower_inboxes(view, author.id)}

    async def _readable(self, site: Site, by: str) -> Written | None:
        """Some public post that this instance has, of nobody whom this member is on bad terms with."""
        alive = [each for each in self._written if not each.deleted and each.post.visibility == "public"]
        alive = [each for each in alive if not self._are_estranged(by, each.by)]
        for each in self._chance.sample(alive, len(alive)):
            if await site.has(each.post):
                return each
        return None

    async def _reply(self) -> None:
        site, name = self._somebody()
        each = await self._readable(site, f"{name}@{site.domain}")
        if each is not None:
            await self._publish(each.post, (site, name))

    async def _like(self) -> None:
        site, name = self._somebody()
        who = f"{name}@{site.domain}"
        each = await self._readable(site, who)
        if each is not None:
            undo = who in each.liked_by
            await site.likes(name, each.post, undo=undo)
            each.liked_by ^= {who}
            self.told.append(f"{who} {'takes back' if undo else 'gives'} a like for {each.post.uri}")

    async def _boost(self) -> None:
        site, name = self._somebody()
        who = f"{name}@{site.domain}"
        each = await self._readable(site, who)
        if each is not None:
            undo = who in each.boosted_by
            await site.boosts(name, each.post, undo=undo)
            each.boosted_by ^= {who}
            self.told.append(f"{who} {'passes on no longer' if undo else 'passes on'} {each.post.uri}")

    async def _edit(self) -> None:
        alive = [each for each in self._written if not each.deleted]
        if alive:
            each = self._chance.choice(alive)
            each.text = f"{each.text}, corrigé"
            site = self.world[each.home]
            now = await self._followers_of(site, each.author)
            await site.edits(each.author, each.post, each.text)
            # Whoever has come to follow since is given the post with its edit.
            each.given_to |= now
            each.due_to = now & self._still_followed_from(each.by)
            self.told.append(f"{each.post.uri} is edited, owed to {sorted(now)}")

    async def _delete(self) -> None:
        alive = [each for each in self._written if not each.deleted]
        if alive:
            each = self._chance.choice(alive)
            each.deleted = True
            await self.world[each.home].deletes(each.author, each.post)
            self.told.append(f"{each.post.uri} is deleted")

    async def _follow_or_not(self) -> None:
        site, who, whom = self._pair()
        if self._are_estranged(who, whom):
            return
        name = who.partition("@")[0]
        if (who, whom) in self._follows:
            await site.unfollows(name, whom)
            self._end_follow(who, whom)
            self.told.append(f"{who} follows {whom} no longer")
            return
        try:
            await site.follows(name, whom)
        except RemoteFailure:
            return
        self._follows.add((who, whom))
        self.told.append(f"{who} asks to follow {whom}")

    def _end_follow(self, who: str, whom: str) -> None:
        self._follows.discard((who, whom))
        for each in self._written:
            if each.by == whom:
                each.due_to &= self._still_followed_from(whom)

    async def _block(self) -> None:
        site, who, whom = self._pair()
        if await site.find(whom) is None:
            return
        name, undo = who.partition("@")[0], frozenset({who, whom}) in self._estranged
        await site.blocks(name, whom, undo=undo)
        self._estranged.add(frozenset({who, whom}))
        self._end_follow(who, whom)
        self._end_follow(whom, who)
        self.told.append(f"{who} blocks {whom} {'no longer' if undo else ''}")

    async def _judge(self) -> None:
        one, other = self._chance.sample(DOMAINS, 2)
        level = self._chance.choice((Level.LIMITED, Level.FEDERATED, Level.TRUSTED, Level.FEDERATED, Level.BLOCKED))
        await self.world[one].judges(other, level)
        if level is Level.BLOCKED:
            self._estranged.add(frozenset({one, other}))
            for each in self._written:
                if each.home in (one, other):
                    each.due_to -= {one, other}
        self.told.append(f"{one} finds {other} {level}")

    async def _something_late(self) -> None:
        late = self.world.internet.late
        if late:
            place = self._chance.randrange(len(late))
            self.told.append(f"a request to {late[place].authority} arrives late")
            await self.world.internet.bring_late(place)

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

    async def _disagreements(self) -> list[str]:
        """I-3: both sides know who follows whom, and it is what the follower wanted."""
        found: list[str] = []
        people = [f"{name}@{domain}" for domain in DOMAINS for name in MEMBERS]
        for who, whom in permutations(people, 2):
            theirs, ours = who.partition("@")[2], whom.partition("@")[2]
            if theirs == ours or self._are_estranged(who, whom):
                continue
            wanted = "accepted" if (who, whom) in self._follows else ""
            states = [await _state(self.world[domain], who, whom) for domain in (theirs, ours)]
            if states != [wanted, wanted]:
                found.append(f"I-3 {who} follows {whom}: {states} instead of {wanted!r}")
        return found

    async def _wrong(self, site: Site, each: Written) -> list[str]:
        where = f"{each.post.uri} at {site.domain}"
        at_home, friends = site.domain == each.home, not self._are_estranged(site.domain, each.home)
        due = at_home or (friends and site.domain in each.due_to)
        async with site.instance.store.view() as view:
            known = await posts.find_by_uri(view, each.post.uri)
            if each.deleted:
                return [f"I-3 still there: {where}"] if known is not None and friends else []
            if known is None:
                return [f"I-3 missing: {where}"] if due else []
            found: list[str] = []
            if each.post.visibility == "followers" and site.domain not in {each.home, *each.given_to}:
                found.append(f"I-4 received what is not for it: {where}")
            if due and f"{each.text}<" not in known.content:
                found.append(f"I-3 not the last words: {where}: {known.content}")
            if at_home:
                found += await self._miscounted(view, each, known)
            return found

    async def _miscounted(self, view: View, each: Written, known: Post) -> list[str]:
        """I-2: whoever liked it, or passed it on, did so once; of those on bad terms with the author, perhaps."""
        found: list[str] = []
        for what, people, listed in (
            ("likes", each.liked_by, reactions.likers),
            ("boosts", each.boosted_by, reactions.boosters),
        ):
            counted = len(await listed(view, known.id, Page()))
            sure = sum(not self._are_estranged(who, each.by) for who in people)
            quarrels = any(each.by in pair or each.home in pair for pair in self._estranged)
            maybe = len(MEMBERS) * len(DOMAINS) if quarrels else len(people)
            if not sure <= counted <= maybe:
                found.append(f"I-2 {counted} {what} instead of {sure} to {maybe}: {each.post.uri}")
        return found


async def _state(site: Site, who: str, whom: str) -> str:
    """How a follow stands at an instance; "" also where it does not know both."""
    if await site.find(who) is None or await site.find(whom) is None:
        return ""
    return await site.follow_of(who, whom)


async def _unsettled(site: Site, friends: Collection[str]) -> list[str]:
    """I-1, I-2, I-3 and I-5, as far as one database shows them."""
    async with site.instance.store.view() as view:

        async def rows(name: str, query: Statement) -> list[str]:
            return [f"{name} at {site.domain}: {dict(row)}" for row in await view.all(query)]

        owed = [row for row in await view.all(_OWED) if row["host"] in friends or row["state"] == "waiting"]
        unapplied = [
            row
            for row in await view.all(_UNAPPLIED)
            # What waited when its sender was blocked is refused.
            if urlsplit(row["uri"]).hostname in friends or row["state"] != "refused"
        ]
        return [
            *(f"I-1 not applied at {site.domain}: {dict(row)}" for row in unapplied),
            *await rows("I-2 twice", _TWICE),
            *await rows("I-2 twice in a home", _HOMES),
            *(f"I-3 still owed at {site.domain}: {dict(row)}" for row in owed),
            *await rows("I-5 damage", _DAMAGE),
        ]
