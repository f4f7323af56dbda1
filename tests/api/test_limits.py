"""How often who may call what."""

from typing import Any

import pytest

from medfed.api.limits import OF_ADDRESS, RATES, Limit, Limiter, Rate
from medfed.edge import network_of
from medfed.kernel.clock import MINUTE, SECOND, FixedClock
from medfed.kernel.errors import TooMany
from tests.api.client import Client, signed_in
from tests.support.world import a_world

LIMITED: dict[str, Any] = {"limits": {"enabled": True}}


def test_a_bucket_takes_its_calls_and_no_more_and_drains_in_time() -> None:
    clock = FixedClock()
    limiter = Limiter(clock, enabled=True)
    buckets = [("someone", Rate(calls=5, per=10 * SECOND))]
    left = [room.left for _ in range(5) if (room := limiter.count(buckets)) is not None]
    assert left == [4, 3, 2, 1, 0]
    with pytest.raises(TooMany) as refused:
        limiter.count(buckets)
    assert refused.value.retry_after == 2
    clock.advance(2 * SECOND)
    limiter.count(buckets)
    with pytest.raises(TooMany):
        limiter.count(buckets)
    limiter.count([("someone else", buckets[0][1])])
    clock.advance(60 * SECOND)
    assert [limiter.count(buckets) is not None for _ in range(5)] == [True] * 5


def test_a_refused_call_is_counted_in_no_bucket() -> None:
    limiter = Limiter(FixedClock(), enabled=True)
    narrow, wide = ("narrow", Rate(calls=1, per=MINUTE)), ("wide", Rate(calls=2, per=MINUTE))
    limiter.count([narrow, wide])
    with pytest.raises(TooMany):
        limiter.count([wide, narrow])
    assert limiter.count([wide]) is not None


def test_a_switched_off_limiter_counts_nothing() -> None:
    limiter = Limiter(FixedClock(), enabled=False)
    assert all(limiter.count([("x", Rate(calls=1, per=MINUTE))]) is None for _ in range(10))


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("nonsense", "unknown"),
    ],
)
def test_an_ipv6_line_counts_as_one(address: str, network: str) -> None:
    assert network_of(address) == network


async def test_strangers_are_slowed_down_by_address() -> None:
    async with a_world("lyon.test", **LIMITED) as world:
        client = Client(site=world["lyon.test"])
        first = await client.get("/api/v1/timelines/public")
        assert first.headers["x-ratelimit-limit"] == "300"
        assert first.headers["x-ratelimit-remaining"] == "299"
        assert first.headers["x-ratelimit-reset"].endswith("Z")
        for _ in range(OF_ADDRESS.calls - 1):
            await client.get("/api/v1/trends/tags")
        refused = await client.get("/api/v1/timelines/public")
        assert refused.status == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.headers["x-ratelimit-remaining"] == "0"
        assert refused.headers["x-ratelimit-reset"].endswith("Z")
        other = Client(site=world["lyon.test"], address="192.0.2.8")
        assert (await other.get("/api/v1/timelines/public")).status == 200
        world.clock.advance(5 * MINUTE)
        assert (await client.get("/api/v1/timelines/public")).status == 200


async def test_guessing_tokens_is_slowed_down_too() -> None:
    async with a_world("lyon.test", **LIMITED) as world:
        client = Client(site=world["lyon.test"], token="guess")
        seen = [(await client.get("/api/v1/timelines/home")).status for _ in range(OF_ADDRESS.calls + 1)]
        assert seen == [401] * OF_ADDRESS.calls + [429]


@pytest.mark.parametrize(
    ("limit", "path"), [(Limit.APPS, "/api/v1/apps"), (Limit.SIGN_IN, "/oauth/token"), (Limit.SIGN_IN, "/oauth/revoke")]
)
async def test_what_is_dear_has_a_limit_of_its_own(limit: Limit, path: str) -> None:
    async with a_world("lyon.test", **LIMITED) as world:
        client = Client(site=world["lyon.test"])
        seen = [(await client.post(path, {})).status for _ in range(RATES[limit].calls + 1)]
        assert 429 not in seen[:-1]
        assert seen[-1] == 429


@pytest.mark.case("F09")
async def test_asking_other_servers_on_a_members_behalf_is_limited() -> None:
    async with a_world("lyon.test", **LIMITED) as world:
        client = await signed_in(world["lyon.test"], "dr-dupont")
        for number in range(30):
            found = await client.get("/api/v2/search", q=f"@x{number}@nowhere.test", resolve=True)
            assert found.status == 200
        assert (await client.get("/api/v2/search", q="@y@nowhere.test", resolve=True)).status == 429
        assert (await client.get("/api/v2/search", q="@y@nowhere.test")).status == 200
        assert (await client.get("/api/v2/search", q="https://nowhere.test/x", resolve=True)).status == 429


async def test_deleting_and_uploading_are_limited_by_member() -> None:
    async with a_world("lyon.test", **LIMITED) as world:
        client = await signed_in(world["lyon.test"], "dr-dupont")
        other = await signed_in(world["lyon.test"], "dr-dupont")
        for number in range(30):
            assert (await (client if number % 2 else other).delete("/api/v1/statuses/7")).status == 404
        assert (await client.delete("/api/v1/statuses/7")).status == 429
        for _ in range(30):
            assert (await client.upload("/api/v1/media", {})).status == 422
        assert (await client.upload("/api/v2/media", {})).status == 429
