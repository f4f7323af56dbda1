"""Bearer tokens of the client API that no browser has to fetch: the scopes there are, and the command line's own."""

from typing import Final

from medfed.activitypub.here import Here
from medfed.domain.accounts import Member
from medfed.kernel.errors import Forbidden, Invalid
from medfed.kernel.secrets import hash_token, new_token
from medfed.storage import moderation, oauth
from medfed.storage.database import Transaction

_PARTS: Final = {
    "read": (
        "accounts", "blocks", "bookmarks", "favourites", "filters", "follows", "lists", "mutes", "notifications",
        "search", "statuses",
    ),
    "write": (
        "accounts", "blocks", "bookmarks", "conversations", "favourites", "filters", "follows", "lists", "media",
        "mutes", "notifications", "reports", "statuses",
    ),
    "admin:read": ("accounts", "reports", "domain_blocks", "domain_allows"),
    "admin:write": ("accounts", "reports", "domain_blocks", "domain_allows"),
}  # fmt: skip
SCOPES: Final = frozenset({
    "profile", "follow", "push", *_PARTS, *(f"{top}:{part}" for top, parts in _PARTS.items() for part in parts),
})  # fmt: skip
"""Every scope that a client may ask for, in Mastodon's words."""

COMMAND_LINE: Final = "medfed-command-line"
"""The client id of the application that the command line's tokens belong to."""


def check_scopes(text: str) -> str:
    """Scopes separated by spaces (or +), each once, in order. Raises Invalid for an unknown one, or none."""
    wanted = list(dict.fromkeys(text.replace("+", " ").split()))
    unknown = [scope for scope in wanted if scope not in SCOPES]
    if unknown or not wanted:
        raise Invalid(
            f"{unknown[0][:60]!r} is not a scope" if unknown else "no scope is given",
            {"scopes": "unknown" if unknown else "missing"},
        )
    return " ".join(wanted)


def with_administration(scopes: str, member: Member) -> str:
    """The scopes, and for an admin those of administration that `read` and `write` bring along on the command line."""
    named = scopes.split()
    if not member.is_at_least("admin"):
        return scopes
    return " ".join(dict.fromkeys([*named, *(f"admin:{top}" for top in ("read", "write") if top in named)]))


async def issue(tx: Transaction, here: Here, member: Member, scopes: str, *, by: str) -> str:
    """A bearer token for a member, without a browser; audited. Raises Invalid, and Forbidden for admin:* (F24).

    Only its hash is stored: this is the one time that it can be read.
    """
    granted = check_scopes(scopes)
    if "admin:" in granted and not member.is_at_least("moderator"):
        raise Forbidden("admin scopes are for moderators and admins")
    app = await oauth.find_app(tx, COMMAND_LINE) or await _make_app(tx, here)
    token = new_token()
    await oauth.add_token(
        tx,
        oauth.Token(
            token_hash=hash_token(token),
            app_id=app.id,
            account_id=member.account.id,
            scopes=granted,
            created_at=here.now(),
        ),
    )
    await moderation.record(
        tx,
        at=here.now(),
        actor=by,
        action="token.create",
        subject=str(member.account.id),
        detail={"scopes": granted},
    )
    return token


async def _make_app(tx: Transaction, here: Here) -> oauth.App:
    app = oauth.App(
        id=here.ids.new(),
        client_id=COMMAND_LINE,
        client_secret=hash_token(new_token()),
        name="medfed command line",
        website=here.uris.base,
        redirect_uris=(),
        scopes=" ".join(sorted(SCOPES)),
        created_at=here.now(),
    )
    await oauth.add_app(tx, app)
    return app
