"""What monitoring sees, and who may see it."""

import pytest

from tests.api.client import Client, signed_in
from tests.support.world import a_world


async def test_a_server_says_that_it_lives_and_that_it_can_work() -> None:
    async with a_world("lyon.test") as world:
        client = Client(site=world["lyon.test"], judged=False)
        assert (await client.get("/livez")).status == 200
        assert (await client.get("/readyz")).json == {"status": "ok"}


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
