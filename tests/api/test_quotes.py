"""Quotes through the client API: made, shown in every state, listed, taken back; and who may do what with a status."""

import pytest

from tests.api.client import Client

PUBLIC = {"status": "Words of Dupont", "quote_approval_policy": "public"}


async def _posts(client: Client, **body: object) -> str:
    posted = await client.post("/api/v1/statuses", body)
    assert posted.status == 200, posted.body
    return str(posted.json["id"])


async def test_a_status_is_quoted_counted_listed_told_and_no_longer(dupont: Client, roy: Client) -> None:
    quoted = await _posts(dupont, **PUBLIC)
    made = (await roy.post("/api/v1/statuses", {"status": "Read this", "quoted_status_id": quoted})).json
    assert made["quote"]["state"] == "accepted"
    assert made["quote"]["quoted_status"]["id"] == quoted
    shown = (await dupont.get(f"/api/v1/statuses/{quoted}")).json
    assert shown["quotes_count"] == 1
    assert [one["id"] for one in (await dupont.get(f"/api/v1/statuses/{quoted}/quotes")).json] == [made["id"]]
    told = (await dupont.get("/api/v1/notifications", types="quote")).json
    assert [(one["type"], one["status"]["id"]) for one in told] == [("quote", made["id"])]
    revoke = f"/api/v1/statuses/{quoted}/quotes/{made['id']}/revoke"
    assert (await roy.post(revoke, {})).status == 403
    revoked = await dupont.post(revoke, {})
    assert revoked.json["quote"] == {"state": "revoked", "quoted_status": None}
    assert (await dupont.get(f"/api/v1/statuses/{quoted}")).json["quotes_count"] == 0
    assert (await dupont.get(f"/api/v1/statuses/{quoted}/quotes")).json == []
    assert (await dupont.post(f"/api/v1/statuses/{quoted}/quotes/{quoted}/revoke", {})).status == 404


async def test_what_may_not_be_quoted_is_refused_with_a_reason(dupont: Client, roy: Client) -> None:
    silent = await _posts(dupont, status="Words of Dupont")
    refused = await roy.post("/api/v1/statuses", {"status": "Read this", "quoted_status_id": silent})
    assert refused.status == 403
    assert "quote" in refused.json["error"]
    closed = await _posts(dupont, status="For some", visibility="private", quote_approval_policy="public")
    hidden = await roy.post("/api/v1/statuses", {"status": "Read this", "quoted_status_id": closed})
    assert hidden.status == 422
    assert "quoted_status_id" in hidden.json["details"]
    approval = (await dupont.get(f"/api/v1/statuses/{closed}")).json["quote_approval"]
    assert approval == {"automatic": [], "manual": [], "current_user": "denied"}


@pytest.mark.parametrize(
    ("policy", "automatic", "manual", "of_roy"),
    [
        ("public", ["public"], [], "automatic"),
        ("followers", ["followers"], [], "denied"),
        ("nobody", [], [], "denied"),
        ("ask", [], ["public"], "manual"),
    ],
)
async def test_a_status_says_who_may_quote_it_and_its_author_changes_that(
    dupont: Client, roy: Client, policy: str, automatic: list[str], manual: list[str], of_roy: str
) -> None:
    id_ = await _posts(dupont, status="Words")
    path = f"/api/v1/statuses/{id_}/interaction_policy"
    assert (await roy.put(path, {"quote_approval_policy": policy})).status == 403
    changed = (await dupont.put(path, {"quote_approval_policy": policy})).json
    assert changed["quote_approval"] == {"automatic": automatic, "manual": manual, "current_user": "automatic"}
    assert changed["edited_at"] is None
    assert (await roy.get(f"/api/v1/statuses/{id_}")).json["quote_approval"]["current_user"] == of_roy


async def test_a_member_says_once_who_may_quote_all_that_comes(dupont: Client) -> None:
    own = (await dupont.patch("/api/v1/accounts/update_credentials", {"source": {"quote_policy": "followers"}})).json
    assert own["source"]["quote_policy"] == "followers"
    assert (await dupont.get("/api/v1/preferences")).json["posting:default:quote_policy"] == "followers"
    posted = (await dupont.post("/api/v1/statuses", {"status": "Words"})).json
    assert posted["quote_approval"]["automatic"] == ["followers"]
    refused = await dupont.patch("/api/v1/accounts/update_credentials", {"source": {"quote_policy": "friends"}})
    assert refused.status == 422


