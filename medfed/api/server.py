"""What clients ask about the instance itself: name, limits, rules; and the pictures that stand in for missing ones."""

import struct
import zlib
from functools import cache
from typing import Final

from starlette.responses import Response

import medfed
from medfed.accounts import profile
from medfed.api.calls import Call
from medfed.api.entities import Entity, missing
from medfed.edge import Json
from medfed.kernel import limits
from medfed.kernel.clock import DAY, iso_millis
from medfed.kernel.ids import minted_at
from medfed.kernel.text import URL_CHARACTERS
from medfed.storage import accounts, peers, posts

COMPATIBLE: Final = "4.3.0"
"""The Mastodon whose client API this is: with grouped notifications, without quotes."""
API_VERSION: Final = 2
IMAGES: Final = ("image/jpeg", "image/png", "image/webp", "image/gif", "image/avif")

_GREY: Final = (200, 208, 214)


def version() -> str:
    """What clients read the features of the API from."""
    return f"{COMPATIBLE} (compatible; medfed {medfed.__version__})"


def configuration() -> Entity:
    """The limits that clients keep to."""
    return {
        "accounts": {
            "max_featured_tags": 0,
            "max_pinned_statuses": 20,
            "max_display_name_length": profile.DISPLAY_NAME,
            "max_note_length": profile.BIO,
            "max_profile_fields": profile.FIELDS,
            "profile_field_name_limit": profile.FIELD,
            "profile_field_value_limit": profile.FIELD,
        },
        "statuses": {
            "max_characters": limits.POST_CHARACTERS,
            "max_media_attachments": limits.POST_ATTACHMENTS,
            "characters_reserved_per_url": URL_CHARACTERS,
        },
        "media_attachments": {
            "supported_mime_types": list(IMAGES),
            "description_limit": limits.ALT_TEXT_LOCAL,
            "image_size_limit": limits.IMAGE_BYTES,
            "image_matrix_limit": limits.IMAGE_PIXELS,
            "video_size_limit": 0,
            "video_frame_rate_limit": 0,
            "video_matrix_limit": 0,
        },
        "polls": {
            "max_options": limits.POLL_OPTIONS,
            "max_characters_per_option": limits.POLL_OPTION_CHARACTERS,
            "min_expiration": 300,
            "max_expiration": 31 * 24 * 60 * 60,
        },
    }


async def instance_v1(call: Call) -> Response:
    """The instance, as clients before Mastodon 4 ask for it."""
    settings, here = call.instance.settings, call.here
    async with call.store.view() as view:
        stats = {
            "user_count": await accounts.count_members(view),
            "status_count": await posts.count_local(view),
            "domain_count": await peers.count(view),
        }
    return Json(
        {
            "uri": here.domain,
            "title": here.name,
            "short_description": "",
            "description": "",
            "email": here.contact,
            "version": version(),
            "urls": {},
            "stats": stats,
            "thumbnail": missing(here, "headers"),
            "languages": list(here.languages),
            "registrations": settings.registration.mode in ("open", "approval"),
            "approval_required": settings.registration.mode == "approval",
            "invites_enabled": settings.registration.mode == "invite",
            "configuration": configuration(),
            "contact_account": None,
            "rules": [],
        }
    )


async def instance_v2(call: Call) -> Response:
    """The instance."""
    settings, here = call.instance.settings, call.here
    async with call.store.view() as view:
        active = await accounts.count_active_since(view, here.now() - 30 * DAY)
    picture = missing(here, "headers")
    return Json(
        {
            "domain": here.domain,
            "title": here.name,
            "version": version(),
            "source_url": f"{here.uris.base}/about",
            "description": "",
            "usage": {"users": {"active_month": active}},
            "thumbnail": {"url": picture, "blurhash": None, "versions": {}},
            "icon": [{"src": f"{here.uris.base}/static/icon.svg", "size": "any"}],
            "languages": list(here.languages),
            "configuration": configuration()
            | {
                "urls": {"streaming": None, "about": f"{here.uris.base}/about"},
                "vapid": {"public_key": ""},
                "translation": {"enabled": False},
                "limited_federation": settings.federation.mode == "allowlist",
            },
            "registrations": {
                "enabled": settings.registration.mode in ("open", "approval"),
                "approval_required": settings.registration.mode == "approval",
                "message": None,
                "url": None,
            },
            "api_versions": {"mastodon": API_VERSION, "medfed": 1},
            "contact": {"email": here.contact, "account": None},
            "rules": [],
        }
    )


async def extended_description(call: Call) -> Response:
    """A longer description: there is none."""
    async with call.store.view() as view:
        actor = await accounts.find_by_uri(view, call.here.uris.instance_actor)
    since = minted_at(actor.id) if actor else call.here.now()
    return Json({"content": "", "updated_at": iso_millis(since)})


async def missing_picture(_call: Call) -> Response:
    """What stands in for an avatar or header that there is not."""
    return Response(_pixel(), media_type="image/png", headers={"cache-control": "max-age=86400, public"})


@cache
def _pixel() -> bytes:
    """One grey pixel as PNG."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" + bytes(_GREY))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
