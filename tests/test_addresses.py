"""Who is calling: headers that anybody can write count only from proxies that the operator trusts (H13)."""

import pytest
from starlette.types import Scope

from medfed.edge import client_address
from tests.support.world import a_world
from tests.web.browser import PASSWORD, Browser, give_password

PROXIES = ("127.0.0.1", "10.0.0.0/8", "fd00::/8")


def scope(peer: str, *forwarded: str, **others: str) -> Scope:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    headers += [(name.replace("_", "-").encode(), value.encode()) for name, value in others.items()]
    return {"type": "http", "client": (peer, 40_000), "headers": headers}


@pytest.mark.case("H13")
@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("198.51.100.7", "203.0.113.9", "198.51.100.7"),
        ("127.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "192.0.2.1, 203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "192.0.2.1, 203.0.113.9, 10.1.2.3", "203.0.113.9"),
        ("fd00::1", "2001:db8::7", "2001:db8::7"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "unknown", "127.0.0.1"),
        ("127.0.0.1", "203.0.113.9, <script>", "127.0.0.1"),
        ("127.0.0.1", "203.0.113.9:4711", "127.0.0.1"),
        ("127.0.0.1", "203.0.113.9," * 500, "127.0.0.1"),
        ("127.0.0.2", "203.0.113.9", "127.0.0.2"),
        ("", "203.0.113.9", ""),
    ],
)
def test_the_nearest_hop_that_is_no_proxy_of_ours_is_who_calls(peer: str, forwarded: str, address: str) -> None:
    assert client_address(scope(peer, forwarded), PROXIES) == address


@pytest.mark.case("H13")
def test_other_headers_name_nobody() -> None:
    said = {"forwarded": "for=203.0.113.9", "x_real_ip": "203.0.113.9", "cf_connecting_ip": "203.0.113.9"}
    for peer in ("127.0.0.1", "198.51.100.7"):
        assert client_address(scope(peer, **said), PROXIES) == peer


@pytest.mark.case("H13", "H14")
async def test_a_password_is_not_guessed_from_all_the_addresses_of_one_line() -> None:
    """A line has 2^64 of them: they count as one, and the next line as another."""
    async with a_world("lyon.test", limits={"enabled": True}, http={"trusted_proxies": ["198.51.100.9"]}) as world:
        lyon = world["lyon.test"]
        await give_password(lyon, await lyon.member("dr-roy"))
        browser = Browser(site=lyon)

        async def tries(address: str, username: str, password: str) -> int:
            wrong = {"username": username, "password": password}
            return (await browser.post("/sign-in", wrong, x_forwarded_for=address)).status

        guesses = [await tries(f"2001:db8::{number:x}", f"dr-{number}", "guess") for number in range(1, 40)]
        assert guesses[-1] == 429
        assert await tries("2001:db8::beef", "dr-roy", PASSWORD) == 429
        assert await tries("2001:db8:0:1::1", "dr-roy", PASSWORD) == 303
