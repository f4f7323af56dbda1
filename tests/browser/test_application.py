"""An application in a real browser, on an origin of its own: it signs a member in through a pop-up, and posts."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.browser.test_journey import PASSWORD, create
from tests.interop.servers import Medfed

CALLBACK = b"<!doctype html><script>opener.postMessage(location.search, origin)</script>"
APPLICATION = b"<!doctype html><title>An application</title><button onclick='signIn()'>Sign in</button>"
SIGN_IN = """
async (site) => {
    const redirect = location.origin + "/callback";
    const send = async (path, body, token) => {
        const headers = {"content-type": "application/json", ...(token ? {authorization: `Bearer ${token}`} : {})};
        const answer = await fetch(site + path, {method: "POST", body: JSON.stringify(body), headers});
        return {...await answer.json(), status: answer.status};
    };
    const encoded = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)))
        .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
    const scopes = "read write";
    const app = await send("/api/v1/apps", {client_name: "An application", redirect_uris: [redirect], scopes});
    const verifier = "v".repeat(64);
    const challenge = encoded(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier)));
    const query = new URLSearchParams({
        client_id: app.client_id, redirect_uri: redirect, response_type: "code", scope: scopes, state: "a state",
        code_challenge: challenge, code_challenge_method: "S256",
    });
    const answered = new Promise((resolve) => addEventListener("message", (event) => resolve(event.data)));
    let popup;
    window.signIn = () => { popup = window.open(`${site}/oauth/authorize?${query}`, "sign-in", "popup"); };
    window.finish = async () => {
        if (popup.closed) return {closed: true};
        const answer = new URLSearchParams(await answered);
        const token = await send("/oauth/token", {
            grant_type: "authorization_code", code: answer.get("code"), redirect_uri: redirect,
            client_id: app.client_id, code_verifier: verifier,
        });
        const posted = await send("/api/v1/statuses", {status: "From a pop-up"}, token.access_token);
        const refused = await send("/api/v1/statuses", {status: ""}, token.access_token);
        return {closed: false, state: answer.get("state"), issuer: answer.get("iss"), posted, refused};
    };
}
"""


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(CALLBACK if self.path.startswith("/callback") else APPLICATION)

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        """Nothing: the tests' output is for failures."""


@pytest.fixture
def application() -> Iterator[str]:
    """The origin of an application's pages."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_application_signs_a_member_in_through_a_popup_and_posts(
    chromium: Any, site: Medfed, application: str
) -> None:
    create(site, "popup")
    context = chromium.new_context()
    page = context.new_page()
    page.goto(application)
    page.evaluate(SIGN_IN, site.url)
    with context.expect_page() as opened:
        page.click("button")
    popup = opened.value
    popup.fill("input[name=username]", "popup")
    popup.fill("input[name=password]", PASSWORD)
    popup.click("main form button")
    popup.click("button[value=allow]")
    done = page.evaluate("finish()")
    context.close()
    assert done["closed"] is False, "the application believes that the member closed the window"
    assert (done["state"], done["issuer"]) == ("a state", site.url)
    assert done["posted"]["status"] == 200, json.dumps(done["posted"])
    assert "From a pop-up" in done["posted"]["content"]
    assert done["refused"]["status"] == 422
