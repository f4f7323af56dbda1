"""Reports that are passed on to the instance of who is reported: they name this instance, and never who reported."""

from typing import Any

import orjson
import pytest

from medfed.domain.accounts import Account
from medfed.domain.posts import Post
from medfed.kernel.paging import Page
from medfed.moderation import report as reporting
from medfed.storage import moderation, posts
from tests.federation.conftest import Open
from tests.support.stranger import PUBLIC, Document, Puppet, Stranger
from tests.support.world import Site, World, a_world


async def _rude(world: World) -> tuple[Puppet, Post]:
    """Somebody elsewhere, and a post of theirs that lyon.test has."""
    lyon = world["lyon.test"]
    rude = Stranger(world, "good.test").person("rude")
    create = rude.create("<p>Canari rude</p>", to=[PUBLIC])
    assert await rude.tells(lyon, create) == "done: stored"
    async with lyon.instance.store.view() as view:
        post = await posts.find_by_uri(view, create["object"]["id"])
    assert post is not None
    return rude, post


async def _reports(site: Site, member: Account, target: Account, *named: Post, forward: bool = True) -> None:
    actor = await site.instance.actor()
    async with site.instance.store.transaction("report") as tx:
        await reporting.report(
            tx,
            site.instance.here,
            member=member,
            target=target,
            posts=named,
            comment="Contraire à la confraternité",
            category="violation",
            forward_as=actor if forward else None,
        )
    await site.world.settle()


def _flags(puppet: Puppet) -> list[Document]:
    return puppet.home.heard("Flag")


async def _filed(site: Site) -> list[Any]:
    async with site.instance.store.view() as view:
        return await moderation.reports(view, Page(), open_only=True)


@pytest.mark.case("M07")
async def test_a_report_that_is_passed_on_names_the_instance_and_nobody_who_reported(open_world: Open) -> None:
    async with open_world("lyon.test") as world:
        lyon = world["lyon.test"]
        member = await lyon.member("dr-marchand")
        rude, post = await _rude(world)
        target = await lyon.find(rude.handle)
        assert target is not None
        before = len(world.internet.requests)
        await _reports(lyon, member, target, post)
        (flag,) = _flags(rude)
        assert flag["actor"] == lyon.instance.here.uris.instance_actor
        assert flag["object"] == [rude.uri, post.uri]
        assert flag["content"] == "Contraire à la confraternité"
        assert flag["id"].startswith(lyon.instance.here.uris.instance_actor)
        assert "proof" not in flag
        (sent,) = [request for request in world.internet.requests[before:] if request.method == "POST"]
        whole = orjson.dumps([dict(sent.headers), sent.body.decode()]).decode()
        assert f"{lyon.instance.here.uris.instance_actor}#main-key" in whole
        # Neither who reported, by name, address or number, nor what the reported had said.
        for trace in ("marchand", member.uri, str(member.id), "Canari"):
            assert trace not in whole
        (filed,) = await _filed(lyon)
        assert (filed.reporter_id, filed.forwarded) == (member.id, True)


@pytest.mark.parametrize("case", ["not asked for", "a member's"])
async def test_a_report_stays_here_unless_it_is_to_be_passed_on(case: str) -> None:
    async with a_world("lyon.test") as world:
        lyon = world["lyon.test"]
        member, roy = await lyon.member("dr-marchand"), await lyon.member("dr-roy")
        rude, post = await _rude(world)
        target = roy if case == "a member's" else await lyon.find(rude.handle)
        assert target is not None
        named = () if case == "a member's" else (post,)
        before = len(world.internet.requests)
        await _reports(lyon, member, target, *named, forward=case != "not asked for")
        assert len(world.internet.requests) == before
        assert len(await _filed(lyon)) == 1


async def test_the_report_of_one_of_our_instances_reaches_the_moderators_of_the_other(open_world: Open) -> None:
    async with open_world("lyon.test", "lille.test") as world:
        lyon, lille = world["lyon.test"], world["lille.test"]
        await world.follow("dr-noir@lyon.test", "dr-rude@lille.test")
        post = await lille.publishes("dr-rude", "Propos déplacés")
        await world.settle()
        copy, target = await lyon.copy_of(post), await lyon.find("dr-rude@lille.test")
        assert target is not None
        await _reports(lyon, await lyon.member("dr-noir"), target, copy)
        (filed,) = await _filed(lille)
        reporter = await lille.find("lyon.test@lyon.test")
        assert reporter is not None
        assert reporter.kind == "Application"
        assert filed.reporter_id == reporter.id
        assert filed.target_id == (await lille.member("dr-rude")).id
        assert filed.post_uris == (post.uri,)
        assert filed.comment == "Contraire à la confraternité"
