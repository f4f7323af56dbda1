"""An instance at a fixed time, and members with cheap keys."""

import asyncio
import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest

from medfed.accounts import passwords
from medfed.accounts.register import NewKeys, register
from medfed.activitypub.here import Here
from medfed.activitypub.keys import generate_ed25519, generate_rsa
from medfed.activitypub.uris import Uris
from medfed.domain.accounts import Member, Role
from medfed.kernel.clock import FixedClock
from medfed.kernel.ids import Ids
from medfed.kernel.secrets import Vault
from medfed.storage.database import Store

PASSWORD = "correct horse battery"


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def here(clock: FixedClock) -> Here:
    return Here(
        name="CHU de Lyon",
        contact="admin@lyon.example",
        languages=("fr", "en"),
        mode="cautious",
        uris=Uris(base="https://lyon.example", domain="lyon.example"),
        ids=Ids(clock),
        clock=clock,
        vault=Vault(b"k" * 32),
    )


@pytest.fixture(scope="session")
def keys() -> NewKeys:
    return NewKeys(rsa=generate_rsa(), ed25519=generate_ed25519())


@pytest.fixture(scope="session")
def password_hash() -> str:
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, passwords.hash_password(PASSWORD)).result()


class People:
    """Makes members with a known password."""

    def __init__(self, store: Store, here: Here, keys: NewKeys, password_hash: str) -> None:
        self._store, self._here, self._keys, self._hash = store, here, keys, password_hash
        self._numbers = itertools.count()

    async def member(
        self, username: str = "", *, role: Role = "member", confirmed: bool = True, approved: bool = True
    ) -> Member:
        name = username or f"m{next(self._numbers)}"
        async with self._store.transaction("test member") as tx:
            return await register(
                tx,
                self._here,
                username=name,
                email=f"{name}@lyon.example",
                password_hash=self._hash,
                keys=self._keys,
                role=role,
                confirmed=confirmed,
                approved=approved,
            )


@pytest.fixture
def people(store: Store, here: Here, keys: NewKeys, password_hash: str) -> People:
    return People(store, here, keys, password_hash)
