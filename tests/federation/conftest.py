"""Worlds on both engines: each instance has a SQLite file, or a PostgreSQL database of its own."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeAlias

import pytest

from tests.support.databases import PostgresServer
from tests.support.world import World, a_world

Open: TypeAlias = Callable[..., AbstractAsyncContextManager[World]]


@pytest.fixture
def open_world(engine: str, request: pytest.FixtureRequest) -> Open:
    """`a_world`, on each engine in turn."""
    if engine == "sqlite":
        return a_world
    server: PostgresServer = request.getfixturevalue("postgres")

    @asynccontextmanager
    async def on_postgres(*domains: str, **sections: Any) -> AsyncIterator[World]:
        urls = [await server.create() for _ in domains]
        try:
            async with a_world(*domains, databases=urls, **sections) as world:
                yield world
        finally:
            for url in urls:
                await server.drop(url)

    return on_postgres
