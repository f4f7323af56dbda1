"""What monitoring sees, and who may see it."""

import pytest

from tests.api.client import Client, signed_in
from tests.support.world import a_world


async def test_a_server_says_that_it_lives_and_that_it_can_work() -> None:
    async with a_world("lyon.test") as world:
        client = Client(site=world["lyon.test"], judged=False)
        assert (await client.get("/livez")).status == 200
        assert (await client.get("/readyz")).json == {"status": "ok"}


async def test_a_server_with_another_schema_than_its_own_is_not_ready() -> None:
    async with a_world("lyon.test") as world:
        site = world["lyon.test"]
        async with site.instance.store.transaction("from the future") as tx:
            await tx.script(["INSERT INTO schema_migration VALUES (2, 'later', 'x', 0), (3, 'last', 'x', 0)"])
        host = {"host": site.instance.here.uris.authority}
        answer = await Client(site=site, judged=False)._carry("GET", "/readyz", b"", host)
        assert answer.status == 503
        assert "install the newer medfed" in answer.json["status"]


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
