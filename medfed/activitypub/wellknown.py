"""WebFinger, NodeInfo and host-meta documents."""

from collections.abc import Sequence
from typing import Final

from medfed import __version__
from medfed.activitypub.uris import Uris
from medfed.domain.accounts import Account

NODEINFO_VERSIONS: Final = ("2.0", "2.1")
_NODEINFO_SCHEMA: Final = "http://nodeinfo.diaspora.software/ns/schema/"


def webfinger(uris: Uris, account: Account) -> dict[str, object]:
    """Who an acct: URI or a URL of ours is (RFC 7033)."""
    name = uris.domain if account.uri == uris.instance_actor else account.username
    return {
        "subject": f"acct:{name}@{uris.domain}",
        "aliases": [account.url, account.uri],
        "links": [
            {"rel": "self", "type": "application/activity+json", "href": account.uri},
            {
                "rel": "self",
                "type": 'application/ld+json; profile="https://www.w3.org/ns/activitystreams"',
                "href": account.uri,
            },
            {"rel": "http://webfinger.net/rel/profile-page", "type": "text/html", "href": account.url},
            {
                "rel": "http://ostatus.org/schema/1.0/subscribe",
                "template": f"{uris.base}/authorize_interaction?uri={{uri}}",
            },
        ],
    }


def webfinger_of_server(uris: Uris) -> dict[str, object]:
    """Which actor speaks for the server that is at our base address (FEP-d556)."""
    link = {
        "rel": "https://www.w3.org/ns/activitystreams#Service",
        "type": "application/activity+json",
        "href": uris.instance_actor,
    }
    return {"subject": f"{uris.base}/", "links": [link]}


def nodeinfo_links(uris: Uris) -> dict[str, object]:
    """Where the NodeInfo documents are; clients take the first or the highest that they know."""
    return {
        "links": [
            {"rel": f"{_NODEINFO_SCHEMA}{version}", "href": f"{uris.base}/nodeinfo/{version}"}
            for version in NODEINFO_VERSIONS
        ]
        + [{"rel": "https://www.w3.org/ns/activitystreams#Application", "href": uris.instance_actor}]
    }


def nodeinfo(
    version: str,
    *,
    name: str,
    open_registration: bool,
    members: int,
    month: int,
    half_year: int,
    posts: int,
    source: str = "",
) -> dict[str, object]:
    """What this server is, and how busy."""
    software: dict[str, object] = {"name": "medfed", "version": __version__}
    if version == "2.1" and source:
        software["repository"] = source
    return {
        "version": version,
        "software": software,
        "protocols": ["activitypub"],
        "services": {"inbound": [], "outbound": []},
        "openRegistrations": open_registration,
        "usage": {
            "users": {"total": members, "activeMonth": month, "activeHalfyear": half_year},
            "localPosts": posts,
        },
        # Clients that know servers by name take us for what our client API is compatible with.
        "metadata": {"nodeName": name, "upstream": {"name": "mastodon"}},
    }


def host_meta(uris: Uris) -> str:
    """XRD that points to WebFinger (RFC 6415)."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<XRD xmlns="http://docs.oasis-open.org/ns/xri/xrd-1.0">\n'
        f'  <Link rel="lrdd" template="{uris.base}/.well-known/webfinger?resource={{uri}}"/>\n'
        "</XRD>\n"
    )


def host_meta_json(uris: Uris) -> dict[str, object]:
    """The same as JRD."""
    return {
        "links": [{"rel": "lrdd", "template": f"{uris.base}/.well-known/webfinger?resource={{uri}}"}],
    }


def security_txt(contact: str, expires: str, languages: Sequence[str]) -> str:
    """RFC 9116."""
    address = contact if ":" in contact else f"mailto:{contact}"
    return f"Contact: {address}\nExpires: {expires}\nPreferred-Languages: {', '.join(languages)}\n"
