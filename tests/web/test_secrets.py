"""What lets somebody in stands nowhere in clear: not in the database, not in its files, not in the log (I17)."""

import logging
import re

import pytest

from tests.api.client import Client
from tests.api.test_oauth import register
from tests.support.world import a_world
from tests.web.browser import PASSWORD, visitor


@pytest.mark.case("I17", "M20")
async def test_no_password_token_code_or_session_can_be_read_where_it_is_kept(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with a_world("lyon.test", databases=[database_url]) as world:
        lyon = world["lyon.test"]
        browser = await visitor(lyon, "dr-roy")
        wrong = "a wrong and never stored password"
        assert (await browser.post("/sign-in", {"username": "dr-roy", "password": wrong}, token="")).status >= 400
        app = await register(lyon)
        code = (await app.code("dr-roy"))["code"]
        given = (await app.exchange(code)).json
        client = Client(site=lyon, token=given["access_token"])
        assert (await client.get("/api/v1/accounts/verify_credentials")).status == 200
        assert (
            await client.post("/api/v1/statuses", {"status": "Canary in a post", "visibility": "direct"})
        ).status == 200
        secrets = {
            "password": PASSWORD,
            "wrong password": wrong,
            "session": re.split(r"[.]", next(iter(browser.cookies.values())))[0],
            "application": app.secret,
            "code": code,
            "token": given["access_token"],
        }
        assert all(len(secret) >= 16 for secret in secrets.values()), secrets
        await world.settle()
        rows = [row for rows in (await lyon.contents()).values() for row in rows]
        kept = b"".join(
            path.read_bytes() for path in lyon.instance.settings.instance.data_dir.rglob("*") if path.is_file()
        )
        for name, secret in secrets.items():
            assert not [row for row in rows if secret in row], name
            assert secret.encode() not in kept, name
            assert secret not in caplog.text, name
        assert "Canary in a post" not in caplog.text
