"""What was erased after a backup stays erased when that backup is brought back (I06, I14)."""

from pathlib import Path

import pytest

from medfed.accounts.leave import leave
from medfed.domain.posts import Post
from medfed.kernel.clock import DAY, HOUR
from medfed.posts.ledger import FILE, KEEP, Ledger
from medfed.storage import posts
from tests.federation.conftest import Open
from tests.support.stranger import Document, Puppet, Stranger
from tests.support.world import Site, World


async def kept(site: Site, uri: str) -> bool:
    async with site.instance.store.view() as view:
        return await posts.find_by_uri(view, uri) is not None


async def is_active(site: Site, handle: str) -> bool:
    account = await site.find(handle)
    return account is not None and account.active


def lines(ledger: Path) -> list[str]:
    return [line.split()[1] for line in (ledger / FILE).read_text().splitlines()]


async def write_down(ledger: Path, site: Site) -> int:
    return await Ledger(ledger).keep_up(site.instance.store, site.world.clock.now())


async def replay(ledger: Path, site: Site) -> int:
    return await Ledger(ledger).replay(site.instance.store, site.instance.here, site.instance.levels)


class Story:
    """Two members with a post each, who follow two peers with a note each."""

    def __init__(self, world: World) -> None:
        self.world, self.lyon = world, world["lyon.test"]
        self.alice = Stranger(world, "good.test").person("alice")
        self.zoe = self.alice.home.person("zoe")

    async def begins(self) -> "Story":
        for author in (self.alice, self.zoe):
            await self.lyon.follows("dr-roy", author.handle)
            await author.tells(self.lyon, author.activity("Follow", (await self.lyon.member("dr-roy")).uri))
        self.note, self.gone = await self._noted(self.alice), await self._noted(self.zoe)
        self.own: Post = await self.lyon.publishes("dr-roy", "Roy")
        self.other: Post = await self.lyon.publishes("dr-noel", "Noel")
        await self.world.settle()
        return self

    async def _noted(self, author: Puppet) -> Document:
        note = author.note()
        assert await author.tells(self.lyon, author.create(note)) == "done: stored"
        return note

    async def erased(self) -> dict[str, bool]:
        """What is no more."""
        return {
            "a peer's post": not await kept(self.lyon, self.note["id"]),
            "a peer": not await is_active(self.lyon, self.zoe.handle) and not await kept(self.lyon, self.gone["id"]),
            "a member's post": not await kept(self.lyon, self.own.uri),
            "a member": not await is_active(self.lyon, "dr-noel") and not await kept(self.lyon, self.other.uri),
        }


@pytest.mark.case("I06", "I14")
async def test_what_is_erased_is_written_down_beside_the_database(open_world: Open, tmp_path: Path) -> None:
    async with open_world("lyon.test") as world:
        story = await Story(world).begins()
        lyon, noel = story.lyon, await story.lyon.member("dr-noel")
        assert await write_down(tmp_path, lyon) == 0
        await story.alice.tells(lyon, story.alice.activity("Delete", story.note["id"]))
        await story.zoe.tells(lyon, story.zoe.activity("Delete", story.zoe.uri))
        await lyon.deletes("dr-roy", story.own)
        async with lyon.instance.store.transaction("leave") as tx:
            await leave(tx, lyon.instance.here, lyon.instance.levels, noel, by="test")
        assert all((await story.erased()).values())
        written = {story.note["id"], story.zoe.uri, story.own.uri, noel.uri, story.other.uri}
        assert await write_down(tmp_path, lyon) == len(written)
        assert set(lines(tmp_path)) == written
        assert await write_down(tmp_path, lyon) == 0
        assert await replay(tmp_path, lyon) == 0
        world.clock.advance(KEEP + 2 * DAY)
        await write_down(tmp_path, lyon)
        assert lines(tmp_path) == []


@pytest.mark.case("I06", "I14")
async def test_what_an_older_backup_brings_back_is_erased_again(open_world: Open, tmp_path: Path) -> None:
    async with open_world("lyon.test") as world:
        story = await Story(world).begins()
        lyon, roy, noel = story.lyon, await story.lyon.member("dr-roy"), await story.lyon.member("dr-noel")
        at = world.clock.now() + HOUR
        ledger = [
            (story.note["id"], story.alice.uri),
            (story.zoe.uri, story.zoe.uri),
            (story.own.uri, roy.uri),
            (noel.uri, noel.uri),
            ("https://good.test/never/seen", story.alice.uri),
        ]
        text = "".join(f"{at} {uri} {actor}\n" for uri, actor in ledger) + f"{at} https://broken.test/o"
        (tmp_path / FILE).write_text(text)
        assert await replay(tmp_path, lyon) == 4
        assert all((await story.erased()).values()), await story.erased()
        assert await is_active(lyon, "dr-roy")
        assert await replay(tmp_path, lyon) == 0
        await world.settle()
        # Peers are asked again for what was deleted here.
        assert story.own.uri in str(story.alice.home.heard("Delete"))
