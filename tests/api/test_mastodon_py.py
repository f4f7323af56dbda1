"""A client library that many people use drives a served instance, without knowing what it is."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

import pytest
import uvicorn
from mastodon import Mastodon, MastodonAPIError, MastodonNotFoundError, MastodonUnauthorizedError

from medfed.accounts import consent
from tests.api.client import member_of
from tests.support.world import Site, a_world

T = TypeVar("T")

CALLBACK = "https://app.test/cb"
SCOPES = ["read", "write", "follow"]


@asynccontextmanager
async def served() -> AsyncIterator[Site]:
    """An instance on a loopback port, served as it is in earnest."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        listener = free.dup()
        listener.listen()
        domain = f"127.0.0.1:{free.getsockname()[1]}"
    async with a_world(domain, instance={"public_url": f"http://{domain}"}) as world:
        config = uvicorn.Config(world[domain].app, log_level="warning", lifespan="off", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield world[domain]
        finally:
            server.should_exit = True
            await serving


async def apart(work: Callable[..., T], *arguments: Any, **named: Any) -> T:
    """The library blocks; the instance must not."""
    return await asyncio.to_thread(work, *arguments, **named)


async def log_in(site: Site, username: str) -> Mastodon:
    """As an application does it: register, send the browser for consent, exchange the code."""
    base = site.instance.here.uris.base
    client_id, secret = await apart(
        Mastodon.create_app, "Library", scopes=SCOPES, redirect_uris=CALLBACK, api_base_url=base
    )
    library = await apart(Mastodon, client_id=client_id, client_secret=secret, api_base_url=base)
    url = await apart(library.auth_request_url, redirect_uris=CALLBACK, scopes=SCOPES, allow_http=True)
    asked = dict(parse_qsl(urlsplit(url).query))
    await site.member(username)
    member = await member_of(site, username)
    async with site.instance.store.transaction("consent") as tx:
        request = await consent.check_authorization_request(tx, asked)
        answer = await consent.grant(tx, site.instance.here, member, request)
    code = dict(parse_qsl(urlsplit(answer).query))["code"]
    await apart(library.log_in, code=code, redirect_uri=CALLBACK, scopes=SCOPES, allow_http=True)
    return library


@pytest.mark.slow
async def test_a_day_with_mastodon_py(png: bytes) -> None:
    async with served() as site:
        dupont, roy = await log_in(site, "dr-dupont"), await log_in(site, "dr-roy")
        me = await apart(dupont.account_verify_credentials)
        assert me.acct == "dr-dupont"
        assert (await apart(dupont.instance_v1)).uri == site.domain
        assert (await apart(dupont.instance_v2)).domain == site.domain

        await apart(roy.account_follow, me.id)
        media = await apart(dupont.media_post, png, "image/png", description="A square", synchronous=True)
        status = await apart(
            dupont.status_post, "Bonjour #ecg", media_ids=[media], visibility="private", idempotency_key="one"
        )
        assert status.media_attachments[0].description == "A square"
        home = await apart(roy.timeline_home)
        assert [one.id for one in home] == [status.id]

        for number in range(3):
            await apart(dupont.status_post, f"number {number}")
        page = await apart(roy.timeline_home, limit=2)
        older = await apart(roy.fetch_next, page)
        assert older is not None
        assert len(page) == len(older) == 2
        assert page[-1].id > older[0].id
        everything = await apart(roy.fetch_remaining, page)
        assert len(everything) == 4

        await apart(roy.status_favourite, status.id)
        reply = await apart(roy.status_reply, status, "Très bien")
        assert reply.in_reply_to_id == status.id
        context = await apart(dupont.status_context, status.id)
        assert [one.id for one in context.descendants] == [reply.id]

        told = await apart(dupont.notifications)
        assert {one.type for one in told} == {"mention", "favourite", "follow"}
        grouped = await apart(dupont.grouped_notifications)
        assert len(grouped.notification_groups) == 3
        await apart(dupont.notifications_clear)
        assert await apart(dupont.notifications) == []

        poll = await apart(dupont.make_poll, ["A", "B"], expires_in=3600, multiple=False)
        asked = await apart(dupont.status_post, "Which?", poll=poll)
        voted = await apart(roy.poll_vote, asked.poll, 1)
        assert voted.own_votes == [1]

        edited = await apart(dupont.status_update, asked.id, "Which one?")
        assert edited.edited_at is not None
        assert (await apart(dupont.status_source, asked.id)).text == "Which one?"
        assert len(await apart(dupont.status_history, asked.id)) == 2

        await apart(dupont.account_update_credentials, display_name="Dr Dupont", note="Cardiologist", locked=True)
        assert (await apart(roy.account, me.id)).display_name == "Dr Dupont"
        assert (await apart(roy.account_relationships, me.id))[0].following
        assert (await apart(roy.account_search, "dr-dupont"))[0].id == me.id
        mine = await apart(roy.search, "Bonjour", result_type="statuses")
        assert [one.id for one in mine.statuses] == [status.id]
        found = await apart(roy.search, "ecg", result_type="hashtags")
        assert found.hashtags == []
        await apart(roy.markers_set, ["home"], [status.id])
        assert str((await apart(roy.markers_get, ["home"])).home.last_read_id) == str(status.id)
        assert await apart(roy.conversations) == []
        assert (await apart(roy.preferences))["posting:default:visibility"] == "public"
        await apart(roy.report, me.id, status_ids=[status.id], comment="Just a try")
        await apart(roy.status_bookmark, status.id)
        assert [one.id for one in await apart(roy.bookmarks)] == [status.id]
        await apart(dupont.status_delete, status.id)
        with pytest.raises(MastodonNotFoundError):
            await apart(roy.status, status.id)
        with pytest.raises(MastodonAPIError):
            await apart(dupont.status_post, "")

        await apart(dupont.revoke_access_token, allow_http=True)
        stale = Mastodon(access_token="nonsense", api_base_url=site.instance.here.uris.base)
        with pytest.raises(MastodonUnauthorizedError):
            await apart(stale.account_verify_credentials)
