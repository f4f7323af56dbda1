"""One instance, and people on it."""

from collections.abc import AsyncIterator
from io import BytesIO

import pytest
import pytest_asyncio
from PIL import Image

from tests.api.client import Client, signed_in
from tests.support.world import Site, a_world


@pytest_asyncio.fixture
async def lyon() -> AsyncIterator[Site]:
    """An instance by itself."""
    async with a_world("lyon.test") as world:
        yield world["lyon.test"]


@pytest_asyncio.fixture
async def either(database_url: str) -> AsyncIterator[Site]:
    """An instance on SQLite, and one on PostgreSQL."""
    async with a_world("lyon.test", databases=[database_url]) as world:
        yield world["lyon.test"]


@pytest_asyncio.fixture
async def dupont(lyon: Site) -> Client:
    """A member with a token for everything that members do."""
    return await signed_in(lyon, "dr-dupont")


@pytest_asyncio.fixture
async def roy(lyon: Site) -> Client:
    """Another one."""
    return await signed_in(lyon, "dr-roy")


@pytest_asyncio.fixture
async def anybody(lyon: Site) -> Client:
    """Somebody without a token."""
    return Client(site=lyon)


@pytest.fixture(scope="session")
def png() -> bytes:
    """A small image."""
    out = BytesIO()
    Image.new("RGB", (40, 30), (20, 120, 90)).save(out, "PNG")
    return out.getvalue()
