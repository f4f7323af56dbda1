"""The client API, one line an endpoint: who may call it, with which scopes (one of them is enough), how often."""

from typing import Any, Final

from starlette.responses import Response

from medfed.api import (
    accounts,
    governance,
    media,
    medical,
    models,
    notifications,
    oauth,
    polls,
    quotes,
    relationships,
    reports,
    search,
    server,
    statuses,
    timelines,
)
from medfed.api.calls import Call, Line, as_route, delete, get, patch, post, put
from medfed.api.limits import Limit, Limiter
from medfed.api.openapi import describe
from medfed.edge import Json, Route
from medfed.instance import Instance

_SIGN_IN: Final = (
    post("/api/v1/apps", oauth.register_app, who="anyone", limit=Limit.APPS),
    get("/api/v1/apps/verify_credentials", oauth.verify_app, who="app"),
    post("/oauth/token", oauth.token, who="anyone", limit=Limit.SIGN_IN),
    post("/oauth/revoke", oauth.revoke, who="anyone", limit=Limit.SIGN_IN),
    get("/oauth/userinfo", oauth.userinfo, "profile", "read:accounts"),
    post("/oauth/userinfo", oauth.userinfo, "profile", "read:accounts"),
    get("/.well-known/oauth-authorization-server", oauth.metadata, who="anyone"),
)
_SERVER: Final = (
    get("/api/v1/instance", server.instance_v1, who="anyone"),
    get("/api/v2/instance", server.instance_v2, who="anyone"),
    get("/api/v1/instance/extended_description", server.extended_description, who="anyone"),
    get("/api/v1/instance/rules", timelines.nothing, who="anyone"),
    get("/api/v1/instance/peers", timelines.nothing, who="anyone"),
    get("/api/v1/instance/activity", timelines.nothing, who="anyone"),
    get("/api/v1/instance/translation_languages", timelines.accepted, who="anyone"),
    get("/api/v1/custom_emojis", timelines.nothing, who="anyone"),
    get("/avatars/original/missing.png", server.missing_picture, who="anyone"),
    get("/headers/original/missing.png", server.missing_picture, who="anyone"),
)
_ACCOUNTS: Final = (
    post("/api/v1/accounts", accounts.sign_up, "write:accounts", who="app", limit=Limit.SIGN_UP),
    get("/api/v1/accounts", accounts.several, "read:accounts", who="anyone"),
    get("/api/v1/accounts/verify_credentials", accounts.verify_credentials, "profile", "read:accounts"),
    patch("/api/v1/accounts/update_credentials", accounts.update_credentials, "write:accounts", uploads=True),
    delete("/api/v1/profile/avatar", accounts.remove_avatar, "write:accounts"),
    delete("/api/v1/profile/header", accounts.remove_header, "write:accounts"),
    get("/api/v1/accounts/lookup", accounts.lookup, "read:accounts", who="anyone"),
    get("/api/v1/accounts/search", accounts.search, "read:accounts"),
    get("/api/v1/accounts/relationships", relationships.show, "read:follows"),
    get("/api/v1/accounts/familiar_followers", relationships.familiar_followers, "read:follows"),
    get("/api/v1/accounts/{id}", accounts.show, "read:accounts", who="anyone"),
    get("/api/v1/accounts/{id}/statuses", accounts.statuses, "read:statuses", who="anyone"),
    get("/api/v1/accounts/{id}/followers", accounts.followers, "read:accounts", who="anyone"),
    get("/api/v1/accounts/{id}/following", accounts.following, "read:accounts", who="anyone"),
    get("/api/v1/accounts/{id}/featured_tags", timelines.nothing, "read:accounts", who="anyone"),
    get("/api/v1/accounts/{id}/endorsements", timelines.nothing, "read:accounts", who="anyone"),
    get("/api/v1/accounts/{id}/lists", timelines.nothing, "read:lists"),
    get("/api/v1/accounts/{id}/identity_proofs", timelines.nothing, "read:accounts"),
    post("/api/v1/accounts/{id}/follow", relationships.follow, "write:follows"),
    post("/api/v1/accounts/{id}/unfollow", relationships.unfollow, "write:follows"),
    post("/api/v1/accounts/{id}/remove_from_followers", relationships.remove_follower, "write:follows"),
    post("/api/v1/accounts/{id}/block", relationships.block, "write:blocks"),
    post("/api/v1/accounts/{id}/unblock", relationships.unblock, "write:blocks"),
    post("/api/v1/accounts/{id}/mute", relationships.mute, "write:mutes"),
    post("/api/v1/accounts/{id}/unmute", relationships.unmute, "write:mutes"),
    post("/api/v1/accounts/{id}/note", relationships.unchanged, "write:accounts"),
    get("/api/v1/preferences", accounts.preferences, "read:accounts"),
    get("/api/v1/directory", accounts.directory, "read:accounts"),
    get("/api/v1/blocks", relationships.blocks, "read:blocks"),
    get("/api/v1/mutes", relationships.mutes, "read:mutes"),
    get("/api/v1/follow_requests", relationships.follow_requests, "read:follows"),
    post("/api/v1/follow_requests/{id}/authorize", relationships.authorize, "write:follows"),
    post("/api/v1/follow_requests/{id}/reject", relationships.refuse, "write:follows"),
)
_STATUSES: Final = (
    post("/api/v1/statuses", statuses.create, "write:statuses"),
    get("/api/v1/statuses", statuses.several, "read:statuses", who="anyone"),
    get("/api/v1/statuses/{id}", statuses.show, "read:statuses", who="anyone"),
    put("/api/v1/statuses/{id}", statuses.update, "write:statuses"),
    delete("/api/v1/statuses/{id}", statuses.remove, "write:statuses", limit=Limit.DELETES),
    get("/api/v1/statuses/{id}/context", statuses.context, "read:statuses", who="anyone"),
    get("/api/v1/statuses/{id}/source", statuses.source, "read:statuses"),
    get("/api/v1/statuses/{id}/history", statuses.history, "read:statuses", who="anyone"),
    get("/api/v1/statuses/{id}/favourited_by", statuses.favourited_by, "read:accounts", who="anyone"),
    get("/api/v1/statuses/{id}/reblogged_by", statuses.reblogged_by, "read:accounts", who="anyone"),
    get("/api/v1/statuses/{id}/quotes", quotes.quoting, "read:statuses"),
    post("/api/v1/statuses/{id}/quotes/{quoting_status_id}/revoke", quotes.revoke, "write:statuses"),
    put("/api/v1/statuses/{id}/interaction_policy", quotes.set_policy, "write:statuses"),
    post("/api/v1/statuses/{id}/favourite", statuses.favourite, "write:favourites"),
    post("/api/v1/statuses/{id}/unfavourite", statuses.unfavourite, "write:favourites"),
    post("/api/v1/statuses/{id}/reblog", statuses.reblog, "write:statuses"),
    post("/api/v1/statuses/{id}/unreblog", statuses.unreblog, "write:statuses"),
    post("/api/v1/statuses/{id}/bookmark", statuses.bookmark, "write:bookmarks"),
    post("/api/v1/statuses/{id}/unbookmark", statuses.unbookmark, "write:bookmarks"),
    post("/api/v1/statuses/{id}/pin", statuses.pin, "write:accounts"),
    post("/api/v1/statuses/{id}/unpin", statuses.unpin, "write:accounts"),
    get("/api/v1/polls/{id}", polls.show, "read:statuses", who="anyone"),
    post("/api/v1/polls/{id}/votes", polls.vote, "write:statuses"),
    get("/api/v1/interaction_requests", quotes.requests, "read:notifications"),
    get("/api/v1/interaction_requests/{id}", quotes.show_request, "read:notifications"),
    post("/api/v1/interaction_requests/{id}/authorize", quotes.authorize, "write:statuses"),
    post("/api/v1/interaction_requests/{id}/reject", quotes.refuse, "write:statuses"),
    get("/api/v1/scheduled_statuses", timelines.nothing, "read:statuses"),
)
_MEDIA: Final = (
    post("/api/v1/media", media.upload, "write:media", limit=Limit.MEDIA, uploads=True),
    post("/api/v2/media", media.upload, "write:media", limit=Limit.MEDIA, uploads=True),
    get("/api/v1/media/{id}", media.show, "write:media"),
    put("/api/v1/media/{id}", media.describe, "write:media"),
)
_TIMELINES: Final = (
    get("/api/v1/timelines/home", timelines.home, "read:statuses"),
    get("/api/v1/timelines/public", timelines.public, "read:statuses", who="anyone"),
    get("/api/v1/timelines/tag/{tag}", timelines.tagged, "read:statuses", who="anyone"),
    get("/api/v1/timelines/list/{id}", timelines.not_there, "read:lists"),
    get("/api/v1/timelines/link", timelines.nothing, "read:statuses", who="anyone"),
    get("/api/v1/bookmarks", timelines.bookmarks, "read:bookmarks"),
    get("/api/v1/favourites", timelines.favourites, "read:favourites"),
    get("/api/v1/conversations", timelines.conversations, "read:statuses"),
    post("/api/v1/conversations/{id}/read", timelines.read_conversation, "write:conversations"),
    get("/api/v1/markers", timelines.markers, "read:statuses"),
    post("/api/v1/markers", timelines.mark, "write:statuses"),
)
_NOTIFICATIONS: Final = (
    get("/api/v1/notifications", notifications.listed, "read:notifications"),
    get("/api/v1/notifications/unread_count", notifications.unread_count, "read:notifications"),
    get("/api/v1/notifications/requests", timelines.nothing, "read:notifications"),
    post("/api/v1/notifications/clear", notifications.clear, "write:notifications"),
    get("/api/v1/notifications/{id}", notifications.show, "read:notifications"),
    post("/api/v1/notifications/{id}/dismiss", notifications.dismiss, "write:notifications"),
    get("/api/v2/notifications", notifications.grouped, "read:notifications"),
    get("/api/v2/notifications/unread_count", notifications.unread_group_count, "read:notifications"),
    get("/api/v2/notifications/policy", notifications.policy, "read:notifications"),
    patch("/api/v2/notifications/policy", notifications.policy, "write:notifications"),
    get("/api/v2/notifications/{group}", notifications.group, "read:notifications"),
    get("/api/v2/notifications/{group}/accounts", notifications.group_accounts, "read:notifications"),
    post("/api/v2/notifications/{group}/dismiss", notifications.dismiss_group, "write:notifications"),
)
_OTHERS: Final = (
    get("/api/v2/search", search.search, "read:search"),
    post("/api/v1/reports", reports.create, "write:reports"),
    get("/api/v1/tags/{tag}", timelines.show_tag, who="anyone"),
    get("/api/v1/announcements", timelines.nothing, who="member"),
    get("/api/v1/filters", timelines.nothing, "read:filters"),
    get("/api/v2/filters", timelines.nothing, "read:filters"),
    get("/api/v1/lists", timelines.nothing, "read:lists"),
    get("/api/v1/lists/{id}", timelines.not_there, "read:lists"),
    get("/api/v1/followed_tags", timelines.nothing, "read:follows"),
    get("/api/v1/featured_tags", timelines.nothing, "read:accounts"),
    get("/api/v1/featured_tags/suggestions", timelines.nothing, "read:accounts"),
    get("/api/v1/endorsements", timelines.nothing, "read:accounts"),
    get("/api/v1/domain_blocks", timelines.nothing, "read:blocks"),
    get("/api/v1/suggestions", timelines.nothing, "read"),
    get("/api/v2/suggestions", timelines.nothing, "read"),
    get("/api/v1/trends", timelines.nothing, who="anyone"),
    get("/api/v1/trends/tags", timelines.nothing, who="anyone"),
    get("/api/v1/trends/statuses", timelines.nothing, who="anyone"),
    get("/api/v1/trends/links", timelines.nothing, who="anyone"),
    get("/api/v1/push/subscription", timelines.not_there, "push"),
)

