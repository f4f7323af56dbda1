"""Every page, one line each: the method, the path, what answers, and who may open it."""

from typing import Final

from medfed.edge import Route
from medfed.web import (
    attestations,
    auth,
    casework,
    consent,
    departure,
    groups,
    keys,
    notices,
    people,
    permissions,
    preferences,
    queue,
    reading,
    society,
    writing,
)
from medfed.web.door import Handler, Line, route
from medfed.web.static import static
from medfed.web.visit import Access, Front


def _open(path: str, handler: Handler) -> Line:
    """A page for everybody."""
    return Line(method="GET", path=path, handler=handler, access=Access.ANYBODY)


def _get(path: str, handler: Handler, access: Access = Access.MEMBER) -> Line:
    return Line(method="GET", path=path, handler=handler, access=access)


def _post(path: str, handler: Handler, access: Access = Access.MEMBER) -> Line:
    return Line(method="POST", path=path, handler=handler, access=access)


PAGES: Final = (
    # the door
    _open("/sign-in", auth.sign_in_page),
    _post("/sign-in", auth.sign_in, Access.ANYBODY),
    _post("/sign-out", auth.sign_out, Access.ANYBODY),
    _open("/sign-up", auth.sign_up_page),
    _post("/sign-up", auth.post_sign_up, Access.ANYBODY),
    _open("/confirm", auth.confirm_page),
    _post("/confirm", auth.post_confirm, Access.ANYBODY),
    # reading
    _open("/", reading.home),
    _open("/about", reading.about),
    _open("/@{handle}/{id}", reading.post),
    _open("/tags/{tag}", reading.tagged),
    _open("/cases", casework.index),
    _open("/cases/{id}", casework.case),
    _get("/notifications", notices.index),
    _post("/notifications/read", notices.mark_read),
    _post("/notifications/requests/{id}", notices.answer_request),
    _post("/notifications/consents/{id}", permissions.answer),
    _get("/messages", notices.messages),
    # writing
    _get("/compose", writing.compose),
    _post("/compose", writing.post_compose),
    _post("/posts/{id}", writing.act),
    _get("/posts/{id}/policy", permissions.policy),
    _post("/posts/{id}/policy", permissions.post_policy),
    _post("/polls/{id}", writing.vote),
    _get("/cases/new", casework.new),
    _post("/cases/new", casework.post_new),
    _get("/cases/{id}/edit", casework.edit),
    _post("/cases/{id}/edit", casework.post_edit),
    _post("/cases/{id}/stage", casework.stage),
    # people
    _open("/@{handle}", people.profile),
    _post("/@{handle}", people.act),
    _open("/directory", people.directory),
    _open("/groups", groups.index),
    _post("/groups", groups.create, Access.ADMIN),
    _get("/groups/{name}", groups.inside),
    _post("/groups/{name}", groups.act),
    _get("/search", people.search),
    _get("/authorize_interaction", people.interaction),
    _post("/authorize_interaction", people.post_interaction),
    _post("/remote-follow", people.remote_follow, Access.ANYBODY),
    _get("/report", people.report),
    _post("/report", people.post_report),
    # oneself
    _get("/settings", preferences.settings),
    _post("/settings", preferences.post_settings),
    _post("/settings/password", preferences.change_password),
    _post("/settings/sessions", preferences.end_session),
    _post("/settings/aliases", departure.aliases),
    _post("/settings/move", departure.move),
    _post("/settings/delete", departure.delete),
    _get("/oauth/authorize", consent.authorize),
    _post("/oauth/authorize", consent.post_authorize),
    _get("/oauth/authorize/native", consent.native),
    # attestations
    _open("/credentials/{id}", attestations.credential),
    _get("/verification", attestations.own),
    _post("/verification", attestations.post_own),
    _post("/verification/{id}", attestations.decide_own),
    _post("/verification/requests/{id}", attestations.take_back_own),
    _get("/admin/verification", attestations.queue, Access.VERIFIER),
    _post("/admin/verification/{id}", attestations.decide, Access.VERIFIER),
    _post("/admin/verification/issue", attestations.issue, Access.VERIFIER),
    _post("/admin/verification/revoke", attestations.withdraw, Access.VERIFIER),
    # the administration
    _get("/admin", society.overview, Access.STAFF),
    _post("/admin/members/{id}", society.let_in, Access.ADMIN),
    _get("/admin/peers", society.peers_page, Access.ADMIN),
    _post("/admin/peers", society.set_peer, Access.ADMIN),
    _post("/admin/peers/keys", society.confirm_keys, Access.ADMIN),
    _get("/admin/queue", queue.queue_page, Access.ADMIN),
    _post("/admin/queue/retry", queue.retry, Access.ADMIN),
    _post("/admin/queue/drop", queue.drop, Access.ADMIN),
    _get("/admin/keys", keys.keys_page, Access.ADMIN),
    _post("/admin/keys", keys.replace, Access.ADMIN),
    _get("/admin/policy", society.policy_page, Access.ADMIN),
    _post("/admin/policy", society.change_policy, Access.ADMIN),
    _get("/admin/reports", society.reports_page, Access.MODERATOR),
    _post("/admin/reports/{id}", society.settle, Access.MODERATOR),
    _get("/admin/audit", society.audit_page, Access.ADMIN),
)


def routes(front: Front) -> list[Route]:
    """The table of one instance."""
    return [
        *(route(front, line) for line in PAGES),
        Route(method="GET", path="/static/{name}", endpoint=static, info=Access.ANYBODY),
    ]
