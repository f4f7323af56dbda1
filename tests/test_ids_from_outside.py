"""Whatever stands in an address where a number belongs is answered, by every route, and never with a crash."""

import pytest

from medfed.api.routes import ROUTES as API
from medfed.discovery.media import routes as media_routes
from medfed.discovery.routes import ROUTES as DISCOVERY
from medfed.kernel.paging import LARGEST, id_of
from medfed.web.routes import PAGES
from tests.api.client import Client, signed_in
from tests.support.stranger import Stranger
from tests.support.world import a_world
from tests.web.browser import visitor

WRONG = ("0", "-1", "²", "9" * 19, "9" * 400, "1e3", "a", "%00")


@pytest.mark.parametrize(
    ("text", "id_"),
    [
        ("1", 1),
        ("0", 0),
        ("007", 7),
        (str(LARGEST), LARGEST),
        (str(LARGEST + 1), None),
        *((text, None) for text in ("", "-1", "+1", "1.5", "²", "٣", "1_0", "9" * 20, "9" * 5_000, " 1", "1\n", "a")),
    ],
)
def test_an_id_is_decimal_and_fits_the_database(text: str, id_: int | None) -> None:
    assert id_of(text) == id_


@pytest.mark.case("A22", "F20")
async def test_what_is_no_id_is_answered_by_every_route(database_url: str) -> None:
    """Read by an anonymous client, a member, an admin in a browser, and a peer."""
    async with a_world("lyon.test", databases=[database_url]) as world:
        lyon, alice = world["lyon.test"], Stranger(world, "good.test").person("alice")
        await lyon.member("dr-roy")
        browser, client = await visitor(lyon, "dr-noel", role="admin"), await signed_in(lyon, "dr-roy")
        anybody = Client(site=lyon, judged=False)
        for wrong in WRONG:
            for table, callers in (
                (API, (anybody, client)),
                (PAGES, (browser,)),
                ((*DISCOVERY, *media_routes()), (anybody,)),
            ):
                paths = {_filled(route.path, wrong) for route in table if route.method == "GET" and "{" in route.path}
                for path in sorted(paths):
                    for caller in callers:
                        assert (await caller.get(path)).status < 500, path
                    if table not in (API, PAGES):
                        assert (await alice.asks(lyon, f"https://lyon.test{path}")).status < 500, path
            for name in ("max_id", "min_id", "before", "after", "offset", "limit", "page"):
                for path in ("/api/v1/timelines/public", "/users/dr-roy/outbox", "/@dr-roy", "/notifications"):
                    assert (await browser.get(f"{path}?{name}={wrong}")).status < 500, (path, name)
            for token in (f"{wrong}.1.x", f"1.{wrong}.x"):
                assert (await browser.get(f"/confirm?token={token}")).status < 500, token
            for address in (f"/@dr-roy/{wrong}", f"/users/dr-roy/posts/{wrong}"):
                assert (await client.get("/api/v2/search", q=f"https://lyon.test{address}")).status < 500, address


def _filled(path: str, wrong: str) -> str:
    """The path of a route, with something wrong wherever it takes a number or a name that is none."""
    for name in ("username", "handle"):
        path = path.replace(f"{{{name}}}", "dr-roy")
    while "{" in path:
        before, _, rest = path.partition("{")
        path = before + wrong + rest.partition("}")[2]
    return path