async def test_whoever_asks_is_answered_by_the_author_alone(dupont: Client, roy: Client) -> None:
    quoted = await _posts(dupont, status="Words", quote_approval_policy="ask")
    made = (await roy.post("/api/v1/statuses", {"status": "Read this", "quoted_status_id": quoted})).json
    assert made["quote"] == {"state": "pending", "quoted_status": None}
    (asked,) = (await dupont.get("/api/v1/interaction_requests")).json
    assert (asked["type"], asked["status"]["id"], asked["account"]["id"]) == ("quote", quoted, roy.id)
    assert (await roy.get(f"/api/v1/interaction_requests/{asked['id']}")).status == 404
    assert (await roy.post(f"/api/v1/interaction_requests/{asked['id']}/authorize", {})).status == 404
    answer = await dupont.post(f"/api/v1/interaction_requests/{asked['id']}/authorize", {})
    assert answer.json["accepted_at"] is not None
    assert (await roy.get(f"/api/v1/statuses/{made['id']}")).json["quote"]["state"] == "accepted"
    assert (await dupont.get("/api/v1/interaction_requests")).json == []
    assert (await dupont.post(f"/api/v1/interaction_requests/{asked['id']}/reject", {})).status == 404


async def test_what_is_quoted_of_the_muted_is_folded_and_what_is_deleted_is_gone(dupont: Client, roy: Client) -> None:
    quoted = await _posts(dupont, **PUBLIC)
    made = await _posts(roy, status="Read this", quoted_status_id=quoted)
    await roy.post(f"/api/v1/accounts/{dupont.id}/mute", {})
    assert (await roy.get(f"/api/v1/statuses/{made}")).json["quote"]["state"] == "muted_account"
    await roy.post(f"/api/v1/accounts/{dupont.id}/unmute", {})
    await dupont.delete(f"/api/v1/statuses/{quoted}")
    assert (await roy.get(f"/api/v1/statuses/{made}")).json["quote"] == {"state": "deleted", "quoted_status": None}


async def test_what_is_quoted_of_the_blocked_is_not_shown(dupont: Client, roy: Client) -> None:
    quoted = await _posts(dupont, **PUBLIC)
    made = await _posts(roy, status="Read this", quoted_status_id=quoted)
    await roy.post(f"/api/v1/accounts/{dupont.id}/block", {})
    assert (await roy.get(f"/api/v1/statuses/{made}")).json["quote"] == {
        "state": "blocked_account",
        "quoted_status": None,
    }
    again = await roy.post("/api/v1/statuses", {"status": "Read this", "quoted_status_id": quoted})
    assert again.status == 422


async def test_a_status_is_answered_by_whom_its_author_lets(dupont: Client, roy: Client) -> None:
    body = {"status": "Thinking aloud", "interaction_policy": {"can_reply": {"automatic_approval": ["followers"]}}}
    posted = (await dupont.post("/api/v1/statuses", body)).json
    assert posted["interaction_policy"]["can_reply"] == {"automatic_approval": ["followers"], "manual_approval": []}
    assert posted["interaction_policy"]["can_favourite"]["automatic_approval"] == ["public"]
    answer = {"status": "But", "in_reply_to_id": posted["id"]}
    refused = await roy.post("/api/v1/statuses", answer)
    assert refused.status == 403
    assert "answer" in refused.json["error"]
    await roy.post(f"/api/v1/accounts/{dupont.id}/follow", {})
    assert (await roy.post("/api/v1/statuses", answer)).status == 200
    form = await dupont.put(
        f"/api/v1/statuses/{posted['id']}/interaction_policy",
        {"interaction_policy": {"can_reply": {"always": ["mentioned"]}}},
    )
    assert form.json["interaction_policy"]["can_reply"]["automatic_approval"] == []
    assert (await roy.post("/api/v1/statuses", answer | {"status": "And"})).status == 403
    assert (await dupont.post("/api/v1/statuses", answer | {"status": "Myself"})).status == 200
