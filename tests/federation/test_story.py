"""The federation test a newcomer should meet first."""

from tests.support.world import a_world


async def test_a_post_reaches_a_follower_on_another_instance() -> None:
    async with a_world("lyon.test", "lille.test") as world:
        lyon, lille = world["lyon.test"], world["lille.test"]
        await world.follow("dr-roy@lille.test", "dr-dupont@lyon.test")
        post = await lyon.publishes("dr-dupont", "Dermatose inhabituelle, #dermatologie @dr-roy@lille.test")
        await world.settle()
        assert post.uri in await lille.home("dr-roy")


async def test_a_delivery_survives_an_outage() -> None:
    async with a_world("lyon.test", "lille.test") as world:
        lyon, lille = world["lyon.test"], world["lille.test"]
        await world.follow("dr-roy@lille.test", "dr-dupont@lyon.test")
        world.down("lille.test")
        post = await lyon.publishes("dr-dupont", "Dermatose inhabituelle")
        await world.settle()
        world.up("lille.test")
        await world.pass_time(2 * 60_000)
        assert post.uri in await lille.home("dr-roy")