_MEDICAL: Final = (
    post("/api/medfed/v1/cases", medical.open_case, "write:statuses", reads=models.CaseForm, answers=models.Case),
    get("/api/medfed/v1/cases", medical.list_cases, "read:statuses", who="anyone", answers=list[models.Case]),
    get("/api/medfed/v1/cases/{id}", medical.show_case, "read:statuses", who="anyone", answers=models.Case),
    patch("/api/medfed/v1/cases/{id}", medical.edit_case, "write:statuses", reads=models.CaseEdit, answers=models.Case),
    post(
        "/api/medfed/v1/cases/{id}/stage",
        medical.set_stage,
        "write:statuses",
        reads=models.StageChange,
        answers=models.Case,
    ),
    post(
        "/api/medfed/v1/cases/{id}/accept",
        medical.accept_answer,
        "write:statuses",
        reads=models.Acceptance,
        answers=models.Case,
    ),
    get(
        "/api/medfed/v1/accounts/{id}/attestations",
        medical.attestations,
        "read:accounts",
        who="anyone",
        answers=list[models.Attestation],
    ),
    get("/api/medfed/v1/offers", medical.offers, "read:accounts", answers=list[models.Attestation]),
    post("/api/medfed/v1/offers/{id}/accept", medical.accept_offer, "write:accounts", answers=models.Attestation),
    post("/api/medfed/v1/offers/{id}/decline", medical.decline_offer, "write:accounts", answers=models.Attestation),
    post(
        "/api/medfed/v1/attestations/{id}/hide", medical.hide_attestation, "write:accounts", answers=models.Attestation
    ),
    post(
        "/api/medfed/v1/attestations/{id}/show", medical.show_attestation, "write:accounts", answers=models.Attestation
    ),
    get("/api/medfed/v1/peers", governance.list_peers, "admin:read", who="admin", answers=list[models.Peer]),
    put(
        "/api/medfed/v1/peers/{domain}",
        governance.judge_peer,
        "admin:write",
        who="admin",
        reads=models.PeerJudgement,
        answers=models.Peer,
    ),
    get("/api/medfed/v1/policy", governance.show_policy, "admin:read", who="admin", answers=models.PolicyDocument),
    post(
        "/api/medfed/v1/policy/dry-run",
        governance.try_policy,
        "admin:read",
        who="admin",
        reads=models.PolicyDocument,
        answers=models.Effects,
    ),
    put(
        "/api/medfed/v1/policy",
        governance.apply_policy,
        "admin:write",
        who="admin",
        reads=models.PolicyDocument,
        answers=models.PolicyDocument,
    ),
)


async def description(call: Call) -> Response:
    """This description."""
    return Json(describe(ROUTES, title=call.here.name, base=call.here.uris.base))


ROUTES: Final[tuple[Line, ...]] = (
    *_SIGN_IN,
    *_SERVER,
    *_ACCOUNTS,
    *_STATUSES,
    *_MEDIA,
    *_TIMELINES,
    *_NOTIFICATIONS,
    *_OTHERS,
    *_MEDICAL,
    get("/api/medfed/v1/openapi.json", description, who="anyone", answers=dict[str, Any]),
)


def routes(instance: Instance) -> list[Route]:
    """The table as one instance serves it: calls are counted for itself."""
    limiter = Limiter(instance.here.clock, enabled=instance.settings.limits.enabled)
    return [as_route(line, limiter) for line in ROUTES]
