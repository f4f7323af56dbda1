"""What others may look up here."""

from typing import Final

from medfed.discovery import collections, credentials, documents, wellknown
from medfed.edge import Endpoint, Route


def _get(path: str, endpoint: Endpoint) -> Route:
    return Route(method="GET", path=path, endpoint=endpoint)


ROUTES: Final = (
    _get("/.well-known/webfinger", wellknown.webfinger),
    _get("/.well-known/nodeinfo", wellknown.nodeinfo_links),
    _get("/nodeinfo/{version}", wellknown.nodeinfo),
    _get("/.well-known/host-meta", wellknown.host_meta),
    _get("/.well-known/host-meta.json", wellknown.host_meta_json),
    _get("/.well-known/change-password", wellknown.change_password),
    _get("/.well-known/security.txt", wellknown.security_txt),
    _get("/.well-known/did.json", credentials.did),
    _get("/credentials/status/{id}", credentials.status_list),
    _get("/credentials/{id}", credentials.credential),
    _get("/users/{username}/attestations", credentials.collection),
    _get("/actor", documents.instance_actor),
    _get("/actor/outbox", collections.of_instance),
    _get("/actor/followers", collections.of_instance),
    _get("/actor/following", collections.of_instance),
    _get("/users/{username}", documents.actor),
    _get("/users/{username}/outbox", collections.outbox_of),
    _get("/users/{username}/followers", collections.followers),
    _get("/users/{username}/followers_synchronization", collections.followers_synchronization),
    _get("/users/{username}/following", collections.following),
    _get("/users/{username}/featured", collections.featured),
    _get("/users/{username}/moderators", collections.moderators),
    _get("/users/{username}/audiences/{id}", collections.audience),
    _get("/users/{username}/posts/{id}", documents.post),
    _get("/users/{username}/posts/{id}/activity", documents.activity),
    _get("/users/{username}/posts/{id}/replies", collections.replies),
    _get("/users/{username}/posts/{id}/context", collections.context),
    _get("/users/{username}/activities/{id}", documents.activity),
    _get("/users/{username}/authorizations/{id}", documents.authorization),
)
