"""What monitoring sees, and who may see it."""

import asyncio

import pytest

from medfed.kernel.clock import MINUTE
from tests.api.client import Answer, Client, signed_in
from tests.support.world import Site, a_world


async def _readiness(site: Site) -> Answer:
    host = {"host": site.instance.here.uris.authority}
    return await Client(site=site, judged=False)._carry("GET", "/readyz", b"", host)


async def test_a_server_says_that_it_lives_and_that_it_can_work() -> None:
    async with a_world("lyon.test") as world:
        client = Client(site=world["lyon.test"], judged=False)
        assert (await client.get("/livez")).status == 200
        assert (await client.get("/readyz")).json == {"status": "ok"}


async def test_a_server_with_another_schema_than_its_own_is_not_ready() -> None:
    async with a_world("lyon.test") as world:
        site = world["lyon.test"]
        async with site.instance.store.transaction("from the future") as tx:
            await tx.script(["INSERT INTO schema_migration VALUES (3, 'later', 'x', 0), (4, 'last', 'x', 0)"])
        answer = await _readiness(site)
        assert answer.status == 503
        assert "install the newer medfed" in answer.json["status"]


async def test_a_server_without_a_worker_of_its_own_is_ready_while_another_process_works() -> None:
    async with a_world("lyon.test") as world:
        site = world["lyon.test"]
        assert (await _readiness(site)).status == 200
        world.clock.advance(2 * MINUTE)
        answer = await _readiness(site)
        assert answer.status == 503
        assert answer.json == {"status": "no worker is at work; start `medfed worker`"}
        working = asyncio.create_task(site.worker.work())
        async with asyncio.timeout(10):
            while (await _readiness(site)).status != 200:  # noqa: ASYNC110 - nothing tells when
                await asyncio.sleep(0.05)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


@pytest.mark.case("G10")
async def test_figures_are_for_this_machine_and_for_an_admins_token_only() -> None:
    async with a_world("lyon.test") as world:
        site = world["lyon.test"]
        await site.publishes("dr-dupont", "Bonsoir")
        stranger = Client(site=site, judged=False)
        here = Client(site=site, judged=False, address="127.0.0.1")
        member = await signed_in(site, "dr-roy")
        assert (await stranger.get("/metrics")).status == 404
        assert (await member.get("/metrics")).status == 404
        assert b"medfed_posts_local 1" in (await here.get("/metrics")).body
        behind_a_proxy = await here.send("GET", "/metrics", None, {"x-forwarded-for": "198.51.100.1"})
        assert behind_a_proxy.status == 404
        admin = await signed_in(site, "dr-admin", role="admin")
        assert (await admin.get("/metrics")).status == 200
